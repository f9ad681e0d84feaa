//! The live deliveries of one destination, in the order in which they may be admitted, and its lanes. They may all be
//! asleep: what stands here is names and numbers.

use std::collections::{BTreeMap, BTreeSet};

use outlast_state::{Batch, Circuit, DeliveryId, Epoch, Time, Want};

use super::agenda::Agenda;
use super::horizon::Horizon;
use super::release::{Lot, Mark, Pace};
use crate::records::DeliveryRecord;

/// The live deliveries of one destination that may be admitted, in the order in which they may.
#[derive(Clone, Default)]
pub(crate) struct Queue {
    /// Waiting for a time. Of a lane only its head is here.
    due: Agenda,
    /// Waiting for a token beyond this one. Of a lane only its head is here.
    tokens: Agenda,
    pub(super) lanes: BTreeMap<String, Lane>,
    /// Lanes that an operator paused: their heads do not stand here.
    held: BTreeSet<String>,
    /// Lanes that only a doubt keeps, and until when.
    resting: BTreeSet<(Time, String)>,
    /// Whether its destination is worth asking.
    pub(crate) circuit: Circuit,
    /// When its credential came back from the dead: what stood in it then is the backlog.
    mark: Mark,
    /// Whose turn it is, the backlog's or what came since.
    pub(super) pace: Pace,
    /// Requests in the air.
    pub(crate) in_flight: u32,
    /// Deliveries that have not ended.
    pub(crate) live: u64,
    /// When they are given up.
    horizon: Horizon,
    /// When it is looked at again without anything happening.
    pub(super) wakes: Option<Time>,
    /// Something happened to it since it was last looked at.
    pub(super) poked: bool,
}

/// Where a delivery stands in its queue: what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Due(Time),
    Token(Epoch),
}

impl Place {
    /// Where a delivery with this want stands, if anywhere.
    pub(crate) fn of(want: Want) -> Option<Place> {
        match want {
            Want::Admission { from } => Some(Place::Due(from)),
            Want::Token { past } => Some(Place::Token(past)),
            Want::Answer { .. } | Want::Nothing => None,
        }
    }
}

/// What a queue is told of one delivery.
pub(crate) struct Standing<'a> {
    pub(crate) id: DeliveryId,
    pub(crate) lane: Option<&'a str>,
    pub(crate) want: Want,
    /// Whether any request was made for it.
    pub(crate) sent: bool,
    /// Whether it was given up, and so may be started again.
    pub(crate) failed: bool,
    /// Until when a request of it that went unanswered may still arrive.
    pub(crate) doubt: Option<Time>,
}

#[derive(Clone, Default)]
pub(super) struct Lane {
    /// The parcels that have not ended, in order of acceptance, with where each wants to stand.
    waiting: BTreeMap<DeliveryId, Option<Place>>,
    /// Which of them stands in the queue, and where.
    stands: Option<(DeliveryId, Place)>,
    /// A parcel that may still arrive, and until when: others are not admitted before.
    doubt: Option<(DeliveryId, Time)>,
    /// The newest parcel of the lane that was ever sent. Kept while a parcel before it might be redriven.
    sent: Option<DeliveryId>,
    /// Its parcels that were given up.
    failed: BTreeSet<DeliveryId>,
}

impl Lane {
    fn note(&mut self, standing: &Standing<'_>, now: Time) {
        let id = standing.id;
        if standing.want == Want::Nothing {
            self.waiting.remove(&id);
        } else {
            self.waiting.insert(id, Place::of(standing.want));
        }
        if standing.failed {
            self.failed.insert(id);
        } else {
            self.failed.remove(&id);
        }
        if standing.sent {
            self.sent = self.sent.max(Some(id));
        }
        if let Some(until) = standing.doubt.filter(|until| *until > now) {
            self.doubt = Some((id, until));
        }
        self.doubt = self.doubt.filter(|(_, until)| *until > now);
    }

    /// The parcel whose turn it is, and where it stands: behind a doubt about another one.
    fn head(&self) -> Option<(DeliveryId, Place)> {
        let (id, place) = self.waiting.first_key_value()?;
        let quiet = self.doubt.filter(|(doubtful, _)| doubtful != id).map_or(Time::ZERO, |(_, until)| until);
        let place = match (*place)? {
            Place::Due(at) => Place::Due(at.max(quiet)),
            Place::Token(past) => Place::Token(past),
        };
        Some((*id, place))
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.failed.is_empty()
    }
}

impl Queue {
    /// One more has not ended.
    pub(crate) fn began(&mut self, deadline: Time) {
        self.live = self.live.saturating_add(1);
        self.horizon.join(deadline);
    }

    /// One has ended.
    pub(crate) fn ended(&mut self, deadline: Time) {
        self.live = self.live.saturating_sub(1);
        self.horizon.leave(deadline);
    }

    /// One that has not ended is given up at another time.
    pub(crate) fn put_off(&mut self, from: Time, to: Time) {
        self.horizon.leave(from);
        self.horizon.join(to);
    }

    /// How many that have not ended outlast `at`, counted by the hour.
    pub(crate) fn live_beyond(&self, at: Time) -> u64 {
        self.horizon.beyond(at)
    }

    /// Puts a delivery where its want says, or takes it out. `stood`: where one without a lane stood until now.
    pub(crate) fn place(&mut self, standing: &Standing<'_>, stood: Option<Place>, now: Time) {
        match standing.lane {
            None => {
                let stands = Place::of(standing.want);
                if stood != stands {
                    self.leave(standing.id, stood);
                    self.stand(standing.id, stands);
                }
            }
            Some(lane) => self.place_in_lane(lane, standing, now),
        }
    }

    fn place_in_lane(&mut self, name: &str, standing: &Standing<'_>, now: Time) {
        self.drop_rested(now);
        let lane = match self.lanes.get_mut(name) {
            Some(lane) => lane,
            None => self.lanes.entry(name.to_owned()).or_default(),
        };
        lane.note(standing, now);
        let rest = lane.is_idle().then_some(lane.doubt);
        self.put_head(name);
        match rest {
            Some(None) => drop(self.lanes.remove(name)),
            Some(Some((_, until))) => drop(self.resting.insert((until, name.to_owned()))),
            None => {}
        }
    }

    /// Puts the parcel whose turn it is in a lane where it wants to stand, in place of the one that stood there.
    fn put_head(&mut self, name: &str) {
        let held = self.held.contains(name);
        let Some(lane) = self.lanes.get_mut(name) else { return };
        let next = if held { None } else { lane.head() };
        let stood = std::mem::replace(&mut lane.stands, next);
        if stood != next {
            if let Some((id, place)) = stood {
                self.leave(id, Some(place));
            }
            if let Some((id, place)) = next {
                self.stand(id, Some(place));
            }
        }
    }

    /// Forgets lanes on which nothing depends any more.
    fn drop_rested(&mut self, now: Time) {
        while let Some((until, _)) = self.resting.first()
            && *until <= now
            && let Some((_, name)) = self.resting.pop_first()
        {
            let idle = self
                .lanes
                .get(&name)
                .is_some_and(|lane| lane.is_idle() && lane.doubt.is_none_or(|(_, until)| until <= now));
            if idle {
                self.lanes.remove(&name);
            }
        }
    }

    /// Stops a lane before a parcel whose record does not verify: whether it was sent, nobody knows (S14).
    pub(crate) fn block(&mut self, id: DeliveryId, lane: &str) {
        self.lanes.entry(lane.to_owned()).or_default().waiting.insert(id, None);
        self.put_head(lane);
    }

    /// The record of a delivery that stands here does not verify any more: it is not met again, and its lane stops (S14).
    pub(crate) fn give_up_on(&mut self, id: DeliveryId, stood: Place) {
        let lane = self.lanes.iter().find(|(_, lane)| lane.stands.is_some_and(|(head, _)| head == id));
        match lane.map(|(name, _)| name.clone()) {
            Some(name) => self.block(id, &name),
            None => self.leave(id, Some(stood)),
        }
    }

    /// Takes the head of a lane out of the queue while an operator's pause lasts, or puts it back.
    pub(crate) fn hold_lane(&mut self, lane: &str, hold: bool) {
        if hold {
            self.held.insert(lane.to_owned());
        } else {
            self.held.remove(lane);
        }
        self.put_head(lane);
    }

    /// Whether an ended parcel of the lane may be asked for: one that failed may be started again, and then it counts whether
    /// a later one was sent; one may still arrive.
    pub(crate) fn asks_for_ended(&self, lane: &str) -> bool {
        self.lanes.get(lane).is_some_and(|lane| !lane.failed.is_empty() || lane.doubt.is_some())
    }

    /// A failed parcel is gone, and will not be started again.
    pub(crate) fn forget_failed(&mut self, id: DeliveryId, lane: &str) {
        let Some(known) = self.lanes.get_mut(lane) else { return };
        known.failed.remove(&id);
        if known.is_idle() && known.doubt.is_none() {
            self.lanes.remove(lane);
        }
    }

    /// Whether anything depends on this lane.
    pub(crate) fn knows(&self, lane: &str) -> bool {
        self.lanes.contains_key(lane)
    }

    /// How many parcels of the lane have not ended.
    pub(crate) fn waiting_in(&self, lane: &str) -> usize {
        self.lanes.get(lane).map_or(0, |lane| lane.waiting.len())
    }

    fn stand(&mut self, id: DeliveryId, place: Option<Place>) {
        let Some(place) = place else { return };
        let new = match place {
            Place::Due(at) => self.due.insert(at.as_millis(), id),
            Place::Token(past) => self.tokens.insert(past.number().into(), id),
        };
        if new && self.mark.lot(place) == Lot::Backlog {
            self.pace.waiting = self.pace.waiting.saturating_add(1);
        }
    }

    fn leave(&mut self, id: DeliveryId, place: Option<Place>) {
        let Some(place) = place else { return };
        let there = match place {
            Place::Due(at) => self.due.remove(at.as_millis(), id),
            Place::Token(past) => self.tokens.remove(past.number().into(), id),
        };
        if there && self.mark.lot(place) == Lot::Backlog {
            self.pace.waiting = self.pace.waiting.saturating_sub(1);
        }
    }

    /// Its credential came back: what stands in it is the backlog. Says how many that are.
    pub(crate) fn release(&mut self, mark: Mark) -> usize {
        let (due, tokens) = (self.due.below(mark.since.as_millis()), self.tokens.below(mark.epoch.number().into()));
        self.mark = mark;
        self.pace.waiting = due.saturating_add(tokens);
        self.pace.waiting
    }

    /// How many of the backlog stand in it, where a delivery that stands there belongs to it.
    pub(crate) fn backlog_around(&self, place: Place) -> Option<usize> {
        (self.mark.lot(place) == Lot::Backlog).then_some(self.pace.waiting)
    }

    /// A request ended.
    pub(crate) fn landed(&mut self, batch: Batch) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.pace.lands(batch);
    }

    /// Where a delivery of it stands: of a lane only the head does.
    pub(crate) fn stands(&self, record: &DeliveryRecord) -> Option<Place> {
        match record.lane.as_deref() {
            None => Place::of(record.delivery.wants()),
            Some(lane) => {
                let (head, place) = self.lanes.get(lane)?.stands?;
                (head == record.delivery.id).then_some(place)
            }
        }
    }

    /// Whether a parcel of the lane that was accepted after `id` was sent already.
    pub(crate) fn was_overtaken(&self, id: DeliveryId, lane: &str) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.sent > Some(id))
    }

    /// The parcel that stands before `id` in its lane.
    pub(crate) fn head_before(&self, id: DeliveryId, lane: &str) -> Option<DeliveryId> {
        let head = *self.lanes.get(lane)?.waiting.first_key_value()?.0;
        (head < id).then_some(head)
    }

    /// Those of a lot that may be admitted with the token of `serving` at `now`, the ones that waited for a token first,
    /// each with its place.
    pub(super) fn ready(&self, lot: Lot, serving: Epoch, now: Time) -> impl Iterator<Item = (DeliveryId, Place)> {
        let (serving, now) = (u64::from(serving.number()), now.as_millis().saturating_add(1));
        let (epoch, since) = (u64::from(self.mark.epoch.number()), self.mark.since.as_millis());
        let (tokens, due) = match lot {
            Lot::Backlog => ((0, epoch.min(serving)), (0, since.min(now))),
            Lot::Live => ((epoch, serving), (since, now)),
        };
        let tokens = self.tokens.from(tokens.0).take_while(move |(past, _)| *past < tokens.1);
        let released = tokens.map(|(past, id)| (id, Place::Token(epoch_of(past))));
        let due = self.due.from(due.0).take_while(move |(at, _)| *at < due.1);
        released.chain(due.map(|(at, id)| (id, Place::Due(Time::from_millis(at)))))
    }

    /// From when on it may hold something to send; `None` when it holds nothing.
    pub(super) fn earliest(&self) -> Option<Time> {
        let token = self.tokens.first().map(|_| Time::ZERO);
        token.or_else(|| self.due.first().map(|(at, _)| Time::from_millis(at)))
    }

    /// Whether admission should look at it: it holds something, and does not know of it yet.
    pub(crate) fn wants_attention(&self) -> bool {
        !self.poked && self.earliest().is_some()
    }

    /// Whether something in it waits for a later token.
    pub(super) fn awaits_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    pub(super) fn next_after(&self, now: Time) -> Option<Time> {
        self.due.next_beyond(now.as_millis()).map(Time::from_millis)
    }

    /// How many deliveries stand in the part of it that one at `place` belongs to.
    pub(crate) fn length_around(&self, place: Place) -> usize {
        let all = self.due.len().saturating_add(self.tokens.len());
        self.backlog_around(place).unwrap_or_else(|| all.saturating_sub(self.pace.waiting))
    }
}

fn epoch_of(number: u64) -> Epoch {
    Epoch::from_number(u32::try_from(number).unwrap_or(u32::MAX))
}
