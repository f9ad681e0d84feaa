//! `/crm/v1/contacts`: contacts by e-mail, and what an idempotency key is worth.

use super::*;

const BEARER: (&str, &str) = ("authorization", "Bearer access-1");

fn crm() -> World {
    crm_with(&json!([]))
}

fn crm_with(rules: &Value) -> World {
    let mut options = options(&json!({}));
    options.grants[0].scope = "crm.contacts".into();
    options.faults = serde_json::from_value(rules.clone()).expect("the test's rules fit");
    World { provider: Provider::new(options, START).expect("the test's options fit"), now: START }
}

fn ada() -> Value {
    json!({ "email": "Ada@Example.org", "name": "Ada" })
}

fn one(world: &mut World, key: Option<&str>, body: &Value) -> Reply {
    let key = key.map(|key| ("idempotency-key", key));
    let headers: Vec<(&str, &str)> = [BEARER].into_iter().chain(key).collect();
    world.send("POST", "/crm/v1/contacts", &headers, &body.to_string())
}

fn many(world: &mut World, headers: &[(&str, &str)], inputs: &Value) -> Reply {
    let headers = [&[BEARER], headers].concat();
    world.send("POST", "/crm/v1/contacts/batch", &headers, &json!({ "inputs": inputs }).to_string())
}

fn results(reply: &Reply) -> Vec<(u64, Value)> {
    let body = body(reply);
    let results = body["results"].as_array().unwrap_or_else(|| panic!("no results in {body}"));
    results.iter().map(|result| (result["status"].as_u64().expect("a status"), result["error"].clone())).collect()
}

#[test]
fn a_contact_is_made_then_changed_and_needs_no_version() {
    let mut world = crm();
    let made = one(&mut world, None, &ada());
    assert_eq!((made.status, text(&made, "id").as_str()), (201, "c-1"));
    assert_eq!(keys(&made, "applied"), ["ada@example.org"]);
    let changed = one(&mut world, None, &json!({ "email": "ada@example.org", "name": "Ada L." }));
    assert_eq!((changed.status, text(&changed, "id").as_str()), (200, "c-1"));
    let same = one(&mut world, None, &json!({ "name": "Ada L.", "email": "ada@example.org" }));
    assert_eq!((same.status, keys(&same, "duplicate")), (200, vec!["ada@example.org".to_owned()]));
    let state = world.provider.state();
    assert_eq!(state["crm"]["contacts"][0]["changes"], 1);
    assert_eq!(state["crm"]["contacts"][0]["body"]["name"], "Ada L.");
}

#[test]
fn a_known_key_answers_as_before_and_with_another_body_it_is_a_conflict() {
    let mut world = crm();
    for status in [201, 201] {
        let reply = one(&mut world, Some("k-1"), &ada());
        assert_eq!((reply.status, text(&reply, "id").as_str()), (status, "c-1"));
    }
    let other = one(&mut world, Some("k-1"), &json!({ "email": "other@example.org" }));
    assert_eq!((other.status, text(&other, "code").as_str()), (409, "IDEMPOTENCY_CONFLICT"));
    assert_eq!(keys(&other, "conflict"), ["k-1"]);
    let summary = world.provider.summary();
    assert_eq!((summary.applied, summary.duplicates, summary.conflicts), (1, 1, 1));
    let known = world.provider.state()["crm"]["keyed"].clone();
    assert_eq!(known, json!([{ "key": "k-1", "email": "ada@example.org", "duplicates": 1, "conflicts": 1 }]));
}

#[test]
fn the_order_of_members_does_not_matter_and_a_new_key_is_a_new_call() {
    let mut world = crm();
    one(&mut world, Some("k-1"), &json!({ "email": "a@example.org", "name": "A" }));
    one(&mut world, Some("k-1"), &json!({ "name": "A", "email": "a@example.org" }));
    one(&mut world, Some("k-2"), &json!({ "email": "a@example.org", "name": "B" }));
    let summary = world.provider.summary();
    assert_eq!((summary.applied, summary.duplicates, summary.conflicts), (2, 1, 0));
}

#[test]
fn each_member_of_a_contact_is_checked() {
    let mut world = crm();
    for (bad, expected) in [
        (json!([]), "a contact must be an object"),
        (json!({}), "email is missing"),
        (json!({ "email": 5 }), "email is missing"),
        (json!({ "email": "ada" }), "email is not an e-mail address"),
        (json!({ "email": "@example.org" }), "email is not an e-mail address"),
        (json!({ "email": "ada@example" }), "email is not an e-mail address"),
        (json!({ "email": "ada@example..org" }), "email is not an e-mail address"),
        (json!({ "email": "a b@example.org" }), "email is not an e-mail address"),
        (json!({ "email": "a@b@example.org" }), "email is not an e-mail address"),
        (json!({ "email": "ada@example.org", "name": 1 }), "name must be a text"),
        (json!({ "email": "ada@example.org", "idempotencyKey": "" }), "idempotencyKey must be"),
    ] {
        let reply = one(&mut world, None, &bad);
        assert_eq!(reply.status, 400, "{bad}");
        assert!(text(&reply, "message").starts_with(expected), "{bad}: {}", text(&reply, "message"));
    }
    assert_eq!(one(&mut world, Some(&"k".repeat(256)), &ada()).status, 400);
    assert_eq!(world.send("POST", "/crm/v1/contacts", &[BEARER], "{").status, 400);
    assert_eq!(world.send("GET", "/crm/v1/contacts", &[BEARER], "").status, 405);
    assert_eq!(world.send("GET", "/crm/v1/elsewhere", &[BEARER], "").status, 404);
    assert_eq!(world.provider.summary().applied, 0);
}

#[test]
fn it_takes_a_scope_of_its_own() {
    let mut linkedin = World::new(&json!({}));
    let reply = one(&mut linkedin, None, &ada());
    assert_eq!((reply.status, text(&reply, "code").as_str()), (403, "ACCESS_DENIED"));
    let mut world = crm();
    assert_eq!(world.send("POST", "/crm/v1/contacts", &[], &ada().to_string()).status, 401);
    assert_eq!(world.me("access-1", "").status, 403);
}

#[test]
fn a_batch_answers_each_input_and_each_has_its_key() {
    let mut world = crm();
    let inputs = json!([
        { "email": "a@example.org", "idempotencyKey": "k-a" }, { "email": "nobody", "idempotencyKey": "k-b" },
        { "email": "a@example.org", "idempotencyKey": "k-a" }, { "email": "c@example.org", "idempotencyKey": "k-a" }
    ]);
    let reply = many(&mut world, &[], &inputs);
    assert_eq!(reply.status, 200);
    let wrong = json!("email is not an e-mail address");
    let conflict = json!("The key came before with another body");
    assert_eq!(results(&reply), [(201, Value::Null), (400, wrong), (201, Value::Null), (409, conflict)]);
    assert_eq!((keys(&reply, "applied"), keys(&reply, "duplicate")), (vec!["k-a".into()], vec!["k-a".into()]));
    assert_eq!(keys(&reply, "conflict"), ["k-a"]);
    assert_eq!(many(&mut world, &[], &json!([])).status, 400);
    assert_eq!(world.send("POST", "/crm/v1/contacts/batch", &[BEARER], "[]").status, 400);
}

#[test]
fn a_batch_that_is_sent_again_under_its_key_changes_nothing() {
    let mut world = crm();
    let key = [("idempotency-key", "b-1")];
    let inputs = json!([{ "email": "a@example.org" }, { "email": "b@example.org" }]);
    let first = many(&mut world, &key, &inputs);
    let again = many(&mut world, &key, &inputs);
    assert_eq!((results(&first), keys(&again, "duplicate")), (results(&again), vec!["b-1/0".into(), "b-1/1".into()]));
    let other = many(&mut world, &key, &json!([{ "email": "b@example.org" }, { "email": "a@example.org" }]));
    assert_eq!(keys(&other, "conflict"), ["b-1/0", "b-1/1"]);
}

#[test]
fn a_batch_has_a_size_and_faults_reach_its_elements() {
    let when = json!({ "path": "/crm/*", "nth": 1 });
    let mut world = crm_with(&json!([
        { "when": when, "action": { "element_status": [{ "index": 0, "status": 503, "message": "later" }] } },
        { "when": { "path": "/crm/*", "nth": 1 }, "action": { "element_count": { "by": -1 } } }
    ]));
    let inputs = json!([{ "email": "a@example.org" }, { "email": "b@example.org" }]);
    assert_eq!(results(&many(&mut world, &[], &inputs)), [(503, json!("later")), (201, Value::Null)]);
    assert_eq!(results(&many(&mut world, &[], &inputs)).len(), 1, "the rule after it sees its first request");
    let small = world.provider.switches().changed(&json!({ "max_elements": 1 })).expect("fits");
    world.provider.configure(small).expect("fits");
    assert_eq!(many(&mut world, &[], &inputs).status, 413);
}
