//! The library's error: opaque, with the one thing that a caller branches on, who must act.

use std::fmt;

use crate::route::NotAnEvent;
use crate::store::{StoreError, StoreErrorKind};
use crate::taxonomy;

/// Something that the engine could not do. A delivery that failed is not an error: it is an [`Outcome`](crate::Outcome).
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    code: Option<&'static str>,
    message: String,
}

/// Who must act on an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller: the parcel, the id or the filter is not one that the engine takes. The message names the field.
    Caller,
    /// Nobody, for a moment: the engine has as much to do as it holds. Try again later.
    Busy,
    /// The caller: the same idempotency key came before with another body. The message names both.
    Conflict,
    /// The caller: there is no such delivery, credential or destination.
    Unknown,
    /// The operator: the configuration is not one that can work. The message names the key and the remedy.
    Configuration,
    /// The operator: the store failed, and the engine has stopped. Nothing that was acknowledged is lost.
    Storage,
    /// The operator: another process has the store open.
    Held,
    /// The operator: what is stored does not verify.
    Corrupt,
    /// Nobody: the engine was stopped.
    Stopped,
}

impl Error {
    /// Who must act.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Its code in the table of errors, where it is about something that was brought and not taken.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let code = match kind {
            ErrorKind::Busy => Some(taxonomy::ENGINE_BUSY),
            ErrorKind::Conflict => Some(taxonomy::KEY_CONFLICT),
            _ => None,
        };
        Error { kind, code, message: message.into() }
    }

    pub(crate) fn coded(self, code: &'static str) -> Self {
        Error { code: Some(code), ..self }
    }

    pub(crate) fn caller(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Caller, message)
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Configuration, message)
    }

    pub(crate) fn stopped() -> Self {
        Error::new(ErrorKind::Stopped, "the engine has stopped")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::Held => ErrorKind::Held,
            StoreErrorKind::Corrupt | StoreErrorKind::Format => ErrorKind::Corrupt,
            _ => ErrorKind::Storage,
        };
        Error::new(kind, error.to_string())
    }
}

impl From<NotAnEvent> for Error {
    fn from(refused: NotAnEvent) -> Self {
        Error::caller(refused.message).coded(refused.code)
    }
}
