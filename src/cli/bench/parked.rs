//! Millions of deliveries behind a credential that only a human can revive: their memory, and what they do to accepting.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cpu;
use super::deliver::AT_ONCE;
use super::event::SIZE;
use super::figures::Figures;
use super::grant;
use super::ground::{Ground, Kind};
use super::load::{self, Load};
use super::post::{Post, Record};
use super::process::Worker;
use super::scale::FULL;
use super::sink;
use super::spread::{Spread, float, rate};
use super::target::{ACCEPT_PARKED, PARKED};
use super::task::{self, Task};
use crate::cli::failure::Failure;
use crate::{Endpoint, Engine};

/// What the child is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    store: PathBuf,
    kind: Kind,
    parked: u64,
    accepts: u64,
    runs: usize,
    settle_ms: u64,
    cache_bytes: u64,
}

/// What it measured.
#[derive(Serialize, Deserialize)]
struct Told {
    resident_empty: Option<u64>,
    resident_half: Option<u64>,
    resident_full: Option<u64>,
    without: Vec<f64>,
    with: Vec<f64>,
}

/// The row `parked`. The engine is in a process of its own: what other rows left in the allocator does not count.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let scale = &ground.scale;
    let store = ground.store();
    let (runs, parked) = (scale.runs, scale.parked);
    // A tenth of what is parked is the most that the rate without them is measured on.
    let accepts = scale.accepts.min(parked.div_ceil(10)).div_ceil(float_count(runs));
    // The cache is a fixed cost, and is to weigh on fewer deliveries as it does on all of them.
    let cache_bytes = (CACHE.saturating_mul(parked) / FULL.parked).max(LEAST_CACHE);
    let order = Order {
        store: store.clone(),
        kind: ground.kind,
        parked,
        accepts,
        runs,
        settle_ms: scale.settle_ms,
        cache_bytes,
    };
    let mut worker = Worker::start(&Task::Parked(order))?;
    let told: Told = worker.told().await?;
    worker.kill()?;
    Ground::remove(&store)?;
    if let (Some(empty), Some(half), Some(full)) = (told.resident_empty, told.resident_half, told.resident_full) {
        figures.number("resident_empty_bytes", float(empty));
        figures.number("resident_parked_bytes", float(full));
        let mib = |bytes: u64| bytes >> 20;
        let further = float(full.saturating_sub(half)) * 2.0 / float(parked).max(1.0);
        figures.number("bytes_per_further_parked", further);
        let beside = format!(
            "{} MiB with {parked} parked, {} MiB empty, cache {} MiB; {further:.0} B for each of the second half",
            mib(full),
            mib(empty),
            mib(cache_bytes)
        );
        figures.line(PARKED, float(full.saturating_sub(empty)) / float(parked).max(1.0), beside);
    }
    let (without, with) = (Spread::of(told.without), Spread::of(told.with));
    figures.spread("accept_empty_per_s", without);
    figures.spread("accept_parked_per_s", with);
    let beside = format!("{:.0}/s with {parked} parked, {:.0}/s without", with.median, without.median);
    figures.line(ACCEPT_PARKED, with.median / without.median.max(1.0), beside);
    Ok(())
}

fn float_count(runs: usize) -> u64 {
    u64::try_from(runs).unwrap_or(1).max(1)
}

/// The child's part.
pub(super) async fn child(order: Order) -> Result<(), Failure> {
    let api = sink::url(([127, 0, 0, 1], 9).into(), "/");
    let endpoint = Endpoint::new(Post::new(api.clone()).bearer()).credential("dead");
    let builder = grant::builder(order.kind, &order.store)?.cache_bytes(order.cache_bytes);
    let engine = builder.credential("dead", grant::oauth(&api)).destination("parked", endpoint).open().await?;
    load::pause(order.settle_ms).await;
    let resident_empty = cpu::resident();
    let (mut without, mut with, mut next) = (Vec::new(), Vec::new(), 0);
    for _ in 0..order.runs {
        without.push(accept(&engine, &mut next, order.accepts).await?);
    }
    let mut resident = [None; 2];
    for (part, resident) in [order.parked / 2, order.parked].into_iter().zip(&mut resident) {
        let rest = part.saturating_sub(next);
        accept(&engine, &mut next, rest).await?;
        // What is only held for work in progress is let go.
        load::pause(order.settle_ms).await;
        *resident = cpu::resident();
    }
    let [resident_half, resident_full] = resident;
    let live = engine.counts().await?.live();
    if live != order.parked {
        return Err(Failure::new(format!("{live} deliveries are parked, and {} should be", order.parked)));
    }
    for _ in 0..order.runs {
        with.push(accept(&engine, &mut next, order.accepts).await?);
    }
    task::tell(&Told { resident_empty, resident_half, resident_full, without, with })?;
    engine.stop().await?;
    Ok(())
}

/// Accepts the next so many events; how many a second.
async fn accept(engine: &Engine, next: &mut u64, count: u64) -> Result<f64, Failure> {
    let (from, record) = (*next, Record::of(0));
    *next = from.saturating_add(count);
    let load = Load { events: from..*next, size: SIZE, at_once: AT_ONCE };
    let begun = record.watch.elapsed();
    load::submit(engine, "parked", &load, &record).await?;
    Ok(rate(count, record.watch.elapsed().saturating_sub(begun)))
}

/// The most that the target allows, with as many parked as it names.
const CACHE: u64 = 128 << 20;
const LEAST_CACHE: u64 = 8 << 20;
