//! What happens to a credential, what it asks for, and what it gives.

use super::{Cause, Need, Standing, Terms, Token};
use crate::id::Epoch;
use crate::time::Time;

/// Something that happened to a credential. `from` is [`Credential::epoch`](crate::Credential::epoch) when the call was
/// made: the answer to a call that began before somebody else brought a new token is about a grant that has moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CredentialInput {
    /// Somebody needs a token beyond this epoch.
    Needed {
        /// The epoch that is no longer good.
        past: Epoch,
        /// Why not.
        why: Need,
    },
    /// The time for a planned refresh came.
    RefreshDue,
    /// The provider minted a token, and it is stored with this input.
    Renewed {
        /// Which call.
        from: Epoch,
        /// When it was minted.
        issued: Time,
        /// When it expires.
        expires: Time,
        /// When the grant ends, whatever is renewed.
        ends: Time,
    },
    /// The provider says that the grant will never mint again.
    RefusedForGood {
        /// Which call.
        from: Epoch,
        /// What it died of.
        cause: Cause,
    },
    /// The provider refuses the client, not the grant.
    Misconfigured {
        /// Which call.
        from: Epoch,
    },
    /// The call had no known outcome, or a passing one.
    Unknown {
        /// Which call.
        from: Epoch,
        /// When to try again, with the same refresh token.
        retry_at: Time,
    },
    /// A request with this token was past authentication.
    Accepted {
        /// Its epoch.
        epoch: Epoch,
        /// When it was sent.
        sent: Time,
    },
    /// A request with this token was refused for the token.
    TokenRefused {
        /// Its epoch.
        epoch: Epoch,
        /// When it was sent.
        sent: Time,
    },
    /// The store was opened and a refresh was intended: its call may have been made.
    Interrupted,
    /// A human brought a grant and its token.
    Authorised {
        /// When the token was minted.
        issued: Time,
        /// When it expires.
        expires: Time,
        /// When the grant ends, whatever is renewed.
        ends: Time,
    },
    /// Profile or client are not what they were.
    ConfigurationChanged {
        /// The numbers that hold from now on.
        terms: Terms,
    },
    /// An operator ended it.
    Revoked,
    /// A request with this token was past authentication, and refused for a scope that the grant should have.
    ScopeMissing {
        /// Its epoch.
        epoch: Epoch,
    },
    /// The issuer said what it thinks of this token.
    Introspected {
        /// Its epoch.
        epoch: Epoch,
        /// What it said.
        standing: Standing,
    },
}

/// What a credential asks of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialWant {
    /// Nothing.
    Nothing,
    /// A planned refresh at this time, while what it has still serves: [`CredentialInput::RefreshDue`].
    Planned {
        /// When.
        at: Time,
    },
    /// To hear from the issuer what it thinks of this token: [`CredentialInput::Introspected`].
    Introspection {
        /// Its epoch.
        epoch: Epoch,
    },
    /// A token request, not before this time.
    Renewal {
        /// What the answer has to name.
        from: Epoch,
        /// From when.
        not_before: Time,
        /// How many calls had no known outcome, for the backoff.
        tries: u32,
    },
    /// A human.
    Authorisation,
}

/// What a credential can give to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offer {
    /// The token of this epoch.
    Token(Token),
    /// Nothing: what it serves is expired. It is to be told [`CredentialInput::Needed`].
    Expired {
        /// The epoch that is no longer good.
        past: Epoch,
    },
    /// Nothing until its refresh has an outcome.
    Refreshing,
    /// Nothing until a human acts.
    Dead,
}
