//! The two parts of a queue, what waited behind a dead credential and what came since: whose turn it is, and who is woken.

use outlast_state::{DeliveryId, Epoch};
use tracing::info;

use super::release::{Lot, Mark, Space};
use super::{Blocked, Place, Queue};
use crate::driver::machines::{Machines, Name};

/// With what a queue may send, as far as its credential has a say.
#[derive(Clone, Copy)]
pub(super) struct Leave {
    pub(super) epoch: Epoch,
    /// So many items in a request.
    pub(super) items: u32,
    /// So many requests more; see [`Space::open`].
    pub(super) open: u32,
}

/// With what a queue may send, about how many deliveries, and what room there is for them.
#[derive(Clone, Copy)]
pub(super) struct Allowance {
    pub(super) epoch: Epoch,
    pub(super) deliveries: usize,
    pub(super) space: Space,
}

/// The deliveries of a request.
pub(super) struct Chosen {
    pub(super) ids: Vec<DeliveryId>,
    pub(super) lot: Lot,
    pub(super) space: Space,
}

impl Machines {
    /// The deliveries of the next request: of the part of the queue whose turn it is, else of the other one. None of them
    /// waits for the other one's sleepers: they are woken in the next turn.
    pub(super) fn choose_in_turn(&self, name: &str, leave: Leave, space: Space) -> Result<Chosen, Blocked> {
        let Some(queue) = self.queues.get(name) else { return Err(Blocked::ByEvent) };
        let mut blocked = queue.pace.withheld(space);
        for lot in queue.pace.order(space).into_iter().flatten() {
            // What an operator bounds does not leave in gushes of more than a second's share.
            let bound = space.rate.filter(|_| lot == Lot::Backlog).unwrap_or(u32::MAX);
            match self.choose(name, lot, (leave.epoch, leave.items.min(bound)), space.now) {
                Ok(ids) => return Ok(Chosen { ids, lot, space }),
                Err(Blocked::Asleep) => return Err(Blocked::Asleep),
                Err(by) => blocked = Some(blocked.map_or(by, |other| other.and(by))),
            }
        }
        Err(blocked.unwrap_or(Blocked::ByEvent))
    }

    /// At most `most` sleepers of a queue, of both of its parts: where there are more, a quarter of them of the backlog, and a
    /// single one of the part whose turn it is.
    pub(super) fn sleepers<'a>(
        &self,
        queue: &'a Queue,
        allowance: &Allowance,
        most: usize,
    ) -> impl Iterator<Item = (DeliveryId, Place)> + use<'a> {
        let Allowance { epoch, deliveries, space } = *allowance;
        let of = |lot: Lot| {
            let ready = queue.ready(lot, epoch, space.now).take(deliveries);
            ready.filter(|(id, _)| !self.live.contains_key(id)).take(most).collect::<Vec<_>>()
        };
        let [first, second] = queue.pace.order(space);
        let has = |lot: Lot| first == Some(lot) || second == Some(lot);
        let mut backlog = if has(Lot::Backlog) { of(Lot::Backlog) } else { Vec::new() };
        let mut live = if has(Lot::Live) { of(Lot::Live) } else { Vec::new() };
        let single = usize::from(first == Some(Lot::Backlog));
        let quarter = if most < 4 { single } else { most / 4 };
        backlog.truncate(most.saturating_sub(live.len()).max(quarter));
        live.truncate(most.saturating_sub(backlog.len()));
        backlog.into_iter().chain(live)
    }

    /// A credential is no longer dead: what waited for it is released, at the pace of a backlog.
    pub(crate) fn release(&mut self, credential: &str, mark: Mark) {
        let names = self.settings.needed_by.get(credential).cloned().unwrap_or_default();
        for name in names {
            let waiting = self.queues.entry(Name::clone(&name)).or_default().release(mark);
            if waiting > 0 {
                info!(credential, destination = &*name, waiting, "what waited leaves in order, beside what is newer");
            }
            self.poke(&name);
        }
    }
}

/// How many requests more the gate lets through, as [`Space`] has it.
pub(super) fn open(requests: u32, items: u32) -> u32 {
    // Only canaries are bounded in their items. There is no half of one: what is slow to answer must not keep the next from
    // leaving when the gate lets it.
    if items < u32::MAX { u32::MAX } else { requests }
}
