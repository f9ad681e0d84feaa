//! What outlives the process. A store keeps records under typed keys and changes them by commits: each commit is atomic
//! and has passed a barrier when it returns, so that it survives a crash of the process, of the kernel, and a power
//! failure on a disk that keeps what it confirmed.
//!
//! They pass the same conformance suite: [`DiskStore`] on each kind of base, and [`memory::MemoryStore`], whose crashes and
//! faults are driven by tests.

mod base;
mod block;
mod blocks;
pub mod codec;
#[cfg(test)]
mod conformance;
mod convert;
mod disk;
mod error;
mod folder;
mod format;
mod journal;
pub mod keys;
mod layers;
mod ledger;
mod mark;
pub mod memory;
mod opening;
#[cfg(feature = "redb")]
mod redb;
pub(crate) mod scratch;
mod sled;
mod waker;
pub(crate) mod wreck;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use self::folder::put_in_place;
#[cfg(feature = "verify")]
pub(crate) use self::opening::tamper;
#[cfg(feature = "redb")]
use self::redb::Table as RedbTable;
use self::sled::Pages as SledPages;
pub use base::StoreKind;
pub use disk::{DiskOptions, DiskStore};
pub use error::{StoreError, StoreErrorKind};
pub use keys::{Key, Table};

/// The largest record, envelope included, in bytes. Larger ones are cut into several keys ([`Key::Body`]). sled moves
/// pages above 128 KiB into files that it never syncs, and a page holds up to 16 blocks of such records: they stay well
/// below.
pub const MAX_VALUE: usize = 4096;

/// The longest key in bytes. Only names that people choose can come near it.
pub const MAX_KEY: usize = 512;

/// The most writes in one commit. A commit of any size is atomic in both stores; the limit bounds how long one commit
/// keeps readers out and how much memory it takes.
pub const MAX_WRITES: usize = 16_384;

/// How many writes a commit should gather at most when there is a choice: beyond it sled takes longer per write, not
/// shorter, and everything in the commit waits for the last of it.
pub const GOOD_WRITES: usize = 256;

/// A commit as the stores see it: at most one value, or a deletion, for each encoded key, in key order.
type Batch = Vec<Change>;

/// A key's bytes and what it shall hold: a value, or nothing.
type Change = (Vec<u8>, Option<Vec<u8>>);

/// A key's bytes and a value's.
type Pair = (Vec<u8>, Vec<u8>);

/// What one commit writes: puts and deletes, at most one per key; the later wins.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Writes {
    by_key: BTreeMap<Key, Option<Vec<u8>>>,
}

impl Writes {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Writes::default()
    }

    /// `key` shall hold `value`.
    pub fn put(&mut self, key: Key, value: Vec<u8>) {
        self.by_key.insert(key, Some(value));
    }

    /// `key` shall hold nothing.
    pub fn delete(&mut self, key: Key) {
        self.by_key.insert(key, None);
    }

    /// What is written under `key`: a value is put, `Some(None)` deletes, `None` leaves it.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Option<&[u8]>> {
        self.by_key.get(key).map(Option::as_deref)
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// How many keys are written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The writes in key order: a value is put, `None` deletes.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, Option<&[u8]>)> {
        self.by_key.iter().map(|(key, value)| (key, value.as_deref()))
    }

    /// The writes in key order with their keys as bytes, or what is too large about them. Every store asks before it
    /// writes anything, so that a refused commit leaves nothing behind.
    fn encoded(self) -> Result<Batch, StoreError> {
        if self.len() > MAX_WRITES {
            return Err(StoreError::too_large(format_args!(
                "a commit of {} writes (at most {MAX_WRITES})",
                self.len()
            )));
        }
        self.by_key
            .into_iter()
            .map(|(key, value)| {
                let bytes = key.encode();
                if bytes.len() > MAX_KEY {
                    let length = bytes.len();
                    return Err(StoreError::too_large(format_args!(
                        "a {} key of {length} bytes (at most {MAX_KEY})",
                        key.table()
                    )));
                }
                match &value {
                    Some(record) if record.len() > MAX_VALUE => {
                        let length = record.len();
                        Err(StoreError::too_large(format_args!("{key} with {length} bytes (at most {MAX_VALUE})")))
                    }
                    _ => Ok((bytes, value)),
                }
            })
            .collect()
    }
}

/// The keys only: values are other people's data, and sealed tokens.
impl fmt::Debug for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |(key, value): (&Key, Option<&[u8]>)| match value {
            Some(value) => format!("{key}: {} bytes", value.len()),
            None => format!("{key}: deleted"),
        };
        f.debug_list().entries(self.iter().map(told)).finish()
    }
}

/// Proof that a commit has passed the barrier. Only a store makes one; who answers a caller or starts a send asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Durable {
    sequence: u64,
}

impl Durable {
    /// The number of the commit since the store was opened, from 1. It only grows.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.sequence
    }
}

/// A place that keeps records. After the first error of a commit, and after a read that found the store itself broken,
/// a store refuses everything: what is on disk then is known only after opening it anew, best in a new process.
pub trait Store: Send + Sync + 'static {
    /// Writes and waits for the barrier. Blocks; called from one thread at a time. All of `writes` or nothing survives.
    /// Without writes it is a barrier.
    ///
    /// # Errors
    /// [`StoreErrorKind::TooLarge`] before anything is written, and the store goes on. Any other error ends the store.
    fn commit(&self, writes: Writes) -> Result<Durable, StoreError>;

    /// The record under `key`, as last written. It may not have passed the barrier yet.
    ///
    /// # Errors
    /// When the store cannot be read, or has ended.
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` records of `table` in key order, from `from` on (inclusive), or from the table's first. A commit that
    /// goes on meanwhile may be seen in part.
    ///
    /// # Errors
    /// When the store cannot be read, holds a key that is none, or has ended.
    fn scan(&self, table: Table, from: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError>;

    /// How much the store takes where it lies, in bytes.
    ///
    /// # Errors
    /// When the size cannot be found out, or the store has ended.
    fn size(&self) -> Result<u64, StoreError>;

    /// The records that did not verify when the store was opened, so that none stays unmentioned that nobody reads yet. The
    /// store holds them as they are.
    fn damaged(&self) -> Vec<(Key, codec::Damage)> {
        Vec::new()
    }

    /// What the store has done since it was opened.
    fn figures(&self) -> StoreFigures {
        StoreFigures::default()
    }

    /// The clean end: a last barrier, then others may open the store. Closing what is closed does nothing.
    ///
    /// # Errors
    /// When the last barrier fails, or the store had ended with an error before. It is given up in either case.
    fn close(&self) -> Result<(), StoreError>;
}

/// What a store has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreFigures {
    /// How many commits were acknowledged.
    pub commits: u64,
    /// How often it waited for the disk to make something durable on behalf of a commit.
    pub syncs: u64,
    /// What its directory takes, in bytes.
    pub bytes: u64,
}

/// The bytes between which the keys of a scan lie: from inclusive, to exclusive.
fn span(table: Table, from: Option<&Key>) -> (Vec<u8>, Vec<u8>) {
    let (first, end) = (vec![table.prefix()], vec![table.prefix().saturating_add(1)]);
    match from.map(Key::encode) {
        Some(from) if from > first => (from.min(end.clone()), end),
        _ => (first, end),
    }
}

/// A record as it was read, its key decoded.
fn decoded(key: &[u8], value: &[u8]) -> Result<(Key, Vec<u8>), StoreError> {
    match Key::decode(key) {
        Some(decoded) => Ok((decoded, value.to_vec())),
        None => Err(StoreError::corrupt(format_args!("it holds a key that this version cannot read: {key:02x?}"))),
    }
}
