//! One token request. Its intent is stored before it leaves; its result is stored before it is used.

use std::sync::Arc;

use outlast_state::{Cause, Time};
use tracing::{Instrument, info};

use super::acts::Renewal;
use super::grants::{Brought, RenewalEnding};
use super::{Heard, World};
use crate::oauth::{self, Minted, Outcome, Profile};
use crate::store::Key;
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
    let (vault, grant) = match grant(world, renewal) {
        Ok(found) => found,
        Err(why) => return RenewalEnding::Unknown { why, retry_after: None },
    };
    let Some(client) = world.clients.get(&renewal.credential) else {
        return RenewalEnding::Misconfigured { why: "no client is configured for it".into() };
    };
    let Some(token) = &grant.refresh else {
        let why = "there is no refresh token, so no new access token can be asked for".to_owned();
        return RenewalEnding::RefusedForGood { cause: Cause::NoRefreshToken, why };
    };
    match oauth::refresh(&world.http, profile, client, token, || world.clock.now()).await {
        Outcome::Renewed(minted) => keep(world, vault, renewal, profile, &grant, minted),
        Outcome::RefusedForGood { why } => RenewalEnding::RefusedForGood { cause: Cause::Revoked, why },
        Outcome::Misconfigured { why } => RenewalEnding::Misconfigured { why },
        Outcome::Unknown { why, retry_after } => RenewalEnding::Unknown { why, retry_after },
    }
}

fn grant<'a>(world: &'a World, renewal: &Renewal) -> Result<(&'a Vault, Grant), String> {
    let name = renewal.credential.as_str();
    let vault = world.vault.as_ref().ok_or("there is no key to open the vault with; configure one")?;
    let sealed = world.store.get(&Key::Grant(name.to_owned())).map_err(|error| error.to_string())?;
    let sealed = sealed.ok_or_else(|| format!("the grant of {name} is missing from the store; import it again"))?;
    let grant = vault.open_grant(name, renewal.from, &sealed).map_err(|error| error.to_string())?;
    Ok((vault, grant))
}

/// Seals what was minted, for one write of access token, refresh token and lifetimes.
fn keep(
    world: &World,
    vault: &Vault,
    renewal: &Renewal,
    profile: &Profile,
    old: &Grant,
    minted: Minted,
) -> RenewalEnding {
    let (name, epoch, now) = (renewal.credential.as_str(), renewal.from.next(), world.clock.now());
    let expires = now.after(minted.expires_in.unwrap_or(profile.access_life));
    let grant = Grant {
        refresh: minted.refresh.or_else(|| old.refresh.clone()),
        refresh_expires: minted.refresh_expires_in.map_or(old.refresh_expires, |life| now.after(life)),
    };
    let grant_ends = if grant.refresh.is_some() { grant.refresh_expires } else { Time::NEVER };
    let sealed = vault
        .seal_access(name, epoch, &minted.access)
        .and_then(|token| Ok((token, vault.seal_grant(name, epoch, &grant)?)));
    match sealed {
        Ok((sealed_token, sealed_grant)) => RenewalEnding::Renewed(Brought {
            issued: now,
            expires,
            grant_ends,
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
