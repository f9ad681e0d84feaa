//! What the checker makes of the records that lie in the store, commit by commit.

use std::collections::HashSet;

use outlast::state::{Credential, CredentialState, Delivery, DeliveryId, Held, Span, State, Then, Time, Token};
use outlast::store::Writes;
use outlast::verify::{Raw, RawDelivery};

use super::Checks;
use crate::world::CREDENTIALS;

impl Checks {
    pub(crate) fn written(&mut self, writes: &Writes) {
        self.unsynced.extend(RawDelivery::written(writes));
        self.heard_unsynced.append(&mut self.heard);
    }

    /// A commit has passed its barrier.
    pub(crate) fn synced(&mut self, raw: &Raw<'_>) {
        self.not_before.extend(self.heard_unsynced.drain(..));
        for after in std::mem::take(&mut self.unsynced) {
            self.stored(&after);
        }
        self.credentials_stored(raw);
    }

    /// The engine is gone; what had not passed a barrier may be there or not.
    pub(crate) fn crashed(&mut self) {
        self.crashes += 1;
        self.unsynced.clear();
        (self.heard, self.heard_unsynced) = (Vec::new(), Vec::new());
        for token in self.tokens.values_mut() {
            token.crashes += 1;
        }
    }

    /// Everything that is durable, read anew: when a store is about to be opened, and after its recovery.
    pub(crate) fn read_anew(&mut self, raw: &Raw<'_>) {
        let mut missing: HashSet<DeliveryId> = self.known.keys().copied().collect();
        for after in raw.deliveries() {
            missing.remove(&after.delivery.id);
            self.stored(&after);
        }
        self.hold(missing.is_empty(), "S1 No loss", || format!("{missing:?} were durable and are gone"));
        self.credentials_stored(raw);
    }

    /// A store whose engine had died was opened again: whatever was in the air then, the opening has told.
    pub(crate) fn recovered(&mut self, raw: &Raw<'_>) {
        for (name, before) in self.credentials.clone() {
            let after = raw.credential(name).map(|after| after.state);
            let remembered = matches!(after, Some(CredentialState::Refreshing { interrupted: true, .. }));
            let holds = remembered || !matches!(before.state, CredentialState::Refreshing { .. });
            self.hold(holds, "S7 No forgetting", || {
                format!("{name}: a token request may have been out when the engine died; {before:?}\nbecame {after:?}")
            });
        }
        let sending = |known: &&RawDelivery| matches!(known.delivery.state, State::Sending { .. });
        let in_the_air: Vec<Delivery> = self.known.values().filter(sending).map(|known| known.delivery).collect();
        for before in in_the_air {
            let Some(after) = raw.delivery(before.id).map(|after| after.delivery) else { continue };
            let told = || format!("{before:?}\nbecame {after:?} when its engine had died");
            let stops = matches!(before.state, State::Sending { then: Then::Stop { .. }, .. });
            let spent = before.spent + u32::from(!stops);
            self.hold(after.spent == spent, "S8 Honest counting", told);
            self.hold(after.doubt, "S1 No loss", told);
        }
    }

    fn stored(&mut self, after: &RawDelivery) {
        let id = after.delivery.id;
        self.hold(after.replays, "S15 Replay", || format!("{after:?} is not what its journal folds to"));
        if let Some(lane) = &after.lane {
            self.lanes.entry((after.destination.clone(), lane.clone())).or_default().insert(id);
        }
        if let State::Sending { batch, index, .. } = after.delivery.state {
            self.batches.entry(batch).or_default().insert(index, id);
            let last = self.last.entry(id).or_insert((batch, None));
            if last.0 != batch {
                *last = (batch, Some(last.0));
            }
        }
        if let Some(before) = self.known.insert(id, after.clone()) {
            self.moved(&before.delivery, &after.delivery);
        }
    }

    fn moved(&mut self, before: &Delivery, after: &Delivery) {
        let told = || format!("{before:?}\nbecame {after:?}");
        let redriven = self.redriven.contains(&after.id);
        let kept = match before.state {
            State::Done { .. } => before == after,
            State::Failed { .. } => before == after || redriven,
            _ => true,
        };
        self.hold(kept, "S2 Final is final", told);
        let counts = after.attempt >= before.attempt && (after.spent >= before.spent || redriven);
        self.hold(counts, "S8 Honest counting", told);
    }

    fn credentials_stored(&mut self, raw: &Raw<'_>) {
        let now = raw.time();
        for name in CREDENTIALS {
            let Some(after) = raw.credential(name) else { continue };
            let before = self.credentials.insert(name, after);
            if let Some(before) = before.filter(|before| *before != after) {
                self.credential_moved(name, &before, &after, now);
            }
        }
    }

    fn credential_moved(&mut self, name: &'static str, before: &Credential, after: &Credential, now: Time) {
        let told = || format!("{name}: {before:?}\nbecame {after:?}\nat {now:?}");
        self.hold(after.epoch >= before.epoch, "S3 One renewal per epoch", told);
        if let (CredentialState::Current { serving, .. }, CredentialState::Refreshing { .. }) =
            (before.state, after.state)
            && before.epoch == after.epoch
        {
            let settled = now >= serving.issued.after(before.terms.settle) || serving.is_expired(now);
            self.hold(settled, "S4 Settle", told);
        }
        let renewed = after.renewed > before.renewed;
        if renewed {
            *self.renewals.entry(name).or_default() += 1;
            self.spaced(before, after, told());
        }
        let consented = self.unit.remove(name);
        let grew = after.epoch > before.epoch;
        self.hold(!grew || renewed || consented, "S3 One renewal per epoch", told);
        if grew && !consented {
            let one = after.epoch == before.epoch.next();
            self.hold(one, "S3 One renewal per epoch", told);
        }
        if consented && !grew {
            self.unit.insert(name);
        }
    }

    /// L3: a stored renewal is one settle window after the last; after a known expiry, half a lifetime and at least 30 s.
    fn spaced(&mut self, before: &Credential, after: &Credential, told: String) {
        if before.renewed == Time::ZERO || before.epoch.next() != after.epoch {
            return;
        }
        let lost = match before.state {
            CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => Some(token),
            CredentialState::Current { serving, .. } => Some(serving),
            CredentialState::Dead { .. } => None,
        };
        let least = lost.map_or(Span::ZERO, |lost| distance(&lost, after.renewed, self.settle));
        let holds = after.renewed.since(before.renewed) >= least;
        self.hold(holds, "L3 Bounded renewals", || told);
    }
}

fn distance(lost: &Token, renewed: Time, settle: Span) -> Span {
    if lost.is_expired(renewed) {
        Span::from_secs(30).max(lost.expires.since(lost.issued).part(2)).min(settle.max(Span::from_secs(30)))
    } else {
        settle
    }
}
