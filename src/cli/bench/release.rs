//! A credential is authorised behind which many deliveries were parked: what that does to another credential's.

use std::time::Duration;

use super::accept;
use super::deliver::AT_ONCE;
use super::event::SIZE;
use super::figures::{Figures, number};
use super::grant;
use super::ground::Ground;
use super::load::{self, Load};
use super::post::{Post, Record};
use super::sink;
use super::spread::{Sorted, rate};
use super::target::RELEASE;
use super::task;
use crate::cli::failure::Failure;
use crate::{Endpoint, Engine};

/// The rate of the other credential.
const PER_SECOND: u32 = 200;

/// The row `release`.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let (_sink, address) = task::sink().await?;
    let (store, api) = (ground.store(), sink::url(address, "/"));
    let released = ground.scale.released;
    let (parked, before) = (Record::of(released), Record::of(count(ground)));
    let during = Record::of(count(ground));
    let endpoint = |name: &str, record| {
        Endpoint::new(Post::new(api.clone()).bearer().record(record)).credential(name).concurrency(AT_ONCE)
    };
    let engine = grant::builder(ground.kind, &store)?
        .credential("dead", grant::oauth(&api))
        .credential("alive", grant::oauth(&api))
        .destination("parked", endpoint("dead", &parked))
        .destination("before", endpoint("alive", &before))
        .destination("during", endpoint("alive", &during))
        .open()
        .await?;
    grant::authorise(&engine, std::iter::once("alive".to_owned())).await?;
    let load = Load { events: 0..released, size: SIZE, at_once: AT_ONCE };
    load::submit(&engine, "parked", &load, &parked).await?;
    ground.scale.settle().await;
    accept::arrivals(&engine, "before", 0..count(ground), PER_SECOND, &before).await?;
    load::all_delivered(&engine, &before).await?;
    let (begun, took) = release(&engine, ground, &parked, &during).await?;
    engine.stop().await?;
    Ground::remove(&store)?;
    let quiet = Sorted::millis(before.delivering()).at(0.99);
    let meanwhile = during.delivering_due(begun, begun.saturating_add(took));
    let events = meanwhile.len();
    let meanwhile = Sorted::millis(meanwhile);
    figures.number("release_p99_without_ms", quiet);
    figures.number("release_p99_with_ms", meanwhile.at(0.99));
    figures.number("release_max_with_ms", meanwhile.at(1.0));
    figures.number("released_per_s", rate(released, took));
    let beside = format!(
        "p99 {} ms beside {} ms, of {events} events while {released} were released in {:.1} s",
        number(meanwhile.at(0.99)),
        number(quiet),
        took.as_secs_f64()
    );
    figures.line(RELEASE, (meanwhile.at(0.99) - quiet).max(0.0), beside);
    Ok(())
}

/// Authorises the dead credential in the middle of a steady rate of the other's. When that was on the stopwatch of
/// `during`, and how long it took until the API had all that were parked.
async fn release(
    engine: &Engine,
    ground: &Ground,
    parked: &Record,
    during: &std::sync::Arc<Record>,
) -> Result<(Duration, Duration), Failure> {
    let count = count(ground);
    let steady = async {
        accept::arrivals(engine, "during", 0..count, PER_SECOND, during).await?;
        load::all_delivered(engine, during).await
    };
    let release = async {
        ground.scale.settle().await;
        let begun = during.watch.elapsed();
        grant::authorise(engine, std::iter::once("dead".to_owned())).await?;
        load::all_delivered(engine, parked).await?;
        Ok::<_, Failure>((begun, during.watch.elapsed().saturating_sub(begun)))
    };
    let (steady, released) = tokio::join!(steady, release);
    steady.and(released)
}

/// How many events the other credential has in each of both measurements.
fn count(ground: &Ground) -> u64 {
    ground.scale.arrivals(PER_SECOND)
}
