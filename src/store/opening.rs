//! Opening a store on disk: its lock, its base, what its journal adds, and whether that is everything.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::base::{Base, StoreKind};
use super::blocks::{self, Blocks, Changes};
use super::codec::Damage;
use super::disk::DiskOptions;
use super::error::{StoreError, StoreErrorKind};
use super::folder::lock;
use super::format::{self, FORMAT};
use super::journal::{Found, Journal};
use super::keys::Key;
use super::ledger::{self, Ledger, Reading};
use super::mark::{self, Mark, Witness};
use super::{Batch, SledPages, convert};
use crate::unix;

/// Where the journal lies in a store's directory.
pub(super) const JOURNAL: &str = "journal";

/// A base of more bytes is read whole behind the start. Reading so many takes a fraction of a second.
const READ_BEFORE: u64 = 64 << 20;

/// A base of so many bytes is left as it is.
#[cfg(not(test))]
const SMALL: u64 = 64 << 20;
#[cfg(test)]
const SMALL: u64 = 4 << 20;

/// A larger base that takes so many times what its records take is written anew before it is used.
const BLOATED: u64 = 4;

/// A store that was opened.
pub(super) struct Opening {
    pub(super) blocks: Blocks,
    /// What the journal adds to the base.
    pub(super) newest: Changes,
    pub(super) last: u64,
    pub(super) journal: Journal,
    pub(super) mark: Mark,
    pub(super) damaged: Vec<(Key, Damage)>,
    /// Whether the base is still to be read whole.
    pub(super) unread: bool,
    pub(super) lock: File,
}

/// Opens the store in the directory `path`, and creates both when there is none.
pub(super) fn open(path: &Path, options: &DiskOptions) -> Result<Opening, StoreError> {
    let creating = |error: io::Error| StoreError::io(format_args!("creating {}", path.display()), &error);
    unix::private_dir(path).map_err(creating)?;
    let lock = lock(path)?;
    convert::finish(path).map_err(creating)?;
    let witness = Mark::read(path).map_err(creating)?;
    let kind = kind(path, options.kind, witness)?;
    let check = |last: u64, early: bool| if options.accept_gap { Ok(()) } else { mark::check(witness, last, early) };
    let blocks = match State::read(base(path, kind, options.cache_bytes)?)? {
        State::Blocks(blocks) => slim(path, kind, blocks, options.cache_bytes)?,
        State::New(base) => {
            check(0, true)?;
            begun(base)?
        }
        State::Older { base: older, ledger, numbered } => {
            check(ledger.commit, numbered)?;
            match State::read(convert::raise(path, kind, older, &ledger, options.cache_bytes)?)? {
                State::Blocks(blocks) => blocks,
                _ => return Err(StoreError::corrupt("it was raised to this format, and is not of it")),
            }
        }
    };
    let mut newest = Changes::new();
    let mut found = journal(path, &blocks, &mut newest)?;
    if let Some(fault) = found.fault.take() {
        if !options.accept_gap {
            return Err(mark::gap(fault));
        }
        // What the journal holds behind the fault is given up with the rest of it.
        blocks.merge(&std::mem::take(&mut newest), found.last)?;
        found = found.given_up();
    }
    check(found.last, false)?;
    let last = found.last;
    let unread = size(path).map_err(creating)? > READ_BEFORE;
    let damaged = if unread { Vec::new() } else { read_whole(&blocks)? };
    let journal = Journal::open(&path.join(JOURNAL), blocks.identity(), found).map_err(creating)?;
    let mark = Mark::open(path).and_then(|mark| mark.set(last).map(|()| mark)).map_err(creating)?;
    Ok(Opening { blocks, newest, last, journal, mark, damaged, unread, lock })
}

/// Whether a copy of a store would open. Its format and its witness stay as they are.
pub(super) fn look(path: &Path, kind: StoreKind) -> Result<(), StoreError> {
    let reading = |error: io::Error| StoreError::io("reading it", &error);
    let witness = Mark::read(path).map_err(reading)?;
    match State::read(base(path, kind, DiskOptions::default().cache_bytes)?)? {
        State::New(_) => mark::check(witness, 0, true),
        State::Older { ledger, numbered, .. } => mark::check(witness, ledger.commit, numbered),
        State::Blocks(blocks) => {
            let found = journal(path, &blocks, &mut Changes::new())?;
            if let Some(fault) = found.fault {
                return Err(mark::gap(fault));
            }
            mark::check(witness, found.last, false)?;
            read_whole(&blocks).map(drop)
        }
    }
}

/// The base of these blocks; written anew first when most of its file is empty.
fn slim(path: &Path, kind: StoreKind, blocks: Blocks, cache_bytes: u64) -> Result<Blocks, StoreError> {
    let measured = size(&path.join(kind.place())).map_err(|error| StoreError::io("measuring it", &error))?;
    if measured <= SMALL.max(blocks.weight().saturating_mul(BLOATED)) {
        return Ok(blocks);
    }
    let ledger = blocks.ledger();
    Ok(Blocks::new(convert::compact(path, kind, blocks.into_base(), &ledger, cache_bytes)?, ledger))
}

/// Reads what the journal adds.
fn journal(path: &Path, blocks: &Blocks, newest: &mut Changes) -> Result<Found, StoreError> {
    let mut take = |_, batch: Batch| newest.extend(batch);
    Journal::read(&path.join(JOURNAL), blocks.identity(), blocks.ledger().commit, &mut take)
        .map_err(|error| StoreError::io("reading its journal", &error))
}

/// Reads the base whole and holds it against its ledger. Tells what does not verify, which is no reason to refuse the rest.
fn read_whole(blocks: &Blocks) -> Result<Vec<(Key, Damage)>, StoreError> {
    let counted = blocks.ledger();
    let mut reading = Reading::default();
    blocks::read_everything(blocks.base(), &mut reading)?;
    reading.judge(&counted)?;
    // A record in doubt counts as it is from here on: the hash would never fit again, and say nothing about others.
    blocks.count_as(reading.found.numbered(counted.commit));
    Ok(reading.damaged)
}

/// What a base holds.
#[expect(clippy::large_enum_variant, reason = "there is one, for a moment")]
enum State {
    /// Nothing at all.
    New(Box<dyn Base>),
    /// This format.
    Blocks(Blocks),
    /// Up to format 2: each record under a key of its own, and all of them read. `numbered`: format 1, without a ledger.
    Older { base: Box<dyn Base>, ledger: Ledger, numbered: bool },
}

impl State {
    fn read(base: Box<dyn Base>) -> Result<State, StoreError> {
        let older = base.get(&format::KEY.encode())?;
        let written = base.get(ledger::KEY)?.map(|bytes| Ledger::decode(&bytes));
        if let Some(Some(ledger)) = &written
            && older.is_none()
        {
            let blocks = Blocks::new(base, ledger.clone());
            let record = blocks.get(&format::KEY.encode())?;
            return match record.map(|record| format::check(&record)).transpose()? {
                Some(FORMAT) => Ok(State::Blocks(blocks)),
                _ => Err(StoreError::corrupt("it holds records, but not the one that says their format")),
            };
        }
        let last = base.get(format::LAST)?.and_then(|note| mark::number(&note)).unwrap_or_default();
        let mut reading = Reading::default();
        blocks::read_everything(base.as_ref(), &mut reading)?;
        match (older.map(|record| format::check(&record)).transpose()?, written) {
            (_, Some(None)) => Err(StoreError::corrupt("its ledger does not verify")),
            (Some(_), Some(Some(ledger))) => {
                reading.judge(&ledger)?;
                Ok(State::Older { base, ledger: reading.found.numbered(ledger.commit), numbered: false })
            }
            (Some(1), None) => Ok(State::Older { base, ledger: reading.found.numbered(last), numbered: true }),
            (None, None) if reading.is_empty() => Ok(State::New(base)),
            (None, _) if reading.found.count(super::Table::Meta) == 0 => {
                Err(StoreError::corrupt("it holds records, but not the one that says their format"))
            }
            _ => Err(StoreError::corrupt("its ledger is missing")),
        }
    }
}

/// A new base with the record that says its format.
fn begun(base: Box<dyn Base>) -> Result<Blocks, StoreError> {
    let blocks = Blocks::begin(base)?;
    blocks.merge(&Changes::from([(format::KEY.encode(), Some(format::record()))]), 0)?;
    Ok(blocks)
}

/// The kind of the store at `path`, which is the one that is wanted. A directory in which commits were acknowledged, and no base
/// is, is none to make a new base in: that would hide the loss.
fn kind(path: &Path, wanted: StoreKind, witness: Witness) -> Result<StoreKind, StoreError> {
    let found: Vec<StoreKind> =
        StoreKind::ALL.iter().copied().filter(|kind| path.join(kind.place()).exists()).collect();
    let names = StoreKind::ALL.iter().map(|kind| kind.place()).collect::<Vec<_>>();
    if found.len() > 1 {
        let names = names.join(" and ");
        return Err(StoreError::corrupt(format_args!(
            "{} holds {names}, of which only one can be its own",
            path.display()
        )));
    }
    let journal =
        Journal::is_there(&path.join(JOURNAL)).map_err(|error| StoreError::io("reading its journal", &error))?;
    if found.is_empty() && (journal || matches!(witness, Witness::Reached(1..))) {
        let names = names.join(" nor ");
        return Err(StoreError::corrupt(format_args!(
            "neither {names} is in {}, although commits were acknowledged there: what they held is missing",
            path.display()
        )));
    }
    match found.first().copied() {
        Some(found) if found != wanted => Err(StoreError::new(
            StoreErrorKind::Format,
            format_args!(
                "the store {} is of kind {}, and store.kind asks for {}. Set store.kind to {}, or move it: `outlast export` here, `outlast import` there",
                path.display(),
                found.name(),
                wanted.name(),
                found.name()
            ),
        )),
        _ => Ok(wanted),
    }
}

/// Opens the base of the store at `path`, and makes it when there is none.
pub(super) fn base(path: &Path, kind: StoreKind, cache_bytes: u64) -> Result<Box<dyn Base>, StoreError> {
    Ok(match kind {
        StoreKind::Sled => Box::new(SledPages::open(path, cache_bytes)?),
        #[cfg(feature = "redb")]
        StoreKind::Redb => Box::new(super::RedbTable::open(path, cache_bytes)?),
    })
}

/// Opens what was copied from a store's base to `path`, with nothing done before.
pub(super) fn base_as_it_is(path: &Path, kind: StoreKind, cache_bytes: u64) -> Result<Box<dyn Base>, StoreError> {
    match kind {
        StoreKind::Sled => Ok(Box::new(SledPages::open_copy(&path.join(kind.place()), cache_bytes)?)),
        #[cfg(feature = "redb")]
        StoreKind::Redb => base(path, kind, cache_bytes),
    }
}

/// What the files of a directory take together.
pub(super) fn size(path: &Path) -> io::Result<u64> {
    if path.is_file() {
        return Ok(path.metadata()?.len());
    }
    let mut bytes = 0_u64;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // A file may go while it is looked at.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes = bytes.saturating_add(if metadata.is_dir() { size(&entry.path())? } else { metadata.len() });
    }
    Ok(bytes)
}

/// Changes records of a closed store behind its back: no ledger counts them. Keys that begin with 0 are the store's own.
#[cfg(any(test, feature = "verify"))]
pub(crate) fn tamper(path: &Path, kind: StoreKind, changes: Vec<super::Change>) -> Result<(), StoreError> {
    let base = base(path, kind, READ_BEFORE)?;
    let counted = base.get(ledger::KEY)?;
    let ledger = counted.as_deref().and_then(Ledger::decode).unwrap_or_default();
    let blocks = Blocks::new(base, ledger);
    let (own, records): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(key, _)| key.first() == Some(&0));
    blocks.merge(&records.into_iter().collect(), 0)?;
    blocks.base().apply(vec![(ledger::KEY.to_vec(), counted)])?;
    blocks.base().apply(own)?;
    blocks.base().sync()?;
    blocks.release();
    Ok(())
}
