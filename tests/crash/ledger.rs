//! The store's account, read without an engine: the records as they lie there, in words of this test's own.

use std::collections::BTreeMap;
use std::path::Path;

use outlast::state::{Clues, Credential, CredentialJournal, CredentialState, Delivery, DeliveryJournal, State, Time};
use outlast::store::{Key, Store, Table, codec};
use serde::Deserialize;

use crate::workload;

#[derive(Deserialize)]
#[allow(dead_code, reason = "the order of the fields is the encoding")]
struct DeliveryRecord {
    delivery: Delivery,
    destination: String,
    lane: Option<String>,
    once: Option<String>,
    accepted: Time,
    content: Option<(u32, [u8; 32])>,
    route: Option<String>,
    batch_key: Option<String>,
    code: String,
    note: String,
    journal: DeliveryJournal,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "the order of the fields is the encoding")]
struct CredentialRecord {
    credential: Credential,
    slow_until: Time,
    note: String,
    clues: Clues,
    journal: CredentialJournal,
}

/// One delivery.
pub(crate) struct Entry {
    pub(crate) state: &'static str,
    pub(crate) once: Option<String>,
    pub(crate) note: String,
}

/// What a store holds.
pub(crate) struct Ledger {
    /// By the delivery's name.
    pub(crate) deliveries: BTreeMap<String, Entry>,
    /// Tokens that were stored after the first one.
    pub(crate) renewals: u64,
    /// Whether a token request was out, or intended.
    pub(crate) renewing: bool,
    /// Records that do not verify.
    pub(crate) damaged: Vec<String>,
}

impl Ledger {
    /// Reads a store that no process has open.
    pub(crate) fn read(path: &Path) -> Result<Ledger, String> {
        let store = workload::open(path).map_err(|why| format!("the store does not open: {why}"))?;
        let ledger = Ledger::of(&store);
        store.close().map_err(|why| format!("the store does not close: {why}"))?;
        ledger
    }

    /// Reads an open store.
    pub(crate) fn of(store: &dyn Store) -> Result<Ledger, String> {
        let failed = |why| format!("the store cannot be read: {why}");
        let mut ledger = Ledger { deliveries: BTreeMap::new(), renewals: 0, renewing: false, damaged: Vec::new() };
        let mut records = store.scan(Table::Delivery, None, usize::MAX).map_err(failed)?;
        records.extend(store.scan(Table::Ended, None, usize::MAX).map_err(failed)?);
        for (key, bytes) in records {
            let (Key::Delivery(id) | Key::Ended(id)) = key else { continue };
            match codec::open(&key, &bytes).and_then(|(_, payload)| payload.decode::<DeliveryRecord>()) {
                Ok(record) if ledger.deliveries.contains_key(&id.to_string()) => {
                    return Err(format!("delivery {id} lies in two places: {:?} too", record.delivery.state));
                }
                Ok(record) => drop(ledger.deliveries.insert(id.to_string(), Entry::of(record))),
                Err(damage) => ledger.damaged.push(format!("{key} {damage}")),
            }
        }
        for (key, bytes) in store.scan(Table::Credential, None, usize::MAX).map_err(failed)? {
            match codec::open(&key, &bytes).and_then(|(_, payload)| payload.decode::<CredentialRecord>()) {
                Ok(record) => {
                    ledger.renewals = u64::from(record.credential.epoch.number().saturating_sub(1));
                    ledger.renewing = matches!(record.credential.state, CredentialState::Refreshing { .. });
                }
                Err(damage) => ledger.damaged.push(format!("{key} {damage}")),
            }
        }
        Ok(ledger)
    }
}

impl Entry {
    fn of(record: DeliveryRecord) -> Self {
        let state = match record.delivery.state {
            State::Pending { .. } => "Pending",
            State::Sending { .. } => "Sending",
            State::AwaitingPropagation { .. } => "AwaitingPropagation",
            State::Refreshing { .. } => "Refreshing",
            State::Done { .. } => "Done",
            State::Failed { .. } => "Failed",
        };
        Entry { state, once: record.once, note: record.note }
    }
}
