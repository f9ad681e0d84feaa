//! What the examples share: a sandbox as the provider, and an engine that knows nothing else. `embed.rs` shows it in full.

use std::error::Error;
use std::sync::Arc;

use outlast::destination::linkedin;
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::sandbox::{Options, Sandbox, WallClock};
use outlast::state::{Span, Time};
use outlast::store::memory::MemoryStore;
use outlast::vault::VaultKey;
use outlast::{Authorisation, Builder, Endpoint, Engine, OAuth, Secret, clock};
use serde_json::{Value, json};

const MONTH: u64 = 30 * 86_400;

/// A provider with these switches and faults, and one grant whose access token is a month old.
pub(crate) async fn provider(switches: Value, faults: Value, wall: WallClock) -> Result<Sandbox, Box<dyn Error>> {
    let options = json!({
        "grants": [{"access_token": "access-1", "refresh_token": "refresh-1", "age_s": MONTH}],
        "switches": switches, "faults": faults
    });
    Ok(Sandbox::start(Options::from_json(&options)?, wall).await?)
}

/// An engine that delivers to that provider, eight requests at a time, from a store in memory.
pub(crate) fn engine(sandbox: &Sandbox) -> Result<Builder, Box<dyn Error>> {
    let api = format!("http://{}/rest", sandbox.api_addr());
    let mut profile = Profile::linkedin();
    profile.token_url = format!("http://{}/oauth/v2/accessToken", sandbox.api_addr()).parse()?;
    profile.audience = Audience::of([&api.parse()?]);
    let now = clock::wall();
    let grant = Authorisation {
        access: Secret::new("access-1"),
        refresh: Some(Secret::new("refresh-1")),
        issued: Some(Time::from_millis(now.as_millis().saturating_sub(MONTH.saturating_mul(1000)))),
        expires: Some(now.after(Span::from_secs(MONTH))),
        refresh_expires: None,
        scope: None,
    };
    let oauth = OAuth::new(profile, "client-id-1", Secret::new("client-secret-1")).first_grant(grant);
    let conversions = linkedin::conversions().rule("789123").api(&api).batch_size(1).build()?;
    let folder = tempfile::tempdir()?;
    Ok(Engine::builder("in memory")
        .store(Arc::new(MemoryStore::new()))
        .vault_key(VaultKey::create(&folder.path().join("outlast.key"))?)
        .allow_loopback(true)
        .credential("acme", oauth)
        .destination("conversions", Endpoint::new(conversions).credential("acme").concurrency(8)))
}

/// An order, as a source emits it.
pub(crate) fn order(number: u32) -> Value {
    json!({
        "type": "track", "event": "Order Completed", "messageId": format!("order-{number}"),
        "timestamp": clock::wall().as_millis(), "traits": {"email": format!("customer-{number}@example.org")},
        "properties": {"currency": "EUR", "revenue": 12.5}
    })
}
