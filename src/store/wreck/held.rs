//! What can be read of a copy: its base, and what its journal adds.

use std::io;
use std::path::Path;

use crate::store::Batch;
use crate::store::base::Base;
use crate::store::blocks::{Blocks, Changes};
use crate::store::error::StoreError;
use crate::store::format;
use crate::store::journal::Journal;
use crate::store::layers::Layers;
use crate::store::ledger::{self, Ledger};
use crate::store::opening::JOURNAL;

/// A copy of a store, as far as it can be read.
pub(super) struct Held {
    blocks: Blocks,
    /// Each record has a key of its own, up to format 2.
    older: bool,
    pub(super) layers: Layers,
    /// The number of the last commit in the journal.
    pub(super) last: Option<u64>,
}

impl Held {
    /// What a base is: its ledger where that verifies, and its format where that can be read.
    pub(super) fn read(base: Box<dyn Base>) -> (Held, Option<Ledger>, Option<u32>) {
        let read = |key: &[u8]| base.get(key).ok().flatten();
        let ledger = read(ledger::KEY).as_deref().and_then(Ledger::decode);
        let record = read(&format::KEY.encode());
        let older = record.is_some();
        let blocks = Blocks::new(base, ledger.clone().unwrap_or_default());
        let record = record.or_else(|| blocks.get(&format::KEY.encode()).ok().flatten());
        let format = record.and_then(|record| format::check(&record).ok());
        (Held { blocks, older, layers: Layers::default(), last: None }, ledger, format)
    }

    /// Reads what the journal of the store at `path` adds, and says where that ended too early.
    pub(super) fn take_journal(&mut self, path: &Path) -> io::Result<Option<String>> {
        if self.older {
            return Ok(None);
        }
        let mut newest = Changes::new();
        let mut take = |_, batch: Batch| newest.extend(batch);
        let found = Journal::read(&path.join(JOURNAL), self.blocks.identity(), self.blocks.ledger().commit, &mut take)?;
        self.last = self.own(ledger::KEY).and_then(|bytes| Ledger::decode(&bytes)).map(|_| found.last);
        self.layers.newest = newest;
        Ok(found.fault)
    }

    /// What the last commit would have counted.
    pub(super) fn counted(&self, mut ledger: Ledger) -> Ledger {
        for (key, value) in &self.layers.newest {
            let old = self.blocks.get(key).ok().flatten();
            ledger.change(key, old.as_deref(), value.as_deref());
        }
        ledger
    }

    /// A key of the base's own.
    pub(super) fn own(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.blocks.base().get(key).ok().flatten()
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.layers.get(key) {
            Some(known) => Ok(known.map(<[u8]>::to_vec)),
            None if self.older => self.blocks.base().get(key),
            None => self.blocks.get(key),
        }
    }

    /// The records of the base, up to the first page or block that cannot be read.
    pub(super) fn forward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let mut take = |key: &[u8], value: &[u8]| {
            take(key, value);
            true
        };
        if self.older {
            self.blocks.base().forward(from, to, &mut take)
        } else {
            self.blocks.forward(from, to, &mut take)
        }
    }

    /// The same from the end.
    pub(super) fn backward(
        &self,
        from: &[u8],
        to: &[u8],
        take: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let mut take = |key: &[u8], value: &[u8]| {
            take(key, value);
            true
        };
        if self.older {
            self.blocks.base().backward(from, to, &mut take)
        } else {
            self.blocks.backward(from, to, &mut take)
        }
    }

    /// The records as they are with the journal.
    pub(super) fn merged(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        if self.older {
            return self.forward(from, to, take);
        }
        self.layers.forward(&self.blocks, from, to, &mut |key, value| {
            take(key, value);
            true
        })
    }
}
