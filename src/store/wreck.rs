//! A store as it lies there, for who examines it or saves what is left: what can be read of it, whether it opens or not.
//!
//! sled writes when it opens, and cuts off what it takes for an unfinished tail. So a copy of the directory is opened, and
//! the store itself is only read. A page that cannot be read holds many records; around it the others are read, from both
//! sides and from between.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::codec::Damage;
use super::error::{StoreError, StoreErrorKind};
use super::folder::{lock_to_look, unfinished_snapshots};
use super::keys::{Key, Table};
use super::ledger::{self, Ledger, Reading};
use super::mark::{self, Mark, Witness};
use super::scratch::Scratch;
use super::{Durable, Pages, SledStore, Store, Writes, decoded, format, span};
use crate::unix;

/// So many places between pages that cannot be read are tried for each table.
const PROBES: usize = 512;

/// What can be read of a store.
pub(crate) struct Wreck {
    pages: Pages,
    scratch: Scratch,
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
    /// [`StoreErrorKind::Held`] while an engine has the store; when there is none, it cannot be copied, or sled cannot open
    /// it in any way.
    pub(crate) fn open(path: &Path, scratch: Scratch) -> Result<Wreck, StoreError> {
        let source = path.join("sled");
        present(path)?;
        let lock = lock_to_look(path)?;
        let failed = |error: io::Error| copying(scratch.path(), &error);
        let mut strays = unfinished_snapshots(&source).map_err(failed)?;
        strays.extend(entries(&source.join("blobs")).unwrap_or_default());
        let witness = Mark::read(path).map_err(failed)?;
        let refusal = whole(path, &scratch)?.err();
        let (pages, left_out) = open_somehow(&source, scratch.path())?;
        drop(lock);

        let read = |key: &[u8]| pages.get(key).ok().flatten();
        let format = read(&format::KEY.encode()).and_then(|record| format::check(&record).ok());
        let written = read(ledger::KEY);
        let ledger = written.as_deref().and_then(Ledger::decode);
        let numbered = || read(format::LAST).and_then(|note| mark::number(&note)); // format 1
        let commit = ledger.as_ref().map(|ledger| ledger.commit).or_else(numbered);
        // A ledger that is there and does not verify says nothing of the last commit.
        let last = commit.or_else(|| written.is_none().then_some(0));
        let gap = last.and_then(|last| mark::check(witness, last, format == Some(1)).err());
        let acknowledged = if let Witness::Reached(commit) = witness { Some(commit) } else { None };
        Ok(Wreck { pages, scratch, refusal, left_out, acknowledged, gap, format, commit, ledger, strays })
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

    /// From both ends up to what cannot be read, then from the middle of that, as often as it is worth it.
    fn through(&self, table: Table, take: &mut dyn FnMut(&[u8], &[u8])) -> Vec<Unread> {
        let mut ranges = VecDeque::from([span(table, None)]);
        let (mut unread, mut probes) = (Vec::new(), 0_usize);
        while let Some((from, to)) = ranges.pop_front() {
            let (mut first, mut end) = (from.clone(), to.clone());
            let forward = self.pages.forward(&from, &to, &mut |key, value| {
                take(key, value);
                first = [key, &[0]].concat();
            });
            let Err(error) = forward else { continue };
            let backward = self.pages.backward(&first.clone(), &to, &mut |key, value| {
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

/// Whether there is something to look into.
pub(crate) fn present(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path.join("sled").join("db")) {
        Ok(file) if file.is_file() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(StoreError::io(format_args!("looking for a store at {}", path.display()), &error))
        }
        _ => {
            let message =
                format_args!("there is no store at {}. Look at store.path in the configuration", path.display());
            Err(StoreError::new(StoreErrorKind::Io, message))
        }
    }
}

fn copying(to: &Path, error: &io::Error) -> StoreError {
    let what = format!("copying the store to {}, to be read there", to.display());
    StoreError::io(what, error)
}

/// Whether a copy of the store opens as an engine would open it. It is gone afterwards: the next copy needs its room.
fn whole(path: &Path, scratch: &Scratch) -> Result<Result<(), StoreError>, StoreError> {
    let failed = |error: io::Error| copying(scratch.path(), &error);
    let whole = scratch.path().join("whole");
    copy(&path.join("sled"), &whole.join("sled"), &|_| true).map_err(failed)?;
    if path.join("mark").exists() {
        fs::copy(path.join("mark"), whole.join("mark")).map_err(failed)?;
    }
    let looked = SledStore::look(&whole);
    let _ = fs::remove_dir_all(&whole); // what sled's last threads hold on to goes with the scratch
    Ok(looked)
}

/// A copy that sled opens: as it is; or without what sled can do without, its snapshot; or with a new file of settings.
fn open_somehow(source: &Path, scratch: &Path) -> Result<(Pages, Option<&'static str>), StoreError> {
    let failed = |error: io::Error| copying(scratch, &error);
    let ways: [(Option<&'static str>, &[&str]); 4] = [
        (None, &[]),
        (Some("its snapshot"), &["snap."]),
        (Some("its file conf"), &["conf"]),
        (Some("its snapshot and its file conf"), &["snap.", "conf"]),
    ];
    let mut refusal = None;
    for (number, (left_out, names)) in ways.into_iter().enumerate() {
        let folder = scratch.join(format!("try-{number}"));
        let wanted = |name: &str| !names.iter().any(|left| name.starts_with(left)) && !name.ends_with(".generating");
        copy(source, &folder, &wanted).map_err(failed)?;
        if names.contains(&"conf") {
            let fresh = scratch.join(format!("fresh-{number}"));
            drop(Pages::open(&fresh)?);
            fs::copy(fresh.join("conf"), folder.join("conf")).map_err(failed)?;
        }
        // What sled opens as empty is not what was there.
        let nothing = |pages: &Pages| !names.is_empty() && matches!(pages.get(&format::KEY.encode()), Ok(None));
        match Pages::open(&folder) {
            Ok(pages) if !nothing(&pages) => return Ok((pages, left_out)),
            Ok(pages) => drop(pages),
            Err(error) => drop(refusal.get_or_insert(error)),
        }
        let _ = fs::remove_dir_all(&folder);
    }
    Err(hopeless(refusal.as_ref()))
}

/// Nothing here helps any more, so that nothing here may be named as the remedy.
fn hopeless(refusal: Option<&StoreError>) -> StoreError {
    let why = refusal.map_or("sled finds nothing in it", StoreError::without_remedy);
    StoreError::new(
        StoreErrorKind::Corrupt,
        format_args!(
            "{why}. sled opens no copy of it in any way, so nothing can be read or saved here: put back a backup"
        ),
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
        self.pages.get(&key.encode())
    }

    fn scan(&self, table: Table, from: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        let (first, end) = span(table, from);
        let mut found = Vec::new();
        self.pages.forward(&first, &end, &mut |key, value| {
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
