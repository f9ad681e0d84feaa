//! Opening: the store is read, every live delivery is asked what it wants, and the driver starts. There is no other
//! recovery.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use outlast_state::{Credential, CredentialInput, CredentialWant, Epoch, Span, Terms, Time};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::admission::{Agenda, Attention};
use crate::authorisation::Authorisation;
use crate::builder::{Builder, OAuth};
use crate::clock::{self, Clock, SystemClock};
use crate::destination::{Batching, Destination};
use crate::driver::acts::Turn;
use crate::driver::alerts::Alarms;
use crate::driver::bell::Bell;
use crate::driver::heart::Heart;
use crate::driver::ids::{ById, Ids};
use crate::driver::machines::{Keeper, Machines, Name};
use crate::driver::reading::{Reading, read_on};
use crate::driver::retention::Ended;
use crate::driver::settings::{AlertRules, Outlet, Settings, terms};
use crate::driver::{Driver, World};
use crate::engine::{Engine, Inner};
use crate::error::{Error, ErrorKind};
use crate::http::{Http, HttpOptions};
use crate::oauth::{Client, Profile};
use crate::parcel;
use crate::records::{self, CredentialRecord, IdentityRecord};
use crate::routing::Routing;
use crate::secret::Secret;
use crate::store::keys::Meta;
use crate::store::{DiskOptions, DiskStore, Durable, Key, Store};
use crate::vault::Vault;
use crate::view::Counts;

mod load;
mod quarantine;

use quarantine::Quarantine;

/// So many recovered deliveries are written in one commit.
const LARGEST_RECOVERY: usize = 4000;

/// Opens an engine as it was described.
pub(crate) async fn open(mut builder: Builder) -> Result<Engine, Error> {
    check(&builder)?;
    let store = open_store(&mut builder).await?;
    let clock_record = Quarantine::of(store.as_ref()).clock(store.as_ref())?;
    let clock = builder.clock.take().unwrap_or_else(|| system_clock(clock_record.now, builder.accept_time));
    if let Some(leap) = clock.refused_leap() {
        warn!(leap = %leap, "the wall clock is far ahead of the store's last time and is not followed; pass --accept-time if it is right");
    }
    let (mut first_grants, fixed) = (first_grants(&mut builder), fixed(&mut builder));
    let recovered = recovered(&mut builder, &store, random()?, clock.now())?;
    // What was known of a credential in doubt is kept until a human decides.
    let credentials = &recovered.heart.machines.credentials;
    first_grants.retain(|(name, _)| credentials.get(name).is_some_and(|keeper| !keeper.quarantined));
    let changed = changed(&recovered, store.as_ref(), fixed)?;
    let engine = start(&builder, store, clock, recovered)?;
    for (name, token) in changed {
        info!(credential = name, "the configured token is another than the stored one, and replaces it");
        engine.authorise(&name, Authorisation::fixed(token)).await?;
    }
    for (name, grant) in first_grants {
        let known = engine.credentials().await?;
        if known.iter().any(|view| view.name == name && view.epoch == 0) {
            engine.authorise(&name, grant).await?;
        }
    }
    Ok(engine)
}

/// What opening a store gives: all that a loop of turns needs.
pub(crate) struct Recovered {
    pub(crate) heart: Heart,
    pub(crate) clients: HashMap<String, Client>,
    pub(crate) vault: Option<Arc<Vault>>,
    pub(crate) routing: Arc<Routing>,
    pub(crate) durable: Durable,
}

/// Reads the store at `now` and tells every machine what the opening means for it. `random` names a store that is new.
pub(crate) fn recovered(
    builder: &mut Builder,
    store: &Arc<dyn Store>,
    random: u64,
    now: Time,
) -> Result<Recovered, Error> {
    let mut quarantine = Quarantine::of(store.as_ref());
    let clock = quarantine.clock(store.as_ref())?;
    let identity = quarantine.identity(store.as_ref(), random)?;
    let mut clients = HashMap::new();
    let routing = Arc::new(builder.routing()?);
    let mut machines = machines(builder, store.as_ref(), &routing, identity, now, &mut clients, &mut quarantine)?;
    let mut turn = Turn::at(now);
    records::put(Key::Meta(Meta::Identity), &identity, &mut turn.writes);
    let vault = builder.vault_key.as_ref().map(|key| {
        let old = builder.old_vault_keys.iter();
        Arc::new(old.fold(Vault::new(key), Vault::and_opens_with))
    });
    if let Some(vault) = &vault {
        try_key(&mut machines, store.as_ref(), vault, &mut turn)?;
    }
    let known = quarantine.keys();
    let reading = Reading::new(machines.counts, machines.ids.last(), known, clock.clean, builder.slice);
    machines.reading = Some(reading);
    let durable = recover(&mut machines, store.as_ref(), clock.clean, turn)?;
    let heart = Heart::new(machines, Arc::clone(store), vault.clone()).in_slices(builder.slice);
    Ok(Recovered { heart, clients, vault, routing, durable })
}

/// What a description must hold before anything is opened.
fn check(builder: &Builder) -> Result<(), Error> {
    for name in builder.destinations.keys() {
        parcel::name("destination", name).map_err(|error| Error::configuration(error.to_string()))?;
    }
    for name in builder.credentials.keys() {
        parcel::name("credential", name).map_err(|error| Error::configuration(error.to_string()))?;
    }
    if builder.limits.request == Span::ZERO || builder.limits.time_to_live == Span::ZERO {
        return Err(Error::configuration("limits: `request` and `time_to_live` must be longer than nothing"));
    }
    if let Some(to) = builder.alerts.to.as_ref().filter(|to| !builder.destinations.contains_key(*to)) {
        return Err(Error::configuration(format!(
            "alerts.to: there is no destination {to:?}; add it, or name another"
        )));
    }
    for (name, endpoint) in &builder.destinations {
        if let Some(credential) = &endpoint.credential
            && !builder.credentials.contains_key(credential)
        {
            return Err(Error::configuration(format!(
                "destination {name}: its credential {credential:?} is not configured; add it or name another"
            )));
        }
    }
    if !builder.credentials.is_empty() && builder.vault_key.is_none() {
        return Err(Error::configuration(
            "vault key: none is set, and tokens are only stored sealed; give the engine one",
        ));
    }
    Ok(())
}

async fn open_store(builder: &mut Builder) -> Result<Arc<dyn Store>, Error> {
    if let Some(store) = builder.store.take() {
        return Ok(store);
    }
    let path = builder.path.clone();
    let mut options = DiskOptions::default();
    options.kind = builder.store_kind;
    options.cache_bytes = builder.cache_bytes.unwrap_or(options.cache_bytes);
    let opened = tokio::task::spawn_blocking(move || DiskStore::open(Path::new(&path), &options)).await;
    let store = opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    Ok(Arc::new(store))
}

fn system_clock(stored: Time, accept_time: bool) -> Arc<dyn Clock> {
    let from = if accept_time { stored.max(clock::wall()) } else { stored };
    Arc::new(SystemClock::from_stored(from))
}

fn random() -> Result<u64, Error> {
    let mut bytes = [0_u8; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).map_err(|_| {
        Error::new(ErrorKind::Storage, "the machine gives no random numbers; a store needs a number of its own")
    })?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

fn first_grants(builder: &mut Builder) -> Vec<(String, Authorisation)> {
    let taken = builder.credentials.iter_mut();
    taken.filter_map(|(name, oauth)| Some((name.clone(), oauth.first_grant.take()?))).collect()
}

/// The tokens that stand in the configuration.
fn fixed(builder: &mut Builder) -> Vec<(String, Secret)> {
    let taken = builder.credentials.iter_mut();
    taken.filter_map(|(name, oauth)| Some((name.clone(), oauth.fixed.take()?))).collect()
}

/// Those of them that are not the newest that the store holds. One that died there and is the same stays dead.
fn changed(
    recovered: &Recovered,
    store: &dyn Store,
    fixed: Vec<(String, Secret)>,
) -> Result<Vec<(String, Secret)>, Error> {
    let mut changed = Vec::new();
    for (name, token) in fixed {
        let keeper = recovered.heart.machines.credentials.get(&name);
        let epoch = keeper.map_or(Epoch::NONE, |keeper| keeper.record.credential.epoch);
        let sealed = store.get(&Key::Grant(name.clone()))?;
        let stored = sealed.zip(recovered.vault.as_ref());
        let stored = stored.and_then(|(sealed, vault)| vault.open_grant(&name, epoch, &sealed).ok()?.refresh);
        if stored.is_none_or(|stored| stored.reveal() != token.reveal()) {
            changed.push((name, token));
        }
    }
    Ok(changed)
}

fn machines(
    builder: &mut Builder,
    store: &dyn Store,
    routing: &Routing,
    identity: IdentityRecord,
    now: Time,
    clients: &mut HashMap<String, Client>,
    quarantine: &mut Quarantine,
) -> Result<Machines, Error> {
    let settings = settings(builder, routing, clients);
    let mut machines = Machines {
        credentials: credentials(store, &settings.profiles, now, quarantine)?,
        settings,
        live: ById::default(),
        queues: BTreeMap::new(),
        attention: Attention::default(),
        renewals: BTreeSet::new(),
        pauses: BTreeMap::new(),
        deadlines: Agenda::default(),
        counts: Counts::default(),
        counted: None,
        in_flight: 0,
        bodies: 0,
        ids: Ids::new(identity.store, identity.incarnation),
        opened: now,
        began: now,
        turned: now,
        reading: None,
        memory: BTreeMap::new(),
        learned: BTreeMap::new(),
        bonds: BTreeMap::new(),
        ended: Ended::new(0, now),
        alerts: Alarms::default(),
        watched: HashSet::new(),
        stopping: false,
        #[cfg(feature = "verify")]
        marks: crate::driver::marks::Marks::default(),
    };
    load::load(&mut machines, store, now, quarantine)?;
    quarantine.stop_lanes(&mut machines, store)?;
    quarantine::raise_epochs(&mut machines, store)?;
    quarantine.report(&mut machines);
    machines.watch_all();
    Ok(machines)
}

/// What does not change while the engine runs.
fn settings(builder: &mut Builder, routing: &Routing, clients: &mut HashMap<String, Client>) -> Settings {
    let mut profiles = BTreeMap::new();
    for (name, OAuth { profile, client, .. }) in std::mem::take(&mut builder.credentials) {
        clients.insert(name.clone(), client);
        profiles.insert(name, Arc::new(profile));
    }
    let endpoints = std::mem::take(&mut builder.destinations).into_iter();
    let mut needed_by: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    let outlets = endpoints.map(|(name, endpoint)| {
        let name = Name::from(name);
        if let Some(credential) = &endpoint.credential {
            needed_by.entry(credential.clone()).or_default().push(Name::clone(&name));
        }
        let profile = endpoint.credential.as_ref().and_then(|name| profiles.get(name));
        let dated = endpoint.destination.is_dated();
        let outlet = Outlet {
            event_age: profile.filter(|_| dated).and_then(|profile| profile.event_age),
            batching: batching(endpoint.destination.as_ref()),
            routes: routing.routes(&name),
            destination: endpoint.destination,
            credential: endpoint.credential.map(Name::from),
            concurrency: endpoint.concurrency,
            release: endpoint.release,
        };
        (name, outlet)
    });
    Settings {
        outlets: outlets.collect(),
        needed_by,
        profiles,
        policy: Arc::clone(&builder.policy),
        limits: builder.limits,
        retention: builder.retention,
        alerts: AlertRules {
            to: builder.alerts.to.clone().map(Name::from),
            days: builder.alerts.days.clone(),
            failed: builder.alerts.failed,
        },
        hold: builder.hold,
    }
}

/// How many share a request: the destination's word, within bounds.
fn batching(destination: &dyn Destination) -> Batching {
    /// Longer is a mistake of units; what is retried has such waits, not what is fresh.
    const LONGEST_LINGER: Span = Span::from_secs(3600);
    let Batching { items, bytes, linger } = destination.batching();
    Batching { items: items.max(1), bytes: bytes.max(1), linger: linger.min(LONGEST_LINGER) }
}

/// The credentials as they are stored. One whose record does not verify is dead, and its record is kept as it is until a
/// human authorises it again.
fn credentials(
    store: &dyn Store,
    profiles: &BTreeMap<String, Arc<Profile>>,
    now: Time,
    quarantine: &mut Quarantine,
) -> Result<BTreeMap<String, Keeper>, Error> {
    let mut keepers = BTreeMap::new();
    for (name, profile) in profiles {
        let terms = terms(name, profile);
        let key = Key::Credential(name.clone());
        let stored = records::get::<CredentialRecord>(store, &key)?;
        let quarantined = stored.is_err();
        let record = match stored {
            Ok(Some(record)) => record,
            Ok(None) => CredentialRecord::new(Credential::unauthorised(terms, now)),
            Err(damage) => {
                quarantine.add(key, damage);
                CredentialRecord::new(Credential::unauthorised(terms, now))
            }
        };
        keepers.insert(name.clone(), Keeper::new(record, quarantined));
    }
    Ok(keepers)
}

/// Tries the key on every grant, so that the wrong one is told at the start and stands with its credential.
fn try_key(machines: &mut Machines, store: &dyn Store, vault: &Vault, turn: &mut Turn) -> Result<(), Error> {
    let living: Vec<(String, Epoch)> = machines
        .credentials
        .iter()
        .map(|(name, keeper)| (name.clone(), keeper.record.credential))
        // One that needs no human may have had no token yet, and so no grant.
        .filter(|(_, credential)| credential.epoch > Epoch::NONE)
        .filter(|(_, credential)| credential.wants() != CredentialWant::Authorisation)
        .map(|(name, credential)| (name, credential.epoch))
        .collect();
    for (name, epoch) in living {
        let note = match store.get(&Key::Grant(name.clone()))? {
            None => {
                Some(format!("its grant is missing from the store; authorise it again: outlast auth import {name}"))
            }
            Some(sealed) => vault.open_grant(&name, epoch, &sealed).err().map(|error| error.to_string()),
        };
        let note = note.unwrap_or_default();
        if !note.is_empty() {
            error!(credential = name, "{note}");
        }
        let known = machines.credentials.get(&name).is_some_and(|keeper| keeper.record.note == note);
        if !known {
            machines.touch(&name, turn, |keeper| keeper.record.note(&note));
        }
    }
    Ok(())
}

/// Tells every machine what the opening means for it, and writes that in commits of bounded size.
fn recover(machines: &mut Machines, store: &dyn Store, clean: bool, mut turn: Turn) -> Result<Durable, Error> {
    let _span = tracing::info_span!("recovery").entered();
    let terms: Vec<(String, Terms)> = machines.settings.terms().map(|(name, terms)| (name.clone(), terms)).collect();
    for (name, terms) in terms {
        machines.credential(&name, CredentialInput::ConfigurationChanged { terms }, &mut turn);
    }
    machines.recover(clean, &mut turn);
    machines.forget_what_is_over(&mut turn);
    read_on(store, machines, &mut turn)?;
    for name in machines.settings.profiles.keys().cloned().collect::<Vec<_>>() {
        machines.schedule_renewal(&name);
    }
    machines.count_given_up(&turn);
    let recovered = turn.changed.len();
    let mut durable = None;
    for part in turn.parts(LARGEST_RECOVERY) {
        durable = Some(store.commit(machines.close(part, false).writes)?);
    }
    let durable = durable.expect("a turn has at least one part");
    let live = machines.live_in_all();
    info!(live, interrupted = recovered, clean, damaged = machines.counts.damaged, "recovered");
    Ok(durable)
}

fn start(
    builder: &Builder,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    recovered: Recovered,
) -> Result<Engine, Error> {
    let Recovered { heart, clients, vault, routing, durable } = recovered;
    let options = HttpOptions { allow_loopback: builder.allow_loopback, ..HttpOptions::default() };
    let http = Http::new(options).map_err(|error| Error::configuration(error.to_string()))?;
    let (calls, waiting) = mpsc::channel(builder.limits.calls.max(1));
    let (heard_by, heard) = mpsc::unbounded_channel();
    let (tasks, stopping, failure) = (TaskTracker::new(), CancellationToken::new(), Arc::new(OnceLock::new()));
    let abandon = CancellationToken::new();
    let world = World { store, clock, http, vault, clients, tasks: tasks.clone(), abandon, heard: heard_by };
    let world = Arc::new(world);
    let driver = Driver {
        heart,
        world: Arc::clone(&world),
        calls: waiting,
        heard,
        stopping: stopping.clone(),
        failure: Arc::clone(&failure),
        bell: Bell::new(builder.on_alert.clone(), &tasks),
    };
    tasks.spawn(driver.run(durable));
    Ok(Engine { inner: Arc::new(Inner { calls, stopping, tasks, failure, routing, world: Arc::downgrade(&world) }) })
}
