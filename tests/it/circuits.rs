//! Destinations that fail: they are asked now and then only, and delay no other.

use outlast::{Engine, Outcome};
use outlast_state::{CIRCUIT_RUN, Span};
use serde_json::json;

use crate::bench::Bench;
use crate::site::{Receiver, Site};

const EVENTS: &str = "/rest/conversionEvents";

/// A port that nobody listens on.
async fn nobody() -> String {
    let listener =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("the machine has sockets, and the engine runs");
    format!("http://{}/rest", listener.local_addr().expect("the machine has sockets, and the engine runs"))
}

async fn is_cut_off(bench: &Bench, engine: &Engine) {
    bench
        .eventually(async || {
            bench.clock.skip();
            engine.counts().await.expect("the machine has sockets, and the engine runs").cut_off == 1
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_fails_is_left_alone_and_what_waits_for_it_spends_nothing() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.faults(json!([{"when": {"path": EVENTS}, "action": {"status": {"status": 503}}}]));
    let ids = bench.submit_some(&engine, "waits", 200).await;
    is_cut_off(&bench, &engine).await;
    bench.settle(&engine).await;
    let before = bench.saw("requests");
    assert!(before <= 64 + 2 * u64::from(CIRCUIT_RUN), "{before} requests before it was noticed");
    bench.pass(&engine, Span::from_secs(600)).await;
    let canaries = bench.saw("requests") - before;
    // After 1, 2, 4 … 60 s, then once a minute.
    assert!((9..=18).contains(&canaries), "{canaries} canaries in ten minutes");
    let mut untouched = 0;
    for id in &ids {
        let summary = bench.summary(&engine, *id).await;
        assert!(summary.cut_off, "{summary:?}");
        assert_eq!(summary.attempts, summary.spent, "S8 Honest counting");
        untouched += u64::from(summary.attempts == 0);
    }
    assert!(untouched >= 100, "only {untouched} of 200 were spared");
    let why = engine.why(ids[199]).await.unwrap().join(" ");
    assert!(why.contains("its circuit is open") && why.contains("spends no attempt"), "{why}");
    bench.faults(json!([]));
    bench.all_done(&engine, &ids).await;
    assert_eq!(engine.counts().await.unwrap().cut_off, 0);
    assert!(!bench.summary(&engine, ids[0]).await.cut_off);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_events_refused_tokens_and_throttling_open_no_circuit() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    for (status, times) in [(400, 30), (429, 30), (403, 30)] {
        bench.faults(json!([{"when": {"path": EVENTS, "uses": times}, "action": {"status": {"status": status}}}]));
        bench.submit_some(&engine, &format!("of-{status}"), 30).await;
        bench.pass(&engine, Span::from_secs(40)).await;
        assert_eq!(engine.counts().await.unwrap().cut_off, 0, "{status}");
    }
    bench.faults(json!([]));
    bench.revoke_access();
    let ids = bench.submit_some(&engine, "dead-token", 40).await;
    bench.all_done(&engine, &ids).await;
    assert!(bench.saw("refused") >= u64::from(CIRCUIT_RUN));
    let told: Vec<_> = engine.alerts().await.unwrap().into_iter().map(|alert| alert.kind.name()).collect();
    assert!(!told.contains(&"destination.failing"), "{told:?}");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_nobody_answers_for_delays_no_other_of_its_credential() {
    let bench = Bench::new().await;
    let gone = nobody().await;
    let mut profile = bench.profile();
    profile.audience = outlast::guard::Audience::of([&bench.base().parse().unwrap(), &gone.parse().unwrap()]);
    let oauth = outlast::OAuth::new(profile, "client-id-1", outlast::Secret::new("canary-client-secret"));
    let builder = bench.builder().credential("acme", oauth).destination("gone", Bench::conversions(&gone));
    let engine = bench.authorised(builder).await;
    let lost: Vec<_> = (0..300)
        .map(|number| outlast::Parcel::to("gone").json(&bench.event(&format!("lost-{number}"))).unwrap())
        .collect();
    let lost = engine.submit_all(lost).await.unwrap();
    is_cut_off(&bench, &engine).await;
    let begun = bench.clock.millis();
    let ids = bench.submit_some(&engine, "well", 100).await;
    bench.all_done(&engine, &ids).await;
    let took = bench.clock.millis() - begun;
    assert!(took < 5_000, "L4: the other destination took {took} ms of engine time");
    let untouched = lost[299].clone().unwrap();
    assert!(engine.show(untouched).await.unwrap().summary.cut_off);
    assert!(!engine.show(ids[0]).await.unwrap().summary.cut_off);
    engine.stop_within(Span::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_behind_an_open_circuit_fails_its_delivery_also_after_a_restart() {
    let (site, receiver) = (Site::new().await, Receiver::start().await);
    let text = format!(
        "[limits]\ntime_to_live = \"5m\"\n[destination.hook]\nkind = \"webhook\"\nurl = \"{}\"\n\
         secrets = [\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"]\nconcurrency = 1\n",
        receiver.address
    );
    let engine = site.open(&text).await;
    receiver.answers(&vec![(503, ""); 1_000]);
    let parcels = (0..40).map(|number| outlast::Parcel::to("hook").json(&json!({ "n": number })).unwrap()).collect();
    let ids: Vec<_> = engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap).collect();
    is_cut_off(&site.bench, &engine).await;
    site.bench.pass(&engine, Span::from_secs(60)).await;
    let engine = site.restart(engine, &text).await;
    for outcome in site.bench.outcomes(&engine, &ids).await {
        let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
        assert_eq!(failed.code, "DELIVERY_EXPIRED", "{failed:?}");
    }
    assert!(receiver.came().len() < 40, "{} requests", receiver.came().len());
    engine.stop().await.unwrap();
}
