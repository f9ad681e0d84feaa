//! Where it is measured: a directory that is gone afterwards, and engines in it.

use std::cell::Cell;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::scale::Scale;
use crate::cli::failure::Failure;
use crate::clock;
use crate::store::StoreKind;
use crate::{Builder, Engine, Limits, Retention};

/// Which store is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub(crate) enum Kind {
    Sled,
    #[cfg(feature = "redb")]
    Redb,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Sled => "sled",
            #[cfg(feature = "redb")]
            Kind::Redb => "redb",
        }
    }

    /// The description of an engine on this store.
    pub(super) fn builder(self, path: &Path) -> Builder {
        let limits = Limits { live: MOST_LIVE, ..Limits::default() };
        let kind = match self {
            Kind::Sled => StoreKind::Sled,
            #[cfg(feature = "redb")]
            Kind::Redb => StoreKind::Redb,
        };
        Engine::builder(path).store_kind(kind).allow_loopback(true).limits(limits)
    }

    /// That, for an engine that keeps nothing of a delivery once it is done.
    pub(super) fn keeping_nothing(self, path: &Path) -> Builder {
        self.builder(path).retention(Retention::NONE)
    }
}

/// Room for everything that is parked.
const MOST_LIVE: u64 = 20_000_000;

/// A directory of the bench's own.
pub(super) struct Ground {
    path: PathBuf,
    pub(super) kind: Kind,
    pub(super) scale: Scale,
    stores: Cell<u32>,
}

impl Ground {
    /// Makes it inside of `parent`.
    pub(super) fn make(parent: Option<&Path>, kind: Kind, scale: Scale) -> Result<Self, Failure> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let name = format!("outlast-bench-{}-{}", std::process::id(), clock::wall().as_millis());
        let path = parent.join(name);
        DirBuilder::new().mode(0o700).create(&path).map_err(|why| {
            Failure::usage(format!("{} cannot be made: {why}", path.display()))
                .help("--dir names a directory that exists and can be written")
        })?;
        let path = path.canonicalize()?;
        Ok(Ground { path, kind, scale, stores: Cell::new(0) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A path for a store that is not there yet.
    pub(super) fn store(&self) -> PathBuf {
        let number = self.stores.get();
        self.stores.set(number.saturating_add(1));
        self.path.join(format!("store-{number}"))
    }

    /// Removes a store, so that the disk holds one at a time.
    pub(super) fn remove(path: &Path) -> Result<(), Failure> {
        fs::remove_dir_all(path).map_err(|why| Failure::new(format!("{} cannot be removed: {why}", path.display())))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // What cannot be removed lies where the user said, under a name that tells what it is.
        drop(fs::remove_dir_all(&self.path));
    }
}
