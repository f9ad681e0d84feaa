//! How many deliveries stand where, counted as they move. Those that ended are counted for as long as the store lives: their
//! records go when their time is over, and the count stays.

use outlast_state::{Delivery, State};

use crate::view::Counts;

impl Counts {
    /// Counts a delivery out of one state and into another.
    pub(crate) fn moved(&mut self, before: Option<&Delivery>, after: &Delivery) {
        if let Some(before) = before {
            let slot = self.slot(&before.state);
            *slot = slot.saturating_sub(1);
        }
        let requests = before.map_or(0, |before| before.attempt.count());
        self.attempts = self.attempts.saturating_add(u64::from(after.attempt.count().saturating_sub(requests)));
        let slot = self.slot(&after.state);
        *slot = slot.saturating_add(1);
    }

    pub(super) fn slot(&mut self, state: &State) -> &mut u64 {
        match state {
            State::Pending { .. } => &mut self.pending,
            State::Sending { .. } => &mut self.sending,
            State::AwaitingPropagation { .. } => &mut self.awaiting_propagation,
            State::Refreshing { .. } => &mut self.refreshing,
            State::Done { .. } => &mut self.done,
            State::Failed { .. } => &mut self.failed,
        }
    }
}
