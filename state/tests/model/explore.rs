//! The same model under stateright: that another checker counts the same states, and its explorer to walk in it by hand.
//!
//! `OUTLAST_EXPLORE=127.0.0.1:3000 cargo test -p outlast-state --test model the_explorer` serves it until it is interrupted.

use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::{Checker, Property};

use super::PLAIN;
use super::events::Event;
use super::invariants::check;
use super::search::{Model, Search};
use super::turn::Turn;
use super::world::World;

/// A state, and what did not hold of the step that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Seen<const D: usize> {
    world: World<D, 1>,
    broken: Option<&'static str>,
}

struct Explored<const D: usize>(Model);

/// Deliveries of one credential are alike: their order is forgotten.
fn ordered<const D: usize>(mut world: World<D, 1>) -> World<D, 1> {
    world.parcels.sort_by_cached_key(|parcel| {
        let mut hasher = DefaultHasher::new();
        parcel.hash(&mut hasher);
        hasher.finish()
    });
    world
}

impl<const D: usize> stateright::Model for Explored<D> {
    type State = Seen<D>;
    type Action = Event;

    fn init_states(&self) -> Vec<Seen<D>> {
        vec![Seen { world: ordered(World::first(self.0.settle)), broken: None }]
    }

    fn actions(&self, state: &Seen<D>, actions: &mut Vec<Event>) {
        actions.extend(state.world.events(self.0.scope));
    }

    fn next_state(&self, before: &Seen<D>, event: Event) -> Option<Seen<D>> {
        let after = Turn::of(before.world, event, &self.0.rules);
        let mut broken = Vec::new();
        check(&before.world, event, &after, &mut broken);
        Some(Seen { world: ordered(after.canonical()), broken: broken.first().map(|(invariant, _)| *invariant) })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("every invariant holds", |_, seen: &Seen<D>| seen.broken.is_none()),
            Property::sometimes("everything ends", |_, seen: &Seen<D>| seen.world.is_over()),
        ]
    }
}

#[test]
fn stateright_counts_the_same_states() {
    let ours = Search::<1, 1>::of(PLAIN);
    let theirs = stateright::Model::checker(Explored::<1>(PLAIN)).spawn_bfs().join();
    theirs.assert_properties();
    assert_eq!(theirs.unique_state_count(), ours.states);
    // It counts the first state, and a state for each edge.
    assert_eq!(theirs.state_count() as u64, ours.edges + 1);
}

#[test]
fn stateright_finds_a_way_to_what_a_bad_rule_breaks() {
    let rules = super::naive::LOCK_ONLY;
    let theirs = stateright::Model::checker(Explored::<1>(Model { rules, ..PLAIN })).spawn_bfs().join();
    let path = theirs.discovery("every invariant holds").expect("a lock around the refresh is not enough");
    assert!(path.last_state().broken.is_some());
}

#[test]
fn the_explorer_is_served_where_it_is_asked_for() {
    if let Ok(address) = std::env::var("OUTLAST_EXPLORE") {
        println!("http://{address}");
        stateright::Model::checker(Explored::<2>(PLAIN)).serve(address);
    }
}
