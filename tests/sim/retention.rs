//! What has ended goes when its time is over, and not before; what is live is never touched.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast::destination::{Conclusion, Conversation, Destination, Turn};
use outlast::exchange::{Answer, Method, Request};
use outlast::state::{DeliveryId, Receipt, Span, State, Time, Verdict, Why};
use outlast::store::memory::{Fate, MemoryStore};
use outlast::store::{Key, Store, Table};
use outlast::verify::{Deed, Life, Raw, Sending};
use outlast::{Endpoint, Engine, Limits, Parcel, Redrive, Retention};

use crate::draw::Dice;

const START: u64 = 1_780_000_000_000;
const KEPT: Retention = Retention { done: Span::from_secs(100), failed: Span::from_secs(1_000), count: u64::MAX };

/// A status of 201 has taken it, any other refuses it.
struct Obedient;

impl Destination for Obedient {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let verdict = match conversation.so_far.last().map(|exchange| exchange.answer.status) {
            None => return Turn::Ask(Request::new(Method::Post, "https://api.example/".parse().unwrap())),
            Some(201) => Verdict::Accepted { receipt: Receipt { status: 201 } },
            Some(status) => Verdict::Refused { why: Why::Rejected { status } },
        };
        Turn::Conclude(vec![Conclusion::new(verdict, "")])
    }
}

struct Play {
    store: MemoryStore,
    life: Life,
    retention: Retention,
    now: u64,
    flying: Vec<Sending>,
}

impl Play {
    fn open(store: MemoryStore, retention: Retention, now: u64) -> Play {
        let limits = Limits { time_to_live: Span::from_secs(1 << 30), ..Limits::default() };
        let endpoint = Endpoint::new(Obedient).concurrency(2_000);
        let builder = Engine::builder("unused").limits(limits).retention(retention).destination("d", endpoint);
        let life = Life::open(Life::reading(builder, 5), Arc::new(store.clone()), 1, Time::from_millis(now)).unwrap();
        Play { store, life, retention, now, flying: Vec::new() }
    }

    fn new(retention: Retention) -> Play {
        Play::open(MemoryStore::new(), retention, START)
    }

    fn again(self) -> Play {
        self.store.crash(Fate::LoseAll);
        Play::open(self.store.reopen().unwrap(), self.retention, self.now)
    }

    fn turn(&mut self) {
        let mut step = self.life.turn(Time::from_millis(self.now));
        let durable = self.store.commit(std::mem::take(&mut step.writes)).unwrap();
        while let Some(deed) = self.life.next_deed(&mut step, durable) {
            if let Deed::Send(mut sending) = deed {
                assert!(sending.request(&mut self.life).is_some());
                self.flying.push(*sending);
            }
        }
    }

    /// Time passes, with as many turns as a few looks at everything take.
    fn pass(&mut self, span: Span) {
        self.now += span.as_millis();
        for _ in 0..12 {
            self.now += 10;
            self.turn();
        }
    }

    fn answer(&mut self, status: u16) {
        for mut sending in std::mem::take(&mut self.flying) {
            let received = Time::from_millis(self.now);
            sending.heard(&mut self.life, Ok(Answer { status, headers: Vec::new(), body: Vec::new(), received }));
            assert!(sending.request(&mut self.life).is_none());
        }
        self.turn();
    }

    fn submit(&mut self, parcel: Parcel) -> DeliveryId {
        let mut reply = self.life.submit(parcel);
        self.turn();
        reply.take().unwrap().unwrap()
    }

    fn records(&self) -> BTreeMap<Table, usize> {
        let mut records = BTreeMap::new();
        for (key, _) in self.store.durable_records() {
            if !matches!(key.table(), Table::Meta | Table::Alert) {
                *records.entry(key.table()).or_default() += 1;
            }
        }
        records
    }

    fn is_there(&self, id: DeliveryId) -> bool {
        Raw(&self.store).delivery(id).is_some()
    }
}

fn parcel() -> Parcel {
    Parcel::to("d").bytes("{}")
}

#[test]
fn what_was_delivered_goes_first_and_what_failed_later_with_its_event_and_its_key() {
    let mut play = Play::new(KEPT);
    let done = play.submit(parcel().once("done"));
    play.answer(201);
    let failed = play.submit(parcel().once("failed"));
    play.answer(400);
    let live = play.submit(parcel().once("live"));
    assert_eq!(play.records()[&Table::Parcel], 2, "what was delivered has no event any more");
    play.pass(Span::from_secs(99));
    assert!(play.is_there(done) && play.is_there(failed) && play.is_there(live));
    play.pass(Span::from_secs(20));
    assert!(!play.is_there(done) && play.is_there(failed) && play.is_there(live));
    assert_eq!(Raw(&play.store).once("d", "done"), None);
    assert_ne!(play.submit(parcel().once("done")), done, "its key is free");
    play.pass(Span::from_secs(1_100));
    assert!(!play.is_there(failed) && play.is_there(live));
    let mut shown = play.life.show(failed);
    play.turn();
    assert_eq!(shown.take().unwrap().unwrap_err().kind(), outlast::ErrorKind::Unknown);
    play.answer(201);
    play.pass(Span::from_secs(200));
    assert_eq!(play.records(), BTreeMap::new(), "nothing is left");
}

#[test]
fn with_retention_off_the_commit_that_ends_a_delivery_removes_it() {
    let mut play = Play::new(Retention::NONE);
    for status in [201, 400] {
        let id = play.submit(parcel().once("key").bytes(vec![b'x'; 60_000]));
        assert!(play.is_there(id));
        play.answer(status);
        assert_eq!(play.records(), BTreeMap::new());
    }
}

#[test]
fn beyond_the_count_the_oldest_go_first() {
    let mut play = Play::new(Retention { count: 300, ..KEPT });
    let ids: Vec<DeliveryId> = (0..1_000).map(|_| play.submit(parcel())).collect();
    play.answer(201);
    play.pass(Span::from_secs(2));
    let there: Vec<bool> = ids.iter().map(|id| play.is_there(*id)).collect();
    assert_eq!(there.iter().filter(|there| **there).count(), 300);
    assert!(there.is_sorted(), "the newest are kept");
    // Also after a restart, which does not read them.
    let mut play = play.again();
    let more: Vec<DeliveryId> = (0..10).map(|_| play.submit(parcel())).collect();
    play.answer(201);
    play.pass(Span::from_secs(2));
    assert_eq!(play.records()[&Table::Ended], 300);
    assert!(more.iter().all(|id| play.is_there(*id)));
}

/// More than one commit may hold: 22 records each.
#[test]
fn many_large_events_that_are_delivered_at_once_go_in_several_commits() {
    for retention in [KEPT, Retention::NONE] {
        let mut play = Play::new(retention);
        for _ in 0..10 {
            for _ in 0..100 {
                drop(play.life.submit(parcel().bytes(vec![b'x'; 64 * 1024])));
            }
            play.turn();
        }
        assert_eq!(play.flying.len(), 1_000);
        play.answer(201);
        assert_eq!(play.life.live(), 0);
        play.pass(Span::ZERO);
        let left = play.records();
        assert_eq!((left.get(&Table::Body), left.get(&Table::Parcel)), (None, None), "{left:?}");
        play.pass(Span::from_secs(4_000));
        assert_eq!(play.records(), BTreeMap::new());
    }
}

#[test]
fn a_lane_keeps_what_it_may_ask_for_and_no_longer() {
    let mut play = Play::new(KEPT);
    let first = play.submit(parcel().lane("a"));
    play.answer(400);
    let second = play.submit(parcel().lane("a"));
    play.answer(201);
    assert!(play.store.get(&Key::Delivery(second)).unwrap().is_some(), "whether the first may be redriven, it tells");
    let mut play = play.again();
    let mut redriven = play.life.redrive(first, Redrive::default());
    play.turn();
    assert!(redriven.take().unwrap().is_err(), "S10 Lanes: a later one was sent");
    play.pass(Span::from_secs(200));
    assert!(play.is_there(second), "it is still asked for");
    play.pass(Span::from_secs(5_000));
    play.pass(Span::from_secs(5_000));
    assert_eq!(play.records(), BTreeMap::new());
    // Where none failed, nobody asks.
    let third = play.submit(parcel().lane("a"));
    play.submit(parcel().lane("a"));
    play.answer(201);
    assert!(play.store.get(&Key::Ended(third)).unwrap().is_some());
}

#[test]
fn whatever_happens_only_what_is_over_goes() {
    for seed in 0..30 {
        let mut dice = Dice::of(seed, "retention");
        let mut play = Play::new(KEPT);
        let mut known: BTreeMap<DeliveryId, Option<u64>> = BTreeMap::new();
        for step in 0..300_u64 {
            match dice.below(9) {
                0..=3 => {
                    let parcel = parcel().once(format!("{seed}-{step}"));
                    let parcel = if dice.below(3) == 0 { parcel.lane("a") } else { parcel };
                    known.insert(play.submit(parcel), None);
                }
                4 => play.answer(201),
                5 => play.answer(400),
                6 => {
                    let which = dice.below(known.len().max(1) as u64);
                    if let Some(id) = known.keys().nth(which as usize) {
                        drop(play.life.redrive(*id, Redrive::default()));
                    }
                    play.turn();
                }
                7 => play.pass(Span::from_secs(dice.below(300))),
                _ if dice.below(4) == 0 => play = play.again(),
                _ => play.turn(),
            }
            for (id, until) in &mut known {
                match Raw(&play.store).delivery(*id).map(|found| found.delivery.state) {
                    Some(State::Done { at, .. }) => *until = Some(at.as_millis() + KEPT.done.as_millis()),
                    Some(State::Failed { at, .. }) => *until = Some(at.as_millis() + KEPT.failed.as_millis()),
                    Some(_) => {
                        assert!(Raw(&play.store).has_parcel(*id), "seed {seed}: {id} is live and has no event");
                        *until = None;
                    }
                    None => assert!(until.is_some_and(|until| until <= play.now), "S1 No loss: seed {seed}, {id}"),
                }
            }
        }
        while play.life.live() > 0 {
            play.answer(201);
            play.pass(Span::from_secs(60));
        }
        for _ in 0..4 {
            play.pass(Span::from_secs(4_000));
        }
        assert_eq!(play.records(), BTreeMap::new(), "seed {seed}: {:?}", Raw(&play.store).deliveries());
    }
}
