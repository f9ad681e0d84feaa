//! The engine in a simulated world: see `docs/TESTING.md`.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test's own world: a panic in it is a failed test"
)]

mod checks;
mod clients;
mod digest;
mod draw;
mod plan;
mod world;

use plan::Plan;
use world::World;

#[test]
fn first() {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(5);
    let start: u64 = std::env::var("START").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let n: u64 = std::env::var("N").ok().and_then(|s| s.parse().ok()).unwrap_or(100);
    let mut bad = 0;
    for seed in start..start + seeds {
        let mut world = World::new(Plan::of(seed, n));
        world.run();
        if let Some(f) = world.checks.failure() {
            bad += 1;
            println!("seed {seed}: {f}\n   {:?}", world.plan.families);
        }
    }
    assert_eq!(bad, 0);
}
