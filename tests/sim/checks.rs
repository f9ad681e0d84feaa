//! The checker. It sees what the provider saw, what the clients were told, and the records that lie in the store; it shares
//! no rule with the engine and never asks one what comes next.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use outlast::exchange::{Answer, NoAnswer};
use outlast::sandbox::{Incoming, Provider};
use outlast::state::{Credential, CredentialState, Delivery, DeliveryId, Held, Span, State, Time, Token};
use outlast::store::Writes;
use outlast::verify::{Raw, RawDelivery, Sending};

use crate::clients::{Clients, once};
use crate::plan::{Family, Plan};
use crate::world::{CREDENTIALS, DESTINATIONS};

/// In an epoch's first minute so many requests are refused beyond those in flight at the first refusal (S13).
const STAMPEDE: u64 = 24;

/// A wait that a provider asks for is believed up to this.
const LONGEST_ASKED: Span = Span::from_secs(15 * 60);

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
    tokens: HashMap<String, Spread>,
    not_before: HashMap<u64, u64>,
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
            tokens: HashMap::new(),
            not_before: HashMap::new(),
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

    // -- the store -------------------------------------------------------------------------------------------------

    pub(crate) fn written(&mut self, writes: &Writes) {
        self.unsynced.extend(RawDelivery::written(writes));
    }

    /// A commit has passed its barrier.
    pub(crate) fn synced(&mut self, raw: &Raw<'_>) {
        for after in std::mem::take(&mut self.unsynced) {
            self.stored(&after);
        }
        self.credentials_stored(raw);
    }

    /// The engine is gone; what had not passed a barrier may be there or not.
    pub(crate) fn crashed(&mut self) {
        self.crashes += 1;
        self.unsynced.clear();
        for token in self.tokens.values_mut() {
            token.crashes += 1;
        }
    }

    /// Everything that is durable, read anew: when a store is about to be opened, and after its recovery.
    pub(crate) fn read_anew(&mut self, raw: &Raw<'_>) {
        let mut missing: HashSet<DeliveryId> = self.known.keys().copied().collect();
        for after in raw.deliveries() {
            missing.remove(&after.delivery.id);
            self.stored(&after);
        }
        self.hold(missing.is_empty(), "S1 No loss", || format!("{missing:?} were durable and are gone"));
        self.credentials_stored(raw);
    }

    fn stored(&mut self, after: &RawDelivery) {
        let id = after.delivery.id;
        self.hold(after.replays, "S15 Replay", || format!("{after:?} is not what its journal folds to"));
        if let Some(lane) = &after.lane {
            self.lanes.entry((after.destination.clone(), lane.clone())).or_default().insert(id);
        }
        if let Some(before) = self.known.insert(id, after.clone()) {
            self.moved(&before.delivery, &after.delivery);
        }
    }

    fn moved(&mut self, before: &Delivery, after: &Delivery) {
        let told = || format!("{before:?}\nbecame {after:?}");
        let redriven = self.redriven.contains(&after.id);
        let kept = match before.state {
            State::Done { .. } => before == after,
            State::Failed { .. } => before == after || redriven,
            _ => true,
        };
        self.hold(kept, "S2 Final is final", told);
        let counts = after.attempt >= before.attempt && (after.spent >= before.spent || redriven);
        self.hold(counts, "S8 Honest counting", told);
    }

    fn credentials_stored(&mut self, raw: &Raw<'_>) {
        let now = raw.time();
        for name in CREDENTIALS {
            let Some(after) = raw.credential(name) else { continue };
            let before = self.credentials.insert(name, after);
            if let Some(before) = before.filter(|before| *before != after) {
                self.credential_moved(name, &before, &after, now);
            }
        }
    }

    fn credential_moved(&mut self, name: &'static str, before: &Credential, after: &Credential, now: Time) {
        let told = || format!("{name}: {before:?}\nbecame {after:?}\nat {now:?}");
        self.hold(after.epoch >= before.epoch, "S3 One renewal per epoch", told);
        if let (CredentialState::Current { serving, .. }, CredentialState::Refreshing { .. }) =
            (before.state, after.state)
            && before.epoch == after.epoch
        {
            let settled = now >= serving.issued.after(before.terms.settle) || serving.is_expired(now);
            self.hold(settled, "S4 Settle", told);
        }
        let renewed = after.renewed > before.renewed;
        if renewed {
            *self.renewals.entry(name).or_default() += 1;
            self.spaced(before, after, told());
        }
        let consented = self.unit.remove(name);
        let grew = after.epoch > before.epoch;
        self.hold(!grew || renewed || consented, "S3 One renewal per epoch", told);
        if grew && !consented {
            let one = after.epoch == before.epoch.next();
            self.hold(one, "S3 One renewal per epoch", told);
        }
        if consented && !grew {
            self.unit.insert(name);
        }
    }

    /// L3: a stored renewal is one settle window after the last; after a known expiry, half a lifetime and at least 30 s.
    fn spaced(&mut self, before: &Credential, after: &Credential, told: String) {
        if before.renewed == Time::ZERO || before.epoch.next() != after.epoch {
            return;
        }
        let lost = match before.state {
            CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => Some(token),
            CredentialState::Current { serving, .. } => Some(serving),
            CredentialState::Dead { .. } => None,
        };
        let least = lost.map_or(Span::ZERO, |lost| distance(&lost, after.renewed, self.settle));
        let holds = after.renewed.since(before.renewed) >= least;
        self.hold(holds, "L3 Bounded renewals", || told);
    }

    // -- what leaves the engine ------------------------------------------------------------------------------------

    /// A request of a shipment is about to leave.
    pub(crate) fn departs(&mut self, sending: &Sending, raw: &Raw<'_>) {
        self.departures.extend(sending.ids().filter_map(|id| self.event_of(id)).collect::<Vec<_>>());
        let (mut batches, mut indexes, mut lanes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut items = 0;
        for id in sending.ids() {
            items += 1;
            let Some(known) = self.known.get(&id).cloned() else {
                return self.hold(false, "S6 Store, then act", || format!("{id} is sent and not stored"));
            };
            let State::Sending { epoch, batch, index, of, .. } = known.delivery.state else {
                return self.hold(false, "S6 Store, then act", || format!("{known:?} is sent"));
            };
            self.hold(epoch == sending.token().1, "S6 Store, then act", || {
                format!("{known:?} is sent with another token")
            });
            batches.insert((batch, epoch, of, known.destination.clone()));
            indexes.insert(index);
            if let Some(lane) = &known.lane {
                let alone = lanes.insert(lane.clone());
                self.hold(alone, "S11 One batch, one epoch", || format!("two parcels of lane {lane} share a request"));
                self.in_order(&known, lane);
            }
        }
        let one = batches.len() == 1 && indexes.len() == items;
        self.hold(one, "S11 One batch, one epoch", || format!("{batches:?} with {items} items share a request"));
        self.has_token(sending, raw);
    }

    fn in_order(&mut self, sent: &RawDelivery, lane: &str) {
        if sent.delivery.attempt.count() > 1 {
            return;
        }
        let place = (sent.destination.clone(), lane.to_owned());
        let earlier: Vec<DeliveryId> =
            self.lanes.get(&place).into_iter().flat_map(|lane| lane.range(..sent.delivery.id)).copied().collect();
        let waiting = earlier.into_iter().find(|id| {
            let state = self.known.get(id).map(|known| known.delivery.state);
            !matches!(state, Some(State::Done { .. } | State::Failed { .. }))
        });
        self.hold(waiting.is_none(), "S10 Lanes", || {
            format!("{} of {place:?} is first sent before {waiting:?} has ended", sent.delivery.id)
        });
    }

    fn has_token(&mut self, sending: &Sending, raw: &Raw<'_>) {
        let (name, epoch) = sending.token();
        let stored = raw.has_token(name, epoch);
        self.hold(stored, "S7 No forgetting", || format!("the token of {name}, epoch {epoch}, is used and not stored"));
        let token = raw.credential(name).and_then(|credential| credential.token(epoch));
        let good = token.is_none_or(|token| !token.is_expired(raw.time()));
        self.hold(good, "S12 No token, no request", || format!("{token:?} is used at {:?}", raw.time()));
    }

    /// A request leaves.
    pub(crate) fn leaves(&mut self, now: u64, incoming: &Incoming) {
        if let Some(spread) = incoming.head.header("authorization").and_then(|token| self.tokens.get_mut(token)) {
            spread.flying += 1;
        }
        for n in events(&incoming.body) {
            if let Some(earliest) = self.not_before.get(&n).copied().filter(|_| self.true_clock) {
                let early = earliest.saturating_sub(now);
                self.hold(early == 0, "S9 Spacing", || format!("event {n} was sent {early} ms early"));
            }
        }
    }

    /// A token request is about to leave.
    pub(crate) fn calls(&mut self, key: u64, credential: &str, raw: &Raw<'_>) {
        let stored = raw.credential(credential).map(|credential| credential.state);
        let intended = matches!(stored, Some(CredentialState::Refreshing { .. }));
        self.hold(intended, "S7 No forgetting", || {
            format!("{credential} asks for a token while it is stored as {stored:?}")
        });
        let another = self.calls.values().any(|calling| calling == credential);
        self.hold(!another, "S3 One renewal per epoch", || format!("two token requests of {credential} at once"));
        self.calls.insert(key, credential.to_owned());
    }

    /// The engine heard what became of a token request; `minted` where that holds a token.
    pub(crate) fn call_ended(&mut self, key: u64, heard: bool) {
        self.calls.remove(&key);
        if heard {
            self.minted.remove(&key);
        }
    }

    // -- what the provider sees ------------------------------------------------------------------------------------

    /// The provider minted a token in answer to the request `key`.
    pub(crate) fn mints(&mut self, now: u64, key: u64, credential: &str, body: &[u8]) {
        *self.mints.entry(credential.to_owned()).or_default() += 1;
        self.minted.insert(key, credential.to_owned());
        let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        if let Some(token) = body.and_then(|body| Some(body.get("access_token")?.as_str()?.to_owned())) {
            self.minted_token(&token, now);
        }
    }

    fn minted_token(&mut self, token: &str, now: u64) {
        self.secrets.push(token.to_owned());
        let spread = Spread { minted: now, flying: 0, at_first: None, refused: 0, crashes: 0 };
        self.tokens.insert(format!("Bearer {token}"), spread);
    }

    // -- what the engine hears -------------------------------------------------------------------------------------

    pub(crate) fn heard(
        &mut self,
        now: u64,
        sending: &Sending,
        authorization: Option<&str>,
        items: &[u64],
        answer: &Result<Answer, NoAnswer>,
    ) {
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        if let Some(spread) = authorization.and_then(|token| self.tokens.get_mut(token)) {
            spread.flying = spread.flying.saturating_sub(1);
            if status == 401 {
                spread.at_first.get_or_insert(spread.flying + 1);
                spread.refused += u64::from(now < spread.minted + 60_000);
                let bound = spread.at_first.unwrap_or(0) + STAMPEDE * (1 + spread.crashes);
                let (refused, first) = (spread.refused, spread.at_first);
                let holds = refused <= bound || !self.true_clock;
                self.hold(holds, "S13 No stampede", || {
                    format!(
                        "{refused} requests were refused in a token's first minute, {first:?} in flight at the first"
                    )
                });
            }
        }
        let asked = answer.as_ref().ok().and_then(|answer| answer.retry_after(LONGEST_ASKED));
        if status != 401 && status != 429 {
            for n in sending.ids().filter_map(|id| number(self.known.get(&id)?.once.as_deref()?)) {
                *self.spenders.entry(n).or_default() += 1;
            }
        }
        for n in items {
            if let Some(asked) = asked.filter(|_| status >= 400) {
                self.not_before.insert(*n, now + asked.as_millis());
            }
        }
    }

    // -- what people do and are told -------------------------------------------------------------------------------

    pub(crate) fn acknowledged(&mut self, n: u64, id: DeliveryId, before: Option<DeliveryId>, raw: &Raw<'_>) {
        let same = before.is_none_or(|before| before == id);
        self.hold(same, "S1 No loss", || format!("event {n} was {before:?} and is {id} now"));
        let stored = raw.delivery(id).is_some() && raw.has_parcel(id);
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

    // -- the end ---------------------------------------------------------------------------------------------------

    pub(crate) fn ends(&mut self, raw: &Raw<'_>, provider: &Provider, clients: &Clients) {
        self.read_anew(raw);
        for (n, event) in (0..).zip(&clients.events) {
            let Some(id) = event.id else {
                return self.hold(false, "L1 Progress", || format!("event {n} was never acknowledged"));
            };
            let (destination, _) = DESTINATIONS[event.destination];
            let found = raw.once(destination, &once(n));
            self.hold(found == Some(id), "S1 No loss", || format!("event {n} is {id}, and its key says {found:?}"));
        }
        let live: Vec<RawDelivery> = self.known.values().filter(|known| !is_final(known)).cloned().collect();
        self.hold(live.is_empty(), "L1 Progress", || {
            format!("{} have not ended, such as {:?}", live.len(), live.first())
        });
        let applied = applied(provider);
        let all: Vec<RawDelivery> = self.known.values().cloned().collect();
        for one in &all {
            self.agrees(one, &applied);
        }
        let conflicts = provider.summary().conflicts;
        self.hold(conflicts == 0, "S1 No loss", || format!("{conflicts} events were sent with two bodies"));
        self.renewals_are_counted();
        self.is_silent(raw);
    }

    /// What is `Done` counted at the provider; what counted there is `Done`, or failed in doubt.
    fn agrees(&mut self, one: &RawDelivery, applied: &HashSet<u64>) {
        let Some(n) = one.once.as_deref().and_then(number) else { return };
        let told = || format!("event {n}: {one:?}");
        match one.delivery.state {
            State::Done { .. } => self.hold(applied.contains(&n), "S1 No loss", told),
            State::Failed { in_doubt, .. } => {
                self.hold(in_doubt || !applied.contains(&n), "S2 Final is final", told);
            }
            _ => {}
        }
        let spenders = self.spenders.get(&n).copied().unwrap_or_default() + self.crashes;
        let spent = u64::from(one.delivery.spent);
        self.hold(spent <= spenders, "S8 Honest counting", || format!("{spent} spent of {spenders}: {one:?}"));
    }

    /// S3: what the provider minted is what was stored, but for answers that were lost and crashes in between.
    fn renewals_are_counted(&mut self) {
        let mut unheard = self.unheard.clone();
        for credential in self.minted.values() {
            *unheard.entry(credential.clone()).or_default() += 1;
        }
        for (credential, mints) in self.mints.clone() {
            let name = credential.as_str();
            let stored = self.renewals.get(name).copied().unwrap_or_default();
            let lost = unheard.get(name).copied().unwrap_or_default();
            // One may have been on its way to the disk at each crash, or was overtaken by a human.
            let others = self.crashes + self.consents.get(name).copied().unwrap_or_default();
            self.hold(mints <= stored + lost + others, "S3 One renewal per epoch", || {
                format!("{name}: {mints} minted, {stored} stored, {lost} unheard, {others} crashes and consents")
            });
        }
    }

    fn is_silent(&mut self, raw: &Raw<'_>) {
        let secrets = std::mem::take(&mut self.secrets);
        let told = raw.0.durable_records().iter().find_map(|(key, bytes)| {
            let spoken = secrets.iter().any(|secret| contains(bytes, secret.as_bytes()));
            spoken.then(|| key.to_string())
        });
        self.hold(told.is_none(), "S16 Silence", || format!("a token lies open in {told:?}"));
    }
}

fn distance(lost: &Token, renewed: Time, settle: Span) -> Span {
    if lost.is_expired(renewed) {
        Span::from_secs(30).max(lost.expires.since(lost.issued).part(2)).min(settle.max(Span::from_secs(30)))
    } else {
        settle
    }
}

fn is_final(known: &RawDelivery) -> bool {
    matches!(known.delivery.state, State::Done { .. } | State::Failed { .. })
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

/// The events that counted at the provider.
fn applied(provider: &Provider) -> HashSet<u64> {
    let state = provider.state();
    let keyed = state["conversions"]["keyed"].as_array().cloned().unwrap_or_default();
    keyed.iter().filter_map(|one| one["event_id"].as_str()?.strip_prefix("e-")?.parse().ok()).collect()
}

fn contains(bytes: &[u8], sought: &[u8]) -> bool {
    bytes.windows(sought.len()).any(|window| window == sought)
}
