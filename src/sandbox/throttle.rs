//! A token bucket with a daily quota.

use super::faults::Throttle;

/// What is left: in sixty-thousandths of a request, so that a millisecond's refill is a whole number.
#[derive(Default)]
pub(super) struct Bucket {
    filled_at: Option<u64>,
    level: u64,
    day: u64,
    today: u64,
}

impl Bucket {
    pub(super) fn take(&mut self, throttle: &Throttle, now: u64) -> bool {
        let full = throttle.burst.unwrap_or(throttle.per_minute).saturating_mul(REQUEST);
        let refill = self.filled_at.map_or(full, |at| now.saturating_sub(at).saturating_mul(throttle.per_minute));
        self.level = self.level.saturating_add(refill).min(full);
        self.filled_at = Some(now);
        if self.day != now / DAY_MS {
            (self.day, self.today) = (now / DAY_MS, 0);
        }
        if self.level < REQUEST || throttle.per_day.is_some_and(|quota| self.today >= quota) {
            return false;
        }
        self.level = self.level.saturating_sub(REQUEST);
        self.today = self.today.saturating_add(1);
        true
    }
}

const REQUEST: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::super::faults::{RetryAfter, Sharer};
    use super::*;

    #[test]
    fn a_bucket_refills_by_the_millisecond_and_a_quota_by_the_day() {
        let throttle = Throttle {
            per: Sharer::Member,
            per_minute: 60,
            burst: Some(2),
            per_day: Some(4),
            retry_after: RetryAfter::Absent,
        };
        let mut bucket = Bucket::default();
        let taken: Vec<bool> =
            [0, 0, 0, 999, 1000, 3000, 9000, DAY_MS].iter().map(|now| bucket.take(&throttle, *now)).collect();
        assert_eq!(taken, [true, true, false, false, true, true, false, true]);
    }
}
