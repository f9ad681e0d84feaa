//! Engine time: points and spans, in whole milliseconds. All arithmetic saturates, here and nowhere else.

use core::fmt;

/// A point in engine time: milliseconds since the Unix epoch, made by the engine's clock only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Time(u64);

impl Time {
    /// The Unix epoch.
    pub const ZERO: Time = Time(0);
    /// Later than every other time: the expiry of a token that does not expire.
    pub const NEVER: Time = Time(u64::MAX);

    /// The time that lies `millis` after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time `span` after this one; at most [`Time::NEVER`].
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Time(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this is; nothing when it is not after.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// Longer than every other: of what never happens.
    pub const MAX: Span = Span(u64::MAX);

    /// `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Span(millis)
    }

    /// `seconds` seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Span(seconds.saturating_mul(1000))
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This span, `factor` times over.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Span(self.0.saturating_mul(factor))
    }

    /// What is left of this span without `other`; nothing where that is as long.
    #[must_use]
    pub const fn less(self, other: Span) -> Self {
        Span(self.0.saturating_sub(other.0))
    }

    /// One of `parts` equal parts of this span, rounded down. No parts is taken as one.
    #[must_use]
    pub const fn part(self, parts: u64) -> Self {
        Span(match self.0.checked_div(parts) {
            Some(part) => part,
            None => self.0,
        })
    }
}

/// As people say it, in one or two units: `35 ms`, `2.5 s`, `9 min 59 s`, `3 h`, `30 d`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
        let (seconds, tenths) = (self.0 / 1000, self.0 % 1000 / 100);
        match self.0 {
            0 => return f.write_str("0 s"),
            1..1_000 => return write!(f, "{} ms", self.0),
            1_000..10_000 if tenths > 0 => return write!(f, "{seconds}.{tenths} s"),
            _ => {}
        }
        let mut units = UNITS.iter().skip_while(|(length, _)| seconds < *length);
        let (Some((length, unit)), next) = (units.next(), units.next()) else { return Ok(()) };
        write!(f, "{} {unit}", seconds.checked_div(*length).unwrap_or(0))?;
        let rest = seconds.checked_rem(*length).unwrap_or(0);
        match next.map(|(length, unit)| (rest.checked_div(*length).unwrap_or(0), unit)) {
            Some((count @ 1.., unit)) => write!(f, " {count} {unit}"),
            _ => Ok(()),
        }
    }
}

/// A number that looks random and is a function of its arguments: the finaliser of `SplitMix64` (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014). Jitter is a hash so that replay waits as long as the run did.
#[must_use]
pub const fn hash(seed: u64, salt: u64) -> u64 {
    let mut z = seed.wrapping_add(salt.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `span` lengthened by up to a quarter, by a hash of `seed` and `salt`. Never shorter than `span` (S9).
#[must_use]
pub const fn jittered(span: Span, seed: u64, salt: u64) -> Span {
    let quarter = span.0 / 4;
    match hash(seed, salt).checked_rem(quarter.saturating_add(1)) {
        Some(extra) => Span(span.0.saturating_add(extra)),
        None => span,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Span, hash, jittered};
    use std::string::ToString;

    #[test]
    fn spans_read_as_people_say_them() {
        let table = [
            (0, "0 s"),
            (1, "1 ms"),
            (35, "35 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_099, "1 s"),
            (2_540, "2.5 s"),
            (9_999, "9.9 s"),
            (10_900, "10 s"),
            (12_900, "12 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (599_277, "9 min 59 s"),
            (3_600_000, "1 h"),
            (3_660_000, "1 h 1 min"),
            (86_400_000, "1 d"),
            (259_199_068, "2 d 23 h"),
            (2_592_000_003, "30 d"),
        ];
        for (millis, text) in table {
            assert_eq!(Span::from_millis(millis).to_string(), text);
        }
    }

    /// The first numbers of `SplitMix64` seeded with 0 and with 1234567, as its authors' code gives them.
    #[test]
    fn the_hash_is_what_it_says() {
        assert_eq!(
            [0, 1, 2].map(|salt| hash(0, salt)),
            [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]
        );
        assert_eq!(
            [0, 1, 2].map(|salt| hash(1_234_567, salt)),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn jitter_is_any_length_up_to_a_quarter_and_no_other() {
        for (millis, most) in [(0, 0), (3, 0), (4, 1), (7, 1), (8, 2), (43, 10)] {
            let extras =
                (0..1_000).map(|salt| jittered(Span::from_millis(millis), 7, salt).as_millis().saturating_sub(millis));
            let extras: std::collections::BTreeSet<u64> = extras.collect();
            assert_eq!(extras, (0..=most).collect(), "{millis} ms");
        }
    }
}
