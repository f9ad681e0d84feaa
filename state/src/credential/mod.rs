//! The credential: one OAuth grant and its token generations, as a state machine of three states.
//!
//! The core has no token type: a [`Token`] here is what is known *about* an access token, under its epoch's number.

mod doubt;
mod input;
mod machine;
mod planned;
mod token;

pub use doubt::{Inquiry, Lack, Standing};
pub use input::{CredentialInput, CredentialWant, Offer};
pub use token::{Token, TokenProof};

use crate::id::Epoch;
use crate::time::{Span, Time};

/// What is known of one credential. A value; [`Credential::step`] gives the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Credential {
    /// Where it stands.
    pub state: CredentialState,
    /// The newest epoch that it ever had. Grows by one with each new token, also across death.
    pub epoch: Epoch,
    /// When the last renewal was stored; [`Time::ZERO`] before the first. Renewals keep their distance from it (L3).
    pub renewed: Time,
    /// Epochs in a row that were refused beyond their settle window and never accepted, or were expired on arrival.
    pub fruitless: u8,
    /// Whether the grant can still mint.
    pub grant: Grant,
    /// When the grant ends, whatever is renewed; [`Time::NEVER`] where nobody says.
    pub ends: Time,
    /// What its issuer was asked about a token that every request was refused with.
    pub inquiry: Inquiry,
    /// Whether a new token lacks what it was asked for.
    pub lack: Lack,
    /// The numbers of its profile that the rules use.
    pub terms: Terms,
}

/// Where a credential stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CredentialState {
    /// It has a token.
    Current {
        /// The token that requests carry.
        serving: Token,
        /// A newer one that does not serve yet: it is proven by canaries first (make before break).
        next: Option<Token>,
    },
    /// A token request is due or in the air. Storing this state is the intent, and comes before the call (S7).
    Refreshing {
        /// What it has in the meantime.
        held: Held,
        /// How many calls had no known outcome.
        tries: u32,
        /// No call before this.
        not_before: Time,
        /// What asked for it.
        why: Need,
        /// Whether a call was interrupted by a crash: the provider may have replaced the refresh token unheard.
        interrupted: bool,
    },
    /// It has nothing, and only a human can change that. Also the state before the first token.
    Dead {
        /// Why.
        cause: Cause,
        /// Since when.
        since: Time,
    },
}

impl CredentialState {
    /// The names of the three states, in the order of their declaration.
    pub const NAMES: [&'static str; 3] = ["Current", "Refreshing", "Dead"];

    /// Its name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            CredentialState::Current { .. } => "Current",
            CredentialState::Refreshing { .. } => "Refreshing",
            CredentialState::Dead { .. } => "Dead",
        }
    }
}

/// What a refreshing credential has in the meantime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Held {
    /// A token that still serves: the refresh was planned.
    Serving(Token),
    /// A token that is refused or expired.
    Lost(Token),
}

impl Held {
    const fn token(self) -> Token {
        match self {
            Held::Serving(token) | Held::Lost(token) => token,
        }
    }
}

/// What asked for a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Need {
    /// The token was refused, and that meant something.
    Refused,
    /// Its lifetime is over.
    Expired,
    /// Its time had come, while it still served.
    Planned,
    /// The configuration that had failed was changed.
    Reconfigured,
    /// A new token lacks a scope that the grant has.
    Scope,
}

/// Whether the grant can still mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Grant {
    /// As far as is known, yes.
    Alive,
    /// No. The token that still serves is the last one.
    Ended {
        /// Why.
        cause: Cause,
    },
}

/// Why a credential is dead. Each is mended by a human.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Cause {
    /// Nobody authorised it yet.
    NeverAuthorised,
    /// The provider says that the grant is expired or revoked, or an operator revoked it: authorise it again.
    Revoked,
    /// The token is gone and there is no refresh token to mint another: authorise it again.
    NoRefreshToken,
    /// The provider refuses the client: correct its id or secret.
    Misconfigured,
    /// A refresh was cut off by a crash, and its refresh token is no longer good: authorise it again.
    GrantLost,
    /// Token after token was minted and none was ever accepted: look at the application's standing with the provider.
    NeverAccepted,
}

/// The numbers of a profile that the rules use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Terms {
    /// The age below which a refusal of a token means nothing. Also the distance of two renewals.
    pub settle: Span,
    /// After how many percent of a token's life it is renewed while it still serves (make before break); from 100 on,
    /// never.
    pub renew_at: u8,
    /// A grant that nobody uses for so long dies; [`Span::MAX`] if it does not. It is renewed before that.
    pub idle: Span,
    /// Whether tokens are minted without a human: there is no consent to wait for.
    pub mints: bool,
    /// Whether the issuer can be asked what it thinks of a token.
    pub introspects: bool,
    /// How long a new token may lack a scope that the grant has, because permissions are cached.
    pub scope_delay: Span,
    /// What tells this credential's jitter from that of others.
    pub seed: u64,
}

impl Terms {
    /// The terms of a provider of which no more is known than this settle window: nothing is planned, nothing asked.
    #[must_use]
    pub const fn of(settle: Span) -> Self {
        let (renew_at, idle, scope_delay) = (100, Span::MAX, Span::ZERO);
        Terms { settle, renew_at, idle, mints: false, introspects: false, scope_delay, seed: 0 }
    }
}
