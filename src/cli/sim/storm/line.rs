//! The account of a run, as lines of JSON from which its row can be made again.

use serde::{Deserialize, Serialize};

use super::policy::Policy;

/// One line. Times are in ms from the first delivery's arrival on, so they are below 0 for what came before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line {
    /// A run begins.
    Run(Run),
    /// A request to the API has its answer.
    Request(Request),
    /// A request to the token endpoint has its answer.
    Token(Token),
    /// The run is over.
    End(End),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) policy: Policy,
    /// How many deliveries the row is about. Others, which keep the credential busy, have numbers from here on.
    pub(super) deliveries: u64,
    /// How long a node takes to learn of a new token, at most.
    pub(super) propagation_s: f64,
    pub(super) seed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) sent_ms: i64,
    pub(super) answered_ms: i64,
    /// Which delivery it carried.
    pub(super) delivery: u64,
    /// How old the delivery was when the answer came.
    pub(super) waited_ms: u64,
    /// Which of the provider's tokens it carried, in the order of their issue.
    pub(super) token: u32,
    /// Which node of the API served it.
    pub(super) node: String,
    /// The answer's HTTP status; nothing if none came.
    pub(super) status: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) sent_ms: i64,
    pub(super) answered_ms: i64,
    pub(super) status: Option<u16>,
    /// Which token it minted.
    pub(super) minted: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) at_ms: i64,
    /// How many deliveries there were in all.
    pub(super) accepted: u64,
}
