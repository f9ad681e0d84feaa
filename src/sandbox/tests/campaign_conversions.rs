//! `/rest/campaignConversions`: campaigns are associated with a rule.

use super::*;

fn key(campaign: u64, rule: &str) -> String {
    format!("(campaign:urn%3Ali%3AsponsoredCampaign%3A{campaign},conversion:urn%3Alla%3AllaPartnerConversion%3A{rule})")
}

fn entity(campaign: u64, rule: &str) -> Value {
    json!({
        "campaign": format!("urn:li:sponsoredCampaign:{campaign}"),
        "conversion": format!("urn:lla:llaPartnerConversion:{rule}"),
    })
}

fn one(world: &mut World, campaign: u64, rule: &str) -> Reply {
    world.put(&format!("/rest/campaignConversions/{}", key(campaign, rule)), &entity(campaign, rule))
}

fn many(world: &mut World, pairs: &[(u64, &str)]) -> Reply {
    let keys: Vec<String> = pairs.iter().map(|(campaign, rule)| key(*campaign, rule)).collect();
    let entities = pairs.iter().map(|(campaign, rule)| (key(*campaign, rule), entity(*campaign, rule)));
    let entities: serde_json::Map<String, Value> = entities.collect();
    world.put(&format!("/rest/campaignConversions?ids=List({})", keys.join(",")), &json!({"entities": entities}))
}

#[test]
fn one_campaign_is_associated() {
    let mut world = World::new(&json!({}));
    let reply = one(&mut world, 71, "321");
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert_eq!(line(&reply)["applied"][0]["value"], entity(71, "321"));
    let again = one(&mut world, 71, "321");
    assert_eq!((again.status, keys(&again, "applied").len(), keys(&again, "duplicate").len()), (204, 0, 1));
    assert_eq!(world.provider.state()["campaign_conversions"], json!([entity(71, "321")]));
}

#[test]
fn the_content_type_does_not_matter() {
    let mut world = World::new(&json!({}));
    let headers = [API[0], API[1], API[2], ("content-type", "text/plain;charset=UTF-8")];
    let path = format!("/rest/campaignConversions/{}", key(71, "321"));
    assert_eq!(world.send("PUT", &path, &headers, &entity(71, "321").to_string()).status, 204);
}

#[test]
fn several_campaigns_are_associated_each_with_its_own_result() {
    let mut world = World::new(&json!({}));
    let reply = many(&mut world, &[(71, "321"), (72, "321"), (9, "321")]);
    assert_eq!(reply.status, 200);
    let answer = body(&reply);
    assert_eq!(answer["results"], json!({key(71, "321"): {"status": 204}, key(72, "321"): {"status": 204}}));
    assert_eq!(answer["errors"][key(9, "321")]["message"], "campaign does not exist");
    assert_eq!(world.provider.state()["campaign_conversions"], json!([entity(71, "321"), entity(72, "321")]));
}

#[test]
fn what_is_wrong_is_refused() {
    let mut world = World::new(&json!({"known_conversions": ["urn:lla:llaPartnerConversion:321"]}));
    assert_eq!(one(&mut world, 9, "321").status, 400, "no such campaign");
    assert_eq!(one(&mut world, 71, "322").status, 400, "no such rule");
    let mut put = |path: &str, body: &Value| world.put(&format!("/rest/campaignConversions{path}"), body).status;
    let good = key(71, "321");
    assert_eq!(put(&format!("/{good}"), &entity(72, "321")), 400, "the body is about another");
    assert_eq!(put(&format!("/{}", good.replace("%3A", ":")), &entity(71, "321")), 400, "not encoded");
    assert_eq!(put("/71", &entity(71, "321")), 400);
    assert_eq!(put("", &json!({"entities": {good.clone(): entity(71, "321")}})), 400, "no ids");
    assert_eq!(put("?ids=List()", &json!({"entities": {}})), 400);
    assert_eq!(put(&format!("?ids=List({good})"), &json!({"entities": {}})), 400);
    assert_eq!(put(&format!("?ids=List({good})"), &json!({"entities": {key(72, "321"): entity(72, "321")}})), 400);
    let path = format!("/rest/campaignConversions/{good}");
    assert_eq!(world.send("PUT", &path, &API[..2], &entity(71, "321").to_string()).status, 400, "no protocol version");
    assert_eq!(world.send("GET", &path, &API, "").status, 405);
    assert_eq!(world.provider.state()["campaign_conversions"], json!([]));
}

#[test]
fn campaign_and_rule_are_of_one_account_in_which_the_member_may_work() {
    let accounts = json!([{"id": 501}, {"id": 502, "campaigns": [{"id": 81}]}, {"id": 503, "role": "VIEWER", "campaigns": [{"id": 91}]}]);
    let mut world = World::new(&json!({"ad_accounts": accounts}));
    let rule = json!({
        "name": "Trial", "account": ACCOUNT, "conversionMethod": "CONVERSIONS_API",
        "attributionType": "LAST_TOUCH_BY_CAMPAIGN", "type": "LEAD",
    });
    let made = world.post("/rest/conversions", None, &rule);
    let id = header(&made, "x-restli-id").expect("an id").to_owned();
    assert_eq!(one(&mut world, 81, &id).status, 400);
    assert_eq!(one(&mut world, 91, "321").status, 403);
    assert_eq!(one(&mut world, 81, "321").status, 204);
}
