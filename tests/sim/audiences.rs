//! Audiences keep their order: people and companies enter and leave by the thousand, the provider fails in every way that it
//! knows, the engine is killed again and again, and in the end each segment holds whom the events say.
//!
//! `OUTLAST_AUDIENCES_SEED` chooses another seed.

mod script;
mod world;

use outlast::clock::wall;
use outlast::destination::linkedin::Audiences;
use outlast::destination::{Batching, Conclusion, Conversation, Destination, Item, Memo, Turn};
use outlast::route::Action;
use outlast::state::Time;
use serde_json::{Value, json};

use world::World;

/// What is to happen.
#[derive(Clone)]
pub(crate) struct Plan {
    seed: u64,
    pairs: usize,
    /// Whether anything goes wrong beside segments that are not ready and a race for one.
    trouble: bool,
    lanes: bool,
    /// Of so many moments at which the engine may be killed, it is killed at one.
    commits_a_crash: u64,
}

impl Plan {
    fn of(pairs: usize) -> Plan {
        let seed = crate::number("OUTLAST_AUDIENCES_SEED", 1);
        Plan { seed, pairs, trouble: true, lanes: true, commits_a_crash: 90 }
    }

    fn faults(&self) -> Value {
        if !self.trouble {
            return json!([]);
        }
        json!([
            {"when": {"path": "/rest/dmpSegments", "method": "POST", "nth": 2}, "action": "reset_after_apply"},
            {"when": {"probability": 0.03}, "action": {"status": {"status": 503}}},
            {"when": {"probability": 0.01}, "action": {"status": {"status": 429, "retry_after": {"seconds": 3}}}},
            {"when": {"probability": 0.03}, "action": "reset_before_read"},
            {"when": {"probability": 0.03}, "action": "reset_after_apply"},
            {"when": {"probability": 0.03}, "action": "reset_mid_body"},
            {"when": {"probability": 0.005}, "action": "hang"},
            {"when": {"path": "/rest/dmpSegments/*", "probability": 0.06}, "action": {"element_status": [
                {"index": 0, "status": 500}, {"index": 2, "status": 429}, {"index": 3, "status": 500}, {"index": 9, "status": 500}
            ]}}
        ])
    }
}

/// What was seen.
#[derive(Debug, Default)]
#[expect(dead_code, reason = "some are only printed")]
pub(crate) struct Figures {
    events: usize,
    failed: u64,
    members: usize,
    /// Members that are in a segment and should not be, or the other way round.
    strayed: usize,
    crashes: u64,
    lives: u64,
    commits: u64,
    faults: u64,
    tokens: u64,
    refused: u64,
    not_ready: u64,
    races: u64,
    batches: u64,
    largest: usize,
    spent: u64,
    minutes: u64,
}

/// The same destination, but for its lanes.
pub(crate) struct Unlaned(pub(crate) Audiences);

impl Destination for Unlaned {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        self.0.converse(conversation)
    }

    fn actions(&self) -> &[Action] {
        self.0.actions()
    }

    fn check(&self, item: &Item<'_>, began: Time) -> Result<(), Conclusion> {
        self.0.check(item, began)
    }

    fn batching(&self) -> Batching {
        self.0.batching()
    }

    fn sorts(&self) -> bool {
        true
    }

    fn batch_key(&self, item: &Item<'_>) -> Option<String> {
        self.0.batch_key(item)
    }

    fn remember(&self, conversation: &Conversation<'_>) -> Vec<Memo> {
        self.0.remember(conversation)
    }
}

fn ran(plan: &Plan) -> (Figures, Vec<String>) {
    let began = wall();
    let (figures, wrong) = World::new(plan.clone()).run();
    println!("audiences: seed {}, in {} ms: {figures:?}", plan.seed, wall().since(began).as_millis());
    (figures, wrong)
}

/// Two worlds of half of them each, on as many cores.
#[test]
fn twenty_thousand_entries_and_exits_keep_their_order_through_faults_and_crashes() {
    std::thread::scope(|scope| {
        for world in 0..2 {
            scope.spawn(move || {
                let first = Plan::of(5_000);
                let plan = Plan { seed: first.seed + world, ..first };
                let (figures, wrong) = ran(&plan);
                assert!(wrong.is_empty(), "seed {}:\n{}", plan.seed, wrong.join("\n"));
                let calm = format!("seed {} is too calm: {figures:?}", plan.seed);
                assert!(figures.crashes >= 12 && figures.faults >= 50 && figures.largest >= 30, "{calm}");
                assert!(figures.races >= 1 && figures.refused >= 1, "{calm}");
            });
        }
    });
}

#[test]
fn a_segment_that_is_not_ready_or_was_made_by_another_engine_costs_no_budget() {
    let plan = Plan { trouble: false, ..Plan::of(1_000) };
    let (figures, wrong) = ran(&plan);
    assert!(wrong.is_empty(), "seed {}:\n{}", plan.seed, wrong.join("\n"));
    assert!(figures.not_ready >= 8 && figures.races >= 1, "{figures:?}");
    assert_eq!(figures.spent, 0, "{figures:?}");
}

/// The control of the test above.
#[test]
fn without_lanes_the_order_is_lost() {
    let (figures, wrong) = ran(&Plan { lanes: false, ..Plan::of(1_500) });
    assert!(figures.strayed > 0, "{figures:?}");
    assert!(wrong.iter().any(|one| one.starts_with("S10 Lanes")), "{wrong:?}");
}
