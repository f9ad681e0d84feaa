//! Who sleeps. Of a live delivery that nothing is about to happen to, only its place in the queue and its deadline stay in
//! memory; its record is in the store. The heart wakes those that a turn needs by reading them.

use outlast_state::{DeliveryId, Input, Span, Time, Want};
use tracing::error;

use super::machines::{Live, Machines, Name};
use crate::admission::Place;
use crate::records::DeliveryRecord;
use crate::store::codec::Damage;

/// So many may be awake without being in the air.
const AWAKE: usize = 16_384;

/// With so many before it in its queue, a delivery is not about to leave. A queue that sends 10 000 a second has sent so many in
/// less than one.
const NEAR: usize = 8_192;

/// A delivery that waits for longer than this sleeps meanwhile.
const SOON: Span = Span::from_secs(1);

/// So many bytes of bodies are kept from acceptance to the first attempt.
pub(super) const BODIES: usize = 16 * 1024 * 1024;

/// A delivery that a turn needs and that is asleep: why it is known.
pub(crate) enum Known {
    /// It stands in this queue.
    Standing(Name, Place),
    /// Its deadline, or the time of a second look at it, is this.
    Until(Time),
}

impl Machines {
    /// How many deliveries have not ended.
    pub(crate) fn live_in_all(&self) -> u64 {
        self.counts.live()
    }

    /// Lets a delivery sleep unless something is about to happen to it. Only what is written in this turn may: it is read
    /// again from the store.
    pub(super) fn let_sleep(&mut self, id: DeliveryId, now: Time) {
        let Some(live) = self.live.get(&id) else { return };
        let soon = match live.record.delivery.wants() {
            _ if self.is_unmet(&live.record) => false,
            // Its batch is looked up by its members.
            _ if live.bond.is_some() => true,
            Want::Answer { .. } => true,
            Want::Admission { from } => {
                from <= now.after(SOON) && self.live.len() <= AWAKE && self.is_near(&live.record)
            }
            Want::Token { .. } | Want::Nothing => false,
        };
        if !soon {
            self.forget(id);
        }
    }

    fn is_near(&self, record: &DeliveryRecord) -> bool {
        let (destination, lane) = (record.destination.as_str(), record.lane.as_deref());
        let place = Place::of(record.delivery.wants());
        let length = self.queues.get(destination).zip(place).map(|(queue, place)| queue.length_around(place));
        length.is_some_and(|length| length <= NEAR)
            && !self.is_parked(destination)
            && self.is_paused(destination, lane).is_none()
    }

    /// Lets go of what is in memory of a delivery.
    pub(super) fn forget(&mut self, id: DeliveryId) -> Option<Live> {
        let live = self.live.remove(&id)?;
        self.bodies = self.bodies.saturating_sub(live.body.as_ref().map_or(0, Vec::len));
        Some(live)
    }

    /// The sleeping deliveries whose deadline has come, at most `most` of them.
    pub(crate) fn overdue(&self, now: Time, most: usize) -> Vec<(DeliveryId, Known)> {
        if self.settings.hold {
            return Vec::new();
        }
        let come = self.deadlines.iter().take_while(|(at, _)| *at <= now.as_millis());
        let asleep = come.filter(|(_, id)| !self.live.contains_key(id));
        asleep.take(most).map(|(at, id)| (id, Known::Until(Time::from_millis(at)))).collect()
    }

    /// A live delivery is given up at another time.
    pub(super) fn put_off(&mut self, id: DeliveryId, destination: &str, from: Time, to: Time) {
        self.deadlines.remove(from.as_millis(), id);
        self.deadlines.insert(to.as_millis(), id);
        if let Some(queue) = self.queues.get_mut(destination) {
            queue.put_off(from, to);
        }
    }

    /// A delivery that slept, as the store has it.
    pub(crate) fn woken(&mut self, record: DeliveryRecord) {
        let opened = self.began;
        let tried = |input: &Input| matches!(input, Input::Admitted { .. });
        let tried = record.journal.entries().any(|entry| entry.at > opened && tried(&entry.input));
        let id = record.delivery.id;
        self.live.insert(id, Live { record, tried, bond: None, body: None });
        self.bind(id);
    }

    /// What was known of a sleeping delivery is no longer so: it has ended, or its record does not verify (S14).
    pub(crate) fn not_woken(&mut self, id: DeliveryId, known: &Known, damage: Option<Damage>) {
        if let Some(damage) = damage {
            error!(delivery = %id, %damage, "its record does not verify any more; it is left alone and not acted on");
            self.counts.damaged = self.counts.damaged.saturating_add(1);
        }
        match known {
            Known::Until(at) => drop(self.deadlines.remove(at.as_millis(), id)),
            Known::Standing(name, place) => {
                if let Some(queue) = self.queues.get_mut(name) {
                    queue.give_up_on(id, *place);
                }
            }
        }
    }
}
