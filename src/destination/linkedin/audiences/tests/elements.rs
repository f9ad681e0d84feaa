//! What is sent of each item, and what becomes of it.

use super::*;

/// The elements of the one request for these people.
fn elements(destination: &Audiences, payloads: impl Into<Vec<Value>>) -> Value {
    let played = Bench::users(destination, payloads).knowing(MEMORY, "1").play(&[]);
    played.body(0)["elements"].clone()
}

fn hash(email: &str) -> Value {
    json!([{"idType": "SHA256_EMAIL", "idValue": crate::destination::linkedin::identity::hashed(email)}])
}

#[test]
fn q02_an_address_is_trimmed_and_lowered_before_it_is_hashed() {
    let live = live();
    for email in ["ada.miller@example.org", " Ada.MILLER@Example.org\t"] {
        assert_eq!(elements(&live, [person(email)])[0]["userIds"][0]["idValue"], ADA);
    }
    let compat = settings().compat(true).build().unwrap();
    let played = Bench::users(&compat, [person(" Ada@example.org")]).play(&[found()]);
    assert_eq!(played.body(1)["elements"][0]["userIds"], hash(" Ada@example.org"), "as it was given");
}

#[test]
fn q03_a_digest_is_sent_in_lower_case() {
    let upper = ADA.to_ascii_uppercase();
    assert_eq!(elements(&live(), [person(&upper)])[0]["userIds"][0]["idValue"], ADA);
    let compat = settings().compat(true).build().unwrap();
    let played = Bench::users(&compat, [person(&upper)]).play(&[found()]);
    assert_eq!(played.body(1)["elements"][0]["userIds"][0]["idValue"], upper);
}

#[test]
fn identifiers_are_sent_as_the_settings_allow() {
    let both = || with(person("a@example.org"), json!({"google_advertising_id": "38400000-8CF0"}));
    let advertising = json!({"idType": "GOOGLE_AID", "idValue": "38400000-8CF0"});
    let email = hash("a@example.org")[0].clone();
    assert_eq!(elements(&live(), [both()])[0]["userIds"], json!([email, advertising]));
    let no_email = settings().send_email(false).build().unwrap();
    assert_eq!(elements(&no_email, [both()])[0]["userIds"], json!([advertising]));
    let no_advertising = settings().send_google_advertising_id(false).build().unwrap();
    assert_eq!(elements(&no_advertising, [both()])[0]["userIds"], json!([email]));
}

#[test]
fn q16_who_has_no_usable_identifier_is_refused_with_the_field() {
    let (live, no_email) = (live(), settings().send_email(false).build().unwrap());
    let no_advertising = settings().send_google_advertising_id(false).build().unwrap();
    let nobody = || with(person(""), json!({"email": null}));
    let only_id = || with(nobody(), json!({"google_advertising_id": "x"}));
    let rows = [
        (&live, nobody(), "`google_advertising_id`"),
        (&live, person("  "), "`email`"),
        (&no_email, person("a@example.org"), "`send_email`"),
        (&no_advertising, only_id(), "`send_google_advertising_id`"),
    ];
    for (destination, payload, place) in rows {
        let item = Item { id: DeliveryId::default(), body: b"", action: USERS, payload: &payload, saved: &Value::Null };
        let refused = destination.check(&item, NOW).unwrap_err();
        assert_eq!(refused.verdict, INVALID);
        assert!(
            refused.detail.contains("no usable identifier") && refused.detail.contains(place),
            "{}",
            refused.detail
        );
        let played = Bench::users(destination, [payload.clone(), both_ids()]).play(&[found(), results(&[201])]);
        assert_eq!(played.verdicts(), [INVALID, accepted(201)], "the other one goes");
        assert_eq!(played.body(1)["elements"].as_array().unwrap().len(), 1);
    }
    let compat = settings().compat(true).send_email(false).build().unwrap();
    let played = Bench::users(&compat, [nobody(), person("a@example.org")]).play(&[found(), results(&[201])]);
    assert_eq!(played.verdicts(), [accepted(200), accepted(200)], "the reference calls both delivered");
    assert_eq!(played.body(1), json!({"elements": [{"action": "ADD", "userIds": []}]}));
}

fn both_ids() -> Value {
    with(person("b@example.org"), json!({"google_advertising_id": "y"}))
}

#[test]
fn the_action_is_chosen_or_told_by_the_events_name() {
    let rows = [
        (json!({"dmp_user_action": "ADD", "event_name": "Audience Exited"}), "ADD"),
        (json!({"dmp_user_action": "REMOVE"}), "REMOVE"),
        (json!({"event_name": "Audience Exited"}), "REMOVE"),
        (json!({"event_name": "Audience Entered"}), "ADD"),
        (json!({"event_name": "Something Else"}), "ADD"),
        (json!({"event_name": null}), "ADD"),
        (json!({"dmp_user_action": null, "event_name": "Audience Exited"}), "REMOVE"),
    ];
    for (members, action) in rows {
        assert_eq!(
            elements(&live(), [with(person("a@example.org"), members.clone())])[0]["action"],
            action,
            "{members}"
        );
    }
}

#[test]
fn under_auto_both_keys_must_be_the_same() {
    let live = live();
    let rows = [
        (json!({"source_segment_id": "other"}), false),
        (json!({"source_segment_id": null}), false),
        (json!({"source_segment_id": "other", "dmp_user_action": null}), false),
        (json!({"source_segment_id": "other", "dmp_user_action": "ADD"}), true),
        (json!({"source_segment_id": "other", "dmp_user_action": "REMOVE"}), true),
        (json!({}), true),
    ];
    for (members, good) in rows {
        let payload = with(person("a@example.org"), members.clone());
        let played = Bench::users(&live, [payload]).knowing(MEMORY, "1").play(&[results(&[201])]);
        assert_eq!(played.verdicts(), [if good { accepted(201) } else { INVALID }], "{members}");
        let words =
            "The value of `source_segment_id` and `personas_audience_key` must match. Field `source_segment_id`:";
        assert!(good || played.detail().starts_with(words), "{}", played.detail());
    }
}

#[test]
fn what_is_known_of_a_person_goes_along() {
    let members =
        json!({"first_name": "Ada", "last_name": "Miller", "title": "CTO", "company": "Example", "country": "DE"});
    let element = elements(&live(), [with(person("a@example.org"), members)])[0].clone();
    let expected = json!({
        "action": "ADD", "userIds": hash("a@example.org"), "firstName": "Ada", "lastName": "Miller", "title": "CTO",
        "company": "Example", "country": "DE",
    });
    assert_eq!(element.to_string(), expected.to_string(), "in this order");
}

#[test]
fn q23_calls_for_people_do_not_name_the_protocol_and_calls_for_companies_do() {
    let live = live();
    let names = |request: &Request| request.headers().iter().any(|(name, _)| name == "x-restli-protocol-version");
    let people = Bench::users(&live, [person("a@example.org")]).play(&[found()]);
    assert!(people.asked.len() == 2 && people.asked.iter().all(|request| !names(request) && request.wants_bearer()));
    let companies = Bench::companies(&live, [company("example.org")]).play(&[found()]);
    assert!(companies.asked.len() == 2 && companies.asked.iter().all(names));
    let made = Bench::companies(&live, [company("example.org")]).play(&[found_nothing()]);
    assert!(made.asked.iter().all(names));
}

#[test]
fn q13_q14_each_element_has_its_own_verdict() {
    let live = live();
    let rows = [
        (json!({"status": 200}), accepted(200)),
        (json!({"status": 400, "error": {"message": "bad"}}), rejected(400)),
        (json!({"error": {"status": 422}}), rejected(422)),
        (json!({"status": 401}), Verdict::TokenRefused),
        (json!({"status": 408}), failing(3)),
        (json!({"status": 423}), failing(3)),
        (json!({"status": 429}), throttled(3)),
        (json!({"status": 500}), failing(3)),
        (json!({"status": 501}), rejected(501)),
        (json!({}), Verdict::Unknown),
        (json!(null), Verdict::Unknown),
    ];
    for (element, verdict) in rows {
        let body = json!({"elements": [{"status": 201}, element]});
        for status in [200, 201] {
            let said = || answer(status, &[("retry-after", "3")], &body);
            let people = ["a@example.org", "b@example.org", "c@example.org"].map(person);
            let played = Bench::users(&live, people).knowing(MEMORY, "1").play(&[said()]);
            assert_eq!(played.verdicts(), [accepted(201), verdict, Verdict::Unknown], "{body}");
            let domains = ["a.example", "b.example", "c.example"].map(company);
            let played = Bench::companies(&live, domains).play(&[found(), said()]);
            assert_eq!(played.verdicts(), [accepted(201), verdict, Verdict::Unknown], "{body}");
        }
    }
}

#[test]
fn q13_q24_each_status_of_a_stream() {
    let live = live();
    let rows = [
        (400, rejected(400), Verdict::Split),
        (401, Verdict::TokenRefused, Verdict::TokenRefused),
        (403, failing(60), failing(60)),
        (404, failing(60), failing(60)),
        (408, failing(7), failing(7)),
        (409, failing(0), failing(0)),
        (413, rejected(413), Verdict::Split),
        (422, rejected(422), Verdict::Split),
        (423, failing(7), failing(7)),
        (426, throttled(900), throttled(900)),
        (429, throttled(7), throttled(7)),
        (500, failing(7), failing(7)),
        (501, rejected(501), rejected(501)),
        (503, failing(7), failing(7)),
        (204, Verdict::Unknown, Verdict::Unknown),
    ];
    for (status, one, two) in rows {
        let said = || answer(status, &[("retry-after", "7")], "<html>");
        let played = Bench::users(&live, [person("a@example.org")]).play(&[found(), said()]);
        assert_eq!(played.verdicts(), [one], "{status}");
        let people = ["a@example.org", "b@example.org"].map(person);
        assert_eq!(Bench::users(&live, people).play(&[found(), said()]).verdicts(), [two, two], "{status}");
        let domains = ["a.example", "b.example"].map(company);
        assert_eq!(Bench::companies(&live, domains).play(&[found(), said()]).verdicts(), [two, two], "{status}");
    }
}

#[test]
fn a_company_is_named_by_its_domain_or_its_number() {
    let live = live();
    let ids = |domain: Value, id: Value| {
        with(company("x"), json!({"identifiers": {"companyDomain": domain, "linkedInCompanyId": id}}))
    };
    let urn = "urn:li:organization:1035";
    let rows = [
        (ids(json!("  Example.ORG "), json!(null)), json!({"action": "ADD", "companyWebsiteDomain": "example.org"})),
        (ids(json!(null), json!("1035")), json!({"action": "ADD", "organizationUrn": urn})),
        (ids(json!(" "), json!(" URN:LI:Organization: 1035 ")), json!({"action": "ADD", "organizationUrn": urn})),
        (
            ids(json!("example.org"), json!("urn:li:organization:urn:li:organization:1035")),
            json!({"action": "ADD", "companyWebsiteDomain": "example.org", "organizationUrn": urn}),
        ),
    ];
    for (payload, expected) in rows {
        let played = Bench::companies(&live, [payload]).play(&[found()]);
        assert_eq!(played.body(1)["elements"], json!([expected]));
    }
    let nothing = "At least one of 'Company Domain' or 'LinkedIn Company ID' is required in the 'Identifiers' field.";
    for id in [json!(null), json!(""), json!(" "), json!("urn:li:organization:"), json!(7)] {
        let played = Bench::companies(&live, [ids(json!(null), id)]).play(&[]);
        assert_eq!(played.verdicts(), [INVALID]);
        assert!(played.detail().starts_with(nothing) && played.detail().contains("`identifiers`"));
    }
    for action in [json!("AUTO"), json!("add"), json!(null)] {
        let payload = with(company("x"), json!({"dmp_company_action": action}));
        let detail = Bench::companies(&live, [payload]).play(&[]).detail().to_owned();
        assert!(detail.starts_with("'Company Segment Action' must be exactly 'ADD' or 'REMOVE'."), "{detail}");
    }
}

#[test]
fn a_companys_audience_is_chosen_by_hand_or_by_its_key() {
    let live = live();
    let by_hand = json!({"audience_source": "CONNECTIONS", "segment_name": "  Hand made "});
    let played = Bench::companies(&live, [with(company("x"), by_hand)]).play(&[found_nothing()]);
    assert!(played.asked[0].url().query().unwrap().contains("sourceSegmentId=Hand+made&"));
    let (body, name) = (played.body(1), "Hand made");
    assert_eq!([&body["name"], &body["sourceSegmentId"], &body["type"]], [name, name, "COMPANY"]);
    for (members, place) in [
        (json!({"audience_source": "CONNECTIONS"}), "segment_name"),
        (json!({"audience_source": "CONNECTIONS", "segment_name": " "}), "segment_name"),
        (json!({"computation_key": null}), "computation_key"),
    ] {
        let played = Bench::companies(&live, [with(company("x"), members)]).play(&[]);
        let message = format!("The root value is missing the required field '{place}'. Field `{place}`:");
        assert!(played.detail().starts_with(&message), "{}", played.detail());
    }
}

#[test]
fn companies_that_are_alike_share_an_element_and_its_fate() {
    let live = live();
    let remove = with(company("example.org"), json!({"dmp_company_action": "REMOVE"}));
    let payloads = [company("example.org"), company("EXAMPLE.org"), company("example.com"), remove];
    let played = Bench::companies(&live, payloads).play(&[found(), results(&[400, 201, 503])]);
    assert_eq!(played.body(1)["elements"].as_array().unwrap().len(), 3);
    assert_eq!(played.verdicts(), [rejected(400), rejected(400), accepted(201), failing(0)]);
}

#[test]
fn q17_a_request_holds_one_audience_and_the_others_wait_for_theirs() {
    let live = live();
    let other = with(person("b@example.org"), json!({"personas_audience_key": "other", "source_segment_id": "other"}));
    let payloads = [other, person("a@example.org"), person("c@example.org")];
    let played = Bench::users(&live, payloads).play(&[found(), results(&[201])]);
    assert_eq!(played.body(1)["elements"].as_array().unwrap().len(), 1);
    let later = Verdict::NotYet { after: Span::ZERO };
    assert_eq!(played.verdicts(), [accepted(201), later, later]);
    assert_eq!(played.memos[0].key, "501/segment/USER/other");
    let compat = settings().compat(true).build().unwrap();
    let other = with(person("b@example.org"), json!({"personas_audience_key": "other", "source_segment_id": "other"}));
    let played = Bench::users(&compat, [person("a@example.org"), other]).play(&[found(), results(&[201])]);
    assert_eq!(played.body(1)["elements"].as_array().unwrap().len(), 2, "the reference asks the first for all");
}

#[test]
fn an_action_that_there_is_not_is_refused() {
    let live = live();
    let bench = Bench { action: "dance", ..Bench::users(&live, [person("a@example.org")]) };
    let played = bench.play(&[]);
    assert_eq!(played.verdicts(), [INVALID]);
    assert!(
        played.detail().contains("`dance`") && played.detail().contains(USERS) && played.detail().contains(COMPANIES)
    );
}
