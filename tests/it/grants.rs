//! Grants that need no human, tokens that are configured, and what an operator asks of a credential.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outlast::oauth::{Assertion, Client, ClientAuth, GrantKind, Profile};
use outlast::state::Span;
use outlast::{Engine, ErrorKind, OAuth, Secret};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::bench::{Bench, SETTLE};
use crate::site::{Receiver, Site};

const TOKEN: &str = "/oauth/v2/accessToken";

/// An engine whose credential is this one.
async fn opened(bench: &Bench, oauth: OAuth) -> Engine {
    bench.builder().credential("acme", oauth).open().await.unwrap()
}

fn own(bench: &Bench, client_auth: ClientAuth) -> OAuth {
    let profile = Profile { grant: GrantKind::ClientCredentials, client_auth, ..bench.profile() };
    OAuth::new(profile, "client-id-1", Secret::new("canary-client-secret"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_itself_needs_no_human_ever() {
    for client_auth in [ClientAuth::Form, ClientAuth::Basic] {
        let bench = Bench::new().await;
        let engine = opened(&bench, own(&bench, client_auth)).await;
        let mut ids = bench.submit_some(&engine, "first", 5).await;
        bench.all_done(&engine, &ids).await;
        assert_eq!((bench.saw("token_calls"), bench.saw("refused")), (1, 0));
        engine.stop_within(Span::ZERO).await.unwrap();
        bench.reopen();
        let engine = opened(&bench, own(&bench, client_auth)).await;
        bench.clock.advance(SETTLE);
        bench.revoke_access();
        ids = bench.submit_some(&engine, "second", 5).await;
        bench.all_done(&engine, &ids).await;
        assert_eq!(bench.saw("token_calls"), 2, "S3 One renewal per epoch: the stored token was used until it died");
        assert_eq!(engine.credentials().await.unwrap()[0].epoch, 2);
        engine.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_refused_waits_for_its_configuration_and_goes_on_with_it() {
    let bench = Bench::new().await;
    let wrong = || {
        let profile = Profile { grant: GrantKind::ClientCredentials, ..bench.profile() };
        OAuth::new(profile, "client-id-1", Secret::new("canary-wrong-secret"))
    };
    let engine = opened(&bench, wrong()).await;
    let id = bench.submit(&engine, "waits").await;
    bench.eventually(async || bench.summary(&engine, id).await.parked).await;
    let told = engine.credentials().await.unwrap()[0].detail.clone();
    assert!(told.contains("check client_id and client_secret") && !told.contains("canary"), "{told}");
    assert_eq!(bench.saw("token_calls"), 1);
    engine.stop_within(Span::ZERO).await.unwrap();
    bench.reopen();
    let engine = opened(&bench, own(&bench, ClientAuth::Form)).await;
    bench.all_done(&engine, &[id]).await;
    engine.stop().await.unwrap();
}

/// A key, and what the provider must know of it.
fn key() -> (String, Value) {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).unwrap();
    // What stands before a point on P-256 in a SubjectPublicKeyInfo (RFC 5480).
    let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let head = (0..head.len()).step_by(2).map(|at| u8::from_str_radix(&head[at..at + 2], 16).unwrap());
    let public: Vec<u8> = head.chain(pair.public_key().as_ref().iter().copied()).collect();
    let pem =
        |kind: &str, der: &[u8]| format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der));
    (pem("PRIVATE KEY", made.as_ref()), json!({"issuer": "issuer-1", "public_key": pem("PUBLIC KEY", &public)}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_assertion_gets_a_token_and_another_key_is_told() {
    let ((private, public), (other, _)) = (key(), key());
    let bench = Bench::with(json!({"switches": {"signers": [public]}})).await;
    let signed = |key: &str| {
        let assertion = Assertion::new("issuer-1", &Secret::new(key)).unwrap().audience(bench.profile().token_url);
        let profile = Profile { grant: GrantKind::JwtBearer, ..bench.profile() };
        OAuth::of(profile, Client::signing(assertion.subject("somebody")))
    };
    let engine = opened(&bench, signed(&other)).await;
    let id = bench.submit(&engine, "waits").await;
    bench.eventually(async || bench.summary(&engine, id).await.parked).await;
    let told = engine.credentials().await.unwrap()[0].detail.clone();
    assert!(told.contains("refuses the assertion (400 invalid_grant)") && told.contains("clock"), "{told}");
    engine.stop_within(Span::ZERO).await.unwrap();
    bench.reopen();
    let engine = opened(&bench, signed(&private)).await;
    bench.all_done(&engine, &[id]).await;
    bench.clock.advance(SETTLE);
    bench.revoke_access();
    let ids = bench.submit_some(&engine, "later", 5).await;
    bench.all_done(&engine, &ids).await;
    assert_eq!(bench.saw("token_calls"), 3);
    engine.stop().await.unwrap();
}

fn keyed(receiver: &Receiver, token: &str) -> String {
    let address = &receiver.address;
    format!(
        "[credential.key]\nprofile = \"generic-token\"\ntoken = \"{token}\"\ntoken_header = \"x-api-key\"\nsettle = \"1s\"\n\
         [destination.api]\nkind = \"http\"\ncredential = \"key\"\nurl = \"{address}/v1/things\"\n[[route]]\nto = \"api\"\n\
         name = \"all\"\nwhen = 'type = \"track\"'\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_key_stands_in_its_header_and_a_new_one_is_the_next_epoch() {
    let (site, receiver) = (Site::new().await, Receiver::start().await);
    let bench = &site.bench;
    let event = |name: &str| json!({"type": "track", "event": "A", "messageId": name});
    let engine = site.open(&keyed(&receiver, "canary-key-1")).await;
    let key = async |engine: &Engine| {
        let all = engine.credentials().await.unwrap();
        all.into_iter().find(|credential| credential.name == "key").unwrap()
    };
    let id = site.ingest_one(&engine, &event("one")).await;
    site.done(&engine, id).await;
    let came = receiver.came();
    assert_eq!((came[0].header("x-api-key"), came[0].header("authorization")), ("canary-key-1", ""));
    assert_eq!(key(&engine).await.epoch, 1);

    // The same key is the same epoch, over restarts and after its death.
    let engine = site.restart(engine, &keyed(&receiver, "canary-key-1")).await;
    assert_eq!(key(&engine).await.epoch, 1);
    receiver.answers(&[(401, "{}"); 3]);
    bench.clock.advance(SETTLE);
    let id = site.ingest_one(&engine, &event("two")).await;
    let parked = async {
        while !engine.show(id).await.unwrap().summary.parked {
            tokio::task::yield_now().await;
        }
    };
    bench.drive(&engine, parked).await;
    let told = key(&engine).await.detail;
    assert!(told.contains("write a new one where the configuration has it") && !told.contains("canary"), "{told}");
    let refused = engine.refresh("key").await.unwrap_err();
    assert!(refused.to_string().contains("nothing renews"), "{refused}");
    let engine = site.restart(engine, &keyed(&receiver, "canary-key-1")).await;
    assert_eq!((key(&engine).await.epoch, key(&engine).await.state.as_str()), (1, "Dead"));

    // Revoked here, it does not come back by itself either.
    engine.revoke("key").await.unwrap();
    let engine = site.restart(engine, &keyed(&receiver, "canary-key-1")).await;
    assert_eq!((key(&engine).await.epoch, key(&engine).await.state.as_str()), (1, "Dead"));

    let before = receiver.came().len();
    let engine = site.restart(engine, &keyed(&receiver, "canary-key-2")).await;
    assert_eq!(key(&engine).await.epoch, 2);
    site.done(&engine, id).await;
    assert!(receiver.came()[before..].iter().all(|came| came.header("x-api-key") == "canary-key-2"));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_ask_for_a_refresh_once_the_token_has_settled() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let view = engine.refresh("acme").await.unwrap();
    assert_eq!(view.epoch, 1, "it is wanted, and comes later");
    bench.eventually(async || engine.credentials().await.unwrap()[0].epoch == 2).await;
    assert_eq!(bench.saw("refreshes_ok"), 1);
    let again = engine.refresh("acme").await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Caller);
    let told = again.to_string();
    assert!(told.contains("waits to be proven") || told.contains("younger than the settle window"), "{told}");
    assert_eq!(bench.saw("token_calls"), 1, "nothing was asked");
    let missing = engine.refresh("other").await.unwrap_err();
    assert!(missing.kind() == ErrorKind::Unknown && missing.to_string().contains("configured: acme"), "{missing}");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_cannot_be_says_why_and_changes_nothing() {
    let bench = Bench::new().await;
    let engine = bench.builder().open().await.unwrap();
    let told = engine.refresh("acme").await.unwrap_err().to_string();
    assert!(told.contains("no grant yet") && told.contains("outlast auth login acme"), "{told}");
    let mut grant = bench.grant("canary-access-1", "unused");
    grant.issued = None;
    engine.authorise("acme", grant).await.unwrap();
    let told = engine.refresh("acme").await.unwrap_err().to_string();
    assert!(told.contains("younger than the settle window of 10 min"), "{told}");
    let mut grant = bench.grant("canary-access-1", "unused");
    grant.refresh = None;
    engine.authorise("acme", grant).await.unwrap();
    let told = engine.refresh("acme").await.unwrap_err().to_string();
    assert!(told.contains("no refresh token"), "{told}");
    assert_eq!((bench.saw("token_calls"), engine.credentials().await.unwrap()[0].state.as_str()), (0, "Current"));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_ends_a_credential_here_first_and_then_at_the_provider() {
    let bench = Bench::new().await;
    let profile = || {
        let base = bench.profile();
        let revoke_url = base.token_url.join("/oauth/v2/revoke").unwrap();
        OAuth::new(Profile { revoke_url: Some(revoke_url), ..base }, "client-id-1", Secret::new("canary-client-secret"))
    };
    let engine = bench.authorised(bench.builder().credential("acme", profile())).await;
    bench.faults(json!([{"when": {"path": "/oauth/v2/revoke", "uses": 1}, "action": {"status": {"status": 503}}}]));
    let ended = engine.revoke("acme").await.unwrap();
    assert_eq!((ended.credential.state.as_str(), ended.at_provider), ("Dead", false));
    assert!(
        ended.detail.contains("lives on: the provider answered 503") && ended.detail.contains("Repeat"),
        "{}",
        ended.detail
    );
    let id = bench.submit(&engine, "waits").await;
    bench.settle(&engine).await;
    assert!(bench.summary(&engine, id).await.parked && bench.saw("requests") == 0, "its work waits");
    // The same again, also after a restart: what the provider is told with was kept.
    engine.stop_within(Span::ZERO).await.unwrap();
    bench.reopen();
    let engine = bench.builder().credential("acme", profile()).open().await.unwrap();
    let ended = engine.revoke("acme").await.unwrap();
    assert!(ended.at_provider, "{}", ended.detail);
    let asked: Vec<Value> = bench.log().into_iter().filter(|line| line["path"] == "/oauth/v2/revoke").collect();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1]["applied"][0]["resource"], "grant", "the refresh token ended the grant");
    assert!(!asked[1].to_string().contains("canary"));
    let third = engine.revoke("acme").await.unwrap();
    assert!(!third.at_provider && third.detail.contains("nothing was left"), "{}", third.detail);
    assert_eq!(bench.saw("token_calls"), 0);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_revocation_endpoint_the_credential_ends_here_and_that_is_told() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let ended = engine.revoke("acme").await.unwrap();
    assert_eq!((ended.credential.state.as_str(), ended.at_provider), ("Dead", false));
    assert!(ended.detail.contains("names no revoke_url") && ended.detail.contains("by hand"), "{}", ended.detail);
    assert!(ended.credential.detail.contains("an operator revoked it"), "{}", ended.credential.detail);
    assert_eq!(engine.revoke("other").await.unwrap_err().kind(), ErrorKind::Unknown);
    engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
    let id = bench.submit(&engine, "again").await;
    bench.all_done(&engine, &[id]).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_in_trouble_is_asked_again_with_a_fresh_assertion() {
    let (private, public) = key();
    let bench = Bench::with(json!({"switches": {"signers": [public]}})).await;
    let assertion = Assertion::new("issuer-1", &Secret::new(private)).unwrap().audience(bench.profile().token_url);
    let profile = Profile { grant: GrantKind::JwtBearer, ..bench.profile() };
    // Long enough that the first assertion is over.
    bench.faults(json!([{"when": {"path": TOKEN, "until_ms": 900_000}, "action": {"status": {"status": 503}}}]));
    let engine = opened(&bench, OAuth::of(profile, Client::signing(assertion))).await;
    let id = bench.submit(&engine, "waits").await;
    bench.all_done(&engine, &[id]).await;
    assert!(bench.saw("token_calls") > 3);
    engine.stop().await.unwrap();
}
