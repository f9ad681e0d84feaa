//! The token endpoint, its switches, and what stands beside it.

use super::super::{Consent, GrantSeed};
use super::*;

fn error(reply: &Reply) -> (u16, String) {
    (reply.status, text(reply, "error"))
}

fn counters(world: &World) -> Value {
    world.provider.state()["refresh"][0]["counters"].clone()
}

#[test]
fn a_refresh_mints_a_token_for_sixty_days_and_does_not_extend_the_grant() {
    let mut world = World::new(&json!({}));
    world.now += 59 * DAY;
    let first = body(&world.refresh("refresh-1"));
    assert_eq!((&first["expires_in"], &first["refresh_token_expires_in"]), (&json!(5_184_000), &json!(306 * 86_400)));
    assert_eq!((&first["refresh_token"], &first["token_type"]), (&json!("refresh-1"), &json!("Bearer")));
    world.now = START + 360 * DAY;
    let last = body(&world.refresh("refresh-1"));
    assert_eq!((&last["expires_in"], &last["refresh_token_expires_in"]), (&json!(5 * 86_400), &json!(5 * 86_400)));
    assert_ne!(first["access_token"], last["access_token"]);
    world.now = START + 365 * DAY;
    assert_eq!(error(&world.refresh("refresh-1")), (400, "invalid_grant".into()));
}

#[test]
fn parameters_come_from_the_body_or_the_query() {
    let mut world = World::new(&json!({}));
    let query = "client_id=client-id-1&client_secret=client-secret-1&grant_type=refresh_token&refresh_token=refresh-1";
    let reply = world.send("POST", &format!("/oauth/v2/accessToken?{query}"), &[], "");
    assert_eq!(reply.status, 200);
    assert!(!reply.line.contains("refresh-1") && !reply.line.contains("client-secret-1"), "{}", reply.line);
    let twice = world.send("POST", &format!("/oauth/v2/accessToken?{query}"), &[], "client_id=client-id-1");
    assert_eq!(error(&twice), (400, "invalid_request".into()));
}

#[test]
fn what_is_wrong_is_told_as_the_standard_says() {
    let mut world = World::new(&json!({}));
    assert_eq!(error(&world.refresh("refresh-9")), (400, "invalid_grant".into()));
    assert_eq!(error(&world.token_call("accessToken", &[])), (400, "invalid_request".into()));
    let odd = world.token_call("accessToken", &[("grant_type", "password")]);
    assert_eq!(error(&odd), (400, "unsupported_grant_type".into()));
    let stranger = "grant_type=refresh_token&refresh_token=refresh-1&client_id=client-id-1&client_secret=wrong";
    assert_eq!(error(&world.send("POST", "/oauth/v2/accessToken", &[], stranger)), (401, "invalid_client".into()));
    assert_eq!(world.send("GET", "/oauth/v2/accessToken", &[], "").status, 405);
    assert_eq!(world.send("POST", "/oauth/v2/nothing", &[], "").status, 404);
}

#[test]
fn a_refresh_token_of_another_application_is_dead() {
    let mut world = World::new(&json!({}));
    let seed = GrantSeed {
        client_id: "other".into(),
        client_secret: "s".into(),
        refresh_token: Some("theirs".into()),
        ..GrantSeed::default()
    };
    assert!(world.provider.issue(&seed, START).is_ok());
    assert_eq!(error(&world.refresh("theirs")), (400, "invalid_grant".into()));
}

#[test]
fn rotation_keeps_or_kills_the_old_refresh_token() {
    for (switch, old_works, changes) in
        [("same", true, false), ("new_old_valid", true, true), ("new_old_dead", false, true)]
    {
        let mut world = World::new(&json!({"rotate_refresh": switch}));
        let new = text(&world.refresh("refresh-1"), "refresh_token");
        assert_eq!(new != "refresh-1", changes, "{switch}");
        assert_eq!(world.refresh(&new).status, 200, "{switch}");
        assert_eq!(world.refresh("refresh-1").status == 200, old_works, "{switch}");
    }
}

#[test]
fn a_refresh_kills_the_old_access_token_if_told_to() {
    let old_after = |switch: Value, ms: u64| {
        let mut world = World::new(&json!({"supersede": switch}));
        let newer = world.renewed();
        world.now += ms;
        assert_eq!(world.me(&newer, "").status, 200, "the new one is not touched");
        world.me("access-1", "").status
    };
    assert_eq!(old_after(json!("keep_old"), DAY), 200);
    assert_eq!(old_after(json!("revoke_old_now"), 0), 401);
    assert_eq!(old_after(json!({"revoke_old_after": 5000}), 4999), 200);
    assert_eq!(old_after(json!({"revoke_old_after": 5000}), 5000), 401);
}

#[test]
fn a_token_that_is_to_die_later_still_dies_with_its_grant() {
    let mut world = World::new(&json!({"supersede": {"revoke_old_after": 5000}}));
    world.renewed();
    world.provider.revoke_grant(1, START).expect("there is a grant");
    assert_eq!(world.me("access-1", "").status, 401);
}

#[test]
fn a_dead_refresh_token_has_either_name() {
    for (switch, text_of) in
        [("invalid_grant", "Token has been"), ("invalid_request", "The provided authorization grant or refresh token")]
    {
        let mut world = World::new(&json!({"dead_refresh_error": switch}));
        world.provider.revoke_grant(1, START).expect("there is a grant");
        let reply = world.refresh("refresh-1");
        assert_eq!(error(&reply), (400, switch.into()));
        assert!(text(&reply, "error_description").starts_with(text_of));
    }
}

#[test]
fn the_answer_can_lack_a_refresh_token() {
    let mut world = World::new(&json!({"refresh_token_in_answer": false}));
    let answer = body(&world.refresh("refresh-1"));
    assert!(answer.get("refresh_token").is_none() && answer.get("refresh_token_expires_in").is_none());
}

#[test]
fn calls_are_counted_and_so_is_how_many_were_in_flight_at_once() {
    let mut world = World::new(&json!({}));
    let form = [("grant_type", "refresh_token"), ("refresh_token", "refresh-1")];
    let open: Vec<Reply> = (0..3).map(|_| world.open_token_call("accessToken", &form)).collect();
    let seen: Vec<Value> = open.iter().map(|reply| line(reply)["refresh_in_flight"].clone()).collect();
    assert_eq!(seen, [1, 2, 3]);
    assert_eq!(counters(&world)["in_flight"], 3);
    close_all(&mut world, open.iter().map(|reply| reply.ticket));
    world.provider.revoke_grant(1, START).expect("there is a grant");
    world.now += 5;
    world.refresh("refresh-1");
    let at = [START, START, START, START + 5];
    let expected = json!({"calls": 4, "successes": 3, "failures": 1, "in_flight": 0, "max_in_flight": 3, "at_ms": at});
    assert_eq!(counters(&world), expected);
    let summary = world.provider.summary();
    assert_eq!((summary.refresh_calls, summary.refreshes_ok, summary.max_refresh_in_flight), (4, 3, 3));
    assert_eq!((summary.in_flight, summary.max_in_flight), (0, 3));
}

#[test]
fn too_many_refreshes_in_a_minute_are_429() {
    let mut world = World::new(&json!({"max_refresh_per_minute": 2}));
    let statuses: Vec<u16> = (0..3).map(|_| world.refresh("refresh-1").status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    world.now += 60_000;
    assert_eq!(world.refresh("refresh-1").status, 200);
}

#[test]
fn a_code_is_good_once_for_the_one_it_was_made_for() {
    let mut world = World::new(&json!({}));
    let made = |world: &mut World, uri: &str| {
        let consent = Consent {
            client_id: "client-id-1".into(),
            redirect_uri: uri.into(),
            member: Some("ada".into()),
            scope: Some("r_basicprofile".into()),
        };
        let code = world.provider.consent(consent, world.now).map_err(|e| e.to_string()).expect("the client is known");
        code.expose().to_owned()
    };
    let redeem = |world: &mut World, code: &str| {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", "https://a.example/cb")];
        world.token_call("accessToken", &form)
    };
    let code = made(&mut world, "https://a.example/cb");
    let answer = redeem(&mut world, &code);
    assert_eq!((answer.status, text(&answer, "scope")), (200, "r_basicprofile".into()));
    let me = world.me(&text(&answer, "access_token"), "");
    assert_eq!(body(&me)["id"], "ada");
    assert_eq!(error(&redeem(&mut world, &code)), (400, "invalid_request".into()));
    let elsewhere = made(&mut world, "https://b.example/cb");
    assert_eq!(redeem(&mut world, &elsewhere).status, 400);
    let late = made(&mut world, "https://a.example/cb");
    world.now += 1_800_000;
    assert_eq!(redeem(&mut world, &late).status, 400);
}

#[test]
fn introspection_knows_what_nodes_do_not() {
    let mut world = World::new(&json!({"introspection_delay_ms": 1000, "never_visible_on": ["n1", "n2", "n3", "n4"]}));
    let token = world.renewed();
    let look = |world: &mut World, token: &str| body(&world.token_call("introspectToken", &[("token", token)]));
    assert_eq!(look(&mut world, &token), json!({"active": false}));
    world.now += 1000;
    let known = look(&mut world, &token);
    assert_eq!((&known["active"], &known["status"]), (&json!(true), &json!("active")));
    assert_eq!((&known["expires_at"], &known["auth_type"]), (&json!((START + 60 * DAY) / 1000), &json!("3L")));
    world.provider.expire_access(Some(1), world.now).expect("there is a token");
    assert_eq!(look(&mut world, "access-1")["status"], "expired");
    world.provider.revoke_access(Some(1), world.now).expect("there is a token");
    assert_eq!(look(&mut world, "access-1")["status"], "revoked");
}

#[test]
fn revoking_either_token_kills_the_grant_but_the_control_can_kill_one() {
    for secret in ["access-1", "refresh-1"] {
        let mut world = World::new(&json!({}));
        assert_eq!(world.token_call("revoke", &[("token", secret)]).status, 200);
        assert_eq!(world.me("access-1", "").status, 401);
        assert_eq!(world.refresh("refresh-1").status, 400);
    }
    let mut world = World::new(&json!({}));
    assert_eq!(world.provider.revoke_access(None, START), Ok(1));
    assert_eq!(world.me("access-1", "").status, 401);
    assert_eq!(world.refresh("refresh-1").status, 200);
}

#[test]
fn no_line_of_the_log_holds_a_secret() {
    let mut world = World::new(&json!({"rotate_refresh": "new_old_valid"}));
    let answer = body(&world.refresh("refresh-1"));
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    world.me(&token, "");
    world.token_call("introspectToken", &[("token", &token)]);
    world.token_call("revoke", &[("token", "refresh-1")]);
    world.token_call("accessToken", &[("grant_type", "authorization_code"), ("code", "code-1"), ("redirect_uri", "u")]);
    let log: String = world.provider.log_from(0).map(|line| line.to_string() + "\n").collect();
    let new_refresh = answer["refresh_token"].as_str().expect("a token");
    for secret in ["refresh-1", "client-secret-1", "code-1", &token, new_refresh] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
    assert!(log.contains("Bearer [access 2]") && log.contains("[refresh 1]"), "{log}");
}
