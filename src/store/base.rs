//! What a store on disk stands on: an embedded key-value store that keeps a few large values in key order. Records reach it
//! in blocks, some time after their commit; until then the journal answers for them. There are two, sled and redb.

use std::path::Path;

use super::error::StoreError;
use super::{Batch, Pair};

/// An ordered map of bytes on disk.
pub(super) trait Base: Send + Sync {
    /// The value under exactly this key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The last pair whose key lies between `from` and `to`, both inclusive.
    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError>;

    /// The pairs whose keys lie between `from` (inclusive) and `to`, in key order, until `take` says that it has enough.
    fn forward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError>;

    /// The same from the end.
    fn backward(&self, from: &[u8], to: &[u8], take: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError>;

    /// Changes all of these keys or none. It need not be durable before the next [`Base::sync`].
    fn apply(&self, batch: Batch) -> Result<(), StoreError>;

    /// Makes durable what was applied. A failed one is never tried again: the kernel may have dropped the pages and would
    /// then report success.
    fn sync(&self) -> Result<(), StoreError>;

    /// Lets go of the files, so that others may open them.
    fn release(self: Box<Self>);
}

/// Which embedded store keeps the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// sled 0.34.7, in the directory `sled`.
    #[default]
    Sled,
    /// redb, in the file `base.redb` (feature `redb`).
    #[cfg(feature = "redb")]
    Redb,
}

impl StoreKind {
    /// All kinds that this build knows.
    pub const ALL: &[StoreKind] = &[
        StoreKind::Sled,
        #[cfg(feature = "redb")]
        StoreKind::Redb,
    ];

    /// The kind as the configuration calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            StoreKind::Sled => "sled",
            #[cfg(feature = "redb")]
            StoreKind::Redb => "redb",
        }
    }

    /// The name of what it keeps in a store's directory.
    pub(crate) const fn place(self) -> &'static str {
        match self {
            StoreKind::Sled => "sled",
            #[cfg(feature = "redb")]
            StoreKind::Redb => "base.redb",
        }
    }

    /// The kind of the store in the directory `path`; nothing where there is none.
    #[must_use]
    pub fn found(path: &Path) -> Option<StoreKind> {
        StoreKind::ALL.iter().copied().find(|kind| path.join(kind.place()).exists())
    }
}
