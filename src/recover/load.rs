//! Opening reads what is live and what is paused. What has ended is counted, and not read.

use outlast_state::{DeliveryId, Time, Want};

use super::LARGEST_RECOVERY;
use super::quarantine::Quarantine;
use crate::driver::machines::Machines;
use crate::error::{Error, ErrorKind};
use crate::records::{self, CountsRecord, DeliveryRecord, PauseRecord};
use crate::store::keys::Meta;
use crate::store::{Key, Store, Table, Writes};
use crate::view::Counts;

/// Reads every live delivery and every pause. A record that does not verify is reported and left alone (S14).
pub(super) fn load(
    machines: &mut Machines,
    store: &dyn Store,
    now: Time,
    quarantine: &mut Quarantine,
) -> Result<(), Error> {
    pauses(machines, store, now, quarantine)?;
    let ended = counts(machines, store, quarantine)?;
    let mut stale = Vec::new();
    records::each::<DeliveryRecord>(store, Table::Delivery, |key, record| {
        if let Key::Delivery(id) = key {
            machines.ids.skip(id);
        }
        match record {
            Ok(record) => match record.delivery.wants() {
                Want::Nothing => {
                    stale.push((record.delivery.id, record.destination.clone(), record.lane.clone()));
                    machines.remember_lane(&record, now);
                }
                Want::Answer { .. } => {
                    machines.counts.moved(None, &record.delivery);
                    machines.adopt(record, now);
                }
                Want::Admission { .. } | Want::Token { .. } => {
                    machines.counts.moved(None, &record.delivery);
                    machines.settle(&record, now);
                }
            },
            Err(damage) => quarantine.add(key, damage),
        }
        true
    })?;
    let Counts { done, failed, attempts, .. } = ended;
    let damaged = machines.counts.damaged;
    machines.counts = Counts { done, failed, attempts, damaged, ..machines.counts };
    archive(machines, store, stale)
}

/// What is counted of those that have ended: as the store says, or, where it does not, by reading all.
fn counts(machines: &mut Machines, store: &dyn Store, quarantine: &mut Quarantine) -> Result<Counts, Error> {
    let key = Key::Meta(Meta::Counts);
    match records::get::<CountsRecord>(store, &key)? {
        Ok(Some(CountsRecord { done, failed, attempts, newest, .. })) => {
            machines.ids.skip(newest);
            return Ok(Counts { done, failed, attempts, ..Counts::default() });
        }
        Ok(None) => {}
        Err(damage) => quarantine.add(key, damage),
    }
    let mut counts = Counts::default();
    records::each_delivery(store, |id, key, record| {
        machines.ids.skip(id);
        match record {
            Ok(record) => counts.moved(None, &record.delivery),
            Err(damage) => quarantine.add(key, damage),
        }
        true
    })?;
    Ok(counts)
}

/// Moves what has ended to where opening does not read it: from the table of the live ones, where version 1 left it, and
/// where those in a lane stay until nothing in the lane asks for them.
fn archive(
    machines: &Machines,
    store: &dyn Store,
    stale: Vec<(DeliveryId, String, Option<String>)>,
) -> Result<(), Error> {
    let knows = |destination: &str, lane: &str| machines.queues.get(destination).is_some_and(|queue| queue.knows(lane));
    let stale = stale.into_iter().filter(|(_, to, lane)| lane.as_deref().is_none_or(|lane| !knows(to, lane)));
    let mut writes = Writes::new();
    for (id, ..) in stale {
        let Ok(Some(record)) = records::get::<DeliveryRecord>(store, &Key::Delivery(id))? else { continue };
        record.put_under(Key::Ended(id), &mut writes);
        writes.delete(Key::Delivery(id));
        if writes.len() >= LARGEST_RECOVERY {
            store.commit(std::mem::take(&mut writes))?;
        }
    }
    if !writes.is_empty() {
        store.commit(writes)?;
    }
    Ok(())
}

fn pauses(machines: &mut Machines, store: &dyn Store, now: Time, quarantine: &mut Quarantine) -> Result<(), Error> {
    let mut unknown = None;
    records::each::<PauseRecord>(store, Table::Pause, |key, record| {
        let paused = match record {
            Ok(record) => Some((record.scope, record.since)),
            Err(damage) => {
                let scope = records::paused_by(&key);
                if scope.is_none() {
                    unknown = Some(key.clone());
                }
                quarantine.add(key, damage);
                scope.map(|scope| (scope, now))
            }
        };
        if let Some((scope, since)) = paused {
            machines.hold_lane(&scope, true);
            machines.pauses.insert(scope, since);
        }
        unknown.is_none()
    })?;
    unknown.map_or(Ok(()), |key| {
        let message = format!(
            "{key}: it does not verify and does not tell what is paused. `outlast doctor --salvage DIR` writes a store without it, in which nothing is paused by it; or put back a backup"
        );
        Err(Error::new(ErrorKind::Corrupt, message))
    })
}
