//! The base on sled 0.34.7. What sled lacks is added here:
//!
//! - `flush` of sled never calls `fsync` on Linux: a power failure loses what it confirmed. The barrier is `flush`, then
//!   `sync_data` on a handle of our own of sled's file (`fdatasync`; `F_FULLFSYNC` on macOS).
//! - It panics on some damaged files. Every call is guarded, and a panic ends the store as any other error does.
//! - A leftover of an interrupted snapshot keeps it from opening for ever. It is removed first, under the store's lock.
//! - It writes its `conf` file and the names of its files without syncing them, and never opens again when it was
//!   interrupted there. So a base is made under another name, synced, and then renamed.
//! - It takes a read error while opening for the end of its log, and overwrites what comes after. So its log is read whole
//!   before, and a disk that cannot be read is met by us.
//! - It forgets to wake who waits for a write that fails in another thread (module [`waker`](super::waker)).
//! - It keeps half of a batch when it meets a damaged page in its middle. The pages are read before the batch is applied.
//! - It opens with a damaged tail cut off. The ledger says up to which commit it reaches, and the journal goes on from there
//!   or is refused.
//! - Pages above 128 KiB go to files of their own, which are never synced. A page holds up to 16 values, and a block is
//!   little more than 4 KiB, so there are none; a base that has some is refused.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::base::Base;
use super::error::{StoreError, StoreErrorKind};
use super::folder::{read_whole, refuse_spilled_pages, released, remove_unfinished_snapshots, sync_all};
use super::waker::Waker;
use super::{Batch, Pair};
use crate::unix;

/// sled's pages.
pub(super) struct Pages {
    db: Option<sled::Db>,
    waker: Option<Waker>,
    /// Our own handle of sled's file, for the barrier. `fdatasync` acts on the file, whoever wrote to it.
    file: File,
    folder: PathBuf,
}

impl Pages {
    /// Opens the base of the store in the directory `path`, and makes it when there is none.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Pages, StoreError> {
        let folder = path.join("sled");
        if !folder.exists() {
            create(path, &folder, cache_bytes)?;
        }
        let preparing = |error: io::Error| StoreError::io(format_args!("preparing {}", folder.display()), &error);
        remove_unfinished_snapshots(&folder).map_err(preparing)?;
        refuse_spilled_pages(&folder)?;
        if !released(&folder) {
            return Err(StoreError::held(path, None));
        }
        read_whole(&folder.join("db"))?;
        let pages = Pages::open_copy(&folder, cache_bytes)?;
        sync_all(&folder).map_err(preparing)?;
        Ok(pages)
    }

    /// Opens sled's files in `folder` as they are.
    pub(super) fn open_copy(folder: &Path, cache_bytes: u64) -> Result<Pages, StoreError> {
        let preparing = |error: io::Error| StoreError::io(format_args!("preparing {}", folder.display()), &error);
        let db = guarded("opening it", || config(folder, cache_bytes).open())?;
        let file = File::open(folder.join("db")).map_err(preparing)?;
        let second = db.clone();
        let waker = Waker::start(move || drop(second.flush())).map_err(preparing)?;
        Ok(Pages { db: Some(db), waker: Some(waker), file, folder: folder.to_owned() })
    }

    fn db(&self) -> sled::Result<&sled::Db> {
        self.db.as_ref().ok_or_else(|| sled::Error::Unsupported("it is closed".to_owned()))
    }
}

impl Base for Pages {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = guarded("reading", || self.db()?.get(key))?;
        Ok(found.map(|value| value.to_vec()))
    }

    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
        let found = guarded("reading", || self.db()?.range(from..=to).next_back().transpose())?;
        Ok(found.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    fn forward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        guarded("reading", || through(self.db()?.range(from..to), take))
    }

    fn backward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        guarded("reading", || through(self.db()?.range(from..to).rev(), take))
    }

    /// This reads the pages that the batch will change: sled applies a batch page by page, and when it cannot read one it
    /// stops and keeps what it has applied, half a batch. A damaged page must be met before.
    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        guarded("writing", || {
            let db = self.db()?;
            let mut writes = sled::Batch::default();
            for (key, value) in batch {
                db.get(&key)?;
                match value {
                    Some(value) => writes.insert(key, value),
                    None => writes.remove(key),
                }
            }
            db.apply_batch(writes)
        })
    }

    fn sync(&self) -> Result<(), StoreError> {
        guarded("syncing", || {
            let db = self.db()?;
            match &self.waker {
                Some(waker) => waker.watch(|| db.flush())?,
                None => db.flush()?,
            };
            Ok(self.file.sync_data()?)
        })
    }

    fn release(self: Box<Self>) {}
}

/// Others may open the base only after sled's threads have let go of its file.
impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.stop();
        }
        let db = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db))); // a sled that has failed may panic once more
        let _ = released(&self.folder); // the next open asks again
    }
}

fn through(
    records: impl Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
    take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
) -> sled::Result<()> {
    for record in records {
        let (key, value) = record?;
        if !take(&key, &value) {
            break;
        }
    }
    Ok(())
}

fn config(folder: &Path, cache_bytes: u64) -> sled::Config {
    sled::Config::new()
        .path(folder)
        .mode(sled::Mode::LowSpace)
        .cache_capacity(cache_bytes)
        .use_compression(false)
        .flush_every_ms(Some(500)) // its thread also collects what space is free
}

/// Makes an empty base, which is there whole or not at all: what was begun before has another name, and goes.
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
