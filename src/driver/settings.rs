//! What does not change while an engine runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast_state::{Policy, Span, Terms, Time};

use super::acts::Shipment;
use super::machines::Name;
use crate::destination::{Batching, Destination, Routes};
use crate::digest::sha256;
use crate::limits::{Limits, Retention};
use crate::oauth::{GrantKind, Profile};

/// What does not change while the engine runs.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) outlets: BTreeMap<Name, Outlet>,
    /// Which destinations need a credential.
    pub(crate) needed_by: BTreeMap<String, Vec<Name>>,
    pub(crate) profiles: BTreeMap<String, Arc<Profile>>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) alerts: AlertRules,
    pub(crate) hold: bool,
}

/// Which alerts there are, and where they are delivered.
#[derive(Clone)]
pub(crate) struct AlertRules {
    pub(crate) to: Option<Name>,
    pub(crate) days: Vec<u32>,
    pub(crate) failed: bool,
}

/// A destination, as the driver uses it.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) credential: Option<Name>,
    pub(crate) concurrency: u32,
    /// So many deliveries a second of what waited behind a dead credential, at most.
    pub(crate) release: Option<u32>,
    /// Asked once: the driver never calls the host's code where a panic would be its own.
    pub(crate) batching: Batching,
    /// What its bodies become.
    pub(crate) routes: Arc<Routes>,
    /// How old an event may be for its provider to take it; `None` where that does not matter.
    pub(crate) event_age: Option<Span>,
}

/// Whom a request speaks to: its destination, and the provider of its credential.
#[derive(Clone)]
pub(crate) struct SpokenTo {
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) profile: Option<Arc<Profile>>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) event_age: Option<Span>,
}

impl Outlet {
    /// Whether its provider takes nothing as old any more as what was accepted at that time; how old that may be.
    pub(crate) fn outdated(&self, accepted: Time, now: Time) -> Option<Span> {
        outdated(self.event_age, accepted, now)
    }
}

/// What was accepted by the engine happened before, so it is at least as old as that.
pub(crate) fn outdated(event_age: Option<Span>, accepted: Time, now: Time) -> Option<Span> {
    event_age.filter(|age| accepted.after(*age) < now)
}

impl Settings {
    /// Whom a request speaks to.
    pub(crate) fn spoken_to(&self, shipment: &Shipment) -> Option<SpokenTo> {
        self.speaks_for(&shipment.destination, shipment.credential.as_deref())
    }

    /// Whom a request to this destination with this credential speaks to.
    pub(crate) fn speaks_for(&self, destination: &str, credential: Option<&str>) -> Option<SpokenTo> {
        let outlet = self.outlets.get(destination)?;
        let profile = credential.and_then(|name| self.profiles.get(name)).cloned();
        let (destination, routes) = (Arc::clone(&outlet.destination), Arc::clone(&outlet.routes));
        Some(SpokenTo { destination, profile, routes, event_age: outlet.event_age })
    }

    /// The numbers that the rules use of each credential's profile.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&String, Terms)> {
        self.profiles.iter().map(|(name, profile)| (name, terms(name, profile)))
    }

    /// How long a request to this destination that went unanswered may still arrive.
    pub(crate) fn quiet(&self, destination: &str) -> Span {
        const WITHOUT_PROFILE: Span = Span::from_secs(30);
        let credential = self.outlets.get(destination).and_then(|outlet| outlet.credential.as_ref());
        credential.and_then(|name| self.profiles.get(&**name)).map_or(WITHOUT_PROFILE, |profile| profile.quiet)
    }
}

/// The numbers that the rules use of a credential's profile. What only a human can renew is not planned, and jitter is
/// told apart by the credential's name.
pub(crate) fn terms(name: &str, profile: &Profile) -> Terms {
    let renewable = profile.grant != GrantKind::Static;
    let digest = sha256(name.as_bytes());
    let seed = digest.first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first));
    Terms {
        settle: profile.settle,
        renew_at: if renewable { profile.renew_at } else { 100 },
        idle: profile.idle_life.filter(|_| renewable).unwrap_or(Span::MAX),
        mints: profile.grant.mints(),
        introspects: profile.introspect_url.is_some(),
        scope_delay: profile.scope_delay,
        seed,
    }
}
