//! No secret in the store's bytes, in a log, an error or a view (S16).

use std::io::Write;
use std::sync::{Arc, Mutex};

use outlast::destination::{Conversation, Destination, Turn};
use outlast::exchange::{Method, Request};
use outlast::vault::VaultKey;
use outlast::{Endpoint, Outcome, Parcel};
use serde_json::json;
use tracing::level_filters::LevelFilter;

use crate::bench::Bench;
use crate::scan::{Canary, Scanner};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const SECRETS: [&str; 3] = ["canary-access", "canary-refresh", "canary-client-secret"];

const CLUMSY: &str = "canary-access-1 was not understood";

/// A destination that breaks, with the provider's words as its last: they quote the token.
struct Clumsy(url::Url);

impl Destination for Clumsy {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        match conversation.so_far.last() {
            None => Turn::Ask(Request::new(Method::Post, self.0.clone()).bearer().content("text/plain", "x")),
            Some(_) => panic!("{CLUMSY}"),
        }
    }
}

#[tokio::test]
async fn no_secret_is_stored_or_told() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let bench = Bench::new().await;
    let clumsy =
        Endpoint::new(Clumsy(format!("{}/conversionEvents", bench.base()).parse().unwrap())).credential("acme");
    let engine = bench.authorised(bench.builder().destination("clumsy", clumsy)).await;
    // What the panic of a host's destination prints is the host's.
    let other = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(CLUMSY) {
            other(panic);
        }
    }));
    // A provider that repeats what it was sent.
    let echo = json!({"message": "canary-access-1 is no good", "error": "canary-refresh-1",
        "error_description": "canary-refresh-1 is not a refresh token"});
    bench.faults(json!([
        {"when": {"path": "/rest/*", "nth": 1}, "action": {"status": {"status": 503, "body": echo.clone()}}},
        {"when": {"path": "/rest/*", "nth": 2}, "action": {"status": {"status": 401, "body": echo.clone()}}},
        {"when": {"path": "/rest/*", "nth": 3}, "action": {"status": {"status": 401, "body": echo.clone()}}},
        {"when": {"path": "/oauth/*", "uses": 2}, "action": {"status": {"status": 500, "body": echo}}}
    ]));
    let ids = bench.submit_some(&engine, "quiet", 3).await;
    bench.all_done(&engine, &ids).await;
    let mut told = String::new();
    let clumsy = engine.submit(Parcel::to("clumsy").bytes("x")).await.unwrap();
    bench
        .eventually(async || {
            bench.clock.skip();
            bench.summary(&engine, clumsy).await.detail.is_some()
        })
        .await;
    let shown = format!("{:?}{:?}", engine.show(clumsy).await, engine.why(clumsy).await);
    assert!(shown.contains("panicked"), "{shown}");
    told += &shown;
    engine.cancel(clumsy).await.unwrap();
    bench.revoke_access();
    let ids = bench.submit_some(&engine, "quieter", 3).await;
    bench.all_done(&engine, &ids).await;
    bench.clock.advance(crate::bench::SETTLE);
    bench.revoke_grant();
    let id = bench.submit(&engine, "parked").await;
    bench
        .eventually(async || {
            bench.clock.skip();
            bench.summary(&engine, id).await.parked
        })
        .await;
    engine.rekey(VaultKey::random().unwrap()).await.unwrap();
    let vault = format!("{:?}{:?}", engine.vault().await, engine.alerts().await);
    told.push_str(&vault);
    let (listed, credentials) = (engine.list(outlast::Filter::default()).await, engine.credentials().await);
    let one = format!("{credentials:?}{:?}{:?}{listed:?}", engine.show(id).await, engine.why(id).await);
    told.push_str(&one);
    let bad = outlast::Authorisation { access: outlast::Secret::new(" "), ..bench.grant("", "canary-refresh-9") };
    told += &engine.authorise("acme", bad).await.err().unwrap().to_string();
    engine.cancel(id).await.unwrap();
    assert!(matches!(engine.outcome(id).await.unwrap(), Outcome::Failed(_)));
    engine.stop().await.unwrap();
    let logged = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    for (_, record) in bench.store().durable_records() {
        told += &String::from_utf8_lossy(&record);
    }
    let canaries: Vec<Canary> = SECRETS.iter().map(|secret| Canary::new(secret, secret)).collect();
    let scanner = Scanner::new(&canaries);
    let found = scanner.find(told.as_bytes());
    assert!(found.is_empty(), "S16 Silence: stored or shown: {found:?}");
    for line in logged.lines().filter(|line| !line.contains("outlast::sandbox")) {
        let found = scanner.find(line.as_bytes());
        assert!(found.is_empty(), "S16 Silence: logged: {found:?} in {line}");
    }
    for event in ["accept{", "attempt{", "refresh{", "commit{", "recovery", "ruling=", "delivery changed", "epoch="] {
        assert!(logged.contains(event), "nothing is logged of {event}");
    }
}
