//! Whatever LinkedIn or a caller says: one conclusion for each item.

use proptest::prelude::*;

use super::*;

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
