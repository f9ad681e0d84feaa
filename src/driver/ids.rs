//! Names of deliveries and of batches.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use outlast_state::{Batch, DeliveryId, Time, hash};

/// A map by the name of a delivery. Names are the engine's own and spread by themselves: nobody can choose them so that they
/// collide, and they need no hash against that.
pub(crate) type ById<T> = HashMap<DeliveryId, T, BuildHasherDefault<Spread>>;

/// The bits of a name, folded.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, bits: u128) {
        const ODD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
        let mixed = (bits ^ u128::from(self.0)).wrapping_mul(ODD);
        let high = mixed >> 64;
        self.0 = u64::try_from(high).unwrap_or(u64::MAX);
    }
}

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
