//! Many credentials, each with a destination and little to do: what their number costs, at work and at rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::cpu;
use super::event::{SIZE, event};
use super::figures::{Figures, number};
use super::grant;
use super::ground::Ground;
use super::load::{self, Failed};
use super::post::{Post, Record};
use super::scale::Scale;
use super::sink;
use super::spread::Sorted;
use super::target::CREDENTIALS;
use super::task;
use crate::cli::failure::Failure;
use crate::clock::Stopwatch;
use crate::{Endpoint, Parcel};

/// What so many credentials cost.
struct Cost {
    /// Of a core, at work and at rest.
    busy: f64,
    idle: f64,
    delivering: Sorted,
}

/// The row `credentials`: one delivery a minute for each, beside the same rate with one.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let (_sink, address) = task::sink().await?;
    let many = ground.scale.credentials;
    let per_second = u32::try_from(many.div_ceil(60)).unwrap_or(u32::MAX);
    let one = measure(ground, address, 1, per_second).await?;
    let all = measure(ground, address, many, per_second).await?;
    figures.number("one_credential_cpu_percent", one.busy);
    figures.number("idle_cpu_percent", all.idle);
    figures.number("credentials_delivered_p99_ms", all.delivering.at(0.99));
    let [busy, alone, idle] = [all.busy, one.busy, all.idle].map(number);
    let [p99, p99_alone] = [all.delivering.at(0.99), one.delivering.at(0.99)].map(number);
    let beside = format!(
        "{busy} % with {many}, {alone} % with one, {per_second}/s each; {idle} % at rest; at the API after {p99} ms, p99, \
         {p99_alone} ms with one"
    );
    figures.line(CREDENTIALS, (all.busy - one.busy).max(0.0), beside);
    Ok(())
}

async fn measure(ground: &Ground, address: SocketAddr, credentials: u64, per_second: u32) -> Result<Cost, Failure> {
    let (store, api) = (ground.store(), sink::url(address, "/"));
    let count = ground.scale.arrivals(per_second);
    let record = Record::of(count);
    let mut builder = grant::builder(ground.kind, &store)?;
    for number in 0..credentials {
        let endpoint = Endpoint::new(Post::new(api.clone()).bearer().record(&record)).credential(name(number));
        builder = builder.credential(name(number), grant::oauth(&api)).destination(name(number), endpoint);
    }
    let engine = builder.open().await?;
    grant::authorise(&engine, (0..credentials).map(name)).await?;
    let idle = if credentials == 1 { 0.0 } else { at_rest(&ground.scale).await };
    let failed = Failed::default();
    let (watch, before) = (Stopwatch::start(), cpu::used());
    load::steadily(0..count, per_second, &record, |number| {
        let (engine, failed) = (engine.clone(), failed.clone());
        let destination = name(number.checked_rem(credentials).unwrap_or(0));
        let parcel = Parcel::to(destination).bytes(event(number, SIZE));
        let record = Arc::clone(&record);
        async move {
            match engine.submit(parcel).await {
                Ok(_) => record.accepted(number),
                Err(error) => failed.tell(&error.to_string()),
            }
        }
    })
    .await;
    failed.into_result()?;
    load::all_done(&engine, &record).await?;
    load::pause_for(ground.scale.steady().saturating_sub(watch.elapsed())).await;
    let busy = percent(cpu::since(before), watch.elapsed());
    engine.stop().await?;
    Ground::remove(&store)?;
    Ok(Cost { busy, idle, delivering: Sorted::millis(record.delivering()) })
}

/// The share of a core that is used while nothing happens.
async fn at_rest(scale: &Scale) -> f64 {
    scale.settle().await;
    let (watch, before) = (Stopwatch::start(), cpu::used());
    load::pause_for(scale.steady()).await;
    percent(cpu::since(before), watch.elapsed())
}

fn percent(cpu: Duration, of: Duration) -> f64 {
    cpu.as_secs_f64() * 100.0 / of.as_secs_f64().max(1e-9)
}

fn name(number: u64) -> String {
    format!("c{number}")
}
