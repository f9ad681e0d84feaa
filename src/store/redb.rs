//! The base on redb: one file, pure Rust, copy-on-write pages with checksums. What is added here:
//!
//! - The file is made under another name, synced, and then renamed: a base is there whole or not at all.
//! - The file's new length is synced before anything is written that counts on it: redb writes both before one sync, and never
//!   opens again when a power cut keeps the header and not the length.
//! - Batches are applied without a barrier of their own, and become durable together at the next sync.
//! - It may panic on a damaged file. Every call is guarded, and a panic ends the store as any other error does.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, Durability, ReadableDatabase, StorageBackend, TableDefinition};

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
        let table = Table(Some(guarded("opening it", || opened(&file, cache))?));
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

fn opened(path: &Path, cache: usize) -> Result<Database, redb::Error> {
    let file = File::options().read(true).write(true).open(path)?;
    if file.metadata()?.len() == 0 {
        return Err(redb::Error::Corrupted("its file is empty".to_owned()));
    }
    begun_in(file, path, cache)
}

/// What is in the file at `path`; something new, if that is empty.
fn begun_in(file: File, path: &Path, cache: usize) -> Result<Database, redb::Error> {
    let backend = Lengthened { again: File::open(path)?, file: FileBackend::new(file)? };
    Ok(Database::builder().set_cache_size(cache).create_with_backend(backend)?)
}

/// A file whose length is durable before the next write.
#[derive(Debug)]
struct Lengthened {
    file: FileBackend,
    again: File,
}

impl StorageBackend for Lengthened {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    /// A shorter length need not be durable: redb has synced what counts on it before, and takes a file that is longer.
    fn set_len(&self, len: u64) -> io::Result<()> {
        let grows = len > self.file.len()?;
        self.file.set_len(len)?;
        if grows { self.again.sync_all() } else { Ok(()) }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn create(path: &Path, file: &Path, cache: usize) -> Result<(), StoreError> {
    let creating = |error: io::Error| StoreError::io(format_args!("creating {}", file.display()), &error);
    let begun = path.join("base.redb.new");
    match fs::remove_file(&begun) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(creating(error)),
        _ => {}
    }
    let made = guarded("creating it", || begun_in(unix::private_file(&begun)?, &begun, cache))?;
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
        // So it calls a file that does not begin as its files do.
        Ok(Err(redb::Error::Io(error))) if error.kind() == io::ErrorKind::InvalidData => {
            Err(StoreError::corrupt(format_args!("redb found while {what}: {error}")))
        }
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
