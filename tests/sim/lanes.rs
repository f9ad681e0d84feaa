//! Lanes and batches, complete within bounds: every interleaving of answers, time, one crash and one act of an operator for a
//! few parcels of two lanes that share requests. It is the shipping heart that moves, admission included.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use outlast::destination::{Batching, Conclusion, Conversation, Destination, Turn};
use outlast::exchange::{Answer, Method, NoAnswer, Request};
use outlast::state::{DeliveryId, Load, Receipt, Span, State, Time, Verdict, Why};
use outlast::store::Store;
use outlast::store::memory::{Fate, MemoryStore};
use outlast::verify::{Deed, Life, Raw, RawDelivery, Sending};
use outlast::{Endpoint, Engine, Limits, Parcel, Redrive};

/// The lanes of the parcels, in the order of their acceptance: two in a build without optimisation, three otherwise, and four
/// with `OUTLAST_MODEL=full`; and how many states and edges there are.
fn bounds() -> (&'static [Option<&'static str>], (usize, usize)) {
    match std::env::var("OUTLAST_MODEL").as_deref() {
        Ok("full") => (&[Some("a"), Some("a"), Some("b"), None], (519_297, 2_068_512)),
        _ if cfg!(debug_assertions) => (&[Some("a"), Some("a")], (736, 1_390)),
        _ => (&[Some("a"), Some("a"), Some("b")], (21_711, 58_169)),
    }
}

fn parcels() -> &'static [Option<&'static str>] {
    bounds().0
}

/// So many items at most share a request.
const BATCH: u32 = 2;

/// A destination whose answers say the verdict on each item: a letter for each.
struct Scripted;

impl Destination for Scripted {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        match conversation.so_far.last() {
            None => Turn::Ask(Request::new(Method::Post, "https://api.example/".parse().unwrap())),
            Some(exchange) => Turn::Conclude(exchange.answer.body.iter().map(|letter| conclusion(*letter)).collect()),
        }
    }

    fn batching(&self) -> Batching {
        Batching::up_to(BATCH)
    }
}

fn conclusion(letter: u8) -> Conclusion {
    let verdict = match letter {
        b'y' => Verdict::Accepted { receipt: Receipt { status: 201 } },
        b'b' => Verdict::Busy { after: Span::ZERO, load: Load::Failing },
        b'n' => Verdict::Refused { why: Why::Rejected { status: 400 } },
        b's' => Verdict::Split,
        _ => panic!("there is no verdict {letter}"),
    };
    Conclusion::new(verdict, "")
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    /// The n-th request in the air is answered so; without letters, never.
    Answer(usize, Vec<u8>),
    /// Ten minutes pass: whatever waits for a time is due.
    Time,
    Crash,
    Cancel(usize),
    Redrive(usize),
}

/// Where a sequence of acts leads.
struct Play {
    store: MemoryStore,
    life: Life,
    now: u64,
    ids: Vec<DeliveryId>,
    flying: Vec<Sending>,
    /// With whom each was last sent.
    shared: BTreeMap<DeliveryId, Vec<DeliveryId>>,
    /// Lanes in which an answer was lost since time last passed.
    quiet: BTreeSet<&'static str>,
    crashed: bool,
    operated: bool,
}

fn open(store: &MemoryStore, now: u64) -> Life {
    let limits = Limits { budget: 2, time_to_live: Span::from_secs(1 << 30), ..Limits::default() };
    let builder = Engine::builder("unused").limits(limits).destination("d", Endpoint::new(Scripted).concurrency(2));
    // One at a time, so that what was live is met over several turns.
    let builder = Life::reading(builder, 1);
    Life::open(builder, Arc::new(store.clone()), 1, Time::from_millis(now)).unwrap()
}

impl Play {
    fn begin() -> Play {
        let (store, now) = (MemoryStore::new(), 1_000_000);
        let mut life = open(&store, now);
        let mut replies = Vec::new();
        for (n, lane) in parcels().iter().enumerate() {
            let parcel = Parcel::to("d").bytes(n.to_string()).once(n.to_string());
            let parcel = lane.map_or(parcel.clone(), |lane| parcel.lane(lane));
            replies.push(life.submit(parcel));
        }
        let mut play = Play {
            store,
            life,
            now,
            ids: Vec::new(),
            flying: Vec::new(),
            shared: BTreeMap::new(),
            quiet: BTreeSet::new(),
            crashed: false,
            operated: false,
        };
        play.turn();
        play.ids = replies.iter_mut().map(|reply| reply.take().unwrap().unwrap()).collect();
        play
    }

    fn fork(&self) -> Play {
        let store = self.store.fork();
        let life = self.life.fork(Arc::new(store.clone()));
        let (ids, flying, quiet) = (self.ids.clone(), self.flying.clone(), self.quiet.clone());
        let (now, shared, crashed, operated) = (self.now, self.shared.clone(), self.crashed, self.operated);
        Play { store, life, now, ids, flying, shared, quiet, crashed, operated }
    }

    fn stored(&self, n: usize) -> RawDelivery {
        Raw(&self.store).delivery(self.ids[n]).expect("S1 No loss: it was acknowledged")
    }

    /// Turns until nothing comes of it, each commit behind its barrier before anything is done.
    fn turn(&mut self) {
        loop {
            let mut step = self.life.turn(Time::from_millis(self.now));
            let durable = self.store.commit(std::mem::take(&mut step.writes)).unwrap();
            while let Some(deed) = self.life.next_deed(&mut step, durable) {
                if let Deed::Send(mut sending) = deed {
                    self.departs(&sending);
                    assert!(sending.request(&mut self.life).is_some());
                    let ids: Vec<DeliveryId> = sending.ids().collect();
                    self.shared.extend(ids.iter().map(|id| (*id, ids.clone())));
                    self.flying.push(*sending);
                }
            }
            self.flying.sort_by_key(|sending| sending.ids().next());
            if !self.life.is_asked() && !self.life.is_reading() {
                return;
            }
        }
    }

    /// S10 and S11, at each request.
    fn departs(&self, sending: &Sending) {
        let sent: Vec<RawDelivery> = sending.ids().map(|id| Raw(&self.store).delivery(id).unwrap()).collect();
        let lanes: Vec<&String> = sent.iter().filter_map(|one| one.lane.as_ref()).collect();
        let apart: BTreeSet<&String> = lanes.iter().copied().collect();
        assert_eq!(lanes.len(), apart.len(), "S11 One batch, one epoch: two parcels of a lane share a request");
        for one in &sent {
            assert!(one.delivery.at_most as usize >= sent.len(), "L1 Progress: {one:?} is in a batch too large for it");
            assert!(matches!(one.delivery.state, State::Sending { of, .. } if of as usize == sent.len()), "S6 {one:?}");
            for earlier in Raw(&self.store).deliveries() {
                let before = earlier.delivery.id < one.delivery.id && one.lane.is_some() && earlier.lane == one.lane;
                let ended = matches!(earlier.delivery.state, State::Done { .. } | State::Failed { .. });
                let again = one.delivery.attempt.count() > 1;
                assert!(!before || ended || again, "S10 Lanes: {one:?} is sent before {earlier:?} has ended");
            }
        }
    }

    fn does(&mut self, act: &Act) {
        match act {
            Act::Answer(which, letters) => {
                let mut sending = self.flying.remove(*which);
                let answer = if letters.is_empty() {
                    let lanes = sending.ids().filter_map(|id| parcels()[self.ids.iter().position(|one| *one == id)?]);
                    self.quiet.extend(lanes.collect::<Vec<_>>());
                    Err(NoAnswer::Lost { cause: "lost".into() })
                } else {
                    let received = Time::from_millis(self.now);
                    Ok(Answer { status: 200, headers: Vec::new(), body: letters.clone(), received })
                };
                sending.heard(&mut self.life, answer);
                assert!(sending.request(&mut self.life).is_none());
            }
            Act::Time => {
                self.now += 600_000;
                self.quiet.clear();
            }
            Act::Crash => {
                self.crashed = true;
                for sending in std::mem::take(&mut self.flying) {
                    let lanes = sending.ids().filter_map(|id| parcels()[self.ids.iter().position(|one| *one == id)?]);
                    self.quiet.extend(lanes);
                }
                self.store.crash(Fate::LoseAll);
                self.store = self.store.reopen().unwrap();
                self.life = open(&self.store, self.now);
            }
            Act::Cancel(n) => {
                self.operated = true;
                drop(self.life.cancel(self.ids[*n]));
            }
            Act::Redrive(n) => {
                self.operated = true;
                drop(self.life.redrive(self.ids[*n], Redrive { time_to_live: None, may_duplicate: true }));
            }
        }
        self.turn();
    }

    /// Everything that may happen next.
    fn acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        for (which, sending) in self.flying.iter().enumerate() {
            acts.push(Act::Answer(which, Vec::new()));
            match sending.ids().count() {
                1 => acts.extend([b"y", b"b", b"n"].map(|letters| Act::Answer(which, letters.to_vec()))),
                _ => acts.extend(
                    [b"yy", b"yb", b"by", b"yn", b"ny", b"bb", b"bn", b"nn", b"ss"]
                        .map(|letters| Act::Answer(which, letters.to_vec())),
                ),
            }
        }
        let waits = (0..parcels().len()).any(|n| matches!(self.stored(n).delivery.state, State::Pending { .. }));
        if waits {
            acts.push(Act::Time);
        }
        if !self.crashed && !self.is_over() {
            acts.push(Act::Crash);
        }
        if !self.operated {
            for n in 0..parcels().len() {
                match self.stored(n).delivery.state {
                    State::Done { .. } => {}
                    State::Failed { .. } => acts.push(Act::Redrive(n)),
                    _ => acts.push(Act::Cancel(n)),
                }
            }
        }
        acts
    }

    fn is_over(&self) -> bool {
        let ended = |n| matches!(self.stored(n).delivery.state, State::Done { .. } | State::Failed { .. });
        (0..parcels().len()).all(ended)
    }

    /// What of it matters for what may come: attempts' numbers and absolute times do not.
    fn key(&self) -> String {
        let parcels: Vec<String> = (0..parcels().len()).map(|n| self.told(n)).collect();
        let flying: Vec<Vec<usize>> = self.flying.iter().map(|sending| self.numbers(sending)).collect();
        format!("{parcels:?} {flying:?} {:?} {} {}", self.quiet, self.crashed, self.operated)
    }

    fn numbers(&self, sending: &Sending) -> Vec<usize> {
        sending.ids().map(|id| self.ids.iter().position(|one| *one == id).unwrap()).collect()
    }

    fn told(&self, n: usize) -> String {
        let delivery = self.stored(n).delivery;
        let state = match delivery.state {
            State::Pending { due } => format!("Pending {}", due.as_millis() <= self.now),
            State::Sending { then, index, of, .. } => format!("Sending {then:?} {index}/{of}"),
            State::Failed { reason, in_doubt, .. } => format!("Failed {reason:?} {in_doubt}"),
            other => other.name().to_owned(),
        };
        let (at_most, tried) = (delivery.at_most.min(BATCH), delivery.attempt.count() > 0);
        // What may have arrived, and what was split, is bound to those that it was sent with.
        let bound = delivery.doubt || delivery.at_most < u32::MAX;
        let with = self.shared.get(&delivery.id).filter(|_| bound);
        let with: Vec<_> = with.into_iter().flatten().map(|id| self.ids.iter().position(|one| one == id)).collect();
        format!("{state} {} {at_most} {} {tried} {with:?}", delivery.spent, delivery.doubt)
    }
}

/// Every state that can be reached, and what leads where.
struct Graph {
    keys: Vec<String>,
    over: Vec<bool>,
    /// From, to, whether time passes, whether a healed world does it.
    edges: Vec<(usize, usize, bool, bool)>,
}

fn explored() -> Graph {
    let mut graph = Graph { keys: Vec::new(), over: Vec::new(), edges: Vec::new() };
    let (mut known, mut open) = (HashMap::new(), VecDeque::new());
    let first = Play::begin();
    known.insert(first.key(), 0);
    (graph.keys, graph.over) = (vec![first.key()], vec![first.is_over()]);
    open.push_back((0, first, Vec::<Act>::new()));
    while let Some((from, before, path)) = open.pop_front() {
        for act in before.acts() {
            let mut play = before.fork();
            let finals: Vec<bool> = (0..parcels().len()).map(|n| is_done(&play, n)).collect();
            play.does(&act);
            for (n, was_done) in finals.iter().enumerate() {
                assert!(!was_done || is_done(&play, n), "S2 Final is final: {path:?} then {act:?}");
                assert!(play.stored(n).replays, "S15 Replay: {path:?} then {act:?}");
            }
            let fresh = graph.keys.len();
            let to = *known.entry(play.key()).or_insert(fresh);
            if to == fresh {
                graph.keys.push(play.key());
                graph.over.push(play.is_over());
                let mut longer = path.clone();
                longer.push(act.clone());
                open.push_back((to, play, longer));
            }
            let healed = match &act {
                Act::Answer(_, letters) => !letters.is_empty() && letters.iter().all(|letter| *letter == b'y'),
                Act::Time => true,
                Act::Crash | Act::Cancel(_) | Act::Redrive(_) => false,
            };
            graph.edges.push((from, to, act == Act::Time, healed));
        }
    }
    graph
}

fn is_done(play: &Play, n: usize) -> bool {
    matches!(play.stored(n).delivery.state, State::Done { .. })
}

/// The states from which a healed world does not come to an end.
fn trapped(graph: &Graph) -> Vec<&String> {
    let mut back: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to, _, healed) in &graph.edges {
        if *healed {
            back.entry(*to).or_default().push(*from);
        }
    }
    let mut open: Vec<usize> = (0..graph.keys.len()).filter(|state| graph.over[*state]).collect();
    let mut ends: BTreeSet<usize> = open.iter().copied().collect();
    while let Some(state) = open.pop() {
        for from in back.get(&state).into_iter().flatten() {
            if ends.insert(*from) {
                open.push(*from);
            }
        }
    }
    (0..graph.keys.len()).filter(|state| !ends.contains(state)).map(|state| &graph.keys[state]).collect()
}

/// A state that comes back to itself without time passing, if there is one (Kahn's algorithm leaves the cycles over).
fn timeless_cycle(graph: &Graph) -> Option<&String> {
    let timeless: Vec<(usize, usize)> =
        graph.edges.iter().filter(|(.., time, _)| !time).map(|(from, to, ..)| (*from, *to)).collect();
    let mut into = vec![0_usize; graph.keys.len()];
    let mut out: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in timeless {
        into[to] += 1;
        out.entry(from).or_default().push(to);
    }
    let mut open: Vec<usize> = (0..into.len()).filter(|state| into[*state] == 0).collect();
    let mut sorted = 0;
    while let Some(state) = open.pop() {
        sorted += 1;
        for to in out.get(&state).into_iter().flatten() {
            into[*to] -= 1;
            if into[*to] == 0 {
                open.push(*to);
            }
        }
    }
    let left = into.iter().position(|count| *count > 0).filter(|_| sorted < into.len());
    left.map(|state| &graph.keys[state])
}

#[test]
fn every_interleaving_of_lanes_and_batches_keeps_order_and_ends() {
    let graph = explored();
    println!("lanes: {} states, {} edges", graph.keys.len(), graph.edges.len());
    assert_eq!(trapped(&graph), Vec::<&String>::new(), "L1 Progress");
    assert_eq!(timeless_cycle(&graph), None, "L1 Progress: it goes round without time passing");
    assert_eq!((graph.keys.len(), graph.edges.len()), bounds().1, "the model changed");
}
