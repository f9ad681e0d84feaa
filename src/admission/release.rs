//! What waited behind a dead credential, and which share of what leaves it has once the credential is back. Pure, and nothing
//! of it is stored: what belongs to the backlog follows from when the credential came back, and that from its journal.

use std::collections::BTreeSet;

use outlast_state::{Batch, Credential, CredentialState, CredentialWant, Epoch, Held, Time, Token};

use super::Blocked;
use super::queue::Place;
use crate::records::CredentialRecord;

/// While newer work is due, too, the backlog has one request after so many of that: a quarter, which is more than the tenth
/// that it is promised (L2) and a third of what live traffic has. A lower share would double how long a backlog lasts for a
/// few percent of the live rate.
const PASSED: u32 = 3;

/// Which part of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lot {
    /// What waited while the credential was dead, and was not sent since.
    Backlog,
    /// Everything else.
    Live,
}

/// When a dead credential came back. What stood in a queue then lies below it in the queue's order, so that the backlog is a
/// range, and no delivery has to be marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// What was due before this belongs to the backlog.
    pub(super) since: Time,
    /// So does what waits for the successor of an epoch before this one: the first that there could be.
    pub(super) epoch: Epoch,
}

impl Mark {
    /// The mark that a step of a credential sets, where it was dead and is no more.
    pub(crate) fn between(before: &Credential, after: &Credential, now: Time) -> Option<Mark> {
        let is_dead = |credential: &Credential| credential.wants() == CredentialWant::Authorisation;
        (is_dead(before) && !is_dead(after)).then(|| Mark { since: now, epoch: before.epoch.next() })
    }

    /// The mark of a credential that is read from the store: its journal's last. Where that does not reach back so far,
    /// the time of its token: the consent's own, as a rule, or that of a refresh since. Then what came between counts
    /// for the backlog, too, as far as it still waits: little, since it was the backlog that waited.
    pub(crate) fn of(record: &CredentialRecord) -> Mark {
        let (mut credential, mut mark) = (record.journal.snapshot(), None);
        for entry in record.journal.entries() {
            let after = credential.step(entry.input, entry.at);
            mark = Mark::between(&credential, &after, entry.at).or(mark);
            credential = after;
        }
        mark.or_else(|| token(&record.credential).map(|token| Mark { since: token.issued, epoch: token.epoch }))
            .unwrap_or_default()
    }

    /// Where what stands at `place` belongs.
    pub(super) fn lot(self, place: Place) -> Lot {
        let old = match place {
            Place::Due(at) => at < self.since,
            Place::Token(past) => past < self.epoch,
        };
        if old { Lot::Backlog } else { Lot::Live }
    }
}

fn token(credential: &Credential) -> Option<Token> {
    match credential.state {
        CredentialState::Current { serving: token, .. }
        | CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => Some(token),
        CredentialState::Dead { .. } => None,
    }
}

/// Whose turn it is in a queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// How many of the backlog stand in the queue.
    pub(super) waiting: usize,
    /// Requests of the backlog that are in the air.
    flying: BTreeSet<Batch>,
    /// Requests of newer work that left since the last of the backlog did.
    passed: u32,
    /// When the backlog may send again, in microseconds, where an operator bounds its rate: at 1500 a second, one
    /// millisecond is too long for one delivery and too short for two.
    rests: u64,
}

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    /// So many requests of the queue may be in the air.
    pub(super) concurrency: u32,
    /// So many more does the gate let through; no bound where it lets one canary through at a time.
    pub(super) open: u32,
    /// So many deliveries of the backlog may leave in a second, if an operator says so.
    pub(super) rate: Option<u32>,
    pub(super) now: Time,
}

impl Pace {
    /// Which lots may send the next request, the one whose turn it is first.
    ///
    /// The backlog never has more than half of the queue's requests in the air; and where nothing newer is due, it leaves half
    /// of what the gate has open, too. So what arrives meanwhile finds a slot. It may always have one.
    pub(super) fn order(&self, space: Space) -> [Option<Lot>; 2] {
        let flying = u32::try_from(self.flying.len()).unwrap_or(u32::MAX);
        let more = flying.saturating_add(1);
        let has_slot = flying == 0 || more <= space.concurrency / 2;
        let leaves_open = flying == 0 || more < space.open;
        let has_turn = self.passed >= PASSED;
        let rests = self.rests_until(space) > space.now;
        if self.waiting == 0 || rests || !has_slot || !(has_turn || leaves_open) {
            [Some(Lot::Live), None]
        } else if has_turn {
            [Some(Lot::Backlog), Some(Lot::Live)]
        } else {
            [Some(Lot::Live), Some(Lot::Backlog)]
        }
    }

    /// What keeps the backlog from something that it could send otherwise: a slot, which comes back with an answer, or time.
    pub(super) fn withheld(&self, space: Space) -> Option<Blocked> {
        let withheld = self.waiting > 0 && !self.order(space).contains(&Some(Lot::Backlog));
        let until = Some(self.rests_until(space)).filter(|until| *until > space.now);
        withheld.then(|| until.map_or(Blocked::ByEvent, Blocked::Until))
    }

    /// The millisecond in which the backlog may send again.
    fn rests_until(&self, space: Space) -> Time {
        let until = Time::from_millis(self.rests / 1_000);
        if space.rate.is_some() { until } else { Time::ZERO }
    }

    /// A request of this lot, with so many deliveries, leaves.
    pub(super) fn leaves(&mut self, lot: Lot, batch: Batch, deliveries: u32, space: Space) {
        match lot {
            Lot::Backlog => {
                self.flying.insert(batch);
                self.passed = 0;
                let took = u64::from(deliveries).saturating_mul(1_000_000);
                let took = space.rate.and_then(|rate| took.checked_div(rate.into())).unwrap_or(0);
                self.rests = self.rests.max(space.now.as_millis().saturating_mul(1_000)).saturating_add(took);
            }
            Lot::Live if self.waiting > 0 => self.passed = self.passed.saturating_add(1),
            Lot::Live => self.passed = 0,
        }
    }

    /// A request ended.
    pub(super) fn lands(&mut self, batch: Batch) {
        self.flying.remove(&batch);
    }
}

#[cfg(test)]
mod tests;
