//! `submit` alone: how many there can be, and how long one takes at a steady rate.

use std::sync::Arc;

use super::deliver::AT_ONCE;
use super::event::{SIZE, event};
use super::figures::{Figures, number};
use super::ground::Ground;
use super::load::{self, Failed, Load};
use super::post::{Post, Record};
use super::sink;
use super::spread::{Sorted, Spread, rate};
use super::target::{ACCEPT, SUBMIT};
use super::task;
use crate::cli::failure::Failure;
use crate::{Endpoint, Engine, Parcel};

/// The rate at which the latency of `submit` is measured.
const PER_SECOND: u32 = 1000;

/// The row `accept`: an engine that sends nothing.
pub(super) async fn only(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let load = Load { events: 0..ground.scale.accepts, size: SIZE, at_once: AT_ONCE };
    let mut rates = Vec::new();
    for _ in 0..ground.scale.runs {
        let store = ground.store();
        let endpoint = Endpoint::new(Post::new(sink::url(([127, 0, 0, 1], 9).into(), "/")));
        let engine = ground.kind.builder(&store).hold(true).destination("sink", endpoint).open().await?;
        let record = Record::of(load.events.end);
        let begun = record.watch.elapsed();
        load::submit(&engine, "sink", &load, &record).await?;
        rates.push(rate(load.events.end, record.watch.elapsed().saturating_sub(begun)));
        engine.stop().await?;
        Ground::remove(&store)?;
    }
    let rates = Spread::of(rates);
    let beside =
        format!("{:.0} to {:.0}, {} events of {SIZE} B from {AT_ONCE} callers", rates.min, rates.max, load.events.end);
    figures.spread_line(ACCEPT, rates, beside);
    Ok(())
}

/// The row `submit`: arrivals that wait for nobody, deliveries going on.
pub(super) async fn steady(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let (_sink, address) = task::sink().await?;
    let (store, count) = (ground.store(), ground.scale.arrivals(PER_SECOND));
    let record = Record::of(count);
    let endpoint = Endpoint::new(Post::new(sink::url(address, "/")).record(&record)).concurrency(AT_ONCE);
    let engine = ground.kind.builder(&store).destination("sink", endpoint).open().await?;
    arrivals(&engine, "sink", 0..count, PER_SECOND, &record).await?;
    load::all_done(&engine, &record).await?;
    let (accepting, delivering) = (Sorted::millis(record.accepting()), Sorted::millis(record.delivering()));
    for (name, share) in [("p50", 0.5), ("max", 1.0)] {
        figures.number(&format!("accept_{name}_ms"), accepting.at(share));
    }
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        figures.number(&format!("event_to_delivered_{name}_ms"), delivering.at(share));
    }
    let [half, most, delivered] = [accepting.at(0.5), accepting.at(1.0), delivering.at(0.99)].map(number);
    let beside = format!("p50 {half} ms, max {most} ms over {count} events; at the API after {delivered} ms, p99");
    figures.line(SUBMIT, accepting.at(0.99), beside);
    engine.stop().await?;
    Ground::remove(&store)
}

/// Submits events at a steady rate, and waits until the last is accepted.
pub(super) async fn arrivals(
    engine: &Engine,
    destination: &str,
    events: std::ops::Range<u64>,
    per_second: u32,
    record: &Arc<Record>,
) -> Result<(), Failure> {
    let failed = Failed::default();
    load::steadily(events, per_second, record, |number| {
        let (engine, record, failed) = (engine.clone(), Arc::clone(record), failed.clone());
        let parcel = Parcel::to(destination).bytes(event(number, SIZE));
        async move {
            match engine.submit(parcel).await {
                Ok(_) => record.accepted(number),
                Err(error) => failed.tell(&error.to_string()),
            }
        }
    })
    .await;
    failed.into_result()
}
