//! What an operator pauses and resumes; pure.

use tracing::info;

use super::acts::Turn;
use super::machines::{Machines, Name};
use crate::records::{self, PauseRecord};
use crate::view::Scope;

impl Machines {
    /// Stops sending what `scope` describes; says how many live deliveries that holds back.
    pub(crate) fn pause(&mut self, scope: &Scope, turn: &mut Turn) -> u64 {
        let since = *self.pauses.entry(scope.clone()).or_insert(turn.now);
        records::put(records::pause_key(scope), &PauseRecord { scope: scope.clone(), since }, &mut turn.writes);
        self.hold_lane(scope, true);
        info!(%scope, "paused");
        self.live_within(scope)
    }

    /// Sends again what was paused; says whether it was.
    pub(crate) fn resume(&mut self, scope: &Scope, turn: &mut Turn) -> bool {
        turn.writes.delete(records::pause_key(scope));
        info!(%scope, "resumed");
        self.hold_lane(scope, false);
        let was = self.pauses.remove(scope).is_some();
        match scope {
            Scope::Destination(name) | Scope::Lane { destination: name, .. } => self.poke(name),
            Scope::Credential(name) => self.poke_blocked(name),
        }
        was
    }

    /// Tells a queue that one of its lanes is paused, or no longer.
    pub(crate) fn hold_lane(&mut self, scope: &Scope, hold: bool) {
        if let Scope::Lane { destination, lane } = scope {
            self.queues.entry(Name::from(destination.as_str())).or_default().hold_lane(lane, hold);
        }
    }

    /// How many live deliveries a scope holds.
    pub(super) fn live_within(&self, scope: &Scope) -> u64 {
        match scope {
            Scope::Destination(name) => self.queues.get(name.as_str()).map_or(0, |queue| queue.live),
            Scope::Credential(name) => {
                let destinations = self.settings.needed_by.get(name).into_iter().flatten();
                destinations.filter_map(|destination| self.queues.get(destination)).map(|queue| queue.live).sum()
            }
            Scope::Lane { destination, lane } => {
                let waiting = self.queues.get(destination.as_str()).map_or(0, |queue| queue.waiting_in(lane));
                u64::try_from(waiting).unwrap_or(u64::MAX)
            }
        }
    }
}
