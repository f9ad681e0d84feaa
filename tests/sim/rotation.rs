//! A crash at every step of a refresh, under each thing that a provider may do to the refresh token: the intent is stored,
//! the call made, the provider has minted, the answer is read, the result stored, the token used.

use outlast::sandbox::RotateRefresh;
use outlast::store::memory::Fate;

use crate::plan::Plan;
use crate::world::World;

const FATES: [(Fate, &str); 3] =
    [(Fate::LoseAll, "lose all"), (Fate::KeepAll, "keep all"), (Fate::Seeded(7), "keep some")];

/// What became of the runs with one rotation and one fate.
#[derive(Default)]
struct Row {
    runs: u64,
    delivered: u64,
    most_minted: u64,
    lost: u64,
    other_deaths: u64,
}

/// The scenario of `points`, with a crash at this step.
fn run(rotation: RotateRefresh, crash_at: &[u64], fate: Fate) -> World {
    let mut world = World::new(Plan { rotation, ..Plan::short(crash_at.to_vec(), fate) });
    world.run();
    assert_eq!(world.checks.failure(), None, "{rotation:?}, a crash at {crash_at:?}, {fate:?}");
    world
}

fn count(world: &World, what: &str) -> u64 {
    world.met.get(what).copied().unwrap_or_default()
}

#[test]
fn no_crash_of_a_refresh_loses_a_grant_that_the_provider_keeps() {
    println!("rotation        what the crash keeps   runs  delivered  tokens minted  grants lost");
    for rotation in [RotateRefresh::Same, RotateRefresh::NewOldValid, RotateRefresh::NewOldDead] {
        let calm = run(rotation, &[], Fate::LoseAll);
        assert_eq!((calm.provider.summary().applied, calm.provider.summary().refreshes_ok), (1, 1), "{rotation:?}");
        let mut lost = 0;
        for (fate, name) in FATES {
            let mut row = Row::default();
            for step in 1..=calm.steps {
                let world = run(rotation, &[step], fate);
                let summary = world.provider.summary();
                row.runs += 1;
                row.delivered += summary.applied;
                row.most_minted = row.most_minted.max(summary.refreshes_ok);
                row.lost += count(&world, "a grant lost in a crash").min(1);
                row.other_deaths += count(&world, "a grant refused for good") + count(&world, "tokens never accepted");
                if count(&world, "a grant lost in a crash") > 0 {
                    // The provider had minted what no disk of ours has: nobody could have kept it.
                    assert!(summary.refreshes_ok >= 1, "{rotation:?}, {step}, {name}: lost without a mint");
                }
            }
            println!(
                "{:14}  {name:20}  {:5}  {:9}  {:13}  {:11}",
                format!("{rotation:?}"),
                row.runs,
                row.delivered,
                format!("at most {}", row.most_minted),
                row.lost
            );
            assert_eq!(row.delivered, row.runs, "{rotation:?}, {name}");
            assert_eq!(row.other_deaths, 0, "{rotation:?}, {name}: it says what it died of");
            lost += row.lost;
        }
        match rotation {
            RotateRefresh::NewOldDead | RotateRefresh::NewOldDeadAfter(_) => {
                assert!(lost > 0, "the window of the loss is not met");
            }
            RotateRefresh::Same | RotateRefresh::NewOldValid => assert_eq!(lost, 0, "{rotation:?}"),
        }
    }
}
