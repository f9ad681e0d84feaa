//! Where the record of a delivery lies. Live ones lie in one table, which opening reads; those that have ended lie in
//! another, which only those read who ask about them. One in a lane may stay in the first: a parcel before it that is started
//! again asks whether a later one was sent.

use outlast_state::{DeliveryId, State};
use serde::{Deserialize, Serialize};

use super::{Content, DeliveryRecord, chunks, decode, get};
use crate::store::codec::Damage;
use crate::store::{Key, Store, StoreError, Writes};
use crate::view::Counts;

/// Where a delivery's record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Live,
    Ended,
}

impl Home {
    /// The key of a delivery's record there.
    pub(crate) fn key(self, id: DeliveryId) -> Key {
        match self {
            Home::Live => Key::Delivery(id),
            Home::Ended => Key::Ended(id),
        }
    }
}

/// How many deliveries stand where, and the newest name of one. It is written with each commit that changes it, so that
/// opening need not read what has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CountsRecord {
    pub(crate) pending: u64,
    pub(crate) sending: u64,
    pub(crate) awaiting_propagation: u64,
    pub(crate) refreshing: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) attempts: u64,
    pub(crate) newest: DeliveryId,
    /// How many of the ended ones have not been let go.
    pub(crate) kept: u64,
}

impl CountsRecord {
    pub(crate) fn of(counts: &Counts, newest: DeliveryId, kept: u64) -> Self {
        let Counts { pending, sending, awaiting_propagation, refreshing, done, failed, attempts, .. } = *counts;
        CountsRecord { pending, sending, awaiting_propagation, refreshing, done, failed, attempts, newest, kept }
    }

    pub(crate) fn counts(&self) -> Counts {
        let CountsRecord {
            pending,
            sending,
            awaiting_propagation,
            refreshing,
            done,
            failed,
            attempts,
            newest: _,
            kept: _,
        } = *self;
        Counts { pending, sending, awaiting_propagation, refreshing, done, failed, attempts, ..Counts::default() }
    }
}

impl DeliveryRecord {
    /// Whether its body is gone: it was delivered, and the record itself says what the body was.
    pub(crate) fn let_go_of_body(&self) -> bool {
        matches!(self.delivery.state, State::Done { .. }) && self.content.is_some()
    }
}

impl Content {
    /// Deletes a body, and the parcel's record with it.
    pub(crate) fn delete(self, id: DeliveryId, writes: &mut Writes) {
        writes.delete(Key::Parcel(id));
        for number in 0..chunks(self.size) {
            writes.delete(Key::Body(id, number));
        }
    }

    /// How many records that are.
    pub(crate) fn keys(self) -> usize {
        usize::from(chunks(self.size)).saturating_add(1)
    }
}

/// The stored record of a delivery, wherever it lies.
pub(crate) fn stored(store: &dyn Store, id: DeliveryId) -> Result<Result<Option<DeliveryRecord>, Damage>, StoreError> {
    match get::<DeliveryRecord>(store, &Key::Delivery(id))? {
        Ok(None) => get::<DeliveryRecord>(store, &Key::Ended(id)),
        found => Ok(found),
    }
}

/// Reads every delivery in the order of their names, wherever it lies, and gives each record, or its damage, to `each`. Stops
/// when `each` says so. One that ends meanwhile is met once.
pub(crate) fn each_delivery(
    store: &dyn Store,
    mut each: impl FnMut(DeliveryId, Key, Result<DeliveryRecord, Damage>) -> bool,
) -> Result<(), StoreError> {
    let (mut live, mut ended) = (Pages::of(Home::Live), Pages::of(Home::Ended));
    let mut last = None;
    loop {
        // What ended since the page of live ones was read has moved to where it would not be looked for: so the other page
        // is always the younger one.
        if live.fill(last, store)? {
            ended = Pages::of(Home::Ended);
        }
        ended.fill(last, store)?;
        let pages = match (live.first(), ended.first()) {
            (None, None) => return Ok(()),
            (Some(live_one), Some(ended_one)) if live_one <= ended_one => &mut live,
            (Some(_), None) => &mut live,
            (_, Some(_)) => &mut ended,
        };
        let Some((id, key, bytes)) = pages.next() else { return Ok(()) };
        let again = last.replace(id) == Some(id);
        let record = decode(&key, &bytes);
        if !again && !each(id, key, record) {
            return Ok(());
        }
    }
}

/// The records of deliveries that lie in one place, page by page.
struct Pages {
    home: Home,
    page: std::vec::IntoIter<(Key, Vec<u8>)>,
    over: bool,
}

impl Pages {
    fn of(home: Home) -> Self {
        Pages { home, page: Vec::new().into_iter(), over: false }
    }

    /// Reads the next page, after `last`, where the one before is used up. Says whether it did.
    fn fill(&mut self, last: Option<DeliveryId>, store: &dyn Store) -> Result<bool, StoreError> {
        const PAGE: usize = 1024;
        if self.over || !self.page.as_slice().is_empty() {
            return Ok(false);
        }
        let table = self.home.key(DeliveryId::default()).table();
        let from = last.map(|last| self.home.key(last));
        let mut page = store.scan(table, from.as_ref(), PAGE)?;
        self.over = page.len() < PAGE;
        if page.first().map(|(key, _)| key) == from.as_ref() && from.is_some() {
            page.remove(0);
        }
        self.page = page.into_iter();
        Ok(true)
    }

    /// The name of the next one.
    fn first(&self) -> Option<DeliveryId> {
        self.page.as_slice().first().and_then(|(key, _)| named(key))
    }

    fn next(&mut self) -> Option<(DeliveryId, Key, Vec<u8>)> {
        let (key, bytes) = self.page.next()?;
        Some((named(&key)?, key, bytes))
    }
}

fn named(key: &Key) -> Option<DeliveryId> {
    match key {
        Key::Delivery(id) | Key::Ended(id) => Some(*id),
        _ => None,
    }
}
