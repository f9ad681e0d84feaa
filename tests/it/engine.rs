//! The engine against the sandbox, in one process.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::needless_pass_by_value,
    reason = "numbers and options that a test makes up"
)]

use std::sync::Arc;

use outlast::destination::linkedin;
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::sandbox::{Options, Sandbox};
use outlast::store::memory::MemoryStore;
use outlast::vault::VaultKey;
use outlast::{Authorisation, Builder, Endpoint, Engine, OAuth, Outcome, Parcel, Secret};
use outlast_state::{Span, Time};
use serde_json::{Value, json};

pub(crate) struct Provider {
    pub(crate) sandbox: Sandbox,
}

pub(crate) fn wall() -> u64 {
    outlast::clock::wall().as_millis()
}

impl Provider {
    pub(crate) async fn start(options: Value) -> Self {
        let options = Options::from_json(&options).unwrap();
        Provider { sandbox: Sandbox::start(options, Arc::new(wall)).await.unwrap() }
    }

    pub(crate) fn summary(&self) -> Value {
        serde_json::to_value(self.sandbox.with_provider(|provider, _| provider.summary())).unwrap()
    }

    /// An engine that speaks to this sandbox, over a store in memory.
    pub(crate) fn engine(&self, store: &Arc<MemoryStore>) -> Builder {
        self.engine_with(store, Span::from_secs(600))
    }

    pub(crate) fn engine_with(&self, store: &Arc<MemoryStore>, settle: Span) -> Builder {
        let base = format!("http://{}/rest", self.sandbox.api_addr());
        let api = base.parse().unwrap();
        let mut profile = Profile::linkedin();
        profile.token_url = format!("http://{}/oauth/v2/accessToken", self.sandbox.api_addr()).parse().unwrap();
        profile.audience = Audience::of([&api]);
        profile.settle = settle;
        let conversions = linkedin::conversions().rule("789123").api(&base).batch_size(1).build().unwrap();
        Engine::builder("unused")
            .store(Arc::clone(store) as Arc<dyn outlast::store::Store>)
            .vault_key(key())
            .allow_loopback(true)
            .credential("acme", OAuth::new(profile, "client-id-1", Secret::new("client-secret-1")))
            .destination("conversions", Endpoint::new(conversions).credential("acme").concurrency(16))
    }
}

pub(crate) fn key() -> VaultKey {
    let folder = tempfile::tempdir().unwrap();
    VaultKey::create(&folder.path().join("key")).unwrap()
}

pub(crate) fn grant(access: &str, refresh: &str, age: Span, left: Span) -> Authorisation {
    let now = wall();
    Authorisation {
        access: Secret::new(access),
        refresh: Some(Secret::new(refresh)),
        issued: Some(Time::from_millis(now.saturating_sub(age.as_millis()))),
        expires: Some(Time::from_millis(now.saturating_add(left.as_millis()))),
        refresh_expires: None,
        scope: None,
    }
}

const DAY: u64 = 86_400;

pub(crate) fn old_grant() -> Authorisation {
    grant("access-1", "refresh-1", Span::from_secs(30 * DAY), Span::from_secs(30 * DAY))
}

pub(crate) fn event(number: usize) -> Value {
    json!({
        "type": "track", "event": "Order Completed", "messageId": format!("msg-{number}"),
        "timestamp": wall().saturating_sub(60_000), "traits": {"email": format!("user{number}@example.org")},
        "properties": {"currency": "EUR", "revenue": 12.5}
    })
}

pub(crate) fn options(extra: &Value) -> Value {
    let mut options = json!({
        "grants": [{"access_token": "access-1", "refresh_token": "refresh-1", "age_s": 30 * DAY}],
        "seed": 7
    });
    options.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_conversions_out() {
    let provider = Provider::start(options(&json!({}))).await;
    let store = Arc::new(MemoryStore::new());
    let engine = provider.engine(&store).open().await.unwrap();
    engine.authorise("acme", old_grant()).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..200 {
        ids.push(engine.submit(Parcel::to("conversions").json(&event(number)).unwrap()).await.unwrap());
    }
    for id in ids {
        assert!(matches!(engine.outcome(id).await.unwrap(), Outcome::Done(_)));
    }
    engine.stop().await.unwrap();
    let summary = provider.summary();
    assert_eq!(summary["applied"], 200);
    assert_eq!(summary["duplicates"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_costs_one_refresh_and_a_handful_of_refusals() {
    let nodes =
        json!({"switches": {"nodes": ["n1", "n2", "n3"], "visibility": {"uniform": {"min_ms": 500, "max_ms": 1500}}}});
    let provider = Provider::start(options(&nodes)).await;
    let store = Arc::new(MemoryStore::new());
    let engine = provider.engine(&store).open().await.unwrap();
    engine.authorise("acme", old_grant()).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..400 {
        if number == 200 {
            provider.sandbox.with_provider(|provider, now| provider.revoke_access(None, now)).unwrap();
        }
        ids.push(engine.submit(Parcel::to("conversions").json(&event(number)).unwrap()).await.unwrap());
    }
    for id in ids {
        assert!(matches!(engine.outcome(id).await.unwrap(), Outcome::Done(_)));
    }
    engine.stop().await.unwrap();
    let summary = provider.summary();
    println!("{summary}");
    assert_eq!(summary["applied"], 400);
    assert_eq!(summary["refreshes_ok"], 1);
    assert!(summary["refused"].as_u64().unwrap() <= 16 + 24, "{summary}");
}
