//! Every row of the table of token states, on every kind of node.

use super::super::{GrantSeed, Provider};
use super::*;
use std::collections::BTreeSet;

fn refused(reply: &Reply) -> (u16, u64, String) {
    (reply.status, body(reply)["serviceErrorCode"].as_u64().expect("a code"), text(reply, "code"))
}

#[test]
fn no_token_is_an_empty_token() {
    let mut world = World::new(&json!({}));
    for header in [&[][..], &[("authorization", "")], &[("authorization", "  ")], &[("authorization", "Bearer ")]] {
        let reply = world.send("GET", "/rest/me", header, "");
        assert_eq!(refused(&reply), (401, 65604, "EMPTY_ACCESS_TOKEN".into()));
        assert_eq!(line(&reply)["token_state"], "missing");
    }
}

#[test]
fn an_unknown_token_is_invalid() {
    let mut world = World::new(&json!({}));
    assert_eq!(refused(&world.me("nobody's", "n1")), (401, 65600, "INVALID_ACCESS_TOKEN".into()));
    let basic = world.send("GET", "/rest/me", &[("authorization", "Basic access-1")], "");
    assert_eq!(refused(&basic), (401, 65600, "INVALID_ACCESS_TOKEN".into()));
}

#[test]
fn a_revoked_token_is_refused_by_each_node_that_knows() {
    let mut world = World::new(&json!({"node_policy": "header", "revocation_delay_ms": {"n2": 5000}}));
    world.provider.revoke_access(None, START).expect("there is a token");
    assert_eq!(refused(&world.me("access-1", "n1")), (401, 65601, "REVOKED_ACCESS_TOKEN".into()));
    assert_eq!(world.me("access-1", "n2").status, 200);
    world.now += 4999;
    assert_eq!(world.me("access-1", "n2").status, 200);
    world.now += 1;
    assert_eq!(refused(&world.me("access-1", "n2")).1, 65601);
}

#[test]
fn an_expired_token_is_refused_from_that_moment_on() {
    let mut world = World::new(&json!({"access_token_life_s": 10}));
    world.now += 9999;
    assert_eq!(world.me("access-1", "n1").status, 200);
    world.now += 1;
    assert_eq!(refused(&world.me("access-1", "n1")), (401, 65602, "EXPIRED_ACCESS_TOKEN".into()));
    world.provider.revoke_access(None, world.now).expect("there is a token");
    assert_eq!(refused(&world.me("access-1", "n1")).1, 65601, "revoked comes before expired");
}

#[test]
fn a_fresh_token_is_refused_until_the_node_has_learnt_it() {
    let mut world = World::new(&json!({"node_policy": "header", "visibility": {"fixed": {"n2": 2000, "n3": null}}}));
    let token = world.renewed();
    assert_eq!(world.me(&token, "n1").status, 200);
    assert_eq!(refused(&world.me(&token, "n2")), (401, 65601, "REVOKED_ACCESS_TOKEN".into()));
    world.now += 1999;
    let reply = world.me(&token, "n2");
    assert_eq!((reply.status, &line(&reply)["token_state"]), (401, &json!("not_visible")));
    assert_eq!(line(&reply)["token_age_ms"], 1999);
    world.now += 1;
    assert_eq!(world.me(&token, "n2").status, 200);
    world.now += 300 * DAY;
    assert_eq!(refused(&world.me(&token, "n3")).1, 65602, "expired comes before not visible");
    assert_eq!(header(&world.me(&token, "n3"), "x-li-fabric"), Some("n3"));
}

#[test]
fn the_bodies_for_revoked_and_not_yet_visible_are_the_same_bytes() {
    let mut world = World::new(&json!({"node_policy": "header", "visibility": {"fixed": {"n2": 2000}}}));
    let token = world.renewed();
    let fresh = world.me(&token, "n2");
    world.provider.revoke_access(Some(2), world.now).expect("there is a token");
    let revoked = world.me(&token, "n2");
    assert_eq!(
        (line(&fresh)["token_state"].clone(), line(&revoked)["token_state"].clone()),
        (json!("not_visible"), json!("revoked"))
    );
    assert_eq!(fresh.body, revoked.body);
    assert_eq!(fresh.status, revoked.status);
    let names = |reply: &Reply| reply.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&fresh), names(&revoked));
}

#[test]
fn a_scope_that_is_missing_is_403() {
    let mut world = World::new(&json!({}));
    let seed =
        GrantSeed { scope: "r_basicprofile".into(), access_token: Some("narrow".into()), ..GrantSeed::default() };
    world.provider.issue(&seed, START).map_err(|e| e.to_string()).expect("the grant fits");
    assert_eq!(world.me("narrow", "n1").status, 200);
    let headers = [&[("authorization", "Bearer narrow")], &API[1..]].concat();
    let reply = world.send("POST", "/rest/conversionEvents", &headers, &event("1").to_string());
    assert_eq!(refused(&reply), (403, 100, "ACCESS_DENIED".into()));
}

#[test]
fn the_code_for_a_token_not_yet_visible_can_be_chosen_and_mixed() {
    let never = json!({"n1": null, "n2": null, "n3": null, "n4": null});
    let codes = |weights: Value| {
        let mut world = World::new(&json!({"visibility": {"fixed": never.clone()}, "not_visible_code": weights}));
        let token = world.renewed();
        let replies: Vec<Reply> = (0..400).map(|_| world.me(&token, "")).collect();
        assert!(replies.iter().all(|reply| reply.status == 401));
        replies.into_iter().map(|reply| if reply.body.is_empty() { 0 } else { refused(&reply).1 }).collect::<Vec<_>>()
    };
    assert!(codes(json!({"65602": 1})).iter().all(|code| *code == 65602));
    assert!(codes(json!({"65600": 1})).iter().all(|code| *code == 65600));
    assert!(codes(json!({"no_body": 1})).iter().all(|code| *code == 0));
    let mixed = codes(json!({"65601": 3, "no_body": 1}));
    let bare = mixed.iter().filter(|code| **code == 0).count();
    assert!((60..140).contains(&bare), "a quarter of 400, not {bare}");
    assert!(mixed.iter().all(|code| [0, 65601].contains(code)));
}

#[test]
fn an_answer_without_body_has_no_content_type() {
    let mut world =
        World::new(&json!({"never_visible_on": ["n1", "n2", "n3", "n4"], "not_visible_code": {"no_body": 1}}));
    let token = world.renewed();
    let reply = world.me(&token, "");
    assert_eq!((reply.status, header(&reply, "content-type")), (401, None));
}

#[test]
fn delays_come_from_a_range_or_a_list() {
    let learnt = |switches: Value, node: &str, seed: u64| {
        let options = Options { seed, ..options(&switches) };
        let mut world = World { provider: Provider::new(options, START).expect("fits"), now: START };
        let token = world.renewed();
        (0..100).find(|step| {
            world.now = START + step * 100;
            world.me(&token, node).status == 200
        })
    };
    let uniform = json!({"node_policy": "header", "visibility": {"uniform": {"min_ms": 2000, "max_ms": 8000}}});
    let nodes = ["n1", "n2", "n3", "n4"];
    let first: Vec<_> = nodes.iter().map(|node| learnt(uniform.clone(), node, 1)).collect();
    assert!(first.iter().all(|step| step.is_some_and(|step| (20..=80).contains(&step))), "{first:?}");
    assert!(first.iter().collect::<BTreeSet<_>>().len() > 1, "nodes differ: {first:?}");
    assert_eq!(first, nodes.iter().map(|node| learnt(uniform.clone(), node, 1)).collect::<Vec<_>>());
    assert_ne!(first, nodes.iter().map(|node| learnt(uniform.clone(), node, 2)).collect::<Vec<_>>());

    let listed = json!({"node_policy": "header", "visibility": {"listed": {"2": [0, 1000, null]}}});
    let steps: Vec<_> = nodes.iter().map(|node| learnt(listed.clone(), node, 1)).collect();
    assert_eq!(steps, [Some(0), Some(10), None, Some(0)]);
}

#[test]
fn an_initial_token_is_visible_everywhere() {
    let mut world = World::new(&json!({"never_visible_on": ["n1", "n2", "n3", "n4"]}));
    assert!((0..8).all(|_| world.me("access-1", "").status == 200));
    let token = world.renewed();
    assert!((0..8).all(|_| world.me(&token, "").status == 401));
}

#[test]
fn nodes_take_turns_stick_or_obey() {
    let serving = |policy: &str, tcp: &[u64]| {
        let mut world = World::new(&json!({"node_policy": policy}));
        let serve = |tcp: &u64| {
            let mut head = Head { method: "GET".into(), path: "/".into(), query: None, headers: vec![], tcp: *tcp };
            head.headers.push(("authorization".into(), "Bearer access-1".into()));
            let reply = world.provider.respond(&Incoming { head, body: bytes::Bytes::new() }, START);
            header(&reply, "x-li-fabric").expect("a node answers").to_owned()
        };
        tcp.iter().map(serve).collect::<Vec<_>>()
    };
    assert_eq!(serving("round_robin", &[1; 5]), ["n1", "n2", "n3", "n4", "n1"]);
    let random = serving("seeded_random", &[1; 40]);
    assert_eq!(random.iter().collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(random, serving("seeded_random", &[1; 40]));
    let sticky = serving("sticky_by_connection", &[1, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((&sticky[0], &sticky[1]), (&sticky[2], &sticky[3]));
    assert!(sticky.iter().collect::<BTreeSet<_>>().len() > 1);
    assert_eq!(World::new(&json!({"node_policy": "header"})).me("access-1", "n9").status, 400);
}
