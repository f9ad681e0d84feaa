//! Alerts: each edge is told once, over restarts too; where they go; and that none comes of itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::sync::{Arc, Mutex};

use outlast::store::{StoreErrorKind, Table};
use outlast::{Alert, AlertKind, AlertSubject, Alerts, Engine, Parcel, Severity};
use outlast_state::{DeliveryId, Span, Time};
use serde_json::json;
use standardwebhooks::Webhook;

use crate::bench::{Bench, DAY};
use crate::cli::{Place, Sandbox};
use crate::site::{Receiver, Site};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A webhook for alerts, and a destination for events.
fn configured(ops: &Receiver, more: &str) -> String {
    format!(
        "[alerts]\nto = \"ops\"\n{more}\n[destination.ops]\nkind = \"webhook\"\nurl = \"{}/alerts\"\nsecrets = [\"{SECRET}\"]\n\
         [destination.ads]\nkind = \"linkedin-conversions\"\ncredential = \"acme\"\nconversion_rule = \"789123\"\napi_base = \"API/rest\"\nbatch_size = 1\n",
        ops.address
    )
}

fn kinds(alerts: &[Alert]) -> Vec<&'static str> {
    alerts.iter().map(|alert| alert.kind.name()).collect()
}

async fn told(engine: &Engine) -> Vec<&'static str> {
    kinds(&engine.alerts().await.unwrap())
}

/// The kinds that came to a webhook.
fn came(ops: &Receiver) -> Vec<String> {
    ops.came().iter().map(|came| came.json()["type"].as_str().unwrap().to_owned()).collect()
}

/// Waits until so many alerts have come, and then a little, so that one too many is seen.
async fn came_so_many(site: &Site, engine: &Engine, ops: &Receiver, count: usize) {
    site.bench.eventually(async || ops.came().len() >= count).await;
    site.bench.settle(engine).await;
    assert_eq!(ops.came().len(), count, "{:?}", came(ops));
}

fn to_ads(bench: &Bench, name: &str) -> Parcel {
    Parcel::to("ads").json(&bench.event(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_dies_and_lives_again_is_told_once_each_to_a_signed_webhook_over_restarts() {
    let (site, ops) = (Site::new().await, Receiver::start().await);
    let text = configured(&ops, "");
    let engine = site.open(&text).await;
    assert_eq!(told(&engine).await, [""; 0], "a first grant is no news");
    site.bench.revoke_grant();
    let id = engine.submit(to_ads(&site.bench, "parked")).await.unwrap();
    site.bench.eventually(async || engine.show(id).await.unwrap().summary.parked).await;
    came_so_many(&site, &engine, &ops, 1).await;
    let engine = site.restart(engine, &text).await;
    site.bench.pass(&engine, Span::from_secs(3_600)).await;
    assert_eq!(told(&engine).await, ["credential.dead"]);
    let seed = json!({"access_token": "canary-access-2", "refresh_token": "canary-refresh-2",
        "client_secret": "canary-client-secret", "age_s": 86_400, "scope": "rw_conversions"});
    let seed = serde_json::from_value(seed).unwrap();
    site.bench.sandbox.with_provider(|provider, now| provider.issue(&seed, now).map(|_| ())).unwrap();
    engine.authorise("acme", site.bench.grant("canary-access-2", "canary-refresh-2")).await.unwrap();
    site.done(&engine, id).await;
    came_so_many(&site, &engine, &ops, 2).await;
    let engine = site.restart(engine, &text).await;
    site.bench.pass(&engine, Span::from_secs(60)).await;
    assert_eq!(told(&engine).await, ["credential.dead", "credential.alive"]);
    assert_eq!(came(&ops), ["credential.dead", "credential.alive"]);
    let first = &ops.came()[0];
    assert_eq!(first.line, "POST /alerts HTTP/1.1");
    let library = Webhook::new(SECRET).unwrap();
    let sent = first.header("webhook-timestamp").parse().unwrap();
    let signature = library.sign(first.header("webhook-id"), sent, first.body.as_bytes()).unwrap();
    assert_eq!(first.header("webhook-signature"), signature);
    let body = first.json();
    assert_eq!(body["data"], serde_json::to_value(&engine.alerts().await.unwrap()[0]).unwrap());
    assert_eq!(body["data"]["subject"], json!({"credential": "acme"}));
    assert_eq!(body["data"]["severity"], "critical");
    let text = body["data"]["text"].as_str().unwrap();
    assert!(text.contains("auth import acme") && text.contains("1 delivery waits"), "{text}");
    assert!(body["timestamp"].as_str().unwrap().starts_with("2026-"), "{body}");
    for secret in ["canary", "whsec", "C2FVsBQ"] {
        assert!(!first.body.contains(secret), "{}", first.body);
    }
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calendar_warns_once_for_each_day_that_is_configured_and_at_the_end_over_restarts() {
    let (site, ops) = (Site::new().await, Receiver::start().await);
    let text = configured(&ops, "days = [10, 2]");
    let mut engine = site.open(&text).await;
    let mut grant = site.bench.grant("canary-access-1", "canary-refresh-1");
    grant.refresh_expires = Some(Time::from_millis(site.bench.clock.millis() + 12 * DAY * 1000));
    engine.authorise("acme", grant).await.unwrap();
    for (days, expected) in [(1, 0), (1, 1), (1, 1), (6, 1), (1, 2), (1, 2), (1, 3), (5, 3)] {
        site.bench.clock.advance(Span::from_secs(days * DAY));
        site.bench.settle(&engine).await;
        assert_eq!(told(&engine).await.len(), expected);
        engine = site.restart(engine, &text).await;
        site.bench.settle(&engine).await;
        assert_eq!(told(&engine).await.len(), expected, "a restart tells nothing again");
    }
    let alerts = engine.alerts().await.unwrap();
    assert_eq!(kinds(&alerts), ["credential.dying", "credential.dying", "credential.grant_ended"]);
    let severities: Vec<_> = alerts.iter().map(|alert| alert.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Warning, Severity::Critical]);
    assert!(alerts.iter().all(|alert| alert.ends_ms == Some(crate::bench::START + 12 * DAY * 1000)));
    assert!(alerts[0].text.contains("ends in 10 d"), "{}", alerts[0].text);
    came_so_many(&site, &engine, &ops, 3).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_goes_down_and_comes_back_is_told_once_each_over_a_restart() {
    let (site, ops) = (Site::new().await, Receiver::start().await);
    let text = configured(&ops, "");
    let engine = site.open(&text).await;
    let down = json!([{"when": {"path": "/rest/conversionEvents"}, "action": {"status": {"status": 503}}}]);
    site.bench.faults(down);
    let parcels = (0..40).map(|number| to_ads(&site.bench, &format!("e-{number}"))).collect();
    let ids: Vec<DeliveryId> = engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap).collect();
    site.bench.pass(&engine, Span::from_secs(100)).await;
    came_so_many(&site, &engine, &ops, 1).await;
    // After the restart nobody knows, until so many fail again. That is the same outage.
    let engine = site.restart(engine, &text).await;
    site.bench.pass(&engine, Span::from_secs(600)).await;
    assert_eq!(engine.counts().await.unwrap().cut_off, 1);
    assert_eq!(told(&engine).await, ["destination.failing"]);
    site.bench.faults(json!([]));
    site.bench.all_done(&engine, &ids).await;
    assert_eq!(told(&engine).await.len(), 1, "it must stay well for a while");
    site.bench.pass(&engine, Span::from_secs(40)).await;
    came_so_many(&site, &engine, &ops, 2).await;
    assert_eq!(came(&ops), ["destination.failing", "destination.answering"]);
    let alerts = engine.alerts().await.unwrap();
    assert!(alerts.iter().all(|alert| alert.subject == AlertSubject::Destination("ads".into())), "{alerts:?}");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_are_given_up_are_told_at_once_then_as_a_summary_also_over_a_restart() {
    let (site, ops) = (Site::new().await, Receiver::start().await);
    let text = configured(&ops, "");
    let engine = site.open(&text).await;
    site.bench.faults(json!([{"when": {"path": "/rest/conversionEvents"}, "action": {"status": {"status": 400}}}]));
    let first = engine.submit(to_ads(&site.bench, "first")).await.unwrap();
    site.failed(&engine, first).await;
    came_so_many(&site, &engine, &ops, 1).await;
    let parcels = (0..150).map(|number| to_ads(&site.bench, &format!("e-{number}"))).collect();
    let ids: Vec<DeliveryId> = engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap).collect();
    site.bench.outcomes(&engine, &ids).await;
    let cancelled = engine.submit(to_ads(&site.bench, "cancelled").lane("l")).await.unwrap();
    drop(engine.cancel(cancelled).await);
    assert_eq!(told(&engine).await.len(), 1);
    let engine = site.restart(engine, &text).await;
    site.bench.pass(&engine, Span::from_secs(70)).await;
    came_so_many(&site, &engine, &ops, 2).await;
    let alerts = engine.alerts().await.unwrap();
    assert_eq!(kinds(&alerts), ["deliveries.failed"; 2]);
    assert_eq!(alerts[0].count, 1);
    assert!((150..=151).contains(&alerts[1].count), "{alerts:?}");
    assert!(alerts[0].text.contains(&first.to_string()), "{}", alerts[0].text);
    site.bench.pass(&engine, Span::from_secs(120)).await;
    assert_eq!(told(&engine).await.len(), 2, "none failed since");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_the_destination_of_alerts_is_never_sent_to_itself() {
    let (site, ops) = (Site::new().await, Receiver::start().await);
    let text = configured(&ops, "");
    let engine = site.open(&text).await;
    // It refuses the first alert for good, and fails from then on.
    ops.answers(&[(410, "")]);
    ops.answers(&vec![(503, ""); 1_000]);
    site.bench.faults(json!([{"when": {"path": "/rest/conversionEvents"}, "action": {"status": {"status": 400}}}]));
    for number in 0..12 {
        let id = engine.submit(to_ads(&site.bench, &format!("e-{number}"))).await.unwrap();
        site.failed(&engine, id).await;
        site.bench.pass(&engine, Span::from_secs(61)).await;
    }
    site.bench.pass(&engine, Span::from_secs(600)).await;
    let alerts = engine.alerts().await.unwrap();
    let about_ops: Vec<_> =
        alerts.iter().filter(|alert| alert.subject == AlertSubject::Destination("ops".into())).collect();
    let told: Vec<_> = about_ops.iter().map(|alert| alert.kind).collect();
    assert_eq!(told, [AlertKind::DeliveriesFailed, AlertKind::CircuitOpened], "{alerts:?}");
    let about = |came: &crate::site::Came| came.json()["data"]["subject"].clone();
    assert!(ops.came().iter().all(|came| about(came) == json!({"destination": "ads"})), "{:?}", ops.came());
    let live = engine.counts().await.unwrap().live();
    assert_eq!(live, 11, "the alerts that could not be delivered, and no other");
    engine.stop().await.unwrap();
}

/// What a host's function was told.
fn listening(bench: &Bench) -> (outlast::Builder, Arc<Mutex<Vec<Alert>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let builder = bench.builder().on_alert(move |alert| {
        kept.lock().unwrap().push(alert.clone());
        assert!(alert.kind != AlertKind::CredentialDead, "a mistake of the host");
    });
    (builder, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_hears_each_alert_also_after_its_function_panicked_and_when_the_store_fails() {
    let bench = Bench::new().await;
    let (builder, heard) = listening(&bench);
    let engine = bench.authorised(builder).await;
    bench.revoke_grant();
    let id = bench.submit(&engine, "parked").await;
    bench.eventually(async || engine.show(id).await.unwrap().summary.parked).await;
    engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
    bench.eventually(async || heard.lock().unwrap().len() >= 2).await;
    let so_far = heard.lock().unwrap().clone();
    assert_eq!(kinds(&so_far)[..2], ["credential.dead", "credential.alive"]);
    assert_eq!(engine.alerts().await.unwrap()[..2], so_far[..2]);
    bench.store().fail_barrier(1, StoreErrorKind::Full);
    drop(engine.submit(bench.parcel("lost")).await);
    drop(engine.stop().await);
    let last = heard.lock().unwrap().last().unwrap().clone();
    assert_eq!((last.kind, last.subject, last.number), (AlertKind::StoreFailed, AlertSubject::Store, 0));
    assert!(last.text.contains("nothing is accepted"), "{}", last.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_do_not_verify_are_told_once() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let far = |name: &str| bench.parcel(name);
    engine.pause(outlast::Scope::Destination("conversions".into())).await.unwrap();
    let ids = [engine.submit(far("a")).await.unwrap(), engine.submit(far("b")).await.unwrap()];
    engine.stop().await.unwrap();
    bench.reopen();
    let damage = |id: DeliveryId| {
        let key = outlast::store::Key::Delivery(id);
        assert!(bench.store().tamper(&key, |bytes| *bytes.last_mut().unwrap() ^= 1));
    };
    damage(ids[0]);
    let mut engine = bench.open().await;
    for _ in 0..2 {
        bench.settle(&engine).await;
        let alerts = engine.alerts().await.unwrap();
        assert_eq!((kinds(&alerts), alerts[0].count), (vec!["store.damaged"], 1));
        engine = bench.restart(engine).await;
    }
    engine.stop().await.unwrap();
    bench.reopen();
    damage(ids[1]);
    let engine = bench.open().await;
    bench.settle(&engine).await;
    let alerts = engine.alerts().await.unwrap();
    assert_eq!((alerts.len(), alerts[1].count), (2, 2), "more are told");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_into_a_store_is_told_nothing_and_who_runs_it_next_is() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let mut grant = bench.grant("canary-access-1", "canary-refresh-1");
    grant.refresh_expires = Some(Time::from_millis(bench.clock.millis() + 40 * DAY * 1000));
    engine.authorise("acme", grant).await.unwrap();
    engine.stop().await.unwrap();
    bench.clock.advance(Span::from_secs(20 * DAY));
    bench.reopen();
    let looking = bench.builder().hold(true).open().await.unwrap();
    bench.settle(&looking).await;
    assert_eq!(told(&looking).await, [""; 0]);
    let engine = bench.restart(looking).await;
    bench.settle(&engine).await;
    assert_eq!(told(&engine).await, ["credential.dying"]);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_256_are_kept_and_switches_are_heeded() {
    let (site, ops) = (Site::new().await, Receiver::start().await);
    let engine = site.open(&configured(&ops, "failed = false")).await;
    site.bench.faults(json!([{"when": {"path": "/rest/conversionEvents"}, "action": {"status": {"status": 400}}}]));
    let id = engine.submit(to_ads(&site.bench, "first")).await.unwrap();
    site.failed(&engine, id).await;
    site.bench.settle(&engine).await;
    assert_eq!(told(&engine).await, [""; 0]);
    // Each grant that ends is one.
    for _ in 0..300 {
        let mut grant = site.bench.grant("canary-access-1", "canary-refresh-1");
        grant.refresh_expires = Some(Time::from_millis(site.bench.clock.millis() + 3_700_000));
        engine.authorise("acme", grant).await.unwrap();
        site.bench.clock.advance(Span::from_secs(3_701));
        engine.counts().await.unwrap();
        engine.counts().await.unwrap();
    }
    let alerts = engine.alerts().await.unwrap();
    assert_eq!(alerts.len(), 256);
    assert!(alerts.is_sorted_by(|one, other| one.number + 1 == other.number), "{alerts:?}");
    let kept = site.bench.store().durable_records();
    assert_eq!(kept.iter().filter(|(key, _)| key.table() == Table::Alert).count(), 257, "and what was told");
    engine.stop_within(Span::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_need_a_destination_that_there_is() {
    let bench = Bench::new().await;
    let alerts = Alerts { to: Some("ops".into()), ..Alerts::default() };
    let refused = bench.builder().alerts(alerts).open().await.err().unwrap();
    assert_eq!(refused.kind(), outlast::ErrorKind::Configuration);
    assert!(refused.to_string().contains("alerts.to: there is no destination \"ops\""), "{refused}");
}

#[test]
fn the_program_lists_what_was_told_with_and_without_an_engine() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox, "");
    place.authorise();
    assert_eq!(place.run(&["alerts"]).out(), "nobody was told anything yet\n");
    let bad = json!({"type": "track", "messageId": "bad", "traits": {"email": "a@example.org"}}).to_string();
    let sent = place.run_with(&["send", "-", "--wait"], &format!("{bad}\n"));
    assert_eq!(sent.code(), 1, "{}", sent.err());
    assert!(sent.err().contains("outlast::alert") && sent.err().contains("deliveries.failed"), "{}", sent.err());
    let running = place.serve();
    let listed = place.json(&["alerts"]);
    assert!(running.terminate().success());
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["number"]), (1, &json!(1)), "{listed}");
    assert_eq!(listed[0]["kind"], "deliveries.failed");
    assert_eq!(listed[0]["subject"], json!({"destination": "conversions"}));
    assert_eq!(listed, place.json(&["alerts", "--limit", "0"]));
    let table = place.run(&["alerts"]).out();
    assert!(
        table.starts_with("NUMBER  AT") && table.contains("outlast list --state Failed --to conversions"),
        "{table}"
    );
    place.edit(|text| text.replace("# to = \"hook\"", "to = \"opps\""));
    let refused = place.run(&["check"]);
    assert_eq!(refused.code(), 2, "{}", refused.out());
    assert!(refused.err().contains("alerts.to: there is no [destination.opps]"), "{}", refused.err());
}
