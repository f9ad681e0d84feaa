//! What the checker makes of what leaves the engine, of what the provider sees, and of what comes back.

use std::collections::BTreeSet;

use outlast::exchange::{Answer, NoAnswer};
use outlast::sandbox::Incoming;
use outlast::state::{CredentialState, DeliveryId, Span, State};
use outlast::verify::{Raw, RawDelivery, Sending};

use super::{Checks, Spread, events, number};

/// In an epoch's first minute so many requests are refused beyond those in flight at the first refusal (S13).
const STAMPEDE: u64 = 24;

/// A wait that a provider asks for is believed up to this.
const LONGEST_ASKED: Span = Span::from_secs(15 * 60);

impl Checks {
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
        self.as_it_was(sending);
        self.has_token(sending, raw);
    }

    /// A batch that may have arrived is sent again with the members that have not ended, in their order. (Who stands in a lane
    /// may be kept by it.)
    fn as_it_was(&mut self, sending: &Sending) {
        let ids: Vec<DeliveryId> = sending.ids().collect();
        let before = |id: DeliveryId| self.last.get(&id).and_then(|(_, before)| *before);
        // What was split meets none but those that it was split from.
        let split = ids.iter().find(|id| self.known[id].delivery.at_most != u32::MAX).map(|id| before(*id));
        let mixed = split.is_some_and(|batch| ids.iter().any(|id| before(*id) != batch));
        self.hold(!mixed, "S11 One batch, one epoch", || format!("{ids:?}: parts of a split batch meet others"));
        let before = |id: DeliveryId| self.last.get(&id).and_then(|(_, before)| *before);
        for id in &ids {
            let Some(batch) = before(*id) else { continue };
            let Some(members) = self.batches.get(&batch) else { continue };
            let of = members.len() as u32;
            let bound = |id: &DeliveryId| {
                let known = &self.known[id].delivery;
                known.doubt && of > 1 && known.at_most >= of
            };
            // Who ended and was started again comes back alone, or with the others, if they wait still.
            if !bound(id) || members.values().any(|member| self.redriven.contains(member)) {
                continue;
            }
            let stays = |member: &&DeliveryId| {
                let known = &self.known[member];
                let ended = matches!(known.delivery.state, State::Done { .. } | State::Failed { .. });
                // Who was told something of its own, such as in an answer that is too short, has gone on without the others.
                let waits = self.last.get(member).is_some_and(|(last, _)| *last == batch);
                bound(member) && !ended && (ids.contains(member) || waits && known.lane.is_none())
            };
            let expected: Vec<DeliveryId> = members.values().filter(stays).copied().collect();
            let told = format!("{members:?} may have arrived, and {ids:?} are sent");
            self.hold(expected == ids, "S11 One batch, one epoch", || told);
            return;
        }
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

    /// The provider minted a token in answer to the request `key`.
    pub(crate) fn mints(&mut self, now: u64, key: u64, credential: &str, body: &[u8]) {
        *self.mints.entry(credential.to_owned()).or_default() += 1;
        self.minted.insert(key, credential.to_owned());
        let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        if let Some(token) = body.and_then(|body| Some(body.get("access_token")?.as_str()?.to_owned())) {
            self.minted_token(&token, now);
        }
    }

    /// The provider ends what it minted before, now or soon.
    pub(crate) fn supersedes(&mut self) {
        for spread in self.tokens.values_mut() {
            spread.superseded = true;
        }
    }

    pub(super) fn minted_token(&mut self, token: &str, now: u64) {
        self.secrets.push(token.to_owned());
        let spread = Spread { minted: now, flying: 0, at_first: None, refused: 0, crashes: 0, superseded: false };
        self.tokens.insert(format!("Bearer {token}"), spread);
    }

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
                // What was in the air with a token when its provider ended it is no sign of its spreading.
                if std::mem::take(&mut spread.superseded) {
                    spread.at_first = spread.at_first.map(|first| first + spread.flying + 1);
                }
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
                self.heard.push((*n, now + asked.as_millis()));
            }
        }
    }
}
