//! From an event to its deliveries, through a configuration file: each route's delivery has its own fate, and nothing that
//! comes in breaks anything.

use std::collections::BTreeMap;

use outlast::route::Event;
use outlast::{ErrorKind, Filter, Outcome, Parcel, Redrive, Scope};
use outlast_state::Span;
use serde_json::{Value, json};

use crate::bench::START;
use crate::site::Site;

const DESTINATIONS: &str = r#"
[destination.conversions]
kind = "linkedin-conversions"
credential = "acme"
conversion_rule = "789123"
api_base = "API/rest"

[destination.crm]
kind = "http"
credential = "acme"
url = "API/crm/v1/contacts"
message = "/message"
dedupe = { header = "Idempotency-Key" }
"#;

const PURCHASES: &str = r#"
[[route]]
to = "conversions"
name = "purchases"
action = "streamConversion"
when = 'event = "Order Completed"'
"#;

const CONTACTS: &str = r#"
[[route]]
to = "crm"
name = "contacts"
when = 'type = "track"'
mapping.email = { "@path" = "$.traits.email" }
"#;

const NOBODY: &str = r#"
[[route]]
to = "crm"
name = "nobody"
when = 'event = "Order Completed"'
mapping.email = "nobody"
"#;

fn order(name: &str) -> Value {
    json!({
        "type": "track", "event": "Order Completed", "messageId": name, "timestamp": START - 60_000,
        "traits": { "email": format!("{name}@example.org") }, "properties": { "currency": "EUR", "revenue": 12.5 }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_on_three_routes_of_two_destinations_has_three_fates() {
    let site = Site::new().await;
    let engine = site.open(&[DESTINATIONS, PURCHASES, CONTACTS, NOBODY].concat()).await;
    let made: BTreeMap<String, _> = site.ingest(&engine, &order("order-1")).await.into_iter().collect();
    assert_eq!(made.keys().collect::<Vec<_>>(), ["contacts", "nobody", "purchases"]);
    site.done(&engine, made["purchases"]).await;
    site.done(&engine, made["contacts"]).await;
    let failed = site.failed(&engine, made["nobody"]).await;
    assert_eq!(failed.code, "BAD_REQUEST");
    assert!(failed.reason.contains("email is not an e-mail address"), "{}", failed.reason);
    for (route, destination) in [("purchases", "conversions"), ("contacts", "crm"), ("nobody", "crm")] {
        let shown = engine.show(made[route]).await.unwrap().summary;
        assert_eq!((shown.route.as_deref(), shown.destination.as_str()), (Some(route), destination));
        assert_eq!(shown.once.as_deref(), Some("order-1"), "the key is the event's on each route");
    }
    assert_eq!((site.bench.saw("applied"), site.bench.saw("duplicates")), (2, 0));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_is_the_same_deliveries_and_another_under_its_key_is_refused_on_each_route() {
    let site = Site::new().await;
    let text = [DESTINATIONS, PURCHASES, CONTACTS].concat();
    let engine = site.open(&text).await;
    let first = site.ingest(&engine, &order("order-1")).await;
    assert_eq!(site.ingest(&engine, &order("order-1")).await, first);
    for (_, id) in &first {
        site.done(&engine, *id).await;
    }
    let engine = site.restart(engine, &text).await;
    assert_eq!(site.ingest(&engine, &order("order-1")).await, first, "also after it has ended and was opened anew");
    let mut other = order("order-1");
    other["properties"]["revenue"] = json!(13);
    let made = engine.ingest(Event::json(other).unwrap()).await.unwrap();
    assert_eq!(made.len(), 2);
    for one in made {
        let why = one.delivery.unwrap_err();
        assert_eq!((why.kind(), why.code()), (ErrorKind::Conflict, Some("KEY_CONFLICT")), "{}", one.route);
    }
    // A route that came later has not seen the key.
    let engine = site.restart(engine, &[DESTINATIONS, PURCHASES, CONTACTS, NOBODY].concat()).await;
    assert_eq!(site.ingest(&engine, &order("order-1")).await.len(), 3);
    assert_eq!(engine.list(Filter::default()).await.unwrap().len(), 3);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_route_takes_makes_no_delivery() {
    let site = Site::new().await;
    let disabled = PURCHASES.replace("when =", "enabled = false\nwhen =");
    let engine = site.open(&[DESTINATIONS, &disabled].concat()).await;
    assert!(site.ingest(&engine, &order("order-1")).await.is_empty(), "the only route is switched off");
    assert!(site.ingest(&engine, &json!({ "type": "page" })).await.is_empty());
    assert!(site.ingest(&engine, &json!({})).await.is_empty());
    assert!(engine.list(Filter::default()).await.unwrap().is_empty());
    let engine = site.restart(engine, &[DESTINATIONS, PURCHASES].concat()).await;
    let id = site.ingest_one(&engine, &order("order-1")).await;
    site.done(&engine, id).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_route_is_gone_waits_says_so_and_goes_on_when_it_is_back() {
    let site = Site::new().await;
    let with = [DESTINATIONS, PURCHASES, CONTACTS].concat();
    let engine = site.open(&with).await;
    engine.pause(Scope::Destination("crm".into())).await.unwrap();
    let made: BTreeMap<String, _> = site.ingest(&engine, &order("order-1")).await.into_iter().collect();
    let engine = site.restart(engine, &[DESTINATIONS, PURCHASES].concat()).await;
    engine.resume(Scope::Destination("crm".into())).await.unwrap();
    let id = made["contacts"];
    let told = async || engine.show(id).await.unwrap().summary.code.as_deref() == Some("ROUTE_UNKNOWN");
    site.bench.eventually(told).await;
    let shown = engine.show(id).await.unwrap();
    assert!(shown.summary.ended_ms.is_none() && shown.summary.spent == 0, "{shown:?}");
    let detail = shown.summary.detail.unwrap();
    assert!(detail.contains("route contacts") && detail.contains("configure it again"), "{detail}");
    let why = engine.why(id).await.unwrap().join(" ");
    assert!(why.contains("contacts"), "{why}");
    site.bench.pass(&engine, Span::from_secs(3600)).await;
    assert!(engine.show(id).await.unwrap().summary.ended_ms.is_none(), "an hour later it waits still");
    assert_eq!(site.asked("/crm/v1/contacts").len(), 0);
    let engine = site.restart(engine, &with).await;
    site.done(&engine, id).await;
    site.done(&engine, made["purchases"]).await;
    assert_eq!(site.asked("/crm/v1/contacts").len(), 1);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_fails_is_told_with_place_and_code_and_mended_it_delivers() {
    let site = Site::new().await;
    for (number, (broken, code, directive)) in [
        (r#"{ "@liquid" = "{{ traits.email | " }"#, "LIQUID_FAILED", "@liquid"),
        (r#"[{ "@frob" = 1 }]"#, "MAPPING_FAILED", "@frob"),
    ]
    .into_iter()
    .enumerate()
    {
        let sound = r#"{ "@path" = "$.traits.email" }"#;
        let engine = site.open(&[DESTINATIONS, &CONTACTS.replace(sound, broken)].concat()).await;
        let before = site.asked("/crm/v1/contacts").len();
        let id = site.ingest_one(&engine, &order(&format!("order-{number}"))).await;
        let failed = site.failed(&engine, id).await;
        assert_eq!(failed.code, code, "{}", failed.reason);
        for part in ["contacts", "email", directive] {
            assert!(failed.reason.contains(part), "{part} is not in: {}", failed.reason);
        }
        let shown = engine.show(id).await.unwrap().summary;
        assert_eq!((shown.code.as_deref(), shown.spent, shown.in_doubt), (Some(code), 0, false));
        site.bench.pass(&engine, Span::from_secs(600)).await;
        assert_eq!(site.asked("/crm/v1/contacts").len(), before, "it was never sent");
        // The same mapping again fails again; a mended one does not.
        engine.redrive(id, Redrive::default()).await.unwrap();
        assert_eq!(site.failed(&engine, id).await.code, code);
        let engine = site.restart(engine, &[DESTINATIONS, CONTACTS].concat()).await;
        engine.redrive(id, Redrive::default()).await.unwrap();
        site.done(&engine, id).await;
        assert_eq!(site.asked("/crm/v1/contacts").len(), before + 1);
        engine.stop().await.unwrap();
        site.bench.reopen();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_refused_at_the_door() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let rows: [(&[u8], &str); 7] = [
        (b"[1]", "EVENT_NOT_AN_OBJECT"),
        (b"null", "EVENT_NOT_AN_OBJECT"),
        (b"7", "EVENT_NOT_AN_OBJECT"),
        (b"", "EVENT_NOT_JSON"),
        (b"{\"a\": 1e999}", "EVENT_NOT_JSON"),
        (b"{\"a\": \"\xc3\x28\"}", "EVENT_NOT_UTF8"),
        (deep.as_bytes(), "EVENT_TOO_DEEP"),
    ];
    for (bytes, code) in rows {
        let refused = Event::read(bytes).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
        assert!(refused.message.starts_with("event: "), "{refused}");
    }
    let site = Site::new().await;
    let engine = site.open(&["[limits]\nbody_bytes = 1000\n", DESTINATIONS, PURCHASES, CONTACTS].concat()).await;
    let mut large = order("order-1");
    large["properties"]["note"] = json!("x".repeat(1000));
    for one in engine.ingest(Event::json(large).unwrap()).await.unwrap() {
        let why = one.delivery.unwrap_err();
        assert_eq!((why.kind(), why.code()), (ErrorKind::Caller, Some("EVENT_TOO_LARGE")), "{why}");
        assert!(why.to_string().contains("1000"), "the limit is named: {why}");
    }
    let long = Event::json(order("order-2")).unwrap().once(Some("k".repeat(10_000)));
    for one in engine.ingest(long).await.unwrap() {
        assert_eq!(one.delivery.unwrap_err().code(), Some("PARCEL_INVALID"));
    }
    assert!(engine.list(Filter::default()).await.unwrap().is_empty(), "nothing is stored");
    let id = site.ingest(&engine, &order("order-3")).await[0].1;
    site.done(&engine, id).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_types_where_a_field_wants_another_end_as_failed_with_the_field_or_are_coerced() {
    let site = Site::new().await;
    let engine = site.open(&[DESTINATIONS, PURCHASES].concat()).await;
    let odd =
        [json!(null), json!(true), json!(-1), json!(1e300), json!("x"), json!(""), json!([]), json!({}), json!([[{}]])];
    let places =
        ["/traits", "/traits/email", "/properties", "/properties/currency", "/properties/revenue", "/timestamp"];
    let mut ids = Vec::new();
    for (place, value) in places.iter().flat_map(|place| odd.iter().map(move |value| (place, value))) {
        let mut event = order(&format!("odd-{}", ids.len()));
        *event.pointer_mut(place).unwrap() = value.clone();
        ids.push((format!("{place} = {value}"), site.ingest_one(&engine, &event).await));
    }
    let (mut done, mut failed) = (0, 0);
    for (what, id) in &ids {
        match site.bench.outcomes(&engine, &[*id]).await.pop().unwrap() {
            Outcome::Done(_) => done += 1,
            Outcome::Failed(one) => {
                failed += 1;
                assert!(
                    !one.code.is_empty() && one.code != "DESTINATION_BUG" && one.code != "ENGINE_BUG",
                    "{what}: {one:?}"
                );
                assert!(one.reason.len() > 20, "{what}: {}", one.reason);
            }
        }
    }
    assert_eq!((done + failed, ids.len()), (54, 54));
    assert!(done >= 5 && failed >= 20, "{done} were delivered, {failed} failed");
    let last = site.ingest_one(&engine, &order("sound")).await;
    site.done(&engine, last).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_submitted_as_it_is_and_is_no_event_is_stored_and_fails_with_its_code() {
    let site = Site::new().await;
    let engine = site.open(&[DESTINATIONS, PURCHASES].concat()).await;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for (body, code) in [
        (b"[1]".to_vec(), "EVENT_NOT_AN_OBJECT"),
        (b"{\"a\":".to_vec(), "EVENT_NOT_JSON"),
        (b"{\"a\":\"\xff\"}".to_vec(), "EVENT_NOT_UTF8"),
        (deep.into_bytes(), "EVENT_TOO_DEEP"),
        (Vec::new(), "EVENT_NOT_JSON"),
        (br#"{"type":"page"}"#.to_vec(), "NOT_SUBSCRIBED"),
    ] {
        let id = engine.submit(Parcel::to("conversions").bytes(body)).await.unwrap();
        let failed = site.failed(&engine, id).await;
        assert_eq!((failed.code.as_str(), failed.in_doubt), (code, false), "{}", failed.reason);
        assert_eq!(engine.show(id).await.unwrap().summary.code.as_deref(), Some(code));
    }
    let large = engine.submit(Parcel::to("conversions").bytes(vec![b' '; 300_000])).await.unwrap_err();
    assert_eq!(large.code(), Some("EVENT_TOO_LARGE"), "{large}");
    let nowhere = engine.submit(Parcel::to("nowhere").bytes(b"{}".to_vec())).await.unwrap_err();
    assert_eq!(nowhere.code(), Some("DESTINATION_UNKNOWN"), "{nowhere}");
    assert!(site.asked("/rest/conversionEvents").is_empty());
    engine.stop().await.unwrap();
}
