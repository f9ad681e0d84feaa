//! The conversation of one request, or of several, for the deliveries of a batch: what to ask next, given the answers so
//! far, and what it came to. It waits for nothing: who drives it makes the requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use outlast_state::{DeliveryId, Epoch, Evidence, Load, Sign, Span, Time, Verdict, Why};
use tracing::{debug, error};

use super::acts::{Known, Shipment};
use super::machines::LONGEST_WAIT;
use super::settings::{SpokenTo, outdated};
use super::turn::{Ending, Report, Told};
use crate::destination::{
    Conclusion, Conversation, Destination, Item, LONGEST_CONVERSATION, Memo, Memory, Prepared, Turn,
};
use crate::exchange::{Answer, Exchange, NoAnswer, Request};
use crate::http::Bearer;
use crate::oauth;
use crate::records;
use crate::secret::Secret;
use crate::store::{Key, Store};
use crate::taxonomy::{
    DESTINATION_BUG, EVENT_TOO_OLD, OUTCOME_UNKNOWN, RECORD_DAMAGED, REQUEST_FORBIDDEN, REQUEST_NOT_SENT,
    TOKEN_REFUSED, TOKEN_SEALED,
};
use crate::vault::Vault;

/// A parcel that does not verify, or a request that the configuration forbids, is looked at again after this long: only
/// an operator can change it, and nothing is lost meanwhile.
const OPERATORS_TURN: Span = Span::from_secs(600);

/// A token that cannot be opened is asked for again after this long: a grant that is imported, or the right key, mends it
/// for all deliveries of the credential at once, and they go on by themselves.
const KEYS_TURN: Span = Span::from_secs(30);

/// A conversation under way.
#[derive(Clone)]
pub(crate) struct Talk {
    spoken_to: SpokenTo,
    parcels: Vec<Held>,
    memory: Option<Arc<Known>>,
    token: Option<Secret>,
    so_far: Vec<Exchange>,
    showing: Showing,
}

/// What the answers of a conversation show beside their content.
#[derive(Clone, Default)]
pub(crate) struct Showing {
    /// About the token.
    pub(crate) evidence: Evidence,
    /// About the destination.
    pub(crate) sign: Sign,
    /// Whether the token lacks a scope.
    pub(crate) lacks_scope: bool,
    /// Which node of the provider answered, if it says so.
    pub(crate) node: Option<String>,
}

/// A parcel of a conversation.
#[derive(Clone)]
struct Held {
    id: DeliveryId,
    body: Vec<u8>,
    prepared: Prepared,
}

impl Held {
    fn item(&self) -> Item<'_> {
        self.prepared.item(self.id, &self.body)
    }
}

/// What a conversation wants.
pub(crate) enum Next {
    /// An answer to this, or why there is none.
    Ask(Request),
    /// Nothing more.
    End(Ended),
}

/// How a conversation ended.
#[derive(Clone)]
pub(crate) enum Ended {
    /// With what the answers showed about the token, and a conclusion on each item
    /// on which nothing had been concluded before.
    Concluded { conclusions: Vec<Conclusion>, showing: Showing, memos: Vec<Memo> },
    /// All those items alike.
    Alike { conclusion: Conclusion, showing: Showing, memos: Vec<Memo> },
    /// The engine stops.
    GivenUp,
}

impl Ended {
    pub(super) fn alike(verdict: Verdict, code: &'static str, note: impl Into<String>) -> Self {
        Ended::alike_after(Sign::Nothing, verdict, code, note)
    }

    /// The same, where something was asked.
    pub(super) fn alike_after(sign: Sign, verdict: Verdict, code: &'static str, note: impl Into<String>) -> Self {
        let conclusion = Conclusion::new(verdict, note).code(code);
        Ended::Alike { conclusion, showing: Showing { sign, ..Showing::default() }, memos: Vec::new() }
    }
}

impl Talk {
    /// Gathers what the shipment's requests are made of.
    ///
    /// # Errors
    /// What a part of it that is missing means for the items.
    pub(crate) fn begin(
        store: &dyn Store,
        vault: Option<&Vault>,
        shipment: &mut Shipment,
        spoken_to: SpokenTo,
    ) -> Result<Talk, Ended> {
        let mut parcels = Vec::with_capacity(shipment.items.len());
        shipment.settled.clear();
        let kept = std::mem::take(&mut shipment.bodies).into_iter().chain(std::iter::repeat(None));
        for ((number, (id, _)), kept) in shipment.items.iter().enumerate().zip(kept) {
            let body = match kept {
                Some(body) => Ok(Ok(body)),
                None => records::body(store, *id),
            };
            match body {
                Ok(Ok(body)) => {
                    let route = shipment.routes.get(number).and_then(Option::as_deref);
                    let accepted = shipment.accepted.get(number).copied();
                    match held(&spoken_to, (*id, accepted), route, body, shipment.sent) {
                        Ok(held) => {
                            parcels.push(held);
                            shipment.settled.push(None);
                        }
                        Err(conclusion) => shipment.settled.push(Some(conclusion)),
                    }
                }
                // Doubt is not acted on (S14), and a batch whose member is in doubt is not sent without it: alone, the
                // others go.
                Ok(Err(damage)) if shipment.items.len() == 1 => {
                    error!(delivery = %id, damage, "the delivery is not sent");
                    return Err(Ended::alike(Verdict::NotYet { after: OPERATORS_TURN }, RECORD_DAMAGED, damage));
                }
                Ok(Err(damage)) => return Err(Ended::alike(Verdict::Split, RECORD_DAMAGED, damage)),
                Err(failed) => {
                    let later = Verdict::NotYet { after: OPERATORS_TURN };
                    return Err(Ended::alike(later, RECORD_DAMAGED, failed.to_string()));
                }
            }
        }
        if parcels.is_empty() {
            return Err(Ended::Concluded { conclusions: Vec::new(), showing: Showing::default(), memos: Vec::new() });
        }
        let later = Verdict::NotYet { after: KEYS_TURN };
        let token = token(store, vault, shipment).map_err(|note| Ended::alike(later, TOKEN_SEALED, note))?;
        let memory = shipment.memory.clone();
        Ok(Talk { spoken_to, parcels, memory, token, so_far: Vec::new(), showing: Showing::default() })
    }

    /// What the destination wants now.
    pub(crate) fn next(&mut self, shipment: &Shipment) -> Next {
        if self.so_far.len() >= LONGEST_CONVERSATION {
            return Next::End(Ended::alike(
                Verdict::Busy { after: Span::ZERO, load: Load::Failing },
                DESTINATION_BUG,
                "its destination asked too many questions in one conversation; this is a bug in the destination",
            ));
        }
        // A destination is the host's code: its panic fails this attempt and nothing else.
        let turn = catch_unwind(AssertUnwindSafe(|| self.with(shipment, Destination::converse)));
        match turn {
            Err(_) => Next::End(panicked(self.parcels.len(), self.so_far.is_empty(), self.showing.clone())),
            Ok(Turn::Ask(request)) => Next::Ask(request),
            Ok(Turn::Conclude(conclusions)) => {
                let token = self.token.as_ref();
                let conclusions = conclusions.into_iter().map(|one| silent(one, token)).collect();
                Next::End(Ended::Concluded { conclusions, showing: self.showing.clone(), memos: self.memos(shipment) })
            }
        }
    }

    /// What the destination keeps in mind of the conversation so far.
    fn memos(&self, shipment: &Shipment) -> Vec<Memo> {
        if self.so_far.is_empty() {
            return Vec::new();
        }
        let remember = || self.with(shipment, Destination::remember);
        catch_unwind(AssertUnwindSafe(remember)).unwrap_or_else(|_| {
            error!("the destination panicked; this is a bug in the destination, and it keeps nothing in mind");
            Vec::new()
        })
    }

    fn with<T>(&self, shipment: &Shipment, ask: impl FnOnce(&dyn Destination, &Conversation<'_>) -> T) -> T {
        let items: Vec<Item<'_>> = self.parcels.iter().map(Held::item).collect();
        let began = shipment.sent;
        let memory = self.memory.as_deref().map_or(Memory::EMPTY, |known| Memory::new(known, began));
        let conversation = Conversation { items: &items, so_far: &self.so_far, memory, began };
        ask(self.spoken_to.destination.as_ref(), &conversation)
    }

    /// The token that a request of it may carry, and who may see it.
    pub(crate) fn bearer(&self) -> Option<Bearer<'_>> {
        let (token, profile) = self.token.as_ref().zip(self.spoken_to.profile.as_ref())?;
        Some(Bearer { token, audience: &profile.audience, carrier: &profile.carrier })
    }

    /// Takes in what became of a request; the end, where that ends it.
    pub(crate) fn heard(
        &mut self,
        shipment: &Shipment,
        request: Request,
        answer: Result<Answer, NoAnswer>,
    ) -> Option<Ended> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(missing) => return Some(no_answer(&missing, self.memos(shipment))),
        };
        debug!(?request, status = answer.status, "answered");
        // A server's error is about the destination; any other answer is about the token, the event or the rate.
        let sign = if answer.status >= 500 { Sign::Fails } else { Sign::Answers };
        let profile = self.spoken_to.profile.as_deref();
        let said = profile.map(|profile| profile.evidence(&answer));
        let evidence = match said {
            Some(oauth::Evidence::Refuses) => {
                let note = format!("status {}: the token of epoch {} was refused", answer.status, shipment.epoch);
                let conclusion = Conclusion::new(Verdict::TokenRefused, note).code(TOKEN_REFUSED);
                let memos = self.memos(shipment);
                let showing =
                    Showing { evidence: Evidence::Refused, sign, lacks_scope: false, node: node(profile, &answer) };
                return Some(Ended::Alike { conclusion, showing, memos });
            }
            Some(oauth::Evidence::Proves) => Evidence::Accepted,
            Some(oauth::Evidence::LacksScope | oauth::Evidence::Nothing) | None => Evidence::Nothing,
        };
        let lacks_scope = said == Some(oauth::Evidence::LacksScope);
        self.showing = Showing { evidence, sign, lacks_scope, node: node(profile, &answer) };
        self.so_far.push(Exchange { request, answer });
        None
    }
}

/// A parcel, as its destination sees it; or what must be said of it before anything is asked.
fn held(
    spoken_to: &SpokenTo,
    (id, accepted): (DeliveryId, Option<Time>),
    route: Option<&str>,
    body: Vec<u8>,
    began: Time,
) -> Result<Held, Conclusion> {
    if let Some((accepted, most)) = accepted.and_then(|at| Some((at, outdated(spoken_to.event_age, at, began)?))) {
        let age = began.since(accepted);
        let detail = format!("the provider takes events of at most {most}, and this one was accepted {age} ago.");
        return Err(Conclusion::new(Verdict::Refused { why: Why::Invalid }, detail).code(EVENT_TOO_OLD));
    }
    let prepared = spoken_to.routes.prepare(route, &body)?;
    let held = Held { id, body, prepared };
    let check = || spoken_to.destination.check(&held.item(), began);
    // Where it panics here, it does so again when it is asked, and that is told.
    catch_unwind(AssertUnwindSafe(check)).unwrap_or(Ok(()))?;
    Ok(held)
}

/// What a conversation that ended tells the driver.
pub(crate) fn report(shipment: &Shipment, ended: Ended) -> Report {
    let Shipment { batch, epoch, sent, ref items, ref settled, .. } = *shipment;
    let asked = items.len().saturating_sub(settled.iter().flatten().count());
    let (showing, conclusions, memos) = match ended {
        Ended::Concluded { conclusions, showing, memos } if conclusions.len() == asked => {
            (showing, conclusions.into_iter().map(told).collect::<Vec<_>>(), memos)
        }
        Ended::Concluded { showing, memos, .. } => {
            let note = "its destination did not conclude on every item; this is a bug in the destination";
            (showing, vec![told(Conclusion::new(Verdict::Unknown, note).code(DESTINATION_BUG)); asked], memos)
        }
        Ended::Alike { conclusion, showing, memos } => (showing, vec![told(conclusion); asked], memos),
        Ended::GivenUp => {
            let note = "the engine stopped before the answer".to_owned();
            (Showing::default(), vec![(Ending::GivenUp, "", note); asked], Vec::new())
        }
    };
    let mut conclusions = conclusions.into_iter();
    let mut settled = settled.iter();
    let items = items.iter().filter_map(|(id, attempt)| {
        let before = settled.next().cloned().flatten().map(told);
        let (ending, code, note) = before.or_else(|| conclusions.next())?;
        Some(Told { id: *id, attempt: *attempt, ending, code, note })
    });
    let items = items.collect();
    let (destination, credential) = (shipment.destination.clone(), shipment.credential.clone());
    Report { batch, destination, credential, epoch, sent, showing, items, memos }
}

/// The node that gave an answer, as its header names it.
fn node(profile: Option<&oauth::Profile>, answer: &Answer) -> Option<String> {
    const LONGEST: usize = 40;
    let name = answer.header(profile?.node_header.as_deref()?)?;
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
    (fits && (1..=LONGEST).contains(&name.len())).then(|| name.to_owned())
}

fn told(conclusion: Conclusion) -> (Ending, &'static str, String) {
    (Ending::Verdict(bounded(conclusion.verdict)), conclusion.code, conclusion.detail)
}

/// What a destination says of an answer may quote it, and a provider may repeat the token that it was sent (S16).
fn silent(conclusion: Conclusion, token: Option<&Secret>) -> Conclusion {
    match token {
        Some(token) => Conclusion { detail: token.hidden_in(&conclusion.detail), ..conclusion },
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

/// What a destination's panic means: where nothing was sent, a batch is halved until the item that it chokes on is alone.
fn panicked(items: usize, nothing_sent: bool, showing: Showing) -> Ended {
    let verdict = match (nothing_sent, items) {
        (false, _) => Verdict::Unknown,
        (true, 0 | 1) => Verdict::Busy { after: Span::ZERO, load: Load::Failing },
        (true, _) => Verdict::Split,
    };
    error!("the destination panicked; this is a bug in the destination");
    let note = "its destination panicked; this is a bug in the destination";
    let conclusion = Conclusion::new(verdict, note).code(DESTINATION_BUG);
    Ended::Alike { conclusion, showing, memos: Vec::new() }
}

fn no_answer(missing: &NoAnswer, memos: Vec<Memo>) -> Ended {
    let failing = Verdict::Busy { after: Span::ZERO, load: Load::Failing };
    let (verdict, code, sign) = match missing {
        NoAnswer::NotSent { .. } => (failing, REQUEST_NOT_SENT, Sign::Fails),
        NoAnswer::Lost { .. } => (Verdict::Unknown, OUTCOME_UNKNOWN, Sign::Fails),
        NoAnswer::Forbidden { .. } => (Verdict::NotYet { after: OPERATORS_TURN }, REQUEST_FORBIDDEN, Sign::Nothing),
    };
    let conclusion = Conclusion::new(verdict, missing.to_string()).code(code);
    Ended::Alike { conclusion, showing: Showing { sign, ..Showing::default() }, memos }
}

/// The token of the epoch that the delivery was admitted with.
fn token(store: &dyn Store, vault: Option<&Vault>, shipment: &Shipment) -> Result<Option<Secret>, String> {
    let name = shipment.credential.as_deref();
    name.map(|name| token_of(store, vault, name, shipment.epoch)).transpose()
}

/// The token of an epoch: from memory, or opened from the store once.
pub(crate) fn token_of(store: &dyn Store, vault: Option<&Vault>, name: &str, epoch: Epoch) -> Result<Secret, String> {
    let Some(vault) = vault else { return Err("there is no key to open the vault with; configure one".into()) };
    if let Some(token) = vault.token(name, epoch) {
        return Ok(token);
    }
    let key = Key::Token(name.to_owned(), epoch);
    let sealed = store.get(&key).map_err(|error| error.to_string())?;
    let sealed = sealed.ok_or_else(|| format!("the token of {name}, epoch {epoch}, is missing from the store"))?;
    let token = vault.open_access(name, epoch, &sealed).map_err(|error| error.to_string())?;
    vault.remember(name, epoch, token.clone());
    Ok(token)
}
