//! How long what has ended is kept, as a user meets it.

use outlast::{ErrorKind, Retention, Scope};
use outlast_state::Span;

use crate::bench::{Bench, DAY};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_unknown_and_the_counts_are_totals() {
    let bench = Bench::new().await;
    let minute = Retention { done: Span::from_secs(60), failed: Span::from_secs(2 * DAY), count: 100 };
    let engine = bench.builder().retention(minute).open().await.unwrap();
    engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
    let done = bench.submit_some(&engine, "done", 3).await;
    bench.all_done(&engine, &done).await;
    engine.pause(Scope::Destination("conversions".into())).await.unwrap();
    let (live, failed) = (bench.submit(&engine, "live").await, bench.submit(&engine, "failed").await);
    engine.cancel(failed).await.unwrap();
    assert!(engine.show(done[0]).await.unwrap().body_bytes > 0, "its event is gone, and what it was is known");
    bench.pass(&engine, Span::from_secs(200)).await;
    for id in done {
        assert_eq!(engine.show(id).await.unwrap_err().kind(), ErrorKind::Unknown);
        assert_eq!(engine.outcome(id).await.unwrap_err().kind(), ErrorKind::Unknown);
    }
    assert_eq!(bench.summary(&engine, live).await.state, "Pending");
    assert_eq!(bench.summary(&engine, failed).await.state, "Failed");
    assert_eq!(engine.list(outlast::Filter::default()).await.unwrap().len(), 2);
    let counts = engine.counts().await.unwrap();
    assert_eq!((counts.done, counts.failed, counts.pending), (3, 1, 1), "what ended is counted for ever");
    engine.stop().await.unwrap();
    bench.reopen();
    let engine = bench.builder().retention(minute).open().await.unwrap();
    assert_eq!(engine.counts().await.unwrap(), counts);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_protects_for_as_long_as_the_provider_recognises_a_repeat_also_with_retention_off() {
    let bench = Bench::new().await;
    let engine = bench.builder().retention(Retention::NONE).open().await.unwrap();
    engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
    let plain = bench.submit(&engine, "plain").await;
    let keyed = engine.submit(bench.parcel("keyed").once("order-1")).await.unwrap();
    let again = engine.submit(bench.parcel("keyed").once("order-1")).await.unwrap();
    assert_eq!(again, keyed);
    bench.eventually(async || engine.counts().await.unwrap().done == 2).await;
    assert_eq!(engine.show(plain).await.unwrap_err().kind(), ErrorKind::Unknown, "it is gone at once");
    assert_eq!(engine.submit(bench.parcel("keyed").once("order-1")).await.unwrap(), keyed, "it is recognised");
    assert_eq!(bench.saw("applied"), 2);
    engine.stop().await.unwrap();
}

/// Whoever waits for a delivery learns how it ended, though nothing of it is kept.
#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_is_told_to_who_waits_for_it_also_with_retention_off() {
    let bench = Bench::new().await;
    let engine = bench.builder().retention(Retention::NONE).open().await.unwrap();
    engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
    engine.pause(Scope::Destination("conversions".into())).await.unwrap();
    let id = bench.submit(&engine, "waited for").await;
    let (outcome, cancelled) = tokio::join!(engine.outcome(id), engine.cancel(id));
    cancelled.unwrap();
    assert!(matches!(outcome, Ok(outlast::Outcome::Failed(failed)) if failed.reason == "cancelled"));
    assert_eq!(engine.outcome(id).await.unwrap_err().kind(), ErrorKind::Unknown, "later nobody knows");
    engine.stop().await.unwrap();
}
