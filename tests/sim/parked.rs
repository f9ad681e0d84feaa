//! L2: work behind a dead credential waits, without a request, a token call or a write, and is released in order, beside what
//! comes then.

use outlast::state::State;
use outlast::verify::Raw;

use crate::plan::{PARKED, Plan, RELEASED_AT};
use crate::world::{START, World};

/// In this time after the release, in ms, both have something left: what waited, and what is newer and was accepted by then.
const BOTH: (u64, u64) = (2_500, 9_000);

/// A release, and what of it was seen: which deliveries had been sent before it, and between which steps both were due.
struct Release {
    world: World,
    tried: Vec<u64>,
    began: u64,
    ended: u64,
}

fn released(crash_at: Vec<u64>) -> Release {
    let mut world = World::new(Plan::parked(crash_at));
    world.run_until(START + 60_000);
    let stands = || format!("{:?}", Raw(&world.store).deliveries());
    let before = (stands(), world.provider.summary().token_calls);
    world.run_until(START + RELEASED_AT - 1);
    let stands = format!("{:?}", Raw(&world.store).deliveries());
    let after = (stands, world.provider.summary().token_calls);
    assert!(before == after, "L2: something was written or asked for although the credential is dead");
    let tried = world.checks.departures.clone();
    assert!(tried.iter().all(|n| *n < 5), "L2: {tried:?} were sent although the credential is dead");
    assert!(after.1 <= 2, "L2: {} token calls for a dead grant", after.1);
    world.run_until(START + RELEASED_AT + BOTH.0);
    let began = world.steps;
    world.run_until(START + RELEASED_AT + BOTH.1);
    let ended = world.steps;
    world.run();
    Release { world, tried, began, ended }
}

/// All is delivered, what waited in its order; and where both were due, each had its share.
fn judge(release: &Release, told: &str) {
    let Release { world, tried, .. } = release;
    assert_eq!(world.checks.failure(), None, "{told}");
    let done = Raw(&world.store).deliveries();
    assert!(done.iter().all(|one| matches!(one.delivery.state, State::Done { .. })), "L1 Progress: {told}");
    assert_eq!(done.len() as u64, 2 * PARKED, "S1 No loss: {told}");

    let mut first = Vec::new();
    for n in world.checks.departures.iter().skip(tried.len()) {
        if !first.contains(n) {
            first.push(*n);
        }
    }
    let is_old = |n: &u64| *n < PARKED;
    let (old, new): (Vec<u64>, Vec<u64>) = first.iter().filter(|n| !tried.contains(n)).partition(|n| is_old(n));
    assert!(old.is_sorted(), "L2: released out of order: {old:?}; {told}");
    // Both are due from when the first of what is new leaves until the last of either has.
    let place = |n: Option<&u64>| first.iter().position(|other| Some(other) == n).expect("it was sent");
    let both = first.get(place(new.first())..=place(new.last()).min(place(old.last()))).unwrap_or_default();
    assert!(
        both.len() >= 100,
        "L2: one of both left before the other one; {} left while both were due; {told}",
        both.len()
    );
    for window in both.windows(10) {
        let old = window.iter().filter(|n| is_old(n)).count();
        assert!(old >= 1, "L2: less than a tenth of the admissions were of what had waited: {window:?}; {told}");
        assert!(old <= 4, "L2: live traffic had less than the backlog's share: {window:?}; {told}");
    }
}

#[test]
fn work_behind_a_dead_credential_waits_and_is_released_in_order() {
    let release = released(Vec::new());
    judge(&release, "without a crash");
    println!("parked: {} waited, {} requests before the release", PARKED, release.tried.len());
}

#[test]
fn a_crash_in_the_middle_of_a_release_changes_neither_order_nor_share() {
    let calm = released(Vec::new());
    let steps = calm.ended - calm.began;
    for part in 1..8 {
        let at = calm.began + part * steps / 8;
        judge(&released(vec![at]), &format!("a crash at step {at}"));
    }
    println!("parked: 7 crashes in {steps} steps of a release");
}
