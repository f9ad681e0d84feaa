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
use crate::Endpoint;
use crate::cli::failure::Failure;
use crate::clock::Stopwatch;

/// What a child is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    store: PathBuf,
    kind: Kind,
    address: SocketAddr,
    /// Accept so many, tell it, and go on until killed; `None`: open what is there and deliver it.
    fill: Option<u64>,
}

/// The row `restart`: filled and killed once, then opened, and killed again, as often as there are runs.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let (store, live) = (ground.store(), ground.scale.live);
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let order = Order { store: store.clone(), kind: ground.kind, address: nobody, fill: Some(live) };
    let mut filler = Worker::start(&Task::Restart(order.clone()))?;
    let accepted: u64 = filler.told().await?;
    filler.kill()?;
    let (mut first, mut opened) = (Vec::new(), Vec::new());
    for _ in 0..ground.scale.runs {
        let sink = Sink::start().await.map_err(|why| Failure::new(format!("the sink cannot listen: {why}")))?;
        let order = Order { address: sink.address, fill: None, ..order.clone() };
        let watch = Stopwatch::start();
        let mut engine = Worker::start(&Task::Restart(order))?;
        let ((found, open), sent) =
            tokio::try_join!(async { engine.told::<u64>().await.map(|live| (live, watch.elapsed())) }, async {
                sink.first().await;
                Ok(watch.elapsed())
            })?;
        engine.kill()?;
        if found < accepted {
            return Err(Failure::new(format!("{found} deliveries live after the kill, and {accepted} were accepted")));
        }
        first.push(millis(sent));
        opened.push(millis(open));
        // What this life delivered counts no more.
        if sink.requests() > accepted / 10 {
            break;
        }
    }
    Ground::remove(&store)?;
    let (first, opened) = (Spread::of(first), Spread::of(opened));
    figures.spread("open_ms", opened);
    let beside = format!("open returns after {} ms; process start included, {live} live", number(opened.median));
    figures.spread_line(RESTART, first, beside);
    Ok(())
}

/// A child's part.
pub(super) async fn child(order: Order) -> Result<(), Failure> {
    let endpoint = Endpoint::new(Post::new(sink::url(order.address, "/")));
    let builder = order.kind.builder(&order.store).destination("sink", endpoint);
    let Some(fill) = order.fill else {
        let engine = builder.open().await?;
        let live = engine.counts().await?;
        task::tell(&live.live().saturating_add(live.done))?;
        process::parent_gone().await;
        return Ok(());
    };
    let engine = builder.hold(true).open().await?;
    let load = |events| Load { events, size: SIZE, at_once: AT_ONCE };
    load::submit(&engine, "sink", &load(0..fill), &Record::of(0)).await?;
    task::tell(&fill)?;
    // The kill is to meet a store at work.
    load::submit(&engine, "sink", &load(fill..u64::MAX), &Record::of(0)).await
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
