use super::*;
use crate::exchange::Rule;
use crate::oauth::{Carrier, ClientAuth, GrantKind, Rotation};

fn played(profile: &Profile) -> Report {
    rehearse(profile).unwrap_or_else(|why| panic!("{why}"))
}

fn scene<'a>(report: &'a Report, name: &str) -> Option<&'a Scene> {
    report.scenes.iter().find(|scene| scene.name == name)
}

#[test]
fn every_shipped_profile_delivers() {
    for name in Profile::shipped_names() {
        let profile = Profile::shipped(name).unwrap();
        let report = played(&profile);
        let dead = scene(&report, "a dead token").unwrap();
        assert!(dead.refused > 0 && dead.events == 20, "{name}: {report:?}");
        let renews = profile.grant != GrantKind::Static;
        assert_eq!(dead.refreshes, u64::from(renews), "{name}");
        assert_eq!(scene(&report, "slow propagation").is_some(), renews, "{name}");
        assert_eq!(scene(&report, "a planned refresh").is_some(), renews, "{name}");
        assert_eq!(scene(&report, "a scope that comes later").is_some(), !profile.lacks_scope.is_empty(), "{name}");
    }
}

#[test]
fn a_planned_refresh_costs_no_request_where_there_is_time_for_it() {
    for name in ["linkedin", "google", "github-app"] {
        let report = played(&Profile::shipped(name).unwrap());
        let planned = scene(&report, "a planned refresh").unwrap();
        assert_eq!((planned.refused, planned.events), (0, 40), "{name}");
        assert!(planned.refreshes >= 1, "{name}");
    }
}

#[test]
fn a_profile_that_refuses_nothing_fails_and_is_told_so() {
    let wrong = Profile { refuses: Vec::new(), ..Profile::linkedin() };
    let broken = rehearse(&wrong).unwrap_err();
    assert_eq!(
        broken.to_string(),
        "profile linkedin, the answer tables: refuses: names no answer, so a dead token would never be noticed; write [{ status = \"401\" }]"
    );
    let hidden = Profile { lacks_scope: vec![Rule::status(401..=401)], ..Profile::linkedin() };
    let why = rehearse(&hidden).unwrap_err().to_string();
    assert!(why.contains("lacks_scope[1]: another table takes its answer 401 before (Refuses)"), "{why}");
}

#[test]
fn odd_providers_deliver_too() {
    let odd = Profile {
        client_auth: ClientAuth::Basic,
        carrier: Carrier::Header { name: "x-acme-key".into(), prefix: "Key ".into() },
        refuses: vec![Rule::status(200..=200).holding("/error/0/code", &["190"]), Rule::status(419..=419)],
        node_header: Some("x-acme-node".into()),
        ..Profile::shipped("generic-rotating").unwrap()
    };
    let report = played(&odd);
    assert!(scene(&report, "a dead token").unwrap().refused > 0);
    let own = Profile { grant: GrantKind::ClientCredentials, renew_at: 50, ..Profile::shipped("generic").unwrap() };
    assert_eq!(scene(&played(&own), "a dead token").unwrap().refreshes, 1, "no human is needed");
}

#[test]
fn where_a_lost_answer_ends_the_grant_that_is_told_and_nothing_is_given_up() {
    let strict = Profile { rotation: Rotation::Rotates { grace: Span::ZERO }, ..Profile::shipped("generic").unwrap() };
    let report = played(&strict);
    let lost = scene(&report, "a token answer that is lost").unwrap();
    assert!(lost.note.as_ref().is_some_and(|note| note.contains("the grant ends with it")), "{lost:?}");
    assert_eq!(lost.events, 20);
    let lenient = played(&Profile::shipped("generic-rotating").unwrap());
    assert_eq!(scene(&lenient, "a token answer that is lost").unwrap().note, None);
}
