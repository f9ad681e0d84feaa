//! The engine's part of the world: the loop around the shipped heart, act for act the driver's.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast::destination::linkedin;
use outlast::exchange::NoAnswer;
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::state::{Span, Time};
use outlast::store::memory::Fate;
use outlast::store::{Store, StoreErrorKind};
use outlast::verify::{Deed, Life, Raw, Step, steady_time, waking_time};
use outlast::{Builder, Endpoint, Engine, OAuth, Secret};

use super::{CREDENTIALS, DESTINATIONS, Event, Running, World};
use crate::plan::{Family, Plan};

impl World {
    fn profile(plan: &Plan, life: u64) -> Profile {
        let mut profile = Profile::linkedin();
        profile.token_url = "https://api.example/oauth/v2/accessToken".parse().unwrap();
        profile.audience = Audience::of([&"https://api.example/rest".parse().unwrap()]);
        profile.settle = plan.settle(life);
        profile.dedupe = Some(Span::from_secs(2 * 86_400));
        profile
    }

    fn builder(plan: &Plan, life: u64) -> Builder {
        let mut builder = Life::describe(Engine::builder("unused")).limits(plan.limits()).policy(plan.policy());
        // Every other life meets what was live over many turns.
        if life.is_multiple_of(2) {
            builder = Life::reading(builder, 3);
        }
        for name in CREDENTIALS {
            let oauth =
                OAuth::new(World::profile(plan, life), format!("client-{name}"), Secret::new("canary-client-secret"));
            builder = builder.credential(name, oauth);
        }
        for (name, credential) in DESTINATIONS {
            let conversions = linkedin::conversions()
                .rule("789123")
                .api("https://api.example/rest")
                .batch_size(plan.batch_size())
                .build()
                .unwrap();
            let endpoint = Endpoint::new(conversions).credential(credential).concurrency(plan.concurrency());
            builder = builder.destination(name, endpoint);
        }
        builder
    }

    pub(super) fn open(&mut self) {
        if self.running.is_some() {
            return;
        }
        self.lives += 1;
        let number = self.lives;
        if number > 1 {
            self.store = self.store.reopen().expect("the store was let go");
        }
        let begins = waking_time(Raw(&self.store).time(), self.wall());
        self.checks.read_anew(&Raw(&self.store));
        if !self.healed && self.plan.has(Family::Crashes) && self.dice.crashes.chance(150) {
            let nth = self.dice.crashes.between(1, 3);
            self.meet("crash inside recovery");
            self.store.fail_barrier(nth, StoreErrorKind::Failed);
        }
        let seed = self.plan.seed | 1;
        match Life::open(World::builder(&self.plan, number), Arc::new(self.store.clone()), seed, begins) {
            Ok(life) => {
                let ticked = self.steady();
                self.running = Some(Running {
                    durable: life.opened(),
                    life,
                    number,
                    syncing: None,
                    sends: BTreeMap::new(),
                    renews: BTreeMap::new(),
                    inspects: BTreeMap::new(),
                    wakes: u64::MAX,
                    woken: true,
                    line: begins,
                    ticked,
                });
                let all_read = self.running.as_ref().is_some_and(|running| !running.life.is_reading());
                if self.died && all_read {
                    self.checks.recovered(&Raw(&self.store));
                }
                self.checks.read_anew(&Raw(&self.store));
                self.step();
            }
            Err(error) => {
                assert_eq!(error.kind(), outlast::ErrorKind::Storage, "opening failed by itself: {error}");
                self.die("crashed while it recovered");
            }
        }
    }

    /// A place where the process may be killed. Says whether it was.
    pub(super) fn step(&mut self) -> bool {
        self.steps += 1;
        let planned = self.plan.crash_at.contains(&self.steps);
        let by_chance = !self.healed && self.plan.has(Family::Crashes) && self.dice.crashes.below(4_000) == 0;
        if planned || by_chance {
            self.meet("crash between two acts");
            self.die("crashed");
        }
        planned || by_chance
    }

    /// The engine ends without a word; what its disk had not confirmed has one of three fates.
    pub(crate) fn die(&mut self, _why: &str) {
        if let Some(running) = self.running.take() {
            self.died = true;
            self.marks.add(running.life.marks());
            for key in running.renews.keys() {
                self.checks.call_ended(*key, false);
            }
        }
        let by_coin = match self.dice.disk.below(3) {
            0 => Fate::LoseAll,
            1 => Fate::KeepAll,
            _ => Fate::Seeded(self.dice.disk.next()),
        };
        let fate = self.plan.fate.unwrap_or(by_coin);
        self.checks.crashed();
        self.store.crash(fate);
        let down = self.dice.crashes.pick(&[10, 1_000, 30_000, 600_000]);
        self.at(self.now + down, Event::Open);
    }

    fn steady(&self) -> u64 {
        self.clocks.steady(self.now)
    }

    fn wall(&self) -> Time {
        let shown = self.clocks.frozen.unwrap_or(self.now);
        Time::from_millis(shown.saturating_add_signed(self.clocks.offset))
    }

    /// Engine time, read.
    pub(crate) fn engine_now(&mut self) -> Time {
        let (steady, wall) = (self.steady(), self.wall());
        let running = self.running.as_mut().expect("an engine runs");
        running.line = steady_time(running.line, steady - running.ticked, wall);
        running.ticked = steady;
        running.line
    }

    /// Turns, for as long as there is something to turn about and no barrier is waited for.
    pub(super) fn pump(&mut self) {
        loop {
            let asleep = self.clocks.asleep > self.now;
            if asleep || self.running.as_ref().is_none_or(|running| running.syncing.is_some()) {
                return;
            }
            if self.stop_is_due() {
                return self.close();
            }
            if self.running.as_ref().is_none_or(|running| !running.life.is_asked() && !running.woken) {
                return;
            }
            let now = self.engine_now();
            let running = self.running.as_mut().expect("it was there");
            running.woken = false;
            let step = running.life.turn(now);
            if self.step() {
                return;
            }
            self.wake_at(step.wake, now);
            if self.commits(step) {
                return;
            }
        }
    }

    fn wake_at(&mut self, wake: Time, now: Time) {
        let stops = self.running.as_ref().and_then(|running| running.life.stops_at()).unwrap_or(Time::NEVER);
        let late = if self.has_bug() { self.dice.buggify.between(1, 1_000) } else { 0 };
        let span = wake.min(stops).since(now).as_millis().min(30_000) + late;
        let at = self.now + span;
        let running = self.running.as_mut().expect("an engine runs");
        if at < running.wakes {
            running.wakes = at;
            let life = running.number;
            self.at(at, Event::Wake(life));
        }
    }

    fn has_bug(&mut self) -> bool {
        !self.healed && self.plan.has(Family::Buggify) && self.dice.buggify.chance(100)
    }

    /// Writes what a step wants written. Says whether something has to be waited for.
    fn commits(&mut self, mut step: Step) -> bool {
        let writes = std::mem::take(&mut step.writes);
        if writes.is_empty() {
            return self.acts(step);
        }
        self.digest = crate::digest::of(self.digest, &writes);
        self.checks.written(&writes);
        if !self.healed && self.plan.has(Family::Disk) && self.dice.disk.below(1_500) == 0 {
            self.meet("a barrier that failed");
            self.store.fail_barrier(1, StoreErrorKind::Io);
        }
        if self.store.write(writes).is_err() {
            self.die("its disk failed");
            return true;
        }
        if self.step() {
            return true;
        }
        let slow = !self.healed && self.plan.has(Family::Disk) && self.dice.disk.below(300) == 0;
        let takes = if slow { 10_000 } else { self.dice.disk.between(0, 3) };
        let running = self.running.as_mut().expect("an engine runs");
        running.syncing = Some(step);
        let life = running.number;
        self.at(self.now + takes, Event::Synced(life));
        true
    }

    pub(super) fn synced(&mut self, life: u64) {
        let Some(running) = self.running.as_mut().filter(|running| running.number == life) else { return };
        let Some(step) = running.syncing.take() else { return };
        match self.store.barrier() {
            Ok(durable) => {
                running.durable = durable;
                self.checks.synced(&Raw(&self.store));
                if !self.step() {
                    self.acts(step);
                }
            }
            Err(_) => self.die("its disk failed"),
        }
    }

    /// Does what a durable step wants done. Says whether the engine is gone.
    fn acts(&mut self, mut step: Step) -> bool {
        loop {
            let Some(running) = self.running.as_mut() else { return true };
            match running.life.next_deed(&mut step, running.durable) {
                None => return false,
                Some(Deed::Answered | Deed::Told | Deed::Trusted) => {}
                Some(Deed::Send(sending)) => self.sends(sending),
                Some(Deed::Renew(renewing)) => self.renews(renewing),
                Some(Deed::Inspect(inspecting)) => self.inspects(inspecting),
            }
            self.hear_answers();
            if self.step() {
                return true;
            }
        }
    }

    fn stop_is_due(&mut self) -> bool {
        let Some(until) = self.running.as_ref().and_then(|running| running.life.stops_at()) else { return false };
        let now = self.engine_now();
        let running = self.running.as_mut().expect("an engine runs");
        if now >= until && !running.life.has_stopped() && !running.life.is_asked() {
            for sending in std::mem::take(&mut running.sends).into_values() {
                sending.give_up(&mut running.life);
            }
            for (key, renewing) in std::mem::take(&mut running.renews) {
                self.checks.call_ended(key, false);
                renewing.give_up(&mut running.life);
            }
            for inspecting in std::mem::take(&mut running.inspects).into_values() {
                inspecting.heard(&mut running.life, Err(NoAnswer::Lost { cause: "the engine stops".into() }));
            }
        }
        running.life.has_stopped() && !running.life.is_asked()
    }

    fn close(&mut self) {
        let now = self.engine_now();
        let running = self.running.as_mut().expect("an engine runs");
        let mut step = running.life.last_turn(now);
        let writes = std::mem::take(&mut step.writes);
        self.digest = crate::digest::of(self.digest, &writes);
        self.checks.written(&writes);
        let closed = self.store.commit(writes).and_then(|_| {
            self.checks.synced(&Raw(&self.store));
            self.store.close()
        });
        let mut running = self.running.take().expect("an engine runs");
        self.died = false;
        self.marks.add(running.life.marks());
        let failed = closed.is_err();
        running.life.told_stopped(closed);
        drop(running);
        if failed {
            return self.die("its disk failed at the end");
        }
        self.meet("a clean stop");
        self.at(self.now + 5_000, Event::Open);
    }
}
