//! What opening reads before the deliveries: what is paused, the counts, and what destinations keep in mind.

use outlast_state::Time;

use super::quarantine::Quarantine;
use crate::admission::Mark;
use crate::driver::machines::Machines;
use crate::error::{Error, ErrorKind};
use crate::records::{self, AlertRecord, CountsRecord, LearnedRecord, MemoryRecord, PauseRecord};
use crate::store::keys::Meta;
use crate::store::{Key, Store, Table};
use crate::view::Counts;

/// Reads what is paused, and how many deliveries stand where. A record that does not verify is reported and left alone (S14).
pub(super) fn load(
    machines: &mut Machines,
    store: &dyn Store,
    now: Time,
    quarantine: &mut Quarantine,
) -> Result<(), Error> {
    pauses(machines, store, now, quarantine)?;
    machines.counts = counts(machines, store, quarantine)?;
    records::each::<AlertRecord>(store, Table::Alert, |key, record| {
        let record = match record {
            Ok(record) => Some(record),
            // Without it, what it says may be told once more.
            Err(damage) => {
                quarantine.add(key.clone(), damage);
                None
            }
        };
        machines.alerts.recall(&key, record);
        true
    })?;
    records::each::<MemoryRecord>(store, Table::Memory, |key, record| {
        match record {
            Ok(record) => machines.recall(record),
            // Without it, a destination asks its provider once more.
            Err(damage) => quarantine.add(key, damage),
        }
        true
    })?;
    records::each::<LearnedRecord>(store, Table::Learned, |key, record| {
        match (record, &key) {
            (Ok(record), Key::Learned(profile)) => drop(machines.learned.insert(profile.clone(), record.learned)),
            (Ok(_), _) => {}
            // Without it, it is learned anew.
            (Err(damage), _) => quarantine.add(key, damage),
        }
        true
    })?;
    let back: Vec<_> =
        machines.credentials.iter().map(|(name, keeper)| (name.clone(), Mark::of(&keeper.record))).collect();
    for (name, mark) in back.iter().filter(|(_, mark)| *mark != Mark::default()) {
        machines.release(name, *mark);
    }
    Ok(())
}

/// How many stand where: as the store says, or, where it does not, by reading all.
fn counts(machines: &mut Machines, store: &dyn Store, quarantine: &mut Quarantine) -> Result<Counts, Error> {
    let key = Key::Meta(Meta::Counts);
    match records::get::<CountsRecord>(store, &key)? {
        Ok(Some(counted)) => {
            machines.ids.skip(counted.newest);
            machines.ended.kept = counted.kept;
            return Ok(counted.counts());
        }
        Ok(None) => {}
        Err(damage) => quarantine.add(key, damage),
    }
    let mut counts = Counts::default();
    records::each_delivery(store, |id, key, record| {
        machines.ids.skip(id);
        if key.table() == Table::Ended {
            machines.ended.kept = machines.ended.kept.saturating_add(1);
        }
        match record {
            Ok(record) => counts.moved(None, &record.delivery),
            Err(damage) => quarantine.add(key, damage),
        }
        true
    })?;
    Ok(counts)
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
