//! An engine whose every request lies on a desk until the test says what becomes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast::destination::linkedin::AudiencesBuilder;
use outlast::destination::{Batching, Destination, linkedin};
use outlast::exchange::{Answer, NoAnswer};
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::route::{Draft, Event, Route};
use outlast::sandbox::{GrantSeed, Incoming, Options, Provider};
use outlast::state::{Delivery, DeliveryId, Span, State, Time};
use outlast::store::Store;
use outlast::store::memory::{Fate, MemoryStore};
use outlast::verify::{Deed, Life, Raw, Sending, answered};
use outlast::{Authorisation, Endpoint, Engine, OAuth, Secret};
use serde_json::{Value, json};

const START: u64 = 1_780_000_000_000;
const DAY: u64 = 86_400_000;

/// A request that left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Left {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

impl Left {
    fn of(incoming: &Incoming) -> Self {
        let (method, path) = (incoming.head.method.clone(), incoming.head.path.clone());
        Left { method, path, body: incoming.body.to_vec() }
    }

    /// The names of its members, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let elements = body["elements"].as_array().cloned().unwrap_or_default();
        elements.iter().map(|element| element["title"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) struct Desk {
    store: MemoryStore,
    pub(crate) life: Life,
    provider: Provider,
    now: u64,
    settings: AudiencesBuilder,
    flying: Vec<(Box<Sending>, Incoming)>,
    /// What left, in order.
    pub(crate) log: Vec<Left>,
    pub(crate) ids: BTreeMap<String, DeliveryId>,
}

pub(crate) fn settings(batching: Batching) -> AudiencesBuilder {
    linkedin::audiences().ad_account_id("501").api("https://api.example/rest").batching(batching)
}

fn open(store: &MemoryStore, settings: &AudiencesBuilder, now: u64) -> Life {
    let mut profile = Profile::linkedin();
    profile.audience = Audience::of([&"https://api.example/rest".parse().unwrap()]);
    let built = settings.clone().build().unwrap();
    let mapping = json!({"enable_batching": {"@path": "$.properties.together"}});
    let draft = Draft { mapping: mapping.as_object().unwrap().clone(), ..Draft::default() };
    let route = Route::new("people", &built.actions()[0], &draft).unwrap();
    let builder = Life::describe(Engine::builder("unused"))
        .credential("acme", OAuth::new(profile, "client-acme", Secret::new("canary-client-secret")))
        .destination("audiences", Endpoint::new(built).credential("acme").route(route));
    // What was live is met over many turns.
    Life::open(Life::reading(builder, 2), Arc::new(store.clone()), 1, Time::from_millis(now)).unwrap()
}

impl Desk {
    pub(crate) fn new(batching: Batching) -> Desk {
        Desk::of(settings(batching))
    }

    pub(crate) fn of(settings: AudiencesBuilder) -> Desk {
        let (store, now) = (MemoryStore::new(), START);
        let mut provider = Provider::new(Options::default(), now).unwrap();
        let life = open(&store, &settings, now);
        let (flying, log, ids) = (Vec::new(), Vec::new(), BTreeMap::new());
        let seed = GrantSeed {
            client_id: "client-acme".into(),
            client_secret: "canary-client-secret".to_owned().into(),
            age_s: 86_400,
            ..GrantSeed::default()
        };
        let issued = provider.issue(&seed, now).unwrap();
        let mut desk = Desk { store, life, provider, now, settings, flying, log, ids };
        let grant = Authorisation {
            access: Secret::new(issued.access_token.expose()),
            refresh: None,
            issued: Some(Time::from_millis(now - DAY)),
            expires: Some(Time::from_millis(now + 59 * DAY)),
            refresh_expires: None,
            scope: None,
        };
        drop(desk.life.authorise("acme".into(), grant));
        desk.turn();
        desk
    }

    /// The same, once it knows the segments of these audiences.
    pub(crate) fn knowing(batching: Batching, audiences: &[&str]) -> Desk {
        let mut desk = Desk::new(batching);
        for audience in audiences {
            desk.enter(&[&event(audience, &format!("first of {audience}"))]);
            for _ in 0..20 {
                desk.pass(1_000);
                desk.answer();
            }
        }
        assert_eq!(desk.life.live(), 0, "the segments are made");
        desk.log.clear();
        desk
    }

    pub(crate) fn enter(&mut self, events: &[&Value]) {
        let mut replies = Vec::new();
        for event in events {
            let name = event["traits"]["title"].as_str().unwrap().to_owned();
            replies.push((name, self.life.ingest(&Event::json((*event).clone()).unwrap()).pop().unwrap()));
        }
        self.turn();
        self.ids.extend(replies.into_iter().map(|(name, mut reply)| (name, reply.take().unwrap().unwrap())));
    }

    /// Turns until nothing comes of it.
    pub(crate) fn turn(&mut self) {
        loop {
            let mut step = self.life.turn(Time::from_millis(self.now));
            let durable = self.store.commit(std::mem::take(&mut step.writes)).unwrap();
            while let Some(deed) = self.life.next_deed(&mut step, durable) {
                if let Deed::Send(sending) = deed {
                    self.asks(sending);
                }
            }
            if !self.life.is_asked() && !self.life.is_reading() {
                return;
            }
        }
    }

    fn asks(&mut self, mut sending: Box<Sending>) {
        if let Some(outgoing) = sending.request(&mut self.life) {
            self.log.push(Left::of(&outgoing.incoming));
            self.flying.push((sending, outgoing.incoming));
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.turn();
    }

    /// What is in the air arrives and is answered, and so is what follows it.
    pub(crate) fn answer(&mut self) {
        self.answer_as(|_| None);
    }

    /// The same, but this status, where there is one, instead of the provider's answer.
    pub(crate) fn answer_as(&mut self, instead: impl Fn(&Left) -> Option<u16>) {
        while !self.flying.is_empty() {
            for (mut sending, incoming) in std::mem::take(&mut self.flying) {
                let received = Time::from_millis(self.now);
                let answer = match instead(&Left::of(&incoming)) {
                    Some(status) => Ok(Answer { status, headers: Vec::new(), body: Vec::new(), received }),
                    None => answered(&self.provider.respond(&incoming, self.now), received),
                };
                sending.heard(&mut self.life, answer);
                self.asks(sending);
            }
            self.turn();
        }
    }

    /// What is in the air arrives, and no answer comes back.
    pub(crate) fn lose_answers(&mut self) {
        for (mut sending, incoming) in std::mem::take(&mut self.flying) {
            let _ = self.provider.respond(&incoming, self.now);
            sending.heard(&mut self.life, Err(NoAnswer::Lost { cause: "the connection was reset".into() }));
            self.asks(sending);
        }
        self.turn();
    }

    /// The process is killed, and started again a minute later.
    pub(crate) fn kill(&mut self) {
        let settings = self.settings.clone();
        self.kill_for(settings);
    }

    /// The same, and its destination is set otherwise.
    pub(crate) fn kill_for(&mut self, settings: AudiencesBuilder) {
        self.flying.clear();
        self.store.crash(Fate::LoseAll);
        self.store = self.store.reopen().unwrap();
        self.now += 60_000;
        self.life = open(&self.store, &settings, self.now);
        self.settings = settings;
        self.turn();
    }

    pub(crate) fn stored(&self, name: &str) -> Delivery {
        Raw(&self.store).delivery(self.ids[name]).unwrap().delivery
    }

    pub(crate) fn is_done(&self, name: &str) -> bool {
        matches!(self.stored(name).state, State::Done { .. })
    }

    /// The members of each request that left.
    pub(crate) fn names(&self) -> Vec<Vec<String>> {
        self.log.iter().map(Left::names).collect()
    }
}

/// A person, who is called like this, enters an audience.
pub(crate) fn event(audience: &str, name: &str) -> Value {
    json!({
        "type": "track", "event": "Audience Entered", "messageId": format!("{audience} {name}"),
        "traits": {"email": format!("{}@example.org", name.replace(' ', "-")), "title": name},
        "properties": {"audience_key": audience}
    })
}

pub(crate) fn events(audience: &str, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| event(audience, name)).collect()
}

/// Up to so many, which wait so long for each other.
pub(crate) fn lingering(items: u32, millis: u64) -> Batching {
    Batching { linger: Span::from_millis(millis), ..Batching::up_to(items) }
}
