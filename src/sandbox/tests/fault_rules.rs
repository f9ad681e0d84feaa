//! Fault rules: whom they meet, and what they do.

use super::super::{Ending, Pace, Provider};
use super::*;

/// The world with one rule that does this to every request.
fn always(action: &Value) -> World {
    World::with_rules(json!([{"action": action}]))
}

fn statuses(world: &mut World, count: usize) -> Vec<u16> {
    (0..count).map(|_| world.me("access-1", "").status).collect()
}

#[test]
fn a_rule_meets_what_it_names() {
    let fail = json!({"status": {"status": 503}});
    let meets = |when: Value| {
        World::with_rules(json!([{"when": when, "action": fail.clone()}])).me("access-1", "").status == 503
    };
    assert!(meets(json!({})) && meets(json!({"method": "get", "path": "/rest/*", "node": "n1", "token": 1})));
    for other in [json!({"method": "POST"}), json!({"path": "/oauth/*"}), json!({"node": "n2"}), json!({"token": 2})] {
        assert!(!meets(other.clone()), "{other}");
    }
}

#[test]
fn a_rule_can_be_for_one_request_or_for_a_few_or_for_a_time() {
    let fail = json!({"status": {"status": 503}});
    let with = |when: Value| World::with_rules(json!([{"when": when, "action": fail.clone()}]));
    assert_eq!(statuses(&mut with(json!({"nth": 2})), 3), [200, 503, 200]);
    assert_eq!(statuses(&mut with(json!({"uses": 2})), 3), [503, 503, 200]);
    let mut world = with(json!({"from_ms": 100, "until_ms": 200}));
    let at = |world: &mut World, ms: u64| {
        world.now = START + ms;
        world.me("access-1", "").status
    };
    assert_eq!([99, 100, 199, 200].map(|ms| at(&mut world, ms)), [200, 503, 503, 200]);
}

#[test]
fn chance_repeats_under_the_seed() {
    let run = |seed: u64| {
        let rules = json!([{"when": {"probability": 0.3}, "action": {"no_body": {"status": 500}}}]);
        let faults = serde_json::from_value(rules).expect("fits");
        let options = Options { seed, faults, ..options(&json!({})) };
        statuses(&mut World { provider: Provider::new(options, START).expect("fits"), now: START }, 200)
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
    let failed = first.iter().filter(|status| **status == 500).count();
    assert!((35..85).contains(&failed), "{failed} of 200");
}

#[test]
fn the_first_rule_that_fires_decides_and_is_named_in_the_log() {
    let mut world = World::with_rules(json!([
        {"when": {"nth": 1}, "action": {"no_body": {"status": 500}}},
        {"name": "second", "action": {"no_body": {"status": 502}}},
    ]));
    let (first, second) = (world.me("access-1", ""), world.me("access-1", ""));
    assert_eq!((first.status, &line(&first)["fault_rule"]), (500, &json!("rule-0")));
    assert_eq!((second.status, &line(&second)["fault_rule"]), (502, &json!("second")));
    let counts = world.provider.faults();
    assert_eq!((&counts["rules"][0]["matched"], &counts["rules"][0]["fired"]), (&json!(2), &json!(1)));
}

#[test]
fn another_status_takes_effect_only_if_it_is_a_success() {
    let mut world = always(&json!({"status": {"status": 503, "body": {"why": "busy"}, "headers": {"X-Why": "busy"}}}));
    let reply = world.convert(&event("m-1"));
    assert_eq!((reply.status, body(&reply), header(&reply, "x-why")), (503, json!({"why": "busy"}), Some("busy")));
    assert_eq!(world.provider.summary().applied, 0);
    let mut world = always(&json!({"status": {"status": 202}}));
    assert_eq!((world.convert(&event("m-1")).status, world.provider.summary().applied), (202, 1));
    let mut world = always(&json!({"status": {"status": 500, "apply": true, "body": "<h1>no</h1>"}}));
    let reply = world.convert(&event("m-1"));
    assert_eq!((reply.body.as_ref(), header(&reply, "content-type")), (&b"<h1>no</h1>"[..], Some("text/plain")));
    assert_eq!(world.provider.summary().applied, 1);
}

#[test]
fn retry_after_has_four_forms() {
    let told = |form: Value| {
        let reply = always(&json!({"status": {"status": 429, "retry_after": form}})).me("access-1", "");
        assert_eq!(body(&reply)["serviceErrorCode"], 101);
        header(&reply, "retry-after").map(str::to_owned)
    };
    assert_eq!(told(json!("absent")), None);
    assert_eq!(told(json!({"seconds": 7})).as_deref(), Some("7"));
    assert_eq!(told(json!("absurd")).as_deref(), Some("864000"));
    assert_eq!(told(json!({"date_in_s": 30})).as_deref(), Some("Sun, 15 Mar 2026 12:00:30 GMT"));
}

#[test]
fn elements_get_statuses_and_go_missing() {
    let mut world = always(&json!({"element_status": [{"index": 1, "status": 429, "message": "later"}]}));
    let elements = body(&world.convert_many(&[event("a"), event("b")]))["elements"].clone();
    assert_eq!(elements, json!([{"status": 201}, {"status": 429, "error": {"status": 429, "message": "later"}}]));
    assert_eq!(world.provider.summary().applied, 1);
    for (by, expected) in [(-1, 1), (1, 3), (-9, 0)] {
        let mut world = always(&json!({"element_count": {"by": by}}));
        let elements = body(&world.convert_many(&[event("a"), event("b")]))["elements"].clone();
        assert_eq!((elements.as_array().map(Vec::len), world.provider.summary().applied), (Some(expected), 2));
    }
}

#[test]
fn slow_answers_and_none() {
    let reply = always(&json!({"delay": {"before_ms": 5, "between_ms": 6, "pieces": 7}})).convert(&event("m-1"));
    assert_eq!((reply.status, reply.pace), (201, Pace { before_ms: 5, between_ms: 6, pieces: 7 }));
    for (action, ending, applied) in
        [("hang", Ending::Hang, 0), ("reset_before_read", Ending::Reset, 0), ("reset_after_apply", Ending::Reset, 1)]
    {
        let mut world = always(&json!(action));
        let reply = world.convert(&event("m-1"));
        assert_eq!((reply.ending, world.provider.summary().applied), (ending, applied), "{action}");
        assert_eq!(
            (&line(&reply)["answer_status"], &line(&reply)["bytes_sent"]),
            (&Value::Null, &json!(0)),
            "{action}"
        );
    }
    let mut world = always(&json!("reset_mid_body"));
    let reply = world.convert_many(&[event("m-1")]);
    assert_eq!((reply.ending, world.provider.summary().applied), (Ending::Cut(reply.body.len() / 2), 1));
    assert_eq!(world.convert(&event("m-2")).ending, Ending::Reset, "an empty body cannot be cut");
}

#[test]
fn bodies_that_are_not_what_they_say() {
    let reply = |action: Value| always(&action).convert_many(&[event("m-1")]);
    for how in ["cut", "html"] {
        let bad = reply(json!({"malformed_json": how}));
        assert!(serde_json::from_slice::<Value>(&bad.body).is_err(), "{how}");
        assert_eq!(header(&bad, "content-type"), Some("application/json"));
    }
    assert_eq!(body(&reply(json!({"malformed_json": "wrong_type"}))), json!(42));
    let plain = reply(json!("wrong_content_type"));
    assert_eq!((header(&plain, "content-type"), plain.status), (Some("text/plain"), 200));
    let bare = reply(json!({"no_body": {"status": 201}}));
    assert_eq!((bare.status, bare.body.len(), header(&bare, "content-type")), (201, 0, None));
}

#[test]
fn a_throttle_is_per_member_and_lets_the_rest_meet_other_rules() {
    let throttle = json!({"throttle": {"per": "member", "per_minute": 60, "burst": 2, "retry_after": {"seconds": 1}}});
    let mut world = World::with_rules(json!([
        {"name": "limit", "action": throttle},
        {"name": "slow", "action": {"delay": {"before_ms": 3}}},
    ]));
    let replies: Vec<Reply> = (0..3).map(|_| world.me("access-1", "")).collect();
    assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), [200, 200, 429]);
    assert_eq!((replies[0].pace.before_ms, header(&replies[2], "retry-after")), (3, Some("1")));
    let seed = GrantSeed { access_token: Some("other".into()), ..GrantSeed::default() };
    assert!(world.provider.issue(&seed, START).is_ok());
    assert_eq!(world.me("other", "").status, 200, "another member has another bucket");
    world.now += 1000;
    assert_eq!(statuses(&mut world, 2), [200, 429]);
}

#[test]
fn the_token_endpoint_fails_too_and_counts_what_failed() {
    let path = json!({"path": "/oauth/v2/accessToken", "uses": 1});
    let counters = |world: &World| {
        let counters = world.provider.state()["refresh"][0]["counters"].clone();
        (counters["calls"].as_u64(), counters["successes"].as_u64(), counters["failures"].as_u64())
    };
    let mut world = World::with_rules(json!([{"when": path, "action": {"status": {"status": 503}}}]));
    assert_eq!((world.refresh("refresh-1").status, world.refresh("refresh-1").status), (503, 200));
    assert_eq!(counters(&world), (Some(2), Some(1), Some(1)));
    assert_eq!((world.provider.summary().refresh_calls, world.provider.summary().refreshes_ok), (2, 1));

    let mut lost = World::with_rules(json!([{"when": path, "action": "reset_after_apply"}]));
    assert_eq!(lost.refresh("refresh-1").ending, Ending::Reset);
    assert_eq!((counters(&lost), lost.provider.summary().refreshes_ok), ((Some(1), Some(1), Some(0)), 1));

    let mut cut = World::with_rules(json!([{"when": path, "action": {"malformed_json": "cut"}}]));
    assert_eq!(line(&cut.refresh("refresh-1"))["answer_body"], "[redacted]", "half a token is a secret too");
}

#[test]
fn connections_are_refused_for_a_time() {
    let mut world = World::with_rules(json!([{"when": {"from_ms": 100, "until_ms": 200}, "action": "refuse"}]));
    assert_eq!(world.provider.refused_period(START), Some((START + 100, START + 200)));
    assert_eq!(world.me("access-1", "").ending, Ending::Whole);
    world.now += 150;
    assert_eq!(world.me("access-1", "").ending, Ending::Reset);
    world.now += 50;
    assert_eq!((world.provider.refused_period(world.now), world.me("access-1", "").ending), (None, Ending::Whole));
}

#[test]
fn latency_is_drawn_from_its_range() {
    let mut world = World::new(
        &json!({"api_latency_ms": {"min_ms": 5, "max_ms": 9}, "token_latency_ms": {"min_ms": 70, "max_ms": 70}}),
    );
    let drawn: Vec<u64> = (0..50).map(|_| world.me("access-1", "").pace.before_ms).collect();
    assert!(drawn.iter().all(|ms| (5..=9).contains(ms)) && drawn.contains(&5) && drawn.contains(&9), "{drawn:?}");
    assert_eq!(world.refresh("refresh-1").pace.before_ms, 70);
}

#[test]
fn a_rule_that_cannot_be_is_an_error_that_names_the_member() {
    let mut world = World::new(&json!({}));
    let mut fault = |rule: Value| {
        let rules = [serde_json::from_value(rule).expect("a rule in form")];
        world.provider.set_faults(&rules).expect_err("it cannot be").field().to_owned()
    };
    assert_eq!(fault(json!({"when": {"probability": 2.0}, "action": "hang"})), "faults[0].when.probability");
    assert_eq!(fault(json!({"when": {"nth": 0}, "action": "hang"})), "faults[0].when.nth");
    assert_eq!(fault(json!({"when": {"path": "/x"}, "action": "refuse"})), "faults[0].when");
    assert_eq!(fault(json!({"action": {"status": {"status": 99}}})), "faults[0].action.status.status");
    assert_eq!(fault(json!({"action": {"no_body": {"status": 100}}})), "faults[0].action.no_body.status");
    let header = json!({"action": {"status": {"status": 200, "headers": {"a b": "c"}}}});
    assert_eq!(fault(header), "faults[0].action.status.headers.a b");
}
