//! What a provider's tokens teach about how long new ones spread: histograms, and the canary phase that follows from them.

use alloc::vec::Vec;

use crate::time::{Span, Time};

/// So many tokens of a provider are seen before what they teach is used.
pub const ENOUGH: u64 = 20;

/// From so many samples on, all counts are halved: what was long ago counts less, and a provider that has changed is
/// believed in the end.
const MANY: u64 = 1_000;

/// 4 for the first second, then 4 for each doubling: a quarter of precision, up to half an hour.
const BUCKETS: usize = 48;

/// The width of the first buckets.
const WIDTH: u64 = 250;

/// How long things took, in buckets that grow with what they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Histogram {
    counts: Vec<u32>,
}

/// What one token taught: ages at which its requests were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// The first that was refused within its settle window, if one was.
    pub first_refusal: Option<Span>,
    /// The last that was refused before another was accepted. Where none was, the first request: nobody looked earlier.
    pub last_refusal: Span,
    /// The first that was accepted.
    pub first_acceptance: Span,
}

/// What the tokens of one provider taught.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Learned {
    /// From minting to the first refusal, of those tokens that were refused.
    pub first_refusal: Histogram,
    /// From minting to the last refusal.
    pub last_refusal: Histogram,
    /// From minting to the first acceptance.
    pub first_acceptance: Histogram,
    /// When it last learned.
    pub at: Time,
}

impl Histogram {
    /// One more.
    pub fn add(&mut self, span: Span) {
        if self.counts.len() < BUCKETS {
            self.counts.resize(BUCKETS, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket(span)) {
            *count = count.saturating_add(1);
        }
        if self.total() >= MANY {
            for count in &mut self.counts {
                *count = count.div_euclid(2);
            }
        }
    }

    /// All of another one.
    pub fn merge(&mut self, other: &Histogram) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(u64::from(*count)))
    }

    /// The length that so many of a hundred do not exceed, rounded up to the end of its bucket; nothing where there are none.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Span> {
        let total = self.total();
        let rank = total.saturating_mul(u64::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0_u64;
        self.counts.iter().enumerate().filter(|_| total > 0).find_map(|(at, count)| {
            seen = seen.saturating_add(u64::from(*count));
            (seen >= rank).then(|| end(at))
        })
    }
}

impl Learned {
    /// Takes in what a token taught.
    pub fn take(&mut self, lesson: &Lesson, now: Time) {
        if let Some(refused) = lesson.first_refusal {
            self.first_refusal.add(refused);
        }
        self.last_refusal.add(lesson.last_refusal);
        self.first_acceptance.add(lesson.first_acceptance);
        self.at = self.at.max(now);
    }

    /// Takes in what others learned.
    pub fn merge(&mut self, other: &Learned) {
        self.first_refusal.merge(&other.first_refusal);
        self.last_refusal.merge(&other.last_refusal);
        self.first_acceptance.merge(&other.first_acceptance);
        self.at = self.at.max(other.at);
    }

    /// How many tokens taught it.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.last_refusal.total()
    }

    /// The age below which a new token is tried by one canary at a time: the age that 95 of 100 tokens had when they were
    /// last refused, never below `floor` and never above `cap`. `floor` until [`ENOUGH`] tokens were seen.
    #[must_use]
    pub fn young(&self, floor: Span, cap: Span) -> Span {
        let learned = self.last_refusal.percentile(95).filter(|_| self.tokens() >= ENOUGH);
        learned.unwrap_or(floor).min(cap).max(floor)
    }
}

/// In which bucket a length lies.
fn bucket(span: Span) -> usize {
    let widths = span.as_millis().div_euclid(WIDTH);
    let Some(octave) = widths.checked_ilog2().and_then(|log| log.checked_sub(2)) else {
        return usize::try_from(widths).unwrap_or(0);
    };
    let quarter = widths.checked_shr(octave).unwrap_or(0) & 3;
    let at = u64::from(octave).saturating_mul(4).saturating_add(4).saturating_add(quarter);
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS.saturating_sub(1))
}

/// Where a bucket ends. The last one has no end.
fn end(bucket: usize) -> Span {
    let Ok(at) = u32::try_from(bucket) else { return Span::MAX };
    if bucket >= BUCKETS.saturating_sub(1) {
        return Span::MAX;
    }
    let next = at.saturating_add(1);
    let widths = match next.checked_sub(4) {
        None => u64::from(next),
        Some(beyond) => {
            let (octave, quarter) = (beyond.div_euclid(4), u64::from(beyond.rem_euclid(4)));
            quarter.saturating_add(4).checked_shl(octave).unwrap_or(u64::MAX)
        }
    };
    Span::from_millis(widths.saturating_mul(WIDTH))
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, bucket, end};
    use crate::time::Span;

    #[test]
    fn each_length_lies_in_the_bucket_that_ends_behind_it() {
        let mut millis = 0_u64;
        while millis < 5_000_000 {
            let at = bucket(Span::from_millis(millis));
            assert!(Span::from_millis(millis) < end(at), "{millis} in {at}");
            let before = at.checked_sub(1).map_or(Span::ZERO, end);
            assert!(before <= Span::from_millis(millis), "{millis} in {at}");
            millis = millis.saturating_add(1 + millis / 97);
        }
        assert_eq!((bucket(Span::MAX), end(BUCKETS)), (BUCKETS - 1, Span::MAX));
    }

    #[test]
    fn a_bucket_is_a_quarter_of_its_length_wide_at_most() {
        for at in 4..BUCKETS - 1 {
            let (from, to) = (end(at - 1).as_millis(), end(at).as_millis());
            assert!(to > from && (to - from) * 4 <= from.max(1000), "{at}: {from} to {to}");
        }
    }
}
