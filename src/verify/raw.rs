//! A store in memory as it lies there: what a power failure now would leave, record by record, past any engine.

use outlast_state::{Credential, Delivery, DeliveryId, Epoch, Time};

use crate::records::{self, ClockRecord, CredentialRecord, DeliveryRecord, OnceRecord, ParcelRecord};
use crate::store::keys::Meta;
use crate::store::memory::MemoryStore;
use crate::store::{Key, Table, Writes};

/// What is durable in a store in memory.
pub struct Raw<'a>(pub &'a MemoryStore);

/// A delivery as it is stored.
#[derive(Clone, Debug)]
pub struct RawDelivery {
    /// Where it stands.
    pub delivery: Delivery,
    /// Its destination's name.
    pub destination: String,
    /// Its lane.
    pub lane: Option<String>,
    /// Its idempotency key.
    pub once: Option<String>,
    /// Whether folding its journal gives what is stored (S15).
    pub replays: bool,
}

impl From<DeliveryRecord> for RawDelivery {
    fn from(record: DeliveryRecord) -> Self {
        let DeliveryRecord { delivery, journal, destination, lane, once, .. } = record;
        RawDelivery { replays: journal.fold() == delivery, delivery, destination, lane, once }
    }
}

impl Raw<'_> {
    /// The stored delivery of this name; nothing where none is stored or its record does not verify.
    #[must_use]
    pub fn delivery(&self, id: DeliveryId) -> Option<RawDelivery> {
        let live = self.read::<DeliveryRecord>(&Key::Delivery(id));
        live.or_else(|| self.read::<DeliveryRecord>(&Key::Ended(id))).map(RawDelivery::from)
    }

    /// Every stored delivery.
    #[must_use]
    pub fn deliveries(&self) -> Vec<RawDelivery> {
        let found = self.0.durable_records().into_iter().filter(|(key, _)| is_of_a_delivery(key));
        found.filter_map(|(key, bytes)| records::decode::<DeliveryRecord>(&key, &bytes).ok()).map(Into::into).collect()
    }

    /// The stored credential of this name.
    #[must_use]
    pub fn credential(&self, name: &str) -> Option<Credential> {
        self.read::<CredentialRecord>(&Key::Credential(name.to_owned())).map(|record| record.credential)
    }

    /// Which delivery an idempotency key belongs to.
    #[must_use]
    pub fn once(&self, destination: &str, once: &str) -> Option<DeliveryId> {
        self.read::<OnceRecord>(&records::once_key(destination, None, once)).map(|record| record.id)
    }

    /// Whether the parcel of a delivery is stored.
    #[must_use]
    pub fn has_parcel(&self, id: DeliveryId) -> bool {
        self.read::<ParcelRecord>(&Key::Parcel(id)).is_some()
    }

    /// Whether the sealed token of this epoch is stored.
    #[must_use]
    pub fn has_token(&self, credential: &str, epoch: Epoch) -> bool {
        self.0.durable(&Key::Token(credential.to_owned(), epoch)).is_some()
    }

    /// Engine time at the last commit.
    #[must_use]
    pub fn time(&self) -> Time {
        self.read::<ClockRecord>(&Key::Meta(Meta::Clock)).map_or(Time::ZERO, |record| record.now)
    }

    fn read<T: records::Record>(&self, key: &Key) -> Option<T> {
        records::decode(key, &self.0.durable(key)?).ok()
    }
}

fn is_of_a_delivery(key: &Key) -> bool {
    matches!(key.table(), Table::Delivery | Table::Ended)
}

impl RawDelivery {
    /// The deliveries that a commit writes.
    pub fn written(writes: &Writes) -> impl Iterator<Item = RawDelivery> {
        writes
            .iter()
            .filter(|(key, _)| is_of_a_delivery(key))
            .filter_map(|(key, bytes)| records::decode::<DeliveryRecord>(key, bytes?).ok().map(Into::into))
    }
}
