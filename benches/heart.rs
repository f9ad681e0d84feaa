//! The driver's heart: what a turn costs for each delivery that it takes in, and what it costs when nothing happens. No store
//! and no network are in it; a turn's writes are made and dropped.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the machine's own clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use outlast::destination::{Conclusion, Conversation, Destination, Turn};
use outlast::exchange::{Answer, Method, Request};
use outlast::oauth::Profile;
use outlast::state::{Receipt, Time, Verdict};
use outlast::store::memory::MemoryStore;
use outlast::verify::{Deed, Life, Sending};
use outlast::{Endpoint, Engine, OAuth, Parcel, Secret};

const START: u64 = 1_780_000_000_000;

/// So many deliveries are taken in by a turn.
const MANY: u32 = 256;

/// Whoever answers has taken it.
struct Taken;

impl Destination for Taken {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        if conversation.so_far.is_empty() {
            return Turn::Ask(Request::new(Method::Post, "https://api.example/".parse().expect("it is a URL")));
        }
        let verdict = Verdict::Accepted { receipt: Receipt { status: 201 } };
        Turn::Conclude(vec![Conclusion::new(verdict, "")])
    }
}

fn life(credentials: usize) -> Life {
    let mut builder = Life::describe(Engine::builder("unused"));
    let endpoint = || Endpoint::new(Taken).concurrency(MANY);
    builder = builder.destination("healthy", endpoint());
    for number in 0..credentials {
        let oauth = OAuth::new(Profile::linkedin(), "client", Secret::new("secret"));
        builder = builder.credential(format!("c{number}"), oauth);
        builder = builder.destination(format!("d{number}"), endpoint().credential(format!("c{number}")));
    }
    Life::open(builder, Arc::new(MemoryStore::new()), 1, Time::from_millis(START)).expect("an empty store opens")
}

fn submit(life: &mut Life, to: &str, many: u32) {
    for _ in 0..many {
        let parcel = Parcel::to(to).bytes(vec![b'x'; 600]);
        drop(life.submit(parcel));
    }
}

/// A turn, whose writes are dropped: how long it took, and the requests that it wants.
fn turn(life: &mut Life, now: u64) -> (Duration, Vec<Sending>) {
    let begun = Instant::now();
    let mut step = life.turn(Time::from_millis(now));
    let took = begun.elapsed();
    black_box(&step.writes);
    let (opened, mut sends) = (life.opened(), Vec::new());
    while let Some(deed) = life.next_deed(&mut step, opened) {
        if let Deed::Send(sending) = deed {
            sends.push(*sending);
        }
    }
    (took, sends)
}

fn answer(life: &mut Life, sends: Vec<Sending>) {
    for mut sending in sends {
        assert!(sending.request(life).is_some(), "it asks");
        let answer = Answer { status: 201, headers: Vec::new(), body: Vec::new(), received: Time::from_millis(START) };
        sending.heard(life, Ok(answer));
        assert!(sending.request(life).is_none(), "it has concluded");
    }
}

/// A life with so many deliveries behind a credential that nobody authorised.
fn parked(many: u32) -> Life {
    let mut life = life(1);
    for _ in 0..many / 1_000 {
        submit(&mut life, "d0", 1_000);
        assert!(turn(&mut life, START).1.is_empty(), "they are parked");
    }
    life
}

/// Many deliveries are accepted and admitted in a turn, answered, and taken in by another: how long both turns took.
fn round(life: &mut Life, now: u64) -> [Duration; 2] {
    submit(life, "healthy", MANY);
    let (admitting, sends) = turn(life, now);
    assert_eq!(sends.len(), usize::try_from(MANY).unwrap_or_default(), "each has left");
    answer(life, sends);
    [admitting, turn(life, now).0]
}

fn busy(criterion: &mut Criterion) {
    for (name, many) in [("nothing else", 0), ("100000 parked", 100_000)] {
        let mut group = criterion.benchmark_group(format!("heart/a turn of {MANY} deliveries, {name}"));
        group.throughput(Throughput::Elements(MANY.into()));
        let (mut life, mut times) = (parked(many), START..);
        for (which, turn) in ["accepted and admitted", "answered"].into_iter().enumerate() {
            group.bench_function(turn, |bencher| {
                bencher.iter_custom(|rounds| {
                    let took = (0..rounds).zip(&mut times).map(|(_, now)| round(&mut life, now));
                    took.map(|[admitted, answered]| if which == 0 { admitted } else { answered }).sum()
                });
            });
        }
        group.finish();
    }
}

fn idle(criterion: &mut Criterion) {
    let (mut life, mut times) = (life(50_000), START..);
    criterion.bench_function("heart/a turn of nothing, 50000 credentials", |bencher| {
        bencher.iter(|| times.next().map(|now| black_box(life.turn(Time::from_millis(now)))));
    });
}

criterion_group!(benches, busy, idle);
criterion_main!(benches);
