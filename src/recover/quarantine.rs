//! Opening with records that do not verify: each is told with its key and acted on by nobody (S14), and what depends on
//! it takes the safe side. The rest goes on.

use std::collections::{BTreeMap, BTreeSet};

use outlast_state::{DeliveryId, Epoch, Input, State, Time};
use tracing::{error, warn};

use crate::driver::machines::Machines;
use crate::driver::reading::stop_lane;
use crate::error::{Error, ErrorKind};
use crate::records::{self, ClockRecord, DeliveryRecord, IdentityRecord};
use crate::store::codec::Damage;
use crate::store::keys::Meta;
use crate::store::{Key, Store, Table};

/// What of a store is left alone, and why.
pub(super) struct Quarantine(BTreeMap<Key, Damage>);

impl Quarantine {
    /// What the store itself found when it was opened.
    pub(super) fn of(store: &dyn Store) -> Self {
        Quarantine(store.damaged().into_iter().collect())
    }

    pub(super) fn add(&mut self, key: Key, damage: Damage) {
        self.0.insert(key, damage);
    }

    /// The keys of all of it.
    pub(super) fn keys(&self) -> BTreeSet<Key> {
        self.0.keys().cloned().collect()
    }

    /// Tells of each, and counts them.
    pub(super) fn report(&self, machines: &mut Machines) {
        for (key, damage) in &self.0 {
            error!(%key, %damage, "a record does not verify; it is left alone and not acted on (`outlast doctor` says what it holds up)");
        }
        machines.counts.damaged = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
    }

    /// The lanes of deliveries whose records are damaged stop there; their parcels tell which lanes that are.
    pub(super) fn stop_lanes(&self, machines: &mut Machines, store: &dyn Store) -> Result<(), Error> {
        for key in self.0.keys() {
            let Key::Delivery(id) = *key else { continue };
            stop_lane(store, machines, id)?;
        }
        Ok(())
    }

    /// Engine time at the last commit. Where its record is damaged, the newest time that any delivery tells takes its
    /// place: it is not later than the lost one, and time that is found again only grows from there. That the stop was
    /// clean is not taken for granted.
    pub(super) fn clock(&mut self, store: &dyn Store) -> Result<ClockRecord, Error> {
        let Some(known) = self.own(store, Meta::Clock)? else {
            let now = newest(store)?;
            warn!(now = now.as_millis(), "the last engine time is taken from the newest delivery");
            return Ok(ClockRecord { now, clean: false });
        };
        Ok(known)
    }

    /// Which store this is. Where that is damaged, it becomes another one: names are made from a number that is drawn, and
    /// batches are counted from beyond all that were counted before.
    pub(super) fn identity(&mut self, store: &dyn Store, random: u64) -> Result<IdentityRecord, Error> {
        const BEYOND: u32 = 1 << 31;
        match self.own::<IdentityRecord>(store, Meta::Identity)? {
            Some(IdentityRecord { store: 0, incarnation }) => {
                Ok(IdentityRecord { store: random, incarnation: incarnation.saturating_add(1) })
            }
            Some(known) => Ok(IdentityRecord { incarnation: known.incarnation.saturating_add(1), ..known }),
            None => {
                let incarnation = BEYOND | u32::try_from(random >> 34).unwrap_or_default();
                Ok(IdentityRecord { store: random, incarnation })
            }
        }
    }

    /// One of the store's own records; nothing if it does not verify.
    fn own<T: records::Record + Default>(&mut self, store: &dyn Store, which: Meta) -> Result<Option<T>, Error> {
        match records::meta(store, which)? {
            Ok(record) => Ok(Some(record)),
            Err(damage @ Damage::Version(_)) => {
                let message = format!("the store's own record {which:?} {damage}");
                Err(Error::new(ErrorKind::Corrupt, message))
            }
            Err(damage) => {
                self.add(Key::Meta(which), damage);
                Ok(None)
            }
        }
    }
}

/// The newest time in any record of a delivery, and in the names of those that do not verify.
fn newest(store: &dyn Store) -> Result<Time, Error> {
    let mut newest = Time::ZERO;
    records::each_delivery(store, |id, _, record| {
        newest = newest.max(made(id));
        if let Ok(record) = record {
            let last = record.journal.entries().last().map_or(Time::ZERO, |entry| entry.at);
            newest = newest.max(record.accepted).max(last);
        }
        true
    })?;
    Ok(newest)
}

/// When a delivery was named: the upper 48 bits of its id are the milliseconds of engine time.
fn made(id: DeliveryId) -> Time {
    Time::from_millis(u64::try_from(id.as_u128() >> 80).unwrap_or_default())
}

/// A credential without a record starts after every epoch that anything else in the store knows of it, so that a token
/// that is brought later is never taken for an older one.
pub(super) fn raise_epochs(machines: &mut Machines, store: &dyn Store) -> Result<(), Error> {
    let unknown = |machines: &Machines, name: &str| {
        machines.credentials.get(name).is_some_and(|keeper| keeper.record.credential.epoch == Epoch::NONE)
    };
    let mut floors: BTreeMap<String, Epoch> = BTreeMap::new();
    let quarantined = machines.credentials.iter().filter(|(_, keeper)| keeper.quarantined);
    floors.extend(quarantined.map(|(name, _)| (name.clone(), Epoch::NONE)));
    for (key, _) in store.scan(Table::Token, None, usize::MAX)? {
        if let Key::Token(name, epoch) = key
            && unknown(machines, &name)
        {
            let floor = floors.entry(name).or_default();
            *floor = epoch.max(*floor);
        }
    }
    if floors.is_empty() {
        return Ok(());
    }
    records::each_delivery(store, |_, _, record| {
        if let Ok(record) = record
            && let Some(floor) = machines.credential_of(&record.destination).and_then(|name| floors.get_mut(&**name))
        {
            *floor = epochs(&record).fold(*floor, Epoch::max);
        }
        true
    })?;
    for (name, floor) in floors {
        if let Some(keeper) = machines.credentials.get_mut(&name) {
            keeper.record =
                records::CredentialRecord::new(outlast_state::Credential { epoch: floor, ..keeper.record.credential });
            error!(
                credential = name,
                epoch = floor.number(),
                "the record of a credential is lost or does not verify; it counts as dead until it is authorised again: outlast auth import {name}"
            );
        }
    }
    Ok(())
}

/// The epochs that a delivery knows of.
fn epochs(record: &DeliveryRecord) -> impl Iterator<Item = Epoch> {
    let standing = match record.delivery.state {
        State::Sending { epoch, .. } | State::AwaitingPropagation { epoch, .. } => Some(epoch),
        State::Refreshing { rejected } => Some(rejected),
        State::Pending { .. } | State::Done { .. } | State::Failed { .. } => None,
    };
    let sent = record.journal.entries().filter_map(|entry| match entry.input {
        Input::Admitted { epoch, .. } => Some(epoch),
        _ => None,
    });
    standing.into_iter().chain(sent)
}
