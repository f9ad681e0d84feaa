//! Who shares the next request.

use outlast_state::{Batch, DeliveryId, Epoch, Span, Time};

use super::{Blocked, Lot, Place};
use crate::driver::bonds::{self, Again};
use crate::driver::machines::{Live, Machines};

/// So many candidates are looked at for each place in a request, where they have different batch keys, and so many at least.
const LOOKED: u32 = 8;
const LOOKED_AT_LEAST: u32 = 1_024;

/// Candidates that may share a request.
struct Group<'a> {
    /// Their batch key; nothing for one that stays alone, and for a batch that is sent again.
    key: Option<&'a str>,
    /// The part of a split batch that they are.
    part: Option<(Batch, u32)>,
    since: Time,
    ids: Vec<DeliveryId>,
    bytes: u64,
    /// So many at most.
    largest: u32,
    /// Nobody else joins it.
    full: bool,
}

/// The groups of candidates so far, in the order of their first members.
struct Groups<'a> {
    in_order: Vec<Group<'a>>,
    items: u32,
    bytes: u64,
    /// Batches that may have arrived and were looked at.
    doubtful: Vec<Batch>,
    /// When one that cannot leave yet may.
    wakes: Option<Time>,
    /// Whether there are more candidates than were looked at.
    cut: bool,
}

impl Machines {
    /// The deliveries of a lot for the next request: at most `items` with one batch key, and each of them in a batch no larger than it
    /// may share; or a batch that may have arrived, as it was. Only heads of lanes are in the queue, so two parcels of one lane
    /// never share a request (S11). None overtakes one that is asleep.
    pub(super) fn choose(
        &self,
        name: &str,
        lot: Lot,
        (epoch, items): (Epoch, u32),
        now: Time,
    ) -> Result<Vec<DeliveryId>, Blocked> {
        let (Some(queue), Some(outlet)) = (self.queues.get(name), self.settings.outlets.get(name)) else {
            return Err(Blocked::ByEvent);
        };
        let mut groups = Groups {
            in_order: Vec::new(),
            items,
            bytes: outlet.batching.bytes,
            doubtful: Vec::new(),
            wakes: None,
            cut: false,
        };
        let most = items.saturating_mul(LOOKED).max(LOOKED_AT_LEAST);
        for ((id, place), looked) in queue.ready(lot, epoch, now).zip(0_u32..) {
            let Some(live) = self.live.get(&id) else {
                if groups.in_order.is_empty() && groups.wakes.is_none() {
                    return Err(Blocked::Asleep);
                }
                groups.cut = true;
                break;
            };
            if looked >= most {
                groups.cut = true;
                break;
            }
            if let Some(bond) = live.bond {
                // Its members come one after the other; the first of them speaks for all.
                if !groups.doubtful.contains(&bond.batch) {
                    groups.doubtful.push(bond.batch);
                    groups.again(self.again(bond, epoch, now));
                }
            } else if live.record.delivery.may_be_admitted(epoch, now) {
                groups.add(id, place, live);
            }
            if groups.in_order.first().is_some_and(|group| group.full) {
                break;
            }
        }
        let next = queue.next_after(now);
        groups.chosen(outlet.batching.linger, next, now)
    }
}

impl<'a> Groups<'a> {
    fn add(&mut self, id: DeliveryId, place: Place, live: &'a Live) {
        let delivery = &live.record.delivery;
        let size = live.record.content.map_or(0, |content| u64::from(content.size));
        let since = match place {
            Place::Due(at) => at,
            Place::Token(_) => Time::ZERO,
        };
        let largest = self.items.min(delivery.at_most);
        let part = bonds::part(&live.record);
        let Some(key) = live.record.batch_key.as_deref() else {
            self.in_order.push(Group { key: None, part, since, ids: vec![id], bytes: size, largest: 1, full: true });
            return;
        };
        let joins = |group: &&mut Group<'_>| group.key == Some(key) && group.part == part && !group.full;
        let Some(group) = self.in_order.iter_mut().find(joins) else {
            let full = largest <= 1;
            self.in_order.push(Group { key: Some(key), part, since, ids: vec![id], bytes: size, largest, full });
            return;
        };
        let count = u32::try_from(group.ids.len()).unwrap_or(u32::MAX);
        if delivery.at_most <= count {
            return;
        }
        let bytes = group.bytes.saturating_add(size);
        if bytes > self.bytes {
            group.full = true;
            return;
        }
        group.bytes = bytes;
        group.ids.push(id);
        group.largest = group.largest.min(largest);
        group.full = count.saturating_add(1) >= group.largest;
    }

    /// Takes in what becomes of a batch that is sent again.
    fn again(&mut self, again: Again) {
        match again {
            Again::Now(ids) if ids.is_empty() => {}
            Again::Now(ids) => {
                let (key, part, since) = (None, None, Time::ZERO);
                self.in_order.push(Group { key, part, since, ids, bytes: 0, largest: 0, full: true });
            }
            Again::From(at) => self.wakes = Some(self.wakes.map_or(at, |wakes| wakes.min(at))),
            Again::WithToken => self.wakes = self.wakes.or(Some(Time::NEVER)),
        }
    }

    /// The first group that does not wait for others any more; or when there is one.
    fn chosen(self, linger: Span, next: Option<Time>, now: Time) -> Result<Vec<DeliveryId>, Blocked> {
        let Groups { in_order, wakes, cut, .. } = self;
        let lingers = in_order.iter().map(|group| group.since.after(linger)).min();
        if let Some(group) = in_order.into_iter().find(|group| group.full || cut || group.since.after(linger) <= now) {
            return Ok(group.ids);
        }
        if lingers.is_none() && wakes.is_none() {
            return Err(Blocked::Idle(next));
        }
        let at = [lingers, wakes, next].into_iter().flatten().min().unwrap_or(Time::NEVER);
        Err(if at == Time::NEVER { Blocked::ByEvent } else { Blocked::Until(at) })
    }
}
