//! What is done where refusals alone cannot tell: the issuer is asked, or a new token is minted once more.

use super::machine::FRUITLESS_LIMIT;
use super::{Cause, Credential, CredentialState, Grant, Token, TokenProof};
use crate::id::Epoch;
use crate::time::{Span, Time};

/// What the issuer was asked about a token that every request was refused with, beyond its settle window. Only a token
/// whose refusal would end the credential is asked about, and no more than once a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Inquiry {
    /// Nothing.
    None,
    /// Its answer is awaited. Until then refusals of the token mean nothing.
    Asked {
        /// About which token.
        epoch: Epoch,
    },
    /// It stands by the token, or could not say: one canary per settle window, and nothing dies of a refusal before this.
    Stands {
        /// About which token.
        epoch: Epoch,
        /// Until when that counts.
        until: Time,
    },
}

/// What an issuer says of a token (RFC 7662).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Standing {
    /// It is active.
    Active,
    /// It is not: its lifetime is over.
    Expired,
    /// It is not: it was revoked, or the issuer does not say why.
    Revoked,
    /// The issuer could not be asked, or its answer not read.
    Unknown,
}

/// Whether a new token lacks a scope that its grant should have. Providers cache permissions: a token that is minted just
/// after the consent may lack what the next one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Lack {
    /// None is known of.
    None,
    /// This one does: another is minted then.
    Waits {
        /// Which token.
        epoch: Epoch,
        /// When another is minted.
        until: Time,
    },
    /// This one was minted for it. If it lacks the scope too, the grant does.
    Minted {
        /// Which token.
        epoch: Epoch,
    },
}

impl Credential {
    /// Whether requests with what it serves are only made to find out whether that works: one canary per settle window.
    #[must_use]
    pub fn is_questioned(&self) -> bool {
        match (self.inquiry, self.state) {
            (Inquiry::Asked { epoch } | Inquiry::Stands { epoch, .. }, CredentialState::Current { serving, .. }) => {
                serving.epoch == epoch
            }
            _ => false,
        }
    }

    /// From when on a refusal of this token means something.
    pub(super) fn settles(&self, token: &Token) -> Time {
        let settled = token.issued.after(self.terms.settle);
        match self.inquiry {
            Inquiry::Asked { epoch } if epoch == token.epoch => Time::NEVER,
            Inquiry::Stands { epoch, until } if epoch == token.epoch => settled.max(until),
            Inquiry::None | Inquiry::Asked { .. } | Inquiry::Stands { .. } => settled,
        }
    }

    /// The credential after one more refusal of a token, which is counted already: the issuer is asked where the refusal
    /// would end the credential.
    pub(super) fn questioned(self, epoch: Epoch, now: Time) -> Self {
        let CredentialState::Current { serving, next: None } = self.state else { return self };
        let last = self.fruitless.saturating_add(1) >= FRUITLESS_LIMIT;
        let tried = matches!(serving.proof, TokenProof::Unproven { refusals: 1.. });
        let counts = serving.epoch == epoch && !serving.is_expired(now) && now >= self.settles(&serving);
        if self.terms.introspects && last && tried && counts {
            return Credential { inquiry: Inquiry::Asked { epoch }, ..self };
        }
        self
    }

    /// The credential after the issuer said what it thinks of a token.
    pub(super) fn introspected(self, epoch: Epoch, standing: Standing, now: Time) -> Self {
        if self.inquiry != (Inquiry::Asked { epoch }) || !self.is_questioned() {
            return self;
        }
        match standing {
            Standing::Active | Standing::Unknown => {
                Credential { inquiry: Inquiry::Stands { epoch, until: now.after(self.terms.settle) }, ..self }
            }
            Standing::Expired | Standing::Revoked => {
                Credential { inquiry: Inquiry::None, fruitless: FRUITLESS_LIMIT, ..self }
                    .dead(Cause::NeverAccepted, now)
            }
        }
    }

    /// The credential after a request with this token was refused for a scope.
    pub(super) fn scope_missing(self, epoch: Epoch, now: Time) -> Self {
        let Some(token) = self.token(epoch) else { return self };
        let known = match self.lack {
            Lack::None => false,
            Lack::Waits { epoch: known, .. } | Lack::Minted { epoch: known } => known >= epoch,
        };
        // An old token lacked it all the time: that is the grant's, or the caller's.
        let delay = self.terms.settle.max(self.terms.scope_delay);
        let until = token.issued.after(delay);
        if known || self.grant != Grant::Alive || self.terms.scope_delay == Span::ZERO || now >= until {
            return self;
        }
        Credential { lack: Lack::Waits { epoch, until }, ..self }
    }

    /// Whether a token was minted for a missing scope, and this one, that or a later one, lacks it, too: the grant does.
    #[must_use]
    pub fn lacks_for_good(&self, epoch: Epoch) -> bool {
        matches!(self.lack, Lack::Minted { epoch: known } if known <= epoch)
    }

    /// How long a delivery waits that was refused for a scope with this token; `None` where waiting does not help.
    #[must_use]
    pub fn scope_comes_in(&self, epoch: Epoch, now: Time) -> Option<Span> {
        /// While a token is on its way, it is looked at so often.
        const AGAIN: Span = Span::from_secs(30);
        match self.lack {
            Lack::Waits { epoch: known, until } if known >= epoch => Some(until.since(now).max(AGAIN)),
            Lack::Minted { epoch: known } if known > epoch => Some(self.terms.settle.part(4).max(AGAIN)),
            Lack::None | Lack::Waits { .. } | Lack::Minted { .. } => None,
        }
    }
}
