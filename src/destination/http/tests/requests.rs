use outlast_state::{Span, Why};
use proptest::prelude::*;

use super::*;
use crate::taxonomy::{BATCH_SPLIT, PAYLOAD_VALIDATION_FAILED};

const ADA: &str = r#"{"userId":"ada","email":"ada@example.com","n": 1.10,"tenant":"x"}"#;
const BOB: &str = r#"{"userId":"bob","email":"bob@example.com","n":2,"tenant":"x"}"#;
const EVE: &str = r#"{"userId":"eve","email":"eve@example.com","n":3,"tenant":"y"}"#;

fn crm() -> Description {
    Description {
        body: Body::Mapped(json!({ "contact": { "mail": path("email"), "name": path("name") }, "source": "outlast" })),
        headers: vec![("X-User".into(), path("userId")), ("x-source".into(), json!("outlast"))],
        secret_headers: vec![("X-Api-Key".into(), Secret::new("hush-hush-hush-hush"))],
        ..post("https://crm.example/v1/tenants/{{tenant}}/contacts?of={{userId}}&v=2")
    }
}

#[test]
fn a_request_is_what_the_description_says() {
    let request = asked(&built(Description { bearer: true, ..crm() }), &[ADA]);
    assert_eq!(request.method(), Method::Post);
    assert_eq!(request.url().as_str(), "https://crm.example/v1/tenants/x/contacts?of=ada&v=2");
    assert_eq!(body(&request), json!({ "contact": { "mail": "ada@example.com" }, "source": "outlast" }));
    let shown: Vec<_> = request.shown().collect();
    let expected =
        [("x-user", "ada"), ("x-source", "outlast"), ("x-api-key", "[secret]"), ("content-type", "application/json")];
    assert_eq!(shown, expected);
    assert_eq!(header(&request, "x-api-key"), Some("hush-hush-hush-hush"));
    assert!(request.wants_bearer());
    assert!(!asked(&built(crm()), &[ADA]).wants_bearer());
}

#[test]
fn an_event_alone_goes_in_the_bytes_in_which_it_was_accepted() {
    let request = asked(&built(post("https://crm.example/in")), &[ADA]);
    assert_eq!(request.body(), ADA.as_bytes());
    assert_eq!(header(&request, "content-type"), Some("application/json"));
}

#[test]
fn templates_read_the_routes_payload_where_there_is_one() {
    let declared =
        built(Description { headers: vec![("x-user".into(), path("who"))], ..post("https://crm.example/in") });
    let payload = json!({ "who": "grace" });
    let items = [Item { payload: &payload, ..Item::plain(id(1), b"not even JSON") }];
    let Turn::Ask(request) = declared.converse(&Conversation::begin(&items, Time::ZERO)) else { panic!("it asks") };
    assert_eq!((body(&request), header(&request, "x-user")), (payload.clone(), Some("grace")));
}

#[test]
fn a_method_without_a_body_sends_none() {
    for method in [Method::Get, Method::Delete] {
        let request = asked(&built(Description::new(method, "https://crm.example/contacts/{{userId}}")), &[ADA]);
        assert_eq!((request.body(), header(&request, "content-type")), (&b""[..], None));
        assert_eq!(request.url().path(), "/contacts/ada");
    }
}

#[test]
fn a_header_that_resolves_to_nothing_is_left_out_and_numbers_are_texts() {
    let headers = vec![("x-none".into(), path("none")), ("x-n".into(), path("n")), ("x-yes".into(), json!(true))];
    let request = asked(&built(Description { headers, ..post("https://crm.example/") }), &[ADA]);
    assert_eq!(header(&request, "x-none"), None);
    assert_eq!((header(&request, "x-n"), header(&request, "x-yes")), (Some("1.1"), Some("true")));
}

#[test]
fn a_content_type_of_ones_own_replaces_the_usual_one() {
    let headers = vec![("Content-Type".into(), json!("application/vnd.api+json"))];
    let request = asked(&built(Description { headers, ..post("https://crm.example/") }), &[ADA]);
    let kinds: Vec<_> = request.headers().iter().filter(|(name, _)| name == "content-type").collect();
    assert_eq!(kinds.len(), 1);
    assert_eq!(kinds[0].1, "application/vnd.api+json");
}

#[test]
fn a_value_in_an_address_fills_its_hole_and_nothing_else() {
    let declared = built(post("https://crm.example/a/{{v}}.json/b?q={{v}}&r=1"));
    for (value, url) in [
        ("plain-._~", "https://crm.example/a/plain-._~.json/b?q=plain-._~&r=1"),
        ("../../admin", "https://crm.example/a/..%2F..%2Fadmin.json/b?q=..%2F..%2Fadmin&r=1"),
        ("x?y=1#z", "https://crm.example/a/x%3Fy%3D1%23z.json/b?q=x%3Fy%3D1%23z&r=1"),
        ("a&b=c d+e", "https://crm.example/a/a%26b%3Dc%20d%2Be.json/b?q=a%26b%3Dc%20d%2Be&r=1"),
        ("100%", "https://crm.example/a/100%25.json/b?q=100%25&r=1"),
        ("ü\\\n", "https://crm.example/a/%C3%BC%5C%0A.json/b?q=%C3%BC%5C%0A&r=1"),
        ("{{w}}", "https://crm.example/a/%7B%7Bw%7D%7D.json/b?q=%7B%7Bw%7D%7D&r=1"),
        ("@evil.example", "https://crm.example/a/%40evil.example.json/b?q=%40evil.example&r=1"),
        ("", "https://crm.example/a/.json/b?q=&r=1"),
    ] {
        let event = json!({ "v": value, "w": "not asked for" }).to_string();
        assert_eq!(asked(&declared, &[&event]).url().as_str(), url, "{value}");
    }
}

#[test]
fn a_value_that_would_name_another_resource_is_refused() {
    for (url, value) in [
        ("https://crm.example/a/{{v}}/b", json!("")),
        ("https://crm.example/a/{{v}}/b", json!(".")),
        ("https://crm.example/a/{{v}}/b", json!("..")),
        ("https://crm.example/a/.{{v}}/b", json!(".")),
        ("https://crm.example/a/%2e{{v}}", json!(".")),
        ("https://crm.example/{{v}}", json!(null)),
        ("https://crm.example/{{missing}}", json!("x")),
        ("https://crm.example/{{v}}", json!("x".repeat(9000))),
        ("https://crm.example/?q={{v}}", json!(["x"])),
        ("https://crm.example/?q={{v}}", json!({ "x": 1 })),
    ] {
        let declared = built(post(url));
        let event = json!({ "v": value }).to_string();
        let [conclusion] = concluded(&declared, &[&event], &[]).try_into().unwrap();
        assert_eq!(conclusion.verdict, Verdict::Refused { why: Why::Invalid }, "{url}");
        assert_eq!(conclusion.code, PAYLOAD_VALIDATION_FAILED);
        assert!(conclusion.detail.starts_with("`url"), "{}", conclusion.detail);
    }
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is_sent_with_place_and_remedy() {
    let in_body = |value| Description { body: Body::Mapped(value), ..post("https://crm.example/") };
    let in_header = |value| Description { headers: vec![("x-a".into(), value)], ..post("https://crm.example/") };
    let deduped = |place, value| {
        let dedupe = Some(Dedupe { place, value });
        Description { dedupe, ..post("https://crm.example/") }
    };
    let by_header = |value| deduped(Place::Header("x-key".into()), Some(value));
    for (description, event, code, words) in [
        (in_body(json!({ "@fail": 1 })), "{}", MAPPING_FAILED, "`body`: @fail: never works. Remove it."),
        (in_body(path("gone")), "{}", PAYLOAD_VALIDATION_FAILED, "`body`: It resolves to nothing."),
        (in_header(json!({ "@fail": 1 })), "{}", MAPPING_FAILED, "`headers x-a`: @fail"),
        (
            in_header(path("v")),
            r#"{"v":"a\r\nx-b: c"}"#,
            PAYLOAD_VALIDATION_FAILED,
            "`headers x-a`: It resolves to a text",
        ),
        (in_header(path("v")), r#"{"v":"ä"}"#, PAYLOAD_VALIDATION_FAILED, "`headers x-a`"),
        (in_header(path("v")), r#"{"v":[1]}"#, PAYLOAD_VALIDATION_FAILED, "a list or an object"),
        (by_header(path("v")), r#"{"v":" "}"#, PAYLOAD_VALIDATION_FAILED, "`dedupe`: It resolves to nothing."),
        (by_header(path("v")), r#"{"v":"\u0000"}"#, PAYLOAD_VALIDATION_FAILED, "`dedupe`: It resolves to a text"),
        (deduped(Place::Body("/a/b".into()), None), r#"{"a":1}"#, PAYLOAD_VALIDATION_FAILED, "no object for /a/b"),
        (deduped(Place::Body("/a".into()), None), "[1]", PAYLOAD_VALIDATION_FAILED, "no object for /a"),
        (post("https://crm.example/"), "{", PAYLOAD_VALIDATION_FAILED, "`event`: It cannot be read at line 1"),
        (post("https://crm.example/"), "", PAYLOAD_VALIDATION_FAILED, "Submit it as JSON."),
    ] {
        let declared = built(description);
        let item = Item::plain(id(1), event.as_bytes());
        let conclusion = declared.check(&item, Time::ZERO).unwrap_err();
        assert_eq!((conclusion.verdict, conclusion.code), (Verdict::Refused { why: Why::Invalid }, code), "{words}");
        assert!(conclusion.detail.contains(words), "{}", conclusion.detail);
        assert_eq!(concluded(&declared, &[event], &[]), [conclusion], "it says the same when it is asked");
    }
    assert_eq!(built(crm()).check(&Item::plain(id(1), ADA.as_bytes()), Time::ZERO), Ok(()));
}

#[test]
fn a_dedupe_key_is_the_deliverys_name_or_a_mapped_value() {
    let header_key = |value| Some(Dedupe { place: Place::Header("Idempotency-Key".into()), value });
    let body_key = |value| Some(Dedupe { place: Place::Body("/meta/id".into()), value });
    let with = |dedupe| asked(&built(Description { dedupe, ..post("https://crm.example/") }), &[ADA]);
    let name = id(1).to_string();
    assert_eq!(header(&with(header_key(None)), "idempotency-key"), Some(name.as_str()));
    assert_eq!(header(&with(header_key(Some(path("userId")))), "idempotency-key"), Some("ada"));
    assert_eq!(body(&with(body_key(None)))["meta"], json!({ "id": name }));
    assert_eq!(body(&with(body_key(Some(path("userId")))))["meta"], json!({ "id": "ada" }));
    assert_eq!(body(&with(body_key(None)))["userId"], "ada", "the rest of the body stays");
}

#[test]
fn a_batch_is_a_list_or_a_list_in_an_object() {
    let with = |at: &str, around| Description {
        body: Body::Mapped(json!({ "mail": path("email") })),
        batch: Some(Batch { at: at.into(), around, ..Batch::up_to(50) }),
        ..post("https://crm.example/")
    };
    let list = json!([{ "mail": "ada@example.com" }, { "mail": "bob@example.com" }]);
    for (at, around, expected) in [
        ("", Value::Null, list.clone()),
        ("/items", Value::Null, json!({ "items": list })),
        ("/a/b~1c", Value::Null, json!({ "a": { "b/c": list } })),
        ("/items", json!({ "from": "us", "items": "here" }), json!({ "from": "us", "items": list })),
        ("/in/items", json!({ "in": { "n": 1 } }), json!({ "in": { "n": 1, "items": list } })),
    ] {
        let declared = built(with(at, around));
        assert_eq!(body(&asked(&declared, &[ADA, BOB])), expected, "{at}");
        assert_eq!(declared.batching(), Batching { items: 50, bytes: u64::MAX, linger: Span::ZERO });
    }
    let alone = built(with("/items", Value::Null));
    assert_eq!(body(&asked(&alone, &[ADA])), json!({ "items": [{ "mail": "ada@example.com" }] }));
    assert_eq!(built(crm()).batching(), Batching::ALONE);
}

#[test]
fn a_batch_has_one_key_that_stays_the_same_for_the_same_members() {
    let dedupe = Some(Dedupe { place: Place::Header("x-key".into()), value: None });
    let declared = built(Description { dedupe, batch: Some(Batch::up_to(9)), ..post("https://crm.example/") });
    let key = |events: &[&str]| header(&asked(&declared, events), "x-key").unwrap().to_owned();
    assert_eq!(key(&[ADA]), id(1).to_string());
    assert_eq!((key(&[ADA, BOB]).len(), key(&[ADA, BOB])), (64, key(&[ADA, BOB])));
    assert_ne!(key(&[ADA, BOB]), key(&[ADA, BOB, EVE]));
    let dedupe = Some(Dedupe { place: Place::Body("/id".into()), value: None });
    let declared = built(Description { dedupe, batch: Some(Batch::up_to(9)), ..post("https://crm.example/") });
    let sent = body(&asked(&declared, &[ADA, BOB]));
    assert_eq!((&sent[0]["id"], &sent[1]["id"]), (&json!(id(1).to_string()), &json!(id(2).to_string())));
}

#[test]
fn items_share_a_request_where_they_share_address_and_headers() {
    let batch = Some(Batch::up_to(9));
    let declared = built(Description { batch: batch.clone(), ..post("https://crm.example/{{tenant}}") });
    let key = |declared: &Declared, event: &str| declared.batch_key(&Item::plain(id(1), event.as_bytes()));
    assert_eq!(key(&declared, ADA), key(&declared, BOB));
    assert_ne!(key(&declared, ADA), key(&declared, EVE));
    assert_eq!(key(&declared, "{}"), None, "one that fails is alone with that");
    assert!(key(&declared, ADA).is_some_and(|key| key.len() == 64));
    let headers = vec![("x-user".into(), path("userId"))];
    let by_header = built(Description { headers, batch: batch.clone(), ..post("https://crm.example/") });
    assert_ne!(key(&by_header, ADA), key(&by_header, BOB));
    let text = vec![("x-user".into(), json!("{{userId}}"))];
    let may_differ = built(Description { headers: text, batch: batch.clone(), ..post("https://crm.example/") });
    assert!(may_differ.sorts() && !built(post("https://crm.example/{{tenant}}")).sorts());
    let fixed = vec![("x-user".into(), json!("us"))];
    let alike = built(Description { headers: fixed, batch, ..post("https://crm.example/") });
    assert!(!alike.sorts());
    assert_eq!(key(&alike, ADA), Some(String::new()));
    // Without a key, as parcels are that were submitted as they are, they come together and are parted.
    for declared in [&declared, &by_header] {
        let parted = concluded(declared, &[ADA, EVE], &[]);
        assert!(parted.iter().all(|one| one.verdict == Verdict::Split && one.code == BATCH_SPLIT), "{parted:?}");
    }
    assert_eq!(asked(&declared, &[ADA, BOB]).url().path(), "/x");
    let single = built(post("https://crm.example/"));
    assert_eq!(concluded(&single, &[ADA, BOB], &[]).len(), 2, "a destination without batches parts them, too");
}

#[test]
fn an_item_that_fails_in_a_batch_does_not_take_the_others_with_it() {
    let body_of = Body::Mapped(path("email"));
    let declared = built(Description { body: body_of, batch: Some(Batch::up_to(9)), ..post("https://crm.example/") });
    let events = [ADA, "{}", BOB, "nonsense"];
    assert_eq!(body(&asked(&declared, &events)), json!(["ada@example.com", "bob@example.com"]));
    let said = read(&declared, &events, 200, &[], "");
    let accepted: Vec<bool> = said.iter().map(|one| matches!(one.verdict, Verdict::Accepted { .. })).collect();
    assert_eq!(accepted, [true, false, true, false]);
    assert!(said[1].detail.contains("`body`") && said[3].detail.contains("`event`"));
    let none = concluded(&declared, &["{}", "nonsense"], &[]);
    assert!(none.iter().all(|one| one.verdict == Verdict::Refused { why: Why::Invalid }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever a value holds, it reaches the same host, in as many segments, and stands there as it was.
    #[test]
    fn no_value_leaves_its_hole(value in any::<String>(), other in any::<String>()) {
        let declared = built(post("https://crm.example:8443/a/{{v}}/b?q={{w}}&r=1"));
        let event = json!({ "v": value, "w": other }).to_string();
        match turn(&declared, &[&event], &[]) {
            Turn::Ask(request) => {
                let url = request.url();
                prop_assert_eq!(url.origin().ascii_serialization(), "https://crm.example:8443");
                let segments: Vec<_> = url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 3);
                let decoded: String = url::form_urlencoded::parse(format!("v={}", segments[1]).as_bytes())
                    .next().unwrap().1.into_owned();
                prop_assert_eq!(decoded, value);
                let pairs: Vec<_> = url.query_pairs().into_owned().collect();
                prop_assert_eq!(pairs, [("q".to_owned(), other), ("r".to_owned(), "1".to_owned())]);
            }
            Turn::Conclude(_) => prop_assert!(value.is_empty() || value == "." || value == ".." || event.len() > 2000),
        }
    }

    /// Whatever is submitted and answered: a request, or one conclusion for each.
    #[test]
    fn no_event_and_no_answer_breaks_it(
        events in prop::collection::vec(prop_oneof![any::<String>(), Just(ADA.to_owned()), Just(BOB.to_owned())], 0..4),
        status in any::<u16>(),
        answer in any::<Vec<u8>>(),
    ) {
        let dedupe = Some(Dedupe { place: Place::Body("/id".into()), value: Some(path("userId")) });
        let declared = built(Description { dedupe, batch: Some(Batch::up_to(9)), ..crm() });
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let said = match turn(&declared, &events, &[]) {
            Turn::Conclude(said) => said,
            Turn::Ask(request) => {
                let answer = Answer { status, headers: Vec::new(), body: answer, received: Time::ZERO };
                concluded(&declared, &events, &[Exchange { request, answer }])
            }
        };
        prop_assert_eq!(said.len(), events.len());
    }
}
