//! Alerts: what an operator is told without asking. Each is told once, when what it is about begins or ends.

mod calendar;
mod text;
pub(crate) mod told;

use std::fmt;

use outlast_state::Time;
use serde::{Deserialize, Serialize};

pub use calendar::{Warning, warnings};
pub(crate) use text::{Means, cause_in_words, store_failed};

/// Something that an operator should know. It holds no secret and nothing of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alert {
    /// Its number, counted over the life of the store; 0 for one that could not be stored.
    pub number: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What happened.
    pub kind: AlertKind,
    /// How much it presses.
    pub severity: Severity,
    /// What it is about.
    pub subject: AlertSubject,
    /// What happened, since when, who must act, and what to do.
    pub text: String,
    /// When the grant that it is about ends, where it is about one.
    #[serde(default)]
    pub ends_ms: Option<u64>,
    /// How many things it stands for: deliveries that failed, records that do not verify.
    #[serde(default = "one")]
    pub count: u64,
}

const fn one() -> u64 {
    1
}

/// What an alert says happened.
// Stored by its number: new ones stand last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AlertKind {
    /// The end of a grant is near.
    #[serde(rename = "credential.dying")]
    CredentialDying,
    /// A grant has ended while a token of it still serves.
    #[serde(rename = "credential.grant_ended")]
    GrantEnded,
    /// A new token was refused beyond its settle window and never accepted, while another one serves.
    #[serde(rename = "credential.fruitless")]
    CredentialFruitless,
    /// A credential has nothing left, and only a human can change that.
    #[serde(rename = "credential.dead")]
    CredentialDead,
    /// A credential that was told dead has a token again.
    #[serde(rename = "credential.alive")]
    CredentialAlive,
    /// A destination failed request after request, and is asked now and then only.
    #[serde(rename = "destination.failing")]
    CircuitOpened,
    /// A destination that was told failing answers, and has gone on to.
    #[serde(rename = "destination.answering")]
    CircuitClosed,
    /// Deliveries were given up.
    #[serde(rename = "deliveries.failed")]
    DeliveriesFailed,
    /// Records of the store do not verify.
    #[serde(rename = "store.damaged")]
    StoreDamaged,
    /// The store failed, and the engine has ended.
    #[serde(rename = "store.failed")]
    StoreFailed,
}

impl AlertKind {
    /// All of them, in the order of their declaration.
    pub const ALL: [AlertKind; 10] = [
        AlertKind::CredentialDying,
        AlertKind::GrantEnded,
        AlertKind::CredentialFruitless,
        AlertKind::CredentialDead,
        AlertKind::CredentialAlive,
        AlertKind::CircuitOpened,
        AlertKind::CircuitClosed,
        AlertKind::DeliveriesFailed,
        AlertKind::StoreDamaged,
        AlertKind::StoreFailed,
    ];

    /// Its name, as it is written everywhere.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            AlertKind::CredentialDying => "credential.dying",
            AlertKind::GrantEnded => "credential.grant_ended",
            AlertKind::CredentialFruitless => "credential.fruitless",
            AlertKind::CredentialDead => "credential.dead",
            AlertKind::CredentialAlive => "credential.alive",
            AlertKind::CircuitOpened => "destination.failing",
            AlertKind::CircuitClosed => "destination.answering",
            AlertKind::DeliveriesFailed => "deliveries.failed",
            AlertKind::StoreDamaged => "store.damaged",
            AlertKind::StoreFailed => "store.failed",
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How much an alert presses.
// Stored by its number: new ones stand last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody must act: something is well again.
    Info,
    /// Somebody should act, and there is time; or it may pass by itself.
    Warning,
    /// Somebody must act: deliveries stand still or will soon.
    Critical,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertSubject {
    /// The credential of this name.
    Credential(String),
    /// The destination of this name.
    Destination(String),
    /// The store.
    Store,
}

impl fmt::Display for AlertSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AlertSubject::Credential(name) => write!(f, "credential {name}"),
            AlertSubject::Destination(name) => write!(f, "destination {name}"),
            AlertSubject::Store => f.write_str("store"),
        }
    }
}

/// Which alerts there are, and where they go beside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// The destination that they are delivered to, such as a webhook; nothing for none.
    pub to: Option<String>,
    /// So many days before the end of a grant it is warned of.
    pub days: Vec<u32>,
    /// Whether deliveries that are given up are told.
    pub failed: bool,
}

impl Default for Alerts {
    fn default() -> Self {
        Alerts { to: None, days: Alerts::DAYS.to_vec(), failed: true }
    }
}

impl Alerts {
    /// The days before the end of a grant on which it is warned of where nothing else is said.
    pub const DAYS: [u32; 4] = [30, 14, 7, 1];
}

/// A time as RFC 3339, to the second.
pub(crate) fn moment(at: Time) -> String {
    let seconds = i64::try_from(at.as_millis() / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "never".to_owned(), |at| at.to_string())
}

impl Alert {
    /// The body that it is delivered with, in the form that Standard Webhooks asks for: `type`, `timestamp`, `data`.
    pub(crate) fn body(&self) -> Vec<u8> {
        let timestamp = moment(Time::from_millis(self.at_ms));
        let body = serde_json::json!({ "type": self.kind, "timestamp": timestamp, "data": self });
        body.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests;
