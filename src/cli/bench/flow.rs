//! One dead, one mute, one slow and one healthy destination in one engine: what the sick ones take from the healthy one, and
//! what they hold (L4). All begin healthy, so that each credential's gate is wide open when three fall sick.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use url::Url;

use super::accept;
use super::cpu;
use super::deliver::AT_ONCE;
use super::event::SIZE;
use super::figures::{Figures, number};
use super::grant;
use super::ground::Ground;
use super::load::{self, Load};
use super::post::{Post, Record};
use super::sink::{self, Manner, Sink};
use super::spread::{Sorted, float, rate};
use super::target::FLOW;
use crate::cli::failure::Failure;
use crate::{Endpoint, Engine};

/// The steady rate of the healthy destination.
const PER_SECOND: u32 = 300;

/// How many requests each destination may have in flight.
const CONCURRENCY: u32 = 64;

/// The sick ones: nobody listens, nobody answers, an answer takes two seconds.
const SICK: [&str; 3] = ["dead", "mute", "slow"];

/// The APIs. In this process, so that their connections can be counted.
struct Apis {
    healthy: Sink,
    dead: Sink,
    mute: Sink,
    slow: Sink,
}

impl Apis {
    async fn start() -> std::io::Result<Self> {
        let [healthy, dead, mute, slow] =
            [Sink::start().await?, Sink::start().await?, Sink::start().await?, Sink::start().await?];
        Ok(Apis { healthy, dead, mute, slow })
    }

    fn url(&self, name: &str) -> Url {
        let sink = match name {
            "dead" => &self.dead,
            "mute" => &self.mute,
            "slow" => &self.slow,
            _ => &self.healthy,
        };
        sink::url(sink.address, "/")
    }

    /// Three fall sick.
    fn fall_sick(&self) {
        self.dead.close();
        self.mute.turn(Manner::Never);
        self.slow.turn(Manner::After(Duration::from_secs(2)));
    }
}

/// How the healthy destination fared.
struct Fared {
    per_s: f64,
    delivering: Sorted,
}

/// From here on event numbers are beyond every record.
const UNNOTED: u64 = 900_000_000_000;

/// So many deliveries each credential has behind it when it begins.
const FIRST: u64 = 500;

/// What one of them held at most.
#[derive(Default)]
struct Most {
    requests: u64,
    connections: u64,
}

impl Most {
    fn see(&mut self, sink: &Sink) {
        self.requests = self.requests.max(sink.in_flight());
        self.connections = self.connections.max(sink.open());
    }
}

/// What the sick destinations held at most.
#[derive(Default)]
struct Held {
    mute: Most,
    slow: Most,
    resident: u64,
}

/// The row `flow`.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let (alone, before) = with(ground, &[]).await?;
    let (beside, held) = with(ground, &SICK).await?;
    let grown = held.resident.saturating_sub(before.resident);
    figures.number("flow_alone_per_s", alone.per_s);
    figures.number("flow_beside_per_s", beside.per_s);
    figures.number("flow_alone_p99_ms", alone.delivering.at(0.99));
    figures.number("flow_beside_p99_ms", beside.delivering.at(0.99));
    for (name, most) in [("mute", &held.mute), ("slow", &held.slow)] {
        figures.number(&format!("flow_{name}_requests"), float(most.requests));
        figures.number(&format!("flow_{name}_connections"), float(most.connections));
    }
    figures.number("flow_memory_bytes", float(grown));
    let [p99, p99_alone] = [beside.delivering.at(0.99), alone.delivering.at(0.99)].map(number);
    let beside_words = format!(
        "{:.0}/s beside {:.0}/s alone; at the API after {p99} ms, p99, {p99_alone} ms alone; of {CONCURRENCY} requests the \
         mute one held {}, the slow one {}; {} MiB more",
        beside.per_s,
        alone.per_s,
        held.mute.requests,
        held.slow.requests,
        grown >> 20
    );
    figures.line(FLOW, beside.per_s / alone.per_s.max(1e-9), beside_words);
    Ok(())
}

/// Measures the healthy one while these have more to do than they can.
async fn with(ground: &Ground, sick: &[&str]) -> Result<(Fared, Held), Failure> {
    let apis = Apis::start().await.map_err(|why| Failure::new(format!("the sink cannot listen: {why}")))?;
    let (store, scale) = (ground.store(), &ground.scale);
    let steady = scale.arrivals(PER_SECOND);
    let record = Record::of(steady.saturating_add(scale.deliveries));
    let names = || sick.iter().copied().chain(["healthy"]);
    let mut builder = grant::builder(ground.kind, &store)?;
    for name in names() {
        let api = apis.url(name);
        let post = Post::new(api.clone()).bearer().record(&record);
        let endpoint = Endpoint::new(post).credential(name).concurrency(CONCURRENCY);
        builder = builder.credential(name, grant::oauth(&api)).destination(name, endpoint);
    }
    let engine = builder.open().await?;
    grant::authorise(&engine, names().map(str::to_owned)).await?;
    let unnoted = |count: u64| Load { events: UNNOTED..UNNOTED.saturating_add(count), size: SIZE, at_once: AT_ONCE };
    for name in names() {
        load::submit(&engine, name, &unnoted(FIRST), &record).await?;
    }
    load::none_live(&engine).await?;
    apis.fall_sick();
    for name in sick {
        load::submit(&engine, name, &unnoted(scale.released.div_ceil(5)), &record).await?;
    }
    let over = CancellationToken::new();
    let (fared, held) = tokio::join!(fare(&engine, &record, steady, over.clone()), hold(&apis, over));
    engine.stop_within(outlast_state::Span::ZERO).await?;
    Ground::remove(&store)?;
    Ok((fared?, held))
}

/// A steady rate first, for the latency; then as many as there can be, for the throughput.
async fn fare(engine: &Engine, record: &Arc<Record>, steady: u64, over: CancellationToken) -> Result<Fared, Failure> {
    let _over = over.drop_guard();
    accept::arrivals(engine, "healthy", 0..steady, PER_SECOND, record).await?;
    load::delivered(engine, record, steady).await?;
    let delivering = Sorted::millis(record.delivering());
    let begun = record.watch.elapsed();
    let load = Load { events: steady..record.count(), size: SIZE, at_once: AT_ONCE };
    load::submit(engine, "healthy", &load, record).await?;
    load::all_delivered(engine, record).await?;
    let took = record.watch.elapsed().saturating_sub(begun);
    Ok(Fared { per_s: rate(record.count().saturating_sub(steady), took), delivering })
}

/// Looks now and then what is held.
async fn hold(apis: &Apis, over: CancellationToken) -> Held {
    let mut held = Held::default();
    while crate::clock::wait(Duration::from_millis(50), &over).await {
        held.mute.see(&apis.mute);
        held.slow.see(&apis.slow);
        held.resident = held.resident.max(cpu::resident().unwrap_or(0));
    }
    held
}
