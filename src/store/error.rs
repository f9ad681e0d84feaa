//! Why a store does not do what it is asked.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What kind of trouble a store is in; decides what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another process has the store open.
    Held,
    /// The disk, or the user's share of it, is full.
    Full,
    /// The system refused to read, write or sync.
    Io,
    /// What is on disk cannot be what was written.
    Corrupt,
    /// The store has ended: by an earlier error, which the message quotes, by a crash, or because it was closed.
    Failed,
    /// A commit, a key or a record exceeds the store's limits. Nothing was written; the store goes on.
    TooLarge,
    /// The store was written by a newer version.
    Format,
}

/// What to do about a store that is damaged.
const CORRUPT: &str = ". Keep a copy of its directory and check the disk. `outlast doctor` says what is damaged; `outlast doctor --salvage DIR` writes what is whole to a new store; or put back a backup";

/// Why a store did not do what it was asked, who must act, and how. Cheap to clone, so that it can answer every caller.
#[derive(Clone)]
pub struct StoreError(Arc<Inner>);

struct Inner {
    kind: StoreErrorKind,
    message: String,
}

impl StoreError {
    /// An error of this kind, with a message that says what happened, who must act and how.
    pub(crate) fn new(kind: StoreErrorKind, message: impl fmt::Display) -> Self {
        StoreError(Arc::new(Inner { kind, message: message.to_string() }))
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// The system refused to do `what`.
    pub(crate) fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => StoreError::new(
                StoreErrorKind::Full,
                format_args!(
                    "no space left while {what} ({error}). Free space on that disk, then start again: what was acknowledged is kept"
                ),
            ),
            _ => StoreError::new(
                StoreErrorKind::Io,
                format_args!(
                    "the system failed while {what} ({error}). Check the disk and the rights of the user, then start again: what was acknowledged is kept"
                ),
            ),
        }
    }

    pub(super) fn corrupt(what: impl fmt::Display) -> Self {
        StoreError::new(StoreErrorKind::Corrupt, format_args!("the store is damaged: {what}{CORRUPT}"))
    }

    /// What happened, for who names a remedy of its own.
    pub(crate) fn without_remedy(&self) -> &str {
        let message = self.0.message.as_str();
        message.strip_suffix(CORRUPT).unwrap_or(message)
    }

    pub(super) fn too_large(what: impl fmt::Display) -> Self {
        StoreError::new(
            StoreErrorKind::TooLarge,
            format_args!("{what} is too large for the store. Nothing was written; shorten it or split it"),
        )
    }

    pub(super) fn held(path: &Path, holder: Option<u32>) -> Self {
        let who = match holder {
            Some(pid) if pid == std::process::id() => format!("this process (pid {pid}) has it open already"),
            Some(pid) => format!("another process (pid {pid}) has it open"),
            None => "another process has it open".to_owned(),
        };
        StoreError::new(
            StoreErrorKind::Held,
            format_args!(
                "the store {} is in use: {who}. Stop that one first, or use a directory of its own",
                path.display()
            ),
        )
    }

    /// Somebody reads it, and keeps others from writing meanwhile.
    pub(super) fn looked_at(path: &Path) -> Self {
        StoreError::new(
            StoreErrorKind::Held,
            format_args!(
                "the store {} is in use: `outlast doctor` copies it. Wait until it has, or stop it",
                path.display()
            ),
        )
    }

    pub(super) fn closed() -> Self {
        StoreError::new(StoreErrorKind::Failed, "the store was closed. Open it again to go on")
    }

    /// What every call gets after `self` has ended the store.
    pub(super) fn ended(&self) -> Self {
        match self.kind() {
            StoreErrorKind::Failed => self.clone(),
            _ => StoreError::new(
                StoreErrorKind::Failed,
                format_args!(
                    "the store stopped at its first error and does nothing more until it is opened again, best by a new process. The error was: {self}"
                ),
            ),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreError({:?}: {})", self.0.kind, self.0.message)
    }
}

impl Error for StoreError {}
