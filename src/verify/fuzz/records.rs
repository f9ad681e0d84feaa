//! The bytes of a store: records and keys.

use std::fmt::Debug;

use outlast_state::{DeliveryId, Epoch, Lesson, Span, Time, Want, diagnose};
use serde::ser::SerializeTuple as _;
use serde::{Serialize, Serializer};

use crate::limits::unfit_name;
use crate::records::{
    self, AlertRecord, ClockRecord, CountsRecord, CredentialRecord, DeliveryRecord, IdentityRecord, LONGEST_NOTE,
    LearnedRecord, MemoryRecord, OnceRecord, ParcelRecord, PauseRecord, Record,
};
use crate::store::codec::{self, OVERHEAD};
use crate::store::keys::Meta;
use crate::store::{Key, MAX_VALUE, Writes};
use crate::vault::{Vault, VaultKey};

/// A record whose checksum fits and whose payload anybody may have written: the first byte says of which type it is, the
/// rest is its payload. And the same bytes as a whole record, whose checksum does not fit.
///
/// # Panics
/// What was read is not what a second reading of it gives, or a journal or a record that is put again misbehaves.
pub fn records(bytes: &[u8]) {
    let Some((kind, payload)) = bytes.split_first() else { return };
    let id = DeliveryId::from_u128(7);
    match kind % 15 {
        0 => drop(read::<ParcelRecord>(&Key::Parcel(id), payload)),
        1 => drop(read::<Vec<u8>>(&Key::Body(id, 0), payload)),
        2 => read::<DeliveryRecord>(&Key::Delivery(id), payload).iter().for_each(delivery),
        3 => read::<CredentialRecord>(&Key::Credential("acme".into()), payload).iter().for_each(credential),
        4 => drop(read::<OnceRecord>(&Key::Once([7; 32]), payload)),
        5 => read::<PauseRecord>(&Key::Pause(String::new()), payload).iter().for_each(pause),
        6 => drop(read::<ClockRecord>(&Key::Meta(Meta::Clock), payload)),
        7 => drop(read::<IdentityRecord>(&Key::Meta(Meta::Identity), payload)),
        9 => drop(read::<CountsRecord>(&Key::Meta(Meta::Counts), payload)),
        10 => older_delivery(1, payload).iter().for_each(delivery),
        11 => older_delivery(2, payload).iter().for_each(delivery),
        12 => drop(read::<MemoryRecord>(&Key::Memory([7; 32]), payload)),
        13 => drop(read::<AlertRecord>(&Key::Alert(7), payload)),
        14 => read::<LearnedRecord>(&Key::Learned("linkedin".into()), payload).iter().for_each(learned),
        _ => sealed(payload),
    }
}

/// Bytes that are written as they are, without a length before them.
struct Bare<'a>(&'a [u8]);

impl Serialize for Bare<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

/// The record, if the payload is one.
fn read<T: Record>(key: &Key, payload: &[u8]) -> Option<T> {
    if let Ok(whole) = records::decode::<T>(key, payload) {
        assert_eq!(codec::seal(key, T::VERSION, &whole), payload, "bytes that verify are the ones that were written");
    }
    let envelope = codec::seal(key, T::VERSION, &Bare(payload));
    assert_eq!(envelope.len(), payload.len().saturating_add(OVERHEAD), "the payload is whole");
    let record = records::decode::<T>(key, &envelope).ok()?;
    // A number may have been written longer than needed: then what is written again is shorter.
    let again = codec::seal(key, T::VERSION, &record);
    assert!(again.len() <= envelope.len(), "a record grows by being read: {} of {}", again.len(), envelope.len());
    let same = records::decode::<T>(key, &again).expect("what was sealed can be opened");
    assert_eq!(codec::seal(key, T::VERSION, &same), again, "a second reading gives another record");
    Some(record)
}

/// A delivery as an older version wrote it.
fn older_delivery(version: u8, payload: &[u8]) -> Option<DeliveryRecord> {
    let key = Key::Delivery(DeliveryId::from_u128(7));
    records::decode(&key, &codec::seal(&key, version, &Bare(payload))).ok()
}

fn delivery(record: &DeliveryRecord) {
    let folded = record.journal.fold();
    let mut trimmed = record.journal.clone();
    trimmed.trim(3);
    assert_eq!(trimmed.fold(), folded, "S15 Replay: the fold is the same however much is kept");
    assert!(trimmed.entries().count() <= 3, "a journal keeps what it is told to");
    let ended = record.delivery.wants() == Want::Nothing;
    assert_eq!(ended, matches!(record.delivery.state.name(), "Done" | "Failed"), "what wants nothing has ended");
    let names = [Some(&record.destination), record.lane.as_ref(), record.once.as_ref()];
    if names.into_iter().flatten().all(|name| unfit_name(name).is_none()) {
        let mut record = record.clone();
        cut(&mut record.note);
        fits(&Key::Delivery(record.delivery.id), |writes| record.put(writes));
    }
}

fn credential(record: &CredentialRecord) {
    let folded = record.journal.fold();
    let mut trimmed = record.journal.clone();
    trimmed.trim(3);
    assert_eq!(trimmed.fold(), folded, "S15 Replay: the fold is the same however much is kept");
    told(&record.credential.wants());
    let mut record = record.clone();
    cut(&mut record.note);
    record.clues.bound();
    told(&diagnose(&record.credential, &record.clues, Time::from_millis(1_000)));
    fits(&Key::Credential("acme".into()), |writes| record.put("acme", writes));
}

/// Whatever was learned, a canary phase keeps its bounds.
fn learned(record: &LearnedRecord) {
    let (floor, cap) = (Span::from_secs(60), Span::from_secs(600));
    let mut learned = record.learned.clone();
    let lesson = Lesson { first_refusal: None, last_refusal: floor, first_acceptance: floor };
    learned.take(&lesson, Time::ZERO);
    learned.merge(&record.learned);
    assert!((floor..=cap).contains(&learned.young(floor, cap)), "a canary phase beyond its bounds");
}

/// A note is cut before it is put.
fn cut(note: &mut String) {
    let text = std::mem::take(note);
    records::set_note(note, &text);
    assert!(note.len() < LONGEST_NOTE.saturating_add(4), "a note of {} bytes", note.len());
}

fn fits(key: &Key, put: impl FnOnce(&mut Writes)) {
    let mut writes = Writes::new();
    put(&mut writes);
    let size = writes.get(key).flatten().map_or(0, <[u8]>::len);
    assert!((1..=MAX_VALUE).contains(&size), "{key} is put with {size} bytes");
}

fn pause(record: &PauseRecord) {
    let key = records::pause_key(&record.scope);
    if let Some(scope) = records::paused_by(&key) {
        assert_eq!(scope, record.scope, "the key of a pause tells what is paused");
    }
    assert!(key.encode().len() <= crate::store::MAX_KEY, "the key of a pause fits");
}

/// Nobody without the key can write what the vault opens.
fn sealed(bytes: &[u8]) {
    let vault = Vault::new(&VaultKey::known([7; 32]));
    let epoch = Epoch::from_number(1);
    assert!(vault.open_access("acme", epoch, bytes).is_err(), "S14: a forged access token opens");
    assert!(vault.open_grant("acme", epoch, bytes).is_err(), "S14: a forged grant opens");
}

fn told(value: &impl Debug) {
    assert!(!format!("{value:?}").is_empty(), "it can be told");
}

/// Two keys as bytes (the first byte says how long the first one is), and all of it as text.
///
/// # Panics
/// Bytes that are a key are not the bytes of that key, two keys sort otherwise than their bytes, or a name is read as
/// another one.
pub fn keys(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (one, other) = rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]));
    let [first, second] = [one, other].map(|bytes| {
        let key = Key::decode(bytes);
        if let Some(key) = &key {
            assert_eq!(key.encode(), bytes, "{key} has other bytes");
            assert_eq!(bytes.first(), Some(&key.table().prefix()), "{key} lies in another table");
        }
        key
    });
    if let (Some(first), Some(second)) = (first, second) {
        assert_eq!(first.cmp(&second), one.cmp(other), "{first} and {second} sort otherwise than their bytes");
        assert_eq!(first == second, first.to_string() == second.to_string() && one == other, "two keys are told apart");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = text.parse::<DeliveryId>() {
        assert_eq!(id.to_string(), text.to_ascii_uppercase(), "a name is read as another one");
    }
    if let Ok(scope) = serde_json::from_str(text) {
        let key = records::pause_key(&scope);
        assert!(records::paused_by(&key).is_none_or(|paused| paused == scope), "the key of a pause names another");
    }
}

#[cfg(test)]
mod tests;
