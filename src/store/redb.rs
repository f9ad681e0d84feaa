//! The base on redb: one file, pure Rust, copy-on-write pages with checksums. What is added here:
//!
//! - The file is made under another name, synced, and then renamed: a base is there whole or not at all.
//! - Batches are applied without a barrier of their own, and become durable together at the next sync.
//! - It may panic on a damaged file. Every call is guarded, and a panic ends the store as any other error does.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use super::base::{Base, StoreKind};
use super::error::{StoreError, StoreErrorKind};
use super::{Batch, Pair};
use crate::unix;

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("blocks");

/// A key of redb's side alone, written at each sync: a transaction that changes nothing need not be one.
const SYNCED: &[u8] = b"\0synced";

/// redb's file.
pub(super) struct Table(Option<Database>);

impl Table {
    /// Opens the base of the store in the directory `path`, and makes it when there is none.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Table, StoreError> {
        let file = path.join(StoreKind::Redb.place());
        let cache = usize::try_from(cache_bytes).unwrap_or(usize::MAX);
        if !file.exists() {
            create(path, &file, cache)?;
        }
        let table =
            Table(Some(guarded("opening it", || Ok(Database::builder().set_cache_size(cache).open(&file)?))?));
        unix::sync_dir(path).map_err(|error| StoreError::io(format_args!("preparing {}", path.display()), &error))?;
        Ok(table)
    }

    fn database(&self) -> Result<&Database, redb::Error> {
        self.0.as_ref().ok_or(redb::Error::DatabaseClosed)
    }

    fn write(&self, durability: Durability, batch: Batch) -> Result<(), redb::Error> {
        let mut writing = self.database()?.begin_write()?;
        writing.set_durability(durability)?;
        {
            let mut table = writing.open_table(TABLE)?;
            for (key, value) in batch {
                match value {
                    Some(value) => drop(table.insert(key.as_slice(), value.as_slice())?),
                    None => drop(table.remove(key.as_slice())?),
                }
            }
        }
        Ok(writing.commit()?)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&redb::ReadOnlyTable<&'static [u8], &'static [u8]>) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        guarded("reading", || read(&self.database()?.begin_read()?.open_table(TABLE)?))
    }
}

impl Base for Table {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|table| Ok(table.get(key)?.map(|value| value.value().to_vec())))
    }

    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
        self.read(|table| {
            let last = table.range(from..=to)?.next_back().transpose()?;
            Ok(last.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
        })
    }

    fn forward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        self.read(|table| {
            for pair in table.range(from..to)? {
                let (key, value) = pair?;
                if !take(key.value(), value.value()) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn backward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        self.read(|table| {
            for pair in table.range(from..to)?.rev() {
                let (key, value) = pair?;
                if !take(key.value(), value.value()) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        guarded("writing", || self.write(Durability::None, batch))
    }

    fn sync(&self) -> Result<(), StoreError> {
        guarded("syncing", || self.write(Durability::Immediate, vec![(SYNCED.to_vec(), Some(Vec::new()))]))
    }

    fn release(self: Box<Self>) {}
}

impl Drop for Table {
    fn drop(&mut self) {
        let database = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database))); // one that has failed may panic once more
    }
}

fn create(path: &Path, file: &Path, cache: usize) -> Result<(), StoreError> {
    let creating = |error: io::Error| StoreError::io(format_args!("creating {}", file.display()), &error);
    let begun = path.join("base.redb.new");
    match fs::remove_file(&begun) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(creating(error)),
        _ => {}
    }
    drop(unix::private_file(&begun).map_err(creating)?);
    let made = guarded("creating it", || Ok(Database::builder().set_cache_size(cache).create(&begun)?))?;
    let made = Table(Some(made));
    made.sync()?;
    drop(made);
    let in_place = || {
        File::open(&begun)?.sync_all()?;
        fs::rename(&begun, file)?;
        unix::sync_dir(path)
    };
    in_place().map_err(creating)
}

/// Turns redb's errors and panics into ours.
fn guarded<T>(what: &str, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(redb::Error::Io(error))) => Err(StoreError::io(what, &error)),
        Ok(Err(redb::Error::DatabaseAlreadyOpen)) => Err(StoreError::new(
            StoreErrorKind::Held,
            "the store is in use: another process has it open. Stop that one first",
        )),
        Ok(Err(redb::Error::UpgradeRequired(version))) => Err(StoreError::new(
            StoreErrorKind::Format,
            format_args!("redb refused {what}: its file has format {version}, which this version does not read"),
        )),
        Ok(Err(error)) => Err(StoreError::corrupt(format_args!("redb found while {what}: {error}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(StoreError::corrupt(format_args!("redb panicked while {what}: {text}")))
        }
    }
}
