//! The versions of records: what each type is written as, and what of older ones is read.

use outlast_state::{Delivery, DeliveryJournal, Time};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    AlertRecord, ClockRecord, Content, CountsRecord, CredentialRecord, DeliveryRecord, IdentityRecord, LearnedRecord,
    MemoryRecord, OnceRecord, ParcelRecord, PauseRecord,
};
use crate::store::Key;
use crate::store::codec::{self, Damage, Payload};

mod credential;

/// Something that is stored under a key of its own.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// The version that it is written as.
    const VERSION: u8 = super::VERSION;

    /// Reads it, of whatever version this program understands.
    fn read(version: u8, payload: Payload<'_>) -> Result<Self, Damage> {
        if version == Self::VERSION { payload.decode() } else { Err(Damage::Version(version)) }
    }
}

impl Record for ParcelRecord {}
impl Record for OnceRecord {}
impl Record for MemoryRecord {}
impl Record for LearnedRecord {}
impl Record for PauseRecord {}
impl Record for AlertRecord {}
impl Record for ClockRecord {}
impl Record for IdentityRecord {}
impl Record for CountsRecord {}
/// A part of a body.
impl Record for Vec<u8> {}

impl Record for DeliveryRecord {
    const VERSION: u8 = 3;

    fn read(version: u8, payload: Payload<'_>) -> Result<Self, Damage> {
        match version {
            1 => payload.decode::<First>().map(DeliveryRecord::from),
            2 => payload.decode::<Second>().map(DeliveryRecord::from),
            3 => payload.decode(),
            other => Err(Damage::Version(other)),
        }
    }
}

impl Record for CredentialRecord {
    const VERSION: u8 = 2;

    fn read(version: u8, payload: Payload<'_>) -> Result<Self, Damage> {
        match version {
            1 => payload.decode::<credential::First>().map(CredentialRecord::from),
            2 => payload.decode(),
            other => Err(Damage::Version(other)),
        }
    }
}

/// What a delivery's record begins with: all that is needed of one that waits and is in no lane.
#[derive(Deserialize)]
pub(crate) struct Head<'a> {
    pub(crate) delivery: Delivery,
    pub(crate) destination: &'a str,
    pub(crate) lane: Option<&'a str>,
}

/// The beginning of a delivery's record; nothing where a version wrote it that does not begin so.
pub(crate) fn head<'a>(key: &Key, bytes: &'a [u8]) -> Result<Option<Head<'a>>, Damage> {
    match codec::open(key, bytes)? {
        (2 | DeliveryRecord::VERSION, payload) => payload.decode_first().map(Some),
        _ => Ok(None),
    }
}

/// A delivery as version 1 wrote it. Its body is described by its parcel, which stays for as long as the record does.
#[derive(Serialize, Deserialize)]
struct First {
    delivery: Delivery,
    journal: DeliveryJournal,
    destination: String,
    lane: Option<String>,
    once: Option<String>,
    accepted: Time,
    note: String,
}

impl From<First> for DeliveryRecord {
    fn from(first: First) -> Self {
        let First { delivery, journal, destination, lane, once, accepted, note } = first;
        let fresh = DeliveryRecord::accepted(delivery, destination, accepted);
        DeliveryRecord { lane, once, note, journal, ..fresh }
    }
}

/// A delivery as version 2 wrote it: all of one destination shared their requests.
#[derive(Serialize, Deserialize)]
struct Second {
    delivery: Delivery,
    destination: String,
    lane: Option<String>,
    once: Option<String>,
    accepted: Time,
    content: Option<Content>,
    note: String,
    journal: DeliveryJournal,
}

impl From<Second> for DeliveryRecord {
    fn from(second: Second) -> Self {
        let Second { delivery, destination, lane, once, accepted, content, note, journal } = second;
        let fresh = DeliveryRecord::accepted(delivery, destination, accepted);
        DeliveryRecord { lane, once, content, note, journal, ..fresh }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{decode, put};
    use crate::store::Writes;
    use outlast_state::DeliveryId;

    #[test]
    fn a_delivery_of_version_one_is_read_and_written_as_the_newest() {
        let id = DeliveryId::from_u128(7);
        let delivery = Delivery::accepted(id, Time::from_millis(5), Time::NEVER, 3);
        let first = First {
            delivery,
            journal: DeliveryJournal::new(delivery),
            destination: "d".into(),
            lane: Some("l".into()),
            once: Some("o".into()),
            accepted: Time::from_millis(5),
            note: "n".into(),
        };
        let (key, mut writes) = (Key::Delivery(id), Writes::new());
        put(key.clone(), &first, &mut writes);
        let read: DeliveryRecord = decode(&key, writes.get(&key).flatten().unwrap()).unwrap();
        assert_eq!((read.delivery, read.journal.fold(), read.content), (delivery, delivery, None));
        assert_eq!((read.destination.as_str(), read.note.as_str()), ("d", "n"));
        assert_eq!((read.lane.as_deref(), read.once.as_deref()), (Some("l"), Some("o")));
        read.put(&mut writes);
        let bytes = writes.get(&key).flatten().unwrap();
        assert_eq!(codec::open(&key, bytes).map(|(version, _)| version), Ok(3));
        let head = head(&key, bytes).unwrap().expect("it is of this version");
        assert_eq!((head.delivery, head.destination, head.lane), (delivery, "d", Some("l")));
        assert_eq!(decode(&key, bytes), Ok(read));
        let newer = codec::seal(&key, 4, &first);
        assert_eq!(decode::<DeliveryRecord>(&key, &newer), Err(Damage::Version(4)));
    }
}
