//! What happens, turned into inputs of the machines.

use outlast_state::{
    Attempt, Batch, CredentialInput, CredentialWant, Delivery, DeliveryId, Epoch, Input, Load, Seen, Span, Time,
    Trouble, Verdict, Why, rule,
};
use tracing::{debug, info};

use super::acts::Turn;
use super::conversation::Showing;
use super::machines::{Live, Machines, Name, standing};
use super::sleep::BODIES;
use super::trouble::trouble;
use crate::admission::{Queue, Standing};
use crate::destination::Memo;
use crate::digest::{hex, sha256};
use crate::error::{Error, ErrorKind};
use crate::parcel::Parcel;
use crate::records::{self, Content, DeliveryRecord, OnceRecord};
use crate::taxonomy;
use crate::view::Redrive;

/// How a request ended.
pub(crate) struct Report {
    pub(crate) batch: Batch,
    pub(crate) destination: Name,
    pub(crate) credential: Option<Name>,
    pub(crate) epoch: Epoch,
    pub(crate) sent: Time,
    pub(crate) showing: Showing,
    pub(crate) items: Vec<Told>,
    /// What the destination keeps in mind from here on.
    pub(crate) memos: Vec<Memo>,
}

/// What a report says of one delivery.
pub(crate) struct Told {
    pub(crate) id: DeliveryId,
    pub(crate) attempt: Attempt,
    pub(crate) ending: Ending,
    pub(crate) code: &'static str,
    pub(crate) note: String,
}

/// How an attempt ended.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    /// With an answer, or known without one.
    Verdict(Verdict),
    /// The engine gave the request up because it stops.
    GivenUp,
}

/// There is a turn at least every 30 s. When more than this lies between two, the machine slept or its clock jumped.
const LEAP: Span = Span::from_secs(120);

/// A delivery whose deadline passed while nobody looked is looked at again after this long.
const SECOND_LOOK: Span = Span::from_secs(60);

/// What an answer that lacks a scope says by its status, whatever the provider's own is.
const FORBIDDEN: u16 = 403;

impl Machines {
    /// Accepts a parcel, or says which delivery it already is.
    pub(crate) fn submit(
        &mut self,
        parcel: Parcel,
        known: Option<OnceRecord>,
        turn: &mut Turn,
    ) -> Result<DeliveryId, Error> {
        parcel.check(self.settings.limits.body)?;
        if !self.settings.outlets.contains_key(parcel.destination.as_str()) {
            let names: Vec<&str> = self.settings.outlets.keys().map(|name| &**name).collect();
            let (name, names) = (&parcel.destination, names.join(", "));
            return Err(Error::new(
                ErrorKind::Unknown,
                format!("destination: there is none named {name:?}; configured: {names}"),
            )
            .coded(taxonomy::DESTINATION_UNKNOWN));
        }
        let digest = sha256(&parcel.body);
        if let (Some(known), Some(once)) = (known, &parcel.once) {
            return repeated(once, known, digest);
        }
        if self.live_in_all() >= self.settings.limits.live {
            let limit = self.settings.limits.live;
            return Err(Error::new(
                ErrorKind::Busy,
                format!("{limit} deliveries are live, which is the limit; try again later"),
            ));
        }
        Ok(self.accept(parcel, digest, turn))
    }

    pub(super) fn accept(&mut self, parcel: Parcel, digest: [u8; 32], turn: &mut Turn) -> DeliveryId {
        let now = turn.now;
        let id = self.ids.delivery(now);
        let _accept = tracing::debug_span!("accept", delivery = %id, destination = %parcel.destination).entered();
        let deadline = parcel.deadline(now, self.settings.limits.time_to_live);
        let delivery = Delivery::accepted(id, now, deadline, self.settings.limits.budget);
        records::put_parcel(id, &parcel, digest, &mut turn.writes);
        if let Some(once) = &parcel.once {
            let key = records::once_key(&parcel.destination, parcel.route.as_deref(), once);
            records::put(key, &OnceRecord { id, digest }, &mut turn.writes);
        }
        debug!(delivery = %id, destination = %parcel.destination, bytes = parcel.body.len(), "accepted");
        let mut record = DeliveryRecord::accepted(delivery, parcel.destination, now);
        record.once = parcel.once;
        record.lane = parcel.lane;
        record.route = parcel.route;
        record.batch_key = parcel.batch_key;
        record.content = Some(Content::of(&parcel.body, digest));
        self.counts.moved(None, &delivery);
        if self.is_met_later(record.lane.as_deref()) {
            self.live.insert(id, Live { record, tried: false, bond: None, body: None });
        } else {
            self.adopt(record, now);
            self.keep_body(id, parcel.body);
        }
        turn.changed.insert(id);
        id
    }

    /// Keeps a body for the first attempt, where there is room.
    fn keep_body(&mut self, id: DeliveryId, body: Vec<u8>) {
        let held = self.bodies.saturating_add(body.len());
        if held <= BODIES
            && let Some(live) = self.live.get_mut(&id)
        {
            self.bodies = held;
            live.body = Some(body);
        }
    }

    /// Takes a live delivery into memory: one just accepted, one found in the air, or one started again.
    pub(crate) fn adopt(&mut self, record: DeliveryRecord, now: Time) {
        self.settle(&record, now);
        let id = record.delivery.id;
        self.live.insert(id, Live { record, tried: false, bond: None, body: None });
        self.bind(id);
    }

    /// Notes where a live delivery stands. It may be asleep.
    pub(crate) fn settle(&mut self, record: &DeliveryRecord, now: Time) {
        let name = record.destination.as_str();
        let standing = standing(record, || self.settings.quiet(name));
        self.put(&standing, record.delivery.deadline, name, now);
    }

    /// The same of one that is in no lane.
    pub(crate) fn settle_alone(&mut self, delivery: &Delivery, name: &str, now: Time) {
        let want = delivery.wants();
        let standing = Standing { id: delivery.id, lane: None, want, sent: false, failed: false, doubt: None };
        self.put(&standing, delivery.deadline, name, now);
    }

    fn put(&mut self, standing: &Standing<'_>, deadline: Time, name: &str, now: Time) {
        if !self.queues.contains_key(name) {
            self.queues.insert(Name::from(name), Queue::default());
        }
        if let Some(queue) = self.queues.get_mut(name) {
            queue.place(standing, None, now);
            queue.began(deadline);
            if queue.wants_attention() {
                self.poke(name);
            }
        }
        self.deadlines.insert(deadline.as_millis(), standing.id);
    }

    /// What a delivery that has ended still means for its lane: whether it may be redriven, whether it may still arrive.
    /// Says whether it means anything.
    pub(super) fn remember_lane(&mut self, record: &DeliveryRecord, now: Time) -> bool {
        let Some(lane) = record.lane.as_deref() else { return false };
        let name = record.destination.as_str();
        let standing = standing(record, || self.settings.quiet(name));
        let matters = standing.failed
            || standing.doubt.is_some_and(|until| until > now)
            || self.queues.get(name).is_some_and(|queue| queue.knows(lane));
        if matters {
            self.queues.entry(Name::from(name)).or_default().place(&standing, None, now);
        }
        matters
    }

    /// A request ended.
    pub(crate) fn reported(&mut self, report: Report, turn: &mut Turn) {
        if let Some(queue) = self.queues.get_mut(&report.destination) {
            queue.landed(report.batch);
            self.in_flight = self.in_flight.saturating_sub(1);
            self.poke(&report.destination);
        }
        self.notice(&report.destination, report.sent, report.showing.sign, turn.now);
        self.learn(&report, turn);
        let Report { destination, credential, epoch, sent, batch, items, memos, showing } = report;
        self.keep_in_mind(&destination, memos, turn);
        for told in items {
            if let Some(live) = self.live.get_mut(&told.id) {
                live.record.note(told.code, &told.note);
            }
            let span = tracing::debug_span!("answer", delivery = %told.id, destination = %destination, attempt = told.attempt.count(), epoch = epoch.number(), batch = batch.number());
            let _entered = span.entered();
            match told.ending {
                Ending::Verdict(verdict) => {
                    let lacks = showing.lacks_scope.then_some(credential.as_deref()).flatten();
                    let verdict = self.while_scope_comes(verdict, lacks, epoch, turn.now);
                    self.answered(told.id, told.attempt, verdict, credential.as_deref(), (epoch, sent), turn);
                }
                Ending::GivenUp => self.interrupted(told.id, told.attempt, true, turn),
            }
            self.expire_if_tried(told.id, turn);
        }
    }

    /// A refusal for a scope that a new token lacks, and that the next one may have, is a wait.
    fn while_scope_comes(&self, verdict: Verdict, credential: Option<&str>, epoch: Epoch, now: Time) -> Verdict {
        let keeper = credential.and_then(|name| self.credentials.get(name));
        let wait = keeper.and_then(|keeper| keeper.record.credential.scope_comes_in(epoch, now));
        let for_good = keeper.is_some_and(|keeper| keeper.record.credential.lacks_for_good(epoch));
        // A destination may read such an answer as trouble that passes; here it is known whether it does.
        let about_scope = matches!(verdict, Verdict::Refused { .. } | Verdict::Busy { load: Load::Failing, .. });
        match wait {
            Some(after) if about_scope => Verdict::NotYet { after },
            None if about_scope && for_good => Verdict::Refused { why: Why::Rejected { status: FORBIDDEN } },
            _ => verdict,
        }
    }

    fn answered(
        &mut self,
        id: DeliveryId,
        attempt: Attempt,
        verdict: Verdict,
        credential: Option<&str>,
        (epoch, sent): (Epoch, Time),
        turn: &mut Turn,
    ) {
        let now = turn.now;
        let Some(live) = self.live.get(&id) else { return };
        let known = credential.and_then(|name| self.credentials.get(name)).map(|keeper| keeper.record.credential);
        // Without a credential there is no other token to wait for: the refusal is the destination's own.
        let verdict = match (verdict, known) {
            (Verdict::TokenRefused, None) => Verdict::Refused { why: Why::Rejected { status: 401 } },
            (verdict, _) => verdict,
        };
        let seen = known.map_or(Seen::NONE, |known| known.seen(epoch, sent, now));
        let age = known.and_then(|known| known.token(epoch)).map_or(Span::ZERO, |token| token.age(now));
        let trouble = trouble(verdict, epoch, seen, age, now);
        let choice = self.chosen(&live.record.delivery, trouble, now);
        if verdict == Verdict::TokenRefused {
            let ruling = rule(epoch, seen, now);
            info!(
                delivery = %id, destination = %live.record.destination, attempt = attempt.count(),
                epoch = epoch.number(), ?ruling, age = %age, "the token was refused"
            );
        } else if !matches!(verdict, Verdict::Accepted { .. }) {
            info!(
                delivery = %id, destination = %live.record.destination, attempt = attempt.count(),
                ?verdict, note = %live.record.note, "not delivered"
            );
        }
        self.deliver(id, Input::Answered { attempt, verdict, seen, choice }, turn);
    }

    /// No answer will come to what was in the air.
    pub(crate) fn interrupted(&mut self, id: DeliveryId, attempt: Attempt, clean: bool, turn: &mut Turn) {
        let Some(live) = self.live.get(&id) else { return };
        let choice = self.chosen(&live.record.delivery, Trouble::Unknown, turn.now);
        let destination = &live.record.destination;
        info!(delivery = %id, %destination, attempt = attempt.count(), clean, "interrupted: the request may have arrived");
        self.deliver(id, Input::Interrupted { attempt, clean, choice }, turn);
    }

    /// Stops a live delivery.
    pub(crate) fn cancel(&mut self, id: DeliveryId, turn: &mut Turn) {
        self.deliver(id, Input::Cancelled, turn);
    }

    /// Starts a failed delivery again.
    pub(crate) fn redrive(&mut self, record: DeliveryRecord, redrive: Redrive, turn: &mut Turn) -> Result<(), Error> {
        let (id, delivery) = (record.delivery.id, record.delivery);
        if let Some(lane) = record.lane.as_deref() {
            let overtaken =
                self.queues.get(record.destination.as_str()).is_some_and(|queue| queue.was_overtaken(id, lane));
            if overtaken {
                return Err(Error::caller(format!(
                    "{id}: a later parcel of its lane {lane:?} was sent; submit it anew to append it"
                )));
            }
        }
        if delivery.doubt && !redrive.may_duplicate && !self.is_recognised(&record, turn.now) {
            return Err(Error::caller(format!(
                "{id}: the destination may have it already and no longer recognises a repeat; look there first, then redrive \
                 it with may-duplicate"
            )));
        }
        let limits = self.settings.limits;
        let deadline = turn.now.after(redrive.time_to_live.unwrap_or(limits.time_to_live));
        let destination = record.destination.clone();
        self.taken_up(&record, turn);
        self.adopt(record, turn.now);
        self.put_off(id, &destination, delivery.deadline, deadline);
        self.deliver(id, Input::Redriven { deadline, budget: limits.budget }, turn);
        Ok(())
    }

    /// Whether the provider still recognises a repeat of a delivery that ended in doubt.
    pub(super) fn is_recognised(&self, record: &DeliveryRecord, now: Time) -> bool {
        let profile = self.credential_of(&record.destination).and_then(|name| self.settings.profiles.get(&**name));
        profile.and_then(|profile| profile.dedupe).is_some_and(|window| now < record.accepted.after(window))
    }

    /// Gives up what is past its deadline and had its chance.
    pub(crate) fn expire(&mut self, turn: &mut Turn) {
        if turn.now.since(self.turned) > LEAP {
            info!(leap = %turn.now.since(self.turned), "engine time leapt; what was never tried has its chance first");
            self.opened = turn.now;
        }
        self.turned = turn.now;
        if self.settings.hold {
            return;
        }
        while let Some((at, id)) = self.deadlines.first().filter(|(at, _)| *at <= turn.now.as_millis()) {
            // One that is still asleep is woken in a later turn.
            let Some(live) = self.live.get(&id) else { return };
            if turn.is_full() {
                return;
            }
            self.deadlines.remove(at, id);
            let deadline = live.record.delivery.deadline;
            let (destination, lane) = (&live.record.destination, live.record.lane.as_deref());
            let chance = live.tried
                || deadline > self.opened
                || self.is_parked(destination)
                || self.is_cut_off(destination)
                || self.is_paused(destination, lane).is_some();
            if deadline > turn.now {
                self.deadlines.insert(deadline.as_millis(), id);
            } else if chance {
                self.deliver(id, Input::DeadlinePassed, turn);
            } else {
                self.deadlines.insert(turn.now.after(SECOND_LOOK).as_millis(), id);
            }
        }
    }

    /// A delivery that was in the air when its deadline came, and was not delivered, has had its chance.
    fn expire_if_tried(&mut self, id: DeliveryId, turn: &mut Turn) {
        let past = self.live.get(&id).is_some_and(|live| live.record.delivery.deadline <= turn.now);
        if past {
            self.deliver(id, Input::DeadlinePassed, turn);
        }
    }

    /// Recovery: a token request that was out when the store was last open has no answer any more.
    pub(crate) fn recover(&mut self, clean: bool, turn: &mut Turn) {
        let refreshing: Vec<String> = self
            .credentials
            .iter()
            .filter(|(_, keeper)| matches!(keeper.record.credential.wants(), CredentialWant::Renewal { .. }))
            .map(|(name, _)| name.clone())
            .collect();
        for name in refreshing.iter().filter(|_| !clean) {
            self.credential(name, CredentialInput::Interrupted, turn);
        }
    }
}

fn repeated(once: &str, known: OnceRecord, digest: [u8; 32]) -> Result<DeliveryId, Error> {
    if known.digest == digest {
        return Ok(known.id);
    }
    let (before, now) = (hex(known.digest.get(..6).unwrap_or_default()), hex(digest.get(..6).unwrap_or_default()));
    let id = known.id;
    Err(Error::new(
        ErrorKind::Conflict,
        format!(
            "once: the key {once:?} belongs to delivery {id}, whose body (SHA-256 {before}…) differs from this one \
             (SHA-256 {now}…); use another key for another body"
        ),
    ))
}
