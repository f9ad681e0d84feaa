//! Admission: which deliveries may leave now, and with which token. Every condition is tested without effect; then all
//! permits are taken in one step.
//!
//! Only those queues are looked at to which something happened since they were last looked at, or whose time has come. A
//! queue that holds something which its credential keeps from leaving is noted there, and looked at again when something
//! happens to the credential.

use std::sync::Arc;

use outlast_state::{CANARY_ITEMS, DeliveryId, Epoch, Gate, Input, Offer, Passage, Room, Time, Token};
use tracing::debug;

use crate::driver::acts::{Act, Shipment, Turn};
use crate::driver::machines::{Machines, Name};
use crate::view::Scope;

mod agenda;
mod batch;
mod horizon;
mod queue;
mod release;
mod share;

pub(crate) use self::agenda::Agenda;
pub(crate) use self::queue::{Place, Queue, Standing};
pub(crate) use self::release::Mark;
use self::release::{Lot, Space};
use self::share::{Allowance, Chosen, Leave, open};

/// What keeps a queue from admitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocked {
    /// Nothing that may be admitted before this time.
    Until(Time),
    /// Something that ends with an input: a permit, a token, an operator.
    ByEvent,
    /// It holds nothing that may be admitted; what comes next is due then.
    Idle(Option<Time>),
    /// What comes first is asleep.
    Asleep,
}

impl Blocked {
    /// What keeps a queue of which one part is kept by this and the other one by that.
    fn and(self, other: Blocked) -> Blocked {
        let earlier = |a: Option<Time>, b: Option<Time>| a.into_iter().chain(b).min();
        match (self, other) {
            (Blocked::Asleep, _) | (_, Blocked::Asleep) => Blocked::Asleep,
            (Blocked::Idle(a), Blocked::Idle(b)) => Blocked::Idle(earlier(a, b)),
            (a, b) => earlier(a.at(), b.at()).map_or(Blocked::ByEvent, Blocked::Until),
        }
    }

    fn at(&self) -> Option<Time> {
        match *self {
            Blocked::Until(at) => Some(at),
            Blocked::Idle(at) => at,
            Blocked::ByEvent | Blocked::Asleep => None,
        }
    }
}

/// Which queues admission looks at, and when.
#[derive(Clone, Default)]
pub(crate) struct Attention {
    /// Those to which something happened.
    poked: Vec<Name>,
    /// Those whose time comes.
    wakes: std::collections::BTreeSet<(Time, Name)>,
    /// The queue whose sleepers were woken last.
    woke: Option<Name>,
}

impl Attention {
    /// When there is something to look at without anything happening.
    pub(crate) fn next(&self, now: Time) -> Option<Time> {
        if self.poked.is_empty() { self.wakes.first().map(|(at, _)| *at) } else { Some(now) }
    }
}

impl Machines {
    /// Something happened to a queue: admission looks at it.
    pub(crate) fn poke(&mut self, name: &str) {
        if self.queues.get(name).is_some_and(|queue| queue.poked) {
            return;
        }
        let known = self.queues.get_key_value(name).map(|(name, _)| Arc::clone(name));
        self.attention.poked.extend(known);
        if let Some(queue) = self.queues.get_mut(name) {
            queue.poked = true;
        }
    }

    /// Something happened to a credential: admission looks at the queues that it kept from sending.
    pub(crate) fn poke_blocked(&mut self, credential: &str) {
        let Some(keeper) = self.credentials.get_mut(credential) else { return };
        for name in std::mem::take(&mut keeper.blocked) {
            self.poke(&name);
        }
    }

    /// The time of some queues has come.
    pub(crate) fn rouse(&mut self, now: Time) {
        while let Some((at, _)) = self.attention.wakes.first()
            && *at <= now
            && let Some((_, name)) = self.attention.wakes.pop_first()
        {
            if let Some(queue) = self.queues.get_mut(&name) {
                queue.wakes = None;
            }
            self.poke(&name);
        }
    }

    /// Admits whatever may leave, one request for each queue in turn, until nothing more may.
    pub(crate) fn admit(&mut self, turn: &mut Turn) {
        if self.settings.hold || self.stopping {
            return;
        }
        self.rouse(turn.now);
        let mut names = self.round();
        while !names.is_empty() {
            names.retain(|name| {
                if turn.is_full() {
                    self.poke(name);
                    return false;
                }
                let admitted = self.admit_one(name, turn);
                if let Err(blocked) = admitted {
                    self.rest(name, &blocked);
                    return false;
                }
                true
            });
        }
    }

    /// The queues to look at, in such an order that of those that share a credential the one after the last that sent
    /// comes first: where there is room for one request, each of them has it in turn (L4).
    fn round(&mut self) -> Vec<Name> {
        let mut first = std::mem::take(&mut self.attention.poked);
        first.sort_unstable();
        for name in &first {
            if let Some(queue) = self.queues.get_mut(name) {
                queue.poked = false;
            }
        }
        let (mut first, mut later): (Vec<_>, Vec<_>) = first.into_iter().partition(|name| self.has_its_turn(name));
        first.append(&mut later);
        first
    }

    /// Notes when a queue is looked at again, and what may call it up before.
    fn rest(&mut self, name: &Name, blocked: &Blocked) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        let (at, by_credential) = match *blocked {
            Blocked::Until(at) => (Some(at), true),
            Blocked::ByEvent => (None, true),
            Blocked::Idle(next) => (next, queue.awaits_token()),
            Blocked::Asleep => return self.poke(name),
        };
        if queue.wakes != at {
            if let Some(before) = std::mem::replace(&mut queue.wakes, at) {
                self.attention.wakes.remove(&(before, Arc::clone(name)));
            }
            self.attention.wakes.extend(at.map(|at| (at, Arc::clone(name))));
        }
        if by_credential
            && let Some(credential) = self.credential_of(name).cloned()
            && let Some(keeper) = self.credentials.get_mut(&*credential)
        {
            keeper.blocked.insert(Arc::clone(name));
        }
    }

    fn has_its_turn(&self, name: &Name) -> bool {
        let keeper = self.credential_of(name).and_then(|credential| self.credentials.get(&**credential));
        keeper.is_none_or(|keeper| keeper.served.as_ref().is_none_or(|served| name > served))
    }

    fn admit_one(&mut self, name: &Name, turn: &mut Turn) -> Result<(), Blocked> {
        if self.is_destination_paused(name) {
            return Err(Blocked::ByEvent);
        }
        let Some(outlet) = self.settings.outlets.get(name) else { return Err(Blocked::ByEvent) };
        let (batch_size, concurrency, rate) = (outlet.batching.items, outlet.concurrency, outlet.release);
        let credential = outlet.credential.clone();
        let Some(queue) = self.queues.get(name) else { return Err(Blocked::ByEvent) };
        match queue.earliest() {
            None => return Err(Blocked::Idle(None)),
            Some(at) if at > turn.now => return Err(Blocked::Idle(Some(at))),
            Some(_) if queue.in_flight >= concurrency => return Err(Blocked::ByEvent),
            Some(_) => {}
        }
        // Before the credential is asked: what is not sent needs no token.
        let (canary, batch_size) = match queue.circuit.passage(turn.now) {
            Passage::Open => (false, batch_size),
            Passage::Canary => (true, batch_size.min(CANARY_ITEMS)),
            Passage::From(at) => return Err(Blocked::Until(at)),
        };
        let leave = match credential.as_deref() {
            None => Leave { epoch: Epoch::NONE, items: batch_size, open: u32::MAX },
            Some(needed) => {
                let token = self.token_of(needed, turn).ok_or(Blocked::ByEvent)?;
                // What hangs elsewhere may fill the gate; a queue with nothing in the air may still send one (L4).
                let idle = self.queues.get(name).is_some_and(|queue| queue.in_flight == 0);
                self.held_up(needed, turn.now)?;
                let leave = match self.canary(needed, turn.now) {
                    Some(next) => Leave { epoch: next, items: CANARY_ITEMS, open: u32::MAX },
                    None => self.room(needed, token, idle, turn.now)?,
                };
                Leave { items: leave.items.min(batch_size), ..leave }
            }
        };
        // There is no half of a canary.
        let open = if canary { u32::MAX } else { leave.open };
        let space = Space { concurrency, open, rate, now: turn.now };
        let chosen = self.choose_in_turn(name, leave, space)?;
        self.ship(name, credential, leave.epoch, &chosen, turn);
        Ok(())
    }

    /// Nothing, unless an operator or the provider holds all of a credential's requests back.
    fn held_up(&self, name: &str, now: Time) -> Result<(), Blocked> {
        match self.credentials.get(name).map(|keeper| keeper.record.slow_until) {
            _ if self.is_credential_paused(name) => Err(Blocked::ByEvent),
            None => Err(Blocked::ByEvent),
            Some(until) if until > now => Err(Blocked::Until(until)),
            Some(_) => Ok(()),
        }
    }

    /// The epoch of the token that is to serve next, when it is time for a canary of it (make before break).
    fn canary(&mut self, name: &str, now: Time) -> Option<Epoch> {
        let gate = self.trial(name, now)?;
        self.credentials.get_mut(name)?.trial = Some(gate);
        matches!(gate.room(now), Room::Open { .. }).then_some(gate.epoch())
    }

    /// The gate of the token that is to serve next, once it is tried.
    fn trial(&self, name: &str, now: Time) -> Option<Gate> {
        let young = self.young(name);
        let keeper = self.credentials.get(name)?;
        let credential = &keeper.record.credential;
        let (next, _) = credential.trial(young).filter(|(next, from)| *from <= now && !next.is_expired(now))?;
        let known = keeper.trial.filter(|gate| gate.epoch() == next.epoch);
        Some(known.unwrap_or_else(|| Gate::of(&next).young_until(young).paced(credential.terms.settle.part(8))))
    }

    /// What one more request with this token may be.
    fn room(&mut self, name: &str, token: Token, idle: bool, now: Time) -> Result<Leave, Blocked> {
        let young = self.young(name);
        let Some(keeper) = self.credentials.get_mut(name) else { return Err(Blocked::ByEvent) };
        let gate = keeper.gate_of(&token, young);
        keeper.gate = Some(gate);
        let epoch = token.epoch;
        match gate.room(now) {
            Room::Open { requests, items } => Ok(Leave { epoch, items, open: open(requests, items) }),
            Room::From(at) => Err(Blocked::Until(at)),
            Room::Full if idle => Ok(Leave { epoch, items: u32::MAX, open: 1 }),
            Room::Full => Err(Blocked::ByEvent),
        }
    }

    /// The sleeping deliveries that admission may choose now, each with its place, at most `most` of them: as many of each
    /// queue as it may send, and each queue in its turn (L4).
    pub(crate) fn summoned(&mut self, now: Time, most: usize) -> Vec<(Name, DeliveryId, Place)> {
        if self.settings.hold || self.stopping {
            return Vec::new();
        }
        self.rouse(now);
        let poked = &mut self.attention.poked;
        poked.sort_unstable();
        let begin = self.attention.woke.as_ref().map_or(0, |woke| poked.partition_point(|name| name <= woke));
        let share = most.checked_div(poked.len()).unwrap_or(0).max(1);
        let mut summoned = Vec::new();
        let mut woke = None;
        for name in self.attention.poked.iter().cycle().skip(begin).take(self.attention.poked.len()) {
            let Some((queue, allowance)) = self.queues.get(name).zip(self.allowance(name, now)) else { continue };
            let before = summoned.len();
            let left = most.saturating_sub(before).min(share);
            let woken = self.sleepers(queue, &allowance, left);
            summoned.extend(woken.map(|(id, place)| (Arc::clone(name), id, place)));
            if summoned.len() > before {
                woke = Some(Arc::clone(name));
            }
            if summoned.len() >= most {
                break;
            }
        }
        self.attention.woke = woke.or_else(|| self.attention.woke.take());
        summoned
    }

    /// With what a queue may send, and about how many deliveries at most: what admission tests, without effect.
    fn allowance(&self, name: &str, now: Time) -> Option<Allowance> {
        let outlet = self.settings.outlets.get(name)?;
        let queue = self.queues.get(name).filter(|queue| queue.earliest().is_some_and(|at| at <= now))?;
        let requests = outlet.concurrency.checked_sub(queue.in_flight).filter(|requests| *requests > 0)?;
        if self.is_destination_paused(name) {
            return None;
        }
        let (requests, most) = match queue.circuit.passage(now) {
            Passage::Open => (requests, outlet.batching.items),
            Passage::Canary => (1, outlet.batching.items.min(CANARY_ITEMS)),
            Passage::From(_) => return None,
        };
        let all = u32::MAX;
        let (epoch, requests, items, open) = match outlet.credential.as_deref() {
            None => (Epoch::NONE, requests, most, all),
            Some(credential) => {
                let keeper = self.credentials.get(credential).filter(|keeper| keeper.record.slow_until <= now)?;
                let Offer::Token(token) = keeper.record.credential.offer(now) else { return None };
                let gate = keeper.gate_of(&token, self.young(credential));
                let trial = self.trial(credential, now).filter(|gate| matches!(gate.room(now), Room::Open { .. }));
                match gate.room(now) {
                    _ if self.is_credential_paused(credential) => return None,
                    // A canary leaves first, also where the serving token's gate is shut: who is to carry it is awake.
                    _ if let Some(next) = trial => (next.epoch(), 1, CANARY_ITEMS.min(most), all),
                    Room::Open { requests: more, items } => {
                        let open = open(more, items);
                        (token.epoch, requests.min(more), items.min(most), open)
                    }
                    Room::Full if queue.in_flight == 0 => (token.epoch, 1, most, 1),
                    Room::Full | Room::From(_) => return None,
                }
            }
        };
        let deliveries = usize::try_from(requests.saturating_mul(items)).unwrap_or(usize::MAX);
        Some(Allowance {
            epoch,
            deliveries,
            space: Space { concurrency: outlet.concurrency, open, rate: outlet.release, now },
        })
    }

    fn is_destination_paused(&self, name: &str) -> bool {
        !self.pauses.is_empty() && self.pauses.contains_key(&Scope::Destination(name.to_owned()))
    }

    fn is_credential_paused(&self, name: &str) -> bool {
        !self.pauses.is_empty() && self.pauses.contains_key(&Scope::Credential(name.to_owned()))
    }

    /// Takes every permit and makes the request's act.
    fn ship(&mut self, name: &Name, credential: Option<Name>, epoch: Epoch, chosen: &Chosen, turn: &mut Turn) {
        let Chosen { ids: chosen, lot, space } = chosen;
        let batch = self.ids.batch();
        let (sent, by) = (turn.now, turn.now.after(self.settings.limits.request));
        let of = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        let mut items = Vec::with_capacity(chosen.len());
        let mut bodies = Vec::with_capacity(chosen.len());
        let mut routes = Vec::with_capacity(chosen.len());
        let mut accepted = Vec::with_capacity(chosen.len());
        for (index, id) in (0_u32..).zip(chosen) {
            let Some(live) = self.live.get_mut(id) else { continue };
            let attempt = live.record.delivery.attempt.next();
            let body = live.body.take();
            routes.push(live.record.route.clone());
            accepted.push(live.record.accepted);
            self.bodies = self.bodies.saturating_sub(body.as_ref().map_or(0, Vec::len));
            self.deliver(*id, Input::Admitted { attempt, epoch, by, batch, index, of }, turn);
            debug!(delivery = %id, destination = &**name, attempt = attempt.count(), epoch = epoch.number(), "attempt");
            items.push((*id, attempt));
            bodies.push(body);
        }
        if let Some(queue) = self.queues.get_mut(name) {
            queue.in_flight = queue.in_flight.saturating_add(1);
            queue.circuit = queue.circuit.sent(sent);
            queue.pace.leaves(*lot, batch, of, *space);
            self.in_flight = self.in_flight.saturating_add(1);
        }
        if let Some(keeper) = credential.as_deref().and_then(|name| self.credentials.get_mut(name)) {
            for gate in [&mut keeper.gate, &mut keeper.trial] {
                *gate = gate.map(|gate| gate.sent(epoch, sent));
            }
            keeper.served = Some(Arc::clone(name));
        }
        let (destination, memory) = (Arc::clone(name), self.memory.get(name).cloned());
        let settled = Vec::new();
        turn.acts.push(Act::Send(Shipment {
            batch,
            destination,
            credential,
            epoch,
            items,
            bodies,
            routes,
            accepted,
            settled,
            memory,
            sent,
            by,
        }));
    }
}

#[cfg(test)]
mod tests;
