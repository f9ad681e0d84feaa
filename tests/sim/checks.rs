//! The checker. It sees what the provider saw, what the clients were told, and the records that lie in the store; it shares
//! no rule with the engine and never asks one what comes next.

mod end;
mod stored;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use outlast::state::{Batch, Credential, DeliveryId, Span, State};
use outlast::verify::{Raw, RawDelivery};

use crate::plan::{Family, Plan};

pub(crate) struct Checks {
    failed: Option<String>,
    /// What a delay is in true time can be said of a world whose clock is true.
    true_clock: bool,
    /// The shorter of the settle windows that an operator chose: a refresh that was intended under one is made under another.
    settle: Span,
    known: HashMap<DeliveryId, RawDelivery>,
    credentials: BTreeMap<&'static str, Credential>,
    unsynced: Vec<RawDelivery>,
    lanes: HashMap<(String, String), BTreeSet<DeliveryId>>,
    redriven: HashSet<DeliveryId>,
    /// Who shared a request, by their places in it.
    batches: HashMap<Batch, BTreeMap<u32, DeliveryId>>,
    /// The last request of a delivery, and the one before.
    last: HashMap<DeliveryId, (Batch, Option<Batch>)>,
    tokens: HashMap<String, Spread>,
    not_before: HashMap<u64, u64>,
    /// The same of answers that were heard and are in no commit yet, and of those whose commit is under way: what a crash
    /// takes is not known.
    heard: Vec<(u64, u64)>,
    heard_unsynced: Vec<(u64, u64)>,
    spenders: HashMap<u64, u64>,
    crashes: u64,
    calls: HashMap<u64, String>,
    minted: HashMap<u64, String>,
    mints: BTreeMap<String, u64>,
    unheard: BTreeMap<String, u64>,
    renewals: BTreeMap<&'static str, u64>,
    consents: BTreeMap<&'static str, u64>,
    unit: BTreeSet<&'static str>,
    secrets: Vec<String>,
    pub(crate) checked: u64,
    /// The events whose requests left, in that order.
    pub(crate) departures: Vec<u64>,
}

/// How a token fares.
struct Spread {
    minted: u64,
    flying: u64,
    /// How many requests with it were in flight at its first refusal.
    at_first: Option<u64>,
    refused: u64,
    /// Crashes since: each begins with a canary again.
    crashes: u64,
    /// Its provider has minted another since, and ends this one.
    superseded: bool,
}

impl Checks {
    pub(crate) fn new(plan: &Plan) -> Self {
        Checks {
            failed: None,
            true_clock: !plan.has(Family::Clock),
            settle: plan.settle(1).min(plan.settle(2)),
            known: HashMap::new(),
            credentials: BTreeMap::new(),
            unsynced: Vec::new(),
            lanes: HashMap::new(),
            redriven: HashSet::new(),
            batches: HashMap::new(),
            last: HashMap::new(),
            tokens: HashMap::new(),
            not_before: HashMap::new(),
            heard: Vec::new(),
            heard_unsynced: Vec::new(),
            spenders: HashMap::new(),
            crashes: 0,
            calls: HashMap::new(),
            minted: HashMap::new(),
            mints: BTreeMap::new(),
            unheard: BTreeMap::new(),
            renewals: BTreeMap::new(),
            consents: BTreeMap::new(),
            unit: BTreeSet::new(),
            secrets: Vec::new(),
            checked: 0,
            departures: Vec::new(),
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// The first violation: its invariant's name, and what was seen.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    pub(crate) fn hold(&mut self, holds: bool, invariant: &'static str, told: impl FnOnce() -> String) {
        self.checked += 1;
        if !holds && self.failed.is_none() {
            self.failed = Some(format!("{invariant}: {}", told()));
        }
    }

    /// The number of the event that a delivery is of.
    pub(crate) fn event_of(&self, id: DeliveryId) -> Option<u64> {
        number(self.known.get(&id)?.once.as_deref()?)
    }

    /// How many deliveries were ever stored.
    pub(crate) fn deliveries(&self) -> u64 {
        self.known.len() as u64
    }

    /// Why deliveries failed, by the variant's name.
    pub(crate) fn reasons(&self) -> BTreeMap<String, u64> {
        let mut reasons = BTreeMap::new();
        for known in self.known.values() {
            if let State::Failed { reason, .. } = known.delivery.state {
                let name = format!("{reason:?}");
                let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
                *reasons.entry(name).or_default() += 1;
            }
        }
        reasons
    }

    pub(crate) fn acknowledged(&mut self, n: u64, id: DeliveryId, before: Option<DeliveryId>, raw: &Raw<'_>) {
        let same = before.is_none_or(|before| before == id);
        self.hold(same, "S1 No loss", || format!("event {n} was {before:?} and is {id} now"));
        // What was delivered has let go of its event.
        let found = raw.delivery(id).map(|found| found.delivery.state);
        let stored = matches!(found, Some(State::Done { .. })) || found.is_some() && raw.has_parcel(id);
        self.hold(stored, "S1 No loss", || format!("event {n} was acknowledged as {id}, and is not on disk"));
    }

    pub(crate) fn clashed(&mut self, n: u64, id: DeliveryId, known: Option<DeliveryId>) {
        // With the other body first, the key belongs to that one.
        self.hold(known.is_none(), "S1 No loss", || {
            format!("event {n} is {known:?}; with another body it was taken as {id}")
        });
    }

    pub(crate) fn redriving(&mut self, id: DeliveryId) {
        self.redriven.insert(id);
        if let Some(n) = self.known.get(&id).and_then(|known| number(known.once.as_deref()?)) {
            self.not_before.remove(&n);
        }
    }

    pub(crate) fn was_authorised(&self, name: &str) -> bool {
        self.consents.contains_key(name)
    }

    pub(crate) fn consented(&mut self, name: &'static str, token: &str, now: u64) {
        *self.consents.entry(name).or_default() += 1;
        self.unit.insert(name);
        self.minted_token(token, now);
    }
}

/// The number of the event with this key.
fn number(once: &str) -> Option<u64> {
    once.strip_prefix("once-")?.parse().ok()
}

/// The numbers of the events in a request's body.
pub(crate) fn events(body: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(body);
    let parts = text.split("\"eventId\":\"e-").skip(1);
    parts.filter_map(|part| part.split('"').next()?.parse().ok()).collect()
}
