//! One token request. Its intent is stored before it leaves; its result is stored before it is used.

use std::collections::HashMap;
use std::sync::Arc;

use outlast_state::{Cause, Time};
use tracing::{Instrument, info};

use super::acts::Renewal;
use super::grants::{Brought, RenewalEnding, ends};
use super::{Heard, World};
use crate::exchange::{Answer, Form, NoAnswer};
use crate::http::WITHIN;
use crate::oauth::{self, Asked, Client, GrantKind, Minted, Outcome, Profile};
use crate::store::{Key, Store};
use crate::vault::{Grant, Vault, VaultError};

/// Calls the token endpoint and reports.
pub(super) async fn call(world: Arc<World>, renewal: Renewal, profile: Arc<Profile>) {
    let epoch = renewal.from.number();
    let span = tracing::info_span!("refresh", credential = renewal.credential, epoch, tries = renewal.tries);
    span.in_scope(|| info!("refreshing"));
    let ending = tokio::select! {
        biased;
        // The answer may be on its way, and the token that it brings may be the only one left.
        () = world.abandon.cancelled() => RenewalEnding::GivenUp,
        ending = refresh(&world, &renewal, &profile).instrument(span) => ending,
    };
    let Renewal { credential, from, .. } = renewal;
    let _ = world.heard.send(Heard::Renewal { credential, from, ending });
}

async fn refresh(world: &World, renewal: &Renewal, profile: &Profile) -> RenewalEnding {
    let now = || world.clock.now();
    let begun = Asking::begin(world.store.as_ref(), world.vault.as_ref(), &world.clients, profile, renewal, now());
    let asking = match begun {
        Ok(asking) => asking,
        Err(ending) => return ending,
    };
    let answer = world.http.post_form(&profile.token_url, asking.form(), WITHIN, now).await;
    asking.ended(renewal, profile, answer, now())
}

/// A token request under way: what it is made of, and what its answer comes to. It waits for nothing.
pub(crate) struct Asking {
    vault: Arc<Vault>,
    /// What stays of it where the answer brings nothing new.
    grant: Grant,
    form: Form,
    asked: Asked,
}

impl Asking {
    /// Opens the grant, or signs what needs none. `now` is for what is signed.
    ///
    /// # Errors
    /// How it ends where there is nothing to ask with.
    pub(crate) fn begin(
        store: &dyn Store,
        vault: Option<&Arc<Vault>>,
        clients: &HashMap<String, Client>,
        profile: &Profile,
        renewal: &Renewal,
        now: Time,
    ) -> Result<Asking, RenewalEnding> {
        let unknown = |why: String| RenewalEnding::Unknown { why, retry_after: None };
        let vault = vault.ok_or_else(|| unknown(NO_KEY.to_owned()))?;
        let Some(client) = clients.get(&renewal.credential) else {
            return Err(RenewalEnding::Misconfigured { why: "no client is configured for it".into() });
        };
        if profile.grant.mints() {
            let minted = oauth::mint_form(profile, client, now);
            let (form, asked) = minted.map_err(|why| RenewalEnding::Misconfigured { why })?;
            // Whoever can mint needs no refresh token, and its grant has no end.
            let grant = Grant { refresh: None, refresh_expires: Time::NEVER };
            return Ok(Asking { vault: Arc::clone(vault), grant, form, asked });
        }
        if profile.grant == GrantKind::Static {
            return Err(without_refresh_token(profile));
        }
        let grant = grant(store, vault, renewal).map_err(unknown)?;
        let Some(refresh) = &grant.refresh else { return Err(without_refresh_token(profile)) };
        let form = oauth::refresh_form(profile, client, refresh);
        Ok(Asking { vault: Arc::clone(vault), grant, form, asked: Asked::Refresh })
    }

    /// The form to post.
    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    /// What the answer, or its absence, comes to. A new token is sealed here, and nowhere used yet.
    pub(crate) fn ended(
        &self,
        renewal: &Renewal,
        profile: &Profile,
        answer: Result<Answer, NoAnswer>,
        now: Time,
    ) -> RenewalEnding {
        match oauth::read(self.asked, &profile.token_shape, answer) {
            Outcome::Renewed(minted) => self.keep(renewal, profile, minted, now),
            Outcome::RefusedForGood { why } => RenewalEnding::RefusedForGood { cause: Cause::Revoked, why },
            Outcome::Misconfigured { why } => RenewalEnding::Misconfigured { why },
            Outcome::Unknown { why, retry_after } => RenewalEnding::Unknown { why, retry_after },
        }
    }

    /// Seals what was minted, for one write of access token, refresh token and lifetimes.
    fn keep(&self, renewal: &Renewal, profile: &Profile, minted: Minted, now: Time) -> RenewalEnding {
        let (name, epoch) = (renewal.credential.as_str(), renewal.from.next());
        let expires = now.after(minted.expires_in.unwrap_or(profile.access_life));
        let grant = match self.asked {
            Asked::Client | Asked::Assertion => self.grant.clone(),
            Asked::Refresh | Asked::Code => Grant {
                refresh: minted.refresh.or_else(|| self.grant.refresh.clone()),
                refresh_expires: minted.refresh_expires_in.map_or(self.grant.refresh_expires, |life| now.after(life)),
            },
        };
        let ends = ends(&grant, expires, profile.grant.mints());
        let vault = &self.vault;
        let sealed = vault
            .seal_access(name, epoch, &minted.access)
            .and_then(|token| Ok((token, vault.seal_grant(name, epoch, &grant)?)));
        match sealed {
            Ok((sealed_token, sealed_grant)) => RenewalEnding::Renewed(Brought {
                issued: now,
                expires,
                ends,
                scopes: minted.scope,
                sealed_token,
                sealed_grant,
                token: minted.access,
            }),
            // The next token would be as long: asking for it again and again would never end.
            Err(error @ VaultError::TooLong { .. }) => {
                RenewalEnding::Misconfigured { why: format!("the new token could not be stored: {error}") }
            }
            Err(error) => {
                RenewalEnding::Unknown { why: format!("the new token could not be sealed: {error}"), retry_after: None }
            }
        }
    }
}

const NO_KEY: &str = "there is no key to open the vault with; configure one";

fn without_refresh_token(profile: &Profile) -> RenewalEnding {
    let why = match profile.grant {
        GrantKind::Static => {
            "the provider refuses the token that is configured, and nothing renews it: write a new one where the \
             configuration has it (token, token_file or token_env), and start the engine again"
        }
        _ => "there is no refresh token, so no new access token can be asked for",
    };
    RenewalEnding::RefusedForGood { cause: Cause::NoRefreshToken, why: why.to_owned() }
}

fn grant(store: &dyn Store, vault: &Vault, renewal: &Renewal) -> Result<Grant, String> {
    let name = renewal.credential.as_str();
    let sealed = store.get(&Key::Grant(name.to_owned())).map_err(|error| error.to_string())?;
    let sealed = sealed.ok_or_else(|| format!("the grant of {name} is missing from the store; import it again"))?;
    vault.open_grant(name, renewal.from, &sealed).map_err(|error| error.to_string())
}
