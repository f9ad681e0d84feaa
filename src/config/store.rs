//! The table `[store]`.

use std::path::{Path, PathBuf};

use outlast_state::Span;

use super::beside;
use crate::limits::Retention;
use crate::store::StoreKind;
use crate::table::Section;

/// What is said of the store, beside where it is.
pub(crate) struct StoreSettings {
    pub(crate) kind: StoreKind,
    pub(crate) cache_mib: Option<u64>,
    pub(crate) retention: Retention,
}

pub(super) fn path(file: &Path, section: &mut Section<'_>) -> PathBuf {
    beside(file, section.text("path").as_deref().unwrap_or("outlast-data"))
}

/// Which embedded store keeps the records.
pub(super) fn kind(section: &mut Section<'_>) -> StoreKind {
    let Some(wanted) = section.text("kind") else { return StoreKind::default() };
    let known = StoreKind::ALL.iter().copied().find(|kind| kind.name() == wanted);
    known.unwrap_or_else(|| {
        let names: Vec<&str> = StoreKind::ALL.iter().map(|kind| kind.name()).collect();
        section.fault("kind", format!("{wanted:?} is none that this program has: {}", names.join(", ")));
        StoreKind::default()
    })
}

/// For how long something is kept. `send --wait` and others ask about what has just ended.
fn kept(section: &mut Section<'_>, key: &'static str) -> Option<Span> {
    let span = section.span(key)?;
    if span < SHORTEST {
        section.fault(key, "must be at least \"1m\": commands ask about what has just ended");
        return None;
    }
    Some(span)
}

/// Nothing is kept for less.
const SHORTEST: Span = Span::from_secs(60);

pub(super) fn read(file: &Path, mut section: Section<'_>) -> (PathBuf, StoreSettings) {
    let path = path(file, &mut section);
    let (kind, cache_mib) = (kind(&mut section), section.count("cache_mib", 1..=65_536));
    let default = Retention::default();
    let retention = Retention {
        done: kept(&mut section, "keep_done").unwrap_or(default.done),
        failed: kept(&mut section, "keep_failed").unwrap_or(default.failed),
        count: section.count("keep_count", 1_000..=u64::MAX).unwrap_or(default.count),
    };
    section.close();
    (path, StoreSettings { kind, cache_mib, retention })
}
