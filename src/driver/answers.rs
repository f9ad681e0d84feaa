//! The driver's answers to its callers.

use outlast_state::{DeliveryId, State, Time, Want};
use tokio::sync::oneshot;

use super::Ask;
use super::acts::Turn;
use super::grants::{Brought, ends};
use super::heart::Heart;
use crate::authorisation::Authorisation;
use crate::error::{Error, ErrorKind};
use crate::oauth::GrantKind;
use crate::parcel::{self, LARGEST_BODY};
use crate::records::DeliveryRecord;
use crate::vault::Grant;
use crate::view::{CredentialView, Scope, Summary};

/// One `submit_all` makes at most so many keys: three for each parcel, and one for each 3 KiB of body.
pub(crate) const LARGEST_SUBMISSION: usize = 6_000;

impl Heart {
    /// Answers a call. What changes something is answered by an act, after the commit; what only looks is answered now.
    pub(super) fn answer(&mut self, ask: Ask, turn: &mut Turn) {
        match ask {
            Ask::Submit { parcel, reply } => {
                let result = self.submit(parcel, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::SubmitAll { parcels, reply } => self.submit_all(parcels, reply, turn),
            Ask::Cancel { id, reply } => {
                let result = self.cancel(id, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Redrive { id, redrive, reply } => {
                let result = self.record(id, turn).and_then(|record| {
                    failed(&record)?;
                    self.machines.has_been_met(&record)?;
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
            Ask::Authorise { credential, grant, reply } => {
                let result = self.authorise(&credential, grant, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Refresh { credential, reply } => {
                let result = self.refresh(&credential, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Revoke { credential, reply } => {
                let result = self.revoke(&credential, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Forget { credential, reply } => {
                let result = self.forget(&credential, turn);
                turn.answer(|_| drop(reply.send(result)));
            }
            Ask::Rekey { key, reply } => self.rekey(&key, reply, turn),
            Ask::Stop { grace, reply } => self.begin_stop(grace, Some(reply), turn.now),
            Ask::Look(look) => self.look(look, turn),
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
            let error = Error::caller(
                "parcels: together they are more than one commit holds; submit fewer or smaller ones at once",
            );
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
        self.machines.has_been_met(&record)?;
        if !self.machines.live.contains_key(&id) {
            self.machines.woken(record);
        }
        self.machines.cancel(id, turn);
        self.record(id, turn).map(|record| self.summary(&record))
    }

    fn known_scope(&self, scope: &Scope) -> Result<(), Error> {
        if let Scope::Lane { lane, .. } = scope {
            parcel::name("lane", lane)?;
        }
        let settings = &self.machines.settings;
        let known = match scope {
            Scope::Destination(name) | Scope::Lane { destination: name, .. } => {
                settings.outlets.contains_key(name.as_str())
            }
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
        // The token of a dead credential is deleted; in the grant a configured one stays, so that the next start knows it again.
        let is_fixed = self.machines.settings.profiles.get(name).is_some_and(|it| it.grant == GrantKind::Static);
        let refresh = if is_fixed { Some(grant.access.clone()) } else { grant.refresh };
        let grant = Authorisation { refresh, ..grant };
        let brought = self.seal(name, epoch, grant, turn.now)?;
        self.machines.authorise(name, brought, turn);
        self.machines.credential_view(name, turn.now).ok_or_else(|| Error::caller("credential: it is gone"))
    }

    /// When a grant ends at the latest of which nobody says when: a token cannot be older than its grant.
    fn latest_end(&self, name: &str, issued: Time) -> Time {
        let life = self.machines.settings.profiles.get(name).and_then(|profile| profile.grant_life);
        life.map_or(Time::NEVER, |life| issued.after(life))
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
        let Some(vault) = &self.vault else {
            return Err(Error::configuration("vault: there is no key to seal tokens with; configure one"));
        };
        let issued = grant.issued.unwrap_or(now).min(now);
        let told = grant.refresh_expires.unwrap_or_else(|| self.latest_end(name, issued));
        let sealed_token = vault.seal_access(name, epoch, &grant.access).map_err(|error| sealing(&error))?;
        let kept = Grant { refresh: grant.refresh, refresh_expires: told };
        let mints = self.machines.settings.profiles.get(name).is_some_and(|profile| profile.grant.mints());
        let ends = ends(&kept, expires, mints);
        let sealed_grant = vault.seal_grant(name, epoch, &kept).map_err(|error| sealing(&error))?;
        Ok(Brought { issued, expires, ends, scopes: grant.scope, sealed_token, sealed_grant, token: grant.access })
    }
}

/// About how many keys a parcel's acceptance writes.
pub(crate) fn weight(parcel: &crate::Parcel) -> usize {
    // A body that is too large is refused, and then writes nothing.
    let body = if parcel.body.len() > LARGEST_BODY { 0 } else { parcel.body.len() };
    body.div_euclid(3 * 1024).saturating_add(3)
}

fn sealing(error: &crate::vault::VaultError) -> Error {
    Error::configuration(error.to_string())
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
