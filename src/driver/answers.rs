//! The driver's answers to its callers.

use std::sync::Arc;

use outlast_state::{CredentialWant, DeliveryId, Offer, Reason, State, Time, Want, Why};
use tokio::sync::{broadcast, oneshot};
use tracing::warn;

use super::machines::{Keeper, Machines, Turn};
use super::turn::Brought;
use super::{Ask, Driver};
use crate::engine::Authorisation;
use crate::error::{Error, ErrorKind};
use crate::records::{self, DeliveryRecord};
use crate::store::{Key, Store, StoreError, Table};
use crate::vault::Grant;
use crate::view::{CredentialView, DeliveryName, Details, Done, Failed, Filter, JournalLine, Outcome, Scope, Summary};

/// One `submit_all` makes at most so many keys: three for each parcel, and one for each 3 KiB of body.
const LARGEST_SUBMISSION: usize = 6_000;

/// So many changes are kept for a watcher that is slow.
const WATCHED: usize = 64;

impl Driver {
    /// Answers a call. What changes something is answered by an act, after the commit; what only looks is answered now.
    pub(super) fn answer(&mut self, ask: Ask, turn: &mut Turn) {
        match ask {
            Ask::Submit { parcel, reply } => {
                let result = self.submit(parcel, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::SubmitAll { parcels, reply } => self.submit_all(parcels, reply, turn),
            Ask::Outcome { id, reply } => {
                let result = self.record(id, turn).and_then(|record| outcome(&record));
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Watch { id, reply } => {
                let result = self.watch(id, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::List { filter, reply } => self.list(filter, reply, turn),
            Ask::Show { id, reply } => {
                let result = self.record(id, turn).and_then(|record| self.show(&record));
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Why { id, reply } => {
                let result = self.record(id, turn).map(|record| self.machines.why(&record, turn.now));
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Counts { reply } => {
                let counts = self.machines.counts;
                turn.answer(move |_| {
                    let _ = reply.send(counts);
                });
            }
            Ask::Credentials { reply } => {
                let names = self.machines.credentials.keys();
                let views = names.filter_map(|name| self.machines.credential_view(name, turn.now)).collect();
                turn.answer(|_| drop(reply.send(views)));
            }
            Ask::Cancel { id, reply } => {
                let result = self.cancel(id, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Redrive { id, redrive, reply } => {
                let result = self.record(id, turn).and_then(|record| {
                    failed(&record)?;
                    self.machines.redrive(record, redrive, turn)?;
                    self.record(id, turn).map(|record| self.summary(&record))
                });
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Pause { scope, reply } => {
                let result = self.known_scope(&scope).map(|()| self.machines.pause(&scope, turn));
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Resume { scope, reply } => {
                let result = self.known_scope(&scope).map(|()| self.machines.resume(&scope, turn));
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Pauses { reply } => {
                let scopes = self.machines.pauses.keys().cloned().collect();
                turn.answer(|_| drop(reply.send(scopes)));
            }
            Ask::Authorise { credential, grant, reply } => {
                let result = self.authorise(&credential, grant, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Stop { grace, reply } => self.begin_stop(grace, Some(reply)),
        }
    }

    fn submit(&mut self, parcel: crate::Parcel, turn: &mut Turn) -> Result<DeliveryId, Error> {
        let known = self.known(&parcel, turn)?;
        self.machines.submit(parcel, known, turn)
    }

    fn submit_all(
        &mut self,
        parcels: Vec<crate::Parcel>,
        reply: oneshot::Sender<Vec<Result<DeliveryId, Error>>>,
        turn: &mut Turn,
    ) {
        let results: Vec<_> = if parcels.iter().map(weight).sum::<usize>() > LARGEST_SUBMISSION {
            let error =
                Error::caller("parcels: more than a commit holds at once; submit them in groups of 250 or fewer");
            parcels.iter().map(|_| Err(error.clone())).collect()
        } else {
            parcels.into_iter().map(|parcel| self.submit(parcel, turn)).collect()
        };
        turn.answer(|_| drop(reply.send(results)));
    }

    fn cancel(&mut self, id: DeliveryId, turn: &mut Turn) -> Result<Summary, Error> {
        let record = self.record(id, turn)?;
        if record.delivery.wants() == Want::Nothing {
            let state = record.delivery.state.name();
            return Err(Error::caller(format!("{id}: it has ended already ({state}), so there is nothing to cancel")));
        }
        self.machines.cancel(id, turn);
        self.record(id, turn).map(|record| self.summary(&record))
    }

    fn watch(&mut self, id: DeliveryId, turn: &Turn) -> Result<(Summary, broadcast::Receiver<Summary>), Error> {
        let record = self.record(id, turn)?;
        let ended = record.delivery.wants() == Want::Nothing;
        let (sender, receiver) = match self.watchers.get(&id) {
            Some(sender) => (sender.clone(), sender.subscribe()),
            None => broadcast::channel(WATCHED),
        };
        // The sender of a delivery that has ended is dropped here, which ends the stream after its only state.
        if !ended {
            self.watchers.insert(id, sender);
        }
        Ok((self.summary(&record), receiver))
    }

    fn summary(&self, record: &DeliveryRecord) -> Summary {
        summary(record, self.machines.is_parked(&record.destination))
    }

    /// Reads the whole table beside the driver, so that a long listing delays nothing.
    fn list(&self, filter: Filter, reply: oneshot::Sender<Result<Vec<Summary>, Error>>, turn: &mut Turn) {
        let parked =
            self.machines.settings.outlets.keys().filter(|name| self.machines.is_parked(name)).cloned().collect();
        let (store, tasks, now) = (Arc::clone(&self.world.store), self.world.tasks.clone(), turn.now);
        turn.answer(move |_| {
            tasks.spawn_blocking(move || drop(reply.send(list(store.as_ref(), &filter, &parked, now))));
        });
    }

    fn show(&self, record: &DeliveryRecord) -> Result<Details, Error> {
        let id = record.delivery.id;
        let key = Key::Parcel(id);
        let parcel = records::get::<records::ParcelRecord>(self.world.store.as_ref(), &key)?;
        let parcel = parcel.map_err(|damage| damaged(id, &damage))?.ok_or_else(|| unknown(id))?;
        Ok(Details {
            summary: self.summary(record),
            body_bytes: u64::from(parcel.size),
            body_sha256: parcel.digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            budget: record.delivery.budget,
            journal: journal(record),
        })
    }

    fn known_scope(&self, scope: &Scope) -> Result<(), Error> {
        let settings = &self.machines.settings;
        let known = match scope {
            Scope::Destination(name) | Scope::Lane { destination: name, .. } => settings.outlets.contains_key(name),
            Scope::Credential(name) => settings.profiles.contains_key(name),
        };
        if known {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Unknown, format!("there is no {scope} in the configuration")))
        }
    }

    fn authorise(&mut self, name: &str, grant: Authorisation, turn: &mut Turn) -> Result<CredentialView, Error> {
        let Some(keeper) = self.machines.credentials.get(name) else {
            let names: Vec<&str> = self.machines.credentials.keys().map(String::as_str).collect();
            let names = names.join(", ");
            return Err(Error::new(
                ErrorKind::Unknown,
                format!("credential: there is none named {name:?}; configured: {names}"),
            ));
        };
        let epoch = keeper.record.credential.epoch.next();
        let brought = self.seal(name, epoch, grant, turn.now)?;
        self.machines.authorise(name, brought, turn);
        self.machines.credential_view(name, turn.now).ok_or_else(|| Error::caller("credential: it is gone"))
    }

    fn seal(&self, name: &str, epoch: outlast_state::Epoch, grant: Authorisation, now: Time) -> Result<Brought, Error> {
        let expires = grant.expires.unwrap_or(Time::NEVER);
        if expires <= now && grant.refresh.is_none() {
            return Err(Error::caller(
                "expires: the access token is expired and there is no refresh token; bring a fresh grant",
            ));
        }
        if grant.access.reveal().trim().is_empty() {
            return Err(Error::caller("access_token: is empty; bring the token that the provider gave"));
        }
        let Some(vault) = &self.world.vault else {
            return Err(Error::configuration("vault: there is no key to seal tokens with; configure one"));
        };
        let grant_ends = grant.refresh_expires.unwrap_or(Time::NEVER);
        let sealed_token = vault.seal_access(name, epoch, &grant.access).map_err(|error| sealing(&error))?;
        let kept = Grant { refresh: grant.refresh, refresh_expires: grant_ends };
        let sealed_grant = vault.seal_grant(name, epoch, &kept).map_err(|error| sealing(&error))?;
        let issued = grant.issued.unwrap_or(now).min(now);
        Ok(Brought { issued, expires, grant_ends, sealed_token, sealed_grant, token: grant.access })
    }
}

/// About how many keys a parcel's acceptance writes.
pub(super) fn weight(parcel: &crate::Parcel) -> usize {
    parcel.body.len().div_euclid(3 * 1024).saturating_add(3)
}

fn sealing(error: &crate::vault::VaultError) -> Error {
    Error::configuration(error.to_string())
}

impl Machines {
    /// A credential as people see it.
    pub(super) fn credential_view(&self, name: &str, now: Time) -> Option<CredentialView> {
        let keeper = self.credentials.get(name)?;
        let credential = keeper.record.credential;
        let token = match credential.offer(now) {
            Offer::Token(token) => Some(token),
            Offer::Expired { past } => credential.token(past),
            Offer::Refreshing | Offer::Dead => None,
        };
        let live = self.live.values().filter(|live| self.credential_of(&live.record.destination) == Some(name)).count();
        Some(CredentialView {
            name: name.to_owned(),
            profile: self.settings.profiles.get(name).map(|profile| profile.name.clone()).unwrap_or_default(),
            state: credential.state.name().to_owned(),
            epoch: credential.epoch.number(),
            issued_ms: token.map(|token| token.issued.as_millis()),
            expires_ms: token.map(|token| token.expires).filter(|at| *at < Time::NEVER).map(Time::as_millis),
            grant_ends_ms: Some(keeper.record.grant_ends).filter(|at| *at < Time::NEVER).map(Time::as_millis),
            detail: self.credential_sentence(name, keeper, now),
            live: u64::try_from(live).unwrap_or(u64::MAX),
        })
    }

    fn credential_sentence(&self, name: &str, keeper: &Keeper, now: Time) -> String {
        let sentence = self.why_credential(name, now).join(" ");
        let dead = keeper.record.credential.wants() == CredentialWant::Authorisation;
        if dead && !keeper.record.note.is_empty() {
            format!("{sentence} The provider said: {}", keeper.record.note)
        } else {
            sentence
        }
    }
}

fn list(
    store: &dyn Store,
    filter: &Filter,
    parked: &std::collections::BTreeSet<String>,
    now: Time,
) -> Result<Vec<Summary>, Error> {
    if let Some(wrong) = filter.states.iter().find(|state| !State::NAMES.contains(&state.as_str())) {
        let names = State::NAMES.join(", ");
        return Err(Error::caller(format!("state: there is none named {wrong:?}; there are {names}")));
    }
    let mut found = Vec::new();
    let limit = filter.limit.unwrap_or(usize::MAX);
    records::each::<DeliveryRecord>(store, Table::Delivery, |key, record| {
        match record {
            Ok(record) if matches(filter, &record, now) => {
                found.push(summary(&record, parked.contains(&record.destination)));
            }
            Ok(_) => {}
            Err(damage) => warn!(?key, %damage, "a record does not verify; it is left out of the listing"),
        }
        found.len() < limit
    })?;
    found.truncate(limit);
    Ok(found)
}

fn matches(filter: &Filter, record: &DeliveryRecord, now: Time) -> bool {
    let state = record.delivery.state.name();
    (filter.states.is_empty() || filter.states.iter().any(|wanted| wanted == state))
        && filter.destination.as_ref().is_none_or(|wanted| *wanted == record.destination)
        && filter.lane.as_ref().is_none_or(|wanted| record.lane.as_ref() == Some(wanted))
        && filter.older_than.is_none_or(|age| now.since(record.accepted) >= age)
}

/// The stored record of a delivery.
pub(super) fn stored(store: &dyn Store, id: DeliveryId) -> Result<DeliveryRecord, Error> {
    let found =
        records::get::<DeliveryRecord>(store, &Key::Delivery(id)).map_err(|error: StoreError| Error::from(error))?;
    found.map_err(|damage| damaged(id, &damage))?.ok_or_else(|| unknown(id))
}

fn unknown(id: DeliveryId) -> Error {
    Error::new(ErrorKind::Unknown, format!("id: there is no delivery {id} in this store"))
}

fn damaged(id: DeliveryId, damage: &crate::store::codec::Damage) -> Error {
    Error::new(ErrorKind::Corrupt, format!("delivery {id}: its record does not verify ({damage}); it is not acted on"))
}

fn failed(record: &DeliveryRecord) -> Result<(), Error> {
    match record.delivery.state {
        State::Failed { .. } => Ok(()),
        other => {
            let (id, state) = (record.delivery.id, other.name());
            Err(Error::caller(format!("{id}: only a failed delivery can be redriven, and this one is {state}")))
        }
    }
}

/// A delivery on one line.
pub(super) fn summary(record: &DeliveryRecord, parked: bool) -> Summary {
    let delivery = &record.delivery;
    let (due, ended, in_doubt) = match delivery.state {
        State::Pending { due } | State::AwaitingPropagation { until: due, .. } => (Some(due), None, false),
        State::Done { at, .. } => (None, Some(at), false),
        State::Failed { at, in_doubt, .. } => (None, Some(at), in_doubt),
        State::Sending { .. } | State::Refreshing { .. } => (None, None, false),
    };
    Summary {
        id: DeliveryName(delivery.id),
        destination: record.destination.clone(),
        lane: record.lane.clone(),
        once: record.once.clone(),
        state: delivery.state.name().to_owned(),
        attempts: delivery.attempt.count(),
        spent: delivery.spent,
        accepted_ms: record.accepted.as_millis(),
        deadline_ms: delivery.deadline.as_millis(),
        due_ms: due.map(Time::as_millis),
        ended_ms: ended.map(Time::as_millis),
        detail: detail(record),
        in_doubt,
        parked: parked && delivery.wants() != Want::Nothing,
    }
}

fn detail(record: &DeliveryRecord) -> Option<String> {
    match record.delivery.state {
        State::Failed { reason, .. } => Some(reason_in_words(reason, &record.note)),
        _ => Some(record.note.clone()).filter(|note| !note.is_empty()),
    }
}

/// Why a delivery failed, and who acts next.
pub(super) fn reason_in_words(reason: Reason, note: &str) -> String {
    let said = if note.is_empty() { String::new() } else { format!("; the last answer: {note}") };
    match reason {
        Reason::Refused { why: Why::Invalid } => format!("invalid, nothing was sent: {note}"),
        Reason::Refused { why: Why::Rejected { status } } => format!("rejected with status {status}: {note}"),
        Reason::Exhausted => {
            format!("its budget of failed attempts is used up{said}; look at the destination, then redrive")
        }
        Reason::Expired => format!("its deadline passed{said}; redrive it if it is still worth sending"),
        Reason::Cancelled => "cancelled".to_owned(),
        Reason::CredentialDead => format!("its credential is dead{said}; authorise it, then redrive"),
        Reason::InDoubt => {
            format!("it may have arrived and is not repeated{said}; look at the destination, then redrive")
        }
    }
}

fn outcome(record: &DeliveryRecord) -> Result<Outcome, Error> {
    let attempts = record.delivery.attempt.count();
    match record.delivery.state {
        State::Done { at, receipt } => {
            Ok(Outcome::Done(Done { attempts, at_ms: at.as_millis(), status: receipt.status }))
        }
        State::Failed { at, reason, in_doubt } => Ok(Outcome::Failed(Failed {
            attempts,
            at_ms: at.as_millis(),
            reason: reason_in_words(reason, &record.note),
            in_doubt,
        })),
        State::Pending { .. }
        | State::Sending { .. }
        | State::AwaitingPropagation { .. }
        | State::Refreshing { .. } => Err(Error::caller(format!("{}: it has not ended", record.delivery.id))),
    }
}

/// The journal in words, with the state after each input: the fold that S15 is about, shown.
fn journal(record: &DeliveryRecord) -> Vec<JournalLine> {
    let mut delivery = record.journal.snapshot();
    let mut lines = Vec::new();
    for entry in record.journal.entries() {
        delivery = delivery.step(entry.input, entry.at);
        lines.push(JournalLine {
            at_ms: entry.at.as_millis(),
            what: super::why::input_in_words(&entry.input),
            state: delivery.state.name().to_owned(),
            repeats: entry.repeats,
        });
    }
    lines
}
