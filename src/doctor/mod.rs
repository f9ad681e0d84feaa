//! A look at a store from outside of the engine: what is wrong with it, who must act and how; and what of it can be saved.
//!
//! Neither writes to the store: a copy is read, and gone when they return.

mod checks;
mod salvage;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::store::scratch::{Scratch, is_scratch};
use crate::store::wreck::{self, Wreck};
use crate::store::{DiskOptions, DiskStore, Store, StoreError};
use crate::unix;

pub use salvage::{Left, Salvage};

/// What was found in a store.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// Whether all is well.
    pub ok: bool,
    /// The store.
    pub store: PathBuf,
    /// Why it does not open as it is.
    pub refusal: Option<String>,
    /// The version of its layout.
    pub format: Option<u32>,
    /// The number of its last commit.
    pub commit: Option<u64>,
    /// How many commits were acknowledged, as the witness beside it says.
    pub acknowledged: Option<u64>,
    /// How many records each table has.
    pub tables: Vec<TableCount>,
    /// What somebody must act on.
    pub findings: Vec<Finding>,
}

/// One table of a store.
#[derive(Clone, Debug, Serialize)]
pub struct TableCount {
    /// Its name.
    pub table: String,
    /// How many records were read.
    pub found: u64,
    /// How many there were at the last commit.
    pub counted: Option<u64>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is about: a record's name, or a file's.
    pub subject: String,
    /// What is wrong.
    pub what: String,
    /// What that means, who must act, and how.
    pub remedy: String,
}

/// A gap that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The number of the last commit that is there.
    pub commit: u64,
    /// How many were acknowledged, as far as the witness said.
    pub acknowledged: Option<u64>,
}

/// Looks into the store in the directory `path`. Everything is read from a copy, which needs as much space: beside the
/// directory, or within it where that is a disk of its own.
///
/// # Errors
/// [`ErrorKind::Held`] while an engine runs on it; [`ErrorKind::Storage`] when it cannot be copied;
/// [`ErrorKind::Corrupt`] when nothing of it can be read.
pub fn examine(path: &Path) -> Result<Examination, Error> {
    Ok(checks::examine(&beside(path)?, path))
}

/// Writes every delivery of the store at `path` that is whole (its record, its event, its idempotency key), and the
/// credentials, grants and pauses that verify, to a new store in the directory `to`. That is there whole or not at all. The
/// store at `path` stays as it is; it is read from a copy in `to`, which needs as much space.
///
/// # Errors
/// As [`examine`]; and [`ErrorKind::Caller`] when `to` holds something already, or lies in the store.
pub fn salvage(path: &Path, to: &Path) -> Result<Salvage, Error> {
    let made = !to.exists();
    fit(path, to)?;
    let preparing = |error: std::io::Error| StoreError::io(format_args!("preparing {}", to.display()), &error);
    unix::private_dir(to).map_err(preparing)?;
    let salvaged = Scratch::in_dir(to)
        .map_err(preparing)
        .and_then(|scratch| Wreck::open(path, scratch))
        .map_err(Error::from)
        .and_then(|wreck| salvage::write(&wreck, to));
    if salvaged.is_err() && made {
        let _ = std::fs::remove_dir(to); // what is empty says nothing
    }
    salvaged
}

/// Takes what the store at `path` holds for all that there is, although its witness says that more was acknowledged, or
/// says nothing. What is missing is lost by this, or was before.
///
/// # Errors
/// [`ErrorKind::Held`] while an engine runs on it; [`ErrorKind::Corrupt`] when more is wrong with it than a gap.
pub fn accept_gap(path: &Path) -> Result<Gap, Error> {
    let before = beside(path)?;
    let gap = Gap { commit: before.commit().unwrap_or_default(), acknowledged: before.acknowledged };
    drop(before);
    let options = DiskOptions { kind: wreck::present(path)?, accept_gap: true, ..DiskOptions::default() };
    DiskStore::open(path, &options)?.close()?;
    Ok(gap)
}

fn beside(path: &Path) -> Result<Wreck, StoreError> {
    wreck::present(path)?;
    let scratch = Scratch::beside(path).map_err(|error| {
        StoreError::io(
            format_args!("making room for a copy of {}: copy it elsewhere and look there", path.display()),
            &error,
        )
    })?;
    Wreck::open(path, scratch)
}

/// Whether a new store may be made in `to`: it is new or empty, and outside of the old one. What a salvage left that was
/// killed is nothing.
fn fit(path: &Path, to: &Path) -> Result<(), Error> {
    let refused = |why: &str| Err(Error::new(ErrorKind::Caller, format!("{}: {why}", to.display())));
    let foreign = |entry: std::io::Result<std::fs::DirEntry>| !entry.is_ok_and(|entry| is_scratch(&entry.path()));
    if to.is_file() || std::fs::read_dir(to).is_ok_and(|entries| entries.into_iter().any(foreign)) {
        return refused("it is not empty; name a directory that is new or empty");
    }
    let known = to.ancestors().find_map(|ancestor| {
        let ancestor = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
        ancestor.canonicalize().ok()
    });
    if path.canonicalize().is_ok_and(|path| known.is_some_and(|known| known.starts_with(path))) {
        return refused("it lies in the directory of the store itself; name one outside of it");
    }
    Ok(())
}
