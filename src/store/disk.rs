//! The store on disk. A commit is acknowledged when it is in the journal; a thread merges what gathers there into the base,
//! sled or redb, block by block, while commits go on. What a reader asks for is looked up in the newest commits, then in
//! those that are being merged, then in the base.
//!
//! Most deliveries end before a merge comes to them. Their event never reaches the base, and of their states only the last.
//!
//! The lock is of the kind that the kernel drops with the process that held it, however that ended.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use tracing::error;

use super::base::StoreKind;
use super::blocks::Blocks;
use super::codec::Damage;
use super::error::StoreError;
use super::journal::Journal;
use super::keys::{Key, Table};
use super::layers::{Frozen, Layers};
use super::mark::Mark;
use super::opening::{self, Opening};
use super::{Durable, Store, StoreFigures, Writes, decoded, span};

/// So many blocks are read at a time by the thread that reads everything. Merges wait for it meanwhile.
const SLICE: usize = 64;

/// How a [`DiskStore`] uses the machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiskOptions {
    /// Which embedded store keeps the records. A store that exists stays of the kind that it is.
    pub kind: StoreKind,
    /// How many bytes of pages the base keeps in memory, roughly: 64 MiB by default. It is no hard limit.
    pub cache_bytes: u64,
    /// With so many bytes in the journal it is merged into the base: 32 MiB by default. Up to twice as much is in memory, and
    /// read again when the store is opened.
    pub journal_bytes: u64,
    /// Opens a store that lacks acknowledged commits, or whose witness says nothing: what it holds is the truth from then
    /// on. Only a human can know that.
    pub accept_gap: bool,
}

impl Default for DiskOptions {
    fn default() -> Self {
        DiskOptions { kind: StoreKind::default(), cache_bytes: 64 << 20, journal_bytes: 32 << 20, accept_gap: false }
    }
}

/// A store in a directory.
pub struct DiskStore {
    shared: Arc<Shared>,
    /// The thread that merges, and the one that reads everything once.
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// What did not verify when it was opened.
    damaged: Vec<(Key, Damage)>,
    sequence: AtomicU64,
}

struct Shared {
    /// Nothing when it is closed.
    blocks: RwLock<Option<Blocks>>,
    layers: RwLock<Layers>,
    writer: Mutex<Writer>,
    /// Told when there is something to merge, when it was merged, and when the store ends.
    turned: Condvar,
    /// What the threads wait with.
    waiting: Mutex<Waiting>,
    /// What every call gets since the store has ended.
    ended: OnceLock<StoreError>,
    /// The base holds every commit up to this number.
    merged: AtomicU64,
    /// Held until the base has let go of its files.
    lock: Mutex<Option<File>>,
    path: PathBuf,
    journal_bytes: u64,
}

/// What only one commit at a time touches.
struct Writer {
    journal: Option<Journal>,
    mark: Mark,
    last: u64,
    commits: u64,
}

#[derive(Default)]
struct Waiting {
    merging: bool,
    closing: bool,
}

impl DiskStore {
    /// Opens the store in the directory `path`, and creates both when there is none.
    ///
    /// # Errors
    /// [`StoreErrorKind::Held`](super::StoreErrorKind::Held) when another process has it open,
    /// [`StoreErrorKind::Format`](super::StoreErrorKind::Format) when a newer version wrote it or it is of another kind,
    /// [`StoreErrorKind::Corrupt`](super::StoreErrorKind::Corrupt) when it does not hold what was committed. Records that do
    /// not verify are no reason: [`Store::damaged`] names them.
    pub fn open(path: &Path, options: &DiskOptions) -> Result<DiskStore, StoreError> {
        Ok(DiskStore::start(path, options.journal_bytes, opening::open(path, options)?))
    }

    fn start(path: &Path, journal_bytes: u64, opening: Opening) -> DiskStore {
        let Opening { blocks, newest, last, journal, mark, damaged, unread, lock } = opening;
        let shared = Arc::new(Shared {
            blocks: RwLock::new(Some(blocks)),
            layers: RwLock::new(Layers { newest, frozen: None }),
            writer: Mutex::new(Writer { journal: Some(journal), mark, last, commits: 0 }),
            turned: Condvar::new(),
            waiting: Mutex::default(),
            ended: OnceLock::new(),
            merged: AtomicU64::new(0),
            lock: Mutex::new(Some(lock)),
            path: path.to_owned(),
            journal_bytes,
        });
        let mut threads = Vec::new();
        let mut spawn = |name: &str, work: fn(&Shared)| {
            let worker = Arc::clone(&shared);
            match thread::Builder::new().name(name.to_owned()).spawn(move || work(&worker)) {
                Ok(thread) => threads.push(thread),
                Err(error) => shared.end(&StoreError::io("starting a thread", &error)),
            }
        };
        spawn("outlast-merge", Shared::merge_as_it_comes);
        if unread {
            spawn("outlast-check", Shared::read_everything);
        }
        DiskStore { shared, threads: Mutex::new(threads), damaged, sequence: AtomicU64::new(0) }
    }
}

impl Store for DiskStore {
    fn commit(&self, writes: Writes) -> Result<Durable, StoreError> {
        self.shared.alive()?;
        let batch = writes.encoded()?;
        let done = self.shared.commit(batch);
        done.inspect_err(|error| self.shared.end(error))?;
        Ok(Durable { sequence: self.sequence.fetch_add(1, Ordering::Relaxed).saturating_add(1) })
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.alive()?;
        let key = key.encode();
        // The layer is asked under its lock, and the base behind it: a merge takes a layer away after the base has it.
        let layers = self.shared.layers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = layers.get(&key) {
            return Ok(known.map(<[u8]>::to_vec));
        }
        self.shared.with_blocks(|blocks| blocks.get(&key))
    }

    fn scan(&self, table: Table, from: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        self.shared.alive()?;
        let (first, end) = span(table, from);
        let (mut found, mut foreign) = (Vec::new(), None);
        let layers = self.shared.layers.read().unwrap_or_else(PoisonError::into_inner);
        self.shared.with_blocks(|blocks| {
            layers.forward(blocks, &first, &end, &mut |key, value| {
                if found.len() >= limit {
                    return false;
                }
                match decoded(key, value) {
                    Ok(record) => found.push(record),
                    Err(error) => foreign = Some(error),
                }
                foreign.is_none()
            })
        })?;
        foreign.map_or(Ok(found), Err)
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.shared.alive()?;
        let measured = opening::size(&self.shared.path);
        measured.map_err(|error| StoreError::io("measuring it", &error)).inspect_err(|error| self.shared.end(error))
    }

    fn damaged(&self) -> Vec<(Key, Damage)> {
        self.damaged.clone()
    }

    fn figures(&self) -> StoreFigures {
        let writer = self.shared.writer();
        let syncs = writer.journal.as_ref().map_or(0, |journal| journal.syncs).saturating_add(writer.mark.syncs());
        StoreFigures { commits: writer.commits, syncs, bytes: opening::size(&self.shared.path).unwrap_or_default() }
    }

    fn close(&self) -> Result<(), StoreError> {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if threads.is_empty() && self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Ok(());
        }
        self.shared.waiting().closing = true;
        self.shared.turned.notify_all();
        for thread in threads {
            let _ = thread.join(); // what it met has ended the store
        }
        self.shared.close()
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        // Who wants to know how closing went calls `close`. Nothing that was acknowledged depends on it.
        let _ = self.close();
    }
}

impl Shared {
    fn alive(&self) -> Result<(), StoreError> {
        self.ended.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    fn end(&self, error: &StoreError) {
        self.ended.get_or_init(|| error.ended());
        // Under the lock: nobody who has just looked goes on to wait.
        let _waiting = self.waiting();
        self.turned.notify_all();
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the base, and ends the store when that fails.
    fn with_blocks<T>(&self, work: impl FnOnce(&Blocks) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let blocks = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        let blocks = blocks.as_ref().ok_or_else(StoreError::closed)?;
        work(blocks).inspect_err(|error| self.end(error))
    }

    fn commit(&self, batch: super::Batch) -> Result<(), StoreError> {
        let failed = |error: io::Error| StoreError::io("writing", &error);
        let mut writer = self.writer();
        let number = writer.last.saturating_add(1);
        let journal = writer.journal.as_mut().ok_or_else(StoreError::closed)?;
        if batch.is_empty() {
            return journal.sync().map_err(failed);
        }
        journal.forget(self.merged.load(Ordering::Acquire)).map_err(failed)?;
        journal.append(number, &batch).map_err(failed)?;
        let bytes = journal.bytes;
        writer.mark.reached(number).map_err(failed)?;
        writer.last = number;
        writer.commits = writer.commits.saturating_add(1);
        self.layers.write().unwrap_or_else(PoisonError::into_inner).take(batch);
        if bytes >= self.journal_bytes { self.turn_over(&mut writer, bytes) } else { Ok(()) }
    }

    /// Hands what has gathered to the thread that merges. When that is behind, commits wait for it before memory fills.
    fn turn_over(&self, writer: &mut Writer, bytes: u64) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        if waiting.merging && bytes < self.journal_bytes.saturating_mul(2) {
            return Ok(());
        }
        while waiting.merging {
            self.alive()?;
            waiting = self.turned.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        self.freeze(writer);
        waiting.merging = true;
        self.turned.notify_all();
        Ok(())
    }

    fn freeze(&self, writer: &mut Writer) {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        let changes = std::mem::take(&mut layers.newest);
        layers.frozen = Some(Arc::new(Frozen { changes, through: writer.last }));
        if let Some(journal) = writer.journal.as_mut() {
            journal.close_segment();
        }
    }

    /// The thread that merges.
    fn merge_as_it_comes(&self) {
        loop {
            let mut waiting = self.waiting();
            while !waiting.merging && !waiting.closing && self.alive().is_ok() {
                waiting = self.turned.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            if !waiting.merging || self.alive().is_err() {
                return;
            }
            drop(waiting);
            if let Err(failed) = self.merge() {
                error!(error = %failed, "what was committed could not be merged; it stays in the journal");
                self.end(&failed);
                return;
            }
        }
    }

    fn merge(&self) -> Result<(), StoreError> {
        let frozen = self.layers.read().unwrap_or_else(PoisonError::into_inner).frozen.clone();
        let Some(frozen) = frozen else { return Ok(()) };
        self.with_blocks(|blocks| blocks.merge(&frozen.changes, frozen.through))?;
        // The next commit tidies the journal: the writer may wait for this thread.
        self.merged.store(frozen.through, Ordering::Release);
        self.layers.write().unwrap_or_else(PoisonError::into_inner).frozen = None;
        self.waiting().merging = false;
        self.turned.notify_all();
        Ok(())
    }

    /// The thread that reads everything once, where that would have taken too long before the start.
    fn read_everything(&self) {
        let read = self.with_blocks(|blocks| {
            blocks.begin_check();
            loop {
                if self.waiting().closing || self.ended.get().is_some() {
                    return Ok(None);
                }
                if let Some(read) = blocks.check_some(SLICE)? {
                    return Ok(Some(read));
                }
            }
        });
        let judged = read.and_then(|read| read.map_or(Ok(()), |(reading, ledger)| reading.judge(&ledger)));
        if let Err(failed) = judged {
            error!(error = %failed, "the store was read whole behind the start, and is not what was committed");
            self.end(&failed);
        }
    }

    /// The clean end: the base takes everything over, and the journal goes.
    fn close(&self) -> Result<(), StoreError> {
        let last = self.alive().and_then(|()| self.settle().inspect_err(|error| self.end(error)));
        let blocks = self.blocks.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(blocks) = blocks {
            blocks.release();
        }
        self.ended.get_or_init(StoreError::closed);
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        last
    }

    fn settle(&self) -> Result<(), StoreError> {
        let failed = |error: io::Error| StoreError::io("closing it", &error);
        let mut writer = self.writer();
        let Some(mut journal) = writer.journal.take() else { return Ok(()) };
        journal.sync().map_err(failed)?;
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        self.with_blocks(|blocks| {
            if let Some(frozen) = &layers.frozen {
                blocks.merge(&frozen.changes, frozen.through)?;
            }
            blocks.merge(&layers.newest, writer.last)
        })?;
        writer.mark.sync().map_err(failed)?;
        journal.remove().map_err(failed)
    }
}

#[cfg(test)]
mod tests;
