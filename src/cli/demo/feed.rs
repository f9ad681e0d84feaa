//! The source: events that come at a steady pace, offered to whichever engine runs. What was not acknowledged is offered
//! again; its key makes that harmless.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::DESTINATION;
use super::process::pause;
use crate::cli::control::{Answer as _, Fault, Kind, Offer, Request};
use crate::cli::failure::Failure;
use crate::cli::socket::Client;
use crate::clock;
use crate::view::DeliveryName;

/// The events and how many of them have been acknowledged.
pub(super) struct Feed {
    offers: Vec<Offer>,
    per_second: u64,
    acknowledged: Cell<usize>,
}

/// So many events share a question and a barrier at most.
const GROUP: usize = 64;

/// Between two looks at the clock, and before a full or absent engine is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// All events come within so many seconds, unless that is slower than [`SLOWEST`].
const WITHIN_S: u64 = 20;
const SLOWEST: u64 = 250;

impl Feed {
    pub(super) fn new(events: &[Value]) -> Self {
        let offers: Vec<Offer> = events.iter().map(offer).collect();
        Feed { per_second: pace(offers.len()), offers, acknowledged: Cell::new(0) }
    }

    /// Whether every event has been acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.acknowledged.get() >= self.offers.len()
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.get()
    }

    /// Offers everything, through any number of engines.
    pub(super) async fn run(&self, store: &Path) -> Result<(), Failure> {
        let start = clock::wall().as_millis();
        while !self.is_done() {
            match Client::connect(store).await? {
                Some((mut client, _)) => self.converse(&mut client, start).await?,
                None => pause(PAUSE).await,
            }
        }
        Ok(())
    }

    /// Offers what is due until everything is acknowledged or the engine is gone.
    async fn converse(&self, client: &mut Client, start: u64) -> Result<(), Failure> {
        while !self.is_done() {
            let from = self.acknowledged.get();
            let due = came(start, self.per_second, self.offers.len());
            let group = self.offers.get(from..due.min(from.saturating_add(GROUP))).unwrap_or_default();
            if group.is_empty() {
                pause(PAUSE).await;
                continue;
            }
            let Ok(answer) = client.ask(&Request::Submit { offers: group.to_vec() }).await else { return Ok(()) };
            let answers = match answer {
                Ok(response) => Vec::<Result<DeliveryName, Fault>>::from_response(response)
                    .ok_or_else(|| Failure::new("the engine gave another answer than was asked for"))?,
                Err(fault) if fault.kind == Kind::Busy => Vec::new(),
                Err(fault) if fault.kind == Kind::Ended => return Ok(()),
                Err(fault) => return Err(fault.into()),
            };
            if self.take(answers)? == 0 {
                pause(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Counts the acknowledged events up to the first that was not; those after it are offered again.
    fn take(&self, answers: Vec<Result<DeliveryName, Fault>>) -> Result<usize, Failure> {
        let mut taken: usize = 0;
        for answer in answers {
            match answer {
                Ok(_) => taken = taken.saturating_add(1),
                Err(fault) if matches!(fault.kind, Kind::Busy | Kind::Ended) => break,
                Err(fault) => return Err(fault.into()),
            }
        }
        self.acknowledged.set(self.acknowledged.get().saturating_add(taken));
        Ok(taken)
    }
}

/// How many events come in a second.
pub(super) fn pace(events: usize) -> u64 {
    (u64::try_from(events).unwrap_or(u64::MAX) / WITHIN_S).max(SLOWEST)
}

/// How many of `all` events have come by now.
pub(super) fn came(start: u64, per_second: u64, all: usize) -> usize {
    let elapsed = clock::wall().as_millis().saturating_sub(start);
    usize::try_from(elapsed.saturating_mul(per_second) / 1000).unwrap_or(usize::MAX).min(all)
}

fn offer(event: &Value) -> Offer {
    Offer {
        destination: DESTINATION.to_owned(),
        body: event.to_string(),
        once: event.get("messageId").and_then(Value::as_str).map(str::to_owned),
        lane: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_full_engine_did_not_take_is_offered_again() {
        let feed = Feed::new(&[serde_json::json!({"messageId": "a"}), serde_json::json!({"messageId": "b"})]);
        let name = || Ok("01K8ZQ4C2R7N3D5F6G8H9JKMNP".parse().map(DeliveryName).unwrap());
        let full = || Err(Fault { kind: Kind::Busy, code: None, message: String::new() });
        assert_eq!(feed.take(vec![name(), full()]).unwrap(), 1);
        assert!(!feed.is_done());
        assert_eq!(feed.take(vec![name()]).unwrap(), 1);
        assert!(feed.is_done());
        let wrong = Err(Fault { kind: Kind::Refused, code: None, message: "no".into() });
        assert!(feed.take(vec![wrong]).is_err());
    }

    #[test]
    fn ten_thousand_come_within_twenty_seconds() {
        assert_eq!((pace(10_000), pace(300), pace(0)), (500, SLOWEST, SLOWEST));
        assert_eq!(came(clock::wall().as_millis().saturating_sub(60_000), 500, 10_000), 10_000);
    }
}
