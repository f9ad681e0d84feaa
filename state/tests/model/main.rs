//! The composed model: deliveries, credentials and their gates, with every interleaving of what may happen.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a model's own world: a panic in it is a failed test, and how long it takes is printed"
)]

mod events;
mod invariants;
mod rules;
mod search;
mod turn;
mod world;

use std::time::Instant;

use events::Scope;
use rules::SHIPPING;
use search::{Found, Model, Search};
use world::TICK;

const PLAIN: Model = Model {
    rules: SHIPPING,
    settle: TICK,
    scope: Scope { planned: false, throttled: true, pause: true },
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

#[test]
fn one_delivery() {
    let found = searched::<1, 1>("1 delivery, 1 credential", PLAIN);
    assert!(found.broken.is_empty());
}

#[test]
fn two_deliveries() {
    let found = searched::<2, 1>("2 deliveries, 1 credential", PLAIN);
    assert!(found.broken.is_empty());
}

#[test]
fn three_deliveries() {
    let found = searched::<3, 1>("3 deliveries, 1 credential", PLAIN);
    assert!(found.broken.is_empty());
}

#[test]
fn three_slow() {
    let found = searched::<3, 1>("3 deliveries, 1 credential, settle 2", Model { settle: TICK.times(2), ..PLAIN });
    assert!(found.broken.is_empty());
}

#[test]
fn two_slow() {
    let found = searched::<2, 1>("2 deliveries, 1 credential, settle 2", Model { settle: TICK.times(2), ..PLAIN });
    assert!(found.broken.is_empty());
}

const PLANNED: Model = Model { scope: Scope { planned: true, throttled: false, pause: false }, ..PLAIN };
#[test]
fn next1() {
    let found = searched::<1, 1>("1 delivery, next", PLANNED);
    assert!(found.broken.is_empty());
}
#[test]
fn next2() {
    let found = searched::<2, 1>("2 deliveries, next", PLANNED);
    assert!(found.broken.is_empty());
}
