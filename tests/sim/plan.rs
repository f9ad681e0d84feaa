//! What a seed stands for: which families of faults its world has, and the sizes of everything in it (swarm testing: Groce
//! and others, "Swarm Testing", 2012: runs that each leave some features out find more than runs that have all).

use outlast::Limits;
use outlast::sandbox::{
    Action, BatchMode, DeadRefreshError, Delay, Malformed, Matcher, NotVisible, OtherAnswer, RetryAfter, RotateRefresh,
    Rule, Sharer, Span as Range, Supersede, Switches, Throttle, Visibility,
};
use outlast::state::{Choice, Delivery, Policy, Span, Standard, Time, Trouble, hash};
use outlast::store::memory::Fate;

use crate::draw::Dice;

/// A family of things that go wrong, or that people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// The process is killed between any two acts, and during its recovery.
    Crashes,
    /// Barriers fail, or take their time.
    Disk,
    /// The wall clock leaps, stands still or runs back; the machine sleeps.
    Clock,
    /// Requests and answers are lost, late, cut or garbled; the API has trouble.
    Network,
    /// The API throttles.
    Throttle,
    /// New tokens spread slowly; tokens are revoked or expire.
    Tokens,
    /// Grants are revoked, and authorised again.
    Grants,
    /// The token endpoint has trouble, or rotates.
    Refresh,
    /// Somebody cancels, redrives, pauses.
    Operator,
    /// Clean stops.
    Stops,
    /// The shell dawdles: timers are late, a turn takes in one thing at a time.
    Buggify,
    /// Requests carry many events.
    Batches,
    /// Deliveries have lanes.
    Lanes,
    /// Events that the destination refuses, also in batches.
    Bad,
}

impl Family {
    pub(crate) const ALL: [Family; 14] = [
        Family::Crashes,
        Family::Disk,
        Family::Clock,
        Family::Network,
        Family::Throttle,
        Family::Tokens,
        Family::Grants,
        Family::Refresh,
        Family::Operator,
        Family::Stops,
        Family::Buggify,
        Family::Batches,
        Family::Lanes,
        Family::Bad,
    ];
}

/// The policy that ships, or one that gives up now and then, as somebody else's may.
pub(crate) struct Fickle {
    standard: Standard,
    gives_up: bool,
}

impl Policy for Fickle {
    fn choose(&self, delivery: &Delivery, trouble: Trouble, now: Time) -> Choice {
        let whim = hash(delivery.id.seed(), u64::from(delivery.attempt.count())) % 40;
        match self.standard.choose(delivery, trouble, now) {
            Choice::Again { .. } if self.gives_up && whim == 0 => Choice::GiveUp,
            choice => choice,
        }
    }
}

/// The world that a seed stands for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) families: Vec<Family>,
    pub(crate) deliveries: u64,
    /// How long the faults last, in ms.
    pub(crate) trouble: u64,
    /// Crash at these steps, counted from the first opening.
    pub(crate) crash_at: Vec<u64>,
    /// What a crash leaves of what was not durable; by a coin where nothing is said.
    pub(crate) fate: Option<Fate>,
    pub(crate) scenario: Scenario,
    /// What a refresh does to the refresh token, where the seed does not say.
    pub(crate) rotation: RotateRefresh,
}

/// What happens in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// What its seed says.
    Drawn,
    /// One delivery, an old token that is revoked, a refresh, propagation, success.
    Short,
    /// A grant is revoked; deliveries come while it is dead, and more after a human has authorised it again.
    Parked,
}

/// Of the parked scenario: how many deliveries come while the credential is dead, and when it is authorised again.
pub(crate) const PARKED: u64 = 100;
pub(crate) const RELEASED_AT: u64 = 900_000;

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64, deliveries: u64) -> Self {
        let mut dice = Dice::of(seed, "families");
        let families = Family::ALL.into_iter().filter(|_| dice.chance(600)).collect();
        let trouble = dice.pick(&[600_000, 3_600_000, 6 * 3_600_000, 72 * 3_600_000]);
        let (scenario, rotation) = (Scenario::Drawn, RotateRefresh::Same);
        Plan { seed, families, deliveries, trouble, crash_at: Vec::new(), fate: None, scenario, rotation }
    }

    /// The short scenario, with a crash at each of these steps.
    pub(crate) fn short(crash_at: Vec<u64>, fate: Fate) -> Self {
        let trouble = 60_000;
        let scenario = Scenario::Short;
        let rotation = RotateRefresh::Same;
        Plan { seed: 1, families: Vec::new(), deliveries: 1, trouble, crash_at, fate: Some(fate), scenario, rotation }
    }

    /// The parked scenario, with a crash at each of these steps.
    pub(crate) fn parked(crash_at: Vec<u64>) -> Self {
        let (deliveries, scenario) = (2 * PARKED, Scenario::Parked);
        Plan { families: Vec::new(), trouble: 1_800_000, scenario, crash_at, ..Plan::of(1, deliveries) }
    }

    fn is_drawn(&self) -> bool {
        self.scenario == Scenario::Drawn
    }

    pub(crate) fn has(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    pub(crate) fn dice(&self, purpose: &str) -> Dice {
        Dice::of(self.seed, purpose)
    }

    /// The settle window of the profile, which an operator may change between two lives.
    pub(crate) fn settle(&self, life: u64) -> Span {
        let mut dice = self.dice("settle");
        let first = dice.pick(&[30, 120, 600]);
        let second = if self.has(Family::Operator) && dice.chance(200) { 2 * first } else { first };
        Span::from_secs(if life % 2 == 1 { first } else { second })
    }

    pub(crate) fn limits(&self) -> Limits {
        if !self.is_drawn() {
            return Limits::default();
        }
        let mut dice = self.dice("limits");
        Limits {
            budget: dice.pick(&[1, 2, 3, 6, 12, 72]),
            request: Span::from_secs(dice.pick(&[5, 10, 30])),
            live: if dice.chance(100) { 50 } else { 5_000_000 },
            time_to_live: Span::from_secs(dice.pick(&[900, 3600, 72 * 3600, 72 * 3600])),
            ..Limits::default()
        }
    }

    pub(crate) fn policy(&self) -> Fickle {
        let mut dice = self.dice("policy");
        let standard = Standard {
            first: Span::from_millis(dice.pick(&[200, 1000, 5000])),
            longest: Span::from_secs(dice.pick(&[10, 60, 600])),
            hold_doubtful: dice.chance(100),
            fail_when_dead: dice.chance(300),
        };
        Fickle { standard, gives_up: self.is_drawn() && dice.chance(150) }
    }

    pub(crate) fn batch_size(&self) -> u32 {
        let size = self.dice("batch").pick(&[2, 5, 20, 100]);
        if self.has(Family::Batches) { size } else { 1 }
    }

    pub(crate) fn concurrency(&self) -> u32 {
        if self.scenario == Scenario::Parked { 1 } else { self.dice("concurrency").pick(&[1, 2, 8, 64]) }
    }

    pub(crate) fn lanes(&self) -> u64 {
        let lanes = self.dice("lanes").between(1, 8);
        if self.has(Family::Lanes) { lanes } else { 0 }
    }

    /// How the provider behaves while there is trouble.
    pub(crate) fn troubled(&self) -> Switches {
        if !self.is_drawn() {
            let spread = Visibility::Uniform(Range { min_ms: 3_000, max_ms: 3_000 });
            return Switches { visibility: spread, rotate_refresh: self.rotation, ..Plan::calm() };
        }
        let mut dice = self.dice("switches");
        let nodes = dice.pick(&[1_u64, 2, 3, 5, 16]);
        let mut switches = Switches { nodes: (1..=nodes).map(|n| format!("n{n}")).collect(), ..Plan::calm() };
        let most = dice.pick(&[0, 3_000, 9_000, 60_000, 480_000, 1_500_000]);
        if self.has(Family::Tokens) {
            switches.visibility = Visibility::Uniform(Range { min_ms: 0, max_ms: most });
            switches.access_token_life_s = dice.pick(&[45, 300, 3_600, 86_400, 5_184_000]);
            if dice.chance(40) {
                switches.access_token_life_s = 0;
            }
            switches.not_visible_code =
                [(NotVisible::Revoked, 3), (NotVisible::Expired, 2), (NotVisible::Invalid, 1), (NotVisible::NoBody, 1)]
                    .into();
            switches.supersede =
                dice.pick(&[Supersede::KeepOld, Supersede::RevokeOldNow, Supersede::RevokeOldAfter(5_000)]);
            if nodes > 1 && dice.chance(100) {
                switches.never_visible_on = ["n1".to_owned()].into();
            }
        }
        if self.has(Family::Refresh) {
            switches.rotate_refresh =
                dice.pick(&[RotateRefresh::Same, RotateRefresh::NewOldValid, RotateRefresh::NewOldDead]);
            switches.dead_refresh_error =
                dice.pick(&[DeadRefreshError::InvalidGrant, DeadRefreshError::InvalidRequest]);
            switches.max_refresh_per_minute = dice.pick(&[None, Some(1), Some(5)]);
            switches.refresh_token_in_answer = dice.chance(800);
        }
        let range = |(min_ms, max_ms)| Range { min_ms, max_ms };
        switches.api_latency_ms = range(dice.pick(&[(0, 0), (5, 50), (200, 3_000)]));
        switches.token_latency_ms = range(dice.pick(&[(0, 0), (5, 50), (200, 3_000)]));
        switches.batch_mode = dice.pick(&[BatchMode::ElementStatuses, BatchMode::AllOrNothing422]);
        switches
    }

    /// How it behaves when all is well.
    pub(crate) fn calm() -> Switches {
        Switches { audit_keep_lines: 0, conversion_age_limit_ms: None, ..Switches::default() }
    }

    pub(crate) fn faults(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut dice = self.dice("rules");
        let api = "/rest/*";
        if self.has(Family::Network) {
            for action in network(&mut dice) {
                rules.push(rule(api, dice.pick(&[0.005, 0.02, 0.1]), action));
            }
        }
        if self.has(Family::Throttle) {
            let retry_after = dice.pick(&WAITS);
            rules.push(rule(api, 0.02, status(429, retry_after)));
            let per_minute = dice.pick(&[30, 600, 6_000]);
            let throttle = Throttle { per: Sharer::App, per_minute, burst: None, per_day: None, retry_after };
            rules.push(rule(api, 1.0, Action::Throttle(throttle)));
        }
        if self.has(Family::Refresh) {
            let (oauth, some) = ("/oauth/*", dice.pick(&[0.05, 0.3]));
            rules.push(rule(oauth, some, status(503, RetryAfter::Absent)));
            rules.push(rule(oauth, some, Action::ResetAfterApply));
            rules.push(rule(oauth, some, Action::MalformedJson(Malformed::Html)));
            rules.push(rule(oauth, some, Action::Hang));
            if dice.chance(200) {
                rules.push(rule(oauth, 0.02, client_refused()));
            }
        }
        if self.has(Family::Bad) {
            rules.push(rule(api, dice.pick(&[0.01, 0.1]), status(413, RetryAfter::Absent)));
        }
        rules
    }
}

const WAITS: [RetryAfter; 5] =
    [RetryAfter::Absent, RetryAfter::Seconds(0), RetryAfter::Seconds(10), RetryAfter::DateInS(30), RetryAfter::Absurd];

fn network(dice: &mut Dice) -> Vec<Action> {
    vec![
        status(dice.pick(&[500, 502, 503, 504]), dice.pick(&WAITS)),
        status(dice.pick(&[408, 423, 426, 403]), RetryAfter::Absent),
        Action::ResetBeforeRead,
        Action::ResetAfterApply,
        Action::ResetMidBody,
        Action::Hang,
        Action::MalformedJson(Malformed::Cut),
        Action::ElementCount { by: -1 },
        Action::Delay(Delay { before_ms: dice.between(100, 40_000), between_ms: 0, pieces: 0 }),
    ]
}

fn rule(path: &str, probability: f64, action: Action) -> Rule {
    let when = Matcher { path: Some(path.to_owned()), probability: Some(probability), ..Matcher::default() };
    Rule { name: None, when, action }
}

fn status(status: u16, retry_after: RetryAfter) -> Action {
    Action::Status(OtherAnswer {
        status,
        headers: std::collections::BTreeMap::default(),
        body: None,
        retry_after,
        apply: Some(false),
    })
}

fn client_refused() -> Action {
    let Action::Status(mut answer) = status(401, RetryAfter::Absent) else { unreachable!("it is a status") };
    answer.body = Some(serde_json::json!({"error": "invalid_client"}));
    Action::Status(answer)
}
