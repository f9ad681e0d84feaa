//! One question to an issuer about a token: off every delivery's way, and no more than one per settle window.

use std::collections::HashMap;
use std::sync::Arc;

use outlast_state::Standing;
use tracing::{Instrument, info};
use url::Url;

use super::acts::Inspection;
use super::conversation::token_of;
use super::{Heard, World};
use crate::exchange::Form;
use crate::http::WITHIN;
use crate::oauth::{self, Client, Profile};
use crate::store::Store;
use crate::vault::Vault;

/// Asks and reports. A question that cannot be asked is one without an answer.
pub(super) async fn call(world: Arc<World>, inspection: Inspection, profile: Arc<Profile>) {
    let span = tracing::info_span!("introspect", credential = inspection.credential, epoch = inspection.epoch.number());
    span.in_scope(|| info!("asking the issuer about the token"));
    let (standing, note) = tokio::select! {
        biased;
        () = world.abandon.cancelled() => (Standing::Unknown, String::new()),
        answered = ask(&world, &inspection, &profile).instrument(span) => answered,
    };
    let Inspection { credential, epoch } = inspection;
    let _ = world.heard.send(Heard::Inspection { credential, epoch, standing, note });
}

async fn ask(world: &World, inspection: &Inspection, profile: &Profile) -> (Standing, String) {
    match question(world.store.as_ref(), world.vault.as_deref(), &world.clients, profile, inspection) {
        Ok((url, form)) => oauth::standing(world.http.post_form(&url, &form, WITHIN, || world.clock.now()).await),
        Err(why) => unasked(&why),
    }
}

/// What it comes to where there is nothing to ask with.
pub(crate) fn unasked(why: &str) -> (Standing, String) {
    (Standing::Unknown, format!("the issuer was not asked about the token: {why}"))
}

/// What is asked, and where.
///
/// # Errors
/// Why there is nothing to ask with.
pub(crate) fn question(
    store: &dyn Store,
    vault: Option<&Vault>,
    clients: &HashMap<String, Client>,
    profile: &Profile,
    inspection: &Inspection,
) -> Result<(Url, Form), String> {
    let url = profile.introspect_url.clone().ok_or("its profile names no introspection endpoint")?;
    let client = clients.get(&inspection.credential).ok_or("no client is configured for it")?;
    let token = token_of(store, vault, &inspection.credential, inspection.epoch)?;
    Ok((url, oauth::inspect_form(profile, client, &token)))
}
