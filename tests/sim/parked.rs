//! L2: work behind a dead credential waits, without a request and without a token call, and is released in order, beside what
//! comes then.

use outlast::state::State;
use outlast::verify::Raw;

use crate::plan::{PARKED, Plan, RELEASED_AT};
use crate::world::{START, World};

#[test]
fn work_behind_a_dead_credential_waits_and_is_released_in_order() {
    let mut world = World::new(Plan::parked());
    world.run_until(START + RELEASED_AT - 1);
    let before = world.provider.summary();
    let tried = world.checks.departures.clone();
    assert!(tried.iter().all(|n| *n < 5), "L2: {tried:?} were sent although the credential is dead");
    assert!(before.token_calls <= 2, "L2: {} token calls for a dead grant", before.token_calls);
    world.run();
    assert_eq!(world.checks.failure(), None);
    let done = Raw(&world.store).deliveries();
    assert!(done.iter().all(|one| matches!(one.delivery.state, State::Done { .. })), "L1 Progress");
    assert_eq!(done.len() as u64, 2 * PARKED);

    let mut first = Vec::new();
    for n in world.checks.departures.iter().skip(tried.len()) {
        if !first.contains(n) {
            first.push(*n);
        }
    }
    let parked: Vec<u64> = first.iter().copied().filter(|n| *n < PARKED && !tried.contains(n)).collect();
    assert!(parked.is_sorted(), "L2: released out of order: {parked:?}");
    let last = first.iter().position(|n| Some(n) == parked.last()).expect("they were sent");
    for window in first[..last].chunks_exact(10) {
        let old = window.iter().filter(|n| **n < PARKED).count();
        assert!(old >= 1, "L2: less than a tenth of the admissions were of what had waited: {window:?}");
    }
    println!("parked: {} waited, {} requests before the release", PARKED, tried.len());
}
