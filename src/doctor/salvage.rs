//! What is whole, written to a new store; what is not, listed.

use std::collections::BTreeSet;
use std::path::Path;

use outlast_state::DeliveryId;
use serde::Serialize;

use crate::error::Error;
use crate::records::{
    self, AlertRecord, ClockRecord, CredentialRecord, DeliveryRecord, IdentityRecord, LearnedRecord, OnceRecord,
    ParcelRecord, PauseRecord, Record,
};
use crate::store::keys::Meta;
use crate::store::wreck::{Unread, Wreck};
use crate::store::{DiskOptions, DiskStore, GOOD_WRITES, Key, Store, StoreError, Table, Writes, put_in_place};

/// What was saved, and what was not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Salvage {
    /// How many deliveries were written.
    pub deliveries: u64,
    /// How many records, those included.
    pub records: u64,
    /// What was left.
    pub left: Vec<Left>,
}

/// Something that was not written.
#[derive(Clone, Debug, Serialize)]
pub struct Left {
    /// Which record, or what lies between which.
    pub key: String,
    /// Why not.
    pub why: String,
}

pub(super) fn write(wreck: &Wreck, to: &Path) -> Result<Salvage, Error> {
    let begun = wreck.scratch().join("begun");
    let store = DiskStore::open(&begun, &DiskOptions { kind: wreck.kind, ..DiskOptions::default() })?;
    let mut writer = Writer { store, writes: Writes::new(), told: Salvage::default() };
    writer.gap(wreck);
    let saved = writer.deliveries(wreck)?;
    writer.orphans(wreck);
    writer.once(wreck, &saved)?;
    let survey = wreck.survey();
    writer.plain::<CredentialRecord>(wreck, Table::Credential)?;
    writer.plain::<LearnedRecord>(wreck, Table::Learned)?;
    writer.plain::<PauseRecord>(wreck, Table::Pause)?;
    writer.plain::<AlertRecord>(wreck, Table::Alert)?;
    for table in [Table::Token, Table::Grant] {
        writer.sealed(wreck, table, survey.fault(table).as_deref())?;
    }
    writer.own::<ClockRecord>(wreck, Meta::Clock, |clock| clock.clean = false)?;
    writer.own::<IdentityRecord>(wreck, Meta::Identity, |_| {})?;
    writer.doubts(&survey);
    writer.flush()?;
    writer.store.close()?;
    put_in_place(&begun, wreck.kind, to)
        .map_err(|error| StoreError::io(format_args!("moving it to {}", to.display()), &error))?;
    Ok(writer.told)
}

struct Writer {
    store: DiskStore,
    writes: Writes,
    told: Salvage,
}

impl Writer {
    fn leave(&mut self, key: &impl ToString, why: &impl ToString) {
        self.told.left.push(Left { key: key.to_string(), why: why.to_string() });
    }

    fn unread(&mut self, unread: Vec<Unread>) {
        for range in unread {
            self.leave(&format!("from {} to {}", range.after, range.before), &format!("cannot be read: {}", range.why));
        }
    }

    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.told.records = self.told.records.saturating_add(1);
        self.writes.put(key, value);
    }

    /// Commits what was put since, where that is enough for a commit. Called where a delivery is complete.
    fn settle(&mut self) -> Result<(), StoreError> {
        if self.writes.len() >= GOOD_WRITES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.store.commit(std::mem::take(&mut self.writes)).map(drop)
    }

    fn deliveries(&mut self, wreck: &Wreck) -> Result<BTreeSet<DeliveryId>, StoreError> {
        let mut keys = Vec::new();
        for table in [Table::Delivery, Table::Ended] {
            let unread = wreck.each(table, |key, _| keys.push(key));
            self.unread(unread);
        }
        let mut saved = BTreeSet::new();
        for key in keys {
            let (Key::Delivery(id) | Key::Ended(id)) = key else { continue };
            match whole(wreck, id, key.clone()) {
                Ok(records) => {
                    for (key, value) in records {
                        self.put(key, value);
                    }
                    saved.insert(id);
                    self.told.deliveries = self.told.deliveries.saturating_add(1);
                    self.settle()?;
                }
                Err(why) => self.leave(&key, &why),
            }
        }
        Ok(saved)
    }

    /// Events whose delivery is gone: whether they were sent, nobody knows.
    fn orphans(&mut self, wreck: &Wreck) {
        let mut ids = Vec::new();
        let unread = wreck.each(Table::Parcel, |key, _| {
            if let Key::Parcel(id) = key {
                ids.push(id);
            }
        });
        self.unread(unread);
        for id in ids {
            if is_gone(wreck, id) {
                self.leave(&Key::Parcel(id), &"its delivery is not there: whether it was sent, nobody knows");
            }
        }
    }

    fn once(&mut self, wreck: &Wreck, saved: &BTreeSet<DeliveryId>) -> Result<(), StoreError> {
        let mut found = Vec::new();
        let unread = wreck.each(Table::Once, |key, bytes| found.push((key, bytes.to_vec())));
        self.unread(unread);
        for (key, bytes) in found {
            match records::decode::<OnceRecord>(&key, &bytes) {
                Ok(record) if saved.contains(&record.id) => self.put(key, bytes),
                Ok(record) => self.leave(&key, &format!("its delivery {} is not written", record.id)),
                Err(damage) => self.leave(&key, &damage),
            }
            self.settle()?;
        }
        Ok(())
    }

    /// A table whose records stand alone and verify.
    fn plain<T: Record>(&mut self, wreck: &Wreck, table: Table) -> Result<(), StoreError> {
        let mut found = Vec::new();
        let unread = wreck.each(table, |key, bytes| found.push((key, bytes.to_vec())));
        self.unread(unread);
        for (key, bytes) in found {
            match records::decode::<T>(&key, &bytes) {
                Ok(_) => self.put(key, bytes),
                Err(damage) => self.leave(&key, &damage),
            }
            self.settle()?;
        }
        Ok(())
    }

    /// A table whose records verify with the vault's key only. Here the hash of the table is all that there is.
    fn sealed(&mut self, wreck: &Wreck, table: Table, fault: Option<&str>) -> Result<(), StoreError> {
        let mut found = Vec::new();
        let unread = wreck.each(table, |key, bytes| found.push((key, bytes.to_vec())));
        self.unread(unread);
        for (key, bytes) in found {
            match fault {
                Some(fault) => self.leave(&key, &format!("it cannot be told from an older or changed one ({fault})")),
                None => self.put(key, bytes),
            }
            self.settle()?;
        }
        Ok(())
    }

    /// One of the store's own records. That the old store's stop was clean says nothing about what could be read of it.
    fn own<T: Record>(&mut self, wreck: &Wreck, which: Meta, change: impl FnOnce(&mut T)) -> Result<(), StoreError> {
        let key = Key::Meta(which);
        match wreck.get(&key) {
            Ok(Some(bytes)) => match records::decode::<T>(&key, &bytes) {
                Ok(mut record) => {
                    change(&mut record);
                    records::put(key, &record, &mut self.writes);
                    self.told.records = self.told.records.saturating_add(1);
                }
                Err(damage) => self.leave(&key, &format!("{damage}; it is written anew when the new store is opened")),
            },
            Ok(None) => {}
            Err(error) => self.leave(&key, &error.without_remedy()),
        }
        self.settle()
    }

    /// Commits that are not there. The new store's numbers begin anew, and would not show it.
    fn gap(&mut self, wreck: &Wreck) {
        if !wreck.is_counted() {
            self.leave(&"the ledger", &"it is missing or does not verify: whether this is all, nobody knows");
        }
        if wreck.gap.is_none() {
            return;
        }
        let last = wreck.commit().unwrap_or_default();
        let why = match wreck.acknowledged {
            Some(acknowledged) => {
                format!(
                    "the last commit that is there is number {last}, and number {acknowledged} was acknowledged: what came between is not saved; a backup may have it"
                )
            }
            None => format!(
                "the file mark does not say whether commits after number {last} were acknowledged: if so, what they held is not saved"
            ),
        };
        self.leave(&"the end of the store", &why);
    }

    /// What was written although the old store's ledger does not vouch for it.
    fn doubts(&mut self, survey: &crate::store::wreck::Survey) {
        for table in Table::ALL.into_iter().filter(|table| !matches!(table, Table::Token | Table::Grant)) {
            if let Some(fault) = survey.fault(table) {
                let why = format!(
                    "{fault}. What is there and verifies was written; an older record may send again what was sent"
                );
                self.leave(&format!("table {table}"), &why);
            }
        }
    }
}

/// Whether there is no record of the delivery at all.
pub(super) fn is_gone(wreck: &Wreck, id: DeliveryId) -> bool {
    [Key::Delivery(id), Key::Ended(id)].iter().all(|key| matches!(wreck.get(key), Ok(None)))
}

/// All records of a delivery, each verified, or why it is not whole. One that was delivered has no event any more.
fn whole(wreck: &Wreck, id: DeliveryId, key: Key) -> Result<Vec<(Key, Vec<u8>)>, String> {
    let read = |key: Key| match wreck.get(&key) {
        Ok(Some(bytes)) => Ok((key, bytes)),
        Ok(None) => Err(format!("{key} is missing")),
        Err(error) => Err(format!("{key} cannot be read: {error}")),
    };
    let (key, bytes) = read(key)?;
    let delivery =
        records::decode::<DeliveryRecord>(&key, &bytes).map_err(|damage| format!("it does not verify: {damage}"))?;
    if delivery.let_go_of_body() {
        return Ok(vec![(key, bytes)]);
    }
    let (parcel, start) = read(Key::Parcel(id))?;
    let record: ParcelRecord = records::decode(&parcel, &start).map_err(|damage| format!("{parcel}: {damage}"))?;
    match records::body(wreck, id) {
        Ok(Ok(_)) => {}
        Ok(Err(why)) => return Err(why),
        Err(error) => return Err(format!("its body cannot be read: {error}")),
    }
    let mut whole = vec![(key, bytes), (parcel, start)];
    for number in 0..records::chunks(record.size) {
        whole.push(read(Key::Body(id, number))?);
    }
    Ok(whole)
}
