//! One request, or one conversation of several, for the deliveries of a batch. It ends with a report, whatever happens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use outlast_state::{Evidence, Load, Span, Verdict};
use tokio::sync::mpsc;
use tracing::{Instrument, debug, error};

use super::acts::Shipment;
use super::machines::LONGEST_WAIT;
use super::turn::{Ending, Report, Told};
use super::{Heard, World};
use crate::destination::{Conclusion, Conversation, Destination, Item, Turn};
use crate::exchange::{Exchange, NoAnswer};
use crate::http::Bearer;
use crate::oauth::{self, Profile};
use crate::records;
use crate::secret::Secret;
use crate::store::Key;

/// A destination that asks more than this in one conversation goes round in circles.
const LONGEST_CONVERSATION: usize = 8;

/// A parcel that does not verify, or a request that the configuration forbids, is looked at again after this long: only
/// an operator can change it, and nothing is lost meanwhile.
const OPERATORS_TURN: Span = Span::from_secs(600);

/// A token that cannot be opened is asked for again after this long: a grant that is imported, or the right key, mends it
/// for all deliveries of the credential at once, and they go on by themselves.
const KEYS_TURN: Span = Span::from_secs(30);

/// The HTTP client gives a request up when its time is over. What hangs beyond that hangs elsewhere.
const SLACK: Span = Span::from_secs(1);

/// Makes the requests of a shipment and reports.
pub(super) async fn carry(
    world: Arc<World>,
    shipment: Shipment,
    destination: Arc<dyn Destination>,
    profile: Option<Arc<Profile>>,
) {
    let first = shipment.items.first();
    let span = tracing::debug_span!(
        "attempt", delivery = first.map(|(id, _)| tracing::field::display(id)), destination = %shipment.destination,
        attempt = first.map(|(_, attempt)| attempt.count()), epoch = shipment.epoch.number(),
        batch = shipment.batch.number(), items = shipment.items.len()
    );
    let owed = Owed { shipment, heard: world.heard.clone(), ended: None };
    let by = owed.shipment.by.after(SLACK);
    let ended = tokio::select! {
        biased;
        () = world.abandon.cancelled() => Ended::GivenUp,
        ended = converse(&world, &owed.shipment, destination.as_ref(), profile.as_deref()).instrument(span) => ended,
        () = world.clock.wait(by) => Ended::alike(Verdict::Unknown, "no answer in time; the request may have arrived"),
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
        let lost = || Ended::alike(Verdict::Unknown, "the attempt broke off; this is a bug of the engine");
        let ended = self.ended.take().unwrap_or_else(lost);
        // The driver outlives its tasks; when its store failed it does not listen any more, and nothing may be done.
        let _ = self.heard.send(Heard::Report(report(&self.shipment, ended)));
    }
}

/// How a conversation ended.
enum Ended {
    /// With a conclusion on each item, and what the answers showed about the token.
    Concluded { conclusions: Vec<Conclusion>, evidence: Evidence },
    /// All items alike.
    Alike { verdict: Verdict, note: String, evidence: Evidence },
    /// The engine stops.
    GivenUp,
}

impl Ended {
    fn alike(verdict: Verdict, note: impl Into<String>) -> Self {
        Ended::Alike { verdict, note: note.into(), evidence: Evidence::Nothing }
    }
}

fn report(shipment: &Shipment, ended: Ended) -> Report {
    let Shipment { batch, epoch, sent, ref items, .. } = *shipment;
    let (evidence, mut conclusions) = match ended {
        Ended::Concluded { conclusions, evidence } if conclusions.len() == items.len() => (
            evidence,
            conclusions.into_iter().map(|one| (Ending::Verdict(bounded(one.verdict)), one.detail)).collect::<Vec<_>>(),
        ),
        Ended::Concluded { evidence, .. } => {
            let note = "its destination did not conclude on every item; this is a bug in the destination";
            (evidence, items.iter().map(|_| (Ending::Verdict(Verdict::Unknown), note.to_owned())).collect())
        }
        Ended::Alike { verdict, note, evidence } => {
            (evidence, items.iter().map(|_| (Ending::Verdict(verdict), note.clone())).collect())
        }
        Ended::GivenUp => {
            let note = "the engine stopped before the answer";
            (Evidence::Nothing, items.iter().map(|_| (Ending::GivenUp, note.to_owned())).collect())
        }
    };
    let told = items.iter().zip(conclusions.drain(..));
    let items = told.map(|((id, attempt), (ending, note))| Told { id: *id, attempt: *attempt, ending, note }).collect();
    let (destination, credential) = (shipment.destination.clone(), shipment.credential.clone());
    Report { batch, destination, credential, epoch, sent, evidence, items }
}

/// What a destination says of an answer may quote it, and a provider may repeat the token that it was sent (S16).
fn silent(conclusion: Conclusion, token: Option<&Secret>) -> Conclusion {
    match token.map(Secret::reveal).filter(|token| !token.is_empty()) {
        Some(token) => Conclusion { detail: conclusion.detail.replace(token, "[token]"), ..conclusion },
        None => conclusion,
    }
}

/// A verdict whose wait is one that a destination may ask for.
fn bounded(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Busy { after, load } => Verdict::Busy { after: after.min(LONGEST_WAIT), load },
        Verdict::NotYet { after } => Verdict::NotYet { after: after.min(LONGEST_WAIT) },
        other => other,
    }
}

async fn converse(
    world: &World,
    shipment: &Shipment,
    destination: &dyn Destination,
    profile: Option<&Profile>,
) -> Ended {
    let mut bodies = Vec::with_capacity(shipment.items.len());
    for (id, _) in &shipment.items {
        match records::body(world.store.as_ref(), *id) {
            Ok(Ok(body)) => bodies.push((*id, body)),
            // Doubt is not acted on (S14), and a batch whose member is in doubt is not sent without it: alone, the others go.
            Ok(Err(damage)) if shipment.items.len() == 1 => {
                error!(delivery = %id, damage, "the delivery is not sent");
                return Ended::alike(Verdict::NotYet { after: OPERATORS_TURN }, damage);
            }
            Ok(Err(damage)) => return Ended::alike(Verdict::Split, damage),
            Err(failed) => return Ended::alike(Verdict::NotYet { after: OPERATORS_TURN }, failed.to_string()),
        }
    }
    let token = match token(world, shipment) {
        Ok(token) => token,
        Err(note) => return Ended::alike(Verdict::NotYet { after: KEYS_TURN }, note),
    };
    let items: Vec<Item<'_>> = bodies.iter().map(|(id, body)| Item { id: *id, body }).collect();
    ask(world, shipment, destination, profile, &items, token.as_ref()).await
}

async fn ask(
    world: &World,
    shipment: &Shipment,
    destination: &dyn Destination,
    profile: Option<&Profile>,
    items: &[Item<'_>],
    token: Option<&Secret>,
) -> Ended {
    let (mut so_far, mut evidence) = (Vec::new(), Evidence::Nothing);
    for _ in 0..LONGEST_CONVERSATION {
        let conversation = Conversation { items, so_far: &so_far, began: shipment.sent };
        // A destination is the host's code: its panic fails this attempt and nothing else.
        let Ok(turn) = catch_unwind(AssertUnwindSafe(|| destination.converse(&conversation))) else {
            return panicked(items.len(), so_far.is_empty(), evidence);
        };
        let request = match turn {
            Turn::Conclude(conclusions) => {
                let conclusions = conclusions.into_iter().map(|one| silent(one, token)).collect();
                return Ended::Concluded { conclusions, evidence };
            }
            Turn::Ask(request) => request,
        };
        let bearer = token.zip(profile).map(|(token, profile)| Bearer { token, audience: &profile.audience });
        let within = shipment.by.since(world.clock.now());
        let sent = world.http.send(&request, bearer, within, || world.clock.now()).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(missing) => return no_answer(&missing),
        };
        debug!(?request, status = answer.status, "answered");
        evidence = match profile.map(|profile| profile.evidence(&answer)) {
            Some(oauth::Evidence::Refuses) => {
                let note = format!("status {}: the token of epoch {} was refused", answer.status, shipment.epoch);
                return Ended::Alike { verdict: Verdict::TokenRefused, note, evidence: Evidence::Refused };
            }
            Some(oauth::Evidence::Proves) => Evidence::Accepted,
            Some(oauth::Evidence::Nothing) | None => Evidence::Nothing,
        };
        so_far.push(Exchange { request, answer });
    }
    Ended::alike(
        Verdict::Busy { after: Span::ZERO, load: Load::Failing },
        "its destination asked too many questions in one conversation; this is a bug in the destination",
    )
}

/// What a destination's panic means: where nothing was sent, a batch is halved until the item that it chokes on is alone.
fn panicked(items: usize, nothing_sent: bool, evidence: Evidence) -> Ended {
    let verdict = match (nothing_sent, items) {
        (false, _) => Verdict::Unknown,
        (true, 0 | 1) => Verdict::Busy { after: Span::ZERO, load: Load::Failing },
        (true, _) => Verdict::Split,
    };
    error!("the destination panicked; this is a bug in the destination");
    Ended::Alike { verdict, note: "its destination panicked; this is a bug in the destination".into(), evidence }
}

fn no_answer(missing: &NoAnswer) -> Ended {
    let verdict = match missing {
        NoAnswer::NotSent { .. } => Verdict::Busy { after: Span::ZERO, load: Load::Failing },
        NoAnswer::Lost { .. } => Verdict::Unknown,
        NoAnswer::Forbidden { .. } => Verdict::NotYet { after: OPERATORS_TURN },
    };
    Ended::alike(verdict, missing.to_string())
}

/// The token of the epoch that the delivery was admitted with: from memory, or opened from the store once.
fn token(world: &World, shipment: &Shipment) -> Result<Option<Secret>, String> {
    let Some(name) = shipment.credential.as_deref() else { return Ok(None) };
    let Some(vault) = &world.vault else { return Err("there is no key to open the vault with; configure one".into()) };
    if let Some(token) = vault.token(name, shipment.epoch) {
        return Ok(Some(token));
    }
    let key = Key::Token(name.to_owned(), shipment.epoch);
    let sealed = world.store.get(&key).map_err(|error| error.to_string())?;
    let sealed =
        sealed.ok_or_else(|| format!("the token of {name}, epoch {}, is missing from the store", shipment.epoch))?;
    let token = vault.open_access(name, shipment.epoch, &sealed).map_err(|error| error.to_string())?;
    vault.remember(name, shipment.epoch, token.clone());
    Ok(Some(token))
}
