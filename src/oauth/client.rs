//! The application, as the provider knows it.

use std::sync::Arc;

use super::Assertion;
use crate::Secret;

/// The application, as the provider knows it.
#[derive(Clone, Default)]
pub struct Client {
    /// `client_id`. Empty where an assertion says who asks.
    pub id: String,
    /// `client_secret`. None for a public client, which proves itself by PKCE alone, and for one that signs.
    pub secret: Option<Secret>,
    /// What it signs, where its grant is a signed assertion.
    pub assertion: Option<Arc<Assertion>>,
    /// Where its provider sends people back to after their consent, to the letter as it is registered there.
    pub redirect_uri: Option<String>,
    /// What else its token requests say, such as an `audience`. Not in refreshes.
    pub parameters: Vec<(String, String)>,
}

impl Client {
    /// A client with a secret.
    #[must_use]
    pub fn new(id: impl Into<String>, secret: Secret) -> Self {
        Client { secret: Some(secret), ..Client::public(id) }
    }

    /// A client that has no secret.
    #[must_use]
    pub fn public(id: impl Into<String>) -> Self {
        Client { id: id.into(), ..Client::default() }
    }

    /// A client that signs.
    #[must_use]
    pub fn signing(assertion: Assertion) -> Self {
        Client { assertion: Some(Arc::new(assertion)), ..Client::default() }
    }
}
