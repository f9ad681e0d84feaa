//! What was committed and is not in the base yet: the newest commits, and below them those that are being merged.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use super::Batch;
use super::blocks::{Blocks, Changes};
use super::error::StoreError;

/// Changes on their way into the base, and the number of their last commit.
pub(super) struct Frozen {
    pub(super) changes: Changes,
    pub(super) through: u64,
}

#[derive(Default)]
pub(super) struct Layers {
    pub(super) newest: Changes,
    pub(super) frozen: Option<Arc<Frozen>>,
}

impl Layers {
    pub(super) fn take(&mut self, batch: Batch) {
        self.newest.extend(batch);
    }

    /// What these layers say of a key: a value, that it is deleted, or nothing.
    #[expect(clippy::option_option, reason = "known to be gone, and not known, are two things")]
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let frozen = || self.frozen.as_ref().and_then(|frozen| frozen.changes.get(key));
        self.newest.get(key).or_else(frozen).map(Option::as_deref)
    }

    /// The records from `from` (inclusive) up to `to` as they are with what the base holds, in key order, until `take` says
    /// that it has enough.
    pub(super) fn forward(
        &self,
        blocks: &Blocks,
        from: &[u8],
        to: &[u8],
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let mut above = self.range(from, to);
        let mut more = true;
        blocks.forward(from, to, &mut |key, value| {
            while more && let Some((newer, value)) = above.next_if(|(newer, _)| newer.as_slice() < key) {
                more = value.as_deref().is_none_or(|value| take(newer, value));
            }
            if more {
                more = match above.next_if(|(newer, _)| newer.as_slice() == key) {
                    Some((_, value)) => value.as_deref().is_none_or(|value| take(key, value)),
                    None => take(key, value),
                };
            }
            more
        })?;
        while more && let Some((key, value)) = above.next() {
            more = value.as_deref().is_none_or(|value| take(key, value));
        }
        Ok(())
    }

    /// What both layers say, the newer where both know.
    fn range(&self, from: &[u8], to: &[u8]) -> Peekable<Both<'_>> {
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let newest = self.newest.range::<[u8], _>(bounds);
        let frozen = self.frozen.as_ref().map(|frozen| frozen.changes.range::<[u8], _>(bounds));
        Both { newest: newest.peekable(), frozen: frozen.map(Iterator::peekable) }.peekable()
    }
}

type Range<'a> = Peekable<std::collections::btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>>;

struct Both<'a> {
    newest: Range<'a>,
    frozen: Option<Range<'a>>,
}

impl<'a> Iterator for Both<'a> {
    type Item = (&'a Vec<u8>, &'a Option<Vec<u8>>);

    fn next(&mut self) -> Option<Self::Item> {
        let Some(frozen) = &mut self.frozen else { return self.newest.next() };
        match (self.newest.peek(), frozen.peek()) {
            (Some((newer, _)), Some((older, _))) if newer > older => frozen.next(),
            (Some((newer, _)), Some((older, _))) => {
                if newer == older {
                    frozen.next();
                }
                self.newest.next()
            }
            (None, _) => frozen.next(),
            (_, None) => self.newest.next(),
        }
    }
}
