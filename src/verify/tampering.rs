//! A store on disk, changed behind its back.

use std::path::Path;

use crate::store::{StoreError, StoreKind};

/// Puts or removes records of a closed store, by the bytes of their keys, and nothing that counts or vouches for them. Keys
/// that begin with 0 are the base's own.
///
/// # Errors
/// When the base cannot be opened, read or written.
pub fn tamper(path: &Path, kind: StoreKind, changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), StoreError> {
    crate::store::tamper(path, kind, changes)
}
