//! `/rest/dmpSegments`: what is found, what is created, and when.

use super::*;

const FIND: &str = "/rest/dmpSegments?q=account&account=urn%3Ali%3AsponsoredAccount%3A501&sourcePlatform=SEGMENT";

fn segment(key: &str, kind: &str) -> Value {
    json!({
        "name": key, "sourcePlatform": "SEGMENT", "sourceSegmentId": key, "account": ACCOUNT, "type": kind,
        "destinations": [{"destination": "LINKEDIN"}],
    })
}

fn create(world: &mut World, key: &str, kind: &str) -> Reply {
    world.post("/rest/dmpSegments", None, &segment(key, kind))
}

fn find(world: &mut World, key: &str) -> Vec<(Value, Value)> {
    let reply = world.get(&format!("{FIND}&sourceSegmentId={key}"));
    assert_eq!(reply.status, 200, "{}", body(&reply));
    listed(&reply, "id").into_iter().zip(listed(&reply, "type")).collect()
}

#[test]
fn a_segment_is_created_and_found() {
    let mut world = World::new(&json!({}));
    assert_eq!(find(&mut world, "spring"), []);
    let made = create(&mut world, "spring", "USER");
    assert_eq!((made.status, made.body.len()), (201, 0));
    let id = header(&made, "x-restli-id").expect("an id");
    assert_eq!(header(&made, "x-linkedin-id"), Some(id));
    assert_eq!(find(&mut world, "spring"), [(json!(id.parse::<u64>().expect("a number")), json!("USER"))]);
    assert_eq!(find(&mut world, "autumn"), []);
    let applied = json!([{"resource": "dmpSegments", "key": id, "value": segment("spring", "USER")}]);
    assert_eq!(line(&made)["applied"], applied);
    let kept = world.provider.state()["segments"][0].clone();
    assert_eq!((&kept["sourceSegmentId"], &kept["members"]), (&json!("spring"), &json!({})));
}

#[test]
fn account_type_and_key_are_the_identity() {
    let mut world = World::new(&json!({}));
    assert_eq!(create(&mut world, "spring", "USER").status, 201);
    let again = create(&mut world, "spring", "USER");
    assert_eq!((again.status, text(&again, "code")), (409, "CONFLICT".to_owned()));
    assert_eq!((keys(&again, "applied"), keys(&again, "conflict")), (vec![], vec![]), "a refusal changes nothing");
    assert_eq!(create(&mut world, "spring", "COMPANY").status, 201);
    assert_eq!(create(&mut world, "autumn", "USER").status, 201);
    let mut elsewhere = segment("spring", "USER");
    elsewhere["account"] = json!("urn:li:sponsoredAccount:502");
    assert_eq!(world.post("/rest/dmpSegments", None, &elsewhere).status, 201);
    let kinds: Vec<Value> = find(&mut world, "spring").into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [json!("USER"), json!("COMPANY")], "of this account, in order");
    assert_eq!(world.provider.summary().applied, 4);
}

#[test]
fn the_finder_learns_late_but_a_second_one_collides_at_once() {
    let mut world = World::new(&json!({"finder_delay_ms": 3000}));
    assert_eq!(create(&mut world, "spring", "USER").status, 201);
    world.now += 2999;
    assert_eq!(find(&mut world, "spring"), []);
    assert_eq!(create(&mut world, "spring", "USER").status, 409);
    world.now += 1;
    assert_eq!(find(&mut world, "spring").len(), 1);
}

#[test]
fn each_header_with_the_id_can_be_missing() {
    for (kept, expected) in [
        (json!([]), [false, false]),
        (json!(["x-restli-id"]), [true, false]),
        (json!(["x-linkedin-id"]), [false, true]),
    ] {
        let mut world = World::new(&json!({"segment_id_headers": kept}));
        let made = create(&mut world, "spring", "USER");
        let has = ["x-restli-id", "x-linkedin-id"].map(|name| header(&made, name).is_some());
        assert_eq!((made.status, has), (201, expected));
        assert_eq!(find(&mut world, "spring").len(), 1);
    }
}

#[test]
fn each_member_is_checked() {
    let mut world = World::new(&json!({}));
    let cases = [
        ("/account", json!("501"), 400),
        ("/account", json!("urn:li:sponsoredAccount:9"), 403),
        ("/name", json!(" "), 400),
        ("/sourcePlatform", json!(1), 400),
        ("/sourceSegmentId", json!(""), 400),
        ("/type", json!("PEOPLE"), 400),
        ("/destinations", json!([]), 400),
        ("/destinations/0/destination", json!("ELSEWHERE"), 400),
    ];
    for (path, value, status) in cases {
        let mut bad = segment("spring", "USER");
        *bad.pointer_mut(path).expect("the member is in the sample") = value.clone();
        assert_eq!(world.post("/rest/dmpSegments", None, &bad).status, status, "{path} = {value}");
    }
    assert_eq!(world.post("/rest/dmpSegments", Some("BATCH_CREATE"), &segment("spring", "USER")).status, 400);
    assert_eq!(world.post("/rest/dmpSegments", None, &json!([])).status, 400);
    assert_eq!(world.send("POST", "/rest/dmpSegments", &API, "{").status, 400);
    assert_eq!(world.send("DELETE", "/rest/dmpSegments", &API, "").status, 405);
    assert_eq!(world.provider.state()["segments"], json!([]));
}

#[test]
fn the_finder_checks_what_it_is_asked() {
    let mut world = World::new(&json!({}));
    create(&mut world, "spring", "USER");
    let statuses = ["", "?q=account", "?q=search&account=urn%3Ali%3AsponsoredAccount%3A501", "?q=account&account=501"]
        .map(|query| world.get(&format!("/rest/dmpSegments{query}")).status);
    assert_eq!(statuses, [400; 4]);
    assert_eq!(world.get("/rest/dmpSegments?q=account&account=urn%3Ali%3AsponsoredAccount%3A9").status, 403);
    let other = FIND.replace("SEGMENT", "ELSEWHERE");
    assert_eq!(listed(&world.get(&other), "id").len(), 0);
    assert_eq!(listed(&world.get(FIND), "id").len(), 1, "any key");
}

#[test]
fn lists_come_in_pages() {
    let mut world = World::new(&json!({}));
    for number in 0..12 {
        assert_eq!(create(&mut world, &format!("k{number}"), "USER").status, 201);
    }
    let first = world.get(FIND);
    assert_eq!((listed(&first, "id").len(), &body(&first)["paging"]["total"]), (10, &json!(12)));
    assert_eq!(listed(&world.get(&format!("{FIND}&start=10&count=5")), "name"), [json!("k10"), json!("k11")]);
    let huge = format!("{FIND}&start={}", usize::MAX);
    assert_eq!(listed(&world.get(&huge), "name"), Vec::<Value>::new());
    for wrong in ["start=-1", "count=0", "count=1001", "count=x"] {
        assert_eq!(world.get(&format!("{FIND}&{wrong}")).status, 400, "{wrong}");
    }
}

#[test]
fn neither_a_viewer_nor_a_token_without_the_scope_gets_in() {
    let mut world = World::new(&json!({"ad_accounts": [{"id": 501, "role": "VIEWER"}]}));
    assert_eq!(create(&mut world, "spring", "USER").status, 403);
    assert_eq!(body(&world.get(FIND))["serviceErrorCode"], 100);
    let mut world = World::new(&json!({}));
    let narrow =
        GrantSeed { access_token: Some("narrow".into()), scope: "rw_conversions".into(), ..GrantSeed::default() };
    assert!(world.provider.issue(&narrow, START).is_ok());
    let headers = [("authorization", "Bearer narrow"), API[1]];
    assert_eq!(world.send("GET", FIND, &headers, "").status, 403);
    let headers = [API[0], API[1]];
    assert_eq!(world.send("GET", FIND, &headers, "").status, 200, "this resource needs no protocol version");
}
