//! What the checker asks when all is over.

use std::collections::HashSet;

use outlast::sandbox::Provider;
use outlast::state::State;
use outlast::verify::{Raw, RawDelivery};

use super::{Checks, number};
use crate::clients::{Clients, once};
use crate::world::DESTINATIONS;

impl Checks {
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

fn is_final(known: &RawDelivery) -> bool {
    matches!(known.delivery.state, State::Done { .. } | State::Failed { .. })
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
