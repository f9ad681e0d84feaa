//! All machines of a store, in memory, and what one turn makes of them. Pure: time, ids and answers come in as values, and
//! what is to be written and done comes out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use outlast_state::{
    Choice, Credential, CredentialInput, CredentialWant, Delivery, DeliveryId, Epoch, Gate, Input, KEPT, Need, Offer,
    Policy, Span, Standard, State, Time, Token, Trouble, Verdict, Want,
};
use tracing::{debug, error, info, warn};

use super::acts::{Act, Renewal, Shipment, Turn};
use super::ids::Ids;
use super::shown::summary;
use crate::admission::{Queue, Standing};
use crate::destination::Destination;
use crate::limits::Limits;
use crate::oauth::Profile;
use crate::records::{self, ClockRecord, CredentialRecord, DeliveryRecord};
use crate::store::Key;
use crate::store::keys::Meta;
use crate::view::{Counts, Scope};

/// Neither a destination nor a policy makes a delivery wait longer than this at a time: what asks for more has its units
/// wrong, and a delivery that nobody looks at again is lost.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(24 * 3600);

/// Everything that the driver owns.
#[derive(Clone)]
pub(crate) struct Machines {
    pub(crate) settings: Settings,
    pub(crate) live: HashMap<DeliveryId, Live>,
    pub(crate) credentials: BTreeMap<String, Keeper>,
    pub(crate) queues: BTreeMap<String, Queue>,
    pub(crate) pauses: BTreeMap<Scope, Time>,
    pub(crate) deadlines: BTreeSet<(Time, DeliveryId)>,
    pub(crate) counts: Counts,
    pub(crate) ids: Ids,
    /// When the store was opened, or engine time last leapt: a deadline that passed before gives its delivery one chance.
    pub(crate) opened: Time,
    /// When the last turn was.
    pub(crate) turned: Time,
    /// Deliveries that somebody watches.
    pub(crate) watched: HashSet<DeliveryId>,
    /// Set when the engine stops: nothing new leaves.
    pub(crate) stopping: bool,
    /// Which rows of the tables were walked.
    #[cfg(feature = "verify")]
    pub(crate) marks: crate::driver::marks::Marks,
}

/// What does not change while the engine runs.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) outlets: BTreeMap<String, Outlet>,
    pub(crate) profiles: BTreeMap<String, Arc<Profile>>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) limits: Limits,
    pub(crate) hold: bool,
}

/// A destination, as the driver uses it.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) credential: Option<String>,
    pub(crate) concurrency: u32,
    /// Asked once: the driver never calls the host's code where a panic would be its own.
    pub(crate) batch_size: u32,
}

/// Whom a request speaks to: its destination, and the provider of its credential.
#[derive(Clone)]
pub(crate) struct SpokenTo {
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) profile: Option<Arc<Profile>>,
}

/// A delivery that has not ended.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) record: DeliveryRecord,
    /// Whether it was admitted since the store was opened.
    pub(crate) tried: bool,
}

/// A credential, its gate, and whether its token request is in the air.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) record: CredentialRecord,
    pub(crate) gate: Option<Gate>,
    pub(crate) calling: bool,
    /// The queue that last sent with it.
    pub(crate) served: String,
    /// Its stored record does not verify, and is not written over until a human authorises it again.
    pub(crate) quarantined: bool,
}

impl Machines {
    /// Steps a live delivery and notes what that changes for its queue, its credential and the turn.
    pub(crate) fn deliver(&mut self, id: DeliveryId, input: Input, turn: &mut Turn) -> Option<Delivery> {
        let live = self.live.get_mut(&id)?;
        let before = live.record.delivery;
        let after = live.record.journal.apply(before, input, turn.now, KEPT);
        #[cfg(feature = "verify")]
        self.marks.delivery(&before, &input, &after, turn.now);
        if after == before {
            return Some(after);
        }
        live.record.delivery = after;
        if let Input::Admitted { .. } = input {
            live.tried = true;
        }
        debug!(
            delivery = %id, destination = %live.record.destination, attempt = after.attempt.count(),
            epoch = epoch_of(&after).or(epoch_of(&before)).map(Epoch::number),
            from = before.state.name(), to = after.state.name(), "delivery changed"
        );
        self.counts.moved(Some(&before), &after);
        if self.watched.contains(&id)
            && let Some(live) = self.live.get(&id)
        {
            turn.told.push((id, summary(&live.record, self.is_parked(&live.record.destination))));
        }
        self.replace(id, turn);
        turn.changed.insert(id);
        Some(after)
    }

    /// Puts a delivery where its wants say that it belongs, and asks its credential for what it wants of it.
    fn replace(&mut self, id: DeliveryId, turn: &mut Turn) {
        let Some(live) = self.live.get(&id) else { return };
        let delivery = live.record.delivery;
        let wanted = delivery.wants();
        if let Some(queue) = self.queues.get_mut(&live.record.destination) {
            queue.place(&standing(&live.record, self.settings.quiet(&live.record.destination)), turn.now);
        }
        match wanted {
            Want::Token { past } => {
                let credential = self.credential_of(&live.record.destination).map(str::to_owned);
                if let Some(name) = credential {
                    self.credential(&name, CredentialInput::Needed { past, why: Need::Refused }, turn);
                }
            }
            Want::Nothing => {
                self.deadlines.remove(&(delivery.deadline, id));
                if let Some(live) = self.live.remove(&id) {
                    if let Some(queue) = self.queues.get_mut(&live.record.destination) {
                        queue.live = queue.live.saturating_sub(1);
                    }
                    turn.ended.insert(id, live.record);
                }
            }
            Want::Admission { .. } | Want::Answer { .. } => {}
        }
    }

    /// Steps a credential.
    pub(crate) fn credential(&mut self, name: &str, input: CredentialInput, turn: &mut Turn) -> Option<Credential> {
        let keeper = self.credentials.get_mut(name)?;
        let before = keeper.record.credential;
        if is_old_news(&before, input) {
            return Some(before);
        }
        let after = keeper.record.journal.apply(before, input, turn.now, KEPT);
        #[cfg(feature = "verify")]
        self.marks.credential(&before, &input, &after, turn.now);
        if after == before {
            return Some(after);
        }
        keeper.record.credential = after;
        turn.dirty_credentials.insert(name.to_owned());
        if before.state.name() == after.state.name() && before.epoch == after.epoch {
            debug!(credential = name, epoch = after.epoch.number(), state = after.state.name(), "credential changed");
        } else {
            let (from, to) = (before.state.name(), after.state.name());
            info!(credential = name, epoch = after.epoch.number(), from, to, "credential changed");
        }
        if after.wants() == CredentialWant::Authorisation && before.wants() != CredentialWant::Authorisation {
            warn!(credential = name, "the credential is dead; its deliveries wait until it is authorised again");
        }
        Some(after)
    }

    /// What the policy chooses, within bounds. A policy is the host's code: where it panics, the shipped one answers.
    pub(super) fn chosen(&self, delivery: &Delivery, trouble: Trouble, now: Time) -> Choice {
        let policy = &self.settings.policy;
        let choice = catch_unwind(AssertUnwindSafe(|| policy.choose(delivery, trouble, now))).unwrap_or_else(|_| {
            error!(delivery = %delivery.id, "the policy panicked; the standard one is asked instead");
            Standard::default().choose(delivery, trouble, now)
        });
        match choice {
            Choice::Again { at } => Choice::Again { at: at.max(now).min(now.after(LONGEST_WAIT)) },
            Choice::GiveUp => Choice::GiveUp,
        }
    }

    /// Marks a credential to be written although its machine did not move.
    pub(crate) fn touch(&mut self, name: &str, turn: &mut Turn, change: impl FnOnce(&mut Keeper)) {
        if let Some(keeper) = self.credentials.get_mut(name) {
            change(keeper);
            turn.dirty_credentials.insert(name.to_owned());
        }
    }

    /// The name of the credential that a destination's requests carry.
    pub(crate) fn credential_of(&self, destination: &str) -> Option<&str> {
        self.settings.outlets.get(destination)?.credential.as_deref()
    }

    /// The token that requests with this credential may carry now. An expired one is replaced: nobody waits for a refusal
    /// to find out.
    pub(crate) fn token_of(&mut self, name: &str, turn: &mut Turn) -> Option<Token> {
        match self.credentials.get(name)?.record.credential.offer(turn.now) {
            Offer::Token(token) => Some(token),
            Offer::Expired { past } => {
                self.credential(name, CredentialInput::Needed { past, why: Need::Expired }, turn);
                None
            }
            Offer::Refreshing | Offer::Dead => None,
        }
    }

    /// Whether the credential that a delivery needs can only be revived by a human.
    pub(crate) fn is_parked(&self, destination: &str) -> bool {
        let keeper = self.credential_of(destination).and_then(|name| self.credentials.get(name));
        keeper.is_some_and(|keeper| keeper.record.credential.wants() == CredentialWant::Authorisation)
    }

    /// Whether an operator paused what a delivery to this destination, in this lane, needs.
    pub(crate) fn is_paused(&self, destination: &str, lane: Option<&str>) -> Option<Scope> {
        let lane = lane.map(|lane| Scope::Lane { destination: destination.to_owned(), lane: lane.to_owned() });
        let credential = self.credential_of(destination).map(|name| Scope::Credential(name.to_owned()));
        let scopes = [Some(Scope::Destination(destination.to_owned())), credential, lane];
        scopes.into_iter().flatten().find(|scope| self.pauses.contains_key(scope))
    }

    /// Asks every credential what it wants, and turns token requests that are due into acts.
    pub(crate) fn renew(&mut self, turn: &mut Turn) {
        if self.settings.hold || self.stopping {
            return;
        }
        for (name, keeper) in &mut self.credentials {
            let CredentialWant::Renewal { from, not_before, tries } = keeper.record.credential.wants() else {
                continue;
            };
            if keeper.calling {
                continue;
            }
            if not_before > turn.now {
                turn.wake_at(not_before);
                continue;
            }
            keeper.calling = true;
            turn.acts.push(Act::Renew(Renewal { credential: name.clone(), from, tries }));
        }
    }

    /// Ends the turn: writes what changed. Store before you act.
    pub(crate) fn close(&mut self, mut turn: Turn, clean: bool) -> Turn {
        for id in &turn.changed {
            let record = self.live.get(id).map(|live| &live.record).or_else(|| turn.ended.get(id));
            if let Some(record) = record {
                record.put(&mut turn.writes);
            }
        }
        for name in &turn.dirty_credentials {
            if let Some(keeper) = self.credentials.get(name).filter(|keeper| !keeper.quarantined) {
                keeper.record.put(name, &mut turn.writes);
            }
        }
        if !turn.writes.is_empty() || clean {
            records::put(Key::Meta(Meta::Clock), &ClockRecord { now: turn.now, clean }, &mut turn.writes);
        }
        if let Some((deadline, _)) = self.deadlines.first() {
            turn.wake_at(*deadline);
        }
        turn
    }

    /// How many requests are in the air, those to token endpoints included.
    pub(crate) fn in_flight(&self) -> u64 {
        let calling = self.credentials.values().filter(|keeper| keeper.calling).map(|_| 1);
        self.queues.values().map(|queue| u64::from(queue.in_flight)).chain(calling).sum()
    }
}

/// While a token works, each acceptance says what the last one said. One a second is kept, so that a busy credential is
/// not written with every commit; what hangs on the time of the last one is a matter of seconds.
fn is_old_news(credential: &Credential, input: CredentialInput) -> bool {
    const FRESH: Span = Span::from_secs(1);
    let CredentialInput::Accepted { epoch, sent } = input else { return false };
    let Some(token) = credential.token(epoch) else { return true };
    matches!(token.proof, outlast_state::TokenProof::Accepted { sent: last, refusals: 0 }
        if credential.fruitless == 0 && sent.since(last) < FRESH && Offer::Token(token) == credential.offer(Time::ZERO))
}

/// What a queue needs to know of a delivery. `quiet`: how long a request without an answer may still arrive.
pub(crate) fn standing(record: &DeliveryRecord, quiet: Span) -> Standing<'_> {
    let delivery = &record.delivery;
    let lane = record.lane.as_deref();
    let unanswered =
        |input: &Input| matches!(input, Input::Interrupted { .. } | Input::Answered { verdict: Verdict::Unknown, .. });
    let doubt = lane.and_then(|_| record.journal.entries().filter(|entry| unanswered(&entry.input)).last());
    Standing {
        id: delivery.id,
        lane,
        want: delivery.wants(),
        sent: delivery.attempt > outlast_state::Attempt::NONE,
        failed: matches!(delivery.state, State::Failed { .. }),
        doubt: doubt.map(|entry| entry.at.after(quiet)),
    }
}

fn epoch_of(delivery: &Delivery) -> Option<Epoch> {
    match delivery.state {
        State::Sending { epoch, .. } | State::AwaitingPropagation { epoch, .. } => Some(epoch),
        State::Refreshing { rejected } => Some(rejected),
        State::Pending { .. } | State::Done { .. } | State::Failed { .. } => None,
    }
}

impl Settings {
    /// Whom a request speaks to.
    pub(crate) fn spoken_to(&self, shipment: &Shipment) -> Option<SpokenTo> {
        let outlet = self.outlets.get(&shipment.destination)?;
        let profile = shipment.credential.as_ref().and_then(|name| self.profiles.get(name)).cloned();
        Some(SpokenTo { destination: Arc::clone(&outlet.destination), profile })
    }

    /// How long a request to this destination that went unanswered may still arrive.
    pub(crate) fn quiet(&self, destination: &str) -> Span {
        const WITHOUT_PROFILE: Span = Span::from_secs(30);
        let credential = self.outlets.get(destination).and_then(|outlet| outlet.credential.as_ref());
        credential.and_then(|name| self.profiles.get(name)).map_or(WITHOUT_PROFILE, |profile| profile.quiet)
    }
}

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

    fn slot(&mut self, state: &State) -> &mut u64 {
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
