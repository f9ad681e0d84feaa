//! Copies of a store that open.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::copying;
use crate::store::base::{Base, StoreKind};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::opening::{self, JOURNAL};
use crate::store::scratch::Scratch;
use crate::unix;

/// Whether a copy of the store opens as an engine would open it. It is gone afterwards: the next copy needs its room.
pub(super) fn whole(path: &Path, kind: StoreKind, scratch: &Scratch) -> Result<Result<(), StoreError>, StoreError> {
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
pub(super) fn open_somehow(
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

pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
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
