//! Names of deliveries and of batches.

use outlast_state::{Batch, DeliveryId, Time, hash};

/// Makes names: of deliveries and of batches.
#[derive(Clone)]
pub(crate) struct Ids {
    seed: u64,
    made: u64,
    last: u128,
    batches: u64,
}

impl Ids {
    /// Names that no other incarnation of any store makes: `seed` is drawn from both.
    pub(crate) fn new(store: u64, incarnation: u32) -> Self {
        Ids { seed: hash(store, u64::from(incarnation)), made: 0, last: 0, batches: u64::from(incarnation) << 32 }
    }

    /// `id` is in the store: names made from here on sort after it, however the clock stands.
    pub(crate) fn skip(&mut self, id: DeliveryId) {
        self.last = self.last.max(id.as_u128());
    }

    /// A name that sorts after every one made before: 48 bits of milliseconds, 80 bits of a hash.
    pub(crate) fn delivery(&mut self, now: Time) -> DeliveryId {
        self.made = self.made.saturating_add(1);
        let random = u128::from(hash(self.seed, self.made)) << 16 | u128::from(hash(self.made, self.seed) & 0xFFFF);
        let stamped = u128::from(now.as_millis() & 0xFFFF_FFFF_FFFF) << 80 | random;
        // Within a millisecond the hash does not sort, so the next name is counted from the last.
        let same_millisecond = stamped >> 80 <= self.last >> 80;
        self.last = if same_millisecond { self.last.saturating_add((random & 0xFFFF) | 1) } else { stamped };
        DeliveryId::from_u128(self.last)
    }

    /// The newest name.
    pub(crate) fn last(&self) -> DeliveryId {
        DeliveryId::from_u128(self.last)
    }

    pub(crate) fn batch(&mut self) -> Batch {
        self.batches = self.batches.saturating_add(1);
        Batch::from_number(self.batches)
    }
}
