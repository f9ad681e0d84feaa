//! No secret in the store's bytes, in a log, an error or a view (S16).

use std::io::Write;
use std::sync::{Arc, Mutex};

use outlast::Outcome;
use serde_json::json;
use tracing::level_filters::LevelFilter;

use crate::bench::Bench;

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
    let engine = bench.open().await;
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
    let (listed, credentials) = (engine.list(outlast::Filter::default()).await, engine.credentials().await);
    let mut told = format!("{credentials:?}{:?}{:?}{listed:?}", engine.show(id).await, engine.why(id).await);
    let bad = outlast::Authorisation { access: outlast::Secret::new(" "), ..bench.grant("", "canary-refresh-9") };
    told += &engine.authorise("acme", bad).await.err().unwrap().to_string();
    engine.cancel(id).await.unwrap();
    assert!(matches!(engine.outcome(id).await.unwrap(), Outcome::Failed(_)));
    engine.stop().await.unwrap();
    let logged = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    for (_, record) in bench.store().durable_records() {
        told += &String::from_utf8_lossy(&record);
    }
    for secret in SECRETS {
        assert!(!told.contains(secret), "S16 Silence: {secret} is stored or shown");
        let line = logged.lines().find(|line| line.contains(secret) && !line.contains("outlast::sandbox"));
        assert_eq!(line, None, "S16 Silence: {secret} is logged");
    }
    for event in ["accept{", "attempt{", "refresh{", "commit{", "recovery", "ruling=", "delivery changed", "epoch="] {
        assert!(logged.contains(event), "nothing is logged of {event}");
    }
}
