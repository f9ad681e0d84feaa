//! Admission: which deliveries may leave now, and with which token. Every condition is tested without effect; then all
//! permits are taken in one step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use outlast_state::{DeliveryId, Epoch, Gate, Input, Room, Time, Token, Want};
use tracing::debug;

use crate::driver::acts::{Act, Shipment, Turn};
use crate::driver::machines::Machines;
use crate::view::Scope;

/// The live deliveries of one destination that may be admitted, in the order in which they may.
#[derive(Clone, Default)]
pub(crate) struct Queue {
    /// Waiting for a time. Of a lane only its head is here.
    due: BTreeSet<(Time, DeliveryId)>,
    /// Waiting for a token beyond this one. Of a lane only its head is here.
    tokens: BTreeSet<(Epoch, DeliveryId)>,
    /// Where each of those stands, so that it can be taken out.
    places: BTreeMap<DeliveryId, Place>,
    lanes: BTreeMap<String, Lane>,
    /// Lanes that only a doubt keeps, and until when.
    resting: BTreeSet<(Time, String)>,
    /// Requests in the air.
    pub(crate) in_flight: u32,
    /// Deliveries that have not ended.
    pub(crate) live: u64,
}

#[derive(Clone, Copy)]
enum Place {
    Due(Time),
    Token(Epoch),
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
struct Lane {
    /// The parcels that have not ended, in order of acceptance, with where each wants to stand.
    waiting: BTreeMap<DeliveryId, Option<Place>>,
    /// A parcel that may still arrive, and until when: others are not admitted before.
    doubt: Option<(DeliveryId, Time)>,
    /// The newest parcel of the lane that was ever sent. Kept while a parcel before it might be redriven.
    sent: Option<DeliveryId>,
    /// Its parcels that were given up.
    failed: BTreeSet<DeliveryId>,
}

/// What keeps a queue from admitting.
enum Blocked {
    /// Nothing that may be admitted before this time.
    Until(Time),
    /// Something that ends with an input: a permit, a token, an operator.
    ByEvent,
}

impl Lane {
    fn note(&mut self, standing: &Standing<'_>, place: Option<Place>, now: Time) {
        let id = standing.id;
        if standing.want == Want::Nothing {
            self.waiting.remove(&id);
        } else {
            self.waiting.insert(id, place);
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
    fn head(&self) -> Option<(DeliveryId, Option<Place>)> {
        let (id, place) = self.waiting.first_key_value()?;
        let quiet = self.doubt.filter(|(doubtful, _)| doubtful != id).map_or(Time::ZERO, |(_, until)| until);
        let place = place.map(|place| match place {
            Place::Due(at) => Place::Due(at.max(quiet)),
            Place::Token(past) => Place::Token(past),
        });
        Some((*id, place))
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.failed.is_empty()
    }
}

impl Queue {
    /// Puts a delivery where its want says, or takes it out.
    pub(crate) fn place(&mut self, standing: &Standing<'_>, now: Time) {
        let place = match standing.want {
            Want::Admission { from } => Some(Place::Due(from)),
            Want::Token { past } => Some(Place::Token(past)),
            Want::Answer { .. } | Want::Nothing => None,
        };
        match standing.lane {
            None => self.stand(standing.id, place),
            Some(lane) => self.place_in_lane(lane, standing, place, now),
        }
    }

    fn place_in_lane(&mut self, name: &str, standing: &Standing<'_>, place: Option<Place>, now: Time) {
        self.drop_rested(now);
        let lane = self.lanes.entry(name.to_owned()).or_default();
        lane.note(standing, place, now);
        let head = lane.head();
        let second = lane.waiting.keys().nth(1).copied();
        let rest = lane.is_idle().then_some(lane.doubt);
        match rest {
            Some(None) => drop(self.lanes.remove(name)),
            Some(Some((_, until))) => drop(self.resting.insert((until, name.to_owned()))),
            None => {}
        }
        self.stand(standing.id, None);
        // A head that stood there gives way to an older one that was redriven.
        if let Some(second) = second {
            self.stand(second, None);
        }
        if let Some((head, place)) = head {
            self.stand(head, place);
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
        let lane = self.lanes.entry(lane.to_owned()).or_default();
        lane.waiting.insert(id, None);
        let second = lane.waiting.keys().nth(1).copied();
        if let Some(second) = second {
            self.stand(second, None);
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
        match self.places.remove(&id) {
            Some(Place::Due(at)) => self.due.remove(&(at, id)),
            Some(Place::Token(past)) => self.tokens.remove(&(past, id)),
            None => false,
        };
        match place {
            Some(Place::Due(at)) => self.due.insert((at, id)),
            Some(Place::Token(past)) => self.tokens.insert((past, id)),
            None => return,
        };
        if let Some(place) = place {
            self.places.insert(id, place);
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

    /// The newest token that any of its deliveries is known to need a successor of.
    pub(crate) fn newest_rejected(&self) -> Option<Epoch> {
        self.tokens.last().map(|(past, _)| *past)
    }

    /// Those that may be admitted with the token of `serving` at `now`, the ones that waited for a token first.
    fn ready(&self, serving: Epoch, now: Time) -> impl Iterator<Item = DeliveryId> {
        let released = self.tokens.range(..(serving, DeliveryId::default())).map(|(_, id)| *id);
        let due = self.due.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| *id);
        released.chain(due)
    }

    /// From when on it may hold something to send; `None` when it holds nothing.
    fn earliest(&self) -> Option<Time> {
        let token = self.tokens.first().map(|_| Time::ZERO);
        token.or_else(|| self.due.first().map(|(at, _)| *at))
    }

    fn next_after(&self, now: Time) -> Option<Time> {
        let last = (now, DeliveryId::from_u128(u128::MAX));
        self.due.range((Bound::Excluded(last), Bound::Unbounded)).next().map(|(at, _)| *at)
    }
}

impl Machines {
    /// Admits whatever may leave, one request for each queue in turn, until nothing more may.
    pub(crate) fn admit(&mut self, turn: &mut Turn) {
        if self.settings.hold || self.stopping {
            return;
        }
        let mut names = self.round(turn);
        while !names.is_empty() {
            names.retain(|name| {
                if turn.is_full() {
                    turn.wake_at(turn.now);
                    return false;
                }
                match self.admit_one(name, turn) {
                    Ok(()) => return true,
                    Err(Blocked::Until(at)) => turn.wake_at(at),
                    Err(Blocked::ByEvent) => {}
                }
                false
            });
        }
    }

    /// The queues that hold something, in such an order that of those that share a credential the one after the last that
    /// sent comes first: where there is room for one request, each of them has it in turn (L4).
    fn round(&self, turn: &mut Turn) -> Vec<String> {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for (name, queue) in &self.queues {
            match queue.earliest() {
                None => {}
                Some(at) if at > turn.now => turn.wake_at(at),
                Some(_) if self.has_its_turn(name) => first.push(name.clone()),
                Some(_) => later.push(name.clone()),
            }
        }
        first.append(&mut later);
        first
    }

    fn has_its_turn(&self, name: &String) -> bool {
        let keeper = self.credential_of(name).and_then(|credential| self.credentials.get(credential));
        keeper.is_none_or(|keeper| *name > keeper.served)
    }

    fn admit_one(&mut self, name: &str, turn: &mut Turn) -> Result<(), Blocked> {
        if self.pauses.contains_key(&Scope::Destination(name.to_owned())) {
            return Err(Blocked::ByEvent);
        }
        let Some(outlet) = self.settings.outlets.get(name) else { return Err(Blocked::ByEvent) };
        let (batch_size, concurrency) = (outlet.batch_size, outlet.concurrency);
        let credential = outlet.credential.clone();
        let Some(queue) = self.queues.get(name) else { return Err(Blocked::ByEvent) };
        if queue.in_flight >= concurrency {
            return Err(Blocked::ByEvent);
        }
        if let Some(at) = queue.earliest().filter(|at| *at > turn.now) {
            return Err(Blocked::Until(at));
        }
        let (epoch, items) = match credential.as_deref() {
            None => (Epoch::NONE, batch_size),
            Some(needed) => {
                let token = self.token_of(needed, turn).ok_or(Blocked::ByEvent)?;
                // What hangs elsewhere may fill the gate; a queue with nothing in the air may still send one (L4).
                let idle = self.queues.get(name).is_some_and(|queue| queue.in_flight == 0);
                (token.epoch, self.room(needed, token, idle, turn.now)?.min(batch_size))
            }
        };
        let chosen = self.choose(name, epoch, items, turn.now);
        if chosen.is_empty() {
            let next = self.queues.get(name).and_then(|queue| queue.next_after(turn.now));
            return Err(next.map_or(Blocked::ByEvent, Blocked::Until));
        }
        self.ship(name, credential, epoch, &chosen, turn);
        Ok(())
    }

    /// How many items one more request with this token may hold.
    fn room(&mut self, name: &str, token: Token, idle: bool, now: Time) -> Result<u32, Blocked> {
        if self.pauses.contains_key(&Scope::Credential(name.to_owned())) {
            return Err(Blocked::ByEvent);
        }
        let Some(keeper) = self.credentials.get_mut(name) else { return Err(Blocked::ByEvent) };
        if keeper.record.slow_until > now {
            return Err(Blocked::Until(keeper.record.slow_until));
        }
        let gate = keeper.gate.filter(|gate| gate.epoch() == token.epoch).unwrap_or_else(|| Gate::of(&token));
        keeper.gate = Some(gate);
        match gate.room(now) {
            Room::Open { items, .. } => Ok(items),
            Room::From(at) => Err(Blocked::Until(at)),
            Room::Full if idle => Ok(u32::MAX),
            Room::Full => Err(Blocked::ByEvent),
        }
    }

    /// The deliveries of the next request: at most `items`, and each of them in a batch no larger than it may share. Only
    /// heads of lanes are in the queue, so two parcels of one lane never share a request (S11).
    fn choose(&self, name: &str, epoch: Epoch, items: u32, now: Time) -> Vec<DeliveryId> {
        let Some(queue) = self.queues.get(name) else { return Vec::new() };
        let (mut chosen, mut largest) = (Vec::new(), items);
        for id in queue.ready(epoch, now) {
            let Some(live) = self.live.get(&id) else { continue };
            let paused = live.record.lane.as_deref().is_some_and(|lane| {
                let scope = Scope::Lane { destination: name.to_owned(), lane: lane.to_owned() };
                self.pauses.contains_key(&scope)
            });
            let count = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
            let at_most = live.record.delivery.at_most;
            if paused || !live.record.delivery.may_be_admitted(epoch, now) || at_most <= count {
                continue;
            }
            largest = largest.min(at_most);
            chosen.push(id);
            if count.saturating_add(1) >= largest {
                break;
            }
        }
        chosen
    }

    /// Takes every permit and makes the request's act.
    fn ship(&mut self, name: &str, credential: Option<String>, epoch: Epoch, chosen: &[DeliveryId], turn: &mut Turn) {
        let batch = self.ids.batch();
        let (sent, by) = (turn.now, turn.now.after(self.settings.limits.request));
        let of = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        let mut items = Vec::with_capacity(chosen.len());
        for (index, id) in (0_u32..).zip(chosen) {
            let Some(live) = self.live.get(id) else { continue };
            let attempt = live.record.delivery.attempt.next();
            self.deliver(*id, Input::Admitted { attempt, epoch, by, batch, index, of }, turn);
            debug!(delivery = %id, destination = name, attempt = attempt.count(), epoch = epoch.number(), "attempt");
            items.push((*id, attempt));
        }
        if let Some(queue) = self.queues.get_mut(name) {
            queue.in_flight = queue.in_flight.saturating_add(1);
        }
        if let Some(keeper) = credential.as_deref().and_then(|name| self.credentials.get_mut(name)) {
            keeper.gate = keeper.gate.map(|gate| gate.sent(epoch, sent));
            name.clone_into(&mut keeper.served);
        }
        let destination = name.to_owned();
        turn.acts.push(Act::Send(Shipment { batch, destination, credential, epoch, items, sent, by }));
    }
}

#[cfg(test)]
mod tests;
