//! A crash at every step of a short scenario, and at every pair of steps, with three fates of what was not durable: one
//! delivery, an old token that is revoked, a refresh, propagation, success.

use std::collections::BTreeMap;

use outlast::store::memory::Fate;

use crate::plan::Plan;
use crate::world::World;

const FATES: [Fate; 3] = [Fate::LoseAll, Fate::KeepAll, Fate::Seeded(7)];

/// The requests of the scenario without a crash: one with the dead token, two that the new one is too young for, and the
/// one that is accepted.
const CALM: u64 = 4;

/// What the provider saw of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    steps: u64,
    requests: u64,
    renewals: u64,
}

/// Runs the scenario with a crash at each of these steps, and requires that it ends as if there had been none.
fn run(crash_at: &[u64], fate: Fate) -> Seen {
    let mut world = World::new(Plan::short(crash_at.to_vec(), fate));
    world.run();
    let told = || format!("crashes at {crash_at:?}, {fate:?}");
    assert_eq!(world.checks.failure(), None, "{}", told());
    let summary = world.provider.summary();
    let crashes = crash_at.len() as u64;
    assert_eq!(summary.applied, 1, "L1 Progress: {}", told());
    assert!(summary.requests <= CALM + 2 * crashes, "S13 No stampede: {} requests; {}", summary.requests, told());
    let renewals = summary.refreshes_ok;
    assert!(renewals <= 1 + crashes, "S3 One renewal per epoch: {renewals} renewals; {}", told());
    Seen { steps: world.steps, requests: summary.requests, renewals }
}

#[test]
fn a_crash_at_every_step_changes_nothing_that_counts() {
    let calm = run(&[], Fate::LoseAll);
    assert_eq!((calm.requests, calm.renewals), (CALM, 1));
    assert!(calm.steps > 20, "the scenario has only {} steps", calm.steps);
    let mut spread = BTreeMap::new();
    for fate in FATES {
        for step in 1..=calm.steps {
            let seen = run(&[step], fate);
            *spread.entry((seen.requests, seen.renewals)).or_insert(0) += 1;
        }
    }
    println!("points: {} steps x 3 fates; runs by (requests, renewals): {spread:?}", calm.steps);
}

#[test]
fn a_crash_at_every_pair_of_steps_changes_nothing_that_counts() {
    let calm = run(&[], Fate::LoseAll);
    let (mut runs, mut spread) = (0, BTreeMap::new());
    // In a build without optimisation every third pair, each with one of the fates in turn.
    let sparse = cfg!(debug_assertions);
    for fate in FATES {
        for first in 1..=calm.steps {
            // After a crash there are more steps than before: those of the recovery too.
            for second in first + 1..=calm.steps + 12 {
                if sparse && (first + second) % 9 != 0 {
                    continue;
                }
                runs += 1;
                let seen = run(&[first, second], fate);
                *spread.entry((seen.requests, seen.renewals)).or_insert(0) += 1;
            }
        }
    }
    println!("points: {runs} pairs of crashes; runs by (requests, renewals): {spread:?}");
}
