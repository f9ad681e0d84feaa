//! Which events share a request, for how long they wait for each other, and what becomes of a batch that may have arrived:
//! LinkedIn's audiences, request by request.

mod desk;

use outlast::destination::Batching;
use outlast::state::State;
use serde_json::{Value, json};

use desk::{Desk, event, events, lingering, settings};

const MANY: Batching = Batching::up_to(5_000);
const SIX: [&str; 6] = ["f", "e", "d", "c", "b", "a"];

fn enter(desk: &mut Desk, events: &[Value]) {
    desk.enter(&events.iter().collect::<Vec<_>>());
}

#[test]
fn events_share_requests_with_their_own_audience_alone() {
    let mut desk = Desk::knowing(MANY, &["one", "two"]);
    let (ones, twos) = (["a", "b", "c", "d"], ["e", "f", "g", "h"]);
    let mixed: Vec<Value> =
        ones.iter().zip(&twos).flat_map(|(one, two)| [event("one", one), event("two", two)]).collect();
    enter(&mut desk, &mixed);
    assert_eq!(desk.names(), [ones, twos]);
    assert_ne!(desk.log[0].path, desk.log[1].path, "each goes to the segment of its audience");
    desk.answer();
    assert!(ones.iter().chain(&twos).all(|name| desk.is_done(name)));
    assert_eq!(desk.log.len(), 2);
}

#[test]
fn a_batch_holds_so_many_bytes_and_so_many_events_at_most() {
    let all = events("one", &["a", "b", "c", "d", "e", "f", "g"]);
    let size = all[0].to_string().len() as u64;
    let sizes = |batching: Batching| {
        let mut desk = Desk::knowing(batching, &["one"]);
        enter(&mut desk, &all);
        desk.answer();
        desk.names().iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(sizes(Batching { bytes: 3 * size, ..MANY }), [3, 3, 1]);
    assert_eq!(sizes(Batching { bytes: 3 * size - 1, ..MANY }), [2, 2, 2, 1]);
    assert_eq!(sizes(Batching { bytes: 1, ..MANY }), [1; 7], "what is larger goes alone");
    assert_eq!(sizes(Batching::up_to(4)), [4, 3]);
}

#[test]
fn a_lone_event_waits_for_others_and_a_full_batch_does_not() {
    let mut desk = Desk::knowing(lingering(3, 5_000), &["one"]);
    enter(&mut desk, &events("one", &["a"]));
    desk.pass(4_999);
    assert_eq!(desk.log.len(), 0);
    desk.pass(1);
    assert_eq!(desk.names(), [["a"]]);
    desk.answer();
    enter(&mut desk, &events("one", &["b"]));
    desk.pass(3_000);
    enter(&mut desk, &events("one", &["c"]));
    assert_eq!(desk.log.len(), 1);
    desk.pass(2_000);
    assert_eq!(desk.names()[1..], [["b", "c"]], "it waits for as long as the first of them does");
    desk.answer();
    enter(&mut desk, &events("one", &["d", "e", "f", "g"]));
    assert_eq!(desk.names()[2..], [["d", "e", "f"]], "who fills a batch waits for nobody");
    desk.pass(5_000);
    assert_eq!(desk.names()[3..], [["g"]]);
}

#[test]
fn an_event_that_wants_to_be_alone_is_alone() {
    let mut desk = Desk::knowing(lingering(100, 5_000), &["one"]);
    let mut all = events("one", &["a", "b", "c", "d", "e"]);
    all[1]["properties"]["together"] = json!(false);
    all[3]["properties"]["together"] = json!(false);
    all[4]["properties"]["together"] = json!(true);
    enter(&mut desk, &all);
    assert_eq!(desk.names(), [["b"], ["d"]], "and waits for nobody");
    desk.pass(5_000);
    assert_eq!(desk.names()[2..], [["a", "c", "e"]]);
}

#[test]
fn where_a_batch_is_lost_a_member_that_could_not_be_sent_is_concluded_and_only_the_others_are_doubtful() {
    let mut desk = Desk::knowing(MANY, &["one"]);
    let both = |name: &str| {
        let mut event = event("one", name);
        event["context"] = json!({"device": {"advertisingId": format!("device-{name}")}});
        event
    };
    desk.kill_for(settings(lingering(100, 300_000)));
    enter(&mut desk, &[both("a"), event("one", "unfit"), both("b")]);
    // The operator turns addresses off before they leave: one of the batch has no other identifier.
    desk.kill_for(settings(lingering(100, 300_000)).send_email(false));
    desk.pass(300_000);
    assert_eq!(desk.names(), [["a", "b"]]);
    desk.lose_answers();
    assert!(matches!(desk.stored("unfit").state, State::Failed { in_doubt: false, .. }), "{:?}", desk.stored("unfit"));
    assert_eq!(["a", "unfit", "b"].map(|name| desk.stored(name).doubt), [true, false, true]);
    desk.pass(300_000);
    assert_eq!(desk.log[0], desk.log[1], "they are sent again as they were");
    desk.answer();
    assert!(desk.is_done("a") && desk.is_done("b"));
}

#[test]
fn a_batch_that_may_have_arrived_is_sent_again_byte_for_byte_also_after_a_kill() {
    let mut desk = Desk::knowing(MANY, &["one"]);
    enter(&mut desk, &events("one", &SIX));
    assert_eq!(desk.names(), [SIX]);
    desk.lose_answers();
    enter(&mut desk, &events("one", &["g"]));
    assert_eq!(desk.names()[1..], [["g"]], "it does not join a batch that is told again");
    desk.answer();
    desk.pass(600_000);
    assert_eq!(desk.log[2], desk.log[0], "the same members in the same order");
    // It is in the air when the process is killed; and once more.
    for again in 3..5 {
        desk.kill();
        desk.pass(600_000);
        assert_eq!(desk.log.len(), again + 1);
        assert_eq!(desk.log[again], desk.log[0]);
    }
    enter(&mut desk, &events("one", &["h"]));
    desk.answer();
    assert!(SIX.iter().chain(&["g", "h"]).all(|name| desk.is_done(name)));
    assert_eq!(desk.names()[5..], [["h"]]);
}

#[test]
fn a_cancelled_member_of_a_batch_that_may_have_arrived_is_left_out() {
    let mut desk = Desk::knowing(MANY, &["one"]);
    enter(&mut desk, &events("one", &SIX));
    desk.lose_answers();
    drop(desk.life.cancel(desk.ids["d"]));
    desk.turn();
    assert!(matches!(desk.stored("d").state, State::Failed { in_doubt: true, .. }), "it may have arrived");
    desk.pass(600_000);
    assert_eq!(desk.names()[1..], [["f", "e", "c", "b", "a"]]);
    desk.kill();
    desk.pass(600_000);
    assert_eq!(desk.log[2], desk.log[1]);
    desk.answer();
    assert!(["f", "e", "c", "b", "a"].iter().all(|name| desk.is_done(name)));
}

#[test]
fn a_split_narrows_down_on_who_is_at_fault_and_costs_nobody_anything() {
    let mut desk = Desk::knowing(MANY, &["one"]);
    let all = ["a", "b", "poison", "d", "e", "f", "g", "h"];
    enter(&mut desk, &events("one", &all));
    let mut later = 0;
    while desk.life.live() > 0 {
        assert!(later < 20, "L1 Progress: {:?}", desk.names());
        desk.answer_as(|left| left.names().iter().any(|name| name == "poison").then_some(400));
        enter(&mut desk, &events("one", &[&format!("later {later}")]));
        desk.pass(60_000);
        later += 1;
        desk.answer_as(|left| left.names().iter().any(|name| name == "poison").then_some(400));
    }
    let with: Vec<usize> =
        desk.names().iter().filter(|names| names.iter().any(|name| name == "poison")).map(Vec::len).collect();
    assert!(with[0] == 8 && with.last() == Some(&1), "{with:?}");
    assert!(with.windows(2).all(|sizes| sizes[1] <= sizes[0] / 2), "nobody joins it again: {with:?}");
    assert!(
        matches!(desk.stored("poison").state, State::Failed { in_doubt: false, .. }),
        "{:?}",
        desk.stored("poison")
    );
    for name in desk.ids.keys().filter(|name| *name != "poison") {
        assert!(desk.is_done(name), "{name}: {:?}", desk.stored(name));
        assert_eq!(desk.stored(name).spent, 0, "a split spends nothing: {name}");
    }
}

#[test]
fn a_segment_is_kept_in_mind_over_a_kill_and_for_a_day() {
    let mut desk = Desk::knowing(MANY, &["one"]);
    desk.kill();
    enter(&mut desk, &events("one", &["a"]));
    let asked = |desk: &Desk| desk.log.iter().map(|left| left.method.clone()).collect::<Vec<_>>();
    assert_eq!(asked(&desk), ["POST"]);
    assert!(desk.log[0].path.ends_with("/users"), "it is not looked up: {}", desk.log[0].path);
    desk.answer();
    desk.pass(86_400_000);
    enter(&mut desk, &events("one", &["b"]));
    desk.answer();
    assert_eq!(asked(&desk), ["POST", "GET", "POST"], "after a day it is looked up");
    enter(&mut desk, &events("one", &["c"]));
    assert_eq!(asked(&desk)[3..], ["POST"], "and kept in mind again");
    desk.kill();
    desk.pass(600_000);
    assert_eq!(desk.log[4], desk.log[3]);
}
