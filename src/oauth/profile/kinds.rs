//! What the fields of a profile can be.

use outlast_state::Span;

use crate::exchange::Rule;

/// How a token is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// A human consents, and a refresh token renews (RFC 6749, sections 4.1 and 6).
    AuthorizationCode,
    /// The client asks for itself (RFC 6749, section 4.4). No human is needed.
    ClientCredentials,
    /// The client signs an assertion (RFC 7523). No human is needed.
    JwtBearer,
    /// A token or an API key that somebody wrote down. Nothing renews it.
    Static,
}

impl GrantKind {
    /// As they are called in files.
    pub(crate) const NAMES: [(&'static str, GrantKind); 4] = [
        ("authorization-code", GrantKind::AuthorizationCode),
        ("client-credentials", GrantKind::ClientCredentials),
        ("jwt-bearer", GrantKind::JwtBearer),
        ("static", GrantKind::Static),
    ];

    /// Whether a new token can be had without a human, also after the last one has died.
    #[must_use]
    pub fn mints(self) -> bool {
        matches!(self, GrantKind::ClientCredentials | GrantKind::JwtBearer)
    }
}

/// How the client proves to the token endpoint who it is (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the form.
    Form,
    /// Both in the header `authorization: Basic …`.
    Basic,
}

impl ClientAuth {
    /// As they are called in files.
    pub(crate) const NAMES: [(&'static str, ClientAuth); 2] =
        [("form", ClientAuth::Form), ("basic", ClientAuth::Basic)];
}

/// How a token endpoint differs from RFC 6749, as far as it can be told as data. The default is no difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenShape {
    /// Where a signed assertion stands in the request.
    pub assertion: AssertionIn,
    /// The pointer (RFC 6901) to the access token in an answer.
    pub access_token: String,
    /// The pointer to its life in seconds.
    pub expires_in: String,
    /// The pointer to the moment of its end (RFC 3339), for providers that tell it so.
    pub expires_at: Option<String>,
    /// Answers that end the grant, beside those that say `invalid_grant`.
    pub ends_grant: Vec<Rule>,
    /// Answers that blame the client or the request, beside those with an error code of RFC 6749.
    pub misconfigured: Vec<Rule>,
}

impl Default for TokenShape {
    fn default() -> Self {
        TokenShape {
            assertion: AssertionIn::Form,
            access_token: "/access_token".to_owned(),
            expires_in: "/expires_in".to_owned(),
            expires_at: None,
            ends_grant: Vec::new(),
            misconfigured: Vec::new(),
        }
    }
}

/// Where a signed assertion stands in a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionIn {
    /// `grant_type` and `assertion` in a form (RFC 7523, section 2.1).
    Form,
    /// In the header `authorization: Bearer …` of a request with an empty JSON object as its body.
    Bearer,
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It stays the same.
    Kept,
    /// A new one may come with an answer, and the old one is not known to die.
    MayChange,
    /// Each refresh brings a new one, and the old one dies after the grace.
    Rotates {
        /// How long the old one may be used again, for an answer that was lost.
        grace: Span,
    },
}

impl Rotation {
    /// As they are called in files; the grace is a key of its own.
    pub(crate) const NAMES: [(&'static str, Rotation); 3] = [
        ("kept", Rotation::Kept),
        ("may-change", Rotation::MayChange),
        ("rotates", Rotation::Rotates { grace: Span::ZERO }),
    ];
}

/// What an answer says about the token that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The provider did not take it, for whatever reason.
    Refuses,
    /// The provider took it, and says that it does not permit what was asked.
    LacksScope,
    /// The provider took it.
    Proves,
    /// Neither: a time-out, a throttle, a failure before or beside authentication.
    Nothing,
}
