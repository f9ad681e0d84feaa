//! Numbered commits whose every byte is known beforehand. So whoever reads a store can tell which commits are in it, and
//! that none of them is there in part.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use outlast::state::DeliveryId;
use outlast::store::{DiskOptions, DiskStore, Key, Store, StoreError, StoreKind, Table, Writes};

use crate::draw::Draw;

/// The commits of one seed.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) seed: u64,
}

type Content = BTreeMap<Key, Vec<u8>>;

/// A commit's own records live for so many commits.
const LIVES: u64 = 20;
/// So many records are written again and again.
const HOT: u64 = 64;

/// The record that each commit changes: its number.
fn marker() -> Key {
    Key::Credential("last".to_owned())
}

impl Workload {
    /// The commit with this number, from 1: records of its own, some that are written often, and the end of older ones.
    pub(crate) fn commit(self, number: u64) -> Writes {
        let mut writes = Writes::new();
        writes.put(marker(), number.to_le_bytes().to_vec());
        for (key, value) in self.own(number) {
            writes.put(key, value);
        }
        if let Some(old) = number.checked_sub(LIVES).filter(|old| *old > 0) {
            for (key, _) in self.own(old) {
                writes.delete(key);
            }
        }
        let mut draw = Draw::new(self.seed, number * 2);
        for _ in 0..3 {
            let slot = Key::Delivery(DeliveryId::from_u128(u128::from(draw.below(HOT))));
            writes.put(slot, filled(&mut draw, 1000));
        }
        writes
    }

    fn own(self, number: u64) -> Vec<(Key, Vec<u8>)> {
        let mut draw = Draw::new(self.seed, number * 2 + 1);
        let id = DeliveryId::from_u128(u128::from(number));
        let count = draw.within(1, 8);
        let longest = if draw.happens(200) { 4096 } else { 1200 };
        (0..count).map(|chunk| (Key::Body(id, chunk as u16), filled(&mut draw, longest))).collect()
    }

    /// The digest of what a store holds after each of the first `count` commits; the first is that of an empty one.
    pub(crate) fn digests(self, count: u64) -> Vec<u64> {
        let mut content = Content::new();
        let mut digests = vec![digest(&content)];
        for number in 1..=count {
            for (key, value) in self.commit(number).iter() {
                match value {
                    Some(value) => content.insert(key.clone(), value.to_vec()),
                    None => content.remove(key),
                };
            }
            digests.push(digest(&content));
        }
        digests
    }
}

fn filled(draw: &mut Draw, longest: u64) -> Vec<u8> {
    let length = draw.within(16, longest) as usize;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(draw.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn digest(content: &Content) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (key, value) in content {
        (key.encode(), value).hash(&mut hasher);
    }
    hasher.finish()
}

/// A journal of at most so many bytes is merged all the time, of the largest never while the store is open.
const JOURNALS: [u64; 4] = [4 << 10, 16 << 10, 64 << 10, 32 << 20];

/// How many bytes a store's journal gathers, drawn.
pub(crate) fn journal(draw: &mut Draw) -> u64 {
    JOURNALS[draw.below(JOURNALS.len() as u64) as usize]
}

/// A kind of store for this round of a test, each in its turn.
pub(crate) fn kind(round: u64) -> StoreKind {
    StoreKind::ALL[(round % StoreKind::ALL.len() as u64) as usize]
}

/// Opens the store that is there, as the engine does, with less memory; one of the usual kind where there is none.
pub(crate) fn open(path: &Path) -> Result<DiskStore, StoreError> {
    let kind = StoreKind::found(path).unwrap_or_default();
    open_as(path, kind, DiskOptions::default().journal_bytes)
}

pub(crate) fn open_as(path: &Path, kind: StoreKind, journal_bytes: u64) -> Result<DiskStore, StoreError> {
    let mut options = DiskOptions::default();
    options.kind = kind;
    options.cache_bytes = 16 << 20;
    options.journal_bytes = journal_bytes;
    DiskStore::open(path, &options)
}

/// What a store holds beside its own records.
fn content(store: &dyn Store) -> Result<Content, StoreError> {
    let tables = Table::ALL.into_iter().filter(|table| *table != Table::Meta);
    let pages = tables.map(|table| store.scan(table, None, usize::MAX)).collect::<Result<Vec<_>, _>>()?;
    Ok(pages.into_iter().flatten().collect())
}

/// The number of the last commit in a store, which is there whole and after all before it; or what is wrong.
pub(crate) fn last_commit(store: &dyn Store, digests: &[u64]) -> Result<u64, String> {
    judge(&content(store).map_err(|why| format!("it cannot be read: {why}"))?, digests)
}

pub(crate) fn judge(content: &Content, digests: &[u64]) -> Result<u64, String> {
    let number = match content.get(&marker()).map(|note| <[u8; 8]>::try_from(note.as_slice())) {
        None => 0,
        Some(Ok(bytes)) => u64::from_le_bytes(bytes),
        Some(Err(_)) => return Err("its marker is not one".to_owned()),
    };
    match digests.get(number as usize) {
        Some(expected) if *expected == digest(content) => Ok(number),
        Some(_) => Err(format!("half a commit: it says that commit {number} is its last, and holds something else")),
        None => Err(format!("it holds commit {number}, which was never made")),
    }
}

/// The number of the last commit, as a writer that goes on asks for it.
pub(crate) fn reached(store: &dyn Store) -> Result<u64, StoreError> {
    let note = store.get(&marker())?.and_then(|note| note.try_into().ok());
    Ok(note.map_or(0, u64::from_le_bytes))
}
