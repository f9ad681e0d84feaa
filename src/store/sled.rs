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

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use super::error::{StoreError, StoreErrorKind};
use super::keys::{Key, Table};
use super::mark::{self, Mark};
use super::waker::Waker;
use super::{Batch, Durable, Store, Writes, decoded, format, span};
use crate::unix;

/// How a [`SledStore`] uses the machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SledOptions {
    /// How many bytes of pages sled keeps in memory, roughly: 256 MiB by default. It is no hard limit.
    pub cache_bytes: u64,
}

impl Default for SledOptions {
    fn default() -> Self {
        SledOptions { cache_bytes: 256 << 20 }
    }
}

/// A store in a directory.
pub struct SledStore {
    opened: RwLock<Option<Opened>>,
    /// What every call gets since the store has ended.
    ended: OnceLock<StoreError>,
    sequence: AtomicU64,
}

/// Where the number of a commit is, in the store itself. No [`Key`] begins with 0, so that nobody else sees it.
const LAST: &[u8] = b"\0last";

struct Opened {
    db: sled::Db,
    waker: Waker,
    /// Our own handle of sled's file, for the barrier. `fdatasync` acts on the file, whoever wrote to it.
    file: File,
    folder: PathBuf,
    mark: Mark,
    /// The number of the last commit of the store's life.
    last: AtomicU64,
    /// Held until sled has let go of its files.
    lock: File,
}

impl SledStore {
    /// Opens the store in the directory `path`, and creates both when there is none.
    ///
    /// # Errors
    /// [`StoreErrorKind::Held`] when another process has it open, [`StoreErrorKind::Format`] when a newer version wrote
    /// it, [`StoreErrorKind::Corrupt`] when it is damaged so that it cannot be opened.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one call, and may come to hold more")]
    pub fn open(path: &Path, options: SledOptions) -> Result<SledStore, StoreError> {
        let creating = |error: io::Error| StoreError::io(format_args!("creating {}", path.display()), &error);
        unix::private_dir(path).map_err(creating)?;
        let lock = lock(path)?;
        let folder = path.join("sled");
        if !folder.exists() {
            create(path, &folder, &options)?;
        }
        let preparing = |error: io::Error| StoreError::io(format_args!("preparing {}", folder.display()), &error);
        remove_unfinished_snapshots(&folder).map_err(preparing)?;
        refuse_spilled_pages(&folder)?;
        if !released(&folder) {
            return Err(StoreError::held(path, None));
        }

        read_whole(&folder.join("db"))?;
        let db = guarded("opening it", || config(&folder, &options).open())?;
        let file = sync_all(&folder).and_then(|()| File::open(folder.join("db"))).map_err(preparing)?;
        let (mark, reached) = Mark::open(path).map_err(preparing)?;
        let second = db.clone();
        let waker = Waker::start(move || drop(second.flush())).map_err(preparing)?;
        let opened = Opened { db, waker, file, folder, mark, last: AtomicU64::new(0), lock };
        match opened.check_gap(reached).and_then(|()| opened.check_format()) {
            Ok(()) => {
                Ok(SledStore { opened: RwLock::new(Some(opened)), ended: OnceLock::new(), sequence: AtomicU64::new(0) })
            }
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

    fn close(&self) -> Result<(), StoreError> {
        let Some(opened) = self.opened.write().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        let last = self.alive().and_then(|()| guarded("closing it", || opened.barrier()));
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
        if batch.is_empty() {
            return self.barrier();
        }
        self.touch(&batch)?;
        let number = self.last.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let mut writes = sled::Batch::default();
        writes.insert(LAST, &mark::note(number));
        for (key, value) in batch {
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        self.db.apply_batch(writes)?;
        self.barrier()?;
        Ok(self.mark.reached(number)?)
    }

    /// Reads the pages that a batch will change. sled applies a batch page by page, and when it cannot read one it stops
    /// and keeps what it has applied: half a commit. A damaged page must be met before anything is applied.
    fn touch(&self, batch: &Batch) -> sled::Result<()> {
        self.db.get(LAST)?;
        batch.iter().try_for_each(|(key, _)| self.db.get(key).map(drop))
    }

    /// A failed sync is never tried again: the kernel may have dropped the pages and would then report success.
    fn barrier(&self) -> sled::Result<()> {
        self.waker.watch(|| self.db.flush())?;
        Ok(self.file.sync_data()?)
    }

    /// Whether all commits are there that once were.
    fn check_gap(&self, reached: u64) -> Result<(), StoreError> {
        let last = guarded("reading its last commit", || self.db.get(LAST))?;
        let last = last.and_then(|note| mark::number(&note)).unwrap_or_default();
        if last < reached {
            return Err(StoreError::corrupt(format_args!(
                "its last commit is number {last}, but number {reached} was acknowledged (to go on without them, remove the file mark beside it)"
            )));
        }
        self.last.store(last, Ordering::Relaxed);
        Ok(())
    }

    /// A store without a single record was just created, or creating it was interrupted.
    fn check_format(&self) -> Result<(), StoreError> {
        let key = format::KEY.encode();
        match guarded("reading its format", || Ok((self.db.get(&key)?, self.db.is_empty())))? {
            (Some(record), _) => format::check(&record),
            (None, true) => guarded("creating it", || self.commit(vec![(key, Some(format::record()))])),
            (None, false) => Err(StoreError::corrupt("it holds records, but not the one that says their format")),
        }
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

fn config(folder: &Path, options: &SledOptions) -> sled::Config {
    sled::Config::new()
        .path(folder)
        .mode(sled::Mode::LowSpace)
        .cache_capacity(options.cache_bytes)
        .use_compression(false)
        .flush_every_ms(Some(500)) // its thread also collects what space is free
}

/// Makes an empty store, which is there whole or not at all: what was begun before has another name, and goes.
fn create(path: &Path, folder: &Path, options: &SledOptions) -> Result<(), StoreError> {
    let begun = path.join("sled.new");
    let creating = |error: io::Error| StoreError::io(format_args!("creating {}", folder.display()), &error);
    match fs::remove_dir_all(&begun) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(creating(error)),
        _ => {}
    }
    unix::private_dir(&begun).map_err(creating)?;
    guarded("creating it", || config(&begun, options).open().map(drop))?;
    if !released(&begun) {
        return Err(StoreError::held(path, None));
    }
    sync_all(&begun).and_then(|()| fs::rename(&begun, folder)).and_then(|()| unix::sync_dir(path)).map_err(creating)
}

/// Reads a file to its end. What the disk cannot give is met here, where nothing is overwritten for it.
fn read_whole(path: &Path) -> Result<(), StoreError> {
    let read = || {
        let file = File::open(path)?;
        let mut piece = vec![0; 1 << 20];
        let mut at: u64 = 0;
        loop {
            match file.read_at(&mut piece, at) {
                Ok(0) => return Ok(()),
                Ok(read) => at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    match read() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io(format_args!("reading {}", path.display()), &error))
        }
        _ => Ok(()),
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
        Ok(Err(error)) => Err(StoreError::corrupt(format_args!("sled found while {what}: {error}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(StoreError::corrupt(format_args!("sled panicked while {what}: {text}")))
        }
    }
}

/// Takes the store for this process, or says who has it.
fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join("lock");
    let failed = |error: io::Error| StoreError::io(format_args!("locking {}", name.display()), &error);
    let mut file = unix::private_file(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder); // it is for the message only
            return Err(StoreError::held(path, holder.trim().parse().ok()));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

fn remove_unfinished_snapshots(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("snap.") && name.to_string_lossy().ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn refuse_spilled_pages(folder: &Path) -> Result<(), StoreError> {
    let blobs = folder.join("blobs");
    match fs::read_dir(&blobs).map(|mut entries| entries.next().is_some()) {
        Ok(false) => Ok(()),
        Ok(true) => {
            Err(StoreError::corrupt(format_args!("{} is not empty, and Outlast never writes there", blobs.display())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io(format_args!("reading {}", blobs.display()), &error)),
    }
}

/// Syncs sled's files and their names: sled itself syncs only the content of snapshots.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    unix::sync_dir(folder)?;
    unix::sync_dir(&unix::parent(folder))
}

/// Waits until sled's file is locked by nobody: its threads end a moment after the last handle is dropped, and a store
/// that was just closed could not be opened again before. Whoever still has it after two seconds means to keep it.
fn released(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join("db")) else { return true };
    for _ in 0..400 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests;
