//! What is known about one access token.

use crate::id::Epoch;
use crate::ruling::Proof;
use crate::time::{Span, Time};

/// What is known about one access token. Never the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Token {
    /// Its generation.
    pub epoch: Epoch,
    /// When it was minted.
    pub issued: Time,
    /// When it expires; [`Time::NEVER`] when the provider does not say.
    pub expires: Time,
    /// What its requests showed.
    pub proof: TokenProof,
}

/// What the requests with a token showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TokenProof {
    /// None was past authentication.
    Unproven {
        /// How many were refused.
        refusals: u32,
    },
    /// At least one was.
    Accepted {
        /// When the latest of those was sent.
        sent: Time,
        /// How many requests in a row were refused since.
        refusals: u32,
    },
}

impl Token {
    /// A token that no request carried yet.
    #[must_use]
    pub const fn minted(epoch: Epoch, issued: Time, expires: Time) -> Self {
        Token { epoch, issued, expires, proof: TokenProof::Unproven { refusals: 0 } }
    }

    /// Whether its lifetime is known to be over.
    #[must_use]
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires <= now
    }

    /// How old it is.
    #[must_use]
    pub fn age(&self, now: Time) -> Span {
        now.since(self.issued)
    }

    pub(super) fn accepted(self, sent: Time) -> Self {
        let proof = match self.proof {
            TokenProof::Unproven { .. } => TokenProof::Accepted { sent, refusals: 0 },
            TokenProof::Accepted { sent: before, .. } if sent >= before => TokenProof::Accepted { sent, refusals: 0 },
            // Sent before the one that counts: it says nothing about the refusals since.
            known @ TokenProof::Accepted { .. } => known,
        };
        Token { proof, ..self }
    }

    pub(super) fn refused(self, at: Time) -> Self {
        let proof = match self.proof {
            TokenProof::Unproven { refusals } => TokenProof::Unproven { refusals: refusals.saturating_add(1) },
            TokenProof::Accepted { sent, refusals } if at > sent => {
                TokenProof::Accepted { sent, refusals: refusals.saturating_add(1) }
            }
            known @ TokenProof::Accepted { .. } => known,
        };
        Token { proof, ..self }
    }

    pub(super) fn seen_from(&self, refused: Time) -> Proof {
        match self.proof {
            TokenProof::Unproven { .. } => Proof::Never,
            TokenProof::Accepted { sent, refusals } => Proof::Accepted { later: sent >= refused, refusals },
        }
    }
}
