//! What waited behind a dead credential, once that is authorised again.

use outlast::state::Span;
use outlast::{Builder, Engine, OAuth, Outcome, Secret};
use outlast_state::DeliveryId;
use serde_json::json;

use crate::bench::{Bench, DAY};

/// An engine whose grant is revoked, and so many deliveries that wait for another.
async fn parked(bench: &Bench, builder: Builder, count: usize) -> (Engine, Vec<DeliveryId>) {
    let engine = bench.authorised(builder).await;
    bench.revoke_grant();
    let ids = bench.submit_some(&engine, "parked", count).await;
    bench.eventually(async || bench.summary(&engine, ids[0]).await.parked).await;
    bench.settle(&engine).await;
    (engine, ids)
}

async fn authorise(bench: &Bench, engine: &Engine) {
    let seed = json!({"access_token": "canary-access-2", "refresh_token": "canary-refresh-2",
        "client_secret": "canary-client-secret", "age_s": DAY});
    let seed = serde_json::from_value(seed).unwrap();
    // What comes in this very millisecond is newer.
    bench.clock.advance(Span::from_millis(1));
    bench.sandbox.with_provider(|provider, now| provider.issue(&seed, now).map(|_| ())).unwrap();
    engine.authorise("acme", bench.grant("canary-access-2", "canary-refresh-2")).await.unwrap();
}

/// How many are in the air once that does not change any more.
async fn in_the_air(bench: &Bench, engine: &Engine, expected: u64) -> u64 {
    loop {
        bench.eventually(async || engine.counts().await.unwrap().sending >= expected).await;
        for _ in 0..5 {
            engine.counts().await.unwrap();
        }
        // One of those that are answered may have been counted.
        let sending = engine.counts().await.unwrap().sending;
        if sending >= expected {
            return sending;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_leaves_half_of_the_slots_to_what_comes_and_tells_that_it_does() {
    let bench = Bench::new().await;
    let endpoint = Bench::conversions(&bench.base()).concurrency(8);
    let (engine, ids) = parked(&bench, bench.bare().destination("conversions", endpoint), 60).await;
    // Enough to open the gate; then nothing is answered.
    bench.faults(json!([
        {"when": {"path": "/rest/*", "uses": 20}, "action": {"delay": {"before_ms": 0}}},
        {"when": {"path": "/rest/*"}, "action": "hang"}
    ]));
    authorise(&bench, &engine).await;
    bench.eventually(async || bench.saw("applied") >= 20 && engine.counts().await.unwrap().done >= 20).await;
    assert_eq!(in_the_air(&bench, &engine, 4).await, 4, "L2: the backlog takes more than half of the slots");
    let why = engine.why(ids[59]).await.unwrap().join(" ");
    assert!(why.contains("It waited while credential acme was dead"), "{why}");
    let newer = bench.submit_some(&engine, "newer", 6).await;
    assert_eq!(in_the_air(&bench, &engine, 8).await, 8);
    let mut states = Vec::new();
    for id in &newer {
        states.push(bench.summary(&engine, *id).await.state);
    }
    assert_eq!(
        states,
        ["Sending", "Sending", "Sending", "Sending", "Pending", "Pending"],
        "L2: what comes finds a slot"
    );
    let why = engine.why(newer[5]).await.unwrap().join(" ");
    assert!(!why.contains("was dead"), "{why}");
    bench.faults(json!([]));
    bench.clock.advance(Span::from_secs(31));
    bench.all_done(&engine, &ids).await;
    bench.all_done(&engine, &newer).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_bounds_how_many_of_a_backlog_leave_in_a_second_and_newer_ones_do_not_wait_for_that() {
    let bench = Bench::new().await;
    let endpoint = Bench::conversions(&bench.base()).release_per_second(2);
    let (engine, ids) = parked(&bench, bench.bare().destination("conversions", endpoint), 20).await;
    let before = bench.log().len();
    authorise(&bench, &engine).await;
    bench.eventually(async || engine.counts().await.unwrap().done == 1).await;
    let newer = bench.submit_some(&engine, "newer", 30).await;
    bench.eventually(async || engine.counts().await.unwrap().done >= 31).await;
    assert_eq!(bench.summary(&engine, newer[29]).await.state, "Done");
    bench.all_done(&engine, &ids).await;
    let lines = bench.log();
    let sent = |line: &serde_json::Value| line["t_ms"].as_u64().unwrap();
    let (first, last) = (sent(&lines[before]), sent(lines.last().unwrap()));
    assert!((9_000..=13_000).contains(&(last - first)), "20 at 2 a second took {} ms", last - first);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_beyond_the_providers_own_limit_fails_with_that_reason_and_without_a_request() {
    let bench = Bench::new().await;
    let mut profile = bench.profile();
    profile.event_age = Some(Span::from_secs(7_200));
    let oauth = OAuth::new(profile, "client-id-1", Secret::new("canary-client-secret"));
    let builder = bench.builder().credential("acme", oauth);
    let (engine, old) = parked(&bench, builder, 30).await;
    bench.pass(&engine, Span::from_secs(3_600)).await;
    let younger = bench.submit_some(&engine, "younger", 5).await;
    bench.pass(&engine, Span::from_secs(3_610)).await;
    // Nothing happens to what waits, whatever it waits for.
    assert!(bench.summary(&engine, old[3]).await.parked);
    let why = engine.why(old[3]).await.unwrap().join(" ");
    assert!(why.contains("it fails with that reason when its turn comes"), "{why}");
    let requests = bench.saw("requests");
    authorise(&bench, &engine).await;
    bench.all_done(&engine, &younger).await;
    for (number, outcome) in bench.outcomes(&engine, &old).await.into_iter().enumerate() {
        let Outcome::Failed(failed) = outcome else { panic!("{number}: {outcome:?}") };
        assert_eq!(failed.code, "EVENT_TOO_OLD", "{number}: {failed:?}");
        assert!(failed.reason.starts_with("older than its provider takes, so it was not sent:"), "{}", failed.reason);
    }
    assert_eq!(bench.saw("requests"), requests + 5, "a request was made for what is too old");
    let summary = bench.summary(&engine, old[3]).await;
    assert_eq!(summary.code.as_deref(), Some("EVENT_TOO_OLD"));
    assert!(summary.detail.unwrap().contains("events of at most 2 h"), "what `list` shows");
    let why = engine.why(old[3]).await.unwrap().join(" ");
    assert!(why.contains("older than its provider takes"), "{why}");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_grew_too_old_by_its_own_time_while_it_waited_fails_with_that_reason() {
    let bench = Bench::new().await;
    let (engine, _) = parked(&bench, bench.builder(), 1).await;
    let mut event = bench.event("old");
    event["timestamp"] = json!(bench.clock.millis() - (90 * DAY - 1_800) * 1_000);
    let old = outlast::Parcel::to("conversions").json(&event).unwrap();
    let old = engine.submit(old).await.unwrap();
    bench.pass(&engine, Span::from_secs(3_600)).await;
    assert!(bench.summary(&engine, old).await.parked);
    authorise(&bench, &engine).await;
    let Outcome::Failed(failed) = bench.drive(&engine, engine.outcome(old)).await.unwrap() else {
        panic!("it is sent")
    };
    assert_eq!(failed.code, "EVENT_TOO_OLD");
    let words = "older than its provider takes, so it was not sent: Timestamp should be within the past 90 days.";
    assert!(failed.reason.starts_with(words), "{}", failed.reason);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_what_waits_runs_on_and_is_its_own() {
    let bench = Bench::new().await;
    let (engine, ids) = parked(&bench, bench.builder(), 2).await;
    let short = engine.submit(bench.parcel("short").time_to_live(Span::from_secs(60))).await.unwrap();
    bench.pass(&engine, Span::from_secs(90)).await;
    let Outcome::Failed(failed) = engine.outcome(short).await.unwrap() else { panic!("it is sent") };
    assert_eq!((failed.code.as_str(), failed.attempts), ("DELIVERY_EXPIRED", 0));
    assert!(bench.summary(&engine, ids[1]).await.parked);
    engine.stop().await.unwrap();
}
