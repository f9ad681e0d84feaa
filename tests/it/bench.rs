//! What the engine's tests stand on: a provider, a store in memory and a clock that the test drives.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlast::clock::{Clock, Waiting};
use outlast::destination::linkedin;
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::sandbox::{Options, Sandbox};
use outlast::store::memory::{Fate, MemoryStore};
use outlast::vault::VaultKey;
use outlast::{Authorisation, Builder, Counts, Endpoint, Engine, OAuth, Outcome, Parcel, Secret, Summary};
use outlast_state::{DeliveryId, Span, Time};
use serde_json::{Value, json};
use tokio::sync::watch;

/// Engine time as the test moves it.
pub(crate) struct ManualClock {
    now: watch::Sender<u64>,
    waits: Mutex<Waits>,
}

#[derive(Default)]
struct Waits {
    made: u64,
    until: BTreeMap<u64, Time>,
}

impl ManualClock {
    pub(crate) fn at(millis: u64) -> Arc<Self> {
        Arc::new(ManualClock { now: watch::Sender::new(millis), waits: Mutex::default() })
    }

    pub(crate) fn millis(&self) -> u64 {
        *self.now.borrow()
    }

    pub(crate) fn advance(&self, span: Span) {
        self.now.send_modify(|now| *now += span.as_millis());
    }

    /// Moves to the earliest time that somebody waits for, but no further than a request may take: one may have left just
    /// now.
    pub(crate) fn skip(&self) {
        const FURTHEST: u64 = 20_000;
        let next = self.waits.lock().unwrap().until.values().min().copied();
        if let Some(next) = next {
            self.now.send_modify(|now| *now = (*now).max(next.as_millis().min(*now + FURTHEST)));
        }
    }

    /// How often anybody began to wait: the driver does once a turn.
    pub(crate) fn waits(&self) -> u64 {
        self.waits.lock().unwrap().made
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time::from_millis(self.millis())
    }

    fn wait(&self, at: Time) -> Waiting<'_> {
        Box::pin(async move {
            let number = {
                let mut waits = self.waits.lock().unwrap();
                waits.made += 1;
                let number = waits.made;
                waits.until.insert(number, at);
                number
            };
            let _gone = Gone { clock: self, number };
            self.now.subscribe().wait_for(|now| *now >= at.as_millis()).await.unwrap();
        })
    }
}

struct Gone<'a> {
    clock: &'a ManualClock,
    number: u64,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.clock.waits.lock().unwrap().until.remove(&self.number);
    }
}

pub(crate) const DAY: u64 = 86_400;
pub(crate) const START: u64 = 1_780_000_000_000;
pub(crate) const SETTLE: Span = Span::from_secs(600);

/// A provider, a store and a clock.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<ManualClock>,
    store: Mutex<MemoryStore>,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Bench::with(json!({})).await
    }

    pub(crate) async fn with(extra: Value) -> Self {
        let mut options = json!({
            "grants": [{"access_token": "canary-access-1", "refresh_token": "canary-refresh-1", "age_s": 30 * DAY,
                "client_secret": "canary-client-secret"}],
            "seed": 7
        });
        options.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let clock = ManualClock::at(START);
        let told = Arc::clone(&clock);
        let sandbox =
            Sandbox::start(Options::from_json(&options).unwrap(), Arc::new(move || told.millis())).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        VaultKey::create(&folder.path().join("key")).unwrap();
        Bench { sandbox, clock, store: Mutex::new(MemoryStore::new()), folder }
    }

    pub(crate) fn store(&self) -> MemoryStore {
        self.store.lock().unwrap().clone()
    }

    pub(crate) fn profile(&self) -> Profile {
        let mut profile = Profile::linkedin();
        profile.token_url = format!("http://{}/oauth/v2/accessToken", self.sandbox.api_addr()).parse().unwrap();
        profile.audience = Audience::of([&self.base().parse().unwrap()]);
        profile.settle = SETTLE;
        // The issuer of the real one is not asked.
        profile.introspect_url = None;
        profile.dedupe = Some(Span::from_secs(2 * DAY));
        profile
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}/rest", self.sandbox.api_addr())
    }

    pub(crate) fn conversions(base: &str) -> Endpoint {
        let built = linkedin::conversions().rule("789123").api(base).batch_size(1).build().unwrap();
        Endpoint::new(built).credential("acme")
    }

    /// A description without destinations.
    pub(crate) fn bare(&self) -> Builder {
        Engine::builder("unused")
            .store(Arc::new(self.store()))
            .clock(Arc::clone(&self.clock) as Arc<dyn Clock>)
            .vault_key(VaultKey::open(&self.folder.path().join("key")).unwrap())
            .allow_loopback(true)
            .credential("acme", OAuth::new(self.profile(), "client-id-1", Secret::new("canary-client-secret")))
    }

    pub(crate) fn builder(&self) -> Builder {
        self.bare().destination("conversions", Bench::conversions(&self.base()))
    }

    /// Opens the engine; the first time with a grant that is 30 days old.
    pub(crate) async fn open(&self) -> Engine {
        self.authorised(self.builder()).await
    }

    pub(crate) async fn authorised(&self, builder: Builder) -> Engine {
        let engine = builder.open().await.unwrap();
        if engine.credentials().await.unwrap()[0].epoch == 0 {
            engine.authorise("acme", self.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
        }
        engine
    }

    pub(crate) fn grant(&self, access: &str, refresh: &str) -> Authorisation {
        let now = self.clock.millis();
        Authorisation {
            access: Secret::new(access),
            refresh: Some(Secret::new(refresh)),
            issued: Some(Time::from_millis(now - 30 * DAY * 1000)),
            expires: Some(Time::from_millis(now + 30 * DAY * 1000)),
            refresh_expires: None,
            scope: None,
        }
    }

    pub(crate) fn event(&self, name: &str) -> Value {
        json!({
            "type": "track", "event": "Order Completed", "messageId": name,
            "timestamp": self.clock.millis() - 60_000, "traits": {"email": format!("{name}@example.org")},
            "properties": {"currency": "EUR", "revenue": 12.5}
        })
    }

    pub(crate) fn parcel(&self, name: &str) -> Parcel {
        Parcel::to("conversions").json(&self.event(name)).unwrap()
    }

    pub(crate) async fn submit(&self, engine: &Engine, name: &str) -> DeliveryId {
        engine.submit(self.parcel(name)).await.unwrap()
    }

    pub(crate) async fn submit_some(&self, engine: &Engine, names: &str, count: usize) -> Vec<DeliveryId> {
        let parcels = (0..count).map(|number| self.parcel(&format!("{names}-{number}"))).collect();
        engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap).collect()
    }

    /// One count of the provider's.
    pub(crate) fn saw(&self, what: &str) -> u64 {
        let summary = self.sandbox.with_provider(|provider, _| provider.summary());
        serde_json::to_value(summary).unwrap()[what].as_u64().unwrap()
    }

    /// The provider's log, a line for each request.
    pub(crate) fn log(&self) -> Vec<Value> {
        let lines: Vec<String> =
            self.sandbox.with_provider(|provider, _| provider.log_from(0).map(ToString::to_string).collect());
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn faults(&self, rules: Value) {
        let rules: Vec<_> = serde_json::from_value(rules).unwrap();
        self.sandbox.with_provider(|provider, _| provider.set_faults(&rules)).unwrap();
    }

    pub(crate) fn revoke_access(&self) {
        self.sandbox.with_provider(|provider, now| provider.revoke_access(None, now)).unwrap();
    }

    pub(crate) fn revoke_grant(&self) {
        self.sandbox.with_provider(|provider, now| provider.revoke_grant(1, now)).unwrap();
    }

    /// Lets time pass for the engine, whenever nothing is in the air, until `done` is.
    pub(crate) async fn drive<T>(&self, engine: &Engine, done: impl Future<Output = T>) -> T {
        let driven = async {
            let mut done = pin!(done);
            loop {
                tokio::select! {
                    biased;
                    out = &mut done => return out,
                    idle = self.is_idle(engine) => if idle { self.clock.skip() } else { tokio::task::yield_now().await },
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), driven).await.expect("L1 Progress: it ends within 20 s")
    }

    /// Whether nothing is in the air. The first question makes a turn, the others see what came of it.
    async fn is_idle(&self, engine: &Engine) -> bool {
        let ended = async {
            engine.counts().await.ok()?;
            let counts = engine.counts().await.ok()?;
            let credentials = engine.credentials().await.ok()?;
            let calling = credentials.iter().any(|view| view.detail.contains("the request is out"));
            Some(counts.sending == 0 && !calling)
        };
        ended.await.unwrap_or(false)
    }

    /// Lets what is in the air land, without letting time pass.
    pub(crate) async fn settle(&self, engine: &Engine) -> Counts {
        self.eventually(|| self.is_idle(engine)).await;
        engine.counts().await.unwrap()
    }

    /// Waits until something is in the air.
    pub(crate) async fn settle_sending(&self, engine: &Engine) {
        self.eventually(async || self.saw("in_flight") > 0 && engine.counts().await.unwrap().sending > 0).await;
    }

    /// Lets time pass in small steps, beside the provider's, until nothing is in the air.
    pub(crate) async fn land(&self, engine: &Engine) {
        while engine.counts().await.unwrap().sending > 0 {
            self.clock.advance(Span::from_millis(60));
            let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
        }
    }

    /// Asks again and again until the answer is yes.
    pub(crate) async fn eventually<F: Future<Output = bool>>(&self, mut ask: impl FnMut() -> F) {
        let asked = async {
            while !ask().await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it comes true within 20 s");
    }

    /// Lets `span` pass in steps of 10 s, and what is due happen.
    pub(crate) async fn pass(&self, engine: &Engine, span: Span) -> Counts {
        let end = self.clock.millis() + span.as_millis();
        while self.clock.millis() < end {
            let left = end - self.clock.millis();
            self.clock.advance(Span::from_millis(left.min(10_000)));
            self.settle(engine).await;
        }
        engine.counts().await.unwrap()
    }

    pub(crate) async fn outcomes(&self, engine: &Engine, ids: &[DeliveryId]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for id in ids {
            outcomes.push(self.drive(engine, engine.outcome(*id)).await.unwrap());
        }
        outcomes
    }

    pub(crate) async fn all_done(&self, engine: &Engine, ids: &[DeliveryId]) {
        for outcome in self.outcomes(engine, ids).await {
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
    }

    /// Waits, without letting time pass, until a delivery is in this state.
    pub(crate) async fn reaches(&self, engine: &Engine, id: DeliveryId, state: &str) -> Summary {
        self.eventually(async || engine.show(id).await.unwrap().summary.state == state).await;
        engine.show(id).await.unwrap().summary
    }

    pub(crate) async fn summary(&self, engine: &Engine, id: DeliveryId) -> Summary {
        engine.show(id).await.unwrap().summary
    }

    /// Stops the engine and opens the store anew.
    pub(crate) async fn restart(&self, engine: Engine) -> Engine {
        engine.stop_within(Span::ZERO).await.unwrap();
        self.reopen();
        self.open().await
    }

    pub(crate) fn reopen(&self) {
        let mut store = self.store.lock().unwrap();
        *store = store.reopen().unwrap();
    }

    pub(crate) fn crash(&self, fate: Fate) {
        self.store().crash(fate);
        self.reopen();
    }
}

/// A runtime of its own for an engine, so that the test can end it as a kill does.
pub(crate) struct Life {
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Life {
    pub(crate) fn new() -> Self {
        Life { runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap() }
    }

    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }
}
