//! All machines of a store, in memory, and what one turn makes of them. Pure: time, ids and answers come in as values, and
//! what is to be written and done comes out.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use outlast_state::{
    Choice, Credential, CredentialInput, CredentialWant, Delivery, DeliveryId, Epoch, Gate, Input, KEPT, Learned, Need,
    Offer, Policy, Span, Standard, State, Time, Token, Trouble, Verdict, Want,
};
use tracing::{debug, error, info, warn};

use super::acts::{Act, Inspection, Known, News, Renewal, Turn};
use super::alerts::Alarms;
use super::bonds::{Bond, Bonds};
use super::grants::drop_tokens;
use super::ids::{ById, Ids};
use super::reading::Reading;
use super::retention::Ended;
use super::settings::Settings;
use super::shown::{Kept, outcome, summary};
use crate::admission::{Agenda, Attention, Mark, Place, Queue, Standing};
use crate::records::{self, ClockRecord, CountsRecord, CredentialRecord, DeliveryRecord};
use crate::store::Key;
use crate::store::keys::Meta;
use crate::view::{Counts, Scope};

/// Neither a destination nor a policy makes a delivery wait longer than this at a time: what asks for more has its units
/// wrong, and a delivery that nobody looks at again is lost.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(24 * 3600);

/// The name of a destination or of a credential, as many hold it.
pub(crate) type Name = Arc<str>;

/// Everything that the driver owns.
#[derive(Clone)]
pub(crate) struct Machines {
    pub(crate) settings: Settings,
    /// The live deliveries that are awake; of the others only their places and deadlines are known.
    pub(crate) live: ById<Live>,
    pub(crate) credentials: BTreeMap<String, Keeper>,
    pub(crate) queues: BTreeMap<Name, Queue>,
    pub(crate) attention: Attention,
    /// Credentials that want a token request, by its time.
    pub(crate) renewals: BTreeSet<(Time, String)>,
    pub(crate) pauses: BTreeMap<Scope, Time>,
    pub(crate) deadlines: Agenda,
    pub(crate) counts: Counts,
    /// What the store says the counts are.
    pub(crate) counted: Option<CountsRecord>,
    /// How many requests are in the air, those to token endpoints included.
    pub(crate) in_flight: u64,
    /// How many bytes of bodies are kept for the first attempt.
    pub(crate) bodies: usize,
    pub(crate) ids: Ids,
    /// When the store was opened, or engine time last leapt: a deadline that passed before gives its delivery one chance.
    pub(crate) opened: Time,
    /// When the store was opened.
    pub(crate) began: Time,
    /// When the last turn was.
    pub(crate) turned: Time,
    /// What was live when the store was opened and has not been met yet.
    pub(crate) reading: Option<Reading>,
    /// What destinations keep in mind.
    pub(crate) memory: BTreeMap<Name, Arc<Known>>,
    /// What the tokens of each provider taught, by the names of profiles.
    pub(crate) learned: BTreeMap<String, Learned>,
    /// Batches that may have arrived, and their members by their places: they are sent again as they were.
    pub(crate) bonds: Bonds,
    /// What is known of those that have ended.
    pub(crate) ended: Ended,
    /// What operators were told, and are to be told.
    pub(crate) alerts: Alarms,
    /// Deliveries that somebody watches.
    pub(crate) watched: HashSet<DeliveryId>,
    /// Set when the engine stops: nothing new leaves.
    pub(crate) stopping: bool,
    /// Which rows of the tables were walked.
    #[cfg(feature = "verify")]
    pub(crate) marks: crate::driver::marks::Marks,
}

/// A delivery that has not ended, awake.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) record: DeliveryRecord,
    /// Whether it was admitted since the store was opened.
    pub(crate) tried: bool,
    /// The batch that it is sent again with.
    pub(crate) bond: Option<Bond>,
    /// Its body, from acceptance to the first attempt, where there is room for it: then it need not be read again.
    pub(crate) body: Option<Vec<u8>>,
}

/// A credential, its gate, and whether its token request is in the air.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) record: CredentialRecord,
    pub(crate) gate: Option<Gate>,
    /// The gate of the token that is to serve next.
    pub(crate) trial: Option<Gate>,
    /// Whether its token request, or a question about its token, is in the air.
    pub(crate) calling: bool,
    /// The queue that last sent with it.
    pub(crate) served: Option<Name>,
    /// Queues that hold something which it keeps from leaving.
    pub(crate) blocked: BTreeSet<Name>,
    /// When it wants a token request or a question, as `renewals` has it.
    pub(crate) renews: Option<Time>,
    /// Its stored record does not verify, and is not written over until a human authorises it again.
    pub(crate) quarantined: bool,
}

impl Keeper {
    pub(crate) fn new(record: CredentialRecord, quarantined: bool) -> Self {
        let (gate, trial, served, blocked, renews) = (None, None, None, BTreeSet::new(), None);
        Keeper { record, gate, trial, calling: false, served, blocked, renews, quarantined }
    }

    /// The gate of the token that serves: the one at hand, or that of its trial, or a fresh one. Where only its issuer still
    /// stands by it, one canary per settle window is let through.
    pub(crate) fn gate_of(&self, token: &Token, young: Span) -> Gate {
        let credential = &self.record.credential;
        let of_it = |gate: &Gate| gate.epoch() == token.epoch;
        let known = self.gate.filter(of_it).or_else(|| self.trial.filter(of_it).map(Gate::at_its_own_pace));
        let gate = known.unwrap_or_else(|| Gate::of(token).young_until(young));
        match (credential.is_questioned(), gate.is_paced()) {
            (true, false) => gate.paced(credential.terms.settle),
            (false, true) => gate.at_its_own_pace(),
            _ => gate,
        }
    }
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
            let summary = summary(&live.record, self.kept(&live.record.destination));
            turn.told.push((id, News { summary, outcome: outcome(&live.record).ok() }));
        }
        self.bind(id);
        self.replace(id, &before, turn);
        turn.changed.insert(id);
        Some(after)
    }

    /// Puts a delivery where its wants say that it belongs, and asks its credential for what it wants of it.
    fn replace(&mut self, id: DeliveryId, before: &Delivery, turn: &mut Turn) {
        let Some(live) = self.live.get(&id) else { return };
        let delivery = live.record.delivery;
        let wanted = delivery.wants();
        let name = live.record.destination.as_str();
        if let Some(queue) = self.queues.get_mut(name) {
            let standing = standing(&live.record, || self.settings.quiet(name));
            queue.place(&standing, Place::of(before.wants()), turn.now);
            if queue.wants_attention() {
                let name = live.record.destination.clone();
                self.poke(&name);
            }
        }
        let Some(live) = self.live.get(&id) else { return };
        match wanted {
            Want::Token { past } => {
                if let Some(name) = self.credential_of(&live.record.destination).cloned() {
                    self.credential(&name, CredentialInput::Needed { past, why: Need::Refused }, turn);
                }
            }
            Want::Nothing => {
                self.deadlines.remove(delivery.deadline.as_millis(), id);
                if let Some(live) = self.forget(id) {
                    if let Some(queue) = self.queues.get_mut(live.record.destination.as_str()) {
                        queue.ended(delivery.deadline);
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
        drop_tokens(name, &before, &after, turn);
        turn.dirty_credentials.insert(name.to_owned());
        self.schedule_renewal(name);
        self.poke_blocked(name);
        if let Some(mark) = Mark::between(&before, &after, turn.now) {
            self.release(name, mark);
        }
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
    pub(crate) fn credential_of(&self, destination: &str) -> Option<&Name> {
        self.settings.outlets.get(destination)?.credential.as_ref()
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
        let keeper = self.credential_of(destination).and_then(|name| self.credentials.get(&**name));
        keeper.is_some_and(|keeper| keeper.record.credential.wants() == CredentialWant::Authorisation)
    }

    /// What keeps the deliveries to a destination.
    pub(super) fn kept(&self, destination: &str) -> Kept {
        Kept { parked: self.is_parked(destination), cut_off: self.is_cut_off(destination) }
    }

    /// Whether an operator paused what a delivery to this destination, in this lane, needs.
    pub(crate) fn is_paused(&self, destination: &str, lane: Option<&str>) -> Option<Scope> {
        if self.pauses.is_empty() {
            return None;
        }
        let lane = lane.map(|lane| Scope::Lane { destination: destination.to_owned(), lane: lane.to_owned() });
        let credential = self.credential_of(destination).map(|name| Scope::Credential(name.to_string()));
        let scopes = [Some(Scope::Destination(destination.to_owned())), credential, lane];
        scopes.into_iter().flatten().find(|scope| self.pauses.contains_key(scope))
    }

    /// Notes when a credential wants a token request.
    pub(crate) fn schedule_renewal(&mut self, name: &str) {
        let Some(keeper) = self.credentials.get_mut(name) else { return };
        let renews = match keeper.record.credential.wants() {
            _ if keeper.calling => None,
            CredentialWant::Renewal { not_before: at, .. } | CredentialWant::Planned { at } => Some(at),
            CredentialWant::Introspection { .. } => Some(Time::ZERO),
            CredentialWant::Nothing | CredentialWant::Authorisation => None,
        };
        if renews != keeper.renews {
            if let Some(before) = std::mem::replace(&mut keeper.renews, renews) {
                self.renewals.remove(&(before, name.to_owned()));
            }
            self.renewals.extend(renews.map(|at| (at, name.to_owned())));
        }
    }

    /// Turns token requests that are due into acts.
    pub(crate) fn renew(&mut self, turn: &mut Turn) {
        if self.settings.hold || self.stopping {
            return;
        }
        while let Some((at, _)) = self.renewals.first()
            && *at <= turn.now
            && let Some((_, name)) = self.renewals.pop_first()
        {
            let Some(keeper) = self.credentials.get_mut(&name) else { continue };
            keeper.renews = None;
            let act = match keeper.record.credential.wants() {
                CredentialWant::Renewal { from, tries, .. } => {
                    Act::Renew(Renewal { credential: name.clone(), from, tries })
                }
                CredentialWant::Introspection { epoch } => Act::Inspect(Inspection { credential: name.clone(), epoch }),
                CredentialWant::Planned { .. } => {
                    // That wants a token request, which is seen to at once.
                    self.credential(&name, CredentialInput::RefreshDue, turn);
                    continue;
                }
                CredentialWant::Nothing | CredentialWant::Authorisation => continue,
            };
            keeper.calling = true;
            self.in_flight = self.in_flight.saturating_add(1);
            turn.acts.push(act);
        }
    }

    /// Ends the turn: writes what changed. Store before you act.
    pub(crate) fn close(&mut self, mut turn: Turn, clean: bool) -> Turn {
        for id in std::mem::take(&mut turn.changed) {
            if let Some(live) = self.live.get(&id) {
                live.record.put(&mut turn.writes);
                self.let_sleep(id, turn.now);
            } else if let Some(record) = turn.ended.get(&id) {
                self.lay_down(record, &mut turn.writes, turn.now);
            }
        }
        self.delete_bodies(&mut turn.writes);
        for name in &turn.dirty_credentials {
            if let Some(keeper) = self.credentials.get(name).filter(|keeper| !keeper.quarantined) {
                keeper.record.put(name, &mut turn.writes);
            }
        }
        let counted = CountsRecord::of(&self.counts, self.ids.last(), self.ended.kept);
        if self.counted != Some(counted) {
            records::put(Key::Meta(Meta::Counts), &counted, &mut turn.writes);
            self.counted = Some(counted);
        }
        // What was in the air at a crash and has not been met was not given up by this stop.
        let clean = clean && self.reading.is_none();
        if !turn.writes.is_empty() || clean {
            records::put(Key::Meta(Meta::Clock), &ClockRecord { now: turn.now, clean }, &mut turn.writes);
        }
        if !self.settings.hold {
            let deadline = self.deadlines.first().map(|(at, _)| Time::from_millis(at));
            let renewal = self.renewals.first().map(|(at, _)| *at);
            let ended = Some(self.ended.wake(turn.now));
            let waiting = [self.attention.next(turn.now), renewal, ended].into_iter().flatten();
            for at in waiting.filter(|_| !self.stopping).chain(deadline) {
                turn.wake_at(at);
            }
        }
        turn
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
pub(crate) fn standing(record: &DeliveryRecord, quiet: impl FnOnce() -> Span) -> Standing<'_> {
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
        doubt: doubt.map(|entry| entry.at.after(quiet())),
    }
}

fn epoch_of(delivery: &Delivery) -> Option<Epoch> {
    match delivery.state {
        State::Sending { epoch, .. } | State::AwaitingPropagation { epoch, .. } => Some(epoch),
        State::Refreshing { rejected } => Some(rejected),
        State::Pending { .. } | State::Done { .. } | State::Failed { .. } => None,
    }
}
