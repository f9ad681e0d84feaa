//! What operators were told: the last alerts, and of each thing what was told of it.

use outlast_state::Time;
use serde::{Deserialize, Serialize};

use crate::alert::told::{CredentialTold, DestinationTold, StoreTold};
use crate::alert::{Alert, AlertKind, AlertSubject, Severity};
use crate::digest::{hex, sha256};
use crate::store::Key;

/// A record of the table of alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AlertRecord {
    /// An alert that was given.
    Past(PastAlert),
    /// What was told of something.
    Told(Told),
}

/// An alert, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PastAlert {
    pub(crate) number: u64,
    pub(crate) at: Time,
    pub(crate) kind: AlertKind,
    pub(crate) severity: Severity,
    pub(crate) subject: AlertSubject,
    pub(crate) text: String,
    pub(crate) ends: Option<Time>,
    pub(crate) count: u64,
}

/// What was told of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// Of the credential of this name.
    Credential(String, CredentialTold),
    /// Of the destination of this name.
    Destination(String, DestinationTold),
    /// Of the store.
    Store(StoreTold),
}

impl Told {
    /// What it is about.
    pub(crate) fn subject(&self) -> AlertSubject {
        match self {
            Told::Credential(name, _) => AlertSubject::Credential(name.clone()),
            Told::Destination(name, _) => AlertSubject::Destination(name.clone()),
            Told::Store(_) => AlertSubject::Store,
        }
    }
}

impl From<PastAlert> for Alert {
    fn from(past: PastAlert) -> Self {
        let PastAlert { number, at, kind, severity, subject, text, ends, count } = past;
        let ends_ms = ends.map(Time::as_millis);
        Alert { number, at_ms: at.as_millis(), kind, severity, subject, text, ends_ms, count }
    }
}

/// The key of what was told of this. Names that are too long for a key are told by their digest.
pub(crate) fn told_key(subject: &AlertSubject) -> Key {
    const LONGEST: usize = 400;
    let text = serde_json::to_string(subject).expect("names are text");
    Key::Told(if text.len() <= LONGEST { text } else { format!("sha256:{}", hex(&sha256(text.as_bytes()))) })
}
