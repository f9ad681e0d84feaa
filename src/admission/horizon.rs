//! When the live deliveries of a queue are given up, counted by the hour: how many of them outlast a moment is a sum over a
//! few numbers, however many there are.

use std::collections::BTreeMap;

use outlast_state::Time;

/// How many live deliveries have their deadline in which hour since 1970. No hour without any is here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Horizon {
    hours: BTreeMap<u32, u64>,
}

impl Horizon {
    pub(super) fn join(&mut self, deadline: Time) {
        let count = self.hours.entry(hour(deadline)).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn leave(&mut self, deadline: Time) {
        let hour = hour(deadline);
        let Some(count) = self.hours.get_mut(&hour) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.hours.remove(&hour);
        }
    }

    /// How many have their deadline in the hour of `at` or in a later one: all that outlast it, and those that end within
    /// the hour before or after.
    pub(super) fn beyond(&self, at: Time) -> u64 {
        self.hours.range(hour(at)..).map(|(_, count)| *count).fold(0, u64::saturating_add)
    }
}

fn hour(at: Time) -> u32 {
    u32::try_from(at.as_millis() / 3_600_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_counts_what_ends_in_the_hour_or_later(
            deadlines in proptest::collection::vec((0..40_000_000_u64, any::<bool>()), 0..60),
            at in 0..40_000_000_u64,
        ) {
            let mut horizon = Horizon::default();
            for (deadline, _) in &deadlines {
                horizon.join(Time::from_millis(*deadline));
            }
            for (deadline, _) in deadlines.iter().filter(|(_, leaves)| *leaves) {
                horizon.leave(Time::from_millis(*deadline));
            }
            let from = at / 3_600_000 * 3_600_000;
            let left = deadlines.iter().filter(|(deadline, leaves)| !leaves && *deadline >= from).count();
            prop_assert_eq!(horizon.beyond(Time::from_millis(at)), left as u64);
        }
    }

    #[test]
    fn an_hour_that_nobody_ends_in_takes_no_room() {
        let mut horizon = Horizon::default();
        for hour in 0..1_000 {
            horizon.join(Time::from_millis(hour * 3_600_000));
            horizon.leave(Time::from_millis(hour * 3_600_000));
        }
        assert!(horizon.hours.is_empty());
        horizon.leave(Time::NEVER);
        assert_eq!(horizon.beyond(Time::ZERO), 0, "one that never joined");
        horizon.join(Time::NEVER);
        assert_eq!(horizon.beyond(Time::NEVER), 1);
    }
}
