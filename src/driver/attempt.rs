//! One attempt: the task that makes the requests of a conversation. It ends with a report, whatever happens.

use std::sync::Arc;

use outlast_state::{Sign, Span, Verdict};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::acts::Shipment;
use super::conversation::{Ended, Next, Talk, report};
use super::settings::SpokenTo;
use super::{Heard, World};
use crate::taxonomy::{ENGINE_BUG, OUTCOME_UNKNOWN};

/// The HTTP client gives a request up when its time is over. What hangs beyond that hangs elsewhere.
const SLACK: Span = Span::from_secs(1);

/// Makes the requests of a shipment and reports.
pub(super) async fn carry(world: Arc<World>, shipment: Shipment, spoken_to: SpokenTo) {
    let first = shipment.items.first();
    let span = tracing::debug_span!(
        "attempt", delivery = first.map(|(id, _)| tracing::field::display(id)), destination = %shipment.destination,
        attempt = first.map(|(_, attempt)| attempt.count()), epoch = shipment.epoch.number(),
        batch = shipment.batch.number(), items = shipment.items.len()
    );
    let mut owed = Owed { shipment, heard: world.heard.clone(), ended: None };
    let by = owed.shipment.by.after(SLACK);
    let ended = tokio::select! {
        biased;
        () = world.abandon.cancelled() => Ended::GivenUp,
        ended = converse(&world, &mut owed.shipment, spoken_to).instrument(span) => ended,
        () = world.clock.wait(by) => {
            let note = "no answer in time; the request may have arrived";
            Ended::alike_after(Sign::Fails, Verdict::Unknown, OUTCOME_UNKNOWN, note)
        }
    };
    owed.pay(ended);
}

/// A report that is owed to the driver. It is paid whatever becomes of the task, since a delivery whose report never comes
/// would be in the air for ever.
struct Owed {
    shipment: Shipment,
    heard: mpsc::UnboundedSender<Heard>,
    ended: Option<Ended>,
}

impl Owed {
    fn pay(mut self, ended: Ended) {
        self.ended = Some(ended);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        let lost = || Ended::alike(Verdict::Unknown, ENGINE_BUG, "the attempt broke off; this is a bug of the engine");
        let ended = self.ended.take().unwrap_or_else(lost);
        // The driver outlives its tasks; when its store failed it does not listen any more, and nothing may be done.
        let _ = self.heard.send(Heard::Report(report(&self.shipment, ended)));
    }
}

async fn converse(world: &World, shipment: &mut Shipment, spoken_to: SpokenTo) -> Ended {
    let begun = Talk::begin(world.store.as_ref(), world.vault.as_deref(), shipment, spoken_to);
    let mut talk = match begun {
        Ok(talk) => talk,
        Err(ended) => return ended,
    };
    loop {
        let request = match talk.next(shipment) {
            Next::Ask(request) => request,
            Next::End(ended) => return ended,
        };
        let within = shipment.by.since(world.clock.now());
        let answer = world.http.send(&request, talk.bearer(), within, || world.clock.now()).await;
        if let Some(ended) = talk.heard(shipment, request, answer) {
            return ended;
        }
    }
}
