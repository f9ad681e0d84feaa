//! What the driver shows when it is asked, without changing anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast_state::{CredentialWant, DeliveryId, Offer, State, Time, Want};
use tokio::sync::{broadcast, oneshot};
use tracing::warn;

use super::acts::{Act, News, Turn};
use super::heart::Heart;
use super::machines::{Keeper, Machines};
use super::shown::{self, Kept, damaged, unknown};
use super::{Carried, Look};
use crate::alert::Alert;
use crate::digest::hex;
use crate::error::{Error, ErrorKind};
use crate::records::{self, AlertRecord, Content, DeliveryRecord};
use crate::store::{Key, Store, Table};
use crate::view::{Counts, CredentialView, Details, Filter, Scope, Summary};

/// So many changes are kept for a watcher that is slow.
const WATCHED: usize = 64;

impl Heart {
    /// What a request to a destination would carry. An expired token is asked for again, as where a delivery meets it.
    fn carries(&mut self, name: &str, turn: &mut Turn) -> Result<Carried, Error> {
        let machines = &mut self.machines;
        let Some(outlet) = machines.settings.outlets.get(name) else {
            let names: Vec<&str> = machines.settings.outlets.keys().map(|name| &**name).collect();
            let message = format!("destination: there is none named {name:?}; configured: {}", names.join(", "));
            return Err(Error::new(ErrorKind::Unknown, message));
        };
        let credential = outlet.credential.clone();
        let spoken_to = machines.settings.speaks_for(name, credential.as_deref());
        let spoken_to = spoken_to.expect("the outlet was there a moment ago");
        let Some(credential) = credential else { return Ok(Carried { spoken_to, token: None }) };
        match machines.token_of(&credential, turn) {
            Some(token) => Ok(Carried { spoken_to, token: Some((credential, token.epoch)) }),
            None if machines.is_parked(name) => Err(Error::new(
                ErrorKind::Caller,
                format!("credential {credential}: it is dead; give it a grant with `outlast auth import {credential}`"),
            )),
            None => Err(Error::new(
                ErrorKind::Busy,
                format!(
                    "credential {credential}: it has no token that works just now and asks for one while the engine runs; try again in a moment"
                ),
            )),
        }
    }

    /// Answers a call that only looks. After the commit too: what it tells may just have changed.
    pub(super) fn look(&mut self, look: Look, turn: &mut Turn) {
        match look {
            Look::Outcome { id, reply } => {
                let result = self.record(id, turn).and_then(|record| shown::outcome(&record));
                turn.answer(|_| drop(reply.send(result)));
            }
            Look::Watch { id, reply } => {
                let result = self.watch(id, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Look::List { filter, reply } => self.list(filter, reply, turn),
            Look::Show { id, reply } => {
                let result = self.record(id, turn).and_then(|record| self.show(&record));
                turn.answer(|_| drop(reply.send(result)));
            }
            Look::Why { id, reply } => {
                let result = self.record(id, turn).map(|record| self.machines.why(&record, turn.now));
                turn.answer(|_| drop(reply.send(result)));
            }
            Look::Counts { reply } => {
                let counts = Counts { cut_off: self.machines.cut_off(), ..self.machines.counts };
                turn.answer(move |_| {
                    let _ = reply.send(counts);
                });
            }
            Look::Vault { reply } => self.check_vault(reply, turn),
            Look::Figures { reply } => {
                let store = Arc::clone(&self.store);
                turn.acts.push(Act::Beside(Box::new(move || {
                    let _ = reply.send(store.figures());
                })));
            }
            Look::Carries { destination, reply } => {
                let result = self.carries(&destination, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Look::Credentials { reply } => {
                let names = self.machines.credentials.keys();
                let views = names.filter_map(|name| self.machines.credential_view(name, turn.now)).collect();
                turn.answer(|_| drop(reply.send(views)));
            }
            Look::Credential { name, reply } => {
                let result = self.machines.portrait(&name, turn.now);
                turn.answer(|_| drop(reply.send(result)));
            }
            Look::Calendar { reply } => {
                let names = self.machines.credentials.keys();
                let ahead = names.filter_map(|name| self.machines.calendar(name, turn.now)).collect();
                turn.answer(|_| drop(reply.send(Ok(ahead))));
            }
            Look::Alerts { reply } => {
                let store = Arc::clone(&self.store);
                turn.acts.push(Act::Beside(Box::new(move || drop(reply.send(alerts(store.as_ref()))))));
            }
            Look::Pauses { reply } => {
                let scopes = self.machines.pauses.keys().cloned().collect();
                turn.answer(|_| drop(reply.send(scopes)));
            }
        }
    }

    fn watch(&mut self, id: DeliveryId, turn: &Turn) -> Result<(Summary, broadcast::Receiver<News>), Error> {
        let record = self.record(id, turn)?;
        let ended = record.delivery.wants() == Want::Nothing;
        let (sender, receiver) = match self.watchers.get(&id) {
            Some(sender) => (sender.clone(), sender.subscribe()),
            None => broadcast::channel(WATCHED),
        };
        // The sender of a delivery that has ended is dropped here, which ends the stream after its only state.
        if !ended {
            self.watchers.insert(id, sender);
            self.machines.watched.insert(id);
        }
        Ok((self.summary(&record), receiver))
    }

    pub(super) fn summary(&self, record: &DeliveryRecord) -> Summary {
        shown::summary(record, self.machines.kept(&record.destination))
    }

    /// Reads the whole table beside the driver, so that a long listing delays nothing.
    fn list(&self, filter: Filter, reply: oneshot::Sender<Result<Vec<Summary>, Error>>, turn: &mut Turn) {
        let machines = &self.machines;
        let names = machines.settings.outlets.keys();
        let kept = names.map(|name| (name.to_string(), machines.kept(name))).collect();
        let (store, now) = (Arc::clone(&self.store), turn.now);
        let work = move || drop(reply.send(list(store.as_ref(), &filter, &kept, now)));
        turn.acts.push(Act::Beside(Box::new(work)));
    }

    fn show(&self, record: &DeliveryRecord) -> Result<Details, Error> {
        let id = record.delivery.id;
        let content = if let Some(content) = record.content.filter(|_| record.let_go_of_body()) {
            content
        } else {
            let parcel = records::get::<records::ParcelRecord>(self.store.as_ref(), &Key::Parcel(id))?;
            let parcel = parcel.map_err(|damage| damaged(id, &damage))?.ok_or_else(|| unknown(id))?;
            Content { size: parcel.size, digest: parcel.digest }
        };
        Ok(Details {
            summary: self.summary(record),
            body_bytes: u64::from(content.size),
            body_sha256: hex(&content.digest),
            budget: record.delivery.budget,
            journal: shown::journal(record),
        })
    }
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
        let live = self.live_within(&Scope::Credential(name.to_owned()));
        Some(CredentialView {
            name: name.to_owned(),
            profile: self.settings.profiles.get(name).map(|profile| profile.name.clone()).unwrap_or_default(),
            state: credential.state.name().to_owned(),
            epoch: credential.epoch.number(),
            issued_ms: token.map(|token| token.issued.as_millis()),
            expires_ms: token.map(|token| token.expires).filter(|at| *at < Time::NEVER).map(Time::as_millis),
            grant_ends_ms: Some(credential.ends).filter(|at| *at < Time::NEVER).map(Time::as_millis),
            detail: self.credential_sentence(name, keeper, now),
            live,
        })
    }

    fn credential_sentence(&self, name: &str, keeper: &Keeper, now: Time) -> String {
        let sentence = self.credential_stands(name, now).join(" ");
        let note = &keeper.record.note;
        match keeper.record.credential.wants() {
            _ if note.is_empty() => sentence,
            CredentialWant::Authorisation => format!("{sentence} The provider said: {note}"),
            _ => format!("{sentence} Trouble: {note}"),
        }
    }
}

/// The alerts that are kept, oldest first.
fn alerts(store: &dyn Store) -> Result<Vec<Alert>, Error> {
    let mut found = Vec::new();
    records::each::<AlertRecord>(store, Table::Alert, |key, record| {
        match record {
            Ok(AlertRecord::Past(past)) => found.push(Alert::from(past)),
            Ok(AlertRecord::Told(_)) => {}
            Err(damage) => warn!(?key, %damage, "a record does not verify; it is left out of the alerts"),
        }
        true
    })?;
    Ok(found)
}

fn list(store: &dyn Store, filter: &Filter, kept: &BTreeMap<String, Kept>, now: Time) -> Result<Vec<Summary>, Error> {
    if let Some(wrong) = filter.states.iter().find(|state| !State::NAMES.contains(&state.as_str())) {
        let names = State::NAMES.join(", ");
        return Err(Error::caller(format!("state: there is none named {wrong:?}; there are {names}")));
    }
    let mut found = Vec::new();
    let limit = filter.limit.unwrap_or(usize::MAX);
    records::each_delivery(store, |_, key, record| {
        match record {
            Ok(record) if matches(filter, &record, now) => {
                let kept = kept.get(&record.destination).copied().unwrap_or_default();
                found.push(shown::summary(&record, kept));
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
