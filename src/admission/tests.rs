use super::*;
use outlast_state::{Span, Want};

fn id(number: u128) -> DeliveryId {
    DeliveryId::from_u128(number)
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn waits(number: u128) -> Standing<'static> {
    let want = Want::Admission { from: at(5) };
    Standing { id: id(number), lane: Some("a"), want, sent: false, failed: false, doubt: None }
}

fn ended(number: u128) -> Standing<'static> {
    Standing { want: Want::Nothing, sent: true, ..waits(number) }
}

fn ready(queue: &Queue, now: u64) -> Vec<DeliveryId> {
    [Lot::Backlog, Lot::Live].iter().flat_map(|lot| queue.ready(*lot, Epoch::NONE, at(now))).map(|(id, _)| id).collect()
}

#[test]
fn only_the_head_of_a_lane_may_leave_and_an_emptied_lane_is_dropped() {
    let mut queue = Queue::default();
    for number in [2, 1, 3] {
        queue.place(&waits(number), None, at(0));
    }
    assert_eq!(ready(&queue, 4), []);
    assert_eq!(ready(&queue, 5), [id(1)]);
    queue.place(&ended(1), None, at(6));
    assert_eq!(ready(&queue, 6), [id(2)]);
    assert!(queue.was_overtaken(id(0), "a") && !queue.was_overtaken(id(1), "a"));
    queue.place(&ended(2), None, at(6));
    queue.place(&ended(3), None, at(6));
    assert!(queue.lanes.is_empty() && queue.earliest().is_none());
}

#[test]
fn a_lane_is_kept_while_something_in_it_may_be_redriven() {
    let mut queue = Queue::default();
    queue.place(&Standing { failed: true, ..ended(1) }, None, at(0));
    queue.place(&ended(2), None, at(0));
    assert!(queue.was_overtaken(id(1), "a"));
    queue.place(&waits(1), None, at(0));
    queue.place(&ended(1), None, at(0));
    assert!(queue.lanes.is_empty());
}

#[test]
fn a_doubt_holds_the_others_and_not_the_doubtful_one() {
    let mut queue = Queue::default();
    let until = at(100).after(Span::from_secs(30));
    queue.place(&Standing { doubt: Some(until), sent: true, ..waits(1) }, None, at(100));
    queue.place(&waits(2), None, at(100));
    assert_eq!(ready(&queue, 100), [id(1)]);
    queue.place(&Standing { doubt: Some(until), ..ended(1) }, None, at(200));
    assert_eq!(ready(&queue, 200), []);
    assert_eq!(ready(&queue, 30_100), [id(2)]);
    queue.place(&ended(2), None, at(300));
    assert!(queue.knows("a"), "a parcel that comes now has to wait too");
    queue.place(&Standing { lane: Some("b"), ..waits(9) }, None, at(30_100));
    assert!(!queue.knows("a"), "nothing depends on it any more");
}

#[test]
fn a_damaged_parcel_stops_its_lane() {
    let mut queue = Queue::default();
    queue.place(&waits(1), None, at(0));
    queue.place(&waits(3), None, at(0));
    queue.block(id(2), "a");
    assert_eq!(ready(&queue, 5), [id(1)]);
    queue.place(&ended(1), None, at(5));
    assert_eq!(ready(&queue, 5), []);
    queue.block(id(0), "b");
    queue.place(&Standing { lane: Some("b"), ..waits(8) }, None, at(5));
    assert_eq!(ready(&queue, 5), []);
}
