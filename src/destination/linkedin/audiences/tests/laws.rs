//! Whatever LinkedIn or a caller says: one conclusion for each item, in few questions, and the same for the same.

use proptest::prelude::*;

use super::*;

fn any_payload() -> impl Strategy<Value = Value> {
    let leaf = || {
        prop_oneof![
            Just(json!(null)),
            Just(json!("spring")),
            Just(json!("a@example.org")),
            Just(json!("AUTO")),
            Just(json!("REMOVE")),
            Just(json!("CONNECTIONS")),
            Just(json!("urn:li:organization:é")),
            ".{0,60}".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(json!([["x"]])),
            Just(json!({"companyDomain": "x.example", "linkedInCompanyId": " "})),
        ]
    };
    let keys = [
        "email",
        "google_advertising_id",
        "source_segment_id",
        "personas_audience_key",
        "dmp_segment_name",
        "event_name",
        "dmp_user_action",
        "identifiers",
        "dmp_company_action",
        "audience_source",
        "segment_name",
        "computation_key",
        "batch_keys",
    ];
    let random = prop::collection::vec(leaf(), keys.len())
        .prop_map(move |leaves| keys.into_iter().zip(leaves).collect::<Value>());
    prop_oneof![random, Just(json!(null)), Just(person("a@example.org")), Just(company("x.example"))]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let id = prop_oneof![Just(json!(4411)), ".{0,9}".prop_map(Value::from), Just(json!(null))];
    let element = (id, prop_oneof![Just("USER"), Just("COMPANY")], any::<u16>())
        .prop_map(|(id, kind, status)| json!({"id": id, "type": kind, "status": status}));
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(element, 0..4)
            .prop_map(|elements| json!({"elements": elements}).to_string().into_bytes()),
        Just(b"{\"elements\":[{\"status\":201}]}".to_vec()),
    ];
    let status = prop_oneof![3 => Just(200), 1 => Just(201), 1 => Just(404), 1 => Just(409), 1 => 200_u16..600, 1 => any::<u16>()];
    let headers = prop_oneof![
        Just(vec![]),
        ".{0,9}".prop_map(|id| vec![("x-restli-id".to_owned(), id)]),
        Just(vec![("x-linkedin-id".to_owned(), "7788".to_owned())]),
    ];
    let received = prop_oneof![Just(NOW), any::<u64>().prop_map(Time::from_millis)];
    (status, headers, body, received).prop_map(|(status, headers, body, received)| Answer {
        status,
        headers,
        body,
        received,
    })
}

proptest! {
    #[test]
    fn every_conversation_ends_and_says_something_of_each_item(
        payloads in prop::collection::vec(any_payload(), 0..5),
        answers in prop::collection::vec(any_answer(), 4),
        companies: bool,
        compat: bool,
        known in prop::option::of(".{0,30}"),
    ) {
        let destination = settings().compat(compat).build().unwrap();
        let bench = if companies { Bench::companies(&destination, payloads) } else { Bench::users(&destination, payloads) };
        let bench = match &known {
            Some(known) => bench.knowing(MEMORY, known).knowing("501/segment/COMPANY/spring", known),
            None => bench,
        };
        let played = bench.play(&answers);
        prop_assert!(played.asked.len() <= 3);
        let conclusions = played.conclusions.as_ref().expect("four answers are enough");
        prop_assert_eq!(conclusions.len(), bench.payloads.len());
        for conclusion in conclusions {
            let accepted = matches!(conclusion.verdict, Verdict::Accepted { .. });
            prop_assert_eq!(accepted, conclusion.detail.is_empty(), "{:?}", conclusion);
        }
        for memo in &played.memos {
            prop_assert!(memo.key.len() <= 1024 && memo.value.as_ref().is_none_or(|value| value.len() <= 1024));
        }
        prop_assert_eq!(bench.play(&answers).asked, played.asked, "the same answers, the same questions");
    }

    #[test]
    fn who_is_drawn_together_in_a_batch_has_one_segment(payloads in prop::collection::vec(any_payload(), 2..5)) {
        let destination = live();
        for payload in &payloads {
            for action in [USERS, COMPANIES] {
                let item = Item { id: DeliveryId::default(), body: b"", action, payload, saved: &Value::Null };
                let good = destination.check(&item, NOW).is_ok();
                prop_assert_eq!(destination.lane(&item).is_some(), good, "what can be sent has a lane");
                prop_assert!(destination.batch_key(&item).is_some());
            }
        }
    }
}
