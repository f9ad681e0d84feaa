//! What a switch can be set to.

use super::field::FieldError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which node serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodePolicy {
    /// One after the other.
    RoundRobin,
    /// A hash of the seed and the request's number.
    SeededRandom,
    /// A hash of the seed and the TCP connection.
    StickyByConnection,
    /// The one that `X-Sandbox-Node` names; the first if absent.
    Header,
}

/// How long a node takes to learn a new access token. `null` in JSON, `None` here, means never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// By node; 0 for a node that is not named.
    Fixed(BTreeMap<String, Option<u64>>),
    /// Drawn for each token and node.
    Uniform(Span),
    /// By the token's ordinal, one delay for each node in order; 0 for what is not listed.
    Listed(BTreeMap<u32, Vec<Option<u64>>>),
}

/// A range of milliseconds, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The least.
    pub min_ms: u64,
    /// The most.
    pub max_ms: u64,
}

/// What a node says about a token that it has not learnt. Always 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NotVisible {
    /// "revoked", byte for byte as for a token that was.
    #[serde(rename = "65601")]
    Revoked,
    /// "expired".
    #[serde(rename = "65602")]
    Expired,
    /// "invalid", as for an unknown token.
    #[serde(rename = "65600")]
    Invalid,
    /// Nothing: no JSON to read a code from.
    #[serde(rename = "no_body")]
    NoBody,
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotateRefresh {
    /// Stays.
    Same,
    /// A new one; the old one keeps working.
    NewOldValid,
    /// A new one; the old one is dead.
    NewOldDead,
    /// A new one; the old one is dead this many milliseconds after its first use.
    NewOldDeadAfter(u64),
}

/// What a refresh does to the access tokens before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supersede {
    /// They live on.
    KeepOld,
    /// They are revoked.
    RevokeOldNow,
    /// They are revoked this many milliseconds later.
    RevokeOldAfter(u64),
}

/// What the token endpoint calls a dead refresh token. Both are reported from the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadRefreshError {
    /// As the standard has it.
    InvalidGrant,
    /// With a text that names the refresh token.
    InvalidRequest,
}

/// What a client with a secret may say about PKCE when it redeems a code. One without a secret may always prove itself so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// Nothing: a verifier is answered with 401 `invalid_client`. Reported of `LinkedIn` by many clients.
    Refused,
    /// What it likes; a challenge must be met.
    Optional,
    /// There is no code without it.
    Required,
}

/// How a batch of conversions with bad elements is answered. Both are reported from the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchMode {
    /// 200, and each element has its status.
    ElementStatuses,
    /// 422 for the whole batch, nothing applied, the bad indexes in the message.
    #[serde(rename = "all_or_nothing_422")]
    AllOrNothing422,
}

/// The header that tells a new segment's id. LinkedIn's answers have both, and clients differ in which one they read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IdHeader {
    /// `x-restli-id`.
    #[serde(rename = "x-restli-id")]
    RestliId,
    /// `x-linkedin-id`.
    #[serde(rename = "x-linkedin-id")]
    LinkedinId,
}

impl IdHeader {
    /// The header's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RestliId => "x-restli-id",
            Self::LinkedinId => "x-linkedin-id",
        }
    }
}

impl Span {
    pub(super) fn check(self, field: &str) -> Result<(), FieldError> {
        if self.min_ms <= self.max_ms {
            return Ok(());
        }
        Err(FieldError::new(field, "`min_ms` must not be above `max_ms`"))
    }
}
