//! Recorded answers and what they mean; and that nothing LinkedIn or a caller could say breaks the conversation.

use outlast_state::{DeliveryId, Load, Receipt, Span, Time, Verdict, Why};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::schema::ACTIONS;
use super::{Conversions, conversions};
use crate::destination::{Conclusion, Conversation, Destination, Item, Prepared, Routes, Turn};
use crate::exchange::{Answer, Exchange, Request};

mod stances;

const NOW: Time = Time::from_millis(1_773_576_000_000); // 2026-03-15T12:00:00Z

/// What an answer says.
pub(super) trait Said {
    fn bytes(self) -> Vec<u8>;
}

impl Said for Value {
    fn bytes(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl Said for &Value {
    fn bytes(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl Said for &str {
    fn bytes(self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl Said for String {
    fn bytes(self) -> Vec<u8> {
        self.into_bytes()
    }
}

fn event(id: &str) -> Value {
    json!({
        "type": "track", "messageId": id, "timestamp": "2026-03-14T10:00:00Z", "traits": {"email": "ada@example.org"},
        "properties": {"currency": "USD", "revenue": 12.5},
    })
}

fn live() -> Conversions {
    conversions().rule("789123").build().unwrap()
}

/// What the destination's own route makes of the bodies, what is said before anything is asked, and what the destination does
/// with the others: as the driver goes about it.
fn turn(destination: &Conversions, bodies: &[Vec<u8>], so_far: &[Exchange]) -> Turn {
    turn_at(destination, bodies, so_far, NOW)
}

fn turn_at(destination: &Conversions, bodies: &[Vec<u8>], so_far: &[Exchange], began: Time) -> Turn {
    let routes = Routes::of(destination, Vec::new()).unwrap();
    let prepared: Vec<_> = bodies.iter().map(|body| routes.prepare(None, body)).collect();
    let id = |n: usize| DeliveryId::from_u128(u128::try_from(n).unwrap().saturating_add(1));
    let of = |(n, it): (usize, &Result<Prepared, Conclusion>)| match it {
        Ok(_) => None,
        Err(conclusion) => Some((n, conclusion.clone())),
    };
    let mut settled: Vec<(usize, Conclusion)> = prepared.iter().enumerate().filter_map(of).collect();
    let mut items = Vec::new();
    for (n, prepared) in prepared.iter().enumerate() {
        let Ok(prepared) = prepared else { continue };
        let item = prepared.item(id(n), &bodies[n]);
        match destination.check(&item, began) {
            Ok(()) => items.push((n, item)),
            Err(conclusion) => settled.push((n, conclusion)),
        }
    }
    let sent: Vec<Item<'_>> = items.iter().map(|(_, item)| *item).collect();
    let conclusions = match destination.converse(&Conversation { so_far, ..Conversation::begin(&sent, began) }) {
        Turn::Conclude(conclusions) => conclusions,
        ask @ Turn::Ask(_) => return ask,
    };
    assert_eq!(conclusions.len(), sent.len(), "one conclusion for each item");
    settled.extend(items.iter().map(|(n, _)| *n).zip(conclusions));
    settled.sort_by_key(|(n, _)| *n);
    Turn::Conclude(settled.into_iter().map(|(_, conclusion)| conclusion).collect())
}

fn asked(destination: &Conversions, bodies: &[Vec<u8>]) -> Request {
    match turn(destination, bodies, &[]) {
        Turn::Ask(request) => request,
        Turn::Conclude(conclusions) => panic!("nothing was asked: {conclusions:?}"),
    }
}

fn concluded(destination: &Conversions, bodies: &[Vec<u8>], so_far: &[Exchange]) -> Vec<Conclusion> {
    match turn(destination, bodies, so_far) {
        Turn::Conclude(conclusions) => conclusions,
        Turn::Ask(request) => panic!("asked for {request:?}"),
    }
}

fn bytes(event: &Value) -> Vec<u8> {
    event.to_string().into_bytes()
}

fn body_of(event: &Value) -> Value {
    serde_json::from_slice(asked(&live(), &[bytes(event)]).body()).unwrap()
}

/// What becomes of `count` good events when the answer is this.
fn answered(count: usize, status: u16, headers: &[(&str, &str)], body: &str) -> Vec<Conclusion> {
    let bodies: Vec<_> = (0..count).map(|n| bytes(&event(&format!("m-{n}")))).collect();
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let answer = Answer { status, headers, body: body.as_bytes().to_vec(), received: NOW };
    let exchange = Exchange { request: asked(&live(), &bodies), answer };
    concluded(&live(), &bodies, &[exchange])
}

fn verdicts(conclusions: &[Conclusion]) -> Vec<Verdict> {
    conclusions.iter().map(|conclusion| conclusion.verdict).collect()
}

fn accepted(status: u16) -> Verdict {
    Verdict::Accepted { receipt: Receipt { status } }
}

fn rejected(status: u16) -> Verdict {
    Verdict::Refused { why: Why::Rejected { status } }
}

fn failing(seconds: u64) -> Verdict {
    Verdict::Busy { after: Span::from_secs(seconds), load: Load::Failing }
}

fn throttled(seconds: u64) -> Verdict {
    Verdict::Busy { after: Span::from_secs(seconds), load: Load::Throttled }
}

#[test]
fn every_status_of_a_request() {
    let mut rows = vec![
        // status, of one conversion, of two
        (200, accepted(200), Verdict::Unknown),
        (201, accepted(201), Verdict::Unknown),
        (204, accepted(204), Verdict::Unknown),
        (400, rejected(400), Verdict::Split),
        (401, Verdict::TokenRefused, Verdict::TokenRefused),
        (403, failing(60), failing(60)),
        (408, failing(0), failing(0)),
        (413, rejected(413), Verdict::Split),
        (422, rejected(422), Verdict::Split),
        (423, failing(0), failing(0)),
        (426, throttled(900), throttled(900)),
        (429, throttled(0), throttled(0)),
        (0, Verdict::Unknown, Verdict::Unknown),
        (100, Verdict::Unknown, Verdict::Unknown),
        (600, Verdict::Unknown, Verdict::Unknown),
        (u16::MAX, Verdict::Unknown, Verdict::Unknown),
    ];
    rows.extend([300, 301, 302, 304, 307, 308, 402, 404, 405, 409, 410, 411, 415, 451, 499, 501].map(|status| {
        let no = rejected(status);
        (status, no, no)
    }));
    rows.extend([500, 502, 503, 504, 520, 599].map(|status| (status, failing(0), failing(0))));
    for (status, one, two) in rows {
        for body in ["", "<html>", "{}", "null", r#"{"message":"no"}"#, r#"{"status":17,"serviceErrorCode":"x"}"#] {
            assert_eq!(verdicts(&answered(1, status, &[], body)), [one], "{status} {body}");
            assert_eq!(verdicts(&answered(2, status, &[], body)), [two, two], "{status} {body}");
        }
    }
}

#[test]
fn every_status_of_an_element() {
    let rows = [
        (json!({"status": 201, "id": "x"}), accepted(201)),
        (json!({"status": 200}), accepted(200)),
        (json!({"status": "201"}), accepted(201)),
        (json!({"status": 400, "error": {"status": 400, "message": "bad"}}), rejected(400)),
        (json!({"error": {"status": 422}}), rejected(422)),
        (json!({"status": 401}), Verdict::TokenRefused),
        (json!({"status": 403}), failing(60)),
        (json!({"status": 404}), rejected(404)),
        (json!({"status": 408}), failing(7)),
        (json!({"status": 423}), failing(7)),
        (json!({"status": 429}), throttled(7)),
        (json!({"status": 500}), failing(7)),
        (json!({"status": 501}), rejected(501)),
        (json!({"status": 503}), failing(7)),
        (json!({"status": true}), Verdict::Unknown),
        (json!({"status": 70000}), Verdict::Unknown),
        (json!({"status": -1}), Verdict::Unknown),
        (json!({}), Verdict::Unknown),
        (json!(null), Verdict::Unknown),
        (json!("201"), Verdict::Unknown),
    ];
    for (element, expected) in rows {
        let body = json!({"elements": [{"status": 201}, element]}).to_string();
        let conclusions = answered(3, 200, &[("retry-after", "7")], &body);
        assert_eq!(verdicts(&conclusions), [accepted(201), expected, Verdict::Unknown], "{body}");
    }
}

#[test]
fn more_elements_than_were_sent_are_ignored() {
    let body = json!({"elements": [{"status": 201}, {"status": 400}, {"status": 500}]}).to_string();
    assert_eq!(verdicts(&answered(2, 200, &[], &body)), [accepted(201), rejected(400)]);
}

#[test]
fn a_wait_is_believed_up_to_a_quarter_of_an_hour() {
    let rows = [
        ("7", 7),
        (" 30 ", 30),
        ("864000", 900),
        ("Sun, 15 Mar 2026 12:00:20 GMT", 20),
        ("Sun, 15 Mar 2026 11:00:00 GMT", 0),
        ("Wed, 25 Mar 2026 12:00:00 GMT", 900),
        ("soon", 0),
        ("-5", 0),
    ];
    for (text, seconds) in rows {
        assert_eq!(verdicts(&answered(1, 429, &[("retry-after", text)], "")), [throttled(seconds)], "{text}");
        assert_eq!(verdicts(&answered(1, 503, &[("retry-after", text)], "")), [failing(seconds)], "{text}");
    }
    assert_eq!(verdicts(&answered(1, 403, &[("retry-after", "5")], "")), [failing(60)]);
}

#[test]
fn a_batch_that_names_its_bad_members_loses_only_those() {
    let message = "Index: 1, ERROR :: amount is no number\nIndex: 3, ERROR :: too old\n";
    let again = Verdict::NotYet { after: Span::ZERO };
    for body in [json!({"message": message, "status": 422}).to_string(), message.to_owned()] {
        let conclusions = answered(4, 422, &[("x-li-uuid", "AAX")], &body);
        assert_eq!(verdicts(&conclusions), [again, rejected(422), again, rejected(422)]);
        assert_eq!(conclusions[1].detail, "LinkedIn answered 422: amount is no number (x-li-uuid AAX)");
        assert_eq!(conclusions[3].detail, "LinkedIn answered 422: too old (x-li-uuid AAX)");
    }
}

#[test]
fn a_batch_that_names_nobody_is_split() {
    for message in ["", "Index: 9, ERROR :: not ours", "Index: x, ERROR :: y", "Index: 0", "Index 0, ERROR :: y"] {
        let body = json!({"message": message}).to_string();
        assert_eq!(verdicts(&answered(2, 422, &[], &body)), [Verdict::Split; 2], "{message}");
    }
    let one = answered(1, 422, &[], r#"{"message":"Index: 0, ERROR :: too old"}"#);
    assert_eq!(verdicts(&one), [rejected(422)]);
    assert!(one[0].detail.contains("too old"));
}

#[test]
fn details_say_what_linkedin_said_and_who_must_act() {
    let rows = [
        (
            429,
            r#"{"message":"Resource level throttle"}"#,
            "LinkedIn answered 429: Resource level throttle (x-li-uuid AAX)",
        ),
        (426, "{}", "`version`"),
        (403, r#"{"message":"Not enough permissions"}"#, "rw_conversions"),
        (404, "", "`rule`"),
        (302, "", "`api`"),
        (500, "<html>", "LinkedIn answered 500 (x-li-uuid AAX)"),
        (400, "{\"message\":\"a\\nb\\u0007c\"}", "LinkedIn answered 400: a b c (x-li-uuid AAX)"),
    ];
    for (status, body, expected) in rows {
        let conclusions = answered(1, status, &[("x-li-uuid", "AAX")], body);
        assert!(conclusions[0].detail.contains(expected), "{status}: {}", conclusions[0].detail);
    }
    let long = answered(1, 400, &[], &json!({"message": "é".repeat(900)}).to_string());
    assert_eq!(long[0].detail.chars().filter(|c| *c == 'é').count(), 200);
    assert_eq!(answered(1, 201, &[], "")[0].detail, "");
}

#[test]
fn a_request_has_linkedins_headers_and_no_token() {
    let one = asked(&live(), &[bytes(&event("m-1"))]);
    assert!(one.wants_bearer());
    let mut headers = one.headers().to_vec();
    headers.sort();
    let version = ("linkedin-version".into(), "202603".to_owned());
    let protocol = ("x-restli-protocol-version".into(), "2.0.0".to_owned());
    assert_eq!(headers, [("content-type".into(), "application/json".to_owned()), version, protocol]);
    let two = asked(&live(), &[bytes(&event("m-1")), bytes(&event("m-2"))]);
    assert!(two.headers().contains(&("x-restli-method".into(), "BATCH_CREATE".to_owned())));
}

#[test]
fn a_batch_with_one_good_event_sends_it_alone() {
    let bodies = [b"[]".to_vec(), bytes(&event("m-1"))];
    let request = asked(&live(), &bodies);
    assert_eq!(serde_json::from_slice::<Value>(request.body()).unwrap()["eventId"], "m-1");
    let answer = Answer { status: 201, headers: vec![], body: vec![], received: NOW };
    let conclusions = concluded(&live(), &bodies, &[Exchange { request, answer }]);
    assert_eq!(verdicts(&conclusions), [Verdict::Refused { why: Why::Invalid }, accepted(201)]);
}

#[test]
fn an_event_without_an_id_is_named_by_its_delivery() {
    for id in [json!(null), json!(""), json!("  ")] {
        let mut nameless = event("m");
        nameless["messageId"] = id;
        assert_eq!(body_of(&nameless)["eventId"], "00000000000000000000000001");
    }
    assert_eq!(body_of(&event("m-7"))["eventId"], "m-7");
}

/// Each fault, the reference's message, and the field that the detail names.
#[test]
fn every_fault_names_the_field_and_the_remedy() {
    let with = |path: &str, value: Value| {
        let mut event = event("m-1");
        *event.pointer_mut(path).unwrap() = value;
        bytes(&event)
    };
    let id = "One of email or LinkedIn UUID or Acxiom ID or Oracle ID is required.";
    let old = "Timestamp should be within the past 90 days.";
    let no_time = "The root value is missing the required field 'conversionHappenedAt'.";
    let no_amount = "Conversion Value is missing the required field 'amount'.";
    let happened = "`conversionHappenedAt`";
    let rows = [
        (with("/traits/email", json!(null)), id, "`email`"),
        (with("/traits/email", json!(" \t ")), id, "`traits.email`"),
        (with("/traits/email", json!({"a": 1})), "Email must be a string but it was an object.", "`email`"),
        (with("/traits", json!("none")), id, "`email`"),
        (with("/timestamp", json!(null)), no_time, happened),
        (with("/timestamp", json!("")), no_time, "`timestamp`"),
        (with("/timestamp", json!("yesterday-ish")), "Timestamp is not a valid date.", happened),
        (with("/timestamp", json!("2025-12-15T11:59:59.999Z")), old, happened),
        (with("/timestamp", json!(1_773_480_000)), old, "not seconds"),
        (with("/properties/revenue", json!("")), no_amount, "`properties.revenue`"),
        (
            with("/properties/revenue", json!([1, 2])),
            "Amount must be a string but it was an array.",
            "`conversionValue.amount`",
        ),
        (
            with("/properties/currency", json!(null)),
            "Conversion Value is missing the required field 'currencyCode'.",
            "currency",
        ),
        (
            with("/type", json!("identify")),
            "Payload is either invalid or does not match the subscription",
            "type = \"track\"",
        ),
        (b"[1]".to_vec(), "The body is not an event.", "this is a list"),
        (b"{\"a\":\n oops}".to_vec(), "The body is not an event.", "line 2, column 2"),
        (b"".to_vec(), "The body is not an event.", "as one JSON object"),
    ];
    for (body, message, field) in rows {
        let conclusions = concluded(&live(), &[body], &[]);
        let detail = &conclusions[0].detail;
        assert_eq!(conclusions[0].verdict, Verdict::Refused { why: Why::Invalid });
        assert!(detail.starts_with(&format!("{message} ")) && detail.contains(field), "{detail}");
        assert!(!detail.contains("ada@"), "no body in a detail");
    }
}

#[test]
fn live_bytes_put_the_references_mistakes_right() {
    let destination = conversions().rule("1").build().unwrap();
    let fields = json!({
        "conversionHappenedAt": "2026-03-14", "email": " Ada.Miller@EXAMPLE.org ", "acxiomID": "acx", "oracleID": " ",
        "linkedInUUID": "", "externalIds": ["", null, "ext-1", "ext-2"], "unknown": 1,
        "userInfo": {"firstName": "Ada", "lastName": ["Miller"], "title": "", "countryCode": null, "shoe": 38},
        "conversionValue": {"currencyCode": "USD", "amount": true},
    });
    let sent = sent(&destination, fields, &Value::Null).unwrap();
    let hash = "e1a3741ca332e55d1911ea2f85931387b67f22c76f5a6c859c431a4f269089b1";
    let expected = json!({
        "conversion": "urn:lla:llaPartnerConversion:1", "conversionHappenedAt": 1_773_446_400_000_i64,
        "conversionValue": {"currencyCode": "USD", "amount": "true"}, "eventId": "00000000000000000000000001",
        "user": {
            "userIds": [{"idType": "SHA256_EMAIL", "idValue": hash}, {"idType": "ACXIOM_ID", "idValue": "acx"}],
            "userInfo": {"firstName": "Ada", "lastName": "Miller"}, "externalIds": ["ext-1"],
        },
    });
    assert_eq!(sent, expected);
}

/// The body of the request for these fields, cleaned as the action's are.
fn sent(destination: &Conversions, fields: Value, saved: &Value) -> Result<Value, Conclusion> {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    let payload = ACTIONS[0].schema().clean(fields, destination.empties()).unwrap().payload;
    let payload = Value::Object(payload);
    let item = Item { id: DeliveryId::from_u128(1), body: b"", action: "streamConversion", payload: &payload, saved };
    destination.check(&item, NOW)?;
    match destination.converse(&Conversation::begin(&[item], NOW)) {
        Turn::Ask(request) => Ok(serde_json::from_slice(request.body()).unwrap()),
        Turn::Conclude(conclusions) => panic!("nothing was asked: {conclusions:?}"),
    }
}

/// JSON near enough to an event to get past the first checks.
fn near_event() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("2026-03-14T10:00:00Z")),
        Just(json!([[1]])),
        Just(json!({"x": []})),
    ];
    prop::collection::vec(leaf, 6).prop_map(|leaves| {
        bytes(&json!({
            "type": "track", "messageId": leaves[0], "timestamp": leaves[1], "traits": {"email": leaves[2]},
            "properties": {"currency": leaves[3], "revenue": leaves[4], "other": leaves[5]},
        }))
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..40), near_event(), Just(bytes(&event("m-1")))]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let element = prop_oneof![
        any::<u16>().prop_map(|status| json!({"status": status})),
        Just(json!({"status": 201})),
        Just(json!(7)),
        ".{0,8}".prop_map(|text| json!({"error": {"status": text, "message": text}})),
    ];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        prop::collection::vec(element, 0..6).prop_map(|elements| bytes(&json!({"elements": elements}))),
        (any::<u32>(), ".{0,20}")
            .prop_map(|(n, text)| bytes(&json!({"message": format!("Index: {n}, ERROR :: {text}")}))),
    ];
    let status = prop_oneof![any::<u16>(), 200_u16..600, Just(422), Just(200)];
    let retry = prop_oneof![Just(vec![]), ".{0,20}".prop_map(|text| vec![("retry-after".to_owned(), text)])];
    (status, retry, body).prop_map(|(status, headers, body)| Answer { status, headers, body, received: NOW })
}

proptest! {
    #[test]
    fn one_conclusion_for_each_item_whatever_is_said(
        bodies in prop::collection::vec(any_body(), 0..5),
        answer in any_answer(),
        compat: bool,
        batch_size in 1_u32..4,
        began: u64,
    ) {
        let destination = conversions().rule("1").compat(compat).batch_size(batch_size).build().unwrap();
        let began = if began % 2 == 0 { NOW } else { Time::from_millis(began) };
        let conclusions = match turn_at(&destination, &bodies, &[], began) {
            Turn::Conclude(conclusions) => conclusions,
            Turn::Ask(request) => {
                match turn_at(&destination, &bodies, &[], began) {
                    Turn::Ask(again) => prop_assert!(again == request, "the same arguments, the same request"),
                    Turn::Conclude(_) => prop_assert!(false, "asked and then did not"),
                }
                match turn_at(&destination, &bodies, &[Exchange { request, answer }], began) {
                    Turn::Conclude(conclusions) => conclusions,
                    Turn::Ask(_) => return Err(TestCaseError::fail("asked twice")),
                }
            }
        };
        prop_assert_eq!(conclusions.len(), bodies.len());
        for conclusion in &conclusions {
            let accepted = matches!(conclusion.verdict, Verdict::Accepted { .. });
            prop_assert_eq!(accepted, conclusion.detail.is_empty());
        }
    }
}
