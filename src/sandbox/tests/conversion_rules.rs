//! `/rest/conversions`: rules are created, read, changed and listed.

use super::*;

const HERE: &str = "account=urn%3Ali%3AsponsoredAccount%3A501";
const THERE: &str = "account=urn%3Ali%3AsponsoredAccount%3A502";

fn rule(name: &str) -> Value {
    json!({
        "name": name, "account": ACCOUNT, "conversionMethod": "CONVERSIONS_API", "postClickAttributionWindowSize": 90,
        "viewThroughAttributionWindowSize": 1, "attributionType": "LAST_TOUCH_BY_CAMPAIGN", "type": "START_TRIAL",
    })
}

/// The id of a new rule.
fn created(world: &mut World, name: &str) -> String {
    let made = world.post("/rest/conversions", None, &rule(name));
    assert_eq!(made.status, 201, "{}", body(&made));
    header(&made, "x-restli-id").expect("an id").to_owned()
}

fn patch(world: &mut World, id: &str, set: &Value) -> Reply {
    let path = format!("/rest/conversions/{id}?{HERE}");
    world.post(&path, Some("PARTIAL_UPDATE"), &json!({"patch": {"$set": set}}))
}

#[test]
fn a_rule_is_created_and_read() {
    let mut world = World::new(&json!({}));
    let made = world.post("/rest/conversions", None, &rule("Trial"));
    let id = header(&made, "x-restli-id").expect("an id").to_owned();
    let mut whole = rule("Trial");
    (whole["id"], whole["enabled"]) = (json!(id.parse::<u64>().expect("a number")), json!(true));
    assert_eq!((made.status, body(&made)), (201, whole.clone()));
    assert_eq!(line(&made)["applied"], json!([{"resource": "conversions", "key": id, "value": whole}]));
    assert_eq!(body(&world.get(&format!("/rest/conversions/{id}?{HERE}"))), whole);
    let elsewhere = [format!("{id}?{THERE}"), format!("0{id}?{HERE}"), format!("1?{HERE}"), format!("x?{HERE}")];
    assert_eq!(elsewhere.map(|path| world.get(&format!("/rest/conversions/{path}")).status), [404; 4]);
    assert_eq!(world.get(&format!("/rest/conversions/{id}")).status, 400);
    assert_eq!(world.provider.state()["conversion_rules"], json!([whole]));
}

#[test]
fn windows_have_defaults_and_each_member_is_checked() {
    let mut world = World::new(&json!({}));
    let mut bare = rule("Trial");
    bare.as_object_mut().expect("an object").retain(|name, _| !name.ends_with("WindowSize"));
    let made = body(&world.post("/rest/conversions", None, &bare));
    assert_eq!(
        (&made["postClickAttributionWindowSize"], &made["viewThroughAttributionWindowSize"]),
        (&json!(30), &json!(7))
    );
    let cases = [
        ("account", json!("501"), 400),
        ("account", json!("urn:li:sponsoredAccount:9"), 403),
        ("name", json!(""), 400),
        ("type", json!("WISH"), 400),
        ("attributionType", json!("FIRST"), 400),
        ("conversionMethod", json!("MAIL"), 400),
        ("postClickAttributionWindowSize", json!(31), 400),
        ("viewThroughAttributionWindowSize", json!("7"), 400),
        ("enabled", json!("yes"), 400),
        ("id", json!(5), 400),
    ];
    for (member, value, status) in cases {
        let mut bad = rule("Trial");
        bad[member] = value.clone();
        assert_eq!(world.post("/rest/conversions", None, &bad).status, status, "{member} = {value}");
    }
    for member in ["account", "name", "type", "attributionType", "conversionMethod"] {
        let mut bad = rule("Trial");
        bad.as_object_mut().expect("an object").remove(member);
        assert_eq!(world.post("/rest/conversions", None, &bad).status, 400, "without {member}");
    }
    assert_eq!(world.post("/rest/conversions", Some("BATCH_CREATE"), &rule("Trial")).status, 400);
    assert_eq!(world.send("POST", "/rest/conversions", &API[..2], &rule("Trial").to_string()).status, 400);
    assert_eq!(world.provider.summary().applied, 1);
}

#[test]
fn a_part_of_a_rule_is_changed() {
    let mut world = World::new(&json!({}));
    let id = created(&mut world, "Trial");
    let changed =
        patch(&mut world, &id, &json!({"name": "New", "postClickAttributionWindowSize": 30, "enabled": false}));
    assert_eq!((changed.status, changed.body.len(), keys(&changed, "applied")), (204, 0, vec![id.clone()]));
    let now = body(&world.get(&format!("/rest/conversions/{id}?{HERE}")));
    assert_eq!((&now["name"], &now["enabled"], &now["type"]), (&json!("New"), &json!(false), &json!("START_TRIAL")));
    for same in [json!({}), json!({"name": "New"})] {
        let again = patch(&mut world, &id, &same);
        assert_eq!((again.status, keys(&again, "duplicate")), (204, vec![id.clone()]), "{same}");
    }
    for wrong in
        [json!({"name": 5}), json!({"account": ACCOUNT}), json!({"id": 5}), json!({"conversionMethod": "INSIGHT_TAG"})]
    {
        assert_eq!(patch(&mut world, &id, &wrong).status, 400, "{wrong}");
    }
    let path = format!("/rest/conversions/{id}?{HERE}");
    for wrong in [
        json!({}),
        json!({"patch": {}}),
        json!({"patch": {"$set": {}, "$delete": ["name"]}}),
        json!({"patch": {"$set": []}}),
    ] {
        assert_eq!(world.post(&path, Some("PARTIAL_UPDATE"), &wrong).status, 400, "{wrong}");
    }
    assert_eq!(world.post(&path, None, &json!({"patch": {"$set": {"name": "X"}}})).status, 400);
    assert_eq!(patch(&mut world, "90099", &json!({"name": "X"})).status, 404);
    assert_eq!(body(&world.get(&path)), now, "nothing of this changed anything");
}

#[test]
fn the_rules_of_an_account_are_listed() {
    let mut world = World::new(&json!({}));
    created(&mut world, "one");
    created(&mut world, "two");
    let path = |account: &str| format!("/rest/conversions?q=account&{account}&start=0&count=100");
    assert_eq!(listed(&world.get(&path(HERE)), "name"), [json!("one"), json!("two")]);
    assert_eq!(listed(&world.get(&path(THERE)), "name"), Vec::<Value>::new());
    assert_eq!(world.get("/rest/conversions?q=account&account=urn%3Ali%3AsponsoredAccount%3A9").status, 403);
    assert_eq!(world.get(&format!("/rest/conversions?{HERE}")).status, 400);
}

#[test]
fn a_rule_that_was_created_is_known_to_conversions() {
    let mut world = World::new(&json!({"known_conversions": []}));
    let mut sent = event("m-1");
    let id = created(&mut world, "Trial");
    assert_eq!(world.convert(&sent).status, 400);
    sent["conversion"] = json!(format!("urn:lla:llaPartnerConversion:{id}"));
    assert_eq!(world.convert(&sent).status, 201);
}

#[test]
fn a_viewer_cannot_work_with_rules() {
    let mut world = World::new(&json!({"ad_accounts": [{"id": 501, "role": "VIEWER"}]}));
    assert_eq!(world.post("/rest/conversions", None, &rule("Trial")).status, 403);
}
