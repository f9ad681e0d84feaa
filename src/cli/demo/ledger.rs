//! The store's account: what is on disk, read without an engine.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use outlast_state::{CredentialState, DeliveryJournal, Input, State, Time, Verdict, Why};

use super::CREDENTIAL;
use crate::cli::failure::Failure;
use crate::records::{self, CredentialRecord, DeliveryRecord};
use crate::store::{DiskOptions, DiskStore, Key, Store, StoreError};

/// What a store says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// Deliveries of any state.
    pub(super) accepted: u64,
    /// Those that ended well.
    pub(super) delivered: u64,
    /// Those that were given up.
    pub(super) failed: u64,
    /// Those that have not ended.
    pub(super) live: u64,
    /// Those of which a request may be on the wire.
    pub(super) sending: u64,
    /// Requests made for all of them.
    pub(super) attempts: u64,
    /// How many were given up for which reason.
    pub(super) reasons: BTreeMap<String, u64>,
    /// Records that do not verify.
    pub(super) damaged: u64,
    /// Tokens that were stored after the first one.
    pub(super) renewals: u64,
    /// Whether a token call was under way, or intended.
    pub(super) renewing: bool,
    /// Whether an answer that refuses the token is in a journal.
    pub(super) refusal_heard: bool,
    /// Requests that were in the air when the first such answer was heard.
    pub(super) in_flight_at_refusal: u64,
    /// What it takes on disk, in bytes.
    pub(super) size: u64,
}

impl Ledger {
    /// Reads a store that no process has open.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |why: StoreError| Failure::new(format!("the store {} cannot be read: {why}", path.display()));
        let store = DiskStore::open(path, &DiskOptions::default()).map_err(failed)?;
        let read = Ledger::of(&store).map_err(failed);
        store.close().map_err(failed)?;
        let size = size(path)?;
        read.map(|ledger| Ledger { size, ..ledger })
    }

    fn of(store: &DiskStore) -> Result<Self, StoreError> {
        let mut ledger = Ledger::default();
        let mut flights = Flights::default();
        records::each_delivery(store, |_, _, record| {
            match record {
                Ok(record) => {
                    flights.take(&record.journal);
                    ledger.take(&record);
                }
                Err(_) => ledger.damaged = ledger.damaged.saturating_add(1),
            }
            true
        })?;
        match records::get::<CredentialRecord>(store, &Key::Credential(CREDENTIAL.to_owned()))? {
            Ok(Some(record)) => {
                ledger.renewals = u64::from(record.credential.epoch.number().saturating_sub(1));
                ledger.renewing = matches!(record.credential.state, CredentialState::Refreshing { .. });
            }
            Ok(None) | Err(_) => ledger.damaged = ledger.damaged.saturating_add(1),
        }
        ledger.refusal_heard = flights.heard.is_some();
        ledger.in_flight_at_refusal = flights.at_refusal();
        Ok(ledger)
    }

    fn take(&mut self, record: &DeliveryRecord) {
        let add = |counter: &mut u64| *counter = counter.saturating_add(1);
        add(&mut self.accepted);
        self.attempts = self.attempts.saturating_add(u64::from(record.delivery.attempt.count()));
        match record.delivery.state {
            State::Done { .. } => add(&mut self.delivered),
            State::Failed { .. } => {
                add(&mut self.failed);
                add(self.reasons.entry(reason(&record.note)).or_default());
            }
            State::Sending { .. } => {
                add(&mut self.sending);
                add(&mut self.live);
            }
            State::Pending { .. } | State::AwaitingPropagation { .. } | State::Refreshing { .. } => add(&mut self.live),
        }
    }

    /// The reasons, most frequent first.
    pub(super) fn ranked(&self) -> Vec<(&str, u64)> {
        let mut reasons: Vec<(&str, u64)> =
            self.reasons.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        reasons.sort_by(|(one, more), (other, fewer)| fewer.cmp(more).then(one.cmp(other)));
        reasons
    }
}

/// When each request was in the air, by the journals of the deliveries. The provider cannot know it: a request is in the air
/// before it arrives and until its answer is heard.
#[derive(Default)]
struct Flights {
    spans: Vec<(Time, Time)>,
    /// When the first refusal of a token was heard.
    heard: Option<Time>,
}

impl Flights {
    fn take(&mut self, journal: &DeliveryJournal) {
        let mut sent = None;
        for entry in journal.entries() {
            match entry.input {
                Input::Admitted { .. } => sent = Some(entry.at),
                // An event that is found invalid is never sent.
                Input::Answered { verdict: Verdict::Refused { why: Why::Invalid }, .. } => sent = None,
                Input::Answered { verdict, .. } => {
                    if matches!(verdict, Verdict::TokenRefused) {
                        self.heard = Some(self.heard.map_or(entry.at, |heard| heard.min(entry.at)));
                    }
                    self.spans.extend(sent.take().map(|sent| (sent, entry.at)));
                }
                Input::Interrupted { .. } => self.spans.extend(sent.take().map(|sent| (sent, entry.at))),
                Input::DeadlinePassed | Input::Cancelled | Input::Redriven { .. } => {}
            }
        }
        self.spans.extend(sent.map(|sent| (sent, Time::NEVER)));
    }

    fn at_refusal(&self) -> u64 {
        let Some(heard) = self.heard else { return 0 };
        let aloft = self.spans.iter().filter(|(sent, ended)| *sent <= heard && heard <= *ended);
        u64::try_from(aloft.count()).unwrap_or(u64::MAX)
    }
}

/// What a note says apart from the values in it, so that like is counted with like: what is wrong, and with which field.
fn reason(note: &str) -> String {
    let sentence = note.split_once(". ").map_or(note, |(first, _)| first).trim_end_matches('.');
    let letters: String = sentence.chars().take(LONGEST_REASON).collect();
    let named = note.split_once("ield `").and_then(|(_, rest)| rest.split_once('`'));
    match named {
        _ if letters.is_empty() => "no reason was stored".to_owned(),
        Some((field, _)) => format!("{field}: {letters}"),
        None => letters,
    }
}

const LONGEST_REASON: usize = 90;

/// Copies a store whose engine was killed, as it lies there. The socket that the engine left behind is no part of it.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The bytes in the files below `path`.
fn size(path: &Path) -> io::Result<u64> {
    let mut sum: u64 = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let more = if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
        sum = sum.saturating_add(more);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_without_their_values() {
        assert_eq!(reason("Amount is missing. Field `a.b`: give it one."), "a.b: Amount is missing");
        assert_eq!(reason("Too old."), "Too old");
        assert_eq!(reason(""), "no reason was stored");
        assert_eq!(reason(&"y".repeat(500)).len(), LONGEST_REASON);
    }

    #[test]
    fn a_copy_has_the_files_and_leaves_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("sled")).unwrap();
        fs::write(from.join("sled/db"), "12345").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(from.join("control.sock")).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("sled/db")).unwrap(), "12345");
        assert!(!to.join("control.sock").exists());
        assert_eq!(size(&to).unwrap(), 5);
    }
}
