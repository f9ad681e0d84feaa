//! Operations, played against recorded answers with our own behaviour; the reference's is in the recorded requests.

use outlast_state::Time;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::destination::linkedin::tests::Said;
use crate::destination::linkedin::{Api, audiences};
use crate::destination::{Operation, Step};
use crate::exchange::{Answer, Exchange, Request};

fn api() -> Api {
    Api::new("https://api.linkedin.com/rest", "202603").unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Said) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, headers, body: body.bytes(), received: Time::ZERO }
}

/// What is asked, as lines, with the bodies; and how it ends.
fn play(operation: &dyn Operation, answers: &[Answer]) -> (Vec<Request>, Option<Result<Value, Trouble>>) {
    let (mut asked, mut so_far, mut answers) = (Vec::new(), Vec::new(), answers.iter());
    loop {
        match operation.step(&so_far) {
            Step::Done(value) => return (asked, Some(Ok(value))),
            Step::Failed(trouble) => return (asked, Some(Err(trouble))),
            Step::Ask(request) => {
                asked.push(request.clone());
                let Some(answer) = answers.next() else { return (asked, None) };
                so_far.push(Exchange { request, answer: answer.clone() });
            }
        }
    }
}

fn lines(asked: &[Request]) -> Vec<String> {
    let rest = "https://api.linkedin.com/rest";
    asked.iter().map(|it| format!("{} {}", it.method().as_str(), it.url().as_str().trim_start_matches(rest))).collect()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

fn done(ended: Option<Result<Value, Trouble>>) -> Value {
    ended.expect("it ended").expect("it went well")
}

fn failed(ended: Option<Result<Value, Trouble>>) -> Trouble {
    ended.expect("it ended").expect_err("it failed")
}

fn full() -> Value {
    json!({
        "adAccountId": "urn:li:sponsoredAccount:501", "name": "Trial", "conversionType": "START_TRIAL",
        "attribution_type": "LAST_TOUCH_BY_CAMPAIGN",
    })
}

fn saved() -> Map<String, Value> {
    object(json!({
        "id": "321", "name": "rule", "conversionType": "LEAD", "attribution_type": "LAST_TOUCH_BY_CAMPAIGN",
        "post_click_attribution_window_size": 30, "view_through_attribution_window_size": 7,
    }))
}

fn with(mut value: Value, key: &str, member: Value) -> Value {
    value[key] = member;
    value
}

#[test]
fn a_rule_is_made_with_the_usual_windows_and_its_id_saved_as_a_text() {
    let rule = rule(&api(), Task::Create, &object(full()), None).unwrap();
    let (asked, ended) = play(&rule, &[answer(201, &[("x-restli-id", "90210")], json!({"id": 90210}))]);
    assert_eq!(lines(&asked), ["POST /conversions"]);
    let expected = json!({
        "name": "Trial", "account": "urn:li:sponsoredAccount:501", "conversionMethod": "CONVERSIONS_API",
        "postClickAttributionWindowSize": 30, "viewThroughAttributionWindowSize": 7,
        "attributionType": "LAST_TOUCH_BY_CAMPAIGN", "type": "START_TRIAL",
    });
    assert_eq!(body(&asked[0]), expected);
    let saved = json!({
        "id": "90210", "name": "Trial", "conversionType": "START_TRIAL", "attribution_type": "LAST_TOUCH_BY_CAMPAIGN",
        "post_click_attribution_window_size": 30, "view_through_attribution_window_size": 7,
    });
    assert_eq!(
        done(ended),
        json!({"successMessage": "Conversion rule 90210 created successfully!", "savedData": saved})
    );
}

#[test]
fn a_rules_id_may_stand_in_the_header_alone() {
    let rule = rule(&api(), Task::Create, &object(full()), None).unwrap();
    let (_, ended) = play(&rule, &[answer(201, &[("x-restli-id", "90210")], "")]);
    assert_eq!(done(ended)["savedData"]["id"], "90210");
    let (_, ended) = play(&rule, &[answer(201, &[], "{}")]);
    let trouble = failed(ended);
    assert!(trouble.code == "CONVERSION_RULE_CREATION_FAILURE" && trouble.message.contains("`conversionRuleId`"));
}

#[test]
fn what_a_new_rule_lacks_is_told_before_anything_is_asked() {
    let given = object(json!({"adAccountId": "501"}));
    let trouble = rule(&api(), Task::Create, &given, None).unwrap_err();
    assert_eq!(trouble.code, "MISSING_REQUIRED_FIELD");
    let words = "Missing required fields for creating a new conversion rule: Name, Conversion Type, Attribution Type";
    assert_eq!(trouble.message, words);
    let mut given = object(full());
    given.remove("adAccountId");
    let trouble = rule(&api(), Task::Create, &given, None).unwrap_err();
    assert_eq!(trouble.code, "CONVERSION_RULE_CREATION_FAILURE");
    assert!(trouble.message.ends_with("No Ad Account selected."));
    let trouble = rule(&api(), Task::Update, &given, Some(&saved())).unwrap_err();
    assert_eq!(trouble.code, "CONVERSION_RULE_UPDATE_FAILURE");
    let trouble = rule(&api(), Task::Update, &object(full()), None).unwrap_err();
    assert!(trouble.message.contains("No existing rule"), "{}", trouble.message);
    for (inputs, saved) in [(json!({"campaignId": ["1"]}), None), (json!({}), Some(saved()))] {
        let trouble = rule(&api(), Task::Associate, &object(inputs), saved.as_ref()).unwrap_err();
        assert_eq!(trouble.code, "ASSOCIATE_CAMPAIGN_TO_CONVERSION_ERROR");
    }
}

#[test]
fn each_input_is_checked_and_named() {
    let rows = [
        ("adAccountId", json!("acme"), "not a number"),
        ("adAccountId", json!({}), "not a number"),
        ("campaignId", json!(["71", "x"]), "not a number"),
        ("conversionRuleId", json!("../1"), "not a number"),
        ("name", json!(7), "not a text"),
        ("conversionType", json!("DANCE"), "START_TRIAL"),
        ("attribution_type", json!("FIRST"), "LAST_TOUCH_BY_CONVERSION"),
        ("post_click_attribution_window_size", json!(2), "1, 7, 30 or 90"),
        ("view_through_attribution_window_size", json!("soon"), "1, 7, 30 or 90"),
        ("view_trough", json!(7), "there is no such input"),
    ];
    for (place, value, words) in rows {
        let trouble = rule(&api(), Task::Create, &object(with(full(), place, value)), None).unwrap_err();
        assert_eq!(trouble.code, "INVALID_INPUT");
        assert!(
            trouble.message.contains(&format!("`{place}`")) && trouble.message.contains(words),
            "{}",
            trouble.message
        );
    }
    let good = [
        ("adAccountId", json!(501)),
        ("campaignId", json!("urn:li:sponsoredCampaign:71")),
        ("campaignId", json!([71, null, ""])),
        ("post_click_attribution_window_size", json!("90")),
        ("conversionRuleId", json!("")),
    ];
    for (place, value) in good {
        assert!(rule(&api(), Task::Create, &object(with(full(), place, value)), None).is_ok(), "{place}");
    }
}

#[test]
fn a_rule_that_exists_is_read() {
    let inputs = object(json!({"adAccountId": "501", "conversionRuleId": "321"}));
    let rule = rule(&api(), Task::Create, &inputs, None).unwrap();
    let (asked, ended) = play(&rule, &[answer(200, &[], json!({"id": 321, "name": "Known", "type": ""}))]);
    assert_eq!(lines(&asked), ["GET /conversions/321?account=urn%3Ali%3AsponsoredAccount%3A501"]);
    let saved = json!({
        "id": "321", "name": "Known", "conversionType": "No type returned for rule: 321",
        "attribution_type": "No attribution type returned for rule: 321", "post_click_attribution_window_size": 30,
        "view_through_attribution_window_size": 7,
    });
    assert_eq!(done(ended)["savedData"], saved);
    for (status, body) in [(404, "{}"), (200, "<html>")] {
        let (_, ended) = play(&rule, &[answer(status, &[], body)]);
        assert_eq!(failed(ended).code, "CONVERSION_RULE_VERIFICATION_FAILURE");
    }
}

#[test]
fn only_what_changed_is_sent() {
    let inputs =
        object(with(with(full(), "conversionType", json!("LEAD")), "post_click_attribution_window_size", json!(90)));
    let update = rule(&api(), Task::Update, &inputs, Some(&saved())).unwrap();
    let (asked, ended) = play(&update, &[answer(204, &[], "")]);
    assert_eq!(lines(&asked), ["POST /conversions/321?account=urn%3Ali%3AsponsoredAccount%3A501"]);
    assert!(asked[0].headers().contains(&("x-restli-method".into(), "PARTIAL_UPDATE".to_owned())));
    assert_eq!(body(&asked[0]), json!({"patch": {"$set": {"name": "Trial", "postClickAttributionWindowSize": 90}}}));
    let done = done(ended);
    assert_eq!([&done["savedData"]["name"], &done["savedData"]["id"]], ["Trial", "321"]);
    let (_, ended) = play(&update, &[answer(400, &[], json!({"message": "no"}))]);
    let trouble = failed(ended);
    assert_eq!((trouble.code.as_str(), trouble.reached), ("CONVERSION_RULE_UPDATE_FAILURE", Value::Object(saved())));
    assert!(trouble.message.contains("LinkedIn answered 400: no"), "{}", trouble.message);
}

#[test]
fn q10_a_change_of_nothing_is_not_sent() {
    let inputs = object(json!({"adAccountId": "501", "name": "rule", "campaignId": "71"}));
    let update = rule(&api(), Task::Update, &inputs, Some(&saved())).unwrap();
    let (asked, ended) = play(&update, &[answer(204, &[], "")]);
    assert!(lines(&asked)[0].starts_with("PUT /campaignConversions/") && asked.len() == 1);
    assert_eq!(done(ended)["savedData"], Value::Object(saved()));
    let update = rule(&api().compat(true), Task::Update, &inputs, Some(&saved())).unwrap();
    let (asked, _) = play(&update, &[]);
    assert_eq!(body(&asked[0]), json!({"patch": {"$set": {}}}), "the reference sends it");
}

#[test]
fn q09_campaigns_are_associated_as_json() {
    let one = object(json!({"campaignId": ["71"]}));
    let (asked, ended) = play(&rule(&api(), Task::Associate, &one, Some(&saved())).unwrap(), &[answer(204, &[], "")]);
    let pair = "(campaign:urn%3Ali%3AsponsoredCampaign%3A71,conversion:urn%3Alla%3AllaPartnerConversion%3A321)";
    assert_eq!(lines(&asked), [format!("PUT /campaignConversions/{pair}")]);
    assert!(asked[0].headers().contains(&("content-type".into(), "application/json".to_owned())));
    let members = json!({"campaign": "urn:li:sponsoredCampaign:71", "conversion": "urn:lla:llaPartnerConversion:321"});
    assert_eq!((body(&asked[0]), done(ended)["savedData"]["id"].clone()), (members, json!("321")));
    let two = object(json!({"campaignId": ["71", "72"]}));
    let (asked, _) = play(&rule(&api(), Task::Associate, &two, Some(&saved())).unwrap(), &[]);
    assert!(lines(&asked)[0].starts_with(&format!("PUT /campaignConversions?ids=List({pair},(campaign:")));
    assert!(asked[0].headers().contains(&("x-restli-method".into(), "BATCH_UPDATE".to_owned())));
    assert_eq!(body(&asked[0])["entities"].as_object().unwrap().len(), 2);
}

#[test]
fn a_rule_that_was_made_is_not_lost_when_its_campaigns_are_refused() {
    let inputs = object(with(full(), "campaignId", json!(["71", "72"])));
    let rule = rule(&api(), Task::Create, &inputs, None).unwrap();
    let made = || answer(201, &[], json!({"id": 9}));
    let no = [
        answer(400, &[], json!({"message": "bad campaign"})),
        answer(200, &[], json!({"errors": {"(campaign:72)": {"status": 404}}, "results": {}})),
        answer(200, &[], json!({"results": {"(campaign:71)": {"status": 204}, "(campaign:72)": {"status": 403}}})),
    ];
    for no in no {
        let trouble = failed(play(&rule, &[made(), no]).1);
        assert_eq!(trouble.code, "ASSOCIATE_CAMPAIGN_TO_CONVERSION_ERROR");
        assert_eq!(trouble.reached["id"], "9");
        assert!(trouble.message.contains("72") || trouble.message.contains("bad campaign"), "{}", trouble.message);
    }
    for yes in ["", r#"{"results":{"(campaign:71)":{"status":204}},"errors":{}}"#] {
        assert_eq!(done(play(&rule, &[made(), answer(200, &[], yes)]).1)["savedData"]["id"], "9");
    }
}

#[test]
fn q25_all_pages_of_a_list_are_offered() {
    let rules = choices(&api(), "conversionRuleId", &object(json!({"adAccountId": "501"}))).unwrap();
    let rule =
        |id: u32| json!({"id": id, "name": format!("r{id}"), "enabled": true, "conversionMethod": "CONVERSIONS_API"});
    let page = |start: u32, ids: &[u32]| {
        let elements: Vec<Value> = ids.iter().map(|id| rule(*id)).collect();
        answer(200, &[], json!({"paging": {"start": start, "count": 2, "total": 3}, "elements": elements}))
    };
    let (asked, ended) = play(&rules, &[page(0, &[1, 2]), page(2, &[3])]);
    let first = "GET /conversions?q=account&account=urn%3Ali%3AsponsoredAccount%3A501&start=0&count=100";
    let second = "GET /conversions?q=account&account=urn%3Ali%3AsponsoredAccount%3A501&start=2&count=2";
    assert_eq!(lines(&asked), [first, second]);
    assert_eq!(done(ended)["choices"][2], json!({"label": "r3", "value": 3}));
    let campaigns = choices(&api(), "campaignId", &object(json!({"adAccountId": "501"}))).unwrap();
    let token = answer(200, &[], json!({"metadata": {"nextPageToken": "a b"}, "elements": [{"id": 71}]}));
    let (asked, ended) =
        play(&campaigns, &[token, answer(200, &[], json!({"elements": [{"id": 72, "name": "Autumn"}]}))]);
    let search = "GET /adAccounts/501/adCampaigns?q=search&search=(status:(values:List(ACTIVE,DRAFT)))";
    assert_eq!(lines(&asked), [search.to_owned(), format!("{search}&pageToken=a%20b")]);
    let expected = json!({"choices": [{"label": "71", "value": 71}, {"label": "Autumn", "value": 72}]});
    assert_eq!(done(ended), expected);
}

#[test]
fn a_list_without_an_end_is_cut_and_says_so() {
    let accounts = choices(&api(), "adAccountId", &Map::new()).unwrap();
    let page = answer(200, &[], json!({"metadata": {"nextPageToken": "x"}, "elements": [{"id": 1, "name": "a"}]}));
    let (asked, ended) = play(&accounts, &vec![page; 60]);
    assert_eq!((asked.len(), done(ended)["more"].clone()), (50, json!(true)));
}

#[test]
fn what_cannot_be_chosen_from_is_told() {
    let none = Map::new();
    for field in ["campaignId", "conversionRuleId"] {
        let trouble = choices(&api(), field, &none).unwrap_err();
        assert_eq!((trouble.code.as_str(), &trouble.reached), ("FIELD_NOT_SELECTED", &json!({"choices": []})));
    }
    assert!(
        choices(&api(), "shoe", &none).unwrap_err().message.contains("adAccountId, campaignId and conversionRuleId")
    );
    let accounts = choices(&api(), "adAccountId", &none).unwrap();
    for (status, body, code) in [
        (403, r#"{"code":"ACCESS_DENIED","message":"no"}"#, "ACCESS_DENIED"),
        (500, "<html>", "FETCH_AD_ACCOUNTS_ERROR"),
        (200, "<html>", "FETCH_AD_ACCOUNTS_ERROR"),
        (200, "{}", "FETCH_AD_ACCOUNTS_ERROR"),
    ] {
        let trouble = failed(play(&accounts, &[answer(status, &[], body)]).1);
        assert_eq!((trouble.code.as_str(), trouble.reached), (code, json!({"choices": []})), "{status} {body}");
    }
}

#[test]
fn a_credential_is_good_when_it_belongs_to_somebody_who_may() {
    let audiences = audiences().ad_account_id("501").build().unwrap();
    let probe = test_audiences(&audiences);
    let me = || answer(200, &[], json!({"id": "person-9"}));
    let (asked, ended) = play(&probe, &[me(), answer(200, &[], json!({"role": "CAMPAIGN_MANAGER"}))]);
    let user = "GET /adAccountUsers/account=urn:li:sponsoredAccount:501&user=urn:li:person:person-9";
    assert_eq!(lines(&asked), ["GET /me", user]);
    assert_eq!(done(ended), json!({"id": "person-9", "role": "CAMPAIGN_MANAGER"}));
    for (answers, words) in [
        (vec![answer(401, &[], "")], "Invalid LinkedIn Oauth access token."),
        (vec![answer(500, &[], "")], "LinkedIn answered 500"),
        (vec![answer(200, &[], "{}")], "did not say who"),
        (vec![me(), answer(404, &[], "")], "Invalid LinkedIn Ad Account id."),
        (vec![me(), answer(200, &[], json!({"role": "VIEWER"}))], "other than Viewer"),
        (vec![me(), answer(403, &[], "")], "LinkedIn answered 403"),
    ] {
        let trouble = failed(play(&probe, &answers).1);
        assert!(trouble.code == "INVALID_CREDENTIALS" && trouble.message.contains(words), "{}", trouble.message);
    }
    let conversions = test_conversions(&api());
    assert_eq!(done(play(&conversions, &[me()]).1), json!({"id": "person-9"}));
    assert!(conversions.without_token().message.contains("before enabling the destination."));
}

proptest! {
    #[test]
    fn every_operation_ends_whatever_is_answered(
        answers in prop::collection::vec((any::<u16>(), prop_oneof![
            ".{0,30}".prop_map(String::from),
            Just(r#"{"elements":[{"id":1}],"paging":{"start":18446744073709551615,"total":18446744073709551615}}"#.to_owned()),
            Just(r#"{"id":"a/b?c","elements":[7,null,{"id":{}}],"errors":7,"results":[]}"#.to_owned()),
        ], any::<bool>()), 60),
        compat: bool,
        input in ".{0,20}",
    ) {
        let answers: Vec<Answer> = answers
            .into_iter()
            .map(|(status, body, good)| answer(if good { 200 } else { status }, &[("x-restli-id", &input)], body))
            .collect();
        let api = api().compat(compat);
        let inputs = object(json!({"adAccountId": input, "conversionRuleId": input, "campaignId": [input, 1], "name": input}));
        for task in [Task::Create, Task::Update, Task::Associate] {
            for inputs in [&inputs, &object(full())] {
                if let Ok(rule) = rule(&api, task, inputs, Some(&saved())) {
                    prop_assert!(play(&rule, &answers).1.is_some());
                }
            }
        }
        for field in ["adAccountId", "campaignId", "conversionRuleId"] {
            if let Ok(choices) = choices(&api, field, &inputs) {
                prop_assert!(play(&choices, &answers).1.is_some());
            }
        }
        prop_assert!(play(&test_conversions(&api), &answers).1.is_some());
    }
}
