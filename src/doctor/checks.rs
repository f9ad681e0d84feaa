//! What is held against what, and what each finding means.

use std::path::Path;

use outlast_state::{Credential, CredentialState, CredentialWant, DeliveryId, Held, Want};

use super::salvage::is_gone;
use super::{Examination, Finding, TableCount};
use crate::records::{self, CredentialRecord, DeliveryRecord, OnceRecord};
use crate::store::codec::Damage;
use crate::store::wreck::{Survey, Wreck};
use crate::store::{Key, Store, Table};

const SALVAGE: &str =
    "operator: `outlast doctor --salvage DIR` writes what is whole to a new store, or put back a backup";

pub(super) fn examine(wreck: &Wreck, path: &Path) -> Examination {
    let survey = wreck.survey();
    let mut findings = Findings(Vec::new());
    findings.whole(wreck, &survey);
    for (key, damage) in survey.damaged() {
        findings.add(key, damage, damaged(wreck, key));
    }
    findings.deliveries(wreck);
    findings.parcels(wreck);
    findings.once(wreck);
    findings.credentials(wreck);
    findings.strays(wreck);
    let tables = Table::ALL.into_iter().map(|table| {
        let (found, counted) = survey.count(table);
        TableCount { table: table.to_string(), found, counted }
    });
    Examination {
        ok: findings.0.is_empty(),
        store: path.to_owned(),
        refusal: wreck.refusal.as_ref().map(ToString::to_string),
        format: wreck.format,
        commit: wreck.commit(),
        acknowledged: wreck.acknowledged,
        tables: tables.collect(),
        findings: findings.0,
    }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, subject: &impl ToString, what: &impl ToString, remedy: impl Into<String>) {
        let (subject, what) = (subject.to_string(), what.to_string());
        self.0.push(Finding { subject, what, remedy: remedy.into() });
    }

    /// What is about the store as a whole.
    fn whole(&mut self, wreck: &Wreck, survey: &Survey) {
        if let Some(left_out) = wreck.left_out {
            let what = format!("it can be read without {left_out} only");
            self.add(&"the store", &what, SALVAGE);
        }
        if let Some(gap) = &wreck.gap {
            self.add(&"file mark", gap, "operator: decide; the sentence says between what");
        }
        if !wreck.is_counted() {
            self.add(&"the ledger", &"it is missing or does not verify: nobody counted what should be there", SALVAGE);
        }
        for table in Table::ALL {
            if let Some(fault) = survey.fault(table) {
                self.add(&format!("table {table}"), &fault, SALVAGE);
            }
        }
        for unread in &survey.unread {
            let subject = format!("from {} to {}", unread.after, unread.before);
            self.add(&subject, &format!("cannot be read: {}", unread.why), SALVAGE);
        }
        for key in survey.foreign() {
            let remedy =
                "operator: was another program or a newer Outlast here? `outlast doctor --salvage DIR` leaves it out";
            self.add(&format!("key {key:02x?}"), &"is none that this version knows", remedy);
        }
        if self.0.is_empty()
            && let Some(refusal) = &wreck.refusal
        {
            self.add(&"the store", &refusal.without_remedy(), SALVAGE);
        }
    }

    /// Live deliveries that could not be sent.
    fn deliveries(&mut self, wreck: &Wreck) {
        let mut live = Vec::new();
        for table in [Table::Delivery, Table::Ended] {
            wreck.each(table, |key, bytes| {
                match records::decode::<DeliveryRecord>(&key, bytes) {
                    Ok(record) if record.delivery.wants() != Want::Nothing => live.push(record.delivery.id),
                    Ok(_) => {}
                    Err(damage @ (Damage::Payload { .. } | Damage::Version(_))) => {
                        self.add(&key, &damage, damaged(wreck, &key));
                    }
                    Err(_) => {} // its envelope told that already
                }
            });
        }
        for id in live {
            let why = match records::body(wreck, id) {
                Ok(Ok(_)) => continue,
                Ok(Err(why)) => why,
                Err(error) => format!("its event cannot be read: {error}"),
            };
            self.add(&Key::Delivery(id), &why, not_sent(id));
        }
    }

    /// Events that no delivery is about.
    fn parcels(&mut self, wreck: &Wreck) {
        let mut seen = Vec::new();
        for table in [Table::Parcel, Table::Body] {
            wreck.each(table, |key, _| {
                if let Key::Parcel(id) | Key::Body(id, _) = key
                    && seen.last().is_none_or(|(_, last)| *last != id)
                {
                    seen.push((key, id));
                }
            });
        }
        for (key, id) in seen {
            let lost = is_gone(wreck, id);
            let parcel = matches!(key, Key::Body(..)) && matches!(wreck.get(&Key::Parcel(id)), Ok(None));
            if lost || parcel {
                let whose = if lost { "delivery" } else { "parcel" };
                self.add(&key, &format!("it is there, and its {whose} is not"), SALVAGE);
            }
        }
    }

    /// Idempotency keys whose delivery is gone.
    fn once(&mut self, wreck: &Wreck) {
        let mut known = Vec::new();
        wreck.each(Table::Once, |key, bytes| {
            known.extend(records::decode::<OnceRecord>(&key, bytes).map(|record| (key, record.id)));
        });
        for (key, id) in known {
            if is_gone(wreck, id) {
                let what = format!("it stands for delivery {id}, which is not there");
                self.add(&key, &what, format!("an event with that key is taken for a repeat and not sent; {SALVAGE}"));
            }
        }
    }

    /// Credentials that have less than they say.
    fn credentials(&mut self, wreck: &Wreck) {
        let mut known = Vec::new();
        wreck.each(Table::Credential, |key, bytes| {
            if let (Key::Credential(name), Ok(record)) = (&key, records::decode::<CredentialRecord>(&key, bytes)) {
                known.push((name.clone(), record.credential));
            }
        });
        for (name, credential) in known {
            let remedy = format!("operator: `outlast auth import {name} --file FILE`");
            for (key, what) in needed(&name, &credential) {
                if matches!(wreck.get(&key), Ok(None)) {
                    let what = format!("its {what} is not in the store");
                    self.add(&Key::Credential(name.clone()), &what, &remedy);
                }
            }
        }
    }

    fn strays(&mut self, wreck: &Wreck) {
        for path in &wreck.strays {
            let subject = format!("file {}", path.display());
            if path.to_string_lossy().ends_with(".generating") {
                self.add(&subject, &"was left by an interrupted snapshot", "nobody: it is removed at the next start");
            } else {
                self.add(
                    &subject,
                    &"is a page outside of the file that is synced, which Outlast never writes",
                    SALVAGE,
                );
            }
        }
    }
}

/// The sealed records that a credential which is not dead has.
fn needed(name: &str, credential: &Credential) -> Vec<(Key, &'static str)> {
    if credential.wants() == CredentialWant::Authorisation {
        return Vec::new();
    }
    let mut needed = vec![(Key::Grant(name.to_owned()), "grant")];
    if let CredentialState::Current { serving: token, .. }
    | CredentialState::Refreshing { held: Held::Serving(token), .. } = credential.state
    {
        needed.push((Key::Token(name.to_owned(), token.epoch), "token"));
    }
    needed
}

/// What to do about an event that cannot be read. Its idempotency key goes on to stand for the delivery that was cancelled.
fn not_sent(id: DeliveryId) -> String {
    format!(
        "delivery {id} is not sent; operator: `outlast cancel {id}`, then submit the event again under another idempotency key or none (`outlast send FILE --once none`): under its own it is taken for a repeat"
    )
}

fn has_ended(wreck: &Wreck, id: DeliveryId) -> bool {
    let record = records::stored(wreck, id);
    matches!(record, Ok(Ok(Some(record))) if record.delivery.wants() == Want::Nothing)
}

/// What it means that a record does not verify.
fn damaged(wreck: &Wreck, key: &Key) -> String {
    match key {
        Key::Delivery(id) => format!(
            "it is not acted on, and its lane stops; operator: `outlast doctor --salvage DIR` leaves {id} out, then submit its event again"
        ),
        Key::Ended(id) => format!(
            "delivery {id} has ended, and how is not told any more: it holds up nothing; nobody, or `outlast doctor --salvage DIR` writes a store without it"
        ),
        Key::Parcel(id) | Key::Body(id, _) if has_ended(wreck, *id) => {
            format!(
                "delivery {id} has ended and does not need it: it holds up nothing; nobody, or `outlast doctor --salvage DIR` writes a store without it"
            )
        }
        Key::Parcel(id) | Key::Body(id, _) => not_sent(*id),
        Key::Credential(name) | Key::Grant(name) | Key::Token(name, _) => {
            format!("it counts as dead, and what needs it waits; operator: `outlast auth import {name} --file FILE`")
        }
        Key::Memory(_) => {
            format!("its destination asks the provider once more for what it kept in mind; nobody, or {SALVAGE}")
        }
        Key::Learned(_) => format!("how long its provider's tokens spread is learned anew; nobody, or {SALVAGE}"),
        Key::Once(_) => {
            format!("an event with that key is refused; {SALVAGE}")
        }
        Key::Alert(_) => format!("it says what was told, and holds up nothing; nobody, or {SALVAGE}"),
        Key::Told(_) => format!("what it is about may be told once more; nobody, or {SALVAGE}"),
        Key::Pause(_) => "what it pauses stays paused; operator: `outlast resume` it".into(),
        Key::Meta(_) => "it is written anew at the next start, from what else is known; nobody, or, if it is Format, \
                         operator: `outlast doctor --salvage DIR`"
            .into(),
    }
}
