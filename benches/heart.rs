//! The driver's heart: what a turn costs for each delivery that it takes in, and what it costs when nothing happens. No store
//! and no network are in it; a turn's writes are made and dropped.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use outlast::destination::{Conclusion, Conversation, Destination, Turn};
use outlast::exchange::{Answer, Method, Request};
use outlast::oauth::Profile;
use outlast::state::{Receipt, Span, Time, Verdict};
use outlast::store::Store;
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
        Turn::Conclude(vec![Conclusion { verdict, detail: String::new() }])
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

/// A turn, whose writes are dropped, and the requests that it wants.
fn turn(life: &mut Life, now: u64) -> Vec<Sending> {
    let mut step = life.turn(Time::from_millis(now));
    black_box(&step.writes);
    let (opened, mut sends) = (life.opened(), Vec::new());
    while let Some(deed) = life.next_deed(&mut step, opened) {
        if let Deed::Send(sending) = deed {
            sends.push(*sending);
        }
    }
    sends
}

fn answer(life: &mut Life, sends: Vec<Sending>) {
    for mut sending in sends {
        assert!(sending.request(life).is_some(), "it asks");
        let answer = Answer { status: 201, headers: Vec::new(), body: Vec::new(), received: Time::from_millis(START) };
        sending.heard(life, Ok(answer));
        assert!(sending.request(life).is_none(), "it has concluded");
    }
}

/// So many deliveries behind credentials that nobody authorised.
fn parked(many: u32) -> Life {
    let mut life = life(1);
    let store = MemoryStore::new();
    for _ in 0..many / 1_000 {
        submit(&mut life, "d0", 1_000);
        assert!(turn(&mut life, START).is_empty(), "they are parked");
    }
    drop(store.close());
    life
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (name, many) in [("nothing else", 0), ("100000 parked", 100_000)] {
        let mut group = criterion.benchmark_group(format!("a turn of {MANY} deliveries, {name}"));
        group.throughput(Throughput::Elements(MANY.into()));
        let mut life = parked(many);
        let mut now = START;
        group.bench_function("accepted and admitted", |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    now += 1;
                    submit(&mut life, "healthy", MANY);
                    let begun = std::time::Instant::now();
                    let mut step = life.turn(Time::from_millis(now));
                    spent += begun.elapsed();
                    let (opened, mut sends) = (life.opened(), Vec::new());
                    while let Some(deed) = life.next_deed(&mut step, opened) {
                        if let Deed::Send(sending) = deed {
                            sends.push(*sending);
                        }
                    }
                    assert_eq!(sends.len(), 256, "each has left");
                    answer(&mut life, sends);
                    turn(&mut life, now);
                }
                spent
            });
        });
        group.bench_function("answered", |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    now += 1;
                    submit(&mut life, "healthy", MANY);
                    let sends = turn(&mut life, now);
                    answer(&mut life, sends);
                    let begun = std::time::Instant::now();
                    black_box(life.turn(Time::from_millis(now)));
                    spent += begun.elapsed();
                }
                spent
            });
        });
        group.finish();
    }
    let mut life = life(50_000);
    let mut now = START;
    criterion.bench_function("a turn of nothing, 50000 credentials", |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                now += 1;
                black_box(life.turn(Time::from_millis(now).after(Span::ZERO)));
            },
            BatchSize::SmallInput,
        );
    });
    criterion.final_summary();
}
