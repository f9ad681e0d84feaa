//! `/rest/adAccounts`, `…/adCampaigns` and `/rest/adAccountUsers`.

use super::*;

#[test]
fn accounts_are_listed() {
    let mut world = World::new(&json!({}));
    let reply = world.get("/rest/adAccounts?q=search");
    assert_eq!(listed(&reply, "id"), [json!(501), json!(502)]);
    assert_eq!(listed(&reply, "name"), [json!("North account"), json!("South account")]);
    assert_eq!(world.get("/rest/adAccounts").status, 400);
    let mut world = World::new(&json!({"ad_accounts": []}));
    assert_eq!(listed(&world.get("/rest/adAccounts?q=search"), "id"), Vec::<Value>::new());
}

#[test]
fn campaigns_are_listed_by_status() {
    let mut world = World::new(&json!({}));
    let path = "/rest/adAccounts/501/adCampaigns?q=search";
    let with = |condition: &str| format!("{path}&search={condition}");
    let wanted = world.get(&with("(status:(values:List(ACTIVE,DRAFT)))"));
    assert_eq!(
        (listed(&wanted, "id"), listed(&wanted, "name")),
        (vec![json!(71), json!(72)], vec![json!("Spring"), json!("Autumn")])
    );
    assert_eq!(listed(&world.get(&with("(status:(values:List(ARCHIVED)))")), "id"), [json!(73)]);
    assert_eq!(listed(&world.get(path), "id").len(), 3);
    for wrong in [
        "ACTIVE",
        "(status:(values:List()))",
        "(status:(values:List(WILD)))",
        "(type:(values:List(ACTIVE)))",
        "%28status",
    ] {
        assert_eq!(world.get(&with(wrong)).status, 400, "{wrong}");
    }
    assert_eq!(world.get("/rest/adAccounts/502/adCampaigns?q=search").status, 200);
    assert_eq!(world.get("/rest/adAccounts/9/adCampaigns?q=search").status, 403);
    assert_eq!(world.get("/rest/adAccounts/501/adCampaigns").status, 400);
    assert_eq!(world.send("GET", path, &API[..2], "").status, 400, "no protocol version");
    assert_eq!(world.get("/rest/adAccounts/501").status, 404);
}

#[test]
fn a_member_learns_its_role_and_nobody_elses() {
    let mut world = World::new(&json!({"ad_accounts": [{"id": 501, "role": "VIEWER"}, {"id": 502}]}));
    let me = text(&world.me("access-1", ""), "id");
    let mut ask = |key: &str| world.send("GET", &format!("/rest/adAccountUsers/{key}"), &API[..2], "");
    let old = |account: u64, user: &str| format!("account=urn:li:sponsoredAccount:{account}&user=urn:li:person:{user}");
    assert_eq!(text(&ask(&old(501, &me)), "role"), "VIEWER");
    assert_eq!(text(&ask(&old(502, &me)), "role"), "CAMPAIGN_MANAGER");
    let encoded = |account: u64| format!("account:urn%3Ali%3AsponsoredAccount%3A{account}");
    let new = format!("({},user:urn%3Ali%3Aperson%3A{me})", encoded(502));
    assert_eq!(text(&ask(&new), "role"), "CAMPAIGN_MANAGER", "the key of either version of the protocol");
    assert_eq!([old(503, &me), old(501, "somebody")].map(|key| ask(&key).status), [404, 404]);
    for wrong in ["account=501&user=urn:li:person:x", "501", "account=urn:li:sponsoredAccount:501", "(a:1)"] {
        assert_eq!(ask(wrong).status, 400, "{wrong}");
    }
    assert_eq!(ask(&format!("{}&user=x", old(501, &me))).status, 400, "a part twice");
}

#[test]
fn each_resource_has_its_scope() {
    let mut world = World::new(&json!({}));
    let mut with = |scope: &str| {
        let seed = GrantSeed {
            access_token: Some(scope.into()),
            member: Some("m".into()),
            scope: scope.into(),
            ..GrantSeed::default()
        };
        assert!(world.provider.issue(&seed, START).is_ok());
        let bearer = format!("Bearer {scope}");
        let headers = [("authorization", bearer.as_str()), API[1], API[2]];
        let account = "account=urn:li:sponsoredAccount:501";
        [
            "/rest/adAccounts?q=search".to_owned(),
            "/rest/adAccounts/501/adCampaigns?q=search".to_owned(),
            format!("/rest/adAccountUsers/{account}&user=urn:li:person:m"),
            format!("/rest/conversions?q=account&{account}"),
            format!("/rest/dmpSegments?q=account&{account}"),
            "/rest/me".to_owned(),
        ]
        .map(|path| world.send("GET", &path, &headers, "").status)
    };
    assert_eq!(with("r_ads"), [200, 200, 200, 403, 403, 403]);
    assert_eq!(with("rw_conversions"), [403, 403, 403, 200, 403, 403]);
    assert_eq!(with("rw_dmp_segments"), [403, 403, 200, 403, 200, 403]);
    assert_eq!(with("r_basicprofile"), [403, 403, 403, 403, 403, 200]);
}
