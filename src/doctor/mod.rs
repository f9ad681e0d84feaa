//! A look at a store from outside of the engine: what is wrong with it, who must act and how; and what of it can be saved.
//!
//! Neither writes to the store: a copy beside it is read, and gone when they return.

mod checks;
mod salvage;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::store::wreck::Wreck;
use crate::store::{SledOptions, SledStore, Store};

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

/// Looks into the store in the directory `path`. Everything is read once, from a copy beside the directory that needs as
/// much space.
///
/// # Errors
/// [`ErrorKind::Held`] while an engine runs on it; [`ErrorKind::Storage`] when it cannot be copied;
/// [`ErrorKind::Corrupt`] when nothing of it can be read.
pub fn examine(path: &Path) -> Result<Examination, Error> {
    let wreck = open(path, &beside(path))?;
    Ok(checks::examine(&wreck, path))
}

/// Writes every delivery of the store at `path` that is whole (its record, its event, its idempotency key), and the
/// credentials, grants and pauses that verify, to a new store in the directory `to`. The store at `path` stays as it is.
///
/// # Errors
/// As [`examine`]; and [`ErrorKind::Caller`] when `to` holds something already.
pub fn salvage(path: &Path, to: &Path) -> Result<Salvage, Error> {
    if std::fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) || to.is_file() {
        let message = format!("{}: it is not empty; name a directory that is new or empty", to.display());
        return Err(Error::new(ErrorKind::Caller, message));
    }
    let wreck = open(path, &beside(to))?;
    salvage::write(&wreck, to)
}

/// Takes what the store at `path` holds for all that there is, although its witness says that more was acknowledged, or
/// says nothing. What is missing is lost by this, or was before.
///
/// # Errors
/// [`ErrorKind::Held`] while an engine runs on it; [`ErrorKind::Corrupt`] when more is wrong with it than a gap.
pub fn accept_gap(path: &Path) -> Result<Gap, Error> {
    let before = open(path, &beside(path))?;
    let gap = Gap { commit: before.commit().unwrap_or_default(), acknowledged: before.acknowledged };
    drop(before);
    SledStore::open(path, SledOptions { accept_gap: true, ..SledOptions::default() })?.close()?;
    Ok(gap)
}

fn open(path: &Path, scratch: &Path) -> Result<Wreck, Error> {
    Ok(Wreck::open(path, scratch)?)
}

/// A name for the copy, on the same disk.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    crate::unix::parent(path).join(format!(".{name}.doctor-{}", std::process::id()))
}
