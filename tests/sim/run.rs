//! Many worlds: run, counted, and where one fails, made as small as it fails still.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use outlast::verify::Marks;

use crate::plan::{Family, Plan};
use crate::world::World;

/// What a world came to.
pub(crate) struct Outcome {
    pub(crate) failure: Option<String>,
    pub(crate) digest: u64,
    pub(crate) deliveries: u64,
    pub(crate) checked: u64,
    pub(crate) marks: Marks,
    pub(crate) met: BTreeMap<&'static str, u64>,
    pub(crate) reasons: BTreeMap<String, u64>,
}

pub(crate) fn outcome(plan: &Plan) -> Outcome {
    let mut world = World::new(plan.clone());
    world.run();
    Outcome {
        failure: world.checks.failure().map(ToOwned::to_owned),
        digest: world.digest,
        deliveries: world.checks.deliveries(),
        checked: world.checks.checked,
        reasons: world.checks.reasons(),
        marks: world.marks,
        met: world.met,
    }
}

/// The sum of many worlds.
#[derive(Default)]
pub(crate) struct Total {
    pub(crate) seeds: u64,
    pub(crate) deliveries: u64,
    pub(crate) checked: u64,
    pub(crate) marks: Marks,
    pub(crate) met: BTreeMap<&'static str, u64>,
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) failures: Vec<(Plan, String)>,
}

impl Total {
    fn add(&mut self, plan: &Plan, outcome: Outcome) {
        self.seeds += 1;
        self.deliveries += outcome.deliveries;
        self.checked += outcome.checked;
        self.marks.add(&outcome.marks);
        for (what, times) in outcome.met {
            *self.met.entry(what).or_default() += times;
        }
        for (reason, times) in outcome.reasons {
            *self.reasons.entry(reason).or_default() += times;
        }
        if let Some(failure) = outcome.failure {
            self.failures.push((plan.clone(), failure));
        }
    }
}

/// Runs `seeds` worlds from `first` on, on `threads` threads; no new one once it `is_over`, given how many
/// failed.
pub(crate) fn swarm(
    first: u64,
    seeds: u64,
    deliveries: u64,
    threads: usize,
    is_over: &(dyn Fn(usize) -> bool + Sync),
) -> Total {
    let (next, total) = (AtomicU64::new(first), Mutex::new(Total::default()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let failures = total.lock().unwrap().failures.len();
                    if seed >= first + seeds || is_over(failures) {
                        return;
                    }
                    let plan = Plan::of(seed, deliveries);
                    let outcome = outcome(&plan);
                    total.lock().unwrap().add(&plan, outcome);
                }
            });
        }
    });
    total.into_inner().unwrap()
}

/// The invariant that a failure names.
fn invariant(failure: &str) -> &str {
    failure.split(':').next().unwrap_or(failure)
}

/// The smallest plan found that still breaks the same invariant: without families that it does not need, with fewer
/// deliveries, with a shorter time of trouble.
pub(crate) fn shrunk(plan: &Plan, failure: &str) -> (Plan, String) {
    let broken = invariant(failure).to_owned();
    let (mut best, mut told) = (plan.clone(), failure.to_owned());
    let mut again = true;
    while again {
        again = false;
        for smaller in smaller(&best) {
            let failure = outcome(&smaller).failure.filter(|failure| invariant(failure) == broken);
            if let Some(failure) = failure {
                (best, told, again) = (smaller, failure, true);
                break;
            }
        }
    }
    (best, told)
}

fn smaller(plan: &Plan) -> Vec<Plan> {
    let without = |family: Family| {
        let families = plan.families.iter().copied().filter(|kept| *kept != family).collect();
        Plan { families, ..plan.clone() }
    };
    let mut all: Vec<Plan> = plan.families.iter().map(|family| without(*family)).collect();
    for part in [4, 2] {
        if plan.deliveries >= part {
            all.push(Plan { deliveries: plan.deliveries / part * (part - 1), ..plan.clone() });
        }
    }
    if plan.trouble > 60_000 {
        all.push(Plan { trouble: plan.trouble / 2, ..plan.clone() });
    }
    all
}

/// A plan as a line of `tests/seeds.txt`.
pub(crate) fn line(plan: &Plan) -> String {
    let mut text = format!("{} {} {} ", plan.seed, plan.deliveries, plan.trouble);
    let names: Vec<String> = plan.families.iter().map(|family| format!("{family:?}")).collect();
    let _ = write!(text, "{}", if names.is_empty() { "none".to_owned() } else { names.join(",") });
    text
}

/// The plan that such a line stands for; nothing for a comment.
pub(crate) fn parsed(line: &str) -> Option<Plan> {
    let line = line.split('#').next()?.trim();
    let mut parts = line.split_whitespace();
    let (seed, deliveries) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let mut plan = Plan::of(seed, deliveries);
    if let Some(trouble) = parts.next() {
        plan.trouble = trouble.parse().ok()?;
    }
    if let Some(names) = parts.next() {
        let known = |name: &str| Family::ALL.into_iter().find(|family| format!("{family:?}") == name);
        plan.families = names.split(',').filter_map(known).collect();
    }
    Some(plan)
}
