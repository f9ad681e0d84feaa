//! A store as it lies there, for who examines it or saves what is left: what can be read of it, whether it opens or not.
//!
//! The base writes when it opens, and sled cuts off what it takes for an unfinished tail. So a copy of the directory is
//! opened, and the store itself is only read. A page that cannot be read holds many records; around it the others are read,
//! from both sides and from between. The journal is read up to where it is damaged.

mod copies;
mod held;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::copies::{entries, open_somehow, whole};
use self::held::Held;
use super::base::StoreKind;
use super::codec::Damage;
use super::error::{StoreError, StoreErrorKind};
use super::folder::{lock_to_look, unfinished_snapshots};
use super::keys::{Key, Table};
use super::ledger::{self, Ledger, Reading};
use super::mark::{self, Mark, Witness};
use super::scratch::Scratch;
use super::{Durable, Store, Writes, decoded, format, span};

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
