//! A provider of three nodes, each of which learns of a token at a time of its own, and a user of the rules who keeps 64
//! requests in the air where the gate allows it.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test's own world: a panic in it is a failed test"
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use outlast_state::{
    Attempt, Batch, Choice, Credential, CredentialInput, Delivery, DeliveryId, Epoch, Evidence, Gate, Input, Offer,
    Policy, Proof, Receipt, Room, Seen, Span, Standard, Terms, Time, Token, Trouble, Verdict, Want, hash,
};

const ISSUED: Time = Time::from_millis(1_000_000);
const CONCURRENCY: u32 = 64;

/// When each node learns of the token.
pub(crate) struct Provider {
    nodes: [Time; 3],
}

impl Provider {
    /// Each between `least` and `most` after the minting, uniformly.
    pub(crate) fn uniform(seed: u64, least: u64, most: u64) -> Self {
        let at = |node: u64| ISSUED.after(Span::from_millis(least + hash(seed, node) % (most - least)));
        Provider { nodes: [at(1), at(2), at(3)] }
    }

    /// Two at once, the third late.
    pub(crate) fn late(millis: u64) -> Self {
        Provider { nodes: [ISSUED, ISSUED, ISSUED.after(Span::from_millis(millis))] }
    }

    pub(crate) fn slowest(&self) -> Time {
        self.nodes.into_iter().max().unwrap()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Due { delivery: usize },
    Answer { delivery: usize, sent: Time, accepted: bool },
}

/// One run: what was delivered and refused up to now.
pub(crate) struct Run {
    provider: Provider,
    seed: u64,
    drawn: u64,
    credential: Credential,
    gate: Gate,
    deliveries: Vec<Delivery>,
    ready: VecDeque<usize>,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    flying: u32,
    endless: bool,
    pub(crate) now: Time,
    pub(crate) refused: u64,
    pub(crate) delivered: u64,
}

impl Run {
    pub(crate) fn of(provider: Provider, backlog: usize, seed: u64) -> Self {
        let issued = CredentialInput::Authorised { issued: ISSUED, expires: Time::NEVER, ends: Time::NEVER };
        let terms = Terms::of(Span::from_secs(600));
        let credential = Credential::unauthorised(terms, ISSUED).step(issued, ISSUED);
        let Offer::Token(token) = credential.offer(ISSUED) else { panic!("it was just authorised") };
        let accepted = |id: usize| {
            let id = DeliveryId::from_u128(u128::from(hash(seed, id as u64)));
            Delivery::accepted(id, ISSUED, Time::NEVER, 10)
        };
        Run {
            provider,
            seed,
            drawn: 0,
            credential,
            gate: Gate::of(&token),
            deliveries: (0..backlog).map(accepted).collect(),
            ready: (0..backlog).collect(),
            events: BinaryHeap::new(),
            flying: 0,
            endless: false,
            now: ISSUED,
            refused: 0,
            delivered: 0,
        }
    }

    /// There is always one more to deliver.
    pub(crate) fn endless(self) -> Self {
        Run { endless: true, ..self }
    }

    pub(crate) fn until_all_done(mut self) -> Self {
        while self.delivered < self.deliveries.len() as u64 {
            self.turn();
        }
        self
    }

    pub(crate) fn delivered_between(mut self, from: Time, to: Time) -> u64 {
        while self.now < from {
            self.turn();
        }
        let before = self.delivered;
        while self.now < to {
            self.turn();
        }
        self.delivered - before
    }

    fn accept(&mut self) {
        let id = DeliveryId::from_u128(u128::from(self.draw()));
        self.ready.push_back(self.deliveries.len());
        self.deliveries.push(Delivery::accepted(id, self.now, Time::NEVER, 10));
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        hash(self.seed, self.drawn)
    }

    fn turn(&mut self) {
        let room = self.gate.room(self.now);
        if let Room::Open { requests, .. } = room {
            for _ in 0..requests.min(CONCURRENCY.saturating_sub(self.flying)) {
                if self.endless && self.ready.is_empty() {
                    self.accept();
                }
                let Some(delivery) = self.ready.pop_front() else { break };
                self.send(delivery);
            }
        }
        let next = self.events.peek().map(|Reverse((at, ..))| *at);
        match (self.gate.room(self.now), next) {
            (Room::From(at), Some(event)) if at < event && !self.ready.is_empty() => self.now = at,
            (Room::From(at), None) => self.now = at,
            _ => {
                let Reverse((at, _, event)) = self.events.pop().expect("something is under way");
                self.now = at;
                self.happen(event);
            }
        }
    }

    fn send(&mut self, delivery: usize) {
        let epoch = self.gate.epoch();
        let attempt = self.deliveries[delivery].attempt.next();
        let (by, batch) = (Time::NEVER, Batch::from_number(self.drawn));
        self.step(delivery, Input::Admitted { attempt, epoch, by, batch, index: 0, of: 1 });
        self.gate = self.gate.sent(epoch, self.now);
        self.flying += 1;
        let node = (self.draw() % 3) as usize;
        let there = self.now.after(Span::from_millis(30));
        let back = there.after(Span::from_millis(30 + self.draw() % 60));
        let accepted = self.provider.nodes[node] <= there;
        self.at(back, Event::Answer { delivery, sent: self.now, accepted });
    }

    fn at(&mut self, time: Time, event: Event) {
        let order = self.draw();
        self.events.push(Reverse((time, order, event)));
    }

    fn step(&mut self, delivery: usize, input: Input) {
        let before = self.deliveries[delivery];
        let after = before.step(input, self.now);
        assert_ne!(after, before, "{input:?}");
        self.deliveries[delivery] = after;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Due { delivery } => self.ready.push_back(delivery),
            Event::Answer { delivery, sent, accepted } => self.answered(delivery, sent, accepted),
        }
    }

    fn answered(&mut self, delivery: usize, sent: Time, accepted: bool) {
        let epoch = self.gate.epoch();
        let (evidence, fact, verdict) = if accepted {
            let verdict = Verdict::Accepted { receipt: Receipt { status: 201 } };
            (Evidence::Accepted, CredentialInput::Accepted { epoch, sent }, verdict)
        } else {
            (Evidence::Refused, CredentialInput::TokenRefused { epoch, sent }, Verdict::TokenRefused)
        };
        self.flying -= 1;
        self.gate = self.gate.answered(epoch, sent, evidence, self.now);
        self.credential = self.credential.step(fact, self.now);
        let seen = self.credential.seen(epoch, sent, self.now);
        let choice = self.choose(delivery, epoch, seen);
        let attempt: Attempt = self.deliveries[delivery].attempt;
        self.step(delivery, Input::Answered { attempt, verdict, seen, choice });
        match self.deliveries[delivery].wants() {
            Want::Admission { from } => {
                self.refused += 1;
                self.at(from, Event::Due { delivery });
            }
            Want::Nothing => {
                self.delivered += 1;
                if self.endless {
                    let id = self.deliveries[delivery].id;
                    self.deliveries[delivery] = Delivery::accepted(id, self.now, Time::NEVER, 10);
                    self.ready.push_back(delivery);
                }
            }
            other => panic!("a young token is never given up for a refusal: {other:?}"),
        }
    }

    fn choose(&self, delivery: usize, epoch: Epoch, seen: Seen) -> Choice {
        let refusals = match seen.proof {
            Proof::Never => 0,
            Proof::Accepted { refusals, .. } => refusals,
        };
        let age = self.credential.token(epoch).as_ref().map_or(Span::ZERO, |token: &Token| token.age(self.now));
        Standard::default().choose(&self.deliveries[delivery], Trouble::TokenRefused { age, refusals }, self.now)
    }
}
