//! A provider, an engine's heart and one line of time: small enough to stop anywhere and ask how a credential stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast::destination::linkedin;
use outlast::exchange::Rule;
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::sandbox::{GrantSeed, Options, Provider, Reply as Answering};
use outlast::state::{DeliveryId, Finding, Span, Time};
use outlast::store::Durable;
use outlast::store::memory::{Fate, MemoryStore};
use outlast::verify::{Deed, Inspecting, Life, Renewing, Reply, Sending, answered};
use outlast::{Authorisation, CredentialDetails, Endpoint, Engine, OAuth, Parcel, Secret};
use serde_json::{Value, json};

pub(super) const START: u64 = 1_780_000_000_000;
pub(super) const DAY: u64 = 86_400_000;

/// From a request to its answer.
const TRIP: u64 = 150;

enum Landing {
    Send(Box<Sending>, Answering),
    Renew(Box<Renewing>, Answering),
    Inspect(Box<Inspecting>, Answering),
}

pub(super) struct Place {
    pub(super) now: u64,
    pub(super) provider: Provider,
    profile: Profile,
    store: MemoryStore,
    life: Life,
    durable: Durable,
    wakes: u64,
    air: BTreeMap<(u64, u64), Landing>,
    order: u64,
    events: u64,
    /// Kill the engine when a token request was answered, before the answer arrives.
    pub(super) kills: bool,
}

/// `LinkedIn` at an address of the test's own. Requests that lack a scope say so.
pub(super) fn profile() -> Profile {
    let mut profile = Profile::linkedin();
    profile.token_url = "https://api.example/oauth/v2/accessToken".parse().unwrap();
    profile.introspect_url = Some("https://api.example/oauth/v2/introspectToken".parse().unwrap());
    profile.audience = Audience::of([&"https://api.example/rest".parse().unwrap()]);
    profile.lacks_scope = vec![Rule::status(403..=403).holding("/serviceErrorCode", &["100"])];
    profile
}

impl Place {
    pub(super) fn new(switches: &Value, profile: Profile) -> Self {
        let options = json!({"seed": 7, "switches": switches});
        let provider = Provider::new(Options::from_json(&options).unwrap(), START).unwrap();
        let store = MemoryStore::new();
        let life = open(&profile, &store, START);
        let (durable, now) = (life.opened(), START);
        let air = BTreeMap::new();
        Place { now, provider, profile, store, life, durable, wakes: 0, air, order: 0, events: 0, kills: false }
    }

    /// A human consents; the token was minted so long ago.
    pub(super) fn authorise(&mut self, age: Span) {
        let seed = GrantSeed {
            client_id: "client-acme".into(),
            client_secret: "canary-client-secret".to_owned().into(),
            member: Some("acme".into()),
            age_s: age.as_millis() / 1000,
            ..GrantSeed::default()
        };
        let issued = self.provider.issue(&seed, self.now).unwrap();
        let minted = self.now - age.as_millis();
        let grant = Authorisation {
            access: Secret::new(issued.access_token.expose()),
            refresh: Some(Secret::new(issued.refresh_token.expose())),
            issued: Some(Time::from_millis(minted)),
            expires: Some(Time::from_millis(minted + 60 * DAY)),
            refresh_expires: Some(Time::from_millis(minted + 365 * DAY)),
            scope: None,
        };
        drop(self.life.authorise("acme".into(), grant));
        self.pump();
    }

    pub(super) fn faults(&mut self, rules: Value) {
        let rules: Vec<_> = serde_json::from_value(rules).unwrap();
        self.provider.set_faults(&rules).unwrap();
    }

    /// One more event is accepted.
    pub(super) fn submit(&mut self) -> DeliveryId {
        self.events += 1;
        let event = json!({
            "type": "track", "event": "Order Completed", "messageId": format!("order-{}", self.events),
            "timestamp": self.now - 60_000, "traits": {"email": "ann@example.org"},
            "properties": {"currency": "EUR", "revenue": 12.5}
        });
        let reply = self.life.submit(Parcel::to("conversions").json(&event).unwrap());
        self.answer(reply)
    }

    pub(super) fn show(&mut self) -> CredentialDetails {
        let reply = self.life.credential("acme");
        self.answer(reply)
    }

    pub(super) fn why(&mut self, id: DeliveryId) -> Vec<String> {
        let reply = self.life.why(id);
        self.answer(reply)
    }

    /// The state of a delivery, and what is said of it.
    pub(super) fn state(&mut self, id: DeliveryId) -> (String, Option<String>) {
        let reply = self.life.show(id);
        let summary = self.answer(reply).summary;
        (summary.state, summary.detail)
    }

    fn answer<T>(&mut self, mut reply: Reply<T>) -> T {
        self.pump();
        reply.take().expect("it is answered in the turn that it is asked in").unwrap()
    }

    /// Lets time pass until then.
    pub(super) fn pass(&mut self, span: Span) {
        let end = self.now + span.as_millis();
        loop {
            self.pump();
            let next = self.air.keys().next().map_or(u64::MAX, |(at, _)| *at).min(self.wakes);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.air.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let landing = entry.remove();
                self.lands(landing);
            }
            if self.wakes <= self.now {
                self.wakes = 0;
            }
        }
    }

    /// An event every five seconds, until the credential is found to be this. At most a day.
    pub(super) fn until(&mut self, finding: Finding) -> CredentialDetails {
        self.feed_until(|details| details.finding == finding)
    }

    pub(super) fn feed_until(&mut self, found: impl Fn(&CredentialDetails) -> bool) -> CredentialDetails {
        for _ in 0..17_280 {
            self.submit();
            self.pass(Span::from_secs(5));
            let details = self.show();
            if found(&details) {
                return details;
            }
        }
        panic!("it was never found; at last:\n{}", self.show());
    }

    /// The process dies, and another one opens what its disk kept.
    pub(super) fn restart(&mut self) {
        self.air.clear();
        self.store.crash(Fate::LoseAll);
        self.store = self.store.reopen().unwrap();
        self.life = open(&self.profile, &self.store, self.now);
        (self.durable, self.wakes) = (self.life.opened(), 0);
        self.pump();
    }

    /// How many requests of this path the provider was sent.
    pub(super) fn requests(&self, path: &str) -> usize {
        let lines = self.provider.log_from(0).filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["path"].as_str().is_some_and(|one| one.starts_with(path))).count()
    }

    fn pump(&mut self) {
        while self.wakes == 0 || self.life.is_asked() {
            let now = Time::from_millis(self.now);
            let mut step = self.life.turn(now);
            self.wakes = self.now + step.wake.since(now).as_millis().clamp(1, 30_000);
            let writes = std::mem::take(&mut step.writes);
            if !writes.is_empty() {
                self.store.write(writes).unwrap();
                self.durable = self.store.barrier().unwrap();
            }
            while let Some(deed) = self.life.next_deed(&mut step, self.durable) {
                match deed {
                    Deed::Answered | Deed::Trusted => {}
                    Deed::Send(sending) => self.sends(sending),
                    Deed::Renew(renewing) => self.renews(renewing),
                    Deed::Inspect(mut inspecting) => {
                        if let Some(outgoing) = inspecting.request(&mut self.life) {
                            let reply = self.serve(&outgoing.incoming);
                            self.fly(Landing::Inspect(inspecting, reply));
                        }
                    }
                }
            }
        }
    }

    fn sends(&mut self, mut sending: Box<Sending>) {
        if let Some(outgoing) = sending.request(&mut self.life) {
            let reply = self.serve(&outgoing.incoming);
            self.fly(Landing::Send(sending, reply));
        }
    }

    fn renews(&mut self, mut renewing: Box<Renewing>) {
        if let Some(outgoing) = renewing.request(&mut self.life) {
            let reply = self.serve(&outgoing.incoming);
            self.fly(Landing::Renew(renewing, reply));
        }
    }

    fn serve(&mut self, incoming: &outlast::sandbox::Incoming) -> Answering {
        let reply = self.provider.respond(incoming, self.now);
        self.provider.close(reply.ticket);
        reply
    }

    fn fly(&mut self, landing: Landing) {
        self.order += 1;
        self.air.insert((self.now + TRIP, self.order), landing);
    }

    fn lands(&mut self, landing: Landing) {
        let now = Time::from_millis(self.now);
        match landing {
            Landing::Send(mut sending, reply) => {
                sending.heard(&mut self.life, answered(&reply, now));
                self.sends(sending);
            }
            Landing::Renew(..) if self.kills => {
                self.kills = false;
                self.restart();
            }
            Landing::Renew(renewing, reply) => renewing.heard(&mut self.life, answered(&reply, now), now),
            Landing::Inspect(inspecting, reply) => inspecting.heard(&mut self.life, answered(&reply, now)),
        }
    }
}

fn open(profile: &Profile, store: &MemoryStore, now: u64) -> Life {
    let built = linkedin::conversions().rule("789123").api("https://api.example/rest").batch_size(1).build().unwrap();
    let builder = Life::describe(Engine::builder("unused"))
        .credential("acme", OAuth::new(profile.clone(), "client-acme", Secret::new("canary-client-secret")))
        .destination("conversions", Endpoint::new(built).credential("acme"));
    Life::open(builder, Arc::new(store.clone()), 7, Time::from_millis(now)).unwrap()
}
