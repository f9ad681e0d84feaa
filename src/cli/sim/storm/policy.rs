//! Who delivers: the engine, or a client under a rule that looks reasonable.

use serde::{Deserialize, Serialize};

use crate::cli::rule::Rule;

/// How refused tokens are dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub(crate) enum Policy {
    /// The engine; the token is dead, and nobody has said so
    #[serde(rename = "ours")]
    Ours,
    /// The engine; the token has an end that is known, and is replaced before
    #[value(name = "ours+make-before-break")]
    #[serde(rename = "ours+make-before-break")]
    MakeBeforeBreak,
    /// Refresh on a refusal, send once more at once, then drop
    #[serde(rename = "refresh-and-drop")]
    RefreshAndDrop,
    /// Never refresh on a refusal; send again later
    #[serde(rename = "never-refresh")]
    NeverRefresh,
    /// Refresh on every refusal; send again later
    #[serde(rename = "refresh-and-retry")]
    RefreshAndRetry,
}

impl Policy {
    pub(super) const ALL: [Policy; 5] =
        [Policy::RefreshAndDrop, Policy::NeverRefresh, Policy::RefreshAndRetry, Policy::Ours, Policy::MakeBeforeBreak];

    /// Its name in tables and logs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Policy::Ours => "ours",
            Policy::MakeBeforeBreak => "ours+make-before-break",
            Policy::RefreshAndDrop => "refresh-and-drop",
            Policy::NeverRefresh => "never-refresh",
            Policy::RefreshAndRetry => "refresh-and-retry",
        }
    }

    /// The rule, unless it is the engine that delivers.
    pub(super) const fn rule(self) -> Option<Rule> {
        match self {
            Policy::Ours | Policy::MakeBeforeBreak => None,
            Policy::RefreshAndDrop => Some(Rule::RetryOnce),
            Policy::NeverRefresh => Some(Rule::RetryLater),
            Policy::RefreshAndRetry => Some(Rule::RefreshEach),
        }
    }
}
