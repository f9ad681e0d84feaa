//! Admission: which deliveries may leave now, and with which token. Every condition is tested without effect; then all
//! permits are taken in one step.

use std::collections::{BTreeMap, BTreeSet};

use outlast_state::{DeliveryId, Epoch, Gate, Input, Room, Span, Time, Token, Want};
use tracing::debug;

use crate::driver::machines::{Act, Machines, Shipment, Turn};
use crate::view::Scope;

/// So many deliveries at most change in one turn; what is left over is admitted in the next one.
const LARGEST_TURN: usize = 6_000;

/// After an unknown answer in a lane, the next parcel of the lane waits this long: the request may still arrive.
const QUIET: Span = Span::from_secs(30);

/// The live deliveries of one destination that may be admitted, in the order in which they may.
#[derive(Default)]
pub(crate) struct Queue {
    /// Waiting for a time. Of a lane only its head is here.
    due: BTreeSet<(Time, DeliveryId)>,
    /// Waiting for a token beyond this one. Of a lane only its head is here.
    tokens: BTreeSet<(Epoch, DeliveryId)>,
    /// Where each of those stands, so that it can be taken out.
    places: BTreeMap<DeliveryId, Place>,
    lanes: BTreeMap<String, Lane>,
    /// Requests in the air.
    pub(crate) in_flight: u32,
}

#[derive(Clone, Copy)]
enum Place {
    Due(Time),
    Token(Epoch),
}

#[derive(Default)]
struct Lane {
    /// The parcels that have not ended, in order of acceptance, with where each wants to stand.
    waiting: BTreeMap<DeliveryId, Option<Place>>,
    /// The head is not admitted before this.
    quiet: Time,
    /// The newest parcel of the lane that was ever sent.
    sent: Option<DeliveryId>,
}

/// What keeps a queue from admitting.
enum Blocked {
    /// Nothing that may be admitted before this time.
    Until(Time),
    /// Something that ends with an input: a permit, a token, an operator.
    ByEvent,
}

impl Queue {
    /// Puts a delivery where its want says, or takes it out. `doubtful` is the time at which it ended in doubt.
    pub(crate) fn place(&mut self, id: DeliveryId, lane: Option<&str>, want: Want, doubtful: Option<Time>) {
        let place = match want {
            Want::Admission { from } => Some(Place::Due(from)),
            Want::Token { past } => Some(Place::Token(past)),
            Want::Answer { .. } | Want::Nothing => None,
        };
        match lane {
            None => self.stand(id, place),
            Some(lane) => self.place_in_lane(id, lane, want, place, doubtful),
        }
    }

    fn place_in_lane(&mut self, id: DeliveryId, name: &str, want: Want, place: Option<Place>, doubtful: Option<Time>) {
        let lane = self.lanes.entry(name.to_owned()).or_default();
        match want {
            Want::Nothing => {
                lane.waiting.remove(&id);
            }
            Want::Answer { .. } => {
                lane.sent = lane.sent.max(Some(id));
                lane.waiting.insert(id, None);
            }
            Want::Admission { .. } | Want::Token { .. } => {
                lane.waiting.insert(id, place);
            }
        }
        if let Some(at) = doubtful {
            lane.quiet = at.after(QUIET);
        }
        let quiet = lane.quiet;
        let head = lane.waiting.first_key_value().map(|(head, place)| (*head, *place));
        // A head that stood there gives way to an older one that was redriven.
        let others: Vec<_> = lane.waiting.keys().skip(1).take(1).copied().collect();
        self.stand(id, None);
        for other in others {
            self.stand(other, None);
        }
        if let Some((head, place)) = head {
            let place = place.map(|place| match place {
                Place::Due(at) => Place::Due(at.max(quiet)),
                Place::Token(past) => Place::Token(past),
            });
            self.stand(head, place);
        }
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

    /// Those that may be admitted with the token of `serving` at `now`, the ones that waited for a token first.
    fn ready(&self, serving: Epoch, now: Time) -> impl Iterator<Item = DeliveryId> {
        let released = self.tokens.range(..(serving, DeliveryId::default())).map(|(_, id)| *id);
        let due = self.due.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| *id);
        released.chain(due)
    }

    fn is_idle(&self) -> bool {
        self.places.is_empty()
    }

    fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Machines {
    /// Admits whatever may leave, one request for each queue in turn, until nothing more may. The queue that begins
    /// changes from turn to turn.
    pub(crate) fn admit(&mut self, turn: &mut Turn) {
        if self.settings.hold || self.stopping {
            return;
        }
        let mut names: Vec<String> =
            self.queues.iter().filter(|(_, queue)| !queue.is_idle()).map(|(name, _)| name.clone()).collect();
        let first = usize::try_from(turn.now.as_millis()).unwrap_or(0).checked_rem(names.len()).unwrap_or(0);
        names.rotate_left(first);
        while !names.is_empty() {
            names.retain(|name| {
                if turn.changed.len() > LARGEST_TURN {
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

    fn admit_one(&mut self, name: &str, turn: &mut Turn) -> Result<(), Blocked> {
        if self.pauses.contains_key(&Scope::Destination(name.to_owned())) {
            return Err(Blocked::ByEvent);
        }
        let Some(outlet) = self.settings.outlets.get(name) else { return Err(Blocked::ByEvent) };
        let (batch_size, concurrency) = (outlet.batch_size, outlet.concurrency);
        let credential = outlet.credential.clone();
        let Some(queue) = self.queues.get(name) else { return Err(Blocked::ByEvent) };
        let next_due = queue.next_due().filter(|at| *at > turn.now);
        if queue.in_flight >= concurrency {
            return Err(Blocked::ByEvent);
        }
        if next_due.is_some() && queue.tokens.is_empty() {
            return Err(Blocked::Until(next_due.unwrap_or(Time::NEVER)));
        }
        let (epoch, items) = match credential.as_deref() {
            None => (Epoch::NONE, batch_size),
            Some(needed) => {
                let token = self.token_of(needed, turn).ok_or(Blocked::ByEvent)?;
                (token.epoch, self.room(needed, token, turn.now)?.min(batch_size))
            }
        };
        let chosen = self.choose(name, epoch, items, turn.now);
        if chosen.is_empty() {
            let queue = self.queues.get(name);
            let next = queue.and_then(|queue| queue.due.iter().map(|(at, _)| *at).find(|at| *at > turn.now));
            return Err(next.map_or(Blocked::ByEvent, Blocked::Until));
        }
        self.ship(name, credential, epoch, &chosen, turn);
        Ok(())
    }

    /// How many items one more request with this token may hold.
    fn room(&mut self, name: &str, token: Token, now: Time) -> Result<u32, Blocked> {
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
        }
        let destination = name.to_owned();
        turn.acts.push(Act::Send(Shipment { batch, destination, credential, epoch, items, sent, by }));
    }
}
