//! What an operator asks of a credential: a refresh before its time, or its end.

use std::sync::Arc;

use outlast_state::{Cause, Credential, CredentialInput, CredentialState, CredentialWant, Epoch, Grant, Time};
use tracing::info;

use super::acts::Turn;
use super::heart::Heart;
use crate::error::{Error, ErrorKind};
use crate::oauth::{GrantKind, Profile};
use crate::secret::Secret;
use crate::store::Key;
use crate::view::CredentialView;

/// What is left of a credential that was ended here: what its provider can be told with.
pub(crate) struct Parting {
    pub(crate) view: CredentialView,
    pub(crate) profile: Arc<Profile>,
    /// The token to end, and what kind of token it is.
    pub(crate) token: Option<(Secret, &'static str)>,
    /// Why there is none, where one was expected.
    pub(crate) sealed: Option<String>,
}

impl Heart {
    /// Has a new token asked for now, if the rules allow it.
    pub(super) fn refresh(&mut self, name: &str, turn: &mut Turn) -> Result<CredentialView, Error> {
        let (before, profile) = self.known_credential(name)?;
        self.can_be_refreshed(name, &before, &profile)?;
        let input = match before.wants() {
            // What the provider said of the client may be mended without anything changing here.
            CredentialWant::Authorisation => CredentialInput::ConfigurationChanged { terms: before.terms },
            _ => CredentialInput::RefreshDue,
        };
        let after = self.machines.credential(name, input, turn).unwrap_or(before);
        if after == before && !matches!(before.state, CredentialState::Refreshing { .. }) {
            return Err(Error::caller(format!("credential {name}: {}", unwilling(name, &before, turn.now))));
        }
        info!(credential = name, "an operator asks for a new token");
        self.view_of(name, turn.now)
    }

    fn can_be_refreshed(&self, name: &str, credential: &Credential, profile: &Profile) -> Result<(), Error> {
        let dead = credential.wants() == CredentialWant::Authorisation;
        match profile.grant {
            GrantKind::Static => Err(Error::caller(format!(
                "credential {name}: its token is a configured one, which nothing renews; write a new one into the \
                 configuration and start the engine again, or try the same one again with `outlast auth login {name}`"
            ))),
            GrantKind::AuthorizationCode if !dead => match self.grant_of(name, credential.epoch) {
                Ok(Some(grant)) if grant.refresh.is_none() => Err(Error::caller(format!(
                    "credential {name}: it has no refresh token, so its token is the last one; bring a new grant with \
                     `outlast auth login {name}`"
                ))),
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(Error::configuration(format!(
                    "credential {name}: its grant is missing from the store; bring it again with `outlast auth login {name}`"
                ))),
                Err(why) => Err(Error::configuration(format!("credential {name}: {why}"))),
            },
            GrantKind::AuthorizationCode | GrantKind::ClientCredentials | GrantKind::JwtBearer => Ok(()),
        }
    }

    /// Ends a credential here. What its provider is told with stays sealed until [`Heart::forget`].
    pub(super) fn revoke(&mut self, name: &str, turn: &mut Turn) -> Result<Parting, Error> {
        let (credential, profile) = self.known_credential(name)?;
        let (mut token, mut sealed) = (None, None);
        match self.grant_of(name, credential.epoch) {
            Ok(grant) => token = grant.and_then(|grant| grant.refresh).map(|refresh| (refresh, "refresh_token")),
            Err(why) => sealed = Some(why).filter(|_| credential.epoch > Epoch::NONE),
        }
        if profile.grant == GrantKind::Static {
            token = token.map(|(token, _)| (token, "access_token"));
        } else if token.is_none() && credential.epoch > Epoch::NONE {
            let vault = self.vault.as_deref();
            let access = super::conversation::token_of(self.store.as_ref(), vault, name, credential.epoch);
            token = access.ok().map(|access| (access, "access_token"));
        }
        self.machines.credential(name, CredentialInput::Revoked, turn);
        self.machines.touch(name, turn, |keeper| keeper.record.note("an operator revoked it"));
        if let Some(vault) = &self.vault {
            vault.forget(name);
        }
        info!(credential = name, "an operator revoked it");
        Ok(Parting { view: self.view_of(name, turn.now)?, profile, token, sealed })
    }

    /// Deletes what is stored of a credential that is over. A configured token stays sealed, so that the same one does not come
    /// back with the next start.
    pub(super) fn forget(&mut self, name: &str, turn: &mut Turn) -> Result<(), Error> {
        let (credential, profile) = self.known_credential(name)?;
        // Somebody may have authorised it again meanwhile.
        if credential.wants() == CredentialWant::Authorisation && profile.grant != GrantKind::Static {
            turn.writes.delete(Key::Grant(name.to_owned()));
            let newest = credential.epoch.number();
            for epoch in newest.saturating_sub(1)..=newest {
                turn.writes.delete(Key::Token(name.to_owned(), Epoch::from_number(epoch)));
            }
        }
        Ok(())
    }

    fn known_credential(&self, name: &str) -> Result<(Credential, Arc<Profile>), Error> {
        let keeper = self.machines.credentials.get(name);
        let found = keeper.zip(self.machines.settings.profiles.get(name));
        let found = found.map(|(keeper, profile)| (keeper.record.credential, Arc::clone(profile)));
        found.ok_or_else(|| {
            let names: Vec<&str> = self.machines.credentials.keys().map(String::as_str).collect();
            let message = format!("credential: there is none named {name:?}; configured: {}", names.join(", "));
            Error::new(ErrorKind::Unknown, message)
        })
    }

    fn view_of(&self, name: &str, now: Time) -> Result<CredentialView, Error> {
        self.machines.credential_view(name, now).ok_or_else(|| Error::caller("credential: it is gone"))
    }

    fn grant_of(&self, name: &str, epoch: Epoch) -> Result<Option<crate::vault::Grant>, String> {
        let vault = self.vault.as_ref().ok_or("there is no key to open the vault with; configure one")?;
        let sealed = self.store.get(&Key::Grant(name.to_owned())).map_err(|error| error.to_string())?;
        let opened = sealed.map(|sealed| vault.open_grant(name, epoch, &sealed));
        opened.transpose().map_err(|error| error.to_string())
    }
}

/// Why a credential does not take a refresh now, and what can be done.
fn unwilling(name: &str, credential: &Credential, now: Time) -> String {
    match credential.state {
        CredentialState::Dead { cause: Cause::NeverAuthorised, .. } => {
            format!("it has no grant yet; bring one with `outlast auth login {name}` or `outlast auth import {name}`")
        }
        CredentialState::Dead { .. } => {
            format!("it is dead, and no refresh brings it back; bring a new grant with `outlast auth login {name}`")
        }
        CredentialState::Current { next: Some(_), .. } => {
            "a new token is there already, and waits to be proven; nothing was asked".to_owned()
        }
        CredentialState::Current { .. } if matches!(credential.grant, Grant::Ended { .. }) => format!(
            "its grant is over, and the token that still serves is the last one; bring a new grant with \
             `outlast auth login {name}`"
        ),
        CredentialState::Current { serving, .. } => {
            let (age, settles) = (serving.age(now), serving.issued.after(credential.terms.settle));
            format!(
                "its token is {age} old, younger than the settle window of {window}; a refresh now would only start the \
                 wait anew. Ask again in {left}; nothing was asked",
                window = credential.terms.settle,
                left = settles.since(now)
            )
        }
        CredentialState::Refreshing { .. } => "it is being refreshed already".to_owned(),
    }
}
