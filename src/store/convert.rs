//! A base written anew: from the layout of an older format, or because most of its file is empty.
//!
//! The new one is made under another name, and takes the old one's place when it is whole. A crash in between leaves the
//! old one, or the new one.

use std::fs;
use std::io;
use std::path::Path;

use super::base::{Base, StoreKind};
use super::blocks::{self, Blocks, Changes};
use super::error::StoreError;
use super::folder::sync_all;
use super::ledger::{Ledger, Reading};
use super::{Batch, GOOD_WRITES, block, format, opening};
use crate::unix;

/// The directory in which the new one is made.
const RAISED: &str = "raised";

/// So many bytes of records are gathered for one merge.
const PORTION: usize = 8 << 20;

/// What the name of a base is followed by when another is to take its place.
const OLD: &str = ".old";

/// Makes up for what a crash interrupted.
pub(super) fn finish(path: &Path) -> io::Result<()> {
    for kind in StoreKind::ALL {
        let (place, old) = (path.join(kind.place()), path.join(format!("{}{OLD}", kind.place())));
        match (place.exists(), old.exists()) {
            (_, false) => {}
            (true, true) => remove(&old)?,
            (false, true) => {
                fs::rename(&old, &place)?;
                unix::sync_dir(path)?;
            }
        }
    }
    remove(&path.join(RAISED))
}

/// Writes the records of a base in which each has a key of its own into one in blocks, which takes its place.
pub(super) fn raise(
    path: &Path,
    kind: StoreKind,
    older: Box<dyn Base>,
    ledger: &Ledger,
    cache_bytes: u64,
) -> Result<Box<dyn Base>, StoreError> {
    anew(path, kind, older, cache_bytes, |older, begun| {
        let blocks = Blocks::begin(begun)?;
        copy(older, &blocks, ledger.commit)?;
        blocks.release();
        Ok(())
    })
}

/// Writes what a base holds into a new one, which takes its place if it is what the ledger counts: the old one goes, and of a
/// damaged one more may be left than can be copied. Neither sled nor redb makes its file smaller by itself.
pub(super) fn compact(
    path: &Path,
    kind: StoreKind,
    older: Box<dyn Base>,
    ledger: &Ledger,
    cache_bytes: u64,
) -> Result<Box<dyn Base>, StoreError> {
    anew(path, kind, older, cache_bytes, |older, begun| {
        let (mut batch, mut fault) = (Batch::new(), None);
        older.forward(&[], &[u8::MAX], &mut |key, value| {
            batch.push((key.to_vec(), Some(value.to_vec())));
            if batch.len() >= GOOD_WRITES {
                fault = begun.apply(std::mem::take(&mut batch)).err();
            }
            fault.is_none()
        })?;
        fault.map_or(Ok(()), Err)?;
        begun.apply(batch)?;
        begun.sync()?;
        let mut reading = Reading::default();
        blocks::read_everything(begun.as_ref(), &mut reading)?;
        begun.release();
        reading.judge(ledger)
    })
}

fn anew(
    path: &Path,
    kind: StoreKind,
    older: Box<dyn Base>,
    cache_bytes: u64,
    fill: impl FnOnce(&dyn Base, Box<dyn Base>) -> Result<(), StoreError>,
) -> Result<Box<dyn Base>, StoreError> {
    let failed = |error: io::Error| StoreError::io("writing its records anew", &error);
    let begun = path.join(RAISED);
    remove(&begun).and_then(|()| unix::private_dir(&begun)).map_err(failed)?;
    fill(older.as_ref(), opening::base(&begun, kind, cache_bytes)?)?;
    older.release();

    let (place, old) = (path.join(kind.place()), path.join(format!("{}{OLD}", kind.place())));
    let made = begun.join(kind.place());
    let take_place = || {
        if made.is_dir() {
            sync_all(&made)?;
        }
        fs::rename(&place, &old)?;
        fs::rename(&made, &place)?;
        unix::sync_dir(path)?;
        remove(&old)?;
        remove(&begun)
    };
    take_place().map_err(failed)?;
    opening::base(path, kind, cache_bytes)
}

fn copy(older: &dyn Base, blocks: &Blocks, through: u64) -> Result<(), StoreError> {
    // Keys below the first table's are the store's own.
    let mut from = vec![b'A'];
    loop {
        let (mut changes, mut bytes) = (Changes::new(), 0);
        older.forward(&from, &[u8::MAX], &mut |key, value| {
            bytes = block::cost(key, value).saturating_add(bytes);
            changes.insert(key.to_vec(), Some(value.to_vec()));
            bytes < PORTION
        })?;
        let Some((last, _)) = changes.last_key_value() else { break };
        from = [last.as_slice(), &[0]].concat();
        if let Some(record) = changes.get_mut(&format::KEY.encode()) {
            *record = Some(format::record());
        }
        blocks.merge(&changes, 0)?;
    }
    blocks.merge(&Changes::new(), through)
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
