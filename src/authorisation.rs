//! What a human's consent brings to the engine.

use outlast_state::Time;

use crate::secret::Secret;

/// A grant that a human brings: its tokens and what is known of their lives.
pub struct Authorisation {
    /// The access token.
    pub access: Secret,
    /// The refresh token, where there is one.
    pub refresh: Option<Secret>,
    /// When the access token was minted; `None` means now.
    pub issued: Option<Time>,
    /// When the access token expires; `None` means that the provider does not say.
    pub expires: Option<Time>,
    /// When the refresh token expires; `None` means that the provider does not say.
    pub refresh_expires: Option<Time>,
    /// The scopes that the token endpoint said it permits, as it wrote them; `None` means that it did not say.
    pub scope: Option<String>,
}

impl Authorisation {
    /// A token of which nothing more is known, and that nothing renews.
    pub(crate) fn fixed(token: Secret) -> Self {
        Authorisation { access: token, refresh: None, issued: None, expires: None, refresh_expires: None, scope: None }
    }
}
