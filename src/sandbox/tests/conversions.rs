//! `/rest/conversionEvents`: checks, batches, and what counts once.

use super::*;

fn message(reply: &Reply) -> String {
    text(reply, "message")
}

#[test]
fn a_good_event_is_taken_and_logged() {
    let mut world = World::new(&json!({}));
    let reply = world.convert(&event("m-1"));
    assert_eq!((reply.status, reply.body.len(), header(&reply, "content-type")), (201, 0, None));
    assert!(header(&reply, "x-li-uuid").is_some());
    let line = line(&reply);
    let applied = json!([{"resource": "conversionEvents", "key": format!("{CONVERSION}#m-1"), "value": event("m-1")}]);
    assert_eq!((&line["applied"], &line["answer_status"]), (&applied, &json!(201)));
    assert_eq!((&line["token_ordinal"], &line["connection"], &line["node"]), (&json!(1), &json!(1), &json!("n1")));
    assert_eq!(line["body"], event("m-1"));
    assert_eq!(line["body_sha256"].as_str().map(str::len), Some(64));
    assert_eq!(line["headers"]["authorization"], "Bearer [access 1]");
}

#[test]
fn the_headers_are_checked() {
    let mut world = World::new(&json!({}));
    let mut send = |headers: &[(&str, &str)]| {
        world.send("POST", "/rest/conversionEvents", headers, &event("m-1").to_string()).status
    };
    assert_eq!(send(&API), 201);
    assert_eq!(send(&[API[0], API[2]]), 426);
    assert_eq!(send(&[API[0], ("linkedin-version", "201001"), API[2]]), 426);
    assert_eq!(send(&[API[0], API[1]]), 400);
    assert_eq!(send(&[API[0], API[1], ("x-restli-protocol-version", "1.0.0")]), 400);
    assert_eq!(send(&[API[0], API[1], API[2], ("x-restli-method", "PARTIAL_UPDATE")]), 400);
    assert_eq!(world.send("GET", "/rest/conversionEvents", &API, "").status, 405);
    assert_eq!(world.send("POST", "/rest/conversionEvents", &API, "{").status, 400);
    assert_eq!(world.send("GET", "/rest/elsewhere", &API, "").status, 404);
}

#[test]
fn each_member_is_checked() {
    let mut world = World::new(&json!({}));
    let cases = [
        ("/conversion", json!("urn:li:person:1"), "conversion must be"),
        ("/conversion", Value::Null, "conversion must be"),
        ("/conversionHappenedAt", json!("1773482400000"), "conversionHappenedAt must be an integer"),
        ("/conversionHappenedAt", json!(1.5), "conversionHappenedAt must be an integer"),
        ("/conversionHappenedAt", json!(START - 90 * DAY - 1), "conversionHappenedAt is too old"),
        ("/eventId", json!(5), "eventId must be"),
        ("/conversionValue/amount", json!(12.5), "conversionValue.amount"),
        ("/conversionValue/amount", json!("1e3"), "conversionValue.amount"),
        ("/conversionValue/amount", json!(".5"), "conversionValue.amount"),
        ("/conversionValue/currencyCode", json!("EURO"), "conversionValue.currencyCode"),
        ("/user", Value::Null, "user must be"),
        ("/user/userIds", json!([]), "user needs userIds"),
        ("/user/userIds/0/idType", json!("AXCIOM_ID"), "user.userIds.idType"),
        ("/user/userIds/0/idValue", json!("abc"), "user.userIds.idValue"),
    ];
    for (path, value, expected) in cases {
        let mut bad = event("m-1");
        *bad.pointer_mut(path).expect("the member is in the sample") = value.clone();
        let reply = world.convert(&bad);
        assert_eq!(reply.status, 400, "{path} = {value}");
        assert!(message(&reply).starts_with(expected), "{path} = {value}: {}", message(&reply));
    }
    assert_eq!(world.provider.summary().applied, 0);
}

#[test]
fn what_is_unusual_but_right_is_taken() {
    let mut world = World::new(&json!({}));
    let edits: [(&str, Value); 5] = [
        ("/conversionHappenedAt", json!(START - 90 * DAY)),
        ("/conversionHappenedAt", json!(START + DAY)),
        ("/conversionValue/amount", json!("-7")),
        ("/user", json!({"userIds": [], "userInfo": {"firstName": "Ada", "lastName": "Miller"}})),
        ("/user/userIds", json!([{"idType": "ACXIOM_ID", "idValue": "x"}])),
    ];
    for (number, (path, value)) in edits.into_iter().enumerate() {
        let mut good = event(&format!("m-{number}"));
        *good.pointer_mut(path).expect("the member is in the sample") = value;
        assert_eq!(world.convert(&good).status, 201, "{good}");
    }
    let mut bare = event("m-9");
    bare.as_object_mut().expect("an object").remove("conversionValue");
    assert_eq!(world.convert(&bare).status, 201);
}

#[test]
fn rules_ids_and_ages_can_be_narrowed_and_widened() {
    let mut world = World::new(&json!({"known_conversions": ["urn:lla:llaPartnerConversion:1"]}));
    assert_eq!(message(&world.convert(&event("m-1"))), "conversion does not exist");
    let mut world = World::new(&json!({"conversion_age_limit_ms": null, "accepted_id_types": ["AXCIOM_ID"]}));
    let mut odd = event("m-1");
    odd["conversionHappenedAt"] = json!(0);
    odd["user"]["userIds"] = json!([{"idType": "AXCIOM_ID", "idValue": "x"}]);
    assert_eq!(world.convert(&odd).status, 201);
}

#[test]
fn a_repeat_counts_once_and_another_body_is_a_conflict() {
    let mut world = World::new(&json!({}));
    let mut other = event("m-1");
    other["conversionValue"]["amount"] = json!("1.00");
    let key = json!([{"resource": "conversionEvents", "key": format!("{CONVERSION}#m-1")}]);
    assert_eq!(world.convert(&event("m-1")).status, 201);
    let repeat = world.convert(&event("m-1"));
    assert_eq!((repeat.status, &line(&repeat)["duplicate"], &line(&repeat)["applied"]), (201, &key, &json!([])));
    let conflict = world.convert(&other);
    assert_eq!((conflict.status, &line(&conflict)["conflict"], &line(&conflict)["duplicate"]), (201, &key, &json!([])));
    let summary = world.provider.summary();
    assert_eq!((summary.applied, summary.duplicates, summary.conflicts), (1, 1, 1));
    let counted = world.provider.state()["conversions"]["keyed"][0].clone();
    assert_eq!(
        (&counted["body"], &counted["duplicates"], &counted["conflicts"]),
        (&event("m-1"), &json!(1), &json!(1))
    );
}

#[test]
fn the_key_is_the_rule_and_the_event_and_no_id_counts_every_time() {
    let mut world = World::new(&json!({}));
    let mut elsewhere = event("m-1");
    elsewhere["conversion"] = json!("urn:lla:llaPartnerConversion:2");
    let mut unnamed = event("m-1");
    unnamed.as_object_mut().expect("an object").remove("eventId");
    for sent in [&event("m-1"), &elsewhere, &unnamed, &unnamed] {
        assert_eq!(world.convert(sent).status, 201);
    }
    assert_eq!((world.provider.summary().applied, world.provider.summary().duplicates), (4, 0));
}

#[test]
fn members_in_another_order_are_the_same_event() {
    let mut world = World::new(&json!({}));
    let user = json!({"userIds": [{"idValue": HASH, "idType": "SHA256_EMAIL"}]});
    let one = format!(r#"{{"eventId":"m","conversion":"{CONVERSION}","conversionHappenedAt":{START},"user":{user}}}"#);
    let two = format!(r#"{{"user":{user},"conversionHappenedAt":{START},"conversion":"{CONVERSION}","eventId":"m"}}"#);
    world.send("POST", "/rest/conversionEvents", &API, &one);
    world.send("POST", "/rest/conversionEvents", &API, &two);
    let summary = world.provider.summary();
    assert_eq!((summary.applied, summary.duplicates, summary.conflicts), (1, 1, 0));
}

#[test]
fn a_batch_answers_each_element_in_its_place() {
    let mut world = World::new(&json!({}));
    let mut bad = event("m-2");
    bad["conversion"] = json!("x");
    let reply = world.convert_many(&[event("m-1"), bad, event("m-1"), event("m-3")]);
    assert_eq!(reply.status, 200);
    let statuses: Vec<u64> =
        body(&reply)["elements"].as_array().expect("a list").iter().filter_map(|e| e["status"].as_u64()).collect();
    assert_eq!(statuses, [201, 400, 201, 201]);
    assert!(body(&reply)["elements"][1]["error"]["message"].as_str().expect("a text").starts_with("conversion must"));
    let line = line(&reply);
    assert_eq!(
        (line["applied"].as_array().map(Vec::len), line["duplicate"].as_array().map(Vec::len)),
        (Some(2), Some(1))
    );
}

#[test]
fn a_batch_can_be_all_or_nothing() {
    let mut world = World::new(&json!({"batch_mode": "all_or_nothing_422"}));
    let mut bad = event("m-2");
    bad["conversionValue"]["amount"] = json!("x");
    let reply = world.convert_many(&[event("m-1"), bad.clone(), event("m-3"), bad]);
    let fault = "conversionValue.amount must be a decimal as text";
    assert_eq!(reply.status, 422);
    assert_eq!(message(&reply), format!("Index: 1, ERROR :: {fault}\nIndex: 3, ERROR :: {fault}\n"));
    assert_eq!(world.provider.summary().applied, 0);
    assert_eq!(world.convert_many(&[event("m-1"), event("m-3")]).status, 200);
    assert_eq!(world.provider.summary().applied, 2);
}

#[test]
fn a_batch_has_a_size() {
    let mut world = World::new(&json!({"max_elements": 2}));
    assert_eq!(world.convert_many(&[event("1"), event("2")]).status, 200);
    assert_eq!(world.convert_many(&[event("3"), event("4"), event("5")]).status, 413);
    assert_eq!(world.convert_many(&[]).status, 400);
    assert_eq!(world.convert(&json!({"elements": [event("6")]})).status, 400, "a batch needs its header");
    assert_eq!(world.provider.summary().applied, 2);
}

#[test]
fn what_was_applied_can_be_counted_from_the_log_alone() {
    let mut world = World::new(&json!({}));
    world.convert(&event("m-1"));
    world.convert_many(&[event("m-1"), event("m-2")]);
    world.refresh("refresh-1");
    world.refresh("wrong");
    let mut conflict = event("m-2");
    conflict["conversionHappenedAt"] = json!(START);
    world.convert(&conflict);
    let lines: Vec<Value> = world.provider.log_from(0).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let count = |list: &str, keep: &dyn Fn(&Value) -> bool| {
        lines.iter().flat_map(|line| line[list].as_array().expect("a list")).filter(|entry| keep(entry)).count()
    };
    assert_eq!(count("applied", &|entry| entry["resource"] == "conversionEvents"), 2);
    assert_eq!(count("applied", &|entry| entry["value"]["grant_type"] == "refresh_token"), 1);
    assert_eq!((count("duplicate", &|_| true), count("conflict", &|_| true)), (1, 1));
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(world.provider.log_from(4).count(), 2);
}

#[test]
fn a_reset_forgets_all_but_the_number() {
    let mut world = World::new(&json!({"batch_mode": "all_or_nothing_422"}));
    world.convert(&event("m-1"));
    let first = world.renewed();
    let stale = world.open("GET", "/rest/me", &API, "").ticket;
    let loose = world.provider.switches().changed(&json!({"batch_mode": "element_statuses"})).expect("fits");
    world.provider.configure(loose).expect("fits");
    world.provider.reset(START);
    assert_eq!(world.provider.summary(), super::super::Summary::default());
    let fresh = world.open("GET", "/rest/me", &API, "").ticket;
    world.provider.close(stale);
    assert_eq!(world.provider.summary().in_flight, 1, "an answer from before the reset is not counted after it");
    world.provider.close(fresh);
    assert_eq!(world.provider.switches(), &options(&json!({"batch_mode": "all_or_nothing_422"})).switches);
    assert_eq!(world.me(&first, "").status, 401);
    assert_eq!(world.me("access-1", "").ticket.seq(), 6);
    assert_eq!(world.renewed(), first, "the same seed draws the same tokens");
}
