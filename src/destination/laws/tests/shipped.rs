//! The laws over every kind that ships.

use serde_json::{Map, Value, json};

use crate::destination::laws::{Kit, Law, Played};
use crate::destination::{Destination, Kind, linkedin};
use crate::route::{Draft, Route};

/// Settings to try a kind with. A new kind has to come with some.
fn settings(kind: &str) -> Vec<Value> {
    match kind {
        "webhook" => {
            let secrets = ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
            vec![
                json!({"url": "https://example.com/hooks/42", "secrets": secrets}),
                json!({"url": "https://example.com", "secrets": [secrets[0]], "headers": {"x-source": "outlast"},
                    "secret_headers": [{"name": "x-api-key", "value": "key-1234567890"}]}),
            ]
        }
        "http" => vec![
            json!({"url": "https://api.example.com/events", "bearer": false}),
            json!({"method": "GET", "url": "https://api.example.com/people/{{userId}}?at={{timestamp}}"}),
            json!({"method": "PUT", "url": "https://api.example.com/people/{{userId}}", "bearer": true,
                "headers": {"x-kind": {"@path": "$.event"}}, "body": {"email": {"@path": "$.traits.email"}},
                "dedupe": {"header": "idempotency-key", "value": {"@path": "$.messageId"}},
                "retry_after": "/error/wait", "message": "/error/message",
                "answers": [{"status": "400-499", "pointer": "/error/code", "values": ["DUPLICATE"], "means": "accepted"},
                    {"status": "409", "means": "not_yet"}, {"status": "418", "means": "token_refused"},
                    {"status": "423", "means": "split"}]}),
            json!({"url": "https://api.example.com/batch/{{type}}", "dedupe": {"body": "/id"},
                "body": {"email": {"@path": "$.traits.email"}},
                "batch": {"items": 50, "at": "/contacts", "around": {"list": "all"},
                    "results": {"list": "/results", "status": "/status", "message": "/message",
                        "answers": [{"pointer": "/code", "values": ["SLOW"], "means": "throttled"}]}}}),
        ],
        "linkedin-conversions" => vec![
            json!({"conversion_rule": "789123"}),
            json!({"conversion_rule": "789123", "batch_size": 1}),
            json!({"conversion_rule": "789123", "compat": true}),
            json!({"conversion_rule": "789123", "compat": true, "batch_size": 1}),
        ],
        "linkedin-audiences" => vec![
            json!({"ad_account_id": "501"}),
            json!({"ad_account_id": "501", "batch_size": 1}),
            json!({"ad_account_id": "501", "compat": true}),
            json!({"ad_account_id": "501", "compat": true, "batch_size": 1}),
        ],
        other => panic!("give the kind {other} settings here"),
    }
}

/// What sources send, and what nobody should.
fn bodies() -> Vec<Vec<u8>> {
    let order = |number: u32| {
        json!({"type": "track", "event": "Order Completed", "messageId": format!("order-{number}"), "userId": "u/1 ü",
            "timestamp": "2026-03-14T10:00:00.000Z", "traits": {"email": format!("ada-{number}@example.org")},
            "properties": {"currency": "EUR", "revenue": "12.50"}})
    };
    let audience = |name: &str, email: &str| {
        json!({"type": "track", "event": name, "messageId": "aud-1", "timestamp": "2026-03-14T10:00:00.000Z",
            "userId": "u-1", "context": {"traits": {"email": email}, "personas": {"computation_key": "spring"},
            "device": {"advertisingId": "38400000-8cf0-11bd-b23e-10b96e40000d"}},
            "traits": {"company_domain": format!("{email}.org")}, "properties": {"audience_key": "spring", "spring": true}})
    };
    let events = [order(1), order(2), audience("Audience Entered", "ada"), audience("Audience Exited", "bob")];
    let events = events.iter().map(|event| event.to_string().into_bytes());
    let bad: [&[u8]; 4] = [b"", b"[]", b"{\"type\":\"track\"", b"{\"type\":\"\xff\"}"];
    events.chain(bad.map(<[u8]>::to_vec)).collect()
}

/// What the providers answer when all is well, and when it is not.
fn recorded<'a>(kind: &str, kit: Kit<'a>) -> Kit<'a> {
    match kind {
        "linkedin-audiences" => kit
            .json(
                200,
                r#"{"elements":[{"id":4411,"name":"seg","type":"USER"},{"id":4412,"name":"seg","type":"COMPANY"}]}"#,
            )
            .json(200, r#"{"elements":[{"status":201},{"status":400,"message":"no"},{"status":429}]}"#)
            .json(200, r#"{"elements":[]}"#),
        "linkedin-conversions" => kit
            .json(
                200,
                r#"{"elements":[{"status":201},{"status":422,"error":{"message":"no","status":422}},{"status":500}]}"#,
            )
            .json(422, r#"{"message":"Index: 1, ERROR :: eventId is missing","status":422}"#),
        _ => kit
            .json(200, r#"{"results":[{"status":200},{"status":409,"message":"twice"},{"code":"SLOW"}]}"#)
            .json(422, r#"{"error":{"code":"DUPLICATE","wait":30,"message":"known already"}}"#),
    }
}

/// The presets of its actions lack what only an operator knows.
fn own_routes(kind: &str, destination: &dyn Destination) -> Vec<Route> {
    let mut routes = Vec::new();
    if kind == "linkedin-audiences" {
        for action in destination.actions().iter().filter(|action| action.slug() == "updateCompanyAudience") {
            let mapping = Map::from_iter([("dmp_company_action".to_owned(), json!("ADD"))]);
            routes.push(Route::new("companies", action, &Draft { mapping, ..Draft::default() }).unwrap());
        }
    }
    routes
}

fn play(kind: Kind, given: &Value) -> Played {
    let Value::Object(members) = given.clone() else { panic!("settings are an object") };
    let settings = kind.settings().settings(members).unwrap_or_else(|why| panic!("{given}: {why}"));
    let built = kind.build(&settings).unwrap_or_else(|why| panic!("{given}: {why:?}"));
    let destination = built.destination.as_ref();
    let kit = bodies().into_iter().fold(Kit::new(destination).rounds(150), Kit::body);
    // The reference hears no provider that asks it to wait.
    let compat = given.get("compat") == Some(&json!(true));
    let kit = if compat { kit.without(Law::Wait) } else { kit };
    let kit = own_routes(kind.name, destination).into_iter().fold(recorded(kind.name, kit), Kit::route);
    kit.check().unwrap_or_else(|broken| panic!("{} {given}: {broken}", kind.name))
}

/// Plays all settings of a kind.
fn hold(name: &str) {
    for given in settings(name) {
        let played = play(Kind::named(name).unwrap(), &given);
        assert!(played.requests > 1000 && played.refused > 0, "{name} {given}: {played:?}");
    }
}

#[test]
fn the_laws_hold_for_webhooks() {
    hold("webhook");
}

#[test]
fn the_laws_hold_for_declared_destinations() {
    hold("http");
}

#[test]
fn the_laws_hold_for_conversions() {
    hold("linkedin-conversions");
}

#[test]
fn the_laws_hold_for_audiences() {
    hold("linkedin-audiences");
}

#[test]
fn every_kind_is_tried_above() {
    let tried = ["linkedin-conversions", "linkedin-audiences", "webhook", "http"];
    assert_eq!(Kind::ALL.map(|kind| kind.name).as_slice(), tried.as_slice(), "add a test for the new kind");
}

#[test]
fn audiences_lead_conversations_of_several_requests() {
    let destination = linkedin::audiences().ad_account_id("501").build().unwrap();
    let kit = bodies().into_iter().fold(Kit::new(&destination).rounds(20), Kit::body);
    let played = recorded("linkedin-audiences", kit).check().unwrap_or_else(|broken| panic!("{broken}"));
    assert!((2..8).contains(&played.longest), "{played:?}");
}
