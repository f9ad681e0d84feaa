//! Durable deliveries beside the same client without durability: the throughput, with and without latency; the processor;
//! the syncs.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::cpu;
use super::event::SIZE;
use super::figures::Figures;
use super::ground::{Ground, Kind};
use super::load::{self, Load};
use super::post::{Post, Record};
use super::sink;
use super::spread::{Sorted, Spread, float, rate};
use super::svg::{self, Picture};
#[cfg(feature = "redb")]
use super::target::RATIO_REDB;
use super::target::{CPU, RATIO_20MS, RATIO_SLED, SYNCS};
use super::task;
use crate::Endpoint;
use crate::cli::failure::Failure;
use crate::clock::Stopwatch;

/// How many callers, and how many requests in flight, there are at once.
pub(super) const AT_ONCE: u32 = 256;

/// What one run took.
pub(super) struct Run {
    pub(super) took: Duration,
    pub(super) cpu: Duration,
    pub(super) syncs: u64,
    pub(super) commits: u64,
    pub(super) record: Arc<Record>,
}

/// Runs and baselines in turn, each run beside its own baseline.
pub(super) struct Pairs {
    pub(super) load: Load,
    pub(super) runs: Vec<Run>,
    pub(super) baselines: Vec<Run>,
}

impl Pairs {
    fn deliveries(&self) -> f64 {
        float(self.load.events.end)
    }

    /// A figure of the runs, or of the baselines.
    fn each(runs: &[Run], figure: impl Fn(&Run) -> f64) -> Spread {
        Spread::of(runs.iter().map(figure))
    }

    /// A figure of each run beside its baseline.
    fn both(&self, figure: impl Fn(&Run, &Run) -> f64) -> Spread {
        Spread::of(self.runs.iter().zip(&self.baselines).map(|(run, baseline)| figure(run, baseline)))
    }

    pub(super) fn ratio(&self) -> Spread {
        self.both(|run, baseline| baseline.took.as_secs_f64() / run.took.as_secs_f64())
    }

    /// Deliveries a second, with the engine and without.
    pub(super) fn rates(&self) -> (Spread, Spread) {
        let per_second = |run: &Run| rate(self.load.events.end, run.took);
        (Self::each(&self.runs, per_second), Self::each(&self.baselines, per_second))
    }
}

/// The row `deliver`, and its middle run as a picture.
pub(super) async fn throughput(ground: &Ground, figures: &mut Figures, picture: Option<&Path>) -> Result<(), Failure> {
    let mut pairs = pairs(ground, "/", load(ground)).await?;
    let (delivered, baseline) = pairs.rates();
    figures.spread("deliver_per_s", delivered);
    figures.spread("baseline_per_s", baseline);
    let target = match ground.kind {
        Kind::Sled => RATIO_SLED,
        #[cfg(feature = "redb")]
        Kind::Redb => RATIO_REDB,
    };
    figures.spread_line(target, pairs.ratio(), beside(delivered, baseline));
    let micros = |run: &Run| run.cpu.as_secs_f64() * 1e6 / pairs.deliveries();
    let (engine, client) = (Pairs::each(&pairs.runs, micros), Pairs::each(&pairs.baselines, micros));
    figures.spread("cpu_us_engine", engine);
    figures.spread("cpu_us_baseline", client);
    let beyond = pairs.both(|run, baseline| micros(run) - micros(baseline));
    figures.spread_line(
        CPU,
        beyond,
        format!("{:.1} µs with the engine, {:.1} µs without", engine.median, client.median),
    );
    let per_1000 = |count: u64| float(count) * 1000.0 / pairs.deliveries();
    let syncs = Pairs::each(&pairs.runs, |run| per_1000(run.syncs));
    let commits = Pairs::each(&pairs.runs, |run| per_1000(run.commits));
    figures.spread("commits_per_1000", commits);
    figures.spread_line(SYNCS, syncs, format!("{:.1} commits, in the runs of the first row", commits.median));
    pairs.runs.sort_by_key(|run| run.took);
    match (picture, pairs.runs.get(pairs.runs.len() / 2)) {
        (Some(path), Some(run)) => draw(path, ground, &pairs.load, run, baseline.median),
        _ => Ok(()),
    }
}

fn draw(path: &Path, ground: &Ground, load: &Load, run: &Run, baseline: f64) -> Result<(), Failure> {
    let latency = Sorted::millis(run.record.delivering());
    let subtitle = format!(
        "{} events of {SIZE} bytes, {AT_ONCE} at once, {:.0} per second; the client alone: {baseline:.0} per second. Submit to \
         delivery: median {:.1} ms, 99th percentile {:.1} ms.",
        load.events.end,
        rate(load.events.end, run.took),
        latency.at(0.5),
        latency.at(0.99)
    );
    let title = format!("Durable deliveries, accepted and delivered at once, store {}", ground.kind.name());
    let deliveries = run.record.deliveries();
    let picture = Picture { title: &title, subtitle: &subtitle, deliveries: &deliveries, baseline };
    fs::write(path, svg::draw(&picture))
        .map_err(|why| Failure::usage(format!("--svg: {} cannot be written: {why}", path.display())))
}

/// The row `latency`.
pub(super) async fn latency(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let pairs = pairs(ground, "/after/20", load(ground)).await?;
    let (delivered, baseline) = pairs.rates();
    figures.spread("deliver_20ms_per_s", delivered);
    figures.spread("baseline_20ms_per_s", baseline);
    figures.spread_line(RATIO_20MS, pairs.ratio(), beside(delivered, baseline));
    Ok(())
}

fn load(ground: &Ground) -> Load {
    Load { events: 0..ground.scale.deliveries, size: SIZE, at_once: AT_ONCE }
}

fn beside(delivered: Spread, baseline: Spread) -> String {
    format!(
        "{:.0}/s ({:.0} to {:.0}) beside {:.0}/s ({:.0} to {:.0})",
        delivered.median, delivered.min, delivered.max, baseline.median, baseline.min, baseline.max
    )
}

/// Measures in turn: who begins changes each time, so that neither has the warmer machine.
pub(super) async fn pairs(ground: &Ground, path: &str, load: Load) -> Result<Pairs, Failure> {
    let (_sink, address) = task::sink().await?;
    let warm = Load { events: 0..load.events.end.div_ceil(10), ..load.clone() };
    drop(with_engine(ground, address, path, &warm).await?);
    drop(without(address, path, &warm).await?);
    let mut pairs = Pairs { load, runs: Vec::new(), baselines: Vec::new() };
    for turn in 0..ground.scale.runs {
        if turn % 2 == 0 {
            pairs.baselines.push(without(address, path, &pairs.load).await?);
            pairs.runs.push(with_engine(ground, address, path, &pairs.load).await?);
        } else {
            pairs.runs.push(with_engine(ground, address, path, &pairs.load).await?);
            pairs.baselines.push(without(address, path, &pairs.load).await?);
        }
    }
    Ok(pairs)
}

/// From the first submit until all are durably `Done`.
async fn with_engine(ground: &Ground, address: SocketAddr, path: &str, load: &Load) -> Result<Run, Failure> {
    let (store, record) = (ground.store(), Record::of(load.events.end));
    let post = Post::new(sink::url(address, path)).record(&record);
    let endpoint = Endpoint::new(post).concurrency(load.at_once);
    let engine = ground.kind.builder(&store).destination("sink", endpoint).open().await?;
    let before = engine.store_figures().await?;
    let (watch, cpu) = (record.watch, cpu::used());
    let begun = watch.elapsed();
    load::submit(&engine, "sink", load, &record).await?;
    load::all_done(&engine, &record).await?;
    let took = watch.elapsed().saturating_sub(begun);
    let cpu = cpu::since(cpu);
    let after = engine.store_figures().await?;
    let (syncs, commits) = (after.syncs.saturating_sub(before.syncs), after.commits.saturating_sub(before.commits));
    engine.stop().await?;
    Ground::remove(&store)?;
    Ok(Run { took, cpu, syncs, commits, record })
}

pub(super) async fn without(address: SocketAddr, path: &str, load: &Load) -> Result<Run, Failure> {
    let url = sink::url(address, path);
    let (watch, cpu) = (Stopwatch::start(), cpu::used());
    load::post(&url, load).await?;
    Ok(Run { took: watch.elapsed(), cpu: cpu::since(cpu), syncs: 0, commits: 0, record: Record::of(0) })
}
