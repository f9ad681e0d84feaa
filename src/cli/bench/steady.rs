//! What an everyday load costs: the processor at a steady 200 deliveries a second.

use std::sync::Arc;
use std::time::Duration;

use super::accept;
use super::cpu;
use super::deliver::AT_ONCE;
use super::event::{SIZE, event};
use super::figures::{Figures, number};
use super::ground::Ground;
use super::load::{self, Failed};
use super::post::{Post, Record};
use super::scale::Scale;
use super::sink;
use super::spread::{Sorted, float};
use super::target::STEADY;
use super::task;
use crate::Endpoint;
use crate::cli::failure::Failure;

const PER_SECOND: u32 = 200;

/// The row `steady`: the engine's processor time, and the client's alone at the same rate beside it.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let (_sink, address) = task::sink().await?;
    let url = sink::url(address, "/");
    let (store, count) = (ground.store(), ground.scale.arrivals(PER_SECOND));
    let client = per_1000(client_alone(&url, count, &ground.scale).await?, count);
    let record = Record::of(count);
    let endpoint = Endpoint::new(Post::new(url).record(&record)).concurrency(AT_ONCE);
    let engine = ground.kind.builder(&store).destination("sink", endpoint).open().await?;
    ground.scale.settle().await;
    let before = cpu::used();
    accept::arrivals(&engine, "sink", 0..count, PER_SECOND, &record).await?;
    load::all_done(&engine, &record).await?;
    let cost = per_1000(cpu::since(before), count);
    let delivering = Sorted::millis(record.delivering());
    engine.stop().await?;
    Ground::remove(&store)?;
    figures.number("cpu_s_per_1000_steady_baseline", client);
    figures.number("steady_delivered_p50_ms", delivering.at(0.5));
    figures.number("steady_delivered_p99_ms", delivering.at(0.99));
    let [half, most] = [delivering.at(0.5), delivering.at(0.99)].map(number);
    let beside = format!("{client:.3} s by the client alone; at the API after {half} ms, p99 {most} ms");
    figures.line(STEADY, cost, beside);
    Ok(())
}

async fn client_alone(url: &url::Url, count: u64, scale: &Scale) -> Result<Duration, Failure> {
    let (http, failed, record) = (load::client()?, Failed::default(), Record::of(0));
    scale.settle().await;
    let before = cpu::used();
    load::steadily(0..count, PER_SECOND, &record, |number| {
        let (http, url, failed) = (Arc::clone(&http), url.clone(), failed.clone());
        async move { load::post_one(&http, &url, &event(number, SIZE), &failed).await }
    })
    .await;
    failed.into_result()?;
    Ok(cpu::since(before))
}

fn per_1000(cpu: Duration, count: u64) -> f64 {
    cpu.as_secs_f64() * 1000.0 / float(count).max(1.0)
}
