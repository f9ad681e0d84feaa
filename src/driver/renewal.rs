//! One token request. Its intent is stored before it leaves; its result is stored before it is used.

use std::collections::HashMap;
use std::sync::Arc;

use outlast_state::{Cause, Time};
use tracing::{Instrument, info};

use super::acts::Renewal;
use super::grants::{Brought, RenewalEnding, ends};
use super::{Heard, World};
use crate::exchange::{Answer, NoAnswer};
use crate::http::WITHIN;
use crate::oauth::{self, Client, Minted, Outcome, Profile};
use crate::secret::Secret;
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
    let begun = Asking::begin(world.store.as_ref(), world.vault.as_ref(), &world.clients, renewal);
    let asking = match begun {
        Ok(asking) => asking,
        Err(ending) => return ending,
    };
    let now = || world.clock.now();
    let answer = world.http.post_form(&profile.token_url, &asking.form(), WITHIN, now).await;
    asking.ended(renewal, profile, answer, now())
}

/// A token request under way: what it is made of, and what its answer comes to. It waits for nothing.
pub(crate) struct Asking {
    vault: Arc<Vault>,
    client: Client,
    grant: Grant,
    refresh: Secret,
}

impl Asking {
    /// Opens the grant.
    ///
    /// # Errors
    /// How it ends where there is nothing to ask with.
    pub(crate) fn begin(
        store: &dyn Store,
        vault: Option<&Arc<Vault>>,
        clients: &HashMap<String, Client>,
        renewal: &Renewal,
    ) -> Result<Asking, RenewalEnding> {
        let opened = grant(store, vault, renewal);
        let (vault, grant) = opened.map_err(|why| RenewalEnding::Unknown { why, retry_after: None })?;
        let Some(client) = clients.get(&renewal.credential).cloned() else {
            return Err(RenewalEnding::Misconfigured { why: "no client is configured for it".into() });
        };
        let Some(refresh) = grant.refresh.clone() else {
            let why = "there is no refresh token, so no new access token can be asked for".to_owned();
            return Err(RenewalEnding::RefusedForGood { cause: Cause::NoRefreshToken, why });
        };
        Ok(Asking { vault, client, grant, refresh })
    }

    /// The form to post.
    pub(crate) fn form(&self) -> Vec<(&'static str, Secret)> {
        oauth::refresh_form(&self.client, &self.refresh)
    }

    /// What the answer, or its absence, comes to. A new token is sealed here, and nowhere used yet.
    pub(crate) fn ended(
        &self,
        renewal: &Renewal,
        profile: &Profile,
        answer: Result<Answer, NoAnswer>,
        now: Time,
    ) -> RenewalEnding {
        match oauth::read(answer) {
            Outcome::Renewed(minted) => keep(&self.vault, renewal, profile, &self.grant, minted, now),
            Outcome::RefusedForGood { why } => RenewalEnding::RefusedForGood { cause: Cause::Revoked, why },
            Outcome::Misconfigured { why } => RenewalEnding::Misconfigured { why },
            Outcome::Unknown { why, retry_after } => RenewalEnding::Unknown { why, retry_after },
        }
    }
}

fn grant(store: &dyn Store, vault: Option<&Arc<Vault>>, renewal: &Renewal) -> Result<(Arc<Vault>, Grant), String> {
    let name = renewal.credential.as_str();
    let vault = vault.ok_or("there is no key to open the vault with; configure one")?;
    let sealed = store.get(&Key::Grant(name.to_owned())).map_err(|error| error.to_string())?;
    let sealed = sealed.ok_or_else(|| format!("the grant of {name} is missing from the store; import it again"))?;
    let grant = vault.open_grant(name, renewal.from, &sealed).map_err(|error| error.to_string())?;
    Ok((Arc::clone(vault), grant))
}

/// Seals what was minted, for one write of access token, refresh token and lifetimes.
fn keep(vault: &Vault, renewal: &Renewal, profile: &Profile, old: &Grant, minted: Minted, now: Time) -> RenewalEnding {
    let (name, epoch) = (renewal.credential.as_str(), renewal.from.next());
    let expires = now.after(minted.expires_in.unwrap_or(profile.access_life));
    let grant = Grant {
        refresh: minted.refresh.or_else(|| old.refresh.clone()),
        refresh_expires: minted.refresh_expires_in.map_or(old.refresh_expires, |life| now.after(life)),
    };
    let ends = ends(&grant, expires, profile.grant.mints());
    let sealed = vault
        .seal_access(name, epoch, &minted.access)
        .and_then(|token| Ok((token, vault.seal_grant(name, epoch, &grant)?)));
    match sealed {
        Ok((sealed_token, sealed_grant)) => RenewalEnding::Renewed(Brought {
            issued: now,
            expires,
            ends,
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
