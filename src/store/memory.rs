//! A store in memory that can do to its records what a disk and a power failure can.
//!
//! What is written and what is durable are kept apart. [`MemoryStore::commit`](Store::commit) does both steps;
//! [`MemoryStore::write`] and [`MemoryStore::barrier`] do one each. A crash keeps what has passed a barrier, and of the
//! commits that have not, any subset, each whole: a disk may write them in any order. Faults hit the n-th write or
//! barrier. A clone is a second handle of the same opening, for the test to keep.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use outlast_state::hash;

use super::codec::Damage;
use super::error::{StoreError, StoreErrorKind};
use super::keys::{Key, Table};
use super::ledger::{Ledger, Reading};
use super::{Batch, Durable, Store, Writes, decoded, format, span};

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a crash leaves of the commits that have not passed a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// None of them: power failed.
    LoseAll,
    /// All of them: the process was killed, the kernel lives.
    KeepAll,
    /// Each by a coin, the same ones for the same seed.
    Seeded(u64),
    /// The i-th when bit i is set, counted from the oldest; the 65th and later are lost. For going through all subsets.
    Mask(u64),
}

impl Fate {
    fn keeps(self, index: u64) -> bool {
        match self {
            Fate::LoseAll => false,
            Fate::KeepAll => true,
            Fate::Seeded(seed) => hash(seed, index) & 1 == 1,
            Fate::Mask(mask) => {
                u32::try_from(index).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|m| m & 1 == 1)
            }
        }
    }
}

/// One opening of a store in memory.
#[derive(Clone)]
pub struct MemoryStore {
    disk: Arc<Disk>,
    opening: u64,
}

struct Disk {
    state: Mutex<State>,
    /// Whenever a barrier is reached, let go, or has become pointless.
    barrier_moved: Condvar,
}

#[derive(Default)]
struct State {
    durable: Records,
    /// Of what is durable, as the commits made it.
    ledger: Ledger,
    written: Records,
    /// Written, without a barrier since.
    unsynced: Vec<Batch>,
    /// The opening that has the store; none after a close or a crash.
    holder: Option<u64>,
    openings: u64,
    /// Why the last opening can do no more.
    ended: Option<StoreError>,
    sequence: u64,
    writes: Fault,
    barriers: Fault,
    holding: bool,
    waiting: bool,
}

/// How often something was done in this opening, and when it fails.
#[derive(Default)]
struct Fault {
    count: u64,
    at: Option<(u64, StoreErrorKind)>,
}

impl Fault {
    fn schedule(&mut self, nth: u64, kind: StoreErrorKind) {
        self.at = Some((self.count.saturating_add(nth), kind));
    }

    fn next(&mut self, what: &str) -> Result<(), StoreError> {
        self.count = self.count.saturating_add(1);
        match self.at {
            Some((at, kind)) if at == self.count => {
                Err(StoreError::new(kind, format_args!("{what} {at} of this opening failed, as the test asked")))
            }
            _ => Ok(()),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

impl MemoryStore {
    /// A new, empty store, open.
    #[must_use]
    pub fn new() -> Self {
        let mut state = State { holder: Some(1), openings: 1, ..State::default() };
        state.settle(&vec![(format::KEY.encode(), Some(format::record()))]);
        state.written.clone_from(&state.durable);
        MemoryStore { disk: Arc::new(Disk { state: Mutex::new(state), barrier_moved: Condvar::new() }), opening: 1 }
    }

    /// Opens the store anew after a crash or a close: what was durable, without faults. Older handles stay dead.
    ///
    /// # Errors
    /// [`StoreErrorKind::Held`] while it is open; what a damaged or newer format record causes;
    /// [`StoreErrorKind::Corrupt`] when it does not hold what was committed.
    pub fn reopen(&self) -> Result<MemoryStore, StoreError> {
        let mut state = self.disk.lock();
        if state.holder.is_some() {
            return Err(StoreError::held("in memory".as_ref(), Some(std::process::id())));
        }
        match state.durable.get(&format::KEY.encode()) {
            Some(record) => drop(format::check(record)?),
            None => return Err(StoreError::corrupt("it has no format record")),
        }
        let reading = state.read_all();
        reading.judge(&state.ledger)?;
        let opening = state.openings.saturating_add(1);
        let durable = std::mem::take(&mut state.durable);
        *state = State {
            written: durable.clone(),
            durable,
            ledger: reading.found,
            holder: Some(opening),
            openings: opening,
            ..State::default()
        };
        Ok(MemoryStore { disk: Arc::clone(&self.disk), opening })
    }

    /// A store of its own that holds what this one does, and is open.
    #[cfg(feature = "verify")]
    #[must_use]
    pub fn fork(&self) -> MemoryStore {
        let from = self.disk.lock();
        let state = State {
            durable: from.durable.clone(),
            ledger: from.ledger.clone(),
            written: from.written.clone(),
            unsynced: from.unsynced.clone(),
            holder: Some(1),
            openings: 1,
            ..State::default()
        };
        MemoryStore { disk: Arc::new(Disk { state: Mutex::new(state), barrier_moved: Condvar::new() }), opening: 1 }
    }

    /// The first half of a commit: readers see it, a crash may undo it.
    ///
    /// # Errors
    /// As [`Store::commit`]. A commit whose write failed may still survive a crash, whole: the disk may have taken it.
    pub fn write(&self, writes: Writes) -> Result<(), StoreError> {
        let mut state = self.open_state()?;
        let batch = writes.encoded()?;
        let outcome = state.writes.next("write");
        if outcome.is_ok() {
            apply(&mut state.written, &batch);
        }
        state.unsynced.push(batch);
        outcome.map_err(|error| state.end(error))
    }

    /// The second half: all that was written survives from here on.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn barrier(&self) -> Result<Durable, StoreError> {
        let mut state = self.open_state()?;
        let covered = state.unsynced.len();
        while state.holding && state.check(self.opening).is_ok() {
            state.waiting = true;
            self.disk.barrier_moved.notify_all();
            state = self.disk.barrier_moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting = false;
        state.check(self.opening)?;
        if let Err(error) = state.barriers.next("barrier") {
            return Err(state.end(error));
        }
        state.sync(covered);
        state.sequence = state.sequence.saturating_add(1);
        Ok(Durable { sequence: state.sequence })
    }

    /// Ends this opening without a close, as a kill or a power failure does. A store that is not open stays as it is.
    pub fn crash(&self, fate: Fate) {
        let mut state = self.disk.lock();
        if state.holder != Some(self.opening) {
            return;
        }
        let unsynced = std::mem::take(&mut state.unsynced);
        for (batch, index) in unsynced.iter().zip(0..) {
            if fate.keeps(index) {
                state.settle(batch);
            }
        }
        state.holder = None;
        state.ended = Some(StoreError::new(
            StoreErrorKind::Failed,
            "the store crashed, as the test asked. Open it again to go on",
        ));
        self.disk.barrier_moved.notify_all();
    }

    /// The `nth` write from now (the next one is 1) fails with `kind`, and the store ends.
    pub fn fail_write(&self, nth: u64, kind: StoreErrorKind) {
        self.disk.lock().writes.schedule(nth, kind);
    }

    /// The `nth` barrier from now (the next one is 1) fails with `kind`, and the store ends. What it should have made
    /// durable may survive a crash or not.
    pub fn fail_barrier(&self, nth: u64, kind: StoreErrorKind) {
        self.disk.lock().barriers.schedule(nth, kind);
    }

    /// Barriers hang from now on, as those of a slow disk do.
    pub fn hold_barriers(&self) {
        self.disk.lock().holding = true;
    }

    /// Blocks until a commit hangs in a barrier that is held.
    pub fn wait_for_barrier(&self) {
        let mut state = self.disk.lock();
        while !state.waiting {
            state = self.disk.barrier_moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Barriers that hang go on, and later ones do not hang.
    pub fn release_barriers(&self) {
        self.disk.lock().holding = false;
        self.disk.barrier_moved.notify_all();
    }

    /// How many writes and barriers were begun in this opening: a sweep over every n knows where to stop.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let state = self.disk.lock();
        (state.writes.count, state.barriers.count)
    }

    /// How many commits a crash could undo now.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.disk.lock().unsynced.len()
    }

    /// The record that would be under `key` after a power failure now; also when the store is not open.
    #[must_use]
    pub fn durable(&self, key: &Key) -> Option<Vec<u8>> {
        self.disk.lock().durable.get(&key.encode()).cloned()
    }

    /// All records that a power failure now would leave, in key order; also when the store is not open.
    #[must_use]
    pub fn durable_records(&self) -> Vec<(Key, Vec<u8>)> {
        let state = self.disk.lock();
        state.durable.iter().filter_map(|(key, value)| Some((Key::decode(key)?, value.clone()))).collect()
    }

    /// Changes the durable record under `key` behind the store's back, as a failing disk does. Says whether there was one.
    pub fn tamper(&self, key: &Key, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.disk.lock();
        let bytes = key.encode();
        let Some(record) = state.durable.get_mut(&bytes) else { return false };
        change(record);
        let changed = record.clone();
        state.written.insert(bytes, changed);
        true
    }

    /// Puts `value` under `key`, or takes away what is there, behind the store's back. Says what was there.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn replace(&self, key: &Key, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut state = self.disk.lock();
        let batch = vec![(key.encode(), value)];
        let before = state.durable.get(&key.encode()).cloned();
        apply(&mut state.durable, &batch);
        apply(&mut state.written, &batch);
        before
    }

    fn open_state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.disk.lock();
        state.check(self.opening)?;
        Ok(state)
    }
}

impl Disk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, opening: u64) -> Result<(), StoreError> {
        if self.openings != opening {
            return Err(StoreError::new(StoreErrorKind::Failed, "the store was opened anew. Use its new handle"));
        }
        match &self.ended {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn end(&mut self, error: StoreError) -> StoreError {
        self.ended = Some(error.ended());
        error
    }

    fn sync(&mut self, covered: usize) {
        let batches: Vec<Batch> = self.unsynced.drain(..covered).collect();
        for batch in &batches {
            self.settle(batch);
        }
    }

    fn read_all(&self) -> Reading {
        let mut reading = Reading::default();
        for (key, value) in &self.durable {
            reading.take(key, value);
        }
        reading
    }

    /// A commit becomes durable, and its ledger with it.
    fn settle(&mut self, batch: &Batch) {
        self.ledger = self.ledger.numbered(self.ledger.commit.saturating_add(1));
        for (key, value) in batch {
            self.ledger.change(key, self.durable.get(key).map(Vec::as_slice), value.as_deref());
        }
        apply(&mut self.durable, batch);
    }
}

fn apply(records: &mut Records, batch: &Batch) {
    for (key, value) in batch {
        match value {
            Some(value) => records.insert(key.clone(), value.clone()),
            None => records.remove(key),
        };
    }
}

impl Store for MemoryStore {
    fn commit(&self, writes: Writes) -> Result<Durable, StoreError> {
        self.write(writes)?;
        self.barrier()
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.open_state()?.written.get(&key.encode()).cloned())
    }

    fn scan(&self, table: Table, from: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        let (first, end) = span(table, from);
        let state = self.open_state()?;
        state.written.range(first..end).take(limit).map(|(key, value)| decoded(key, value)).collect()
    }

    fn size(&self) -> Result<u64, StoreError> {
        let state = self.open_state()?;
        let bytes: usize = state.written.iter().map(|(key, value)| key.len().saturating_add(value.len())).sum();
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    fn damaged(&self) -> Vec<(Key, Damage)> {
        self.disk.lock().read_all().damaged
    }

    fn close(&self) -> Result<(), StoreError> {
        let mut state = self.disk.lock();
        if state.holder != Some(self.opening) {
            return Ok(());
        }
        let last = match state.check(self.opening) {
            Ok(()) => state.barriers.next("barrier"),
            Err(ended) => Err(ended),
        };
        if last.is_ok() {
            let covered = state.unsynced.len();
            state.sync(covered);
        }
        state.holder = None;
        state.ended.get_or_insert_with(StoreError::closed);
        self.disk.barrier_moved.notify_all();
        last
    }
}

#[cfg(test)]
mod tests;
