//! The store on disk, on sled 0.34.7. What sled lacks is added here:
//!
//! - `flush` of sled never calls `fsync` on Linux: a power failure loses what it confirmed. The barrier is `flush`, then
//!   `sync_data` on a handle of our own of sled's file (`fdatasync`; `F_FULLFSYNC` on macOS).
//! - It panics on some damaged files. Every call is guarded, and a panic ends the store as any other error does.
//! - A leftover of an interrupted snapshot keeps it from opening for ever. It is removed first, under a lock of our own.
//! - It writes its `conf` file and the names of its files without syncing them, and never opens again when it was
//!   interrupted there. So a store is made under another name, synced, and then renamed.
//! - It takes a read error while opening for the end of its log, and overwrites what comes after. So its log is read whole
//!   before, and a disk that cannot be read is met by us.
//! - It forgets to wake who waits for a write that fails in another thread (module [`waker`](super::waker)).
//! - It keeps half of a batch when it meets a damaged page in its middle. The pages are read before the batch is applied.
//! - It opens with a damaged tail cut off. Commits are numbered, and a store that has fewer than it had is refused
//!   (module [`mark`]).
//! - Pages above 128 KiB go to files of their own, which are never synced. Records are small, so there are none; a store
//!   that has some is refused.
//!
//! The lock is of the kind that the kernel drops with the process that held it, however that ended.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use super::codec::Damage;
use super::error::{StoreError, StoreErrorKind};
use super::folder::{lock, read_whole, refuse_spilled_pages, released, remove_unfinished_snapshots, sync_all};
use super::format::LAST;
use super::keys::{Key, Table};
use super::ledger::{self, Ledger, Reading};
use super::mark::{self, Mark, Witness};
use super::waker::Waker;
use super::{Batch, Durable, Store, Writes, decoded, format, span};
use crate::unix;

/// How a [`SledStore`] uses the machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SledOptions {
    /// How many bytes of pages sled keeps in memory, roughly: 256 MiB by default. It is no hard limit.
    pub cache_bytes: u64,
    /// Opens a store that lacks acknowledged commits, or whose witness says nothing: what it holds is the truth from then
    /// on. Only a human can know that.
    pub accept_gap: bool,
}

impl Default for SledOptions {
    fn default() -> Self {
        SledOptions { cache_bytes: 256 << 20, accept_gap: false }
    }
}

/// A store in a directory.
pub struct SledStore {
    opened: RwLock<Option<Opened>>,
    /// What every call gets since the store has ended.
    ended: OnceLock<StoreError>,
    sequence: AtomicU64,
    /// What did not verify when it was opened.
    damaged: Vec<(Key, Damage)>,
}

struct Opened {
    db: sled::Db,
    waker: Waker,
    /// Our own handle of sled's file, for the barrier. `fdatasync` acts on the file, whoever wrote to it.
    file: File,
    folder: PathBuf,
    mark: Mark,
    /// Of the last commit.
    ledger: Mutex<Ledger>,
    /// Held until sled has let go of its files.
    lock: File,
}

impl SledStore {
    /// Opens the store in the directory `path`, and creates both when there is none.
    ///
    /// # Errors
    /// [`StoreErrorKind::Held`] when another process has it open, [`StoreErrorKind::Format`] when a newer version wrote
    /// it, [`StoreErrorKind::Corrupt`] when it does not hold what was committed. Records that do not verify are no reason:
    /// [`Store::damaged`] names them.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one call, and may come to hold more")]
    pub fn open(path: &Path, options: SledOptions) -> Result<SledStore, StoreError> {
        SledStore::open_to(path, &options, true)
    }

    /// Whether a copy of a store would open. It is left in the format that it has, and its witness as it is.
    pub(super) fn look(path: &Path) -> Result<(), StoreError> {
        SledStore::open_to(path, &SledOptions { cache_bytes: LOOKING, ..SledOptions::default() }, false)
            .and_then(|store| store.close())
    }

    fn open_to(path: &Path, options: &SledOptions, write: bool) -> Result<SledStore, StoreError> {
        let creating = |error: io::Error| StoreError::io(format_args!("creating {}", path.display()), &error);
        unix::private_dir(path).map_err(creating)?;
        let lock = lock(path)?;
        let folder = path.join("sled");
        if !folder.exists() {
            create(path, &folder, options.cache_bytes)?;
        }
        let preparing = |error: io::Error| StoreError::io(format_args!("preparing {}", folder.display()), &error);
        remove_unfinished_snapshots(&folder).map_err(preparing)?;
        refuse_spilled_pages(&folder)?;
        if !released(&folder) {
            return Err(StoreError::held(path, None));
        }

        read_whole(&folder.join("db"))?;
        let db = guarded("opening it", || config(&folder, options.cache_bytes).open())?;
        let file = sync_all(&folder).and_then(|()| File::open(folder.join("db"))).map_err(preparing)?;
        let witness = Mark::read(path).map_err(preparing)?;
        let mark = Mark::open(path).map_err(preparing)?;
        let second = db.clone();
        let waker = Waker::start(move || drop(second.flush())).map_err(preparing)?;
        let opened = Opened { db, waker, file, folder, mark, ledger: Mutex::default(), lock };
        match opened.prove(witness, options.accept_gap, write) {
            Ok(damaged) => Ok(SledStore {
                opened: RwLock::new(Some(opened)),
                ended: OnceLock::new(),
                sequence: AtomicU64::new(0),
                damaged,
            }),
            Err(error) => {
                opened.release();
                Err(error)
            }
        }
    }

    fn alive(&self) -> Result<(), StoreError> {
        self.ended.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Does `work` unless the store has ended, and ends it when that fails.
    fn with<T>(&self, what: &str, work: impl FnOnce(&Opened) -> sled::Result<T>) -> Result<T, StoreError> {
        self.alive()?;
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let opened = opened.as_ref().ok_or_else(StoreError::closed)?;
        guarded(what, || work(opened)).inspect_err(|error| {
            self.ended.get_or_init(|| error.ended());
        })
    }
}

impl Store for SledStore {
    fn commit(&self, writes: Writes) -> Result<Durable, StoreError> {
        self.alive()?;
        let batch = writes.encoded()?;
        self.with("writing", |opened| opened.commit(batch))?;
        Ok(Durable { sequence: self.sequence.fetch_add(1, Ordering::Relaxed).saturating_add(1) })
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.with("reading", |opened| opened.db.get(key.encode()))?;
        Ok(found.map(|value| value.to_vec()))
    }

    fn scan(&self, table: Table, from: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        let (first, end) = span(table, from);
        let found =
            self.with("reading", |opened| opened.db.range(first..end).take(limit).collect::<sled::Result<Vec<_>>>())?;
        found.iter().map(|(key, value)| decoded(key, value)).collect()
    }

    fn size(&self) -> Result<u64, StoreError> {
        let folder = self.with("measuring it", |opened| Ok(opened.folder.clone()))?;
        let measured = fs::read_dir(&folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.metadata()?.len())).sum::<io::Result<u64>>());
        measured.map_err(|error| StoreError::io(format_args!("measuring {}", folder.display()), &error))
    }

    fn damaged(&self) -> Vec<(Key, Damage)> {
        self.damaged.clone()
    }

    fn close(&self) -> Result<(), StoreError> {
        let Some(opened) = self.opened.write().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        let last = self.alive().and_then(|()| guarded("closing it", || opened.close()));
        self.ended.get_or_init(|| last.as_ref().map_or_else(StoreError::ended, |()| StoreError::closed()));
        opened.release();
        last
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Who wants to know how closing went calls `close`. Nothing that was acknowledged depends on it.
        let _ = self.close();
    }
}

impl Opened {
    fn commit(&self, batch: Batch) -> sled::Result<()> {
        // Also for a barrier alone: the waker watches one flush at a time.
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.is_empty() {
            return self.barrier();
        }
        let next = self.counted(&ledger, &batch)?;
        let mut writes = sled::Batch::default();
        writes.insert(ledger::KEY, next.encode());
        for (key, value) in batch {
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        self.db.apply_batch(writes)?;
        self.barrier()?;
        self.mark.reached(next.commit)?;
        *ledger = next;
        Ok(())
    }

    fn close(&self) -> sled::Result<()> {
        self.barrier()?;
        Ok(self.mark.sync()?)
    }

    /// The ledger after a batch. This reads the pages that the batch will change: sled applies a batch page by page, and
    /// when it cannot read one it stops and keeps what it has applied, half a commit. A damaged page must be met before.
    fn counted(&self, ledger: &Ledger, batch: &Batch) -> sled::Result<Ledger> {
        let mut next = ledger.numbered(ledger.commit.saturating_add(1));
        self.db.get(ledger::KEY)?;
        for (key, value) in batch {
            next.change(key, self.db.get(key)?.as_deref(), value.as_deref());
        }
        Ok(next)
    }

    /// A failed sync is never tried again: the kernel may have dropped the pages and would then report success.
    fn barrier(&self) -> sled::Result<()> {
        self.waker.watch(|| self.db.flush())?;
        Ok(self.file.sync_data()?)
    }

    /// Whether everything is there that once was. Tells what does not verify, which is no reason to refuse the rest.
    fn prove(&self, witness: Witness, accept_gap: bool, write: bool) -> Result<Vec<(Key, Damage)>, StoreError> {
        let key = format::KEY.encode();
        let own = |key: &[u8]| guarded("reading its format", || self.db.get(key));
        let (record, written, last) = (own(&key)?, own(ledger::KEY)?, own(LAST)?);
        let format = record.map(|record| format::check(&record)).transpose()?;
        let last = last.and_then(|note| mark::number(&note)).unwrap_or_default();
        let reading = self.read_all()?;
        let (written, upgrade) = match (format, written.map(|bytes| Ledger::decode(&bytes))) {
            (Some(format::FORMAT), Some(Some(written))) => (written, false),
            (Some(format::FORMAT), None) => return Err(StoreError::corrupt("its ledger is missing")),
            (_, Some(None)) => return Err(StoreError::corrupt("its ledger does not verify")),
            // Format 1: what is there is all that can be known.
            (Some(_), None) => (reading.found.numbered(last), true),
            (None, None) if reading.is_empty() => (Ledger::default(), true),
            _ => return Err(StoreError::corrupt("it holds records, but not the one that says their format")),
        };
        if !accept_gap {
            mark::check(witness, written.commit, upgrade)?;
        }
        reading.judge(&written)?;
        if !write {
            return Ok(reading.damaged);
        }
        // A record in doubt counts as it is from here on: the hash would never fit again, and say nothing about others.
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = reading.found.numbered(written.commit);
        let noting = |error: io::Error| StoreError::io("noting its last commit", &error);
        self.mark.set(written.commit).map_err(noting)?;
        if upgrade {
            let batch = vec![(LAST.to_vec(), None), (key, Some(format::record()))];
            guarded("creating it", || self.commit(batch))?;
        }
        Ok(reading.damaged)
    }

    fn read_all(&self) -> Result<Reading, StoreError> {
        let mut reading = Reading::default();
        guarded("reading it", || {
            self.db.iter().try_for_each(|record| record.map(|(key, value)| reading.take(&key, &value)))
        })?;
        Ok(reading)
    }

    /// Others may open the store only after sled's threads have let go of its file.
    fn release(self) {
        let Opened { db, waker, file, folder, lock, .. } = self;
        waker.stop();
        // A sled that has failed may panic once more.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
        drop(file);
        let _ = released(&folder); // the next open asks again
        drop(lock);
    }
}

fn config(folder: &Path, cache_bytes: u64) -> sled::Config {
    sled::Config::new()
        .path(folder)
        .mode(sled::Mode::LowSpace)
        .cache_capacity(cache_bytes)
        .use_compression(false)
        .flush_every_ms(Some(500)) // its thread also collects what space is free
}

/// Makes an empty store, which is there whole or not at all: what was begun before has another name, and goes.
fn create(path: &Path, folder: &Path, cache_bytes: u64) -> Result<(), StoreError> {
    let begun = path.join("sled.new");
    let creating = |error: io::Error| StoreError::io(format_args!("creating {}", folder.display()), &error);
    match fs::remove_dir_all(&begun) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(creating(error)),
        _ => {}
    }
    unix::private_dir(&begun).map_err(creating)?;
    guarded("creating it", || config(&begun, cache_bytes).open().map(drop))?;
    if !released(&begun) {
        return Err(StoreError::held(path, None));
    }
    sync_all(&begun).and_then(|()| fs::rename(&begun, folder)).and_then(|()| unix::sync_dir(path)).map_err(creating)
}

/// What sled may keep in memory of a store that is read once, from end to end.
const LOOKING: u64 = 64 << 20;

/// sled's pages, to read what a damaged store still has. On a copy: opening writes.
pub(super) struct Pages {
    db: Option<sled::Db>,
    folder: PathBuf,
}

impl Pages {
    pub(super) fn open(folder: &Path) -> Result<Pages, StoreError> {
        let db = guarded("opening it", || config(folder, LOOKING).open())?;
        Ok(Pages { db: Some(db), folder: folder.to_owned() })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = guarded("reading", || self.db.as_ref().map_or(Ok(None), |db| db.get(key)))?;
        Ok(found.map(|value| value.to_vec()))
    }

    /// The records whose keys lie between `from` (inclusive) and `to`, up to the first page that cannot be read.
    pub(super) fn forward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let Some(db) = &self.db else { return Ok(()) };
        guarded("reading", || db.range(from..to).try_for_each(|record| record.map(|(key, value)| take(&key, &value))))
    }

    /// The same from the end.
    pub(super) fn backward(
        &self,
        from: &[u8],
        to: &[u8],
        take: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let Some(db) = &self.db else { return Ok(()) };
        let mut records = db.range(from..to).rev();
        guarded("reading", || records.try_for_each(|record| record.map(|(key, value)| take(&key, &value))))
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let db = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db))); // a sled that has failed may panic once more
        let _ = released(&self.folder);
    }
}

/// Turns sled's errors and panics into ours.
fn guarded<T>(what: &str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(sled::Error::Io(error))) => Err(StoreError::io(what, &error)),
        Ok(Err(sled::Error::Unsupported(why))) => Err(StoreError::new(
            StoreErrorKind::Format,
            format_args!(
                "sled refused {what}: {why}. It was written by another version of sled, or its file conf is damaged; restore that file or use that version"
            ),
        )),
        // In its own words it quotes a backtrace.
        Ok(Err(sled::Error::Corruption { at, .. })) => {
            let place = at.map_or_else(String::new, |at| format!(" ({at:?})"));
            Err(StoreError::corrupt(format_args!("sled found a page that does not verify while {what}{place}")))
        }
        Ok(Err(error)) => Err(StoreError::corrupt(format_args!("sled found while {what}: {error}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(StoreError::corrupt(format_args!("sled panicked while {what}: {text}")))
        }
    }
}

#[cfg(test)]
mod tests;
