//! The world: one thread, one line of time, and everything that can happen on it in the order of a seed. The engine is the
//! shipped heart; the provider is the sandbox's logic; the disk is the store in memory, of which a crash leaves what was
//! durable and any subset of what was not. The loop around the heart is the driver's, act for act.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast::exchange::{Answer, NoAnswer};
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::sandbox::{Begun, Options, Provider, Reply as Answering, Switches};
use outlast::state::{Span, Time};
use outlast::store::memory::{Fate, MemoryStore};
use outlast::store::{Durable, Store, StoreErrorKind};
use outlast::verify::{Deed, Life, Marks, Outgoing, Raw, Renewing, Sending, Step, answered, steady_time, waking_time};
use outlast::{Builder, Endpoint, Engine, OAuth, Secret, destination::linkedin};

use crate::checks::{Checks, events};
use crate::clients::{Clients, Op};
use crate::draw::Dice;
use crate::plan::{Family, Plan, Scenario};

/// When it all begins, in ms since 1970.
pub(crate) const START: u64 = 1_780_000_000_000;

/// The credentials, and the destinations that use them.
pub(crate) const CREDENTIALS: [&str; 2] = ["acme", "beta"];
pub(crate) const DESTINATIONS: [(&str, &str); 3] = [("conversions", "acme"), ("second", "acme"), ("other", "beta")];

/// After the trouble everything must have ended within this: the longest waits that any rule knows are a policy's ten
/// minutes, a provider's quarter of an hour, an operator's ten minutes and a settle window of ten; some follow each other.
const HEALING: u64 = 6 * 3_600_000;

/// Something that happens.
pub(crate) enum Event {
    /// A client or an operator does something.
    Does(Op),
    /// The engine is opened.
    Open,
    Wake(u64),
    Synced(u64),
    Arrives(Box<Flight>),
    Answered(Box<Landing>),
    Fault,
    /// The wall clock does something.
    Clock,
    /// An operator looks at the credentials.
    Visit,
    Heal,
    /// The machine wakes.
    Wakes,
}

/// A request on its way to the provider.
pub(crate) struct Flight {
    pub(crate) life: u64,
    pub(crate) key: u64,
    pub(crate) outgoing: Outgoing,
    pub(crate) is_call: bool,
    /// Whose token a call asks for.
    pub(crate) credential: Option<String>,
}

/// What comes back of it.
pub(crate) struct Landing {
    life: u64,
    key: u64,
    reply: Option<Answering>,
    is_call: bool,
    /// What happened where there is no reply.
    missing: Option<NoAnswer>,
    authorization: Option<String>,
    items: Vec<u64>,
}

/// An engine that runs.
pub(crate) struct Running {
    pub(crate) life: Life,
    pub(crate) number: u64,
    syncing: Option<Step>,
    durable: Durable,
    sends: BTreeMap<u64, Box<Sending>>,
    renews: BTreeMap<u64, Box<Renewing>>,
    wakes: u64,
    woken: bool,
    line: Time,
    ticked: u64,
}

/// The machine's clocks.
struct Clocks {
    /// The wall clock less true time.
    offset: i64,
    frozen: Option<u64>,
    /// Steady time that a sleep did not count.
    slept: u64,
    /// Until when the machine sleeps.
    asleep: u64,
}

impl Clocks {
    /// Steady time at `now`: it stands still while the machine sleeps.
    fn steady(&self, now: u64) -> u64 {
        now.max(self.asleep) - START - self.slept
    }

    fn sleep(&mut self, now: u64, span: u64) {
        let until = self.asleep.max(now + span);
        self.slept += until - now.max(self.asleep);
        self.asleep = until;
    }

    fn wake(&mut self, now: u64) {
        self.slept -= self.asleep.saturating_sub(now);
        self.asleep = now;
        self.frozen = None;
    }
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) now: u64,
    pub(crate) queue: BTreeMap<(u64, u64), Event>,
    order: u64,
    /// What came while the machine slept.
    unheard: Vec<Event>,
    pub(crate) store: MemoryStore,
    pub(crate) running: Option<Running>,
    lives: u64,
    keys: u64,
    pub(crate) provider: Provider,
    pub(crate) clients: Clients,
    pub(crate) checks: Checks,
    clocks: Clocks,
    pub(crate) healed: bool,
    pub(crate) steps: u64,
    pub(crate) marks: Marks,
    pub(crate) met: BTreeMap<&'static str, u64>,
    pub(crate) digest: u64,
    dice: Dices,
}

/// One stream of chance for each purpose.
struct Dices {
    network: Dice,
    crashes: Dice,
    disk: Dice,
    clock: Dice,
    grants: Dice,
    buggify: Dice,
    operator: Dice,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let provider = World::provider(&plan);
        let clients = Clients::of(&plan);
        let dice = Dices {
            network: plan.dice("network"),
            crashes: plan.dice("crashes"),
            disk: plan.dice("disk"),
            clock: plan.dice("clock"),
            grants: plan.dice("grants"),
            buggify: plan.dice("buggify"),
            operator: plan.dice("operator"),
        };
        let mut world = World {
            checks: Checks::new(&plan),
            now: START,
            queue: BTreeMap::new(),
            order: 0,
            unheard: Vec::new(),
            store: MemoryStore::new(),
            running: None,
            lives: 0,
            keys: 0,
            provider,
            clients,
            clocks: Clocks { offset: 0, frozen: None, slept: 0, asleep: START },
            healed: false,
            steps: 0,
            marks: Marks::default(),
            met: BTreeMap::new(),
            digest: 0,
            dice,
            plan,
        };
        world.prepare();
        world
    }

    fn provider(plan: &Plan) -> Provider {
        let options =
            Options { seed: plan.seed, switches: plan.troubled(), faults: plan.faults(), ..Options::default() };
        Provider::new(options, START).expect("the plan's options fit")
    }

    fn prepare(&mut self) {
        self.at(START, Event::Open);
        self.at(START + 1, Event::Visit);
        for (at, op) in self.clients.script() {
            self.at(at, Event::Does(op));
        }
        let end = START + self.plan.trouble;
        if self.plan.scenario != Scenario::Drawn {
            self.at(START + 500, Event::Fault);
        }
        if self.plan.has(Family::Clock) {
            for _ in 0..12 {
                let at = self.dice.clock.between(START, end);
                self.at(at, Event::Clock);
            }
        }
        if self.plan.has(Family::Tokens) || self.plan.has(Family::Grants) || self.plan.has(Family::Crashes) {
            for _ in 0..10 {
                let at = self.dice.grants.between(START, end);
                self.at(at, Event::Fault);
            }
        }
        self.at(end, Event::Heal);
    }

    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.order += 1;
        self.queue.insert((time.max(self.now), self.order), event);
    }

    pub(crate) fn meet(&mut self, what: &'static str) {
        *self.met.entry(what).or_default() += 1;
    }

    /// Lets everything happen, to the end.
    pub(crate) fn run(&mut self) {
        self.run_until(START + self.plan.trouble + HEALING);
        if !self.checks.has_failed() {
            self.finish();
        }
    }

    /// Lets happen what happens until then.
    pub(crate) fn run_until(&mut self, end: u64) {
        while let Some((time, _)) = self.queue.keys().next().copied() {
            if time > end || (self.healed && self.is_over()) {
                return;
            }
            let Some((_, event)) = self.queue.pop_first() else { return };
            self.now = time;
            self.happen(event);
            if self.checks.has_failed() {
                return;
            }
        }
    }

    /// Whether nothing is left to wait for.
    fn is_over(&self) -> bool {
        let idle = self.running.as_ref().is_some_and(|running| running.life.live() == 0 && running.syncing.is_none());
        idle && self.clients.are_served()
    }

    fn happen(&mut self, event: Event) {
        // A sleeping machine hears of nothing until it wakes.
        let outside = matches!(event, Event::Arrives(_) | Event::Heal | Event::Clock | Event::Fault | Event::Wakes);
        if !outside && self.clocks.asleep > self.now {
            return self.unheard.push(event);
        }
        match event {
            Event::Does(op) => self.does(op),
            Event::Open => self.open(),
            Event::Wake(life) => {
                if let Some(running) = self.running.as_mut().filter(|running| running.number == life) {
                    (running.woken, running.wakes) = (true, u64::MAX);
                }
            }
            Event::Synced(life) => self.synced(life),
            Event::Arrives(flight) => self.arrives(*flight),
            Event::Answered(landing) => self.lands(*landing),
            Event::Fault => self.fault(),
            Event::Clock => self.leap(),
            Event::Visit => self.visit(),
            Event::Heal => self.heal(),
            Event::Wakes => {}
        }
        if self.clocks.asleep <= self.now {
            for event in std::mem::take(&mut self.unheard) {
                self.at(self.now, event);
            }
        }
        self.pump();
        self.hear_answers();
    }

    // -- the engine ------------------------------------------------------------------------------------------------

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

    fn open(&mut self) {
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
                    wakes: u64::MAX,
                    woken: true,
                    line: begins,
                    ticked,
                });
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
    fn step(&mut self) -> bool {
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
    fn pump(&mut self) {
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

    fn synced(&mut self, life: u64) {
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
                Some(Deed::Answered | Deed::Trusted) => {}
                Some(Deed::Send(sending)) => self.sends(sending),
                Some(Deed::Renew(renewing)) => self.renews(renewing),
            }
            self.hear_answers();
            if self.step() {
                return true;
            }
        }
    }

    fn sends(&mut self, sending: Box<Sending>) {
        self.keys += 1;
        let (key, now) = (self.keys, self.engine_now());
        let waits = sending.by().after(Span::from_secs(1)).since(now).as_millis();
        self.checks.departs(&sending, &Raw(&self.store));
        if !self.healed && self.plan.has(Family::Operator) && self.dice.operator.chance(120) {
            // Somebody changes their mind while it is in the air.
            let event = sending.ids().next().and_then(|id| self.checks.event_of(id));
            if let Some(n) = event {
                self.at(self.now + 1, Event::Does(Op::Cancel(n)));
            }
        }
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        running.sends.insert(key, sending);
        self.asks(key);
        let nothing = NoAnswer::Lost { cause: "no answer in time".into() };
        self.give_up_at(self.now + waits, life, key, false, nothing);
    }

    fn give_up_at(&mut self, time: u64, life: u64, key: u64, is_call: bool, missing: NoAnswer) {
        let landing =
            Landing { life, key, reply: None, is_call, missing: Some(missing), authorization: None, items: Vec::new() };
        self.at(time, Event::Answered(Box::new(landing)));
    }

    /// The next request of a conversation leaves.
    fn asks(&mut self, key: u64) {
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        let Some(sending) = running.sends.get_mut(&key) else { return };
        match sending.request(&mut running.life) {
            None => drop(running.sends.remove(&key)),
            Some(outgoing) => self.leaves(Flight { life, key, outgoing, is_call: false, credential: None }),
        }
    }

    fn renews(&mut self, mut renewing: Box<Renewing>) {
        self.keys += 1;
        let key = self.keys;
        self.checks.calls(key, renewing.credential(), &Raw(&self.store));
        if !self.healed && self.dice.operator.chance(200) {
            self.minds_change();
        }
        let credential = Some(renewing.credential().to_owned());
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        if let Some(outgoing) = renewing.request(&mut running.life) {
            running.renews.insert(key, renewing);
            self.leaves(Flight { life, key, outgoing, is_call: true, credential });
            let nothing = NoAnswer::Lost { cause: "no answer within 30 s".into() };
            self.give_up_at(self.now + 30_000, life, key, true, nothing);
        } else {
            self.checks.call_ended(key, false);
        }
    }

    fn leaves(&mut self, flight: Flight) {
        if !flight.is_call {
            self.checks.leaves(self.now, &flight.outgoing.incoming);
        }
        let trouble = !self.healed && self.plan.has(Family::Network);
        if trouble && self.dice.network.chance(5) {
            self.meet("no connection");
            let missing = NoAnswer::NotSent { cause: "cannot connect".into() };
            return self.give_up_at(self.now + 20, flight.life, flight.key, flight.is_call, missing);
        }
        if trouble && self.dice.network.chance(5) {
            self.meet("a request that was lost");
            return;
        }
        let slow = trouble && self.dice.network.chance(5);
        let takes = if slow { self.dice.network.between(1_000, 40_000) } else { self.dice.network.between(1, 30) };
        self.at(self.now + takes, Event::Arrives(Box::new(flight)));
    }

    /// A request reaches the provider.
    fn arrives(&mut self, flight: Flight) {
        let Flight { life, key, outgoing, is_call, credential } = flight;
        let authorization = outgoing.incoming.head.header("authorization").map(ToOwned::to_owned);
        let items = if is_call { Vec::new() } else { events(&outgoing.incoming.body) };
        let before = self.provider.summary().refreshes_ok;
        let begun: Begun = self.provider.begin(outgoing.incoming.head.clone(), self.now);
        let body = if begun.resets_unread() { &[] } else { outgoing.incoming.body.as_ref() };
        let reply = self.provider.finish(begun, body);
        if let Some(credential) = credential.filter(|_| self.provider.summary().refreshes_ok > before) {
            self.checks.mints(self.now, key, &credential, &reply.body);
        }
        let back = self.dice.network.between(1, 30) + reply.pace.before_ms;
        let lost = !self.healed && self.plan.has(Family::Network) && self.dice.network.chance(3);
        let hangs = matches!(reply.ending, outlast::sandbox::Ending::Hang);
        if lost || hangs {
            self.meet("an answer that never came");
            self.provider.close(reply.ticket);
            return;
        }
        let landing = Landing { life, key, reply: Some(reply), is_call, missing: None, authorization, items };
        self.at(self.now + back, Event::Answered(Box::new(landing)));
    }

    /// What a request came to reaches the engine, if that still lives.
    fn lands(&mut self, landing: Landing) {
        if let Some(reply) = &landing.reply {
            self.provider.close(reply.ticket);
        }
        let alive = self.running.as_ref().is_some_and(|running| running.number == landing.life);
        if !alive {
            return;
        }
        let now = self.engine_now();
        let answer: Result<Answer, NoAnswer> = match (&landing.reply, landing.missing) {
            (Some(reply), _) => answered(reply, now),
            (None, missing) => Err(missing.expect("there is a reply or a reason")),
        };
        let running = self.running.as_mut().expect("an engine runs");
        if landing.is_call {
            let Some(renewing) = running.renews.remove(&landing.key) else { return };
            let heard = answer
                .as_ref()
                .is_ok_and(|answer| answer.json().is_some_and(|json| json.get("access_token").is_some()));
            self.checks.call_ended(landing.key, heard);
            renewing.heard(&mut running.life, answer, now);
        } else {
            let Some(sending) = running.sends.get_mut(&landing.key) else { return };
            let (authorization, items) = (landing.authorization.as_deref(), landing.items.as_slice());
            self.checks.heard(self.now, sending, authorization, items, &answer);
            sending.heard(&mut running.life, answer);
            self.asks(landing.key);
        }
        self.step();
    }

    // -- a clean stop ----------------------------------------------------------------------------------------------

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

    // -- trouble, and its end --------------------------------------------------------------------------------------

    fn fault(&mut self) {
        if self.healed {
            return;
        }
        if self.plan.scenario == Scenario::Short {
            let revoked = self.provider.revoke_access(Some(1), self.now);
            return drop(revoked);
        }
        if self.plan.scenario == Scenario::Parked {
            let revoked = self.provider.revoke_grant(1, self.now);
            return drop(revoked);
        }
        let grants = self.plan.has(Family::Grants) && self.dice.grants.chance(300);
        if grants {
            self.meet("a grant revoked");
            let which = u32::try_from(self.dice.grants.between(1, 2)).unwrap();
            let _ = self.provider.revoke_grant(which, self.now);
        } else if self.plan.has(Family::Tokens) {
            self.meet("a token revoked or ended");
            let ended = if self.dice.grants.chance(500) {
                self.provider.revoke_access(None, self.now)
            } else {
                self.provider.expire_access(None, self.now)
            };
            drop(ended);
        }
        if self.plan.has(Family::Crashes) && self.running.is_some() {
            self.meet("crash at some moment");
            self.die("killed");
        }
    }

    /// Somebody cancels what is in the air.
    fn minds_change(&mut self) {
        if !self.plan.has(Family::Operator) {
            return;
        }
        let flying = self.running.iter().flat_map(|running| running.sends.values()).flat_map(|sending| sending.ids());
        let events: Vec<u64> = flying.filter_map(|id| self.checks.event_of(id)).step_by(2).collect();
        for n in events {
            self.at(self.now + 1, Event::Does(Op::Cancel(n)));
        }
    }

    fn leap(&mut self) {
        const HOUR: i64 = 3_600_000;
        if self.healed {
            return;
        }
        match self.dice.clock.below(7) {
            0 => self.clocks.offset += HOUR,
            1 => self.clocks.offset -= HOUR,
            2 => self.clocks.offset += 365 * 24 * HOUR,
            3 => self.clocks.offset -= 365 * 24 * HOUR,
            4 => {
                self.clocks.frozen = match self.clocks.frozen {
                    None => Some(self.now),
                    Some(_) => None,
                };
            }
            5 => self.clocks.offset -= 700,
            _ => {
                let sleep = self.dice.clock.pick(&[60_000, 600_000, 8 * 3_600_000]);
                self.clocks.sleep(self.now, sleep);
                let until = self.clocks.asleep;
                self.at(until, Event::Wakes);
            }
        }
        self.meet("a fault of the clock");
    }

    fn heal(&mut self) {
        self.healed = true;
        self.clocks.wake(self.now);
        let switches = Switches { nodes: self.provider.switches().nodes.clone(), ..Plan::calm() };
        self.provider.configure(switches).expect("calm is a way to behave");
        self.provider.set_faults(&[]).expect("none fit");
        for op in Clients::resume_all() {
            self.at(self.now + 1_000, Event::Does(op));
        }
        self.at(self.now + 2_000, Event::Visit);
    }

    fn finish(&mut self) {
        self.checks.ends(&Raw(&self.store), &self.provider, &self.clients);
        if let Some(running) = self.running.take() {
            self.marks.add(running.life.marks());
        }
    }
}
