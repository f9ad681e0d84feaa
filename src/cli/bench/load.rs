//! Who brings the events: callers that each wait for their answer, or arrivals at a steady rate that wait for nobody; and
//! the client loop that all of it is held against.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outlast_state::Time;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::event::event;
use super::post::{self, Record};
use crate::cli::failure::Failure;
use crate::clock;
use crate::http::{Http, HttpOptions, WITHIN};
use crate::{Engine, Parcel};

/// What is brought.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// The numbers of the events.
    pub(super) events: std::ops::Range<u64>,
    /// The size of each.
    pub(super) size: usize,
    /// How many callers or requests there are at once.
    pub(super) at_once: u32,
}

/// Submits all events to `destination` from so many callers, each of which waits for its answer.
pub(super) async fn submit(
    engine: &Engine,
    destination: &str,
    load: &Load,
    record: &Arc<Record>,
) -> Result<(), Failure> {
    let destination = destination.to_owned();
    submit_to(engine, move |_| destination.clone(), load, record).await
}

/// That, each event to the destination that its number says.
pub(super) async fn submit_to(
    engine: &Engine,
    destination: impl Fn(u64) -> String + Clone + Send + 'static,
    load: &Load,
    record: &Arc<Record>,
) -> Result<(), Failure> {
    let (next, failed) = (Arc::new(AtomicU64::new(load.events.start)), Failed::default());
    let tasks = TaskTracker::new();
    for _ in 0..load.at_once {
        let (engine, destination, record) = (engine.clone(), destination.clone(), Arc::clone(record));
        let (next, failed, end, size) = (Arc::clone(&next), failed.clone(), load.events.end, load.size);
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end || failed.is_told() {
                    return;
                }
                record.begin(number);
                match engine.submit(Parcel::to(destination(number)).bytes(event(number, size))).await {
                    Ok(_) => record.accepted(number),
                    Err(error) => failed.tell(&error.to_string()),
                }
            }
        });
    }
    finish(tasks).await;
    failed.into_result()
}

/// Posts all events with so many requests in flight, by the engine's own HTTP client and nothing else of it.
pub(super) async fn post(url: &Url, load: &Load) -> Result<(), Failure> {
    let http = client()?;
    let (next, failed) = (Arc::new(AtomicU64::new(load.events.start)), Failed::default());
    let tasks = TaskTracker::new();
    for _ in 0..load.at_once {
        let (http, url) = (Arc::clone(&http), url.clone());
        let (next, failed, end, size) = (Arc::clone(&next), failed.clone(), load.events.end, load.size);
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end || failed.is_told() {
                    return;
                }
                post_one(&http, &url, &event(number, size), &failed).await;
            }
        });
    }
    finish(tasks).await;
    failed.into_result()
}

/// The engine's client, as the engine makes it.
pub(super) fn client() -> Result<Arc<Http>, Failure> {
    let options = HttpOptions { allow_loopback: true, ..HttpOptions::default() };
    Ok(Arc::new(Http::new(options).map_err(|why| Failure::new(why.to_string()))?))
}

pub(super) async fn post_one(http: &Http, url: &Url, body: &[u8], failed: &Failed) {
    match http.send(&post::request(url, body), None, WITHIN, || Time::ZERO).await {
        Ok(answer) if answer.is_success() => {}
        Ok(answer) => failed.tell(&format!("the sink answered {}", answer.status)),
        Err(why) => failed.tell(&why.to_string()),
    }
}

/// Does `arrival` for each event at its time, so many a second, whether or not earlier ones have ended; then waits for them
/// all. It is told the event's number and when it was due, on the record's stopwatch.
pub(super) async fn steadily<F>(
    events: std::ops::Range<u64>,
    per_second: u32,
    record: &Arc<Record>,
    mut arrival: impl FnMut(u64) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (ticks, mut due) = mpsc::unbounded_channel();
    let (watch, begun) = (record.watch, record.watch.elapsed());
    let count = events.end.saturating_sub(events.start);
    let pace = Handle::current().spawn_blocking(move || {
        for tick in 0..count {
            let at = begun.saturating_add(after(tick, per_second));
            watch.block_until(at);
            if ticks.send(at).is_err() {
                return;
            }
        }
    });
    let tasks = TaskTracker::new();
    for number in events {
        let Some(at) = due.recv().await else { break };
        record.due_at(number, at);
        tasks.spawn(arrival(number));
    }
    finish(tasks).await;
    drop(due);
    // It has nothing more to do, and it cannot panic.
    drop(pace.await);
}

/// When the arrival with this number is due, so many a second.
fn after(tick: u64, per_second: u32) -> Duration {
    let nanos = u128::from(tick).saturating_mul(1_000_000_000).checked_div(u128::from(per_second)).unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

async fn finish(tasks: TaskTracker) {
    tasks.close();
    tasks.wait().await;
}

/// The first thing that went wrong in any of many tasks.
#[derive(Clone, Default)]
pub(super) struct Failed(Arc<std::sync::OnceLock<String>>);

impl Failed {
    pub(super) fn tell(&self, why: &str) {
        let _ = self.0.set(why.to_owned());
    }

    pub(super) fn is_told(&self) -> bool {
        self.0.get().is_some()
    }

    pub(super) fn into_result(self) -> Result<(), Failure> {
        match self.0.get() {
            Some(why) => Err(Failure::new(format!("a measurement cannot go on: {why}"))),
            None => Ok(()),
        }
    }
}

/// Waits until the API has all events of the record.
pub(super) async fn all_delivered(engine: &Engine, record: &Record) -> Result<(), Failure> {
    tokio::select! {
        () = record.all_delivered() => Ok(()),
        why = engine.ended() => Err(why.into()),
        () = pause_for(PATIENCE) => {
            let left = record.left();
            Err(Failure::new(format!("{left} events were not delivered within {} s", PATIENCE.as_secs())))
        }
    }
}

/// Waits until the API has so many events of the record.
pub(super) async fn delivered(engine: &Engine, record: &Record, count: u64) -> Result<(), Failure> {
    let enough = async {
        while record.count().saturating_sub(record.left()) < count {
            pause(1).await;
        }
    };
    tokio::select! {
        () = enough => Ok(()),
        why = engine.ended() => Err(why.into()),
    }
}

/// Waits until the API has all events of the record and nothing is live: the last answers are then durable.
pub(super) async fn all_done(engine: &Engine, record: &Record) -> Result<(), Failure> {
    all_delivered(engine, record).await?;
    none_live(engine).await
}

/// Waits until nothing is live. None may have failed.
pub(super) async fn none_live(engine: &Engine) -> Result<(), Failure> {
    live_at_most(engine, 0).await
}

/// Waits until no more than so many are live. None may have failed.
pub(super) async fn live_at_most(engine: &Engine, most: u64) -> Result<(), Failure> {
    loop {
        let counts = engine.counts().await?;
        if counts.failed > 0 {
            return Err(Failure::new(format!("{} deliveries failed, and none should", counts.failed)));
        }
        if counts.live() <= most {
            return Ok(());
        }
        pause(1).await;
    }
}

/// Waits so many milliseconds.
pub(super) async fn pause(ms: u64) {
    pause_for(Duration::from_millis(ms)).await;
}

pub(super) async fn pause_for(span: Duration) {
    clock::wait(span, &CancellationToken::new()).await;
}

/// How long a measurement may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_evenly_spaced() {
        assert_eq!(after(0, 1000), Duration::ZERO);
        assert_eq!(after(1, 1000), Duration::from_millis(1));
        assert_eq!(after(10_000, 1000), Duration::from_secs(10));
        assert_eq!(after(1, 3), Duration::from_nanos(333_333_333));
    }

    #[test]
    fn the_first_failure_is_told() {
        let failed = Failed::default();
        assert!(!failed.is_told());
        failed.tell("one");
        failed.tell("two");
        assert!(failed.into_result().unwrap_err().to_string().ends_with("one"));
    }
}
