//! The engine's heart, the sandbox's provider and what lies between them, on one thread and one line of time.

mod air;
mod end;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use outlast::destination::linkedin;
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::route::{Draft, Route};
use outlast::sandbox::{GrantSeed, Incoming, Options, Provider, Reply as Answering};
use outlast::state::{CredentialState, DeliveryId, Span, State, Time};
use outlast::store::Durable;
use outlast::store::memory::{Fate as Kept, MemoryStore};
use outlast::verify::{Deed, Life, Raw, Renewing, Reply, Sending, Step};
use outlast::{Authorisation, Builder, Endpoint, Engine, OAuth, Secret};
use serde_json::{Map, Value, json};

use super::script::{Fate, Member, Told, number, script};
use super::{Figures, Plan, Unlaned};
use crate::draw::Dice;

const START: u64 = 1_780_000_000_000;
/// The longest that a request travels. A lane is quiet for 30 s after one without an answer.
const SLOWEST: u64 = 25_000;
/// In a healed world everything has ended after so long.
const HEALING: u64 = 4 * 3_600_000;

enum Event {
    Open,
    Feed,
    Wake(u64),
    Arrives(Box<Flight>),
    Answered(Box<Landing>),
    TokenDies,
    Heal,
}

struct Flight {
    life: u64,
    key: u64,
    incoming: Incoming,
    is_call: bool,
}

struct Landing {
    life: u64,
    key: u64,
    is_call: bool,
    reply: Option<Answering>,
}

struct Running {
    life: Life,
    number: u64,
    durable: Durable,
    sends: BTreeMap<u64, Box<Sending>>,
    renews: BTreeMap<u64, Box<Renewing>>,
    wakes: u64,
    woken: bool,
}

pub(crate) struct World {
    plan: Plan,
    now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    order: u64,
    store: MemoryStore,
    running: Option<Running>,
    lives: u64,
    keys: u64,
    provider: Provider,
    network: Dice,
    crashes: Dice,
    feeding: Dice,
    healed: bool,
    events: Vec<Told>,
    /// So many events are acknowledged.
    fed: usize,
    asked: Vec<Reply<DeliveryId>>,
    numbers: HashMap<DeliveryId, usize>,
    ended: BTreeSet<usize>,
    /// The deliveries of the events that have left.
    left: HashMap<usize, DeliveryId>,
    /// The event before this one about the same member.
    before: Vec<Option<usize>>,
    applied: Vec<Value>,
    raced: bool,
    figures: Figures,
    wrong: Vec<String>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let events = script(plan.pairs, &mut Dice::of(plan.seed, "events"));
        let mut last: HashMap<Member, usize> = HashMap::new();
        let good = |told: &Told| told.fate == Fate::Good;
        let before = (0..).zip(&events).map(|(n, told)| good(told).then(|| last.insert(told.member(), n)).flatten());
        let before = before.collect();
        let options =
            json!({"seed": plan.seed, "switches": {"segment_ready_delay_ms": 30_000, "finder_delay_ms": 3_000}});
        let mut provider = Provider::new(Options::from_json(&options).unwrap(), START).unwrap();
        let faults: Vec<_> = serde_json::from_value(plan.faults()).unwrap();
        provider.set_faults(&faults).unwrap();
        let mut world = World {
            now: START,
            queue: BTreeMap::new(),
            order: 0,
            store: MemoryStore::new(),
            running: None,
            lives: 0,
            keys: 0,
            provider,
            network: Dice::of(plan.seed, "network"),
            crashes: Dice::of(plan.seed, "crashes"),
            feeding: Dice::of(plan.seed, "feeding"),
            healed: !plan.trouble,
            figures: Figures { events: events.len(), ..Figures::default() },
            events,
            fed: 0,
            asked: Vec::new(),
            numbers: HashMap::new(),
            ended: BTreeSet::new(),
            left: HashMap::new(),
            before,
            applied: Vec::new(),
            raced: false,
            wrong: Vec::new(),
            plan,
        };
        world.at(START, Event::Open);
        world.at(START + 10, Event::Feed);
        world
    }

    fn at(&mut self, time: u64, event: Event) {
        self.order += 1;
        self.queue.insert((time.max(self.now), self.order), event);
    }

    fn expect(&mut self, holds: bool, told: impl FnOnce(&Self) -> String) {
        if !holds && self.wrong.len() < 20 {
            let told = told(self);
            self.wrong.push(told);
        }
    }

    /// Lets everything happen; what was seen, and what was wrong with it.
    pub(crate) fn run(mut self) -> (Figures, Vec<String>) {
        if self.plan.trouble {
            self.at(START + 60_000, Event::TokenDies);
        }
        let mut end = if self.healed { START + HEALING } else { u64::MAX };
        while let Some(((time, _), event)) = self.queue.pop_first() {
            self.now = time;
            if matches!(event, Event::Heal) {
                end = time + HEALING;
            }
            self.happen(event);
            self.pump();
            let idle = self.running.as_ref().is_some_and(|running| running.life.live() == 0);
            if (self.healed && idle && self.fed == self.events.len()) || time > end {
                break;
            }
        }
        self.finish();
        (self.figures, self.wrong)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Open => self.open(),
            Event::Feed => self.feed(),
            Event::Wake(life) => {
                if let Some(running) = self.running.as_mut().filter(|running| running.number == life) {
                    (running.woken, running.wakes) = (true, u64::MAX);
                }
            }
            Event::Arrives(flight) => self.arrives(*flight),
            Event::Answered(landing) => self.lands(&landing),
            Event::TokenDies => {
                if !self.healed {
                    self.figures.tokens += u64::from(self.provider.revoke_access(None, self.now).is_ok());
                    self.at(self.now + 240_000, Event::TokenDies);
                }
            }
            Event::Heal => {
                self.healed = true;
                self.provider.set_faults(&[]).unwrap();
            }
        }
    }

    fn route(name: &str, action: usize, kind: &str) -> Route {
        let built = linkedin::audiences().ad_account_id("501").build().unwrap();
        let when =
            format!("(event = \"Audience Entered\" or event = \"Audience Exited\") and properties.kind = \"{kind}\"");
        let mut mapping = Map::new();
        if kind == "company" {
            mapping.insert("dmp_company_action".into(), json!({"@path": "$.properties.action"}));
        }
        let actions = outlast::destination::Destination::actions(&built);
        Route::new(name, &actions[action], &Draft { when: Some(when), mapping, ..Draft::default() }).unwrap()
    }

    fn builder(&self) -> Builder {
        let mut profile = Profile::linkedin();
        profile.token_url = "https://api.example/oauth/v2/accessToken".parse().unwrap();
        profile.audience = Audience::of([&"https://api.example/rest".parse().unwrap()]);
        profile.settle = Span::from_secs(20);
        let built = linkedin::audiences().ad_account_id("501").api("https://api.example/rest").build().unwrap();
        let endpoint = if self.plan.lanes { Endpoint::new(built) } else { Endpoint::new(Unlaned(built)) };
        let endpoint = endpoint.credential("acme").concurrency(6);
        let endpoint =
            endpoint.route(World::route("people", 0, "person")).route(World::route("companies", 1, "company"));
        Life::describe(Engine::builder("unused"))
            .credential("acme", OAuth::new(profile, "client-acme", Secret::new("canary-client-secret")))
            .destination("audiences", endpoint)
    }

    fn open(&mut self) {
        self.lives += 1;
        if self.lives > 1 {
            self.store = self.store.reopen().unwrap();
        }
        // Every other life meets what was live over many turns.
        let builder = self.builder();
        let builder = if self.lives.is_multiple_of(2) { Life::reading(builder, 50) } else { builder };
        let now = Time::from_millis(self.now);
        let life = Life::open(builder, Arc::new(self.store.clone()), self.plan.seed | 1, now).unwrap();
        let (durable, sends, renews) = (life.opened(), BTreeMap::new(), BTreeMap::new());
        let number = self.lives;
        self.running = Some(Running { life, number, durable, sends, renews, wakes: u64::MAX, woken: true });
    }

    /// The process is killed, perhaps: its disk keeps of what was not confirmed what chance wants, the provider what has left.
    fn is_killed(&mut self) -> bool {
        if self.healed || self.crashes.below(self.plan.commits_a_crash) != 0 {
            return false;
        }
        self.figures.crashes += 1;
        self.running = None;
        self.asked.clear();
        let seed = self.crashes.next();
        self.store.crash(self.crashes.pick(&[Kept::LoseAll, Kept::KeepAll, Kept::Seeded(seed)]));
        let down = self.crashes.pick(&[10, 1_000, 10_000, 60_000]);
        self.at(self.now + down, Event::Open);
        true
    }

    /// The source hands over what comes next. What was not acknowledged comes again, before all later ones.
    fn feed(&mut self) {
        let next = self.now + self.feeding.between(100, 12_000);
        self.authorise();
        if let Some(running) = self.running.as_mut().filter(|_| self.asked.is_empty()) {
            let most = (self.fed + self.feeding.between(1, 300) as usize).min(self.events.len());
            for n in self.fed..most {
                let mut replies = running.life.ingest(&self.events[n].event(n));
                assert_eq!(replies.len(), 1, "one route takes each event");
                self.asked.append(&mut replies);
            }
        }
        if self.fed < self.events.len() {
            self.at(next, Event::Feed);
        } else if self.plan.trouble {
            self.at(self.now + 60_000, Event::Heal);
        }
    }

    fn hear(&mut self) {
        let mut answers: Vec<_> = self.asked.iter_mut().map(Reply::take).collect();
        if !answers.is_empty() && answers.iter().all(Option::is_some) {
            self.asked.clear();
            let accepted = answers.drain(..).flatten().map(|answer| answer.expect("it is accepted"));
            self.fed += accepted.count();
        }
    }

    fn authorise(&mut self) {
        let stored = Raw(&self.store).credential("acme");
        let dead = stored.is_none_or(|stored| matches!(stored.state, CredentialState::Dead { .. }));
        let Some(running) = self.running.as_mut().filter(|_| dead) else { return };
        let seed = GrantSeed {
            client_id: "client-acme".into(),
            client_secret: "canary-client-secret".to_owned().into(),
            member: Some("acme".into()),
            ..GrantSeed::default()
        };
        let issued = self.provider.issue(&seed, self.now).unwrap();
        let grant = Authorisation {
            access: Secret::new(issued.access_token.expose()),
            refresh: Some(Secret::new(issued.refresh_token.expose())),
            issued: Some(Time::from_millis(self.now)),
            expires: Some(Time::from_millis(self.now + 60 * 86_400_000)),
            refresh_expires: None,
            scope: None,
        };
        drop(running.life.authorise("acme".into(), grant));
    }

    fn pump(&mut self) {
        loop {
            let Some(running) = self.running.as_mut().filter(|it| it.woken || it.life.is_asked()) else { return };
            running.woken = false;
            let mut step = running.life.turn(Time::from_millis(self.now));
            let wake = self.now + step.wake.since(Time::from_millis(self.now)).as_millis().min(30_000);
            if wake < running.wakes {
                running.wakes = wake;
                let life = running.number;
                self.at(wake, Event::Wake(life));
            }
            if self.commits(&mut step) || self.acts(step) {
                return;
            }
        }
    }

    /// Writes what is to be durable. Says whether that was the end.
    fn commits(&mut self, step: &mut Step) -> bool {
        let writes = std::mem::take(&mut step.writes);
        if writes.is_empty() {
            return false;
        }
        self.figures.commits += 1;
        self.store.write(writes).unwrap();
        if self.is_killed() {
            return true;
        }
        let durable = self.store.barrier().unwrap();
        if let Some(running) = self.running.as_mut() {
            running.durable = durable;
        }
        self.is_killed()
    }

    /// Whether the delivery of an event that has left before is stored as ended.
    fn has_ended(&mut self, n: usize) -> bool {
        if self.ended.contains(&n) {
            return true;
        }
        let stored = self.left.get(&n).and_then(|id| Raw(&self.store).delivery(*id)).map(|one| one.delivery.state);
        let has = matches!(stored, Some(State::Done { .. } | State::Failed { .. }));
        has && self.ended.insert(n)
    }

    /// The event that a delivery is of.
    fn number(&mut self, id: DeliveryId) -> usize {
        let stored = || number(Raw(&self.store).delivery(id).and_then(|one| one.once).as_deref());
        let n = *self.numbers.entry(id).or_insert_with(|| stored().expect("it is stored with its event's key"));
        self.left.insert(n, id);
        n
    }

    fn acts(&mut self, mut step: Step) -> bool {
        loop {
            let Some(running) = self.running.as_mut() else { return true };
            match running.life.next_deed(&mut step, running.durable) {
                None => break,
                Some(Deed::Answered | Deed::Told | Deed::Trusted) => {}
                Some(Deed::Send(sending)) => {
                    self.sends(sending);
                    if self.is_killed() {
                        return true;
                    }
                }
                Some(Deed::Renew(renewing)) => self.renews(renewing),
                Some(Deed::Inspect(mut inspecting)) => {
                    // The issuer's answer never comes.
                    let running = self.running.as_mut().expect("an engine runs");
                    if inspecting.request(&mut running.life).is_some() {
                        let cause = "the issuer is silent".to_owned();
                        inspecting.heard(&mut running.life, Err(outlast::exchange::NoAnswer::Lost { cause }));
                    }
                }
            }
        }
        self.hear();
        false
    }
}
