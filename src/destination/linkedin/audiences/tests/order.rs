//! Lanes and batch keys: what is never reordered, and what shares a request.

use super::*;
use crate::destination::Batching;

fn lane_of(destination: &Audiences, action: &str, payload: &Value) -> Option<String> {
    destination.lane(&Item { id: DeliveryId::default(), body: b"", action, payload, saved: &Value::Null })
}

fn batch_key_of(destination: &Audiences, action: &str, payload: &Value) -> Option<String> {
    destination.batch_key(&Item { id: DeliveryId::default(), body: b"", action, payload, saved: &Value::Null })
}

#[test]
fn adding_and_removing_one_person_is_one_lane() {
    let live = live();
    let lane = |payload: Value| lane_of(&live, USERS, &payload).unwrap();
    let entered = lane(person("Ada.Miller@example.org"));
    assert_eq!(entered, lane(with(person(" ada.miller@EXAMPLE.org"), json!({"event_name": "Audience Exited"}))));
    assert_eq!(entered, lane(with(person(&ADA.to_uppercase()), json!({"dmp_user_action": "REMOVE"}))));
    assert_eq!(entered, lane(with(person(ADA), json!({"google_advertising_id": "x"}))));
    assert_ne!(entered, lane(person("b@example.org")));
    let other = json!({"personas_audience_key": "other", "source_segment_id": "other"});
    assert_ne!(entered, lane(with(person(ADA), other)));
    let device = json!({"email": null, "google_advertising_id": "ABC-1"});
    assert_eq!(
        lane(with(person(""), device.clone())),
        lane(with(person(""), json!({"email": null, "google_advertising_id": " abc-1"})))
    );
    let no_email = settings().send_email(false).build().unwrap();
    let by_device = with(person("a@example.org"), json!({"google_advertising_id": "ABC-1"}));
    assert_eq!(lane_of(&no_email, USERS, &by_device), lane_of(&no_email, USERS, &with(person(""), device)));
}

#[test]
fn the_reference_keeps_that_order_too() {
    let compat = settings().compat(true).build().unwrap();
    let lane = |payload: Value| lane_of(&compat, USERS, &payload);
    assert_eq!(lane(person(" Ada.Miller@example.org")), lane(person(ADA)));
    assert_eq!(lane(with(person(""), json!({"email": null}))), None);
}

#[test]
fn a_lane_says_nothing_of_the_person() {
    let lane = lane_of(&live(), USERS, &person("ada.miller@example.org")).unwrap();
    assert!(!lane.contains("ada") && !lane.contains(ADA) && lane.len() < 120, "{lane}");
}

#[test]
fn adding_and_removing_one_company_is_one_lane() {
    let live = live();
    let lane = |payload: Value| lane_of(&live, COMPANIES, &payload).unwrap();
    let added = lane(company("example.org"));
    assert_eq!(added, lane(with(company(" EXAMPLE.org"), json!({"dmp_company_action": "REMOVE"}))));
    assert_ne!(added, lane(company("example.com")));
    let id = |id: &str| with(company("x"), json!({"identifiers": {"linkedInCompanyId": id}}));
    assert_eq!(lane(id("1035")), lane(id("urn:li:organization:1035")));
}

#[test]
fn what_can_never_be_sent_has_no_lane() {
    let live = live();
    assert_eq!(lane_of(&live, USERS, &with(person(""), json!({"email": null}))), None);
    assert_eq!(lane_of(&live, USERS, &json!(null)), None);
    assert_eq!(lane_of(&live, "dance", &person("a@example.org")), None);
}

#[test]
fn q17_events_of_one_audience_share_requests() {
    let live = live();
    let key = |payload: Value| batch_key_of(&live, USERS, &payload).unwrap();
    assert_eq!(
        key(person("a@example.org")),
        key(with(person("b@example.org"), json!({"event_name": "Audience Exited"})))
    );
    let other = json!({"personas_audience_key": "other", "source_segment_id": "other"});
    assert_ne!(key(person("a@example.org")), key(with(person("a@example.org"), other)));
    let key = |payload: Value| batch_key_of(&live, COMPANIES, &payload).unwrap();
    assert_eq!(key(company("a.example")), key(company("b.example")));
    let remove = json!({"dmp_company_action": "REMOVE"});
    assert_ne!(key(company("a.example")), key(with(company("a.example"), remove.clone())));
    let only_key = |payload| with(payload, json!({"batch_keys": ["computation_key"]}));
    assert_eq!(key(only_key(company("a.example"))), key(with(only_key(company("b.example")), remove)));
    let other = json!({"computation_key": "other"});
    assert_ne!(key(only_key(company("a.example"))), key(with(only_key(company("a.example")), other)));
}

#[test]
fn the_reference_batches_people_of_all_audiences() {
    let compat = settings().compat(true).build().unwrap();
    let other = json!({"personas_audience_key": "other", "source_segment_id": "other"});
    let keys = [person("a@example.org"), with(person("a@example.org"), other)];
    let [one, two] = keys.map(|payload| batch_key_of(&compat, USERS, &payload));
    assert!(one.is_some() && one == two);
}

#[test]
fn batches_are_as_large_and_as_patient_as_is_set() {
    let built = settings().batching(Batching { linger: Span::from_secs(2), ..Batching::up_to(7) }).build().unwrap();
    let batching = built.batching();
    assert_eq!((batching.items, batching.linger), (7, Span::from_secs(2)));
    assert!(built.sorts());
}
