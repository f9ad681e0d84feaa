//! What has ended is kept for a while, and then goes: its record, its event, and its idempotency key. It goes in slices, with
//! the commits of turns: nothing waits for it. What is live is never looked at.

use std::collections::VecDeque;

use outlast_state::{DeliveryId, Span, State, Time};
use tracing::debug;

use super::acts::Turn;
use super::machines::Machines;
use crate::admission::Agenda;
use crate::limits::Retention;
use crate::records::{self, Content, DeliveryRecord};
use crate::store::{Key, Store, StoreError, Table, Writes};

/// What makes room takes no part in a commit that has about so many writes already: it has time.
const ROOM: usize = 12_000;

/// So many ended deliveries are looked at in one turn.
const SLICE: usize = 256;

/// The time between two slices.
const PAUSE: Span = Span::from_millis(10);

/// The longest and the shortest time between two looks at all that has ended.
const PASSES: (Span, Span) = (Span::from_secs(1), Span::from_secs(3600));

/// Where all that are too many are protected by their keys, they are looked at again after this long.
const PATIENCE: Span = Span::from_secs(60);

/// What is known of the deliveries that have ended.
#[derive(Clone, Default)]
pub(crate) struct Ended {
    /// How many lie where only those have a place that have ended.
    pub(crate) kept: u64,
    /// Those that lie among the live ones, because a lane may ask for them, by the time of the next look at them.
    lingering: Agenda,
    /// Bodies of delivered ones that did not find room in their commit.
    bodies: VecDeque<(DeliveryId, Content)>,
    /// How far a look at all of them has come.
    after: Option<DeliveryId>,
    /// Whether that look is for their age, and goes through to the end.
    by_age: bool,
    /// When the next look for their age begins.
    ages: Time,
    /// When the next slice is looked at.
    next: Time,
    /// There are too many, and a look at all of them found none that may go: no other begins before this.
    patience: Time,
}

impl Ended {
    pub(crate) fn new(kept: u64, now: Time) -> Self {
        let ages = now.after(PASSES.0);
        Ended { kept, ages, next: ages, ..Ended::default() }
    }

    /// When there is something to do for it.
    pub(super) fn wake(&self, now: Time) -> Time {
        if self.bodies.is_empty() { self.next } else { now }
    }
}

/// Looks at the next slice of what has ended.
///
/// # Errors
/// The store cannot be read.
pub(super) fn look_on(store: &dyn Store, machines: &mut Machines, turn: &mut Turn) -> Result<(), StoreError> {
    if machines.settings.hold || machines.stopping || !machines.begins_to_look(turn.now) {
        return Ok(());
    }
    let from = machines.ended.after.map(Key::Ended);
    let most = SLICE.saturating_add(1);
    let page = store.scan(Table::Ended, from.as_ref(), most)?;
    let over = page.len() < most;
    for (key, bytes) in page {
        let Key::Ended(id) = key else { continue };
        if from.as_ref() == Some(&key) {
            continue;
        }
        // What does not verify stays: nobody knows what it is (S14).
        let record = records::decode::<DeliveryRecord>(&key, &bytes).ok();
        if let Some(record) = record.filter(|record| machines.may_go(record, turn)) {
            if !let_go(store, &record, &mut turn.writes)? {
                return Ok(());
            }
            machines.ended.kept = machines.ended.kept.saturating_sub(1);
        }
        machines.ended.after = Some(id);
    }
    linger(store, machines, turn)?;
    machines.looked(over, turn.now);
    Ok(())
}

/// Looks at those whose lane may have asked for them.
fn linger(store: &dyn Store, machines: &mut Machines, turn: &mut Turn) -> Result<(), StoreError> {
    for (at, id) in machines.ended.lingering.iter().take(SLICE).collect::<Vec<_>>() {
        if at > turn.now.as_millis() {
            return Ok(());
        }
        let record = records::get::<DeliveryRecord>(store, &Key::Delivery(id))?;
        machines.ended.lingering.remove(at, id);
        let Some(record) = record.ok().flatten().filter(|record| ended_at(record).is_some()) else { continue };
        let failed = matches!(record.delivery.state, State::Failed { .. });
        let untouched = !turn.changed.contains(&id);
        let over = untouched && machines.is_over(&record, turn.now) && (failed || !machines.is_asked_for(&record));
        if over && let_go(store, &record, &mut turn.writes)? {
            turn.writes.delete(Key::Delivery(id));
            machines.forget_failed(&record);
        } else {
            machines.ended.lingering.insert(turn.now.after(PASSES.1).as_millis(), id);
        }
    }
    Ok(())
}

/// Deletes what there is of a delivery that has ended, where the commit has room for it. Says whether it had.
fn let_go(store: &dyn Store, record: &DeliveryRecord, writes: &mut Writes) -> Result<bool, StoreError> {
    let id = record.delivery.id;
    let content = match record.content {
        Some(content) => Some(content),
        // Version 1 noted it with the parcel only.
        None => records::get::<records::ParcelRecord>(store, &Key::Parcel(id))?
            .ok()
            .flatten()
            .map(|parcel| Content { size: parcel.size, digest: parcel.digest }),
    };
    Ok(delete(record, content, writes))
}

fn delete(record: &DeliveryRecord, content: Option<Content>, writes: &mut Writes) -> bool {
    let id = record.delivery.id;
    if writes.len().saturating_add(content.map_or(0, Content::keys)) > ROOM {
        return false;
    }
    if let Some(content) = content {
        content.delete(id, writes);
    }
    if let Some(once) = &record.once {
        writes.delete(records::once_key(&record.destination, record.route.as_deref(), once));
    }
    writes.delete(Key::Ended(id));
    debug!(delivery = %id, "its time is over; it is forgotten");
    true
}

fn ended_at(record: &DeliveryRecord) -> Option<Time> {
    match record.delivery.state {
        State::Done { at, .. } | State::Failed { at, .. } => Some(at),
        _ => None,
    }
}

impl Machines {
    /// Writes a delivery that has just ended where it belongs. One that is not to be kept is gone with this commit.
    pub(super) fn lay_down(&mut self, record: &DeliveryRecord, writes: &mut Writes, now: Time) {
        let id = record.delivery.id;
        if self.is_asked_for(record) {
            record.put_under(Key::Delivery(id), writes);
            self.linger(record);
        } else {
            writes.delete(Key::Delivery(id));
            if self.is_over(record, now) && record.content.is_some() && delete(record, record.content, writes) {
                return;
            }
            record.put_under(Key::Ended(id), writes);
            self.ended.kept = self.ended.kept.saturating_add(1);
            self.note_too_many(now);
        }
        if let Some(content) = record.content.filter(|_| record.let_go_of_body()) {
            self.ended.bodies.push_back((id, content));
        }
    }

    /// Deletes the bodies of what was delivered, as far as the commit has room for them.
    pub(super) fn delete_bodies(&mut self, writes: &mut Writes) {
        while let Some((id, content)) = self.ended.bodies.front()
            && writes.len().saturating_add(content.keys()) <= ROOM
        {
            content.delete(*id, writes);
            self.ended.bodies.pop_front();
        }
    }

    /// A failed delivery is started again: from here on it lies among the live ones. One in a lane has lain there.
    pub(super) fn taken_up(&mut self, record: &DeliveryRecord, turn: &mut Turn) {
        let id = record.delivery.id;
        if turn.ended.remove(&id).is_none() && record.lane.is_none() {
            self.ended.kept = self.ended.kept.saturating_sub(1);
        }
        turn.writes.delete(Key::Ended(id));
    }

    /// Notes that an ended delivery lies among the live ones.
    pub(super) fn linger(&mut self, record: &DeliveryRecord) {
        let Retention { done, failed, .. } = self.settings.retention;
        let (at, kept) = match record.delivery.state {
            State::Done { at, .. } => (at, done),
            State::Failed { at, .. } => (at, failed),
            _ => return,
        };
        // A doubt about it passes soon.
        let soonest = at.after(self.settings.quiet(&record.destination));
        self.ended.lingering.insert(at.after(kept).max(soonest).as_millis(), record.delivery.id);
    }

    /// Whether a lane may ask for an ended delivery.
    fn is_asked_for(&self, record: &DeliveryRecord) -> bool {
        let queue = self.queues.get(record.destination.as_str());
        record.lane.as_deref().is_some_and(|lane| queue.is_some_and(|queue| queue.asks_for_ended(lane)))
    }

    /// A failed delivery is not there any more to be started again.
    fn forget_failed(&mut self, record: &DeliveryRecord) {
        let queue = self.queues.get_mut(record.destination.as_str());
        if let Some((queue, lane)) = queue.zip(record.lane.as_deref()) {
            queue.forget_failed(record.delivery.id, lane);
        }
    }

    /// Whether the time of an ended delivery is over.
    fn is_over(&self, record: &DeliveryRecord, now: Time) -> bool {
        let Retention { done, failed, .. } = self.settings.retention;
        let over = match record.delivery.state {
            State::Done { at, .. } => at.after(done) <= now,
            State::Failed { at, .. } => at.after(failed) <= now,
            _ => false,
        };
        over && !self.is_protected(record, now)
    }

    /// Whether a repeat under its key is still to be recognised.
    fn is_protected(&self, record: &DeliveryRecord, now: Time) -> bool {
        record.once.is_some() && self.is_recognised(record, now)
    }

    /// Whether an ended delivery goes in this turn, which has not touched it: its time is over, or there are too many.
    fn may_go(&self, record: &DeliveryRecord, turn: &Turn) -> bool {
        let id = record.delivery.id;
        let touched = turn.changed.contains(&id) || self.live.contains_key(&id);
        let too_many = self.ended.kept > self.settings.retention.count && ended_at(record).is_some();
        !touched && (self.is_over(record, turn.now) || too_many && !self.is_protected(record, turn.now))
    }

    /// Whether a slice is looked at now.
    fn begins_to_look(&mut self, now: Time) -> bool {
        if self.ended.next > now {
            return false;
        }
        if self.ended.after.is_none() {
            self.ended.by_age = self.ended.ages <= now;
            if self.ended.by_age {
                let Retention { done, failed, .. } = self.settings.retention;
                let shortest = [done, failed].into_iter().filter(|kept| *kept > Span::ZERO).min();
                let pass = shortest.map_or(PASSES.1, |kept| kept.part(8).clamp(PASSES.0, PASSES.1));
                self.ended.ages = now.after(pass);
            }
        }
        true
    }

    /// A slice has been looked at.
    fn looked(&mut self, over: bool, now: Time) {
        let too_many = self.ended.kept > self.settings.retention.count;
        if over || !self.ended.by_age && !too_many {
            if over && too_many {
                self.ended.patience = now.after(PATIENCE);
            }
            self.ended.after = None;
            self.ended.next = self.ended.ages;
            self.note_too_many(now);
        } else {
            self.ended.next = now.after(PAUSE);
        }
    }

    /// Has the next look begin soon where more is kept than should be.
    fn note_too_many(&mut self, now: Time) {
        if self.ended.kept > self.settings.retention.count {
            self.ended.next = self.ended.next.min(now.after(PASSES.0).max(self.ended.patience));
        }
    }
}
