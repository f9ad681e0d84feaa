//! Batches that may have arrived. Such a batch is sent again with the same members, in the same order: who recognises a repeat
//! by its bytes does. Nothing is stored for it: what holds a batch together is told by its members' journals.

use std::collections::BTreeMap;

use outlast_state::{Batch, DeliveryId, Epoch, Input, Time, Want};

use super::machines::Machines;
use crate::admission::Place;
use crate::records::DeliveryRecord;

/// The place of a delivery in a batch that may have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bond {
    pub(crate) batch: Batch,
    index: u32,
    of: u32,
}

/// The members of such batches, by their places.
pub(crate) type Bonds = BTreeMap<Batch, BTreeMap<u32, DeliveryId>>;

/// What becomes of a batch that is sent again.
pub(crate) enum Again {
    /// These, in this order.
    Now(Vec<DeliveryId>),
    /// One of them waits until then.
    From(Time),
    /// One of them waits for a token.
    WithToken,
}

/// The batch that a waiting delivery is sent again with: its last one, if an attempt may have arrived and it was not split
/// since.
pub(crate) fn bond(record: &DeliveryRecord) -> Option<Bond> {
    let delivery = &record.delivery;
    if !delivery.doubt || !matches!(delivery.wants(), Want::Admission { .. } | Want::Token { .. }) {
        return None;
    }
    let (batch, index, of) = last_shared(record)?;
    (of > 1 && delivery.at_most >= of).then_some(Bond { batch, index, of })
}

/// The part of a split batch that a delivery belongs to. Only the members of one share a request: the one at fault is closed
/// in by halves, and none that came later meets it.
pub(crate) fn part(record: &DeliveryRecord) -> Option<(Batch, u32)> {
    let at_most = record.delivery.at_most;
    if at_most == u32::MAX {
        return None;
    }
    let (batch, index, _) = last_shared(record)?;
    Some((batch, index.checked_div(at_most)?))
}

/// The last request that a delivery shared, its place in it, and how many shared it.
fn last_shared(record: &DeliveryRecord) -> Option<(Batch, u32, u32)> {
    let inputs = record.journal.entries().map(|entry| entry.input);
    match inputs.filter(|input| matches!(input, Input::Admitted { .. })).last()? {
        Input::Admitted { batch, index, of, .. } => Some((batch, index, of)),
        _ => None,
    }
}

impl Machines {
    /// Notes which batch a delivery that is awake is sent again with.
    pub(super) fn bind(&mut self, id: DeliveryId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let bond = bond(&live.record);
        let before = std::mem::replace(&mut live.bond, bond);
        if before == bond {
            return;
        }
        if let Some(Bond { batch, index, .. }) = before
            && let Some(members) = self.bonds.get_mut(&batch)
        {
            members.remove(&index);
            if members.is_empty() {
                self.bonds.remove(&batch);
            }
        }
        if let Some(Bond { batch, index, .. }) = bond {
            self.bonds.entry(batch).or_default().insert(index, id);
        }
    }

    /// The batch that `bond` belongs to, to be sent again with the token of `epoch`. Who has ended since is left out, and so
    /// is who stands behind a lane that an operator paused: the others do not wait for that.
    pub(crate) fn again(&self, bond: Bond, epoch: Epoch, now: Time) -> Again {
        const A_MOMENT: u64 = 50;
        let Some(members) = self.bonds.get(&bond.batch) else { return Again::Now(Vec::new()) };
        if self.reading.is_some() && members.len() < usize::try_from(bond.of).unwrap_or(usize::MAX) {
            // The others may not have been met yet.
            return Again::From(now.after(outlast_state::Span::from_millis(A_MOMENT)));
        }
        let (mut latest, mut ready) = (Time::ZERO, Vec::with_capacity(members.len()));
        for id in members.values() {
            let Some(live) = self.live.get(id) else { continue };
            let queue = self.queues.get(live.record.destination.as_str());
            match queue.and_then(|queue| queue.stands(&live.record)) {
                None => {}
                Some(Place::Token(past)) if epoch <= past => return Again::WithToken,
                Some(Place::Token(_)) => ready.push(*id),
                Some(Place::Due(at)) => {
                    latest = latest.max(at);
                    ready.push(*id);
                }
            }
        }
        if latest > now { Again::From(latest) } else { Again::Now(ready) }
    }
}
