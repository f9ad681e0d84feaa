//! Tokens that die, grants that die, token endpoints that fail.

use outlast::Outcome;
use outlast::state::Span;
use outlast::vault::VaultKey;
use serde_json::json;

use crate::bench::{Bench, SETTLE};

const TOKEN: &str = "/oauth/v2/accessToken";

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_renewed_once_and_propagation_is_waited_for() {
    let nodes = json!({"switches": {
        "nodes": ["n1", "n2", "n3"], "visibility": {"uniform": {"min_ms": 5_000, "max_ms": 60_000}}
    }});
    let bench = Bench::with(nodes).await;
    let engine = bench.open().await;
    let mut ids = bench.submit_some(&engine, "before", 50).await;
    bench.all_done(&engine, &ids).await;
    bench.revoke_access();
    ids = bench.submit_some(&engine, "after", 200).await;
    bench.all_done(&engine, &ids).await;
    assert_eq!(bench.saw("refreshes_ok"), 1, "S3 One renewal per epoch");
    assert_eq!(bench.saw("token_calls"), 1, "S3 One renewal per epoch: as many token requests");
    assert_eq!(bench.saw("applied"), 250);
    let refused = bench.saw("refused");
    assert!(refused <= 64 + 24, "S13 No stampede: {refused} were refused");
    for id in ids {
        assert_eq!(bench.summary(&engine, id).await.spent, 0, "S8 Honest counting: waiting for a token spends nothing");
    }
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_grant_parks_everything_until_somebody_authorises_again() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.revoke_grant();
    let ids = bench.submit_some(&engine, "parked", 30).await;
    bench.eventually(async || bench.summary(&engine, ids[0]).await.parked).await;
    bench.settle(&engine).await;
    let (requests, calls) = (bench.saw("requests"), bench.saw("token_calls"));
    assert_eq!(calls, 1);
    bench.pass(&engine, Span::from_secs(1200)).await;
    let engine = bench.restart(engine).await;
    bench.pass(&engine, Span::from_secs(1200)).await;
    assert_eq!((bench.saw("requests"), bench.saw("token_calls")), (requests, calls));
    assert!(bench.summary(&engine, ids[3]).await.parked);
    assert!(engine.why(ids[3]).await.unwrap().join(" ").contains("auth import acme"));
    let seed = json!({"access_token": "canary-access-2", "refresh_token": "canary-refresh-2",
        "client_secret": "canary-client-secret", "age_s": 86_400});
    let seed = serde_json::from_value(seed).unwrap();
    bench.sandbox.with_provider(|provider, now| provider.issue(&seed, now).map(|_| ())).unwrap();
    engine.authorise("acme", bench.grant("canary-access-2", "canary-refresh-2")).await.unwrap();
    bench.all_done(&engine, &ids).await;
    assert_eq!(engine.credentials().await.unwrap()[0].epoch, 2);
    assert_eq!(bench.saw("token_calls"), calls);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_is_down_for_an_hour_loses_nothing() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.revoke_access();
    bench.faults(json!([{"when": {"path": TOKEN, "until_ms": 3_600_000}, "action": {"status": {"status": 503}}}]));
    let ids = bench.submit_some(&engine, "waits", 20).await;
    bench.all_done(&engine, &ids).await;
    assert_eq!(bench.saw("refreshes_ok"), 1);
    let calls = bench.saw("token_calls");
    // 1, 2, 4 … 256 s, then every 300 s and a quarter at most.
    assert!((15..=25).contains(&calls), "{calls} calls in an hour");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_whose_answer_is_lost_costs_one_more() {
    for rotate in ["same", "new_old_dead"] {
        let bench = Bench::with(json!({"switches": {"rotate_refresh": rotate}})).await;
        let engine = bench.open().await;
        bench.revoke_access();
        bench.faults(json!([{"when": {"path": TOKEN, "uses": 1}, "action": "reset_after_apply"}]));
        let ids = bench.submit_some(&engine, "waits", 5).await;
        if rotate == "same" {
            bench.all_done(&engine, &ids).await;
            assert_eq!(bench.saw("refreshes_ok"), 2);
        } else {
            // The refresh token that came with the lost answer is lost, so only a human can help: that is told, not hidden.
            bench
                .eventually(async || {
                    bench.clock.skip();
                    bench.summary(&engine, ids[0]).await.parked
                })
                .await;
        }
        engine.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_replaced_before_anybody_is_refused() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.clock.advance(Span::from_secs(31 * 86_400));
    let ids = bench.submit_some(&engine, "later", 5).await;
    bench.all_done(&engine, &ids).await;
    assert_eq!((bench.saw("refused"), bench.saw("refreshes_ok")), (0, 1));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_never_accepted_is_not_replaced_again_and_again() {
    let bench = Bench::with(json!({"switches": {"never_visible_on": ["n1"], "nodes": ["n1"]}})).await;
    let engine = bench.open().await;
    bench.revoke_access();
    let id = bench.submit(&engine, "hopeless").await;
    bench
        .drive(&engine, async {
            while !engine.show(id).await.unwrap().summary.parked {
                tokio::task::yield_now().await;
            }
        })
        .await;
    let spent = Span::from_millis(bench.clock.millis() - crate::bench::START);
    let renewals = bench.saw("refreshes_ok");
    assert!(renewals <= 1 + spent.as_millis() / SETTLE.as_millis(), "{renewals} renewals in {spent}");
    assert!(engine.credentials().await.unwrap()[0].detail.contains("none was ever accepted"));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_a_token_request_or_says_that_it_was_given_up() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.revoke_access();
    bench.faults(json!([{"when": {"path": TOKEN, "uses": 1}, "action": {"delay": {"before_ms": 500}}}]));
    let id = bench.submit(&engine, "waits").await;
    bench.eventually(async || bench.saw("refreshes_ok") == 1).await;
    let stopping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.stop_within(Span::from_secs(86_400)).await }
    });
    bench
        .eventually(async || {
            bench.clock.advance(Span::from_millis(10));
            stopping.is_finished()
        })
        .await;
    stopping.await.unwrap().unwrap();
    bench.reopen();
    let engine = bench.open().await;
    assert_eq!(engine.credentials().await.unwrap()[0].epoch, 2, "the answer was waited for and kept");
    bench.all_done(&engine, &[id]).await;
    assert_eq!(bench.saw("refreshes_ok"), 1);
    // Given up: the intent is stored, and the same refresh token is used again.
    bench.clock.advance(SETTLE);
    bench.revoke_access();
    bench.faults(json!([{"when": {"path": TOKEN, "uses": 1}, "action": "hang"}]));
    let id = bench.submit(&engine, "waits again").await;
    bench
        .eventually(async || {
            bench.clock.skip();
            bench.saw("token_calls") == 2
        })
        .await;
    let engine = bench.restart(engine).await;
    bench.all_done(&engine, &[id]).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stray_refusal_does_not_rotate_everyones_token() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let ids = bench.submit_some(&engine, "warm", 10).await;
    bench.all_done(&engine, &ids).await;
    bench.faults(json!([{"when": {"uses": 1}, "action": {"status": {"status": 401}}}]));
    let began = bench.clock.millis();
    let ids = bench.submit_some(&engine, "stray", 10).await;
    bench.all_done(&engine, &ids).await;
    let took = bench.clock.millis() - began;
    assert!(took < 10_000, "a stray refusal of a token that works cost {took} ms");
    assert_eq!((bench.saw("refused"), bench.saw("refreshes_ok")), (1, 0));
    let lost =
        bench.outcomes(&engine, &ids).await.iter().filter(|outcome| !matches!(outcome, Outcome::Done(_))).count();
    assert_eq!(lost, 0);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_told_at_the_start_and_a_new_grant_mends_it() {
    let bench = Bench::new().await;
    bench.open().await.stop().await.unwrap();
    bench.reopen();
    let folder = tempfile::tempdir().unwrap();
    let other = VaultKey::create(&folder.path().join("key")).unwrap();
    let engine = bench.builder().vault_key(other).open().await.unwrap();
    let told = engine.credentials().await.unwrap()[0].detail.clone();
    assert!(told.contains("sealed with another key"), "{told}");
    let id = bench.submit(&engine, "locked").await;
    bench.eventually(async || engine.show(id).await.unwrap().summary.attempts == 1).await;
    assert_eq!(bench.saw("requests"), 0, "without its token nothing is sent");
    engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
    let told = engine.credentials().await.unwrap()[0].detail.clone();
    assert!(!told.contains("another key"), "{told}");
    let began = bench.clock.millis();
    bench.all_done(&engine, &[id]).await;
    let took = bench.clock.millis() - began;
    assert!(took <= 60_000, "it went on by itself after {took} ms");
    engine.stop().await.unwrap();
}
