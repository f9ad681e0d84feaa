//! How the cost of a delivery grows: with the number of callers, the size of an event, what is live beside it, and the
//! number of credentials. One figure is a point; what matters is where it bends.

use std::time::Duration;

use serde::Serialize;

use super::cpu;
use super::deliver::{self, AT_ONCE};
use super::event::SIZE;
use super::figures::{Figures, number};
use super::grant;
use super::ground::Ground;
use super::load::{self, Load};
use super::post::{Post, Record};
use super::sink;
use super::spread::{Sorted, float, rate};
use super::task;
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::{Builder, Endpoint};

/// One point of a curve.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Point {
    at: u64,
    deliver_per_s: f64,
    /// Where there is a baseline that changes along the curve.
    baseline_per_s: Option<f64>,
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// A setting in which deliveries are measured.
struct Setting {
    load: Load,
    /// So many are parked beside them.
    live: u64,
    /// Over so many credentials they are spread, each with a destination; 0: one destination without.
    credentials: u64,
}

/// Measures all four.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let scale = &ground.scale;
    let events = 0..scale.deliveries;
    let load = |size, at_once| Load { events: events.clone(), size, at_once };
    let plain = |load| Setting { load, live: 0, credentials: 0 };
    let (mut concurrency, mut size, mut live, mut credentials) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for at_once in [1, 16, 64, 256, 1024] {
        concurrency.push(point(ground, u64::from(at_once), &plain(load(SIZE, at_once)), true).await?);
    }
    for bytes in [100, 600, 4 * 1024, 32 * 1024] {
        let at = u64::try_from(bytes).unwrap_or(u64::MAX);
        size.push(point(ground, at, &plain(load(bytes, AT_ONCE)), true).await?);
    }
    for parked in [0, 10_000, 100_000, 1_000_000].map(|count: u64| count.min(scale.live)) {
        if live.last().is_none_or(|last: &Point| last.at < parked) {
            let setting = Setting { live: parked, ..plain(load(SIZE, AT_ONCE)) };
            live.push(point(ground, parked, &setting, false).await?);
        }
    }
    for count in [1, 100, 10_000].map(|count: u64| count.min(scale.credentials)) {
        if credentials.last().is_none_or(|last: &Point| last.at < count) {
            let setting = Setting { credentials: count, ..plain(load(SIZE, AT_ONCE)) };
            credentials.push(point(ground, count, &setting, false).await?);
        }
    }
    let curves = [
        ("concurrency", "callers and requests at once", concurrency),
        ("event_bytes", "bytes of an event", size),
        ("live", "parked beside them", live),
        ("credentials", "credentials", credentials),
    ];
    figures.curves(curves);
    Ok(())
}

/// The median run of as many as the scale has, by its rate.
async fn point(ground: &Ground, at: u64, setting: &Setting, beside: bool) -> Result<Point, Failure> {
    let (_sink, address) = task::sink().await?;
    let url = sink::url(address, "/");
    let (mut points, mut baselines) = (Vec::new(), Vec::new());
    for _ in 0..ground.scale.runs {
        if beside {
            let run = deliver::without(address, "/", &setting.load).await?;
            baselines.push(rate(setting.load.events.end, run.took));
        }
        points.push(measure(ground, &url, at, setting).await?);
    }
    points.sort_by(|one, other| one.deliver_per_s.total_cmp(&other.deliver_per_s));
    let middle = points.len() / 2;
    let point = points.into_iter().nth(middle);
    let baseline_per_s = beside.then(|| Sorted::of(baselines).at(0.5));
    point.map(|point| Point { baseline_per_s, ..point }).ok_or_else(|| Failure::new("a curve without a run"))
}

async fn measure(ground: &Ground, url: &url::Url, at: u64, setting: &Setting) -> Result<Point, Failure> {
    let (store, record, count) = (ground.store(), Record::of(setting.load.events.end), setting.load.events.end);
    let engine = described(ground, &store, url, setting, &record)?.open().await?;
    grant::authorise(&engine, (0..setting.credentials).map(name)).await?;
    let parked = Load { events: 0..setting.live, size: SIZE, at_once: AT_ONCE };
    load::submit(&engine, "parked", &parked, &Record::of(0)).await?;
    let (begun, cpu) = (record.watch.elapsed(), cpu::used());
    let spread = setting.credentials.max(1);
    let to = move |number: u64| name(number.checked_rem(spread).unwrap_or(0));
    load::submit_to(&engine, to, &setting.load, &record).await?;
    load::all_delivered(&engine, &record).await?;
    load::live_at_most(&engine, setting.live).await?;
    let took = record.watch.elapsed().saturating_sub(begun);
    let cpu = cpu::since(cpu);
    engine.stop().await?;
    Ground::remove(&store)?;
    let latency = Sorted::millis(record.delivering());
    Ok(Point {
        at,
        deliver_per_s: rate(count, took),
        baseline_per_s: None,
        cpu_us: micros(cpu) / float(count).max(1.0),
        p50_ms: latency.at(0.5),
        p99_ms: latency.at(0.99),
    })
}

fn described(
    ground: &Ground,
    store: &std::path::Path,
    url: &url::Url,
    setting: &Setting,
    record: &std::sync::Arc<Record>,
) -> Result<Builder, Failure> {
    let mut builder = grant::builder(ground.kind, store)?.credential("dead", grant::oauth(url));
    builder = builder.destination("parked", Endpoint::new(Post::new(url.clone()).bearer()).credential("dead"));
    let endpoint = |post: Post| Endpoint::new(post.record(record)).concurrency(setting.load.at_once);
    if setting.credentials == 0 {
        return Ok(builder.destination(name(0), endpoint(Post::new(url.clone()))));
    }
    for number in 0..setting.credentials {
        let endpoint = endpoint(Post::new(url.clone()).bearer()).credential(name(number));
        builder = builder.credential(name(number), grant::oauth(url)).destination(name(number), endpoint);
    }
    Ok(builder)
}

fn name(number: u64) -> String {
    format!("c{number}")
}

fn micros(cpu: Duration) -> f64 {
    cpu.as_secs_f64() * 1e6
}

/// A curve for people.
pub(super) fn tell(words: &str, points: &[Point]) -> Result<(), Failure> {
    print::line(&format!("\n{words}:"))?;
    let cells = |point: &Point| {
        let baseline = point.baseline_per_s.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
        let ratio = point.baseline_per_s.map_or_else(|| "-".to_owned(), |rate| number(point.deliver_per_s / rate));
        let [cpu, half, most] = [point.cpu_us, point.p50_ms, point.p99_ms].map(number);
        [point.at.to_string(), format!("{:.0}", point.deliver_per_s), baseline, ratio, cpu, half, most]
    };
    let rows: Vec<[String; 7]> = points.iter().map(cells).collect();
    print::table(["at", "delivered/s", "client alone/s", "ratio", "processor µs", "p50 ms", "p99 ms"], &rows)
}
