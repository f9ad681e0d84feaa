//! How far a store had come, noted outside of it.
//!
//! When the tail of its log is damaged or cut, sled opens with what comes before, and says nothing: acknowledged commits
//! are gone. So each commit carries a number, and after the barrier the number is noted in a small file beside the store.
//! A store that is behind its mark has a gap and is not opened. The note itself is not synced: it survives a kill, and
//! after a power failure it is at worst older than the store, which only makes it a weaker witness, never a false one.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::unix;

/// The file beside the store.
pub(super) struct Mark(File);

impl Mark {
    /// Opens the mark in the directory `path`, and tells what it says; 0 when it is new or cannot be read.
    pub(super) fn open(path: &Path) -> io::Result<(Mark, u64)> {
        let file = unix::private_file(&path.join("mark"))?;
        let mut note = [0; 12];
        let reached = match (&file).read_exact(&mut note) {
            Ok(()) => number(&note).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        Ok((Mark(file), reached))
    }

    /// Notes that the commit with this number is durable.
    pub(super) fn reached(&self, sequence: u64) -> io::Result<()> {
        let mut file = &self.0;
        file.rewind()?;
        file.write_all(&note(sequence))
    }
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
        let open = || Mark::open(place.path()).unwrap();
        assert_eq!(open().1, 0);
        open().0.reached(7).unwrap();
        open().0.reached(300).unwrap();
        assert_eq!(open().1, 300);
        std::fs::write(place.path().join("mark"), "junk").unwrap();
        assert_eq!(open().1, 0);
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
