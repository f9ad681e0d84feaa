//! What is stored, in the words of this version. Each record type has a version and a decoder for it; a later version
//! adds a type and a conversion, and keeps the old ones.

use outlast_state::{Clues, Credential, CredentialJournal, Delivery, DeliveryId, DeliveryJournal, KEPT, Learned, Time};
use serde::{Deserialize, Serialize};

use crate::digest::{array, hex, sha256};
use crate::parcel::Parcel;
use crate::store::codec::{self, Damage};
use crate::store::keys::Meta;
use crate::store::{Key, MAX_VALUE, Store, StoreError, Table, Writes};
use crate::view::Scope;

mod alerts;
mod ended;
mod versions;

pub(crate) use self::alerts::{AlertRecord, PastAlert, Told, told_key};
pub(crate) use self::ended::{CountsRecord, each_delivery, stored};
pub(crate) use self::versions::{Record, head};

/// The version of every record that has no later one.
const VERSION: u8 = 1;

/// How much of a body stands in the parcel's own record; the rest is cut into chunks of the same size. Names take at most
/// 3 × 256 bytes of the record.
const INLINE: usize = 3 * 1024;

/// The longest note, in bytes.
pub(crate) const LONGEST_NOTE: usize = 400;

/// A parcel, as it was accepted. Never written again.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ParcelRecord {
    pub(crate) destination: String,
    /// Stands here too, so that a lane can be stopped at a delivery whose own record is damaged.
    pub(crate) lane: Option<String>,
    pub(crate) digest: [u8; 32],
    pub(crate) size: u32,
    pub(crate) start: Vec<u8>,
}

/// A delivery: where it stands, how it came there, and what is needed to queue it without reading its parcel. The first
/// three are all that opening reads of one that stands alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeliveryRecord {
    pub(crate) delivery: Delivery,
    pub(crate) destination: String,
    pub(crate) lane: Option<String>,
    pub(crate) once: Option<String>,
    pub(crate) accepted: Time,
    /// What its body is. Only deliveries that were accepted by version 1 do not say.
    pub(crate) content: Option<Content>,
    /// The route that it came by; none where it was submitted to its destination.
    pub(crate) route: Option<String>,
    /// Its batch key; without one it shares its request with no other.
    pub(crate) batch_key: Option<String>,
    /// The code of what the last answer said; empty where it said nothing.
    pub(crate) code: String,
    /// What the last answer said, for people.
    pub(crate) note: String,
    pub(crate) journal: DeliveryJournal,
}

/// What is known of a body without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) size: u32,
    pub(crate) digest: [u8; 32],
}

/// A credential, without its tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CredentialRecord {
    pub(crate) credential: Credential,
    /// No request before this: the provider throttles.
    pub(crate) slow_until: Time,
    /// What the token endpoint last said, for people.
    pub(crate) note: String,
    /// What was seen of its tokens.
    pub(crate) clues: Clues,
    pub(crate) journal: CredentialJournal,
}

/// Which delivery an idempotency key belongs to, and which body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OnceRecord {
    pub(crate) id: DeliveryId,
    pub(crate) digest: [u8; 32],
}

/// Something that a destination keeps in mind, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemoryRecord {
    pub(crate) destination: String,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) until: Time,
}

/// What the tokens of a provider taught, by the name of its profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LearnedRecord {
    pub(crate) learned: Learned,
}

/// Something that an operator paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PauseRecord {
    pub(crate) scope: Scope,
    pub(crate) since: Time,
}

/// Engine time at the last commit, and whether that commit was the last of a clean stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClockRecord {
    pub(crate) now: Time,
    pub(crate) clean: bool,
}

/// Which store this is, and how often it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdentityRecord {
    pub(crate) store: u64,
    pub(crate) incarnation: u32,
}

impl Content {
    pub(crate) fn of(body: &[u8], digest: [u8; 32]) -> Self {
        Content { size: u32::try_from(body.len()).unwrap_or(u32::MAX), digest }
    }
}

impl DeliveryRecord {
    pub(crate) fn accepted(delivery: Delivery, destination: String, now: Time) -> Self {
        DeliveryRecord {
            delivery,
            destination,
            lane: None,
            once: None,
            accepted: now,
            content: None,
            route: None,
            batch_key: Some(String::new()),
            code: String::new(),
            note: String::new(),
            journal: DeliveryJournal::new(delivery),
        }
    }

    /// Sets the note and its code, cut to what a record holds.
    pub(crate) fn note(&mut self, code: &str, text: &str) {
        const LONGEST_CODE: usize = 64;
        set_text(&mut self.code, code, LONGEST_CODE);
        set_note(&mut self.note, text);
    }

    /// Puts the record of a live delivery, with as much of its journal as fits.
    pub(crate) fn put(&self, writes: &mut Writes) {
        self.put_under(Key::Delivery(self.delivery.id), writes);
    }

    pub(crate) fn put_under(&self, key: Key, writes: &mut Writes) {
        put_fitting(key, self, |record, kept| record.journal.trim(kept), writes);
    }
}

impl CredentialRecord {
    pub(crate) fn new(credential: Credential) -> Self {
        CredentialRecord {
            credential,
            journal: CredentialJournal::new(credential),
            slow_until: Time::ZERO,
            note: String::new(),
            clues: Clues::default(),
        }
    }

    /// Sets the note, cut to what a record holds.
    pub(crate) fn note(&mut self, text: &str) {
        set_note(&mut self.note, text);
    }

    /// Puts the record, with as much of its journal as fits.
    pub(crate) fn put(&self, name: &str, writes: &mut Writes) {
        put_fitting(Key::Credential(name.to_owned()), self, |record, kept| record.journal.trim(kept), writes);
    }
}

/// Puts a record whose journal may make it too large: then its oldest inputs are given up to its snapshot, half of them at
/// a time.
fn put_fitting<T: Clone + Record>(key: Key, record: &T, trim: impl Fn(&mut T, usize), writes: &mut Writes) {
    let mut sealed = codec::seal(&key, T::VERSION, record);
    let mut kept = KEPT;
    while sealed.len() > MAX_VALUE && kept > 0 {
        kept /= 2;
        let mut shorter = record.clone();
        trim(&mut shorter, kept);
        sealed = codec::seal(&key, T::VERSION, &shorter);
    }
    writes.put(key, sealed);
}

/// Sets a note, cut to what a record holds.
pub(crate) fn set_note(note: &mut String, text: &str) {
    set_text(note, text, LONGEST_NOTE);
}

fn set_text(kept: &mut String, text: &str, longest: usize) {
    kept.clear();
    kept.extend(text.char_indices().take_while(|(at, _)| *at < longest).map(|(_, character)| character));
}

/// Puts a parcel: its record, and what of its body does not fit there.
pub(crate) fn put_parcel(id: DeliveryId, parcel: &Parcel, digest: [u8; 32], writes: &mut Writes) {
    let body = &parcel.body;
    let mut chunks = body.chunks(INLINE);
    let start = chunks.next().unwrap_or_default().to_vec();
    let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let (destination, lane) = (parcel.destination.clone(), parcel.lane.clone());
    put(Key::Parcel(id), &ParcelRecord { destination, lane, digest, size, start }, writes);
    for (number, chunk) in (0_u16..).zip(chunks) {
        put(Key::Body(id, number), chunk, writes);
    }
}

/// A parcel's body, put together and held against its digest.
pub(crate) fn body(store: &dyn Store, id: DeliveryId) -> Result<Result<Vec<u8>, String>, StoreError> {
    let record = match get::<ParcelRecord>(store, &Key::Parcel(id))? {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(Err("its parcel is missing from the store".into())),
        Err(damage) => return Ok(Err(format!("its parcel does not verify: {damage}"))),
    };
    let size = usize::try_from(record.size).unwrap_or(usize::MAX);
    let mut body = record.start;
    for number in 0_u16.. {
        if body.len() >= size {
            break;
        }
        match get::<Vec<u8>>(store, &Key::Body(id, number))? {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(Err(format!("part {number} of its body is missing from the store"))),
            Err(damage) => return Ok(Err(format!("part {number} of its body does not verify: {damage}"))),
        }
    }
    if sha256(&body) != record.digest {
        return Ok(Err("its body is not the one that was accepted".into()));
    }
    Ok(Ok(body))
}

/// How many records beside the parcel's own hold a body of this size.
pub(crate) fn chunks(size: u32) -> u16 {
    let rest = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(INLINE);
    u16::try_from(rest.div_ceil(INLINE)).unwrap_or(u16::MAX)
}

/// The key under which the delivery of an idempotency key is found: destination, route if there is one, and key, told apart
/// by lengths.
pub(crate) fn once_key(destination: &str, route: Option<&str>, once: &str) -> Key {
    // No destination's name is so long: a key with a route is never one without.
    const ROUTED: u64 = 1 << 63;
    let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX);
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let routed = if route.is_some() { ROUTED } else { 0 };
    context.update(&(length(destination) | routed).to_be_bytes());
    context.update(destination.as_bytes());
    if let Some(route) = route {
        context.update(&length(route).to_be_bytes());
        context.update(route.as_bytes());
    }
    context.update(once.as_bytes());
    Key::Once(array(context.finish().as_ref()))
}

/// The key of what a destination keeps in mind.
pub(crate) fn memory_key(destination: &str, key: &str) -> Key {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(&u64::try_from(destination.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(destination.as_bytes());
    context.update(key.as_bytes());
    Key::Memory(array(context.finish().as_ref()))
}

/// The key of a pause. It tells what is paused, so that a pause whose record is damaged stays in force; names that are too
/// long for a key are told by their digest.
pub(crate) fn pause_key(scope: &Scope) -> Key {
    const LONGEST: usize = 400;
    let text = serde_json::to_string(scope).expect("names are text");
    Key::Pause(if text.len() <= LONGEST { text } else { format!("sha256:{}", hex(&sha256(text.as_bytes()))) })
}

/// What the key of a pause says is paused.
pub(crate) fn paused_by(key: &Key) -> Option<Scope> {
    let Key::Pause(text) = key else { return None };
    serde_json::from_str(text).ok()
}

/// Puts a record of this version.
pub(crate) fn put<T: Serialize + ?Sized>(key: Key, record: &T, writes: &mut Writes) {
    let sealed = codec::seal(&key, VERSION, record);
    writes.put(key, sealed);
}

/// Reads a record, of whatever version this one understands.
pub(crate) fn get<T: Record>(store: &dyn Store, key: &Key) -> Result<Result<Option<T>, Damage>, StoreError> {
    Ok(store.get(key)?.map_or(Ok(None), |bytes| decode(key, &bytes).map(Some)))
}

/// Decodes a record, of whatever version this one understands.
pub(crate) fn decode<T: Record>(key: &Key, bytes: &[u8]) -> Result<T, Damage> {
    let (version, payload) = codec::open(key, bytes)?;
    T::read(version, payload)
}

/// Reads a table in pages and gives each record, or its damage, to `each`. Stops when `each` says so.
pub(crate) fn each<T: Record>(
    store: &dyn Store,
    table: Table,
    mut each: impl FnMut(Key, Result<T, Damage>) -> bool,
) -> Result<(), StoreError> {
    const PAGE: usize = 1024;
    let mut from: Option<Key> = None;
    loop {
        let page = store.scan(table, from.as_ref(), PAGE)?;
        let full = page.len() == PAGE;
        // The first of a page is the last of the one before, unless that was deleted meanwhile.
        let seen = page.first().is_some_and(|(first, _)| Some(first) == from.as_ref());
        let fresh = page.into_iter().skip(usize::from(seen));
        let mut last = None;
        for (key, bytes) in fresh {
            let record = decode(&key, &bytes);
            last = Some(key.clone());
            if !each(key, record) {
                return Ok(());
            }
        }
        match last {
            Some(key) if full => from = Some(key),
            _ => return Ok(()),
        }
    }
}

/// Reads one of the store's own records; `T::default()` before the first commit.
pub(crate) fn meta<T: Record + Default>(store: &dyn Store, which: Meta) -> Result<Result<T, Damage>, StoreError> {
    Ok(get::<T>(store, &Key::Meta(which))?.map(Option::unwrap_or_default))
}

#[cfg(test)]
mod tests;
