//! `/rest/dmpSegments/{id}/users` and `…/companies`: who joins, who leaves, and what the log says of it.

use super::*;
use std::collections::BTreeSet;

/// A world with one segment of this type; the path of its members.
fn ready(switches: &Value, kind: &str) -> (World, String) {
    let mut world = World::new(switches);
    let body = json!({
        "name": "n", "sourcePlatform": "SEGMENT", "sourceSegmentId": "k", "account": ACCOUNT, "type": kind,
        "destinations": [{"destination": "LINKEDIN"}],
    });
    let made = world.post("/rest/dmpSegments", None, &body);
    let members = if kind == "USER" { "users" } else { "companies" };
    let path = format!("/rest/dmpSegments/{}/{members}", header(&made, "x-restli-id").expect("an id"));
    (world, path)
}

fn send(world: &mut World, path: &str, elements: &[Value]) -> Reply {
    world.post(path, Some("BATCH_CREATE"), &json!({"elements": elements}))
}

fn user(action: &str, id: &str) -> Value {
    json!({"action": action, "userIds": [{"idType": "GOOGLE_AID", "idValue": id}]})
}

fn company(action: &str, domain: &str) -> Value {
    json!({"action": action, "companyWebsiteDomain": domain})
}

fn members(world: &World) -> Vec<String> {
    let state = world.provider.state();
    state["segments"][0]["members"].as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn users_join_and_leave() {
    let (mut world, path) = ready(&json!({}), "USER");
    let two = json!({
        "action": "ADD", "firstName": "Ada",
        "userIds": [{"idType": "SHA256_EMAIL", "idValue": HASH}, {"idType": "GOOGLE_AID", "idValue": "a"}],
    });
    let reply = send(&mut world, &path, &[two.clone(), user("ADD", "b"), user("REMOVE", "a")]);
    assert_eq!(
        (reply.status, body(&reply)),
        (200, json!({"elements": [{"status": 201}, {"status": 201}, {"status": 201}]}))
    );
    assert_eq!(members(&world), ["GOOGLE_AID:b".to_owned(), format!("SHA256_EMAIL:{HASH}")]);
    let id = path.split('/').nth(3).expect("an id");
    let changes = ["GOOGLE_AID:a", &format!("SHA256_EMAIL:{HASH}"), "GOOGLE_AID:b", "GOOGLE_AID:a"];
    assert_eq!(keys(&reply, "applied"), changes.map(|member| format!("{id}/{member}")), "every change, in order");
    let applied = line(&reply)["applied"].clone();
    assert_eq!((&applied[0]["resource"], &applied[0]["value"]), (&json!("dmpSegments/users"), &two));
    assert_eq!(applied[3]["value"]["action"], "REMOVE");
    let kept = &world.provider.state()["segments"][0]["members"][format!("SHA256_EMAIL:{HASH}")];
    assert_eq!((&kept["firstName"], &kept["action"]), (&json!("Ada"), &Value::Null));
}

#[test]
fn companies_join_and_leave() {
    let (mut world, path) = ready(&json!({}), "COMPANY");
    let both =
        json!({"action": "ADD", "companyWebsiteDomain": "example.org", "organizationUrn": "urn:li:organization:1035"});
    let reply = send(&mut world, &path, &[both, company("ADD", "Example.com"), company("REMOVE", "EXAMPLE.org")]);
    assert_eq!(statuses(&reply), [201, 201, 201]);
    assert_eq!(members(&world), ["domain:example.com", "urn:li:organization:1035"]);
    assert_eq!(line(&reply)["applied"][0]["resource"], "dmpSegments/companies");
}

#[test]
fn repeats_are_taken_and_change_nothing() {
    let (mut world, path) = ready(&json!({}), "USER");
    let reply = send(&mut world, &path, &[user("ADD", "a"), user("ADD", "a"), user("REMOVE", "x")]);
    assert_eq!(statuses(&reply), [201, 201, 201]);
    assert_eq!((keys(&reply, "applied").len(), keys(&reply, "duplicate").len()), (1, 2));
    let mut renamed = user("ADD", "a");
    renamed["title"] = json!("CTO");
    assert_eq!(keys(&send(&mut world, &path, &[renamed]), "applied").len(), 1, "what is known of a member can change");
    let summary = world.provider.summary();
    assert_eq!((summary.applied, summary.duplicates, summary.conflicts), (3, 2, 0));
}

#[test]
fn membership_is_the_fold_of_the_log() {
    let (mut world, path) = ready(&json!({}), "USER");
    let mut folded = BTreeSet::new();
    for round in 0_u64..40 {
        let elements: Vec<Value> = (0..5)
            .map(|n| {
                user(if (round * 7 + n * 3) % 5 < 3 { "ADD" } else { "REMOVE" }, &format!("u{}", (round + n * n) % 11))
            })
            .collect();
        send(&mut world, &path, &elements);
    }
    let lines: Vec<Value> = world.provider.log_from(0).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for change in lines.iter().flat_map(|line| line["applied"].as_array().expect("a list")) {
        let Some((_, member)) = change["key"].as_str().expect("a key").split_once('/') else { continue };
        let changed = match change["value"]["action"].as_str() {
            Some("ADD") => folded.insert(member.to_owned()),
            _ => folded.remove(member),
        };
        assert!(changed, "a change changes something: {change}");
    }
    assert_eq!(members(&world), Vec::from_iter(folded));
}

#[test]
fn each_user_is_checked_by_itself() {
    let (mut world, path) = ready(&json!({}), "USER");
    let with = |id: Value| json!({"action": "ADD", "userIds": [id]});
    let bad = [
        json!("text"),
        user("AUTO", "a"),
        json!({"userIds": [{"idType": "GOOGLE_AID", "idValue": "a"}]}),
        json!({"action": "ADD"}),
        json!({"action": "ADD", "userIds": []}),
        with(json!({"idType": "AXCIOM_ID", "idValue": "a"})),
        with(json!({"idType": "SHA256_EMAIL", "idValue": "abc"})),
        with(json!({"idType": "SHA512_EMAIL", "idValue": HASH})),
        with(json!({"idType": "GOOGLE_AID", "idValue": ""})),
        with(json!({"idType": "GOOGLE_AID", "idValue": 5})),
        json!({"action": "ADD", "userIds": [{"idType": "GOOGLE_AID", "idValue": "a"}], "title": 5}),
    ];
    for element in bad {
        let reply = send(&mut world, &path, &[user("ADD", "good"), element.clone(), user("REMOVE", "good")]);
        assert_eq!((reply.status, statuses(&reply)), (200, vec![201, 400, 201]), "{element}");
        let error = body(&reply)["elements"][1]["error"].clone();
        assert_eq!(error["status"], 400);
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    assert_eq!(members(&world), [""; 0]);
    let long = with(json!({"idType": "SHA512_EMAIL", "idValue": HASH.repeat(2)}));
    assert_eq!(
        statuses(&send(&mut world, &path, &[long, with(json!({"idType": "APPLE_IDFA", "idValue": "x"}))])),
        [201, 201]
    );
}

#[test]
fn each_company_is_checked_by_itself() {
    let (mut world, path) = ready(&json!({}), "COMPANY");
    let urn = |urn: &str| json!({"action": "ADD", "organizationUrn": urn});
    let bad = [
        json!({"action": "ADD"}),
        company("add", "example.org"),
        company("ADD", ""),
        company("ADD", "example"),
        company("ADD", "https://example.org"),
        company("ADD", "example..org"),
        urn("1035"),
        urn("urn:li:organization:acme"),
        json!({"action": "ADD", "companyWebsiteDomain": "example.org", "organizationUrn": 5}),
    ];
    let reply = send(&mut world, &path, &bad);
    assert_eq!((reply.status, statuses(&reply)), (200, vec![400; bad.len()]));
    assert_eq!(members(&world), [""; 0]);
}

#[test]
fn the_call_itself_is_checked() {
    let (mut world, path) = ready(&json!({"max_elements": 2}), "USER");
    let good = json!({"elements": [user("ADD", "a")]});
    assert_eq!(world.post(&path, None, &good).status, 400, "it must say that it is a batch");
    assert_eq!(world.post(&path, Some("CREATE"), &good).status, 400);
    assert_eq!(
        world.post(&path.replace("users", "companies"), Some("BATCH_CREATE"), &good).status,
        400,
        "a segment of users"
    );
    assert_eq!(world.post("/rest/dmpSegments/undefined/users", Some("BATCH_CREATE"), &good).status, 404);
    assert_eq!(world.post("/rest/dmpSegments/70009/users", Some("BATCH_CREATE"), &good).status, 404);
    assert_eq!(send(&mut world, &path, &[]).status, 400);
    assert_eq!(world.post(&path, Some("BATCH_CREATE"), &json!({})).status, 400);
    assert_eq!(send(&mut world, &path, &[user("ADD", "a"), user("ADD", "b"), user("ADD", "c")]).status, 413);
    assert_eq!(world.send("GET", &path, &API, "").status, 405);
    assert_eq!(world.post(&format!("{path}/1"), Some("BATCH_CREATE"), &good).status, 404);
    assert_eq!(members(&world), [""; 0]);
    assert_eq!(world.post(&path, Some("batch_create"), &good).status, 200);
}

#[test]
fn a_new_segment_is_not_there_yet_and_nothing_tells_it_from_one_that_never_was() {
    let (mut world, path) = ready(&json!({"segment_ready_delay_ms": 30_000}), "USER");
    world.now += 29_999;
    let early = send(&mut world, &path, &[user("ADD", "a")]);
    let never = send(&mut world, "/rest/dmpSegments/1/users", &[user("ADD", "a")]);
    assert_eq!((early.status, &early.body), (404, &never.body));
    world.now += 1;
    assert_eq!(send(&mut world, &path, &[user("ADD", "a")]).status, 200);
    assert_eq!(members(&world), ["GOOGLE_AID:a"]);
}

#[test]
fn a_segment_keeps_the_delay_that_it_was_created_with() {
    let (mut world, path) = ready(&json!({"segment_ready_delay_ms": 30_000}), "USER");
    let soon = world.provider.switches().changed(&json!({"segment_ready_delay_ms": 0})).expect("fits");
    world.provider.configure(soon).expect("fits");
    assert_eq!(send(&mut world, &path, &[user("ADD", "a")]).status, 404);
}

#[test]
fn faults_reach_elements_here_too() {
    let (mut world, path) = ready(&json!({}), "USER");
    let mut fault = |action: Value| {
        let rules: Vec<super::super::Rule> = serde_json::from_value(json!([{"action": action}])).expect("fits");
        world.provider.set_faults(&rules).expect("fits");
        send(&mut world, &path, &[user("ADD", "a"), user("ADD", "b"), user("ADD", "c")])
    };
    let told = fault(json!({"element_status": [{"index": 1, "status": 429, "message": "later"}]}));
    assert_eq!(statuses(&told), [201, 429, 201]);
    assert_eq!(body(&told)["elements"][1]["error"]["message"], "later");
    assert_eq!(keys(&told, "applied").len(), 2);
    assert_eq!(statuses(&fault(json!({"element_count": {"by": -1}}))), [201, 201]);
    assert_eq!(members(&world), ["GOOGLE_AID:a", "GOOGLE_AID:b", "GOOGLE_AID:c"], "what was not answered happened");
}

#[test]
fn a_member_who_became_a_viewer_changes_nothing() {
    let (mut world, path) = ready(&json!({}), "USER");
    let viewer =
        world.provider.switches().changed(&json!({"ad_accounts": [{"id": 501, "role": "VIEWER"}]})).expect("fits");
    world.provider.configure(viewer).expect("fits");
    assert_eq!(send(&mut world, &path, &[user("ADD", "a")]).status, 403);
    assert_eq!(members(&world), [""; 0]);
}

#[test]
fn the_log_holds_equal_elements_as_equal_text() {
    let (mut world, path) = ready(&json!({}), "USER");
    let one = r#"{"elements":[{"userIds":[{"idValue":"a","idType":"GOOGLE_AID"}],"action":"ADD"}]}"#;
    let two = r#"{"elements":[{"action":"ADD","userIds":[{"idType":"GOOGLE_AID","idValue":"a"}]}]}"#;
    let headers = [API.as_slice(), &[("x-restli-method", "BATCH_CREATE")]].concat();
    let applied = |reply: &Reply| {
        let (_, after) = reply.line.split_once(r#""applied":"#).expect("a list");
        after.split_once(r#","duplicate""#).expect("its end").0.to_owned()
    };
    let first = world.send("POST", &path, &headers, one);
    send(&mut world, &path, &[user("REMOVE", "a")]);
    let second = world.send("POST", &path, &headers, two);
    assert_eq!(applied(&first), applied(&second));
}
