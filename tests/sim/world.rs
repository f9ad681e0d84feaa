//! The world: one thread, one line of time, and everything that can happen on it in the order of a seed. The engine is the
//! shipped heart; the provider is the sandbox's logic; the disk is the store in memory, of which a crash leaves what was
//! durable and any subset of what was not. The loop around the heart is the driver's, act for act.

mod engine;
mod network;
mod trouble;

use std::collections::BTreeMap;

use outlast::exchange::NoAnswer;
use outlast::sandbox::{Options, Provider, Reply as Answering};
use outlast::state::Time;
use outlast::store::Durable;
use outlast::store::memory::MemoryStore;
use outlast::verify::{Inspecting, Life, Marks, Outgoing, Raw, Renewing, Sending, Step};

use crate::checks::Checks;
use crate::clients::{Clients, Op};
use crate::draw::Dice;
use crate::plan::{Family, Plan, RELEASED_AT, Scenario};

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
    inspects: BTreeMap<u64, Box<Inspecting>>,
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
    /// Whether the last engine that ran died.
    died: bool,
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
            died: false,
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
        if self.plan.scenario == Scenario::Parked {
            self.at(START + RELEASED_AT, Event::Visit);
        }
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

    fn finish(&mut self) {
        self.checks.ends(&Raw(&self.store), &self.provider, &self.clients);
        if let Some(running) = self.running.take() {
            self.marks.add(running.life.marks());
        }
    }
}
