//! What callers ask: keys, bodies, limits, cancel, redrive, listings, watching, stopping.

use std::time::Duration;

use outlast::state::{DeliveryId, Span};
use outlast::{ErrorKind, Filter, LARGEST_BODY, Limits, Outcome, Parcel, Redrive, Scope};
use serde_json::json;

use crate::bench::Bench;

const HANG: &str = r#"[{"action": "hang"}]"#;

fn faults(bench: &Bench, rules: &str) {
    bench.faults(serde_json::from_str(rules).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_a_body_are_one_delivery_for_good() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let parcel = bench.parcel("one").once("order-1");
    let other = bench.parcel("two").once("order-1");
    let batch = engine.submit_all(vec![parcel.clone(), parcel.clone(), other.clone()]).await.unwrap();
    let id = *batch[0].as_ref().unwrap();
    assert_eq!(*batch[1].as_ref().unwrap(), id);
    let error = batch[2].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("order-1") && error.to_string().contains(&id.to_string()), "{error}");
    bench.all_done(&engine, &[id]).await;
    assert_eq!(engine.submit(parcel.clone()).await.unwrap(), id, "after it ended");
    let engine = bench.restart(engine).await;
    assert_eq!(engine.submit(parcel).await.unwrap(), id, "after a restart");
    assert_eq!(engine.submit(other).await.unwrap_err().kind(), ErrorKind::Conflict);
    engine.stop().await.unwrap();
    assert_eq!(bench.saw("applied"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_size_come_back_as_they_were() {
    let bench = Bench::new().await;
    let limits = Limits { body: LARGEST_BODY, ..Limits::default() };
    let engine = bench.authorised(bench.builder().limits(limits)).await;
    let mut parcels = Vec::new();
    for size in [0, 1, 3071, 3072, 3073, 6144, 65_537, LARGEST_BODY] {
        let mut event = bench.event(&format!("size-{size}"));
        let short = event.to_string().len();
        event["pad"] = json!("x".repeat(size.saturating_sub(short + 9)));
        let body = event.to_string();
        assert!(size < 1000 || body.len() == size, "{} {size}", body.len());
        parcels.push(Parcel::to("conversions").bytes(body));
    }
    let ids: Vec<DeliveryId> = engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap).collect();
    let engine = bench.restart(engine).await;
    bench.all_done(&engine, &ids).await;
    let refused = engine.submit(Parcel::to("conversions").bytes(vec![b'x'; LARGEST_BODY + 1])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Caller);
    assert!(refused.to_string().starts_with("body: "), "{refused}");
    // One that is too large does not take the others with it.
    let group = vec![Parcel::to("conversions").bytes(vec![b'x'; 64 * 1024 * 1024]), bench.parcel("fits")];
    let results = engine.submit_all(group).await.unwrap();
    assert!(results[0].is_err() && results[1].is_ok(), "{results:?}");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_engine_is_busy_and_loses_nothing() {
    let bench = Bench::new().await;
    faults(&bench, HANG);
    let limits = Limits { live: 10, calls: 4, ..Limits::default() };
    let engine = bench.authorised(bench.builder().limits(limits)).await;
    let ids = bench.submit_some(&engine, "kept", 10).await;
    assert_eq!(engine.submit(bench.parcel("more")).await.unwrap_err().kind(), ErrorKind::Busy);
    bench.store().hold_barriers();
    let slow = tokio::spawn({
        let (engine, scope) = (engine.clone(), Scope::Destination("conversions".into()));
        async move { engine.pause(scope).await }
    });
    tokio::task::spawn_blocking({
        let store = bench.store();
        move || store.wait_for_barrier()
    })
    .await
    .unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.counts().await })
        })
        .collect();
    // One that still finds a place is given up, and answered later that there are enough live ones.
    bench
        .eventually(async || {
            let asked = tokio::time::timeout(Duration::from_millis(10), engine.submit(bench.parcel("none"))).await;
            asked.is_ok_and(|answer| answer.unwrap_err().to_string().contains("waiting"))
        })
        .await;
    bench.store().release_barriers();
    slow.await.unwrap().unwrap();
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    assert_eq!(engine.counts().await.unwrap().live(), 10);
    bench.faults(json!([]));
    let engine = bench.restart(engine).await;
    engine.resume(Scope::Destination("conversions".into())).await.unwrap();
    bench.all_done(&engine, &ids).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_in_each_state() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    // Pending.
    engine.pause(Scope::Destination("conversions".into())).await.unwrap();
    let id = bench.submit(&engine, "pending").await;
    assert_eq!(engine.cancel(id).await.unwrap().state, "Failed");
    assert_eq!(engine.cancel(id).await.unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!(engine.cancel(DeliveryId::from_u128(7)).await.unwrap_err().kind(), ErrorKind::Unknown);
    engine.resume(Scope::Destination("conversions".into())).await.unwrap();
    // Sending: the answer decides.
    bench.faults(json!([{"action": {"delay": {"before_ms": 50}}}]));
    for done in [true, false] {
        if !done {
            bench.revoke_access();
        }
        let id = bench.submit(&engine, if done { "taken" } else { "refused" }).await;
        bench.settle_sending(&engine).await;
        assert_eq!(engine.cancel(id).await.unwrap().state, "Sending");
        bench.land(&engine).await;
        let outcome = engine.outcome(id).await.unwrap();
        assert_eq!(matches!(outcome, Outcome::Done(_)), done, "{outcome:?}");
    }
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_started_again_with_its_body_and_its_key() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.faults(json!([{"action": {"status": {"status": 400}}}]));
    let parcel = bench.parcel("one").once("k");
    let id = engine.submit(parcel.clone()).await.unwrap();
    assert!(matches!(engine.outcome(id).await.unwrap(), Outcome::Failed(_)));
    let before = engine.show(id).await.unwrap();
    bench.faults(json!([]));
    let engine = bench.restart(engine).await;
    assert_eq!(engine.submit(parcel).await.unwrap(), id, "the key also names what failed");
    engine.redrive(id, Redrive::default()).await.unwrap();
    bench.all_done(&engine, &[id]).await;
    let after = engine.show(id).await.unwrap();
    assert_eq!(after.body_sha256, before.body_sha256);
    assert_eq!(after.summary.once.as_deref(), Some("k"));
    assert_eq!(after.summary.attempts, 2, "S8 Honest counting: attempts go on");
    assert_eq!(after.journal[..before.journal.len()], before.journal, "S15 Replay: the journal goes on where it was");
    assert_eq!(engine.redrive(id, Redrive::default()).await.unwrap_err().kind(), ErrorKind::Caller);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_arrived_is_repeated_within_the_dedupe_window_or_on_demand() {
    let bench = Bench::new().await;
    let limits = Limits { budget: 1, ..Limits::default() };
    let engine = bench.authorised(bench.builder().limits(limits)).await;
    bench.faults(json!([{"action": "reset_after_apply", "when": {"nth": 1}}]));
    let id = bench.submit(&engine, "doubt").await;
    let Outcome::Failed(failed) = engine.outcome(id).await.unwrap() else { panic!("it is not done") };
    assert!(failed.in_doubt);
    let window = bench.profile().dedupe.unwrap();
    bench.clock.advance(window);
    let error = engine.redrive(id, Redrive::default()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Caller && error.to_string().contains("may-duplicate"), "{error}");
    engine.redrive(id, Redrive { may_duplicate: true, ..Redrive::default() }).await.unwrap();
    bench.outcomes(&engine, &[id]).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_go_through_more_than_a_page_and_agree_with_the_counts() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    engine.pause(Scope::Destination("conversions".into())).await.unwrap();
    let mut ids = Vec::new();
    for part in 0..5 {
        let parcels = (0..500).map(|n| bench.parcel(&format!("p{part}-{n}")).lane(format!("l{}", n % 7))).collect();
        ids.extend(engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap));
    }
    for id in ids.iter().take(1500) {
        engine.cancel(*id).await.unwrap();
    }
    let list = async |filter: Filter| engine.list(filter).await.unwrap();
    let all = list(Filter::default()).await;
    assert_eq!(all.iter().map(|one| one.id.0).collect::<Vec<_>>(), ids, "oldest first, none twice");
    let counts = engine.counts().await.unwrap();
    for (state, count) in [("Pending", counts.pending), ("Failed", counts.failed), ("Done", counts.done)] {
        let listed = list(Filter { states: vec![state.into()], ..Filter::default() }).await;
        assert_eq!(u64::try_from(listed.len()).unwrap(), count, "{state}");
    }
    assert_eq!(list(Filter { limit: Some(1024), ..Filter::default() }).await.len(), 1024);
    assert_eq!(list(Filter { limit: Some(0), ..Filter::default() }).await.len(), 0);
    let lane = Filter { lane: Some("l3".into()), states: vec!["Pending".into()], ..Filter::default() };
    assert_eq!(u64::try_from(list(lane).await.len()).unwrap(), {
        let scope = Scope::Lane { destination: "conversions".into(), lane: "l3".into() };
        engine.pause(scope).await.unwrap()
    });
    assert_eq!(
        engine.list(Filter { states: vec!["Lost".into()], ..Filter::default() }).await.unwrap_err().kind(),
        ErrorKind::Caller
    );
    assert_eq!(engine.credentials().await.unwrap()[0].live, 1000);
    let engine = bench.restart(engine).await;
    assert_eq!(engine.counts().await.unwrap(), counts);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_every_state() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    engine.pause(Scope::Destination("conversions".into())).await.unwrap();
    bench.revoke_access();
    let id = bench.submit(&engine, "watched").await;
    let mut watch = engine.watch(id).await.unwrap();
    engine.resume(Scope::Destination("conversions".into())).await.unwrap();
    bench.all_done(&engine, &[id]).await;
    let mut seen = Vec::new();
    while let Some(summary) = watch.next().await {
        seen.push(summary.state);
    }
    assert_eq!(seen, ["Pending", "Sending", "Refreshing", "Sending", "Done"]);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_gives_up_what_is_in_the_air_and_spends_nothing() {
    let bench = Bench::new().await;
    faults(&bench, HANG);
    let engine = bench.open().await;
    let id = bench.submit(&engine, "hangs").await;
    bench.reaches(&engine, id, "Sending").await;
    let (first, second) = tokio::join!(engine.stop_within(Span::ZERO), engine.stop_within(Span::ZERO));
    first.unwrap();
    second.unwrap();
    engine.stop().await.unwrap();
    assert_eq!(engine.submit(bench.parcel("late")).await.unwrap_err().kind(), ErrorKind::Stopped);
    bench.faults(json!([]));
    bench.reopen();
    let engine = bench.open().await;
    bench.all_done(&engine, &[id]).await;
    let summary = bench.summary(&engine, id).await;
    assert_eq!((summary.attempts, summary.spent), (2, 0));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_handle_stops_the_engine() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let other = engine.clone();
    drop(engine);
    let id = bench.submit(&other, "still").await;
    drop(other);
    bench.eventually(async || bench.store().reopen().is_ok()).await;
    let _ = id;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_record_holds_are_refused() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let lane = |name: String| Scope::Lane { destination: "conversions".into(), lane: name };
    assert_eq!(engine.pause(lane("x".repeat(10_000))).await.unwrap_err().kind(), ErrorKind::Caller);
    engine.pause(lane("\"".repeat(256))).await.unwrap();
    let expired = bench.parcel("no time").time_to_live(Span::ZERO);
    assert_eq!(engine.submit(expired).await.unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!(engine.submit(bench.parcel("x").lane("")).await.unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!(engine.submit(bench.parcel("x").once("a\nb")).await.unwrap_err().kind(), ErrorKind::Caller);
    let long = bench.builder().destination("d".repeat(300), Bench::conversions(&bench.base()));
    assert_eq!(long.open().await.err().unwrap().kind(), ErrorKind::Configuration);
    let engine = bench.restart(engine).await;
    assert_eq!(engine.pauses().await.unwrap().len(), 1);
    engine.stop().await.unwrap();
}
