//! The description of an engine: its store, its credentials, its destinations and its limits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use outlast_state::{Policy, Standard, Time};

use crate::alert::{Alert, Alerts};
use crate::authorisation::Authorisation;
use crate::clock::Clock;
use crate::destination::{Destination, Routes};
use crate::driver::bell::OnAlert;
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::{Limits, Retention};
use crate::oauth::{Client, GrantKind, Profile};
use crate::route::{Event, Route};
use crate::routing::{Routing, Trial};
use crate::secret::Secret;
use crate::store::{Store, StoreKind};
use crate::vault::VaultKey;

/// Describes an engine, then opens it.
#[must_use = "an engine runs once it is opened"]
pub struct Builder {
    pub(crate) path: PathBuf,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) store_kind: StoreKind,
    pub(crate) cache_bytes: Option<u64>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) credentials: BTreeMap<String, OAuth>,
    pub(crate) destinations: BTreeMap<String, Endpoint>,
    pub(crate) vault_key: Option<VaultKey>,
    pub(crate) old_vault_keys: Vec<VaultKey>,
    pub(crate) allow_loopback: bool,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) alerts: Alerts,
    pub(crate) on_alert: Option<OnAlert>,
    pub(crate) hold: bool,
    pub(crate) accept_time: bool,
    /// How many live deliveries are read at a time.
    pub(crate) slice: usize,
}

/// One OAuth grant as it is configured: the profile of its provider and the client that it was given to.
pub struct OAuth {
    pub(crate) profile: Profile,
    pub(crate) client: Client,
    pub(crate) first_grant: Option<Authorisation>,
    pub(crate) fixed: Option<Secret>,
}

impl OAuth {
    /// The grant that `profile`'s provider gave to this client.
    #[must_use]
    pub fn new(profile: Profile, client_id: impl Into<String>, client_secret: Secret) -> Self {
        OAuth::of(profile, Client::new(client_id, client_secret))
    }

    /// The grant that `profile`'s provider gave to this client: a public one, or one that signs what it asks.
    #[must_use]
    pub fn of(profile: Profile, client: Client) -> Self {
        OAuth { profile, client, first_grant: None, fixed: None }
    }

    /// A token or an API key that nothing renews. Where it is another than the one that the store holds, it is the
    /// credential's next epoch.
    #[must_use]
    pub fn fixed(profile: Profile, token: Secret) -> Self {
        let profile = Profile { grant: GrantKind::Static, ..profile };
        OAuth { fixed: Some(token), ..OAuth::of(profile, Client::default()) }
    }

    /// LinkedIn's profile, and the client from the environment: `{prefix}_CLIENT_ID` and `{prefix}_CLIENT_SECRET`. Where
    /// `{prefix}_ACCESS_TOKEN` is set, it and `{prefix}_REFRESH_TOKEN` are the first grant.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) names the variable that is missing.
    pub fn from_env(prefix: &str) -> Result<Self, Error> {
        let optional = |part: &str| std::env::var(format!("{prefix}_{part}")).ok().filter(|value| !value.is_empty());
        let needed = |part: &str| {
            optional(part).ok_or_else(|| {
                Error::configuration(format!(
                    "the environment variable {prefix}_{part} is missing; set it to the client's value"
                ))
            })
        };
        let oauth = OAuth::new(Profile::linkedin(), needed("CLIENT_ID")?, Secret::new(needed("CLIENT_SECRET")?));
        Ok(match optional("ACCESS_TOKEN") {
            None => oauth,
            Some(access) => oauth.first_grant(Authorisation {
                access: Secret::new(access),
                refresh: optional("REFRESH_TOKEN").map(Secret::new),
                issued: None,
                expires: None,
                refresh_expires: None,
                scope: None,
            }),
        })
    }

    /// Uses this grant if nobody has authorised the credential yet.
    #[must_use]
    pub fn first_grant(mut self, grant: Authorisation) -> Self {
        self.first_grant = Some(grant);
        self
    }
}

/// A destination as an engine uses it: how it is spoken to, with which credential, and how many requests at once.
pub struct Endpoint {
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) credential: Option<String>,
    pub(crate) concurrency: u32,
    pub(crate) release: Option<u32>,
    pub(crate) routes: Vec<Route>,
}

impl From<Arc<dyn Destination>> for Endpoint {
    /// The same of a destination that others hold, too.
    fn from(destination: Arc<dyn Destination>) -> Self {
        Endpoint { destination, credential: None, concurrency: 64, release: None, routes: Vec::new() }
    }
}

impl Endpoint {
    /// This destination, without a credential, with up to 64 requests at once.
    #[must_use]
    pub fn new(destination: impl Destination) -> Self {
        Endpoint::from(Arc::new(destination) as Arc<dyn Destination>)
    }

    /// Its requests carry this credential's token.
    #[must_use]
    pub fn credential(mut self, name: impl Into<String>) -> Self {
        self.credential = Some(name.into());
        self
    }

    /// Events that this route takes become deliveries of it.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// So many requests at once, at least 1.
    #[must_use]
    pub fn concurrency(mut self, requests: u32) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// Of what waited while the credential was dead, so many deliveries leave in a second at most, at least 1: for a provider
    /// whose quota is counted by the day. Newer ones are not bounded by it.
    #[must_use]
    pub fn release_per_second(mut self, deliveries: u32) -> Self {
        self.release = Some(deliveries.max(1));
        self
    }
}

impl Builder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Builder {
            path,
            store: None,
            store_kind: StoreKind::default(),
            cache_bytes: None,
            clock: None,
            policy: Arc::new(Standard::default()),
            credentials: BTreeMap::new(),
            destinations: BTreeMap::new(),
            vault_key: None,
            old_vault_keys: Vec::new(),
            allow_loopback: false,
            limits: Limits::default(),
            retention: Retention::default(),
            alerts: Alerts::default(),
            on_alert: None,
            hold: false,
            accept_time: false,
            slice: crate::driver::reading::SLICE,
        }
    }

    /// Adds a credential.
    pub fn credential(mut self, name: impl Into<String>, oauth: OAuth) -> Self {
        self.credentials.insert(name.into(), oauth);
        self
    }

    /// Adds a destination.
    pub fn destination(mut self, name: impl Into<String>, endpoint: Endpoint) -> Self {
        self.destinations.insert(name.into(), endpoint);
        self
    }

    /// The key that tokens are sealed with. Needed as soon as there is a credential.
    pub fn vault_key(mut self, key: VaultKey) -> Self {
        self.vault_key = Some(key);
        self
    }

    /// A key that tokens in the store may be sealed with, too: while the key is changed, both are needed. Any number.
    pub fn old_vault_key(mut self, key: VaultKey) -> Self {
        self.old_vault_keys.push(key);
        self
    }

    /// Uses another policy than [`Standard`].
    pub fn policy(mut self, policy: impl Policy + 'static) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Which embedded store keeps the records in the engine's directory: sled where nothing is said.
    pub fn store_kind(mut self, kind: StoreKind) -> Self {
        self.store_kind = kind;
        self
    }

    /// Uses this store instead of one in the engine's directory.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// How many bytes of memory the store may use as its cache, roughly.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = Some(bytes);
        self
    }

    /// Uses this clock instead of the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets what the engine takes and for how long it tries.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets for how long deliveries that have ended are kept.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Sets which alerts there are, and the destination that they are delivered to.
    pub fn alerts(mut self, alerts: Alerts) -> Self {
        self.alerts = alerts;
        self
    }

    /// Calls this with each alert, once it is stored, one after the other and beside the engine: it may take its time. A stop
    /// waits for it, so it must return. Where it panics, the next alert is told all the same.
    pub fn on_alert(mut self, on_alert: impl Fn(&Alert) + Send + Sync + 'static) -> Self {
        self.on_alert = Some(Arc::new(on_alert));
        self
    }

    /// Allows requests to this machine's loopback addresses, also over plain HTTP. For a sandbox.
    pub fn allow_loopback(mut self, allow: bool) -> Self {
        self.allow_loopback = allow;
        self
    }

    /// Accepts and shows, but sends nothing and refreshes nothing: for looking into a store.
    pub fn hold(mut self, hold: bool) -> Self {
        self.hold = hold;
        self
    }

    /// Follows the wall clock even if it is more than 48 h ahead of the last time that the store knows.
    pub fn accept_time(mut self, accept: bool) -> Self {
        self.accept_time = accept;
        self
    }

    /// What its routes would do with this event, without a store: nothing is kept, and nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) as [`Builder::open`].
    pub fn try_event(&self, event: &Event, now: Time) -> Result<Vec<Trial>, Error> {
        self.routing().map(|routing| routing.try_event(event, now))
    }

    /// The routes of its destinations.
    pub(crate) fn routing(&self) -> Result<Routing, Error> {
        let mut routing = Routing::default();
        for (name, endpoint) in &self.destinations {
            let routes = Routes::of(endpoint.destination.as_ref(), endpoint.routes.clone()).map_err(|faults| {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                let faults = faults.join("; ");
                Error::configuration(format!("destination {name}: an action of it is not sound: {faults}"))
            })?;
            let mut names: Vec<&str> = endpoint.routes.iter().map(Route::name).collect();
            names.sort_unstable();
            let pairs = names.iter().zip(names.iter().skip(1));
            if let Some((twice, _)) = pairs.into_iter().find(|(one, other)| one == other) {
                return Err(Error::configuration(format!(
                    "destination {name}: it has two routes named {twice:?}; give each a name of its own"
                )));
            }
            routing.add(Arc::from(name.as_str()), Arc::clone(&endpoint.destination), Arc::new(routes));
        }
        Ok(routing)
    }

    /// Opens the store, recovers what was in the air, and starts the engine.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) names what cannot work and the remedy;
    /// [`ErrorKind::Held`](crate::ErrorKind::Held) when another process has the store open;
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) and [`ErrorKind::Storage`](crate::ErrorKind::Storage) as they say.
    pub async fn open(self) -> Result<Engine, Error> {
        crate::recover::open(self).await
    }
}
