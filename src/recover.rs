//! Opening: the store is read, every live delivery is asked what it wants, and the driver starts. There is no other
//! recovery.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use outlast_state::{Credential, CredentialInput, CredentialWant, Epoch, Span, Terms, Time, Want};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::authorisation::Authorisation;
use crate::builder::{Builder, OAuth};
use crate::clock::{self, Clock, SystemClock};
use crate::driver::acts::Turn;
use crate::driver::heart::Heart;
use crate::driver::ids::Ids;
use crate::driver::machines::{Keeper, Machines, Outlet, Settings};
use crate::driver::{Driver, World};
use crate::engine::{Engine, Inner};
use crate::error::{Error, ErrorKind};
use crate::http::{Http, HttpOptions};
use crate::oauth::{Client, Profile};
use crate::parcel;
use crate::records::{self, ClockRecord, CredentialRecord, DeliveryRecord, IdentityRecord, ParcelRecord, PauseRecord};
use crate::store::codec::Damage;
use crate::store::keys::Meta;
use crate::store::{Durable, Key, SledOptions, SledStore, Store, Table};
use crate::vault::Vault;
use crate::view::Counts;

/// So many recovered deliveries are written in one commit.
const LARGEST_RECOVERY: usize = 4000;

/// Opens an engine as it was described.
pub(crate) async fn open(mut builder: Builder) -> Result<Engine, Error> {
    check(&builder)?;
    let store = open_store(&mut builder).await?;
    let clock_record: ClockRecord = own(store.as_ref(), Meta::Clock)?;
    let clock = builder.clock.take().unwrap_or_else(|| system_clock(clock_record.now, builder.accept_time));
    if let Some(leap) = clock.refused_leap() {
        warn!(leap = %leap, "the wall clock is far ahead of the store's last time and is not followed; pass --accept-time if it is right");
    }
    let first_grants = first_grants(&mut builder);
    let recovered = recovered(&mut builder, &store, random()?, clock.now())?;
    let engine = start(&builder, store, clock, recovered)?;
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
    pub(crate) durable: Durable,
}

/// Reads the store at `now` and tells every machine what the opening means for it. `random` names a store that is new.
pub(crate) fn recovered(
    builder: &mut Builder,
    store: &Arc<dyn Store>,
    random: u64,
    now: Time,
) -> Result<Recovered, Error> {
    let clock: ClockRecord = own(store.as_ref(), Meta::Clock)?;
    let identity = next_incarnation(store.as_ref(), random)?;
    let mut clients = HashMap::new();
    let mut machines = machines(builder, store.as_ref(), identity, now, &mut clients)?;
    let mut turn = Turn::at(now);
    records::put(Key::Meta(Meta::Identity), &identity, &mut turn.writes);
    let vault = builder.vault_key.as_ref().map(|key| Arc::new(Vault::new(key)));
    if let Some(vault) = &vault {
        try_key(&mut machines, store.as_ref(), vault, &mut turn)?;
    }
    let durable = recover(&mut machines, store.as_ref(), clock.clean, turn)?;
    let heart = Heart::new(machines, Arc::clone(store), vault.clone());
    Ok(Recovered { heart, clients, vault, durable })
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
    let mut options = SledOptions::default();
    options.cache_bytes = builder.cache_bytes.unwrap_or(options.cache_bytes);
    let opened = tokio::task::spawn_blocking(move || SledStore::open(Path::new(&path), options)).await;
    let store = opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    Ok(Arc::new(store))
}

fn system_clock(stored: Time, accept_time: bool) -> Arc<dyn Clock> {
    let from = if accept_time { stored.max(clock::wall()) } else { stored };
    Arc::new(SystemClock::from_stored(from))
}

/// One of the store's own records. Without them nothing in the store can be trusted, so damage refuses to open.
fn own<T: serde::de::DeserializeOwned + Default>(store: &dyn Store, which: Meta) -> Result<T, Error> {
    records::meta(store, which)?.map_err(|damage| {
        let message =
            format!("the store's own record {which:?} does not verify ({damage}); restore the store from a copy");
        Error::new(ErrorKind::Corrupt, message)
    })
}

fn next_incarnation(store: &dyn Store, random: u64) -> Result<IdentityRecord, Error> {
    let known: IdentityRecord = own(store, Meta::Identity)?;
    let number = if known.store == 0 { random } else { known.store };
    Ok(IdentityRecord { store: number, incarnation: known.incarnation.saturating_add(1) })
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

fn machines(
    builder: &mut Builder,
    store: &dyn Store,
    identity: IdentityRecord,
    now: Time,
    clients: &mut HashMap<String, Client>,
) -> Result<Machines, Error> {
    let mut profiles = BTreeMap::new();
    for (name, OAuth { profile, client_id, client_secret, .. }) in std::mem::take(&mut builder.credentials) {
        clients.insert(name.clone(), Client { id: client_id, secret: client_secret });
        profiles.insert(name, Arc::new(profile));
    }
    let endpoints = std::mem::take(&mut builder.destinations).into_iter();
    let outlets = endpoints.map(|(name, endpoint)| {
        let outlet = Outlet {
            batch_size: endpoint.destination.batch_size().max(1),
            destination: endpoint.destination,
            credential: endpoint.credential,
            concurrency: endpoint.concurrency,
        };
        (name, outlet)
    });
    let settings = Settings {
        outlets: outlets.collect(),
        profiles,
        policy: Arc::clone(&builder.policy),
        limits: builder.limits,
        hold: builder.hold,
    };
    let mut machines = Machines {
        credentials: credentials(store, &settings.profiles, now)?,
        settings,
        live: HashMap::new(),
        queues: BTreeMap::new(),
        pauses: BTreeMap::new(),
        deadlines: BTreeSet::new(),
        counts: Counts::default(),
        ids: Ids::new(identity.store, identity.incarnation),
        opened: now,
        turned: now,
        watched: HashSet::new(),
        stopping: false,
        #[cfg(feature = "verify")]
        marks: crate::driver::marks::Marks::default(),
    };
    load(&mut machines, store, now)?;
    Ok(machines)
}

fn credentials(
    store: &dyn Store,
    profiles: &BTreeMap<String, Arc<Profile>>,
    now: Time,
) -> Result<BTreeMap<String, Keeper>, Error> {
    let mut keepers = BTreeMap::new();
    for (name, profile) in profiles {
        let terms = Terms { settle: profile.settle };
        let stored = records::get::<CredentialRecord>(store, &Key::Credential(name.clone()))?;
        let stored = stored.map_err(|damage| {
            let message =
                format!("credential {name}: its record does not verify ({damage}); restore the store from a copy");
            Error::new(ErrorKind::Corrupt, message)
        })?;
        let record = stored.unwrap_or_else(|| CredentialRecord::new(Credential::unauthorised(terms, now)));
        keepers.insert(name.clone(), Keeper { record, gate: None, calling: false, served: String::new() });
    }
    Ok(keepers)
}

/// Tries the key on every grant, so that the wrong one is told at the start and stands with its credential.
fn try_key(machines: &mut Machines, store: &dyn Store, vault: &Vault, turn: &mut Turn) -> Result<(), Error> {
    let living: Vec<(String, Epoch)> = machines
        .credentials
        .iter()
        .map(|(name, keeper)| (name.clone(), keeper.record.credential))
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

/// Reads every delivery and every pause. A record that does not verify is reported and left alone (S14).
fn load(machines: &mut Machines, store: &dyn Store, now: Time) -> Result<(), Error> {
    let mut damaged = Vec::new();
    records::each::<DeliveryRecord>(store, Table::Delivery, |key, record| {
        if let Key::Delivery(id) = key {
            machines.ids.skip(id);
        }
        match record {
            Ok(record) => {
                machines.counts.moved(None, &record.delivery);
                if record.delivery.wants() == Want::Nothing {
                    machines.remember_lane(&record, now);
                } else {
                    machines.adopt(record, now);
                }
            }
            Err(damage) => {
                quarantine(&mut machines.counts, &key, &damage);
                damaged.push(key);
            }
        }
        true
    })?;
    for key in damaged {
        stop_lane(machines, store, &key)?;
    }
    let mut unknown = None;
    records::each::<PauseRecord>(store, Table::Pause, |key, record| {
        match record {
            Ok(record) => drop(machines.pauses.insert(record.scope, record.since)),
            Err(damage) => {
                quarantine(&mut machines.counts, &key, &damage);
                match records::paused_by(&key) {
                    Some(scope) => drop(machines.pauses.insert(scope, now)),
                    None => unknown = Some(key),
                }
            }
        }
        unknown.is_none()
    })?;
    unknown.map_or(Ok(()), |key| {
        let message =
            format!("{key}: it does not verify and does not tell what is paused; restore the store from a copy");
        Err(Error::new(ErrorKind::Corrupt, message))
    })
}

/// The lane of a delivery whose record is damaged stops there; its parcel tells which lane that is.
fn stop_lane(machines: &mut Machines, store: &dyn Store, key: &Key) -> Result<(), Error> {
    let Key::Delivery(id) = *key else { return Ok(()) };
    let Ok(Some(parcel)) = records::get::<ParcelRecord>(store, &Key::Parcel(id))? else { return Ok(()) };
    if let Some(lane) = parcel.lane {
        error!(delivery = %id, destination = parcel.destination, lane, "its lane stops there");
        machines.queues.entry(parcel.destination).or_default().block(id, &lane);
    }
    Ok(())
}

fn quarantine(counts: &mut Counts, key: &Key, damage: &Damage) {
    counts.damaged = counts.damaged.saturating_add(1);
    error!(?key, %damage, "a record does not verify; it is left alone and not acted on");
}

/// Tells every machine what the opening means for it, and writes that in commits of bounded size.
fn recover(machines: &mut Machines, store: &dyn Store, clean: bool, mut turn: Turn) -> Result<Durable, Error> {
    let _span = tracing::info_span!("recovery").entered();
    let names: Vec<(String, Span)> =
        machines.settings.profiles.iter().map(|(name, profile)| (name.clone(), profile.settle)).collect();
    for (name, settle) in names {
        machines.credential(&name, CredentialInput::ConfigurationChanged { terms: Terms { settle } }, &mut turn);
    }
    machines.recover(clean, &mut turn);
    let recovered = turn.changed.len();
    let mut durable = None;
    for part in turn.parts(LARGEST_RECOVERY) {
        durable = Some(store.commit(machines.close(part, false).writes)?);
    }
    let durable = durable.expect("a turn has at least one part");
    let live = machines.live.len();
    info!(live, interrupted = recovered, clean, damaged = machines.counts.damaged, "recovered");
    Ok(durable)
}

fn start(
    builder: &Builder,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    recovered: Recovered,
) -> Result<Engine, Error> {
    let Recovered { heart, clients, vault, durable } = recovered;
    let options = HttpOptions { allow_loopback: builder.allow_loopback, ..HttpOptions::default() };
    let http = Http::new(options).map_err(|error| Error::configuration(error.to_string()))?;
    let (calls, waiting) = mpsc::channel(builder.limits.calls.max(1));
    let (heard_by, heard) = mpsc::unbounded_channel();
    let (tasks, stopping, failure) = (TaskTracker::new(), CancellationToken::new(), Arc::new(OnceLock::new()));
    let abandon = CancellationToken::new();
    let world = World { store, clock, http, vault, clients, tasks: tasks.clone(), abandon, heard: heard_by };
    let driver = Driver {
        heart,
        world: Arc::new(world),
        calls: waiting,
        heard,
        stopping: stopping.clone(),
        failure: Arc::clone(&failure),
    };
    tasks.spawn(driver.run(durable));
    Ok(Engine { inner: Arc::new(Inner { calls, stopping, tasks, failure }) })
}
