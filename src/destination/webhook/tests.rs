use base64::Engine as _;
use outlast_state::{DeliveryId, Load, Receipt, Span};
use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::exchange::Exchange;
use crate::route::{Draft, Route};

const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

fn hook(secrets: &[&str]) -> Webhook {
    to("https://example.com/hooks/42").secrets(secrets.iter().map(|text| Secret::new(*text))).build().unwrap()
}

fn id() -> DeliveryId {
    DeliveryId::from_u128(0x0190_0000_0000_0000_0000_0000_0000_0042)
}

fn asked(hook: &Webhook, body: &[u8], began: Time) -> Request {
    let items = [Item::plain(id(), body)];
    match hook.converse(&Conversation::begin(&items, began)) {
        Turn::Ask(request) => request,
        Turn::Conclude(conclusions) => panic!("it asked for nothing: {conclusions:?}"),
    }
}

fn answered(status: u16, headers: &[(&str, &str)]) -> Conclusion {
    let hook = hook(&[NEW]);
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let answer = Answer { status, headers, body: b"gone away".to_vec(), received: Time::ZERO };
    let so_far = [Exchange { request: asked(&hook, b"{}", Time::ZERO), answer }];
    let items = [Item::plain(id(), b"{}")];
    match hook.converse(&Conversation { so_far: &so_far, ..Conversation::begin(&items, Time::ZERO) }) {
        Turn::Conclude(conclusions) if conclusions.len() == 1 => conclusions.into_iter().next().unwrap(),
        other => panic!("no conclusion: {other:?}"),
    }
}

fn map(request: &Request) -> HeaderMap {
    let pairs = request.headers().iter();
    pairs
        .map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

/// What the public library of the standard says of a request, with one of the secrets.
fn verified(request: &Request, secret: &str) -> bool {
    standardwebhooks::Webhook::new(secret).unwrap().verify(request.body(), &map(request)).is_ok()
}

/// The library compares with the wall clock.
fn now() -> Time {
    Time::from_millis(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap())
}

#[test]
fn the_librarys_own_example_has_the_signature_that_it_says() {
    let key = Key::read("secret", Secret::new(OLD)).unwrap();
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let signature = key.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553", body);
    assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
}

#[test]
fn the_public_library_verifies_our_requests() {
    let event = r#"{ "type":"track",  "event":"Bought", "price": 1.10, "who":"Jürgen" }"#.as_bytes();
    for body in [event, b"{}", b"[]", b"null"] {
        let request = asked(&hook(&[NEW]), body, now());
        assert_eq!(request.body(), body, "the bytes are those that were accepted");
        assert!(verified(&request, NEW), "{body:?}");
        assert!(!verified(&request, OLD), "another secret verifies, too: {body:?}");
    }
}

#[test]
fn while_secrets_rotate_a_receiver_with_either_verifies() {
    let request = asked(&hook(&[NEW, OLD]), b"{}", now());
    assert!(verified(&request, NEW) && verified(&request, OLD));
    let signatures = map(&request).get("webhook-signature").unwrap().to_str().unwrap().to_owned();
    let both: Vec<&str> = signatures.split(' ').collect();
    let newest = asked(&hook(&[NEW]), b"{}", now());
    assert_eq!(both.len(), 2);
    if map(&newest).get("webhook-timestamp") == map(&request).get("webhook-timestamp") {
        assert_eq!(map(&newest).get("webhook-signature").unwrap().to_str().unwrap(), both[0], "the newest comes first");
    }
    let other = format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode([7_u8; 24]));
    assert!(!verified(&request, &other));
}

#[test]
fn a_body_a_name_or_a_time_that_was_tampered_with_does_not_verify() {
    let request = asked(&hook(&[NEW, OLD]), br#"{"amount":1}"#, now());
    let library = standardwebhooks::Webhook::new(NEW).unwrap();
    assert!(library.verify(request.body(), &map(&request)).is_ok());
    assert!(library.verify(br#"{"amount":9}"#, &map(&request)).is_err());
    for (name, value) in [("webhook-id", "another"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,AAAA")] {
        let mut headers = map(&request);
        headers.insert(name, HeaderValue::from_static(value));
        assert!(library.verify(request.body(), &headers).is_err(), "{name}");
    }
    let later = asked(&hook(&[NEW]), br#"{"amount":1}"#, now().after(Span::from_secs(60)));
    let mut headers = map(&request);
    headers.insert("webhook-timestamp", map(&later).get("webhook-timestamp").unwrap().clone());
    assert!(library.verify(request.body(), &headers).is_err(), "the time is signed, too");
}

#[test]
fn every_attempt_has_the_same_name_and_its_own_time() {
    let (one, two) = (asked(&hook(&[NEW]), b"{}", Time::ZERO), asked(&hook(&[NEW]), b"{}", Time::from_millis(90_999)));
    let at = |request: &Request, name: &str| map(request).get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(at(&one, "webhook-id"), id().to_string());
    assert_eq!(at(&one, "webhook-id"), at(&two, "webhook-id"));
    assert_eq!((at(&one, "webhook-timestamp"), at(&two, "webhook-timestamp")), ("0".into(), "90".into()));
    assert_ne!(at(&one, "webhook-signature"), at(&two, "webhook-signature"));
    assert_eq!(asked(&hook(&[NEW]), b"{}", Time::ZERO), one, "the same arguments give the same request");
}

#[test]
fn a_request_is_a_post_of_json_with_the_operators_headers_and_no_token() {
    let hook = to(" http://localhost:9000/hooks?tenant=7 ")
        .secret(Secret::new(NEW))
        .header("X-Source", "outlast")
        .secret_header("Authorization", Secret::new("Basic aHVzaDpodXNo"))
        .build()
        .unwrap();
    let request = asked(&hook, b"{}", Time::ZERO);
    assert_eq!((request.method(), request.url().as_str()), (Method::Post, "http://localhost:9000/hooks?tenant=7"));
    assert!(!request.wants_bearer());
    let headers = map(&request);
    assert_eq!(headers.get("content-type").unwrap(), "application/json");
    assert_eq!(headers.get("x-source").unwrap(), "outlast");
    assert_eq!(headers.get("authorization").unwrap(), "Basic aHVzaDpodXNo");
    let shown: Vec<_> = request.shown().collect();
    assert!(shown.contains(&("authorization", "[secret]")) && !format!("{request:?}{shown:?}").contains("aHVz"));
}

#[test]
fn a_mapped_payload_is_the_body_where_there_is_one() {
    let payload = json!({ "b": 1, "a": [true, null] });
    let items = [Item { payload: &payload, ..Item::plain(id(), b"{ \"type\": \"track\" }") }];
    let hook = hook(&[NEW]);
    assert_eq!(hook.check(&items[0], Time::ZERO), Ok(()));
    let Turn::Ask(request) = hook.converse(&Conversation::begin(&items, now())) else { panic!("it asks") };
    assert_eq!(request.body(), br#"{"b":1,"a":[true,null]}"#);
    assert!(verified(&request, NEW));
}

#[test]
fn its_action_brings_the_event_as_it_is_unless_something_is_mapped() {
    let hook = hook(&[NEW]);
    let [send] = hook.actions() else { panic!("one action") };
    let route = Route::preset(send).unwrap();
    for event in [json!({}), json!({ "type": "track" }), json!({ "type": "" }), json!({ "type": 7 })] {
        assert!(route.takes(&event), "{event}");
        assert_eq!(route.payload(&event, hook.empties()).unwrap().fields, Value::Null, "{event}");
    }
    let mapping = json!({ "who": { "@path": "$.userId" } }).as_object().unwrap().clone();
    let route = Route::new("some", send, &Draft { mapping, ..Draft::default() }).unwrap();
    let mapped = |event: Value| route.payload(&event, hook.empties()).unwrap().fields;
    assert_eq!(mapped(json!({ "userId": "ada", "email": "ada@example.com" })), json!({ "who": "ada" }));
    assert_eq!(mapped(json!({ "email": "ada@example.com" })), json!({}), "the event is not sent in its place");
}

#[test]
fn each_answer_means_what_the_table_of_statuses_says() {
    let busy = |seconds, load| Verdict::Busy { after: Span::from_secs(seconds), load };
    let rejected = |status| Verdict::Refused { why: Why::Rejected { status } };
    let until: &[(&str, &str)] = &[("retry-after", "Thu, 01 Jan 1970 00:02:00 GMT")];
    for (status, headers, verdict, code, words) in [
        (200, &[][..], Verdict::Accepted { receipt: Receipt { status: 200 } }, "", ""),
        (204, &[], Verdict::Accepted { receipt: Receipt { status: 204 } }, "", ""),
        (301, &[], rejected(301), "MOVED_PERMANENTLY", "Redirects are not followed"),
        (400, &[], rejected(400), "BAD_REQUEST", "mapping"),
        (401, &[], rejected(401), "UNAUTHORIZED", "newest secret"),
        (404, &[], rejected(404), "NOT_FOUND", "Nothing is at this address"),
        (408, &[], busy(0, Load::Failing), "REQUEST_TIMEOUT", ""),
        (410, &[], rejected(410), "GONE", "pause this destination or remove it"),
        (413, &[], rejected(413), "PAYLOAD_TOO_LARGE", "too large"),
        (423, &[], busy(0, Load::Failing), "LOCKED", ""),
        (429, &[("retry-after", "31")], busy(31, Load::Throttled), "TOO_MANY_REQUESTS", ""),
        (501, &[], rejected(501), "NOT_IMPLEMENTED", ""),
        (502, &[("retry-after", "86400")], busy(900, Load::Failing), "BAD_GATEWAY", ""),
        (503, until, busy(120, Load::Failing), "SERVICE_UNAVAILABLE", ""),
        (599, &[], busy(0, Load::Failing), "UNKNOWN_ERROR", ""),
    ] {
        let conclusion = answered(status, headers);
        assert_eq!((conclusion.verdict, conclusion.code), (verdict, code), "{status}");
        assert!(conclusion.detail.contains(words), "{status}: {}", conclusion.detail);
        assert!(!conclusion.detail.contains("gone away"), "a body is quoted: {}", conclusion.detail);
        assert_eq!(conclusion.detail.is_empty(), code.is_empty());
    }
}

#[test]
fn a_body_that_is_no_json_is_refused_before_anything_is_sent() {
    let hook = hook(&[NEW]);
    for (body, words) in [
        (&b"\xff{}"[..], "not UTF-8 from byte 0"),
        (b"{\"a\":", "line 1, column 5"),
        (b"", "line 1, column 0"),
        (b"{} {}", "line 1, column 4"),
    ] {
        let conclusion = hook.check(&Item::plain(id(), body), Time::ZERO).unwrap_err();
        assert_eq!(conclusion.verdict, Verdict::Refused { why: Why::Invalid });
        assert_eq!(conclusion.code, PAYLOAD_VALIDATION_FAILED);
        assert!(conclusion.detail.contains(words), "{}", conclusion.detail);
    }
    assert_eq!(hook.check(&Item::plain(id(), b"{}"), Time::ZERO), Ok(()));
}

#[test]
fn several_in_one_conversation_are_parted() {
    let items = [Item::plain(id(), b"{}"), Item::plain(id(), b"{}")];
    let Turn::Conclude(parted) = hook(&[NEW]).converse(&Conversation::begin(&items, Time::ZERO)) else {
        panic!("it concludes")
    };
    assert!(parted.len() == 2 && parted.iter().all(|one| one.verdict == Verdict::Split));
    assert_eq!(hook(&[NEW]).batching(), Batching::ALONE);
}

#[test]
fn each_bad_setting_is_named_with_a_remedy_and_no_secret_is_quoted() {
    let encoded = |bytes: usize| {
        let text = base64::engine::general_purpose::STANDARD.encode(vec![7_u8; bytes]);
        Secret::new(format!("whsec_{text}"))
    };
    let good = || to("https://example.com/").secret(Secret::new(NEW));
    let bare = || to("https://example.com/");
    for (builder, setting, problem) in [
        (to("hooks/42").secret(Secret::new(NEW)), "url", "no address"),
        (to("ftp://example.com").secret(Secret::new(NEW)), "url", "neither https nor http"),
        (to("https://ada:hush@example.com").secret(Secret::new(NEW)), "url", "user name or a password"),
        (to("https://example.com/#top").secret(Secret::new(NEW)), "url", "fragment"),
        (
            to("http://example.com/").secret(Secret::new(NEW)).secret_header("x-key", Secret::new("hush")),
            "url",
            "in the clear",
        ),
        (bare(), "secret", "nothing can be signed"),
        (bare().secret(Secret::new("hushhushhush")), "secret", "begin with `whsec_`"),
        (bare().secret(Secret::new("whsk_hushhushhush")), "secret", "private key of a pair"),
        (bare().secret(Secret::new("whsec_hush hush!")), "secret", "not base64"),
        (bare().secret(Secret::new("whsec_")), "secret", "fewer than 24"),
        (bare().secret(encoded(23)), "secret", "fewer than 24"),
        (bare().secret(encoded(65)), "secret", "more than 64"),
        (good().secret(encoded(23)), "secrets[1]", "fewer than 24"),
        (good().header("webhook-id", "1"), "headers", "by the destination itself"),
        (good().header("Content-Type", "text/plain"), "headers", "by the destination itself"),
        (good().header("Host", "other"), "headers", "by the HTTP client"),
        (good().header("x y", "1"), "headers", "name of a header"),
        (good().header("x-a", "hush\nx-b: 1"), "headers", "HTTP forbids"),
        (good().header("Authorization", "Basic hush"), "headers", "a secret, and would be shown"),
        (good().header("x-a", "1").header("X-A", "2"), "headers", "twice"),
        (good().header("x-a", "1").secret_header("x-a", Secret::new("hush")), "secret_headers", "twice"),
        (good().secret_header("x-a", Secret::new("hush\r")), "secret_headers", "HTTP forbids"),
    ] {
        let error = builder.build().err().unwrap_or_else(|| panic!("it was built: {problem}"));
        assert_eq!(error.setting(), setting, "{error}");
        assert!(error.problem().contains(problem), "{error}");
        assert!(error.remedy().len() > 10 && !error.to_string().contains("hush"), "{error}");
    }
    for bytes in [24, 32, 64] {
        assert!(bare().secret(encoded(bytes)).build().is_ok(), "{bytes}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Whatever an event holds and whatever comes back: one conclusion, and a request that the library verifies.
    #[test]
    fn no_event_and_no_answer_breaks_it(body in any::<Vec<u8>>(), status in any::<u16>(), header in ".{0,40}") {
        let hook = hook(&[NEW]);
        let request = asked(&hook, &body, now());
        if std::str::from_utf8(&body).is_ok() {
            prop_assert!(verified(&request, NEW));
        }
        let items = [Item::plain(id(), &body)];
        let _ = hook.check(&items[0], Time::ZERO);
        let answer = Answer { status, headers: vec![("retry-after".into(), header)], body: body.clone(), received: Time::ZERO };
        let so_far = [Exchange { request, answer }];
        let turn = hook.converse(&Conversation { so_far: &so_far, ..Conversation::begin(&items, Time::ZERO) });
        prop_assert!(matches!(turn, Turn::Conclude(conclusions) if conclusions.len() == 1));
    }
}

#[test]
fn a_null_payload_is_none() {
    let items = [Item { payload: &Value::Null, ..Item::plain(id(), b"{}") }];
    let Turn::Ask(request) = hook(&[NEW]).converse(&Conversation::begin(&items, Time::ZERO)) else { panic!("it asks") };
    assert_eq!(request.body(), b"{}");
}
