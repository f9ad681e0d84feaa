//! The records that the base holds, in blocks.
//!
//! The base's key of a block is 1, then a record's key that is not greater than any in the block; the block reaches up to
//! the next one's. Each block holds records of one table. Keys that begin with 0 are the store's own; those of records as
//! they are (a letter first) were written up to format 2, where each record had a key of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use super::base::Base;
use super::block::{self, Block};
use super::error::StoreError;
use super::journal::salt;
use super::keys::Key;
use super::ledger::{self, Ledger, Reading};
use super::{Batch, Change, Pair};

/// What the base's key of a block begins with.
const BLOCK: u8 = 1;

/// Where the store's number is kept.
const IDENTITY: &[u8] = b"\0store";

/// Where the weight of all records is kept. An estimate: nothing depends on it but when a base is written anew.
const WEIGHT: &[u8] = b"\0weight";

/// What comes behind the last block.
const BEHIND: u8 = 2;

/// Records changed since: a value is put, `None` deletes.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// So many bytes of records at most are put into one block, to be cut, before the base is told.
const PORTION: usize = 1 << 17;

/// So many blocks at most are written while readers wait.
const AT_ONCE: usize = 64;

pub(super) struct Blocks {
    base: Box<dyn Base>,
    ledger: Mutex<Ledger>,
    identity: u64,
    /// About how many bytes the records take, keys included. Kept under [`WEIGHT`], so that it is known without reading all.
    weight: AtomicU64,
    /// A reading of everything that is under way. Whoever changes blocks keeps it true.
    check: Mutex<Option<Check>>,
    /// Readers of several blocks see them as they stand between two batches.
    turn: RwLock<()>,
}

/// How far a reading has come, and what it has found.
struct Check {
    reading: Reading,
    /// Every record below this key was read.
    cursor: Vec<u8>,
}

impl Blocks {
    pub(super) fn new(base: Box<dyn Base>, ledger: Ledger) -> Blocks {
        let number =
            |key| base.get(key).ok().flatten().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        let (weight, identity) = (AtomicU64::new(number(WEIGHT)), number(IDENTITY));
        Blocks { base, ledger: Mutex::new(ledger), weight, identity, check: Mutex::new(None), turn: RwLock::new(()) }
    }

    /// An empty base, with a number by which its journal knows it.
    pub(super) fn begin(base: Box<dyn Base>) -> Result<Blocks, StoreError> {
        let number = salt().map_err(|error| StoreError::io("drawing a number for it", &error))?;
        base.apply(vec![(IDENTITY.to_vec(), Some(number.to_le_bytes().to_vec()))])?;
        Ok(Blocks::new(base, Ledger::default()))
    }

    pub(super) fn base(&self) -> &dyn Base {
        self.base.as_ref()
    }

    pub(super) fn release(self) {
        self.base.release();
    }

    pub(super) fn into_base(self) -> Box<dyn Base> {
        self.base
    }

    /// Which store this is: drawn when its base was made, and known to its journal.
    pub(super) fn identity(&self) -> u64 {
        self.identity
    }

    /// About how many bytes the records take.
    pub(super) fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    /// What the last checkpoint counted.
    pub(super) fn ledger(&self) -> Ledger {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The record under this key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let _turn = self.turn.read().unwrap_or_else(PoisonError::into_inner);
        let Some((at, bytes)) = self.holder(key)? else { return Ok(None) };
        Ok(read(&at, &bytes)?.get(key).map(<[u8]>::to_vec))
    }

    /// The block that holds `key`, if any does.
    fn holder(&self, key: &[u8]) -> Result<Option<Pair>, StoreError> {
        let table = key.get(..1).unwrap_or_default();
        self.base.last(&block_key(table), &block_key(key))
    }

    /// The records from `from` (inclusive) up to `to`, in key order, until `take` says that it has enough.
    pub(super) fn forward(
        &self,
        from: &[u8],
        to: &[u8],
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let _turn = self.turn.read().unwrap_or_else(PoisonError::into_inner);
        let first = self.holder(from)?.map_or_else(|| block_key(from), |(at, _)| at);
        let mut fault = None;
        self.base.forward(&first, &block_key(to), &mut |at, bytes| match read(at, bytes) {
            Err(error) => {
                fault = Some(error);
                false
            }
            Ok(block) => {
                block.entries().skip_while(|(key, _)| *key < from).all(|(key, value)| key < to && take(key, value))
            }
        })?;
        fault.map_or(Ok(()), Err)
    }

    /// The same from the end.
    pub(super) fn backward(
        &self,
        from: &[u8],
        to: &[u8],
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let _turn = self.turn.read().unwrap_or_else(PoisonError::into_inner);
        let first = self.holder(from)?.map_or_else(|| block_key(from), |(at, _)| at);
        let mut fault = None;
        self.base.backward(&first, &block_key(to), &mut |at, bytes| match read(at, bytes) {
            Err(error) => {
                fault = Some(error);
                false
            }
            Ok(block) => {
                let entries: Vec<_> = block.entries().filter(|(key, _)| *key >= from && *key < to).collect();
                entries.into_iter().rev().all(|(key, value)| take(key, value))
            }
        })?;
        fault.map_or(Ok(()), Err)
    }

    /// Takes changes in, those of commits up to number `through`, and makes that durable. Taking them in twice is taking
    /// them in once, so that a crash in between does no harm.
    pub(super) fn merge(&self, changes: &Changes, through: u64) -> Result<(), StoreError> {
        let mut merge = Merge { blocks: self, batch: Batch::new(), moved: Vec::new(), left: None };
        let mut changes = changes.iter().peekable();
        while let Some((key, _)) = changes.peek() {
            let (at, entries) = self.opened(key)?;
            let end = self.end(&at)?;
            let (mut due, mut bytes) = (Vec::new(), 0_usize);
            while bytes < PORTION
                && let Some((key, value)) = changes.next_if(|(key, _)| inside(key, &at, end.as_deref()))
            {
                bytes = bytes.saturating_add(block::cost(key, value.as_deref().unwrap_or_default()));
                due.push((key.clone(), value.clone()));
            }
            merge.block(at, entries, due, end);
            // What comes next may belong to a block that was just made.
            if bytes >= PORTION || merge.batch.len() >= AT_ONCE {
                merge.apply(None)?;
            }
        }
        merge.apply(Some(through))?;
        self.base.sync()
    }

    /// The block that is to hold `key`, with its records: one that is there, or a new one.
    fn opened(&self, key: &[u8]) -> Result<(Vec<u8>, Vec<Pair>), StoreError> {
        match self.holder(key)? {
            None => Ok((block_key(key), Vec::new())),
            Some((at, bytes)) => {
                let entries = read(&at, &bytes)?.entries().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
                Ok((at, entries))
            }
        }
    }

    /// The key of the block behind this one, if there is one of its table.
    fn end(&self, at: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let behind = [at, &[0]].concat();
        let table_end = [BLOCK, at.get(1).copied().unwrap_or_default().saturating_add(1)];
        let mut next = None;
        self.base.forward(&behind, &table_end, &mut |key, _| {
            next = Some(key.to_vec());
            false
        })?;
        Ok(next)
    }

    /// Begins to read everything, in [`Blocks::check_some`].
    pub(super) fn begin_check(&self) {
        let check = Check { reading: Reading::default(), cursor: Vec::new() };
        *self.check.lock().unwrap_or_else(PoisonError::into_inner) = Some(check);
    }

    /// Reads some more. At the end tells what was read, beside what was counted.
    pub(super) fn check_some(&self, most: usize) -> Result<Option<(Reading, Ledger)>, StoreError> {
        let mut checking = self.check.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(check) = checking.as_mut() else { return Ok(None) };
        let (mut left, mut fault, mut more) = (most, None, false);
        // A block may have taken in the next one since: what was read of it is passed over.
        let seen = check.cursor.clone();
        let from = self.holder(&seen)?.map_or_else(|| block_key(&seen), |(at, _)| at);
        let mut walk = Walk::over(self.base());
        self.base.forward(&from, &[BEHIND], &mut |at, bytes| {
            if left == 0 {
                more = true;
                check.cursor = at.get(1..).unwrap_or_default().to_vec();
                return false;
            }
            left = left.saturating_sub(1);
            match walk.step(at, bytes) {
                Ok(block) => block
                    .entries()
                    .filter(|(key, _)| *key >= seen.as_slice())
                    .for_each(|(key, value)| check.reading.take(key, value)),
                Err(error) => fault = Some(error),
            }
            fault.is_none()
        })?;
        match fault {
            Some(error) => Err(error),
            None if more => Ok(None),
            None => Ok(checking.take().map(|check| (check.reading, self.ledger()))),
        }
    }

    /// Counts what is there from here on as what should be there.
    pub(super) fn count_as(&self, ledger: Ledger) {
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = ledger;
    }
}

/// Reads everything that a base holds, and gives each record to `take`. The blocks that cannot be read are told.
pub(super) fn read_everything(base: &dyn Base, reading: &mut Reading) -> Result<(), StoreError> {
    let (mut fault, mut walk) = (None, Walk::over(base));
    base.forward(&[BLOCK], &[u8::MAX], &mut |at, bytes| {
        if at.first() == Some(&BLOCK) {
            match walk.step(at, bytes) {
                Ok(block) => block.entries().for_each(|(key, value)| reading.take(key, value)),
                Err(error) => fault = Some(error),
            }
        } else {
            reading.take(at, bytes);
        }
        fault.is_none()
    })?;
    fault.map_or(Ok(()), Err)
}

/// A way through all blocks, one after the other. Each is where its records are looked for: found by its key, behind the
/// records before it, and not behind its own. redb finds its way by keys that nothing vouches for, and a changed one hides
/// from a reader of one record what a reader of all sees.
struct Walk<'a> {
    base: &'a dyn Base,
    /// The last record before.
    last: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn over(base: &'a dyn Base) -> Self {
        Walk { base, last: Vec::new() }
    }

    fn step<'b>(&mut self, at: &[u8], bytes: &'b [u8]) -> Result<Block<'b>, StoreError> {
        let block = read(at, bytes)?;
        let mut keys = block.entries().map(|(key, _)| key);
        let (first, begins) = (keys.next().unwrap_or_default(), at.get(1..).unwrap_or_default());
        let in_order = self.last.as_slice() < begins && begins <= first && begins.first() == first.first();
        if !in_order || self.base.get(at)?.as_deref() != Some(bytes) {
            let name = named_in_words(at);
            return Err(StoreError::corrupt(format_args!(
                "the block of records that begins at {name} is not where it is looked for"
            )));
        }
        self.last = keys.last().unwrap_or(first).to_vec();
        Ok(block)
    }
}

/// A merge of changes, block by block in key order.
struct Merge<'a> {
    blocks: &'a Blocks,
    batch: Batch,
    /// What changed for each record, for those who count: the old value, and the new one.
    moved: Vec<(Change, Option<Vec<u8>>)>,
    left: Option<Left>,
}

/// The block that was made last. It may take in the one behind it.
struct Left {
    at: Vec<u8>,
    records: Vec<Pair>,
    /// The key of the block behind it.
    behind: Option<Vec<u8>>,
}

impl Merge<'_> {
    fn block(&mut self, at: Vec<u8>, entries: Vec<Pair>, due: Vec<Change>, end: Option<Vec<u8>>) {
        let mut merged = self.merged(entries, due);
        let mut first = at;
        if let Some(mut left) = self.left.take_if(|left| {
            let weight = block::weight(&left.records);
            left.behind.as_deref() == Some(first.as_slice())
                && weight < block::SPARSE
                && weight.saturating_add(block::weight(&merged)) <= block::FULL
        }) {
            left.records.append(&mut merged);
            merged = left.records;
            self.batch.push((std::mem::replace(&mut first, left.at), None));
        }
        self.emit();
        let mut blocks = block::pack(merged);
        let last = blocks.pop().unwrap_or_default();
        for records in blocks {
            let key = std::mem::take(&mut first);
            self.batch.push((named(key, &records), Some(block::encode(&records))));
        }
        self.left = Some(Left { at: named(first, &last), records: last, behind: end });
    }

    fn merged(&mut self, entries: Vec<Pair>, due: Vec<Change>) -> Vec<Pair> {
        let mut merged = Vec::with_capacity(entries.len().saturating_add(due.len()));
        let mut entries = entries.into_iter().peekable();
        for (key, value) in due {
            while let Some(entry) = entries.next_if(|(known, _)| *known < key) {
                merged.push(entry);
            }
            let old = entries.next_if(|(known, _)| *known == key).map(|(_, old)| old);
            if let Some(value) = &value {
                merged.push((key.clone(), value.clone()));
            }
            self.moved.push(((key, old), value));
        }
        merged.extend(entries);
        merged
    }

    /// Puts the last block, or takes it away if it is empty.
    fn emit(&mut self) {
        if let Some(Left { at, records, .. }) = self.left.take() {
            let bytes = (!records.is_empty()).then(|| block::encode(&records));
            self.batch.push((at, bytes));
        }
    }

    /// Applies what was gathered, with what it counts. Nothing is held back: a block that was cut is there with all parts.
    fn apply(&mut self, through: Option<u64>) -> Result<(), StoreError> {
        self.emit();
        let mut batch = std::mem::take(&mut self.batch);
        let mut ledger = self.blocks.ledger();
        let mut checking = self.blocks.check.lock().unwrap_or_else(PoisonError::into_inner);
        let mut weight = self.blocks.weight();
        for ((key, old), new) in self.moved.drain(..) {
            let cost = |value: &Vec<u8>| u64::try_from(block::cost(&key, value)).unwrap_or(u64::MAX);
            weight = weight.saturating_add(new.as_ref().map_or(0, cost)).saturating_sub(old.as_ref().map_or(0, cost));
            ledger.change(&key, old.as_deref(), new.as_deref());
            if let Some(check) = checking.as_mut().filter(|check| key < check.cursor) {
                check.reading.found.change(&key, old.as_deref(), new.as_deref());
            }
        }
        ledger.commit = through.unwrap_or(ledger.commit);
        batch.push((ledger::KEY.to_vec(), Some(ledger.encode())));
        batch.push((WEIGHT.to_vec(), Some(weight.to_le_bytes().to_vec())));
        let _turn = self.blocks.turn.write().unwrap_or_else(PoisonError::into_inner);
        self.blocks.base.apply(batch)?;
        self.blocks.weight.store(weight, Ordering::Relaxed);
        *self.blocks.ledger.lock().unwrap_or_else(PoisonError::into_inner) = ledger;
        Ok(())
    }
}

/// The key of a block that was cut off another: its first record's. The first part keeps the key that it had.
fn named(key: Vec<u8>, records: &[Pair]) -> Vec<u8> {
    if key.is_empty() { records.first().map_or_else(Vec::new, |(first, _)| block_key(first)) } else { key }
}

fn block_key(key: &[u8]) -> Vec<u8> {
    [&[BLOCK], key].concat()
}

/// Whether the record under `key` belongs to the block at `at`, which ends before the one at `end`.
fn inside(key: &[u8], at: &[u8], end: Option<&[u8]>) -> bool {
    let same_table = at.get(1) == key.first();
    same_table && end.is_none_or(|end| end.get(1..).is_none_or(|end| key < end))
}

fn read<'a>(at: &[u8], bytes: &'a [u8]) -> Result<Block<'a>, StoreError> {
    Block::read(bytes).ok_or_else(|| {
        let name = named_in_words(at);
        StoreError::corrupt(format_args!("the block of records that begins at {name} does not verify"))
    })
}

/// A block's key, for people.
fn named_in_words(at: &[u8]) -> String {
    at.get(1..).and_then(Key::decode).map_or_else(|| format!("{at:02x?}"), |key| key.to_string())
}
