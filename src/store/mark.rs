//! How far a store had come, noted outside of it: its witness.
//!
//! When the tail of a log is damaged or cut, what comes before it is whole, and says nothing: acknowledged commits are gone.
//! So each commit carries a number, and after the barrier the number is noted in a small file beside the store. A store that
//! is behind its mark has a gap and is not opened.
//!
//! The note of each commit is written and not synced: it survives a kill. It is synced when the store is opened, every
//! [`CHECKPOINT`] commits, and at a clean close. After a power failure it is so at most a checkpoint older than the store,
//! which makes it a weaker witness and never a false one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{StoreError, StoreErrorKind};
use crate::unix;

/// So many commits at most lie between two syncs of the mark. One sync more in 64 is within the noise of our measurements.
pub(super) const CHECKPOINT: u64 = 64;

/// The file beside the store.
pub(super) struct Mark {
    file: File,
    syncs: AtomicU64,
}

/// What the mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// There is none: the file is missing, or nothing written to it has arrived. It is synced before the first commit.
    Missing,
    /// What stands there does not verify.
    Unreadable,
    /// This many commits were acknowledged.
    Reached(u64),
}

impl Mark {
    /// Opens the mark in the directory `path`.
    pub(super) fn open(path: &Path) -> io::Result<Mark> {
        let file = unix::private_file(&name(path))?;
        unix::sync_dir(path)?;
        Ok(Mark { file, syncs: AtomicU64::new(0) })
    }

    /// What the mark in the directory `path` says. Changes nothing.
    pub(super) fn read(path: &Path) -> io::Result<Witness> {
        match std::fs::read(name(path)) {
            // A power failure before the first sync leaves the file's length without its content.
            Ok(note) if note.iter().all(|byte| *byte == 0) => Ok(Witness::Missing),
            Ok(note) => Ok(number(&note).map_or(Witness::Unreadable, Witness::Reached)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Witness::Missing),
            Err(error) => Err(error),
        }
    }

    /// Notes that the commit with this number is durable.
    pub(super) fn reached(&self, commit: u64) -> io::Result<()> {
        self.file.write_all_at(&note(commit), 0)?;
        if commit.is_multiple_of(CHECKPOINT) { self.sync() } else { Ok(()) }
    }

    /// Makes this note the only and a durable one.
    pub(super) fn set(&self, commit: u64) -> io::Result<()> {
        let note = note(commit);
        self.file.write_all_at(&note, 0)?;
        self.file.set_len(u64::try_from(note.len()).unwrap_or_default())?;
        self.sync()
    }

    /// Makes the last note durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }

    /// How often it was synced.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

/// Whether the witness of a store whose last commit is number `last` says that all are there. A witness that is missing
/// says nothing, and the one thing that it is there for would be silent: a store that has been written to is refused
/// without it. `early`: the store is new or of format 1, when the witness was not synced yet.
pub(super) fn check(witness: Witness, last: u64, early: bool) -> Result<(), StoreError> {
    let what = match witness {
        Witness::Reached(reached) if reached <= last => return Ok(()),
        Witness::Missing if early || last == 0 => return Ok(()),
        Witness::Unreadable if early && last > 0 => return Ok(()),
        Witness::Reached(reached) => format!("its last commit is number {last}, but number {reached} was acknowledged"),
        Witness::Missing => format!(
            "its last commit is number {last}, and the file mark beside it, which would say whether that is all, is missing"
        ),
        Witness::Unreadable => format!(
            "its last commit is number {last}, and the file mark beside it, which would say whether that is all, does not verify"
        ),
    };
    Err(gap(what))
}

/// What a store is refused with that may not hold all.
pub(super) fn gap(what: impl std::fmt::Display) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format_args!(
            "the store may lack acknowledged commits: {what}. Put back the newest copy of the whole directory; or, to go on with what is there, run `outlast doctor --accept-gap`"
        ),
    )
}

fn name(path: &Path) -> PathBuf {
    path.join("mark")
}

/// A number with its checksum.
pub(super) fn note(number: u64) -> [u8; 12] {
    let mut note = [0; 12];
    let (value, sum) = note.split_at_mut(8);
    value.copy_from_slice(&number.to_le_bytes());
    sum.copy_from_slice(&crc32fast::hash(value).to_le_bytes());
    note
}

/// The number in a note that verifies.
pub(super) fn number(note: &[u8]) -> Option<u64> {
    let (value, sum) = note.split_first_chunk::<8>()?;
    (sum == crc32fast::hash(value).to_le_bytes()).then(|| u64::from_le_bytes(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_was_noted_last() {
        let place = tempfile::tempdir().unwrap();
        let (open, read) = (|| Mark::open(place.path()).unwrap(), || Mark::read(place.path()).unwrap());
        assert_eq!(read(), Witness::Missing);
        assert!(!name(place.path()).exists(), "reading changes nothing");
        let mark = open();
        assert_eq!(read(), Witness::Missing);
        mark.reached(7).unwrap();
        open().reached(300).unwrap();
        assert_eq!(read(), Witness::Reached(300));
        std::fs::write(name(place.path()), "longer than a note is, and junk").unwrap();
        assert_eq!(read(), Witness::Unreadable);
        std::fs::write(name(place.path()), [0; 12]).unwrap();
        assert_eq!(read(), Witness::Missing, "its content never arrived");
        open().set(5).unwrap();
        assert_eq!(read(), Witness::Reached(5));
    }

    #[test]
    fn a_changed_note_is_none() {
        for bit in 0..96 {
            let mut changed = note(1234);
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(number(&changed), None, "bit {bit}");
        }
        assert_eq!((number(&note(1234)), number(b"")), (Some(1234), None));
    }
}
