//! SIGKILL, at drawn moments: of a process that writes to a bare store, and of `outlast serve` under load, which is started
//! again on the same store. Checked after each kill on a copy of what it left, and when all is over by the provider's log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outlast::clock;
use outlast::sample::{self, Sample, TRACK};
use outlast::sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::child::{self, Kind, Plan};
use crate::draw::Draw;
use crate::ledger::Ledger;
use crate::power::{copy, quiet_about_sled, scratch};
use crate::report::{self, Outcome, is_over, size};
use crate::serve::{ACCESS, Client, HALF_LIFE_S, Place, REFRESH};
use crate::workload::{self, Workload};

/// So many kills happen to one store before there is a new one.
const KILLS_OF_A_STORE: u64 = 10;
const KILLS_OF_A_PROGRAM: u64 = 25;
/// More events than these are not in the air at once: 16 requests of 5.
const IN_THE_AIR: u64 = 80;
/// Stores that are under attack at once: a program waits most of the time.
const AT_ONCE: usize = 4;

pub(crate) fn a_killed_store_loses_nothing_that_was_acknowledged() -> Outcome {
    quiet_about_sled();
    let kills = size("STORE_KILLS", 60, 2000);
    let (mut done, mut acknowledged, mut early, mut merging) = (0, 0, 0, 0);
    let mut of_kind = BTreeMap::<&str, u64>::new();
    let mut wrong = Vec::new();
    let mut digests = Vec::new();
    let mut place = tempfile::tempdir().unwrap();
    let mut told = 0;
    let mut draw = Draw::new(report::seed(), 1);
    let workload = Workload { seed: report::seed() };
    while done < kills && wrong.is_empty() && !is_over() {
        if done % KILLS_OF_A_STORE == 0 {
            place = tempfile::tempdir().unwrap();
            told = 0;
        }
        let kind = workload::kind(done / KILLS_OF_A_STORE);
        let path = place.path().join("store");
        let journal = workload::journal(&mut draw);
        let (openings, engine) = (vec![150; 3], Kind::ours(kind));
        let plan = Plan { path: path.clone(), seed: workload.seed, openings, engine, journal, abrupt: false };
        let output = killed(&plan, Duration::from_micros(draw.below(90_000)));
        done += 1;
        *of_kind.entry(kind.name()).or_default() += 1;
        early += u64::from(!output.contains("opened"));
        merging += u64::from(journal < 1 << 20 && output.contains("ack"));
        let last = child::acknowledged(&output).max(told);
        acknowledged += last - told;
        told = last;
        while digests.len() as u64 <= told + 1 {
            digests = workload.digests(told * 2 + 100);
        }
        let left = scratch();
        if path.is_dir() {
            copy(&path, &left.path().join("store"));
        }
        let found = workload::open_as(&left.path().join("store"), kind, journal).map_err(|why| why.to_string());
        match found.and_then(|store| workload::last_commit(&store, &digests)) {
            Ok(number) if (told..=told + 1).contains(&number) => told = number,
            Ok(number) => wrong.push(format!("kill {done} ({kind:?}): {told} acknowledged, and {number} are there")),
            Err(why) => wrong.push(format!("kill {done} ({kind:?}), {told} acknowledged: {why}")),
        }
    }
    let lost = wrong.len();
    let totals = format!(
        "{done} kills of a bare store ({of_kind:?}, {early} while it was opened, {merging} while it merged again and again), {acknowledged} commits acknowledged, {lost} kills lost one"
    );
    Outcome { totals, wrong, skipped: None }
}

/// Starts a child, kills it after `span`, and gives what it said.
fn killed(plan: &Plan, span: Duration) -> String {
    let mut process = plan.command().spawn().unwrap();
    std::thread::sleep(span);
    process.kill().unwrap();
    let mut output = String::new();
    process.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    let mut said = String::new();
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    process.wait().unwrap();
    assert!(said.is_empty(), "{said}");
    // A line that was cut off tells nothing.
    output.truncate(output.rfind('\n').map_or(0, |end| end + 1));
    output
}

/// What all stores came to.
#[derive(Default)]
struct Totals {
    kills: AtomicU64,
    early: AtomicU64,
    acknowledged: AtomicU64,
    lost: AtomicU64,
    twice: AtomicU64,
    conflicts: AtomicU64,
    revoked: AtomicU64,
    renewals: AtomicU64,
    requests: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    stores: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

pub(crate) fn a_killed_program_loses_nothing_that_was_acknowledged() -> Outcome {
    quiet_about_sled();
    let kills = size("ROUNDS", 20, 1000);
    let runtime = Runtime::new().unwrap();
    let totals = Totals::default();
    let next = AtomicU64::new(0);
    let stores = kills.div_ceil(KILLS_OF_A_PROGRAM).max(2);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= stores || is_over() {
                        return;
                    }
                    let mut attack = Attack::start(&runtime, number);
                    let wrong = attack.run(kills.div_ceil(stores), &totals);
                    let told = wrong.into_iter().map(|wrong| format!("store {number}: {wrong}"));
                    totals.wrong.lock().unwrap().extend(told);
                    runtime.block_on(attack.sandbox.stop());
                }
            });
        }
    });
    let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let line = format!(
        "{} rounds of kill -9 on {} stores ({} before the program was ready), {} events acknowledged, {} lost, {} in two states, {} conflicts; {} requests, {} tokens revoked, {} renewals, {} Done, {} Failed",
        number(&totals.kills),
        number(&totals.stores),
        number(&totals.early),
        number(&totals.acknowledged),
        number(&totals.lost),
        number(&totals.twice),
        number(&totals.conflicts),
        number(&totals.requests),
        number(&totals.revoked),
        number(&totals.renewals),
        number(&totals.done),
        number(&totals.failed),
    );
    let wrong = totals.wrong.into_inner().unwrap();
    Outcome { totals: line, wrong, skipped: None }
}

/// One store, its provider, and what is known of both.
struct Attack {
    sandbox: Sandbox,
    place: Place,
    draw: Draw,
    sample: Sample,
    /// How many of the events were acknowledged.
    offered: usize,
    /// Acknowledged deliveries, and the key of each.
    acknowledged: BTreeMap<String, String>,
    /// Those that were seen at their end, and which one.
    ended: BTreeMap<String, &'static str>,
    /// Kills that found a token request out, or intended.
    cut_off: u64,
    /// With more accepted than this, the token that followed the last one revoked was accepted.
    applied: u64,
}

impl Attack {
    fn start(runtime: &Runtime, number: u64) -> Self {
        let mut draw = Draw::new(report::seed(), 100 + number);
        let options = json!({
            "seed": draw.next(),
            "grants": [{"access_token": ACCESS, "refresh_token": REFRESH, "age_s": HALF_LIFE_S, "expires_in_s": HALF_LIFE_S}],
            "switches": {
                "nodes": ["n1", "n2", "n3"],
                "visibility": {"uniform": {"min_ms": 10, "max_ms": 400}},
                "api_latency_ms": {"min_ms": 1, "max_ms": 15},
                "token_latency_ms": {"min_ms": 5, "max_ms": 60},
                "audit_keep_lines": 10_000_000,
            },
            "faults": [
                {"when": {"path": "/rest/*", "probability": 0.03}, "action": {"status": {"status": 503}}},
                {"when": {"path": "/rest/*", "probability": 0.02},
                    "action": {"status": {"status": 429, "retry_after": {"seconds": 1}}}},
                {"when": {"path": "/rest/*", "probability": 0.03}, "action": "reset_after_apply"},
                {"when": {"path": "/rest/*", "probability": 0.02}, "action": "reset_before_read"},
                {"when": {"path": "/rest/*", "probability": 0.02}, "action": "reset_mid_body"},
                {"when": {"path": "/oauth/*", "probability": 0.2}, "action": {"status": {"status": 503}}},
                {"when": {"path": "/oauth/*", "probability": 0.1}, "action": "reset_after_apply"},
            ],
        });
        let options = Options::from_json(&options).unwrap();
        let wall = std::sync::Arc::new(|| clock::wall().as_millis());
        let sandbox = runtime.block_on(Sandbox::start(options, wall)).unwrap();
        let batch = if draw.coin() { 1 } else { 5 };
        let place = Place::new(sandbox.api_addr(), batch, None, workload::kind(number));
        place.authorise();
        let sample = sample::events(TRACK, clock::wall(), 4000, draw.next()).unwrap();
        let (acknowledged, ended) = (BTreeMap::new(), BTreeMap::new());
        Attack { sandbox, place, draw, sample, offered: 0, acknowledged, ended, cut_off: 0, applied: 0 }
    }

    /// Kills so often, then lets everything end. What is wrong.
    fn run(&mut self, kills: u64, totals: &Totals) -> Vec<String> {
        let mut wrong = Vec::new();
        for kill in 1..=kills {
            if is_over() || !wrong.is_empty() {
                break;
            }
            let applied = self.sandbox.with_provider(|provider, _| provider.summary().applied);
            // Two tokens in a row that are revoked before anything was accepted with them make a credential dead, rightly:
            // it then waits for a human, and this test has none.
            if self.draw.happens(350) && applied > self.applied {
                self.applied = applied + IN_THE_AIR;
                let revoked = self.sandbox.with_provider(|provider, now| provider.revoke_access(None, now));
                totals.revoked.fetch_add(u64::from(revoked.is_ok()), Ordering::Relaxed);
            }
            let ready = self.live_and_die();
            totals.kills.fetch_add(1, Ordering::Relaxed);
            totals.early.fetch_add(u64::from(!ready), Ordering::Relaxed);
            let left = scratch();
            copy(self.place.store(), left.path());
            match Ledger::read(left.path()) {
                Ok(ledger) => wrong.extend(self.check(&ledger, totals)),
                Err(why) => wrong.push(why),
            }
            for wrong in &mut wrong {
                *wrong = format!("after kill {kill}: {wrong}");
            }
        }
        if wrong.is_empty() {
            wrong.extend(self.heal());
            match Ledger::read(self.place.store()) {
                Ok(ledger) => {
                    wrong.extend(self.check(&ledger, totals));
                    wrong.extend(self.check_end(&ledger, totals));
                }
                Err(why) => wrong.push(why),
            }
        }
        totals.stores.fetch_add(1, Ordering::Relaxed);
        totals.acknowledged.fetch_add(self.acknowledged.len() as u64, Ordering::Relaxed);
        wrong
    }

    /// A life of the program, killed at a drawn moment. Whether it came to answer before.
    fn live_and_die(&mut self) -> bool {
        let mut serving = self.place.serve();
        let pid = serving.child.id();
        if self.draw.happens(250) {
            std::thread::sleep(Duration::from_micros(self.draw.below(60_000)));
            serving.kill();
            return false;
        }
        let Some(mut client) = Client::wait(self.place.store(), &mut serving) else {
            panic!("serve ended by itself");
        };
        let span = Duration::from_micros(self.draw.within(500, 150_000));
        let most = self.draw.within(10, 60) as usize;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(span);
                serving.kill();
            });
            self.offer(&mut client, most);
        });
        assert!(Client::connect(self.place.store(), pid).is_none(), "it answers although it was killed");
        true
    }

    /// Offers up to `most` events, until all of them are acknowledged or nobody answers.
    fn offer(&mut self, client: &mut Client, most: usize) {
        let end = self.sample.events.len().min(self.offered + most);
        while self.offered < end {
            let group = self.draw.within(1, 8) as usize;
            let events = &self.sample.events[self.offered..end.min(self.offered + group)];
            let Ok(answers) = client.submit(events) else { return };
            for (event, answer) in events.iter().zip(answers) {
                let name = answer.unwrap_or_else(|why| panic!("an event was refused: {why}"));
                self.acknowledged.insert(name, event["messageId"].as_str().unwrap().to_owned());
                self.offered += 1;
            }
        }
    }

    /// Each acknowledged event is there once, in one of the six states (S1), and what has ended stays so (S2).
    fn check(&mut self, ledger: &Ledger, totals: &Totals) -> Vec<String> {
        let mut wrong: Vec<String> = ledger.damaged.iter().map(|damage| format!("damaged: {damage}")).collect();
        let lost: Vec<&String> = self.acknowledged.keys().filter(|id| !ledger.deliveries.contains_key(*id)).collect();
        if let Some(first) = lost.first() {
            totals.lost.fetch_add(lost.len() as u64, Ordering::Relaxed);
            wrong.push(format!("{} acknowledged deliveries are lost, such as {first} (S1)", lost.len()));
        }
        let mut known = BTreeSet::new();
        for (id, entry) in &ledger.deliveries {
            if entry.once.as_ref().is_some_and(|once| !known.insert(once)) {
                totals.twice.fetch_add(1, Ordering::Relaxed);
                wrong.push(format!("{id}: its event has another delivery, too"));
            }
            match self.ended.get(id) {
                Some(before) if *before != entry.state => {
                    wrong.push(format!("{id} was {before} and is {} (S2)", entry.state));
                }
                _ if matches!(entry.state, "Done" | "Failed") => {
                    self.ended.insert(id.clone(), entry.state);
                }
                _ => {}
            }
        }
        for (id, once) in &self.acknowledged {
            if ledger.deliveries.get(id).is_some_and(|entry| entry.once.as_ref() != Some(once)) {
                wrong.push(format!("{id} is not the delivery of {once} any more"));
            }
        }
        self.cut_off += u64::from(ledger.renewing);
        let summary = self.sandbox.with_provider(|provider, _| provider.summary());
        if summary.conflicts > 0 {
            wrong.push(format!("{} requests came with another body under the same key", summary.conflicts));
        }
        wrong
    }

    /// The provider works again: a last life, to the end of everything.
    fn heal(&mut self) -> Vec<String> {
        self.sandbox.with_provider(|provider, _| provider.set_faults(&[])).unwrap();
        let mut serving = self.place.serve();
        let Some(mut client) = Client::wait(self.place.store(), &mut serving) else {
            return vec!["serve ended by itself".to_owned()];
        };
        self.offer(&mut client, 20);
        // A token request that was cut off again and again is tried again after up to 5 minutes.
        let deadline = report::now() + 400_000;
        while client.live().unwrap() > 0 {
            if report::now() > deadline {
                let credentials = client.ask(&json!({"ask": "credentials"})).unwrap();
                let live = client.live().unwrap();
                return vec![format!("{live} deliveries have not ended long after all was well: {credentials}")];
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(client);
        if serving.terminate() { Vec::new() } else { vec!["serve did not stop well".to_owned()] }
    }

    /// Everything is Done at the provider, too, or Failed with a reason; and renewals are within their bounds (S3).
    fn check_end(&self, ledger: &Ledger, totals: &Totals) -> Vec<String> {
        let mut wrong = Vec::new();
        let provider = Provider::of(&self.sandbox);
        for (id, entry) in &ledger.deliveries {
            let once = entry.once.as_deref().unwrap_or_default();
            let applied = provider.applied.get(once).copied().unwrap_or(0);
            let (valid, invalid) = (self.sample.valid.contains(once), self.sample.invalid.contains(once));
            match entry.state {
                "Done" if valid && applied == 1 => {
                    totals.done.fetch_add(1, Ordering::Relaxed);
                }
                "Failed" if invalid && applied == 0 && !entry.note.is_empty() => {
                    totals.failed.fetch_add(1, Ordering::Relaxed);
                }
                state => wrong.push(format!(
                    "{id} of {once} (valid: {valid}) is {state} ({}), and counted {applied} times",
                    entry.note
                )),
            }
        }
        let summary = self.sandbox.with_provider(|provider, _| provider.summary());
        let most = ledger.renewals + provider.lost_answers + self.cut_off;
        if summary.refreshes_ok > most {
            wrong.push(format!(
                "{} renewals at the provider, and at most {most} are allowed (S3)",
                summary.refreshes_ok
            ));
        }
        totals.conflicts.fetch_add(summary.conflicts, Ordering::Relaxed);
        totals.renewals.fetch_add(summary.refreshes_ok, Ordering::Relaxed);
        totals.requests.fetch_add(summary.requests, Ordering::Relaxed);
        wrong
    }
}

/// The provider's account.
struct Provider {
    /// How often each event counted.
    applied: BTreeMap<String, u64>,
    /// Renewals whose answer did not leave it.
    lost_answers: u64,
}

impl Provider {
    fn of(sandbox: &Sandbox) -> Self {
        let lines: Vec<String> =
            sandbox.with_provider(|provider, _| provider.log_from(0).map(ToString::to_string).collect());
        let mut account = Provider { applied: BTreeMap::new(), lost_answers: 0 };
        for line in lines {
            let line: Value = serde_json::from_str(&line).unwrap();
            for applied in line["applied"].as_array().into_iter().flatten() {
                let key = applied["key"].as_str().unwrap_or_default();
                if applied["resource"] == "conversionEvents" {
                    let id = key.split_once('#').map_or(key, |(_, id)| id);
                    *account.applied.entry(id.to_owned()).or_default() += 1;
                }
                let renewal = applied["value"]["grant_type"] == "refresh_token";
                account.lost_answers += u64::from(renewal && !line["closed_by"].is_null());
            }
        }
        account
    }
}
