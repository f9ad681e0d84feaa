//! Many measurements of one thing: what lies in the middle, and how far apart they are.

use std::time::Duration;

use serde::Serialize;

/// The runs of one figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
    pub(super) runs: usize,
}

impl Spread {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let sorted = Sorted::of(values);
        Spread { min: sorted.at(0.0), median: sorted.at(0.5), max: sorted.at(1.0), runs: sorted.0.len() }
    }
}

/// Measurements in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorted(Vec<f64>);

impl Sorted {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Sorted(values)
    }

    /// Spans in milliseconds.
    pub(super) fn millis(spans: impl IntoIterator<Item = Duration>) -> Self {
        Sorted::of(spans.into_iter().map(|span| span.as_secs_f64() * 1e3))
    }

    /// The value below or at which this share of them lies, by the nearest rank; the median of an even number is the mean
    /// of its middle two. Zero where there are none.
    pub(super) fn at(&self, share: f64) -> f64 {
        let value = |rank: usize| self.0.get(rank).copied().unwrap_or(0.0);
        let Some(last) = self.0.len().checked_sub(1) else { return 0.0 };
        if (share - 0.5).abs() < f64::EPSILON {
            return f64::midpoint(value(last / 2), value(last.div_ceil(2)));
        }
        value(rank(share, self.0.len()).min(last))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is positive and below a length")]
fn rank(share: f64, count: usize) -> usize {
    ((share * float(count)).ceil() as usize).saturating_sub(1)
}

/// A count as a number to divide with. Nothing counted here is near the 2⁵² at which that begins to round.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

/// How many a second.
pub(super) fn rate(count: impl TryInto<u64>, took: Duration) -> f64 {
    float(count) / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "these are written exactly")]
    fn percentiles_are_values_that_were_measured() {
        let hundred = Sorted::of((1..=100_u32).rev().map(f64::from));
        let at = |share: f64| hundred.at(share);
        assert_eq!([at(0.0), at(0.01), at(0.9), at(0.99), at(1.0)], [1.0, 1.0, 90.0, 99.0, 100.0]);
        assert_eq!(at(0.5), 50.5);
        assert_eq!(Sorted::of([3.0, 1.0, 2.0]).at(0.5), 2.0);
        assert_eq!((Sorted::of([]).at(0.99), Sorted::of([7.0]).at(0.99)), (0.0, 7.0));
        assert_eq!(Sorted::millis([Duration::from_micros(1500)]).at(1.0), 1.5);
    }

    #[test]
    fn a_spread_names_both_ends_and_the_middle() {
        let spread = Spread::of([5.0, 1.0, 9.0, 4.0]);
        assert_eq!(spread, Spread { min: 1.0, median: 4.5, max: 9.0, runs: 4 });
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these are written exactly")]
    fn rates_count_a_second() {
        assert_eq!(rate(500_u32, Duration::from_millis(250)), 2000.0);
        assert!(rate(1_u32, Duration::ZERO).is_finite());
    }
}
