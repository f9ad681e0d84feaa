//! A store as it lies there, for who examines it or saves what is left: what can be read of it, whether it opens or not.
//!
//! The base writes when it opens, and sled cuts off what it takes for an unfinished tail. So a copy of the directory is
//! opened, and the store itself is only read. A page that cannot be read holds many records; around it the others are read,
//! from both sides and from between. The journal is read up to where it is damaged.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::base::{Base, StoreKind};
use super::blocks::{Blocks, Changes};
use super::codec::Damage;
use super::error::{StoreError, StoreErrorKind};
use super::folder::{lock_to_look, unfinished_snapshots};
use super::journal::Journal;
use super::keys::{Key, Table};
use super::layers::Layers;
use super::ledger::{self, Ledger, Reading};
use super::mark::{self, Mark, Witness};
use super::opening::{self, JOURNAL};
use super::scratch::Scratch;
use super::{Durable, Store, Writes, decoded, format, span};
use crate::unix;

/// So many places between pages that cannot be read are tried for each table.
const PROBES: usize = 512;

/// What can be read of a store.
pub(crate) struct Wreck {
    copy: Held,
    scratch: Scratch,
    /// Of which kind the store is.
    pub(crate) kind: StoreKind,
    /// Why the store does not open as it is.
    pub(crate) refusal: Option<StoreError>,
    /// What had to be left out of the copy for sled to open it.
    pub(crate) left_out: Option<&'static str>,
    /// What the mark says: how many commits were acknowledged.
    pub(crate) acknowledged: Option<u64>,
    /// Why the witness does not vouch for the store.
    pub(crate) gap: Option<StoreError>,
    /// The layout, where its record can be read.
    pub(crate) format: Option<u32>,
    commit: Option<u64>,
    ledger: Option<Ledger>,
    /// Files that have no business in the directory.
    pub(crate) strays: Vec<PathBuf>,
}

/// A range of keys that could not be read, and why.
pub(crate) struct Unread {
    pub(crate) after: String,
    pub(crate) before: String,
    pub(crate) why: String,
}

/// What was found by reading all that can be read.
pub(crate) struct Survey {
    reading: Reading,
    ledger: Option<Ledger>,
    pub(crate) unread: Vec<Unread>,
}

impl Wreck {
    /// Copies the store at `path` to `scratch`, for as long as this lives, and opens the copy. There is one copy at a time.
    ///
    /// # Errors
    /// [`StoreErrorKind::Held`] while an engine has the store; when there is none, it cannot be copied, or it cannot be
    /// opened in any way.
    pub(crate) fn open(path: &Path, scratch: Scratch) -> Result<Wreck, StoreError> {
        let kind = present(path)?;
        let lock = lock_to_look(path)?;
        let failed = |error: io::Error| copying(scratch.path(), &error);
        let mut strays = Vec::new();
        if kind == StoreKind::Sled {
            strays.extend(unfinished_snapshots(&path.join(kind.place())).map_err(failed)?);
            strays.extend(entries(&path.join(kind.place()).join("blobs")).unwrap_or_default());
        }
        let witness = Mark::read(path).map_err(failed)?;
        let refusal = whole(path, kind, &scratch)?.err();
        let (base, left_out) = open_somehow(path, kind, scratch.path())?;
        let (mut copy, ledger, format) = Held::read(base);
        let fault = copy.take_journal(path).map_err(failed)?;
        drop(lock);

        let numbered = || copy.own(format::LAST).and_then(|note| mark::number(&note)); // format 1
        let commit = copy.last.or_else(|| ledger.as_ref().map(|ledger| ledger.commit)).or_else(numbered);
        let ledger = ledger.map(|ledger| copy.counted(ledger));
        // A ledger that is there and does not verify says nothing of the last commit.
        let last = commit.or_else(|| copy.own(ledger::KEY).is_none().then_some(0));
        let checked = last.and_then(|last| mark::check(witness, last, format == Some(1)).err());
        let gap = checked.or_else(|| fault.map(mark::gap));
        let acknowledged = if let Witness::Reached(commit) = witness { Some(commit) } else { None };
        Ok(Wreck { copy, scratch, kind, refusal, left_out, acknowledged, gap, format, commit, ledger, strays })
    }

    /// Where else something may be put for a time.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The number of the last commit.
    pub(crate) fn commit(&self) -> Option<u64> {
        self.commit
    }

    /// Whether somebody counted what should be there. Format 1 had no ledger.
    pub(crate) fn is_counted(&self) -> bool {
        self.ledger.is_some() || self.format == Some(1)
    }

    /// Reads all that can be read, gives each record to `each`, and counts it.
    pub(crate) fn survey(&self) -> Survey {
        let mut survey = Survey { reading: Reading::default(), ledger: self.ledger.clone(), unread: Vec::new() };
        for table in Table::ALL {
            let reading = &mut survey.reading;
            survey.unread.extend(self.through(table, &mut |key, value| reading.take(key, value)));
        }
        survey
    }

    /// Reads what can be read of a table. Tells what cannot.
    pub(crate) fn each(&self, table: Table, mut each: impl FnMut(Key, &[u8])) -> Vec<Unread> {
        self.through(table, &mut |key, value| {
            if let Some(key) = Key::decode(key) {
                each(key, value);
            }
        })
    }

    fn through(&self, table: Table, take: &mut dyn FnMut(&[u8], &[u8])) -> Vec<Unread> {
        let (from, to) = span(table, None);
        if self.copy.forward(&from, &to, &mut |_, _| {}).is_ok() {
            let read = self.copy.merged(&from, &to, take);
            return read.map_or_else(|error| joined(vec![(from, to, error.to_string())]), |()| Vec::new());
        }
        // What the journal has is newer, and told at the end.
        let newest = &self.copy.layers.newest;
        let unread = self.around(table, &mut |key, value| {
            if !newest.contains_key(key) {
                take(key, value);
            }
        });
        for (key, value) in newest.range(from..to) {
            if let Some(value) = value {
                take(key, value);
            }
        }
        unread
    }

    /// From both ends up to what cannot be read, then from the middle of that, as often as it is worth it.
    fn around(&self, table: Table, take: &mut dyn FnMut(&[u8], &[u8])) -> Vec<Unread> {
        let mut ranges = VecDeque::from([span(table, None)]);
        let (mut unread, mut probes) = (Vec::new(), 0_usize);
        while let Some((from, to)) = ranges.pop_front() {
            let (mut first, mut end) = (from.clone(), to.clone());
            let forward = self.copy.forward(&from, &to, &mut |key, value| {
                take(key, value);
                first = [key, &[0]].concat();
            });
            let Err(error) = forward else { continue };
            let backward = self.copy.backward(&first.clone(), &to, &mut |key, value| {
                take(key, value);
                end = key.to_vec();
            });
            if backward.is_ok() {
                continue;
            }
            probes = probes.saturating_add(1);
            match middle(&first, &end).filter(|_| probes < PROBES) {
                Some(middle) => ranges.extend([(first, middle.clone()), (middle, end)]),
                None => unread.push((first, end, error.to_string())),
            }
        }
        joined(unread)
    }
}

/// A copy of a store, as far as it can be read.
struct Held {
    blocks: Blocks,
    /// Each record has a key of its own, up to format 2.
    older: bool,
    layers: Layers,
    /// The number of the last commit in the journal.
    last: Option<u64>,
}

impl Held {
    /// What a base is: its ledger where that verifies, and its format where that can be read.
    fn read(base: Box<dyn Base>) -> (Held, Option<Ledger>, Option<u32>) {
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
    fn take_journal(&mut self, path: &Path) -> io::Result<Option<String>> {
        if self.older {
            return Ok(None);
        }
        let mut newest = Changes::new();
        let mut take = |_, batch: super::Batch| newest.extend(batch);
        let found = Journal::read(&path.join(JOURNAL), self.blocks.ledger().commit, &mut take)?;
        self.last = self.own(ledger::KEY).and_then(|bytes| Ledger::decode(&bytes)).map(|_| found.last);
        self.layers.newest = newest;
        Ok(found.fault)
    }

    /// What the last commit would have counted.
    fn counted(&self, mut ledger: Ledger) -> Ledger {
        for (key, value) in &self.layers.newest {
            let old = self.blocks.get(key).ok().flatten();
            ledger.change(key, old.as_deref(), value.as_deref());
        }
        ledger
    }

    /// A key of the base's own.
    fn own(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.blocks.base().get(key).ok().flatten()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.layers.get(key) {
            Some(known) => Ok(known.map(<[u8]>::to_vec)),
            None if self.older => self.blocks.base().get(key),
            None => self.blocks.get(key),
        }
    }

    /// The records of the base, up to the first page or block that cannot be read.
    fn forward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
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
    fn backward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
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
    fn merged(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        if self.older {
            return self.forward(from, to, take);
        }
        self.layers.forward(&self.blocks, from, to, &mut |key, value| {
            take(key, value);
            true
        })
    }
}

/// Neighbours told as one.
fn joined(mut ranges: Vec<(Vec<u8>, Vec<u8>, String)>) -> Vec<Unread> {
    ranges.sort();
    let mut joined: Vec<(Vec<u8>, Vec<u8>, String)> = Vec::new();
    for (first, end, why) in ranges {
        match joined.last_mut() {
            Some(last) if last.1 == first => last.1 = end,
            _ => joined.push((first, end, why)),
        }
    }
    let name = |bytes: &[u8]| {
        let known = Key::decode(bytes).or_else(|| Key::decode(bytes.strip_suffix(&[0])?));
        known.map_or_else(|| format!("{bytes:02x?}"), |key| key.to_string())
    };
    joined.into_iter().map(|(first, end, why)| Unread { after: name(&first), before: name(&end), why }).collect()
}

/// A key between two, if there is one that differs early enough to matter.
fn middle(first: &[u8], end: &[u8]) -> Option<Vec<u8>> {
    let same = first.iter().zip(end).take_while(|(one, other)| one == other).count();
    let number = |key: &[u8]| {
        let digits = key.iter().skip(same).copied().chain(std::iter::repeat(0)).take(15);
        digits.fold(0_u128, |sum, digit| sum << 8 | u128::from(digit))
    };
    let (low, high) = (number(first), number(end));
    let middle = low.midpoint(high);
    let bytes = middle.to_be_bytes();
    let key = [first.get(..same)?, bytes.get(1..)?].concat();
    (middle > low && middle < high).then_some(key)
}

impl Survey {
    /// How many records of a table are there, and how many the last commit counted.
    pub(crate) fn count(&self, table: Table) -> (u64, Option<u64>) {
        (self.reading.found.count(table), self.ledger.as_ref().map(|ledger| ledger.count(table)))
    }

    /// Why a table is not as it was counted.
    pub(crate) fn fault(&self, table: Table) -> Option<String> {
        self.ledger.as_ref().and_then(|ledger| self.reading.fault(ledger, table))
    }

    /// The records that do not verify.
    pub(crate) fn damaged(&self) -> &[(Key, Damage)] {
        &self.reading.damaged
    }

    /// Keys that are none.
    pub(crate) fn foreign(&self) -> &[Vec<u8>] {
        &self.reading.foreign
    }
}

/// Whether there is something to look into, and of which kind.
pub(crate) fn present(path: &Path) -> Result<StoreKind, StoreError> {
    let mut missing = io::ErrorKind::NotFound;
    for kind in StoreKind::ALL {
        let place = path.join(kind.place());
        let file = if *kind == StoreKind::Sled { place.join("db") } else { place };
        match fs::metadata(file) {
            Ok(file) if file.is_file() => return Ok(*kind),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(StoreError::io(format_args!("looking for a store at {}", path.display()), &error));
            }
            Err(error) => missing = error.kind(),
        }
    }
    let message =
        format_args!("there is no store at {} ({missing}). Look at store.path in the configuration", path.display());
    Err(StoreError::new(StoreErrorKind::Io, message))
}

fn copying(to: &Path, error: &io::Error) -> StoreError {
    let what = format!("copying the store to {}, to be read there", to.display());
    StoreError::io(what, error)
}

/// Whether a copy of the store opens as an engine would open it. It is gone afterwards: the next copy needs its room.
fn whole(path: &Path, kind: StoreKind, scratch: &Scratch) -> Result<Result<(), StoreError>, StoreError> {
    let failed = |error: io::Error| copying(scratch.path(), &error);
    let whole = scratch.path().join("whole");
    unix::private_dir(&whole).map_err(failed)?;
    for name in [kind.place(), JOURNAL, "mark"] {
        let (from, to) = (path.join(name), whole.join(name));
        if from.is_dir() {
            copy(&from, &to, &|_| true).map_err(failed)?;
        } else if from.exists() {
            fs::copy(from, to).map_err(failed)?;
        }
    }
    let looked = opening::look(&whole, kind);
    let _ = fs::remove_dir_all(&whole); // what sled's last threads hold on to goes with the scratch
    Ok(looked)
}

/// A copy that opens: as it is; or, of sled's, without what it can do without: its snapshot; or with a new file of settings.
fn open_somehow(
    path: &Path,
    kind: StoreKind,
    scratch: &Path,
) -> Result<(Box<dyn Base>, Option<&'static str>), StoreError> {
    let failed = |error: io::Error| copying(scratch, &error);
    let ways: [(Option<&'static str>, &[&str]); 4] = [
        (None, &[]),
        (Some("its snapshot"), &["snap."]),
        (Some("its file conf"), &["conf"]),
        (Some("its snapshot and its file conf"), &["snap.", "conf"]),
    ];
    let ways = if kind == StoreKind::Sled { &ways[..] } else { &ways[..1] };
    let mut refusal = None;
    for (number, (left_out, names)) in ways.iter().enumerate() {
        let folder = scratch.join(format!("try-{number}"));
        let wanted = |name: &str| !names.iter().any(|left| name.starts_with(left)) && !name.ends_with(".generating");
        unix::private_dir(&folder).map_err(failed)?;
        let (source, place) = (path.join(kind.place()), folder.join(kind.place()));
        if source.is_dir() {
            copy(&source, &place, &wanted).map_err(failed)?;
        } else {
            fs::copy(&source, &place).map_err(failed)?;
        }
        if names.contains(&"conf") {
            let fresh = scratch.join(format!("fresh-{number}"));
            opening::base(&fresh, kind, LOOKING)?.release();
            fs::copy(fresh.join(kind.place()).join("conf"), place.join("conf")).map_err(failed)?;
        }
        // What sled opens as empty is not what was there.
        let nothing = |base: &dyn Base| !names.is_empty() && is_empty(base);
        match opening::base_as_it_is(&folder, kind, LOOKING) {
            Ok(base) if !nothing(base.as_ref()) => return Ok((base, *left_out)),
            Ok(base) => base.release(),
            Err(error) => drop(refusal.get_or_insert(error)),
        }
        let _ = fs::remove_dir_all(&folder);
    }
    Err(hopeless(refusal.as_ref()))
}

/// What a base may keep in memory of a store that is read once, from end to end.
const LOOKING: u64 = 64 << 20;

fn is_empty(base: &dyn Base) -> bool {
    let mut any = false;
    let read = base.forward(&[], &[u8::MAX], &mut |_, _| {
        any = true;
        false
    });
    read.is_ok() && !any
}

/// Nothing here helps any more, so that nothing here may be named as the remedy.
fn hopeless(refusal: Option<&StoreError>) -> StoreError {
    let why = refusal.map_or("nothing is found in it", StoreError::without_remedy);
    StoreError::new(
        StoreErrorKind::Corrupt,
        format_args!("{why}. No copy of it opens in any way, so nothing can be read or saved here: put back a backup"),
    )
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// Copies the files of a directory and of those in it.
fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
    unix::private_dir(to)?;
    for path in entries(from)? {
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy(&path, &to.join(name), wanted)?;
        } else if wanted(&name.to_string_lossy()) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// A wreck is read as any store is, and never written to. A read that meets a bad page fails, and the next one goes on.
impl Store for Wreck {
    fn commit(&self, _: Writes) -> Result<Durable, StoreError> {
        Err(StoreError::new(StoreErrorKind::Failed, "a copy that is examined is not written to"))
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.copy.get(&key.encode())
    }

    fn scan(&self, table: Table, from: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        let (first, end) = span(table, from);
        let mut found = Vec::new();
        self.copy.merged(&first, &end, &mut |key, value| {
            if found.len() < limit {
                found.push((key.to_vec(), value.to_vec()));
            }
        })?;
        found.iter().map(|(key, value)| decoded(key, value)).collect()
    }

    fn size(&self) -> Result<u64, StoreError> {
        let failed = |error: io::Error| StoreError::io("measuring it", &error);
        let sizes =
            entries(self.scratch.path()).map_err(failed)?.into_iter().map(|path| path.metadata().map(|m| m.len()));
        sizes.sum::<io::Result<u64>>().map_err(failed)
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_two_keys_is_between_them() {
        let (low, high) = (b"D\x01\x02\x03".to_vec(), b"D\x01\x09".to_vec());
        let between = middle(&low, &high).unwrap();
        assert!(low < between && between < high, "{between:02x?}");
        assert_eq!(middle(b"D\x01", b"D\x01"), None);
        assert_eq!(middle(b"D\x01\x00", b"D\x01"), None);
        let wide = middle(b"D", b"E").unwrap();
        assert!(b"D".as_slice() < wide.as_slice() && wide.as_slice() < b"E".as_slice());
    }
}
