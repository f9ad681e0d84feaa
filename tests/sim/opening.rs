//! Opening a store that holds more than is read at once: what is met is sent while the rest is read, and a lane keeps its
//! order although its parcels are met one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast::destination::{Conclusion, Conversation, Destination, Turn};
use outlast::exchange::{Answer, Method, Request};
use outlast::state::{DeliveryId, Receipt, State, Time, Verdict};
use outlast::store::memory::{Fate, MemoryStore};
use outlast::store::{Key, Store};
use outlast::verify::{Deed, Life, Raw, Sending};
use outlast::{Endpoint, Engine, ErrorKind, Parcel, Redrive, Scope};

const START: u64 = 1_780_000_000_000;
const SLICE: usize = 7;

/// Whoever answers has taken it; without an answer, nobody knows.
struct Taken;

impl Destination for Taken {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        if conversation.so_far.is_empty() {
            return Turn::Ask(Request::new(Method::Post, "https://api.example/".parse().unwrap()));
        }
        let verdict = Verdict::Accepted { receipt: Receipt { status: 201 } };
        Turn::Conclude(vec![Conclusion::new(verdict, "")])
    }
}

struct Play {
    store: MemoryStore,
    life: Life,
    now: u64,
    flying: Vec<Sending>,
    /// The deliveries that left, in order.
    left: Vec<DeliveryId>,
}

impl Play {
    fn open(store: MemoryStore, now: u64) -> Play {
        let builder = Engine::builder("unused").destination("d", Endpoint::new(Taken).concurrency(4));
        let builder = Life::reading(builder, SLICE);
        let life = Life::open(builder, Arc::new(store.clone()), 1, Time::from_millis(now)).unwrap();
        Play { store, life, now, flying: Vec::new(), left: Vec::new() }
    }

    /// The engine is killed and opened again.
    fn again(self) -> Play {
        self.store.crash(Fate::LoseAll);
        Play::open(self.store.reopen().unwrap(), self.now + 60_000)
    }

    fn turn(&mut self) {
        self.now += 1;
        let mut step = self.life.turn(Time::from_millis(self.now));
        let durable = self.store.commit(std::mem::take(&mut step.writes)).unwrap();
        while let Some(deed) = self.life.next_deed(&mut step, durable) {
            if let Deed::Send(mut sending) = deed {
                self.left.extend(sending.ids());
                assert!(sending.request(&mut self.life).is_some());
                self.flying.push(*sending);
            }
        }
    }

    fn answer(&mut self) {
        for mut sending in std::mem::take(&mut self.flying) {
            let received = Time::from_millis(self.now);
            sending.heard(&mut self.life, Ok(Answer { status: 201, headers: Vec::new(), body: Vec::new(), received }));
            assert!(sending.request(&mut self.life).is_none());
        }
    }

    fn submit(&mut self, lane: Option<String>) -> DeliveryId {
        let parcel = Parcel::to("d").bytes("{}");
        let mut reply = self.life.submit(lane.map_or(parcel.clone(), |lane| parcel.lane(lane)));
        self.turn();
        reply.take().unwrap().unwrap()
    }

    fn pause(&mut self, pause: bool) {
        let scope = Scope::Destination("d".into());
        if pause {
            let mut reply = self.life.pause(scope);
            self.turn();
            reply.take().unwrap().unwrap();
        } else {
            let mut reply = self.life.resume(scope);
            self.turn();
            assert!(reply.take().unwrap().unwrap());
        }
    }

    fn until_all_is_done(&mut self) {
        for _ in 0..2_000 {
            self.turn();
            self.answer();
            if self.life.live() == 0 {
                return;
            }
        }
        panic!("L1 Progress: {} are live", self.life.live());
    }
}

/// Every third parcel stands alone, the others are in three lanes.
fn lane(n: usize) -> Option<String> {
    (!n.is_multiple_of(3)).then(|| format!("lane-{}", n % 5 % 3))
}

#[test]
fn what_is_met_leaves_while_the_rest_is_read_and_lanes_keep_their_order() {
    let mut play = Play::open(MemoryStore::new(), START);
    play.pause(true);
    let mut lanes: BTreeMap<DeliveryId, Option<String>> = BTreeMap::new();
    for n in 0..100 {
        lanes.insert(play.submit(lane(n)), lane(n));
    }
    let mut play = play.again();
    play.pause(false);
    assert!(play.life.is_reading(), "there is more than a few slices");
    assert_eq!(play.left.len(), 4, "the first have left all the same");
    assert_eq!(play.life.live(), 100, "they are all counted");
    for n in 100..110 {
        assert!(play.life.is_reading());
        lanes.insert(play.submit(lane(n)), lane(n));
        play.answer();
    }
    assert!(play.life.is_reading());
    play.until_all_is_done();
    assert_eq!(play.left.len(), 110, "each was sent once");
    let mut last: BTreeMap<String, DeliveryId> = BTreeMap::new();
    for id in &play.left {
        if let Some(lane) = &lanes[id] {
            let before = last.insert(lane.clone(), *id);
            assert!(before < Some(*id), "S10 Lanes: {id} of {lane} was sent after {before:?}");
        }
    }
    let done = Raw(&play.store).deliveries();
    assert!(done.iter().all(|one| matches!(one.delivery.state, State::Done { .. })));
    assert_eq!(done.len(), 110);
}

#[test]
fn what_was_in_the_air_is_told_that_it_was_interrupted_when_it_is_met() {
    let mut play = Play::open(MemoryStore::new(), START);
    for _ in 0..4 {
        play.pause(true);
        for _ in 0..20 {
            play.submit(None);
        }
        play.pause(false);
    }
    let flying: Vec<DeliveryId> = play.left.clone();
    assert_eq!(flying.len(), 4);
    let mut play = play.again();
    play.until_all_is_done();
    for id in flying {
        let stored = Raw(&play.store).delivery(id).unwrap().delivery;
        assert_eq!((stored.attempt.count(), stored.spent), (2, 1), "S8 Honest counting");
    }
    assert_eq!(play.left.len(), 80);
}

#[test]
fn an_operator_waits_until_what_is_asked_about_has_been_met() {
    let mut play = Play::open(MemoryStore::new(), START);
    play.pause(true);
    let first = play.submit(Some("a".into()));
    let mut reply = play.life.cancel(first);
    play.turn();
    reply.take().unwrap().unwrap();
    let ids: Vec<DeliveryId> = (0..60).map(|n| play.submit((n % 2 == 0).then(|| "a".into()))).collect();
    let mut play = play.again();
    let last = *ids.last().unwrap();
    let mut cancelled = play.life.cancel(last);
    let mut redriven = play.life.redrive(first, Redrive::default());
    let mut why = play.life.why(last);
    play.turn();
    assert!(play.life.is_reading());
    assert_eq!(cancelled.take().unwrap().unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(redriven.take().unwrap().unwrap_err().kind(), ErrorKind::Busy, "a later one may have been sent");
    assert!(why.take().unwrap().unwrap().join(" ").contains("has not come to it yet"));
    while play.life.is_reading() {
        play.turn();
    }
    let mut cancelled = play.life.cancel(last);
    let mut redriven = play.life.redrive(first, Redrive::default());
    play.turn();
    assert_eq!(cancelled.take().unwrap().unwrap().state, "Failed");
    assert_eq!(redriven.take().unwrap().unwrap().state, "Pending");
    assert_eq!(play.life.live(), 60);
    play.pause(false);
    play.until_all_is_done();
    assert_eq!(
        play.left.iter().find(|id| **id == first || ids[..].contains(id) && is_in_lane(&ids, **id)),
        Some(&first)
    );
}

fn is_in_lane(ids: &[DeliveryId], id: DeliveryId) -> bool {
    ids.iter().position(|one| *one == id).is_some_and(|n| n % 2 == 0)
}

#[test]
fn a_record_that_does_not_verify_stops_its_lane_when_it_is_met_and_counts_for_nothing() {
    let mut play = Play::open(MemoryStore::new(), START);
    play.pause(true);
    let ids: Vec<DeliveryId> = (0..40).map(|n| play.submit((n % 2 == 0).then(|| "a".into()))).collect();
    play.pause(false);
    let store = play.store.clone();
    play.store.crash(Fate::LoseAll);
    assert!(store.tamper(&Key::Delivery(ids[30]), |record| *record.last_mut().unwrap() ^= 1));
    let mut play = Play::open(store.reopen().unwrap(), START + 120_000);
    for _ in 0..400 {
        play.now += 1_000;
        play.turn();
        play.answer();
    }
    assert_eq!(play.life.live(), 4, "those of its lane that come after it");
    assert!(play.left.iter().all(|id| *id < ids[30] || !is_in_lane(&ids, *id)), "S14 Doubt is not acted on");
}
