//! What the engine shows of itself. Every type is plain data that can be written as JSON; times are milliseconds since the
//! Unix epoch. Nothing here holds a secret or a body.

use outlast_state::{DeliveryId, Span};
use serde::{Deserialize, Serialize};

pub use self::calendar::{CalendarDay, CredentialCalendar, DayWarning, Occasion, ScopeDrift};
pub use self::credential::{
    CredentialDetails, IssuerView, LearnedView, NodeView, Percentiles, RenewalView, ScopesView, TokenView,
};

mod calendar;
mod credential;

/// One delivery on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The delivery's name.
    pub id: DeliveryName,
    /// Its destination's name.
    pub destination: String,
    /// The route that it came by; none where it was submitted to its destination.
    #[serde(default)]
    pub route: Option<String>,
    /// Its lane, if it has one.
    pub lane: Option<String>,
    /// Its idempotency key, if it has one.
    pub once: Option<String>,
    /// The name of its state: one of [`State::NAMES`](outlast_state::State::NAMES).
    pub state: String,
    /// How many attempts were begun. One that ended before its request was made, for what the event is, is among them.
    pub attempts: u32,
    /// How many of those count against its budget.
    pub spent: u32,
    /// When it was accepted.
    pub accepted_ms: u64,
    /// When it is given up.
    pub deadline_ms: u64,
    /// From when it may be sent, where its own state says so.
    pub due_ms: Option<u64>,
    /// When it ended, where it has.
    pub ended_ms: Option<u64>,
    /// The code, in the table of errors, of why it failed or of what the last answer said.
    #[serde(default)]
    pub code: Option<String>,
    /// Why it failed, where it has, or what the last answer said.
    pub detail: Option<String>,
    /// Whether it failed although the destination may have it.
    pub in_doubt: bool,
    /// Whether it waits for a credential that only a human can revive.
    pub parked: bool,
    /// Whether it waits because its destination fails: the circuit is open.
    #[serde(default)]
    pub cut_off: bool,
}

/// A delivery's id as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryName(pub DeliveryId);

impl std::fmt::Display for DeliveryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for DeliveryName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DeliveryName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(DeliveryName).map_err(serde::de::Error::custom)
    }
}

/// One delivery in full, without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The line that listings show.
    #[serde(flatten)]
    pub summary: Summary,
    /// The size of its body in bytes.
    pub body_bytes: u64,
    /// The SHA-256 of its body, in lower-case hex.
    pub body_sha256: String,
    /// How many attempts may count before it fails.
    pub budget: u32,
    /// What happened to it, oldest first; what lies further back is folded away.
    pub journal: Vec<JournalLine>,
}

/// One thing that happened to a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// When.
    pub at_ms: u64,
    /// What, in words.
    pub what: String,
    /// Where it stood afterwards.
    pub state: String,
    /// How many times the same had happened right before.
    pub repeats: u32,
}

/// One credential. Never its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialView {
    /// Its name.
    pub name: String,
    /// Its profile's name.
    pub profile: String,
    /// The name of its state: one of [`CredentialState::NAMES`](outlast_state::CredentialState::NAMES).
    pub state: String,
    /// The newest generation of its token; 0 before the first.
    pub epoch: u32,
    /// When the token that it serves was minted.
    pub issued_ms: Option<u64>,
    /// When the token that it serves expires, where that is known.
    pub expires_ms: Option<u64>,
    /// When its grant ends, where that is known.
    pub grant_ends_ms: Option<u64>,
    /// What there is to say about it, in a sentence.
    pub detail: String,
    /// How many live deliveries depend on it.
    pub live: u64,
}

/// What came of ending a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// How it stands here: ended.
    pub credential: CredentialView,
    /// Whether its provider has confirmed that it ended there, too.
    pub at_provider: bool,
    /// What happened at the provider, or what did not, in a sentence.
    pub detail: String,
}

/// A sealed record, and how it opens. Never what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedView {
    /// Whose it is.
    pub credential: String,
    /// Which of its records: `access token` or `refresh token`.
    pub what: String,
    /// The generation that it belongs to; of a refresh token that does not open, the one that its credential has.
    pub epoch: u32,
    /// The name of the key that it was sealed with, where it says so.
    pub key: Option<String>,
    /// Why it does not open, where it does not.
    pub problem: Option<String>,
}

/// The vault: its keys, and what is sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultView {
    /// The names of its keys. The first one seals, all of them open.
    pub keys: Vec<String>,
    /// What is sealed.
    pub records: Vec<SealedView>,
}

/// What became of what is sealed when the vault went to another key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rekeyed {
    /// The name of the key.
    pub key: String,
    /// How many records were sealed anew.
    pub resealed: u64,
    /// How many were sealed with it already.
    pub already: u64,
    /// Those that open with none of the keys, and were left as they are.
    pub left: Vec<SealedView>,
}

/// How many deliveries stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Waiting for their time.
    pub pending: u64,
    /// In the air.
    pub sending: u64,
    /// Waiting for a young token to spread.
    pub awaiting_propagation: u64,
    /// Waiting for a new token.
    pub refreshing: u64,
    /// Delivered.
    pub done: u64,
    /// Given up.
    pub failed: u64,
    /// Requests made for all of these.
    pub attempts: u64,
    /// Records that did not verify when the store was opened.
    pub damaged: u64,
    /// Destinations whose circuit is open: they fail, and are asked now and then only.
    #[serde(default)]
    pub cut_off: u64,
}

impl Counts {
    /// How many have not ended.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.pending
            .saturating_add(self.sending)
            .saturating_add(self.awaiting_propagation)
            .saturating_add(self.refreshing)
    }
}

/// Which deliveries a listing or an operator's act is about. Every condition that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// These states, by name; all when empty.
    pub states: Vec<String>,
    /// This destination.
    pub destination: Option<String>,
    /// This lane.
    pub lane: Option<String>,
    /// Accepted at least this long ago.
    pub older_than: Option<Span>,
    /// At most so many, oldest first; all when `None`.
    pub limit: Option<usize>,
}

/// What an operator pauses: nothing of it is sent until it is resumed. Deadlines run on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All deliveries to a destination.
    Destination(String),
    /// All deliveries that need a credential.
    Credential(String),
    /// One lane of a destination.
    Lane {
        /// The destination.
        destination: String,
        /// The lane.
        lane: String,
    },
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::Destination(name) => write!(f, "destination {name}"),
            Scope::Credential(name) => write!(f, "credential {name}"),
            Scope::Lane { destination, lane } => write!(f, "lane {lane} of destination {destination}"),
        }
    }
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The destination has it.
    Done(Done),
    /// It was given up.
    Failed(Failed),
}

/// A delivery that the destination has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// How many requests it took.
    pub attempts: u32,
    /// When the acceptance arrived.
    pub at_ms: u64,
    /// The HTTP status of the acceptance.
    pub status: u16,
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// How many requests were made.
    pub attempts: u32,
    /// When it was given up.
    pub at_ms: u64,
    /// The code of why, in the table of errors.
    #[serde(default)]
    pub code: String,
    /// Why, and who acts next: where an event was refused, the field and the remedy.
    pub reason: String,
    /// Whether the destination may have it all the same.
    pub in_doubt: bool,
}

/// What a redrive gives a failed delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redrive {
    /// The new time to live; the engine's own when `None`.
    pub time_to_live: Option<Span>,
    /// Redrive also what may have arrived, beyond the time in which the provider recognises a repeat.
    pub may_duplicate: bool,
}
