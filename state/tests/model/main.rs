//! The composed model: deliveries, credentials and their gates, with every interleaving of what may happen.
//!
//! It runs the shipping rules. What is the model's own is the shell between them ([`turn`]) and the form of a state
//! ([`world`]). Checked at every step: S1 to S9, S12, S13 for the canary, L1 and L2 ([`invariants`]); on the whole graph:
//! nothing goes round without time passing, and with a healed provider and a fair scheduler every way ends with each
//! delivery final, or parked behind a dead credential ([`search`]). Crashes, epochs and what operators do have no bound.
//!
//! `cargo test -p outlast-state --test model` looks at the small configurations; with `OUTLAST_MODEL=full` at all.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a model's own world: a panic in it is a failed test, and how long it takes is printed"
)]

mod broken;
mod events;
mod explore;
mod invariants;
mod naive;
mod rules;
mod search;
mod turn;
mod world;

use std::time::Instant;

use events::{Calls, Scope};
use rules::SHIPPING;
use search::{Found, Model, Search};
use world::TICK;

const PLAIN: Model = Model {
    rules: SHIPPING,
    settle: TICK,
    scope: Scope { planned: false, held_back: true, all: true, calls: Calls::OneAtATime },
    most: usize::MAX,
};

fn searched<const D: usize, const C: usize>(name: &str, model: Model) -> Found {
    let began = Instant::now();
    let found = Search::<D, C>::of(model);
    println!("{name}: {} states, {} edges, {:?}", found.states, found.edges, began.elapsed());
    for (invariant, told) in &found.broken {
        println!("{invariant}: {told}\n");
    }
    found
}

const PLANNED: Model =
    Model { scope: Scope { planned: true, held_back: false, all: true, calls: Calls::OneAtATime }, ..PLAIN };

fn holds<const D: usize, const C: usize>(name: &str, model: Model, states: usize, edges: u64) {
    let found = searched::<D, C>(name, model);
    assert!(found.broken.is_empty(), "{name}: {:?} does not hold", found.broken.keys());
    assert_eq!(
        (found.states, found.edges),
        (states, edges),
        "{name}: not the states and edges that were counted before"
    );
}

/// The larger configurations run with `OUTLAST_MODEL=full`.
fn is_full() -> bool {
    std::env::var("OUTLAST_MODEL").is_ok_and(|size| size == "full")
}

#[test]
fn one_delivery_holds() {
    holds::<1, 1>("1 delivery, 1 credential", PLAIN, 9_566, 95_322);
}

#[test]
fn two_deliveries_hold() {
    holds::<2, 1>("2 deliveries, 1 credential", PLAIN, 126_196, 1_697_342);
}

#[test]
fn one_delivery_with_a_next_token_holds() {
    holds::<1, 1>("1 delivery, 1 credential, planned refresh", PLANNED, 43_053, 410_083);
}

#[test]
fn three_deliveries_hold() {
    if is_full() {
        holds::<3, 1>("3 deliveries, 1 credential", PLAIN, 981_012, 16_825_916);
    }
}

#[test]
fn two_deliveries_with_a_long_settle_window_hold() {
    if is_full() {
        let slow = Model { settle: TICK.times(2), ..PLAIN };
        holds::<2, 1>("2 deliveries, 1 credential, a settle window of two ticks", slow, 177_212, 2_349_956);
    }
}

#[test]
fn two_deliveries_with_a_next_token_hold() {
    if is_full() {
        holds::<2, 1>("2 deliveries, 1 credential, planned refresh", PLANNED, 546_649, 7_337_282);
    }
}

/// Two credentials with a delivery each share nothing but time and crashes. So few things happen in each of them here.
const FEW: Model = Model { scope: Scope { all: false, ..PLANNED.scope }, ..PLANNED };

#[test]
fn two_credentials_with_a_delivery_each_hold() {
    if is_full() {
        holds::<2, 2>("2 deliveries, 2 credentials, planned refresh, few verdicts", FEW, 1_856_971, 13_858_922);
    } else {
        holds::<1, 1>("1 delivery, 1 credential, planned refresh, few verdicts", FEW, 2_068, 9_713);
    }
}
