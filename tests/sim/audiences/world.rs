//! The engine's heart, the sandbox's provider and what lies between them, on one thread and one line of time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use outlast::destination::linkedin;
use outlast::exchange::NoAnswer;
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::route::{Draft, Route};
use outlast::sandbox::{Ending, GrantSeed, Incoming, Options, Provider, Reply as Answering};
use outlast::state::{CredentialState, DeliveryId, Span, State, Time};
use outlast::store::Durable;
use outlast::store::memory::{Fate as Kept, MemoryStore};
use outlast::verify::{Deed, Life, Outgoing, Raw, RawDelivery, Renewing, Reply, Sending, Step, answered};
use outlast::{Authorisation, Builder, Endpoint, Engine, OAuth, Secret};
use serde_json::{Map, Value, json};

use super::script::{AUDIENCES, Fate, Member, Told, change, changes, number, script};
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
    /// What was written when the process was killed, and may be on disk.
    unsure: Vec<DeliveryId>,
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
            unsure: Vec::new(),
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
            Event::Answered(landing) => self.lands(*landing),
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
        for id in std::mem::take(&mut self.unsure) {
            if let Some(one) = Raw(&self.store).delivery(id) {
                self.is_durable(&one);
            }
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
        let written: Vec<RawDelivery> = RawDelivery::written(&writes).collect();
        self.figures.commits += 1;
        self.store.write(writes).unwrap();
        if self.is_killed() {
            self.unsure = written.iter().map(|one| one.delivery.id).collect();
            return true;
        }
        let durable = self.store.barrier().unwrap();
        if let Some(running) = self.running.as_mut() {
            running.durable = durable;
        }
        written.iter().for_each(|one| self.is_durable(one));
        self.is_killed()
    }

    fn is_durable(&mut self, one: &RawDelivery) {
        let Some(n) = number(one.once.as_deref()) else { return };
        self.numbers.insert(one.delivery.id, n);
        if matches!(one.delivery.state, State::Done { .. } | State::Failed { .. }) {
            self.ended.insert(n);
        }
    }

    fn acts(&mut self, mut step: Step) -> bool {
        loop {
            let Some(running) = self.running.as_mut() else { return true };
            match running.life.next_deed(&mut step, running.durable) {
                None => break,
                Some(Deed::Answered | Deed::Trusted) => {}
                Some(Deed::Send(sending)) => {
                    self.sends(sending);
                    if self.is_killed() {
                        return true;
                    }
                }
                Some(Deed::Renew(renewing)) => self.renews(renewing),
            }
        }
        self.hear();
        false
    }

    fn sends(&mut self, sending: Box<Sending>) {
        self.departs(&sending);
        self.keys += 1;
        let (key, by) = (self.keys, sending.by().as_millis() + 1_000);
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        running.sends.insert(key, sending);
        self.asks(key);
        self.at(by, Event::Answered(Box::new(Landing { life, key, is_call: false, reply: None })));
    }

    /// S10 and S11, at each request.
    fn departs(&mut self, sending: &Sending) {
        let sent: Vec<usize> = sending.ids().map(|id| self.numbers[&id]).collect();
        self.figures.batches += 1;
        self.figures.largest = self.figures.largest.max(sent.len());
        for n in &sent {
            let early = self.before[*n].filter(|before| !self.ended.contains(before));
            self.expect(early.is_none(), |_| format!("S10 Lanes: event {n} is sent before {early:?} has ended"));
        }
    }

    fn asks(&mut self, key: u64) {
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        let Some(sending) = running.sends.get_mut(&key) else { return };
        match sending.request(&mut running.life) {
            None => drop(running.sends.remove(&key)),
            Some(outgoing) => self.leaves(life, key, outgoing, false),
        }
    }

    fn renews(&mut self, mut renewing: Box<Renewing>) {
        self.keys += 1;
        let key = self.keys;
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        if let Some(outgoing) = renewing.request(&mut running.life) {
            running.renews.insert(key, renewing);
            self.leaves(life, key, outgoing, true);
            self.at(self.now + 30_000, Event::Answered(Box::new(Landing { life, key, is_call: true, reply: None })));
        }
    }

    fn leaves(&mut self, life: u64, key: u64, outgoing: Outgoing, is_call: bool) {
        let slow = !self.healed && self.network.chance(20);
        let takes = if slow { self.network.between(1_000, SLOWEST) } else { self.network.between(5, 200) };
        let flight = Flight { life, key, incoming: outgoing.incoming, is_call };
        self.at(self.now + takes, Event::Arrives(Box::new(flight)));
    }

    /// A request reaches the provider, whether or not its engine still lives.
    fn arrives(&mut self, flight: Flight) {
        let Flight { life, key, incoming, is_call } = flight;
        if !self.raced && incoming.head.method == "POST" && incoming.head.path == "/rest/dmpSegments" {
            // Another engine is a moment faster with the same segment.
            self.raced = true;
            self.serve(&incoming);
        }
        let reply = self.serve(&incoming);
        if matches!(reply.ending, Ending::Hang) {
            return;
        }
        let back = self.now + self.network.between(5, 200) + reply.pace.before_ms;
        self.at(back, Event::Answered(Box::new(Landing { life, key, is_call, reply: Some(reply) })));
    }

    fn serve(&mut self, incoming: &Incoming) -> Answering {
        let reply = self.provider.respond(incoming, self.now);
        self.provider.close(reply.ticket);
        let mut line: Value = serde_json::from_str(&reply.line).unwrap();
        self.figures.faults += u64::from(!line["fault_rule"].is_null());
        let is_stream = incoming.head.path.starts_with("/rest/dmpSegments/");
        match line["answer_status"].as_u64() {
            Some(404) if is_stream => self.figures.not_ready += 1,
            Some(409) => self.figures.races += 1,
            Some(401) => self.figures.refused += 1,
            _ => {}
        }
        if let Value::Array(applied) = line["applied"].take() {
            self.applied.extend(applied);
        }
        reply
    }

    fn lands(&mut self, landing: Landing) {
        let now = Time::from_millis(self.now);
        let Some(running) = self.running.as_mut().filter(|running| running.number == landing.life) else { return };
        let answer = match &landing.reply {
            Some(reply) => answered(reply, now),
            None => Err(NoAnswer::Lost { cause: "no answer in time".into() }),
        };
        if landing.is_call {
            if let Some(renewing) = running.renews.remove(&landing.key) {
                renewing.heard(&mut running.life, answer, now);
            }
        } else if let Some(sending) = running.sends.get_mut(&landing.key) {
            sending.heard(&mut running.life, answer);
            self.asks(landing.key);
        }
    }

    fn finish(&mut self) {
        self.figures.minutes = (self.now - START) / 60_000;
        self.figures.lives = self.lives;
        let deliveries = Raw(&self.store).deliveries();
        let (count, events) = (deliveries.len(), self.events.len());
        self.expect(count == events, |_| format!("S1 No loss: {count} deliveries of {events} events"));
        for one in deliveries {
            self.ends_as_named(&one);
        }
        let conflicts = self.provider.summary().conflicts;
        self.expect(conflicts == 0, |_| format!("{conflicts} conflicts"));
        self.compare();
    }

    fn ends_as_named(&mut self, one: &RawDelivery) {
        let n = number(one.once.as_deref()).expect("each has its event's key");
        let (fate, state) = (self.events[n].fate, &one.delivery.state);
        let right = match (fate, state) {
            (Fate::Good, State::Done { .. }) => true,
            (Fate::Refused, State::Failed { reason, .. }) => format!("{reason:?}").contains("Rejected"),
            (Fate::Unfit, State::Failed { reason, .. }) => format!("{reason:?}").contains("Invalid"),
            _ => false,
        };
        self.figures.failed += u64::from(matches!(state, State::Failed { .. }));
        self.figures.spent += u64::from(one.delivery.spent);
        self.expect(right, |_| format!("event {n}, which is {fate:?}, ended {state:?}"));
        self.expect(one.replays, |_| format!("S15 Replay: event {n}"));
    }

    /// Every segment once, every member changed as the events say and in their order, and in it or not as they say.
    fn compare(&mut self) {
        let state = self.provider.state();
        let segments = state["segments"].as_array().cloned().unwrap_or_default();
        let name = |kind: bool| if kind { "COMPANY" } else { "USER" };
        let is = |segment: &Value, (key, kind): (&str, bool)| {
            segment["sourceSegmentId"] == key && segment["type"] == name(kind)
        };
        let (mut ids, mut inside) = (HashMap::new(), BTreeSet::new());
        for segment in &segments {
            let at = AUDIENCES.iter().position(|audience| is(segment, *audience)).expect("it is one of ours");
            ids.insert(segment["id"].to_string(), at);
            inside.extend(segment["members"].as_object().into_iter().flatten().map(|(member, _)| (at, member.clone())));
        }
        let made = self.applied.iter().filter(|applied| applied["resource"] == "dmpSegments").count();
        let of = (segments.len(), ids.values().collect::<BTreeSet<_>>().len());
        self.expect(made == 4 && of == (4, 4), |_| format!("{made} segments were made, {of:?} are there"));
        let mut seen: BTreeMap<Member, Vec<_>> = BTreeMap::new();
        for applied in self.applied.iter().filter(|applied| applied["key"].as_str().unwrap_or("").contains('/')) {
            let (segment, member) = applied["key"].as_str().unwrap().split_once('/').unwrap();
            seen.entry((ids[segment], member.to_owned())).or_default().push(change(applied));
        }
        let wanted = changes(&self.events);
        let within: BTreeSet<&Member> =
            wanted.iter().filter(|(_, changes)| changes.last().unwrap().0).map(|(member, _)| member).collect();
        self.figures.members = within.len();
        self.figures.strayed = inside.iter().collect::<BTreeSet<_>>().symmetric_difference(&within).count();
        let strayed = self.figures.strayed;
        self.expect(strayed == 0, |_| format!("{strayed} members are not where the fold of the events has them"));
        for (member, changes) in &wanted {
            let seen = seen.get(member);
            self.expect(seen == Some(changes), |_| {
                format!("S10 Lanes: {member:?} was changed {seen:?} instead of {changes:?}")
            });
        }
        self.expect(seen.len() == wanted.len(), |_| "members were changed that no event names".into());
    }
}
