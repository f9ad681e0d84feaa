//! From a kill to the first request: how long opening a store takes that holds many live deliveries.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::deliver::AT_ONCE;
use super::event::SIZE;
use super::figures::{Figures, number};
use super::ground::{Ground, Kind};
use super::load::{self, Load};
use super::post::{Post, Record};
use super::process::{self, Worker};
use super::sink::{self, Sink};
use super::spread::Spread;
use super::target::RESTART;
use super::task::{self, Task};
use crate::cli::failure::Failure;
use crate::clock::Stopwatch;
use crate::{Endpoint, Engine};

/// What a child is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    store: PathBuf,
    kind: Kind,
    address: SocketAddr,
    /// How many are live.
    live: u64,
    /// Accept them, tell it, and go on until killed; else open what is there and deliver it.
    fill: bool,
}

/// The row `restart`: filled and killed once, then opened, and killed again, as often as there are runs.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let (store, live) = (ground.store(), ground.scale.live);
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let order = Order { store: store.clone(), kind: ground.kind, address: nobody, live, fill: true };
    let mut filler = Worker::start(&Task::Restart(order.clone()))?;
    let accepted: u64 = filler.told().await?;
    filler.kill()?;
    let (mut first, mut opened, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ground.scale.runs {
        let sink = Sink::start().await.map_err(|why| Failure::new(format!("the sink cannot listen: {why}")))?;
        let order = Order { address: sink.address, fill: false, ..order.clone() };
        let watch = Stopwatch::start();
        let mut engine = Worker::start(&Task::Restart(order))?;
        let (open, sent) = tokio::try_join!(async { engine.told::<()>().await.map(|()| watch.elapsed()) }, async {
            sink.first().await;
            Ok(watch.elapsed())
        })?;
        let found: u64 = engine.told().await?;
        all.push(millis(watch.elapsed()));
        engine.kill()?;
        if found < accepted {
            return Err(Failure::new(format!("{found} deliveries live after the kill, and {accepted} were accepted")));
        }
        first.push(millis(sent));
        opened.push(millis(open));
    }
    Ground::remove(&store)?;
    let (first, opened, all) = (Spread::of(first), Spread::of(opened), Spread::of(all));
    figures.spread("open_ms", opened);
    figures.spread("all_live_ms", all);
    let [open, all] = [opened.median, all.median].map(number);
    let beside = format!("open returns after {open} ms, all {live} are counted after {all} ms; process start included");
    figures.spread_line(RESTART, first, beside);
    Ok(())
}

/// A child's part.
pub(super) async fn child(order: Order) -> Result<(), Failure> {
    // Answers that take a second leave nearly all of them live for the next opening.
    let endpoint = Endpoint::new(Post::new(sink::url(order.address, "/after/1000")));
    let builder = order.kind.builder(&order.store).destination("sink", endpoint);
    if !order.fill {
        let engine = builder.open().await?;
        task::tell(&())?;
        task::tell(&found(&engine, order.live).await?)?;
        process::parent_gone().await;
        return Ok(());
    }
    let engine = builder.hold(true).open().await?;
    let load = |events| Load { events, size: SIZE, at_once: AT_ONCE };
    load::submit(&engine, "sink", &load(0..order.live), &Record::of(0)).await?;
    task::tell(&order.live)?;
    // The kill is to meet a store at work.
    load::submit(&engine, "sink", &load(order.live..u64::MAX), &Record::of(0)).await
}

/// How many deliveries an engine knows of, once it has read so many, or no more come.
async fn found(engine: &Engine, expected: u64) -> Result<u64, Failure> {
    let watch = Stopwatch::start();
    loop {
        let counts = engine.counts().await?;
        let found = counts.live().saturating_add(counts.done);
        if found >= expected || watch.elapsed() > PATIENCE {
            return Ok(found);
        }
        load::pause(5).await;
    }
}

/// What is not read by then is lost.
const PATIENCE: Duration = Duration::from_secs(60);

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
