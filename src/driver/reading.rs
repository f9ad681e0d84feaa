//! Reading what is live when a store is opened, slice by slice: the first before the engine starts, the others between turns,
//! so that a million of live deliveries keep nobody waiting. They are met in the order of their names. Until all have been:
//!
//! - those that stand alone are admitted as they are met, and those that are accepted meanwhile are not read again;
//! - a lane holds what has been met of it, its oldest. A parcel of a lane that is accepted meanwhile is met by the reading,
//!   too, after all that is older: so none overtakes one that nobody has met yet (S10).

use std::collections::{BTreeMap, BTreeSet};

use outlast_state::{CredentialInput, DeliveryId, Epoch, Need, Want};
use tracing::{error, info};

use super::acts::Turn;
use super::bonds::bond;
use super::machines::{Machines, Name};
use crate::error::{Error, ErrorKind};
use crate::records::{self, DeliveryRecord, ParcelRecord};
use crate::store::codec::Damage;
use crate::store::{Key, Store, StoreError, Table};
use crate::view::Counts;

/// So many are read at a time: about a millisecond, and more than a turn accepts.
pub(crate) const SLICE: usize = 1024;

/// What is still to be read.
#[derive(Clone)]
pub(crate) struct Reading {
    /// The last that was met.
    after: Option<DeliveryId>,
    /// Names beyond this one were made since the opening.
    last: DeliveryId,
    /// How many of the later ones are to be met: those in lanes.
    later: u64,
    /// How many of each state are still to be met, as they were counted.
    left: Counts,
    /// Damage that is known already.
    known: BTreeSet<Key>,
    /// Whether the last stop was a clean one.
    clean: bool,
    /// So many at a time.
    slice: usize,
}

impl Reading {
    pub(crate) fn new(counts: Counts, last: DeliveryId, known: BTreeSet<Key>, clean: bool, slice: usize) -> Self {
        Reading { after: None, last, later: 0, left: counts, known, clean, slice }
    }
}

/// Reads the next slice.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn read_on(store: &dyn Store, machines: &mut Machines, turn: &mut Turn) -> Result<(), StoreError> {
    let Some(reading) = &machines.reading else { return Ok(()) };
    let from = reading.after.map(Key::Delivery);
    // The first is the last of the slice before, where it is still there.
    let most = reading.slice.saturating_add(1);
    let page = store.scan(Table::Delivery, from.as_ref(), most)?;
    let mut over = page.len() < most;
    let mut needed = BTreeMap::new();
    for (key, bytes) in page {
        let Key::Delivery(id) = key else { continue };
        if from.as_ref() == Some(&key) {
            continue;
        }
        let Some(reading) = &mut machines.reading else { break };
        let is_later = id > reading.last;
        if is_later && reading.later == 0 {
            over = true;
            break;
        }
        reading.after = Some(id);
        match met(machines, &key, &bytes, is_later, turn) {
            Ok(Some((credential, past))) => {
                let newest: &mut Epoch = needed.entry(credential).or_default();
                *newest = past.max(*newest);
            }
            Ok(None) => {}
            Err(damage) => doubt(store, machines, id, damage)?,
        }
    }
    for (credential, past) in needed {
        machines.credential(&credential, CredentialInput::Needed { past, why: Need::Refused }, turn);
    }
    if over {
        machines.all_met();
    } else {
        turn.wake_at(turn.now);
    }
    Ok(())
}

/// Takes in one record; says which token it needs a successor of.
fn met(
    machines: &mut Machines,
    key: &Key,
    bytes: &[u8],
    is_later: bool,
    turn: &mut Turn,
) -> Result<Option<(Name, Epoch)>, Damage> {
    if let Some(head) = records::head(key, bytes)?
        && head.lane.is_none()
        && !head.delivery.doubt
        && matches!(head.delivery.wants(), Want::Admission { .. } | Want::Token { .. })
    {
        if !is_later {
            machines.left(&head.delivery);
            machines.settle_alone(&head.delivery, head.destination, turn.now);
        }
        return Ok(machines.needed(head.delivery.wants(), head.destination));
    }
    let record: DeliveryRecord = records::decode(key, bytes)?;
    let (id, wants) = (record.delivery.id, record.delivery.wants());
    if is_later && record.lane.is_none() {
        return Ok(None);
    }
    if is_later {
        machines.met_later();
    } else if wants != Want::Nothing {
        machines.left(&record.delivery);
    }
    let needed = machines.needed(wants, &record.destination);
    match wants {
        Want::Nothing => machines.remember_or_move(&record, turn),
        Want::Answer { attempt, .. } => {
            let clean = machines.reading.as_ref().is_some_and(|reading| reading.clean);
            machines.adopt(record, turn.now);
            machines.interrupted(id, attempt, clean, turn);
        }
        Want::Admission { .. } | Want::Token { .. } if bond(&record).is_some() => machines.adopt(record, turn.now),
        Want::Admission { .. } | Want::Token { .. } => machines.settle(&record, turn.now),
    }
    Ok(needed)
}

/// A record that does not verify is told and left alone (S14).
fn doubt(store: &dyn Store, machines: &mut Machines, id: DeliveryId, damage: Damage) -> Result<(), StoreError> {
    let key = Key::Delivery(id);
    if machines.reading.as_ref().is_some_and(|reading| reading.known.contains(&key)) {
        return Ok(());
    }
    error!(%key, %damage, "a record does not verify; it is left alone and not acted on (`outlast doctor` says what it holds up)");
    machines.counts.damaged = machines.counts.damaged.saturating_add(1);
    stop_lane(store, machines, id)
}

/// The lane of a delivery whose record is damaged stops there; its parcel tells which lane that is.
pub(crate) fn stop_lane(store: &dyn Store, machines: &mut Machines, id: DeliveryId) -> Result<(), StoreError> {
    let Ok(Some(parcel)) = records::get::<ParcelRecord>(store, &Key::Parcel(id))? else { return Ok(()) };
    if let Some(lane) = parcel.lane {
        error!(delivery = %id, destination = parcel.destination, lane, "its lane stops there");
        machines.queues.entry(Name::from(parcel.destination)).or_default().block(id, &lane);
    }
    Ok(())
}

impl Machines {
    /// A live one has been met.
    fn left(&mut self, delivery: &outlast_state::Delivery) {
        if let Some(reading) = &mut self.reading {
            let slot = reading.left.slot(&delivery.state);
            *slot = slot.saturating_sub(1);
        }
    }

    fn met_later(&mut self) {
        if let Some(reading) = &mut self.reading {
            reading.later = reading.later.saturating_sub(1);
        }
    }

    fn needed(&self, wants: Want, destination: &str) -> Option<(Name, Epoch)> {
        let Want::Token { past } = wants else { return None };
        Some((Name::clone(self.credential_of(destination)?), past))
    }

    /// Keeps in mind what an ended delivery still means for its lane; one that means nothing moves to where opening does not
    /// read it.
    fn remember_or_move(&mut self, record: &DeliveryRecord, turn: &mut Turn) {
        if self.remember_lane(record, turn.now) {
            self.linger(record);
        } else {
            let id = record.delivery.id;
            record.put_under(Key::Ended(id), &mut turn.writes);
            turn.writes.delete(Key::Delivery(id));
            self.ended.kept = self.ended.kept.saturating_add(1);
        }
    }

    /// All that was live at the opening has been met. What was counted and is not there does not verify.
    fn all_met(&mut self) {
        let Some(Reading { left, .. }) = self.reading.take() else { return };
        let less = |counted: &mut u64, missing: u64| *counted = counted.saturating_sub(missing);
        less(&mut self.counts.pending, left.pending);
        less(&mut self.counts.sending, left.sending);
        less(&mut self.counts.awaiting_propagation, left.awaiting_propagation);
        less(&mut self.counts.refreshing, left.refreshing);
        info!(live = self.live_in_all(), "all live deliveries have been read");
    }

    /// Whether a parcel of a lane that is accepted now is met by the reading.
    pub(super) fn is_met_later(&mut self, lane: Option<&str>) -> bool {
        let Some(reading) = self.reading.as_mut().filter(|_| lane.is_some()) else { return false };
        reading.later = reading.later.saturating_add(1);
        true
    }

    /// Whether a delivery has not been met yet.
    pub(super) fn is_unmet(&self, record: &DeliveryRecord) -> bool {
        let id = record.delivery.id;
        self.reading
            .as_ref()
            .is_some_and(|reading| Some(id) > reading.after && (id <= reading.last || record.lane.is_some()))
    }

    /// What an operator changes has to have been met, and where the others of a lane count, they too. One that ended is met
    /// again where it is started again beyond what has been read.
    pub(super) fn has_been_met(&self, record: &DeliveryRecord) -> Result<(), Error> {
        let ended = record.delivery.wants() == Want::Nothing;
        let waits = if ended {
            let unread = |reading: &Reading| record.lane.is_some() || Some(record.delivery.id) > reading.after;
            self.reading.as_ref().is_some_and(unread)
        } else {
            self.is_unmet(record)
        };
        if waits {
            let id = record.delivery.id;
            return Err(Error::new(
                ErrorKind::Busy,
                format!("{id}: the engine has just started and is still reading what is live; try again in a moment"),
            ));
        }
        Ok(())
    }
}
