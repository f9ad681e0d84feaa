//! What is done about each mistake of the reference that shows in conversions.

use super::*;

fn minimal() -> Value {
    json!({"conversionHappenedAt": "2026-03-14", "email": "ada.miller@example.org"})
}

fn with(key: &str, value: Value) -> Value {
    let mut fields = minimal();
    fields[key] = value;
    fields
}

fn compat(batch_size: u32) -> Conversions {
    conversions().rule("1").compat(true).batch_size(batch_size).build().unwrap()
}

fn ids(destination: &Conversions, fields: Value) -> Value {
    sent(destination, fields, &Value::Null).unwrap()["user"]["userIds"].clone()
}

#[test]
fn q01_acxioms_name_is_spelt_right() {
    let fields = || json!({"conversionHappenedAt": "2026-03-14", "acxiomID": "a"});
    assert_eq!(ids(&live(), fields()), json!([{"idType": "ACXIOM_ID", "idValue": "a"}]));
    assert_eq!(ids(&compat(1), fields()), json!([{"idType": "AXCIOM_ID", "idValue": "a"}]));
}

#[test]
fn q02_q03_addresses_are_trimmed_and_digests_lowered() {
    let hash = "e1a3741ca332e55d1911ea2f85931387b67f22c76f5a6c859c431a4f269089b1";
    for email in [" Ada.Miller@example.org ", &hash.to_uppercase()] {
        assert_eq!(ids(&live(), with("email", json!(email)))[0]["idValue"], hash, "{email}");
        assert_ne!(ids(&compat(1), with("email", json!(email)))[0]["idValue"], hash, "{email}");
    }
}

#[test]
fn q04_a_blank_address_is_no_identifier() {
    let refused = sent(&live(), with("email", json!("  ")), &Value::Null).unwrap_err();
    assert!(refused.detail.starts_with("One of email"), "{}", refused.detail);
    assert_eq!(ids(&compat(1), with("email", json!("  "))), json!([{"idType": "SHA256_EMAIL", "idValue": ""}]));
}

#[test]
fn q05_seconds_are_read_as_milliseconds() {
    for destination in [live(), compat(1)] {
        let refused = sent(&destination, with("conversionHappenedAt", json!(1_773_480_000)), &Value::Null).unwrap_err();
        assert!(refused.detail.starts_with("Timestamp should be within the past 90 days."), "{}", refused.detail);
    }
}

#[test]
fn q06_the_default_mapping_refuses_events_without_a_value() {
    let mut worthless = event("m-1");
    worthless.as_object_mut().unwrap().remove("properties");
    for destination in [live(), compat(1)] {
        let conclusions = concluded(&destination, &[bytes(&worthless)], &[]);
        let message = "Conversion Value is missing the required field 'currencyCode'.";
        assert!(conclusions[0].detail.starts_with(message), "{}", conclusions[0].detail);
    }
}

#[test]
fn q07_empty_texts_are_dropped_alone_and_in_a_batch() {
    let of = |destination: &Conversions| {
        let request = asked(destination, &[bytes(&event("")), bytes(&event(""))]);
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        body["elements"][0]["eventId"].clone()
    };
    assert_eq!(of(&live()), "00000000000000000000000001", "it is named by its delivery");
    assert_eq!(of(&compat(5000)), "", "the reference keeps it in a batch");
    assert_eq!(sent(&compat(1), with("eventId", json!("")), &Value::Null).unwrap().get("eventId"), None);
}

#[test]
fn q15_elements_are_read_except_by_the_reference() {
    let bodies = [bytes(&event("m-1")), bytes(&event("m-2"))];
    let body = json!({"elements": [{"status": 201}, {"status": 400}]}).to_string().into_bytes();
    let answer = || Answer { status: 200, headers: vec![], body: body.clone(), received: NOW };
    let of = |destination: &Conversions| {
        let exchange = Exchange { request: asked(destination, &bodies), answer: answer() };
        verdicts(&concluded(destination, &bodies, &[exchange]))
    };
    assert_eq!(of(&live()), [accepted(201), rejected(400)]);
    assert_eq!(of(&compat(5000)), [accepted(200), accepted(200)]);
}

#[test]
fn the_reference_neither_splits_nor_waits_for_permissions() {
    let bodies = [bytes(&event("m-1")), bytes(&event("m-2"))];
    for status in [400, 403, 404, 413, 422, 426] {
        let answer = Answer { status, headers: vec![], body: vec![], received: NOW };
        let exchange = Exchange { request: asked(&compat(5000), &bodies), answer };
        assert_eq!(verdicts(&concluded(&compat(5000), &bodies, &[exchange])), [rejected(status); 2]);
    }
}

#[test]
fn q21_the_routes_own_rule_wins_be_it_a_number_or_a_text() {
    let rows = [
        (json!({"onMappingSave": {"outputs": {"id": 90210}}}), "urn:lla:llaPartnerConversion:90210"),
        (json!({"onMappingSave": {"outputs": {"id": " 321 "}}}), "urn:lla:llaPartnerConversion:321"),
        (json!({"onMappingSave": {"outputs": {"id": ""}}}), "urn:lla:llaPartnerConversion:1"),
        (json!({"onMappingSave": {"inputs": {}}}), "urn:lla:llaPartnerConversion:1"),
        (json!(null), "urn:lla:llaPartnerConversion:1"),
    ];
    let destination = conversions().rule("1").build().unwrap();
    for (saved, urn) in rows {
        assert_eq!(sent(&destination, minimal(), &saved).unwrap()["conversion"], urn, "{saved}");
    }
    let bad = json!({"onMappingSave": {"outputs": {"id": "x/y"}}});
    assert!(sent(&destination, minimal(), &bad).unwrap_err().detail.contains("not a number"));
    let none = conversions().build().unwrap();
    let refused = sent(&none, minimal(), &json!(null)).unwrap_err();
    assert!(refused.detail.starts_with("Conversion Rule ID is required. Field `onMappingSave.outputs.id`"));
}
