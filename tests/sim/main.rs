//! The engine in a simulated world: see `docs/TESTING.md`.
//!
//! | variable | what it sets | default |
//! |---|---|---|
//! | `OUTLAST_SIM_SEEDS` | how many worlds | 12 |
//! | `OUTLAST_SIM_FIRST` | the first seed | 1 |
//! | `OUTLAST_SIM_DELIVERIES` | deliveries in each world | 120 |
//! | `OUTLAST_SIM_SECONDS` | no new world is begun after so many seconds | unbounded |
//! | `OUTLAST_SIM_HASTE` | 1: the first failure ends it and is told as it is, neither made smaller nor kept | 0 |
//! | `OUTLAST_SIM_REPLAY` | a line of `tests/seeds.txt` to replay, instead of all of them | |

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test's own world: a panic in it is a failed test"
)]

mod audiences;
mod batching;
mod checks;
mod clients;
mod coverage;
mod digest;
mod draw;
mod lanes;
mod opening;
mod parked;
mod plan;
mod points;
mod retention;
mod rotation;
mod run;
mod situations;
mod world;
mod year;

use std::path::Path;

use outlast::clock::wall;

use plan::Plan;
use run::{line, outcome, parsed, shrunk, swarm};

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}: {text:?} is no number")),
        Err(_) => default,
    }
}

/// Whether it is enough to know that something fails, as for a mutant.
fn is_hasty() -> bool {
    number("OUTLAST_SIM_HASTE", 0) > 0
}

/// Prints how to see a failure again, and keeps it.
fn report(plan: &Plan, failure: &str) -> String {
    if is_hasty() {
        return format!("{failure}\n  {}", line(plan));
    }
    let (small, told) = shrunk(plan, failure);
    let kept = line(&small);
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds.txt");
    let known = std::fs::read_to_string(&seeds).unwrap_or_default();
    if !known.lines().any(|line| line.starts_with(&kept)) {
        let what = told.lines().next().unwrap_or_default().chars().take(100).collect::<String>();
        std::fs::write(&seeds, format!("{known}{kept} # {what}\n")).unwrap();
    }
    format!(
        "{told}\n  kept in tests/seeds.txt; replay it with\n  OUTLAST_SIM_REPLAY='{kept}' cargo test --release --features verify --test sim replay -- --nocapture\n"
    )
}

/// Whatever once failed, and whatever is asked for.
#[test]
fn replays_hold() {
    let asked = std::env::var("OUTLAST_SIM_REPLAY").ok();
    let kept = include_str!("../seeds.txt");
    let mut failures = Vec::new();
    for one in asked.as_deref().unwrap_or(kept).lines() {
        let Some(plan) = parsed(one) else { continue };
        if let Some(failure) = outcome(&plan).failure {
            failures.push(format!("{one}\n  {failure}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn no_world_breaks_an_invariant() {
    let (first, seeds) = (number("OUTLAST_SIM_FIRST", 1), number("OUTLAST_SIM_SEEDS", 12));
    let deliveries = number("OUTLAST_SIM_DELIVERIES", 120);
    let (began, most) = (wall(), number("OUTLAST_SIM_SECONDS", 1 << 30));
    let lasted = || wall().since(began).as_millis() / 1000;
    // In haste on one thread: which failure is the first is then the seeds' doing alone.
    let most_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if is_hasty() { 1 } else { most_threads };
    let total = swarm(first, seeds, deliveries, threads, &|failures| lasted() > most || (failures > 0 && is_hasty()));
    println!(
        "sim: {} worlds from seed {first}, {} deliveries, {} checks, {} violations, in {} s",
        total.seeds,
        total.deliveries,
        total.checked,
        total.failures.len(),
        lasted()
    );
    let missing = coverage::missing(&total);
    println!("sim: {}", coverage::rarest(&total.marks));
    println!("sim: met {:?}\nsim: failed for {:?}", total.met, total.reasons);
    let told: Vec<String> = total.failures.iter().take(3).map(|(plan, failure)| report(plan, failure)).collect();
    assert!(
        told.is_empty(),
        "{} of {} worlds failed, among them:\n{}",
        total.failures.len(),
        total.seeds,
        told.join("\n")
    );
    assert!(
        total.deliveries < coverage::ENOUGH || missing.is_empty(),
        "the simulator has gone blind: in {} deliveries there was no\n{}",
        total.deliveries,
        missing.join("\n")
    );
}

/// The same seed is the same world, commit for commit.
#[test]
fn a_seed_is_one_world() {
    let seeds = number("OUTLAST_SIM_SEEDS", 12).min(100);
    for seed in 1..=seeds {
        let plan = Plan::of(seed, 60);
        let (first, second) = (outcome(&plan), outcome(&plan));
        assert_eq!(first.digest, second.digest, "seed {seed} went two ways");
        assert_eq!(first.checked, second.checked, "seed {seed} was seen two ways");
    }
}
