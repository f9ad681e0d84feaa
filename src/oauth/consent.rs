//! The authorisation-code flow (RFC 6749, section 4.1) with PKCE (RFC 7636): a human is sent to the provider's page, comes back
//! with a code, and the code becomes a grant.
//!
//! The crate `oauth2` makes what must not be guessed (state, verifier, challenge) and writes the address. The token request is
//! the same form as for the other grants, and its answer is read by the same table: the crate's own answers can be printed, and
//! refuse what providers leave out.

use std::fmt;

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl};
use outlast_state::Time;
use url::Url;

use super::request::code_form;
use super::{Asked, Client, Outcome, Profile, read};
use crate::Secret;
use crate::http::{Http, WITHIN};

/// A consent that is being asked for.
pub struct Consent {
    url: Url,
    state: Secret,
    verifier: Option<Secret>,
    redirect: String,
}

/// The code that a human came back with. Good once, for minutes.
pub struct Code(Secret);

/// Why no consent can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoConsent {
    /// The profile names no page.
    #[error("the profile {profile} names no authorize_url, where a human could consent; set it in the credential")]
    NoPage {
        /// The profile's name.
        profile: String,
    },
    /// The address to come back to is none.
    #[error("redirect_uri {redirect:?} is no address ({why}); write the one that is registered with the provider")]
    Redirect {
        /// What was given.
        redirect: String,
        /// What is wrong.
        why: String,
    },
    /// The client has no name.
    #[error("client_id is missing; write the id that the provider gave to this client")]
    NoClient,
}

/// Why what came back holds no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCode {
    /// It answers another question: its `state` is not the one that was sent. Whoever sent it, it changes nothing.
    Foreign,
    /// It holds neither a code nor an error.
    Empty,
    /// The provider, or the human, said no.
    Refused {
        /// The error code, if it looks like one.
        code: String,
        /// What the provider says about it, shortened.
        description: String,
    },
}

impl Consent {
    /// Makes the address of the provider's page. `redirect` is sent to the letter, because providers compare it so.
    ///
    /// # Errors
    /// The profile has no such page, or the address to come back to is none.
    pub fn begin(profile: &Profile, client: &Client, redirect: &str) -> Result<Consent, NoConsent> {
        let page = profile.authorize_url.clone();
        let page = page.ok_or_else(|| NoConsent::NoPage { profile: profile.name.clone() })?;
        if client.id.is_empty() {
            return Err(NoConsent::NoClient);
        }
        let back = RedirectUrl::new(redirect.to_owned())
            .map_err(|why| NoConsent::Redirect { redirect: redirect.to_owned(), why: why.to_string() })?;
        let asking = BasicClient::new(ClientId::new(client.id.clone()))
            .set_auth_uri(AuthUrl::from_url(page))
            .set_redirect_uri(back);
        let mut address = asking.authorize_url(CsrfToken::new_random);
        if !profile.scopes.is_empty() {
            address = address.add_extra_param("scope", profile.scopes.join(&profile.scope_separator.to_string()));
        }
        let mut verifier = None;
        if profile.pkce {
            let (challenge, secret) = PkceCodeChallenge::new_random_sha256();
            address = address.set_pkce_challenge(challenge);
            verifier = Some(Secret::new(secret.into_secret()));
        }
        let (url, state) = address.url();
        Ok(Consent { url, state: Secret::new(state.into_secret()), verifier, redirect: redirect.to_owned() })
    }

    /// Where the human goes.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where the human comes back to.
    #[must_use]
    pub fn redirect(&self) -> &str {
        &self.redirect
    }

    /// Reads the query that the human came back with.
    ///
    /// # Errors
    /// There is no code in it, or it answers another question.
    pub fn returned(&self, query: &str) -> Result<Code, NoCode> {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        // One that stands twice is none: two readers could take different ones.
        let only = |name: &str| {
            let mut found = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_ref());
            found.next().filter(|value| !value.is_empty()).filter(|_| found.next().is_none())
        };
        if only("state") != Some(self.state.reveal()) {
            return Err(NoCode::Foreign);
        }
        if let Some(error) = only("error") {
            let code = if is_code(error) { error.to_owned() } else { String::new() };
            let description = only("error_description").unwrap_or_default();
            let description = description.chars().filter(|c| !c.is_control()).take(LONGEST_DESCRIPTION).collect();
            return Err(NoCode::Refused { code, description });
        }
        only("code").map(|code| Code(Secret::new(code))).ok_or(NoCode::Empty)
    }

    /// Reads what a human copied from the browser: the address where it ended, its query, or the code alone. A code alone comes
    /// without a state, and so on the word of who pasted it.
    ///
    /// # Errors
    /// There is no code in it, or it answers another question.
    pub fn pasted(&self, text: &str) -> Result<Code, NoCode> {
        let text = text.trim();
        let query = match text.split_once('?') {
            Some((_, query)) => query.split('#').next().unwrap_or_default(),
            None if text.contains('=') && text.contains('&') => text,
            None if text.contains("://") => return Err(NoCode::Empty),
            None if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) => return Err(NoCode::Empty),
            None => return Ok(Code(Secret::new(text))),
        };
        self.returned(query)
    }

    /// Turns the code into a grant.
    pub async fn redeem(
        &self,
        http: &Http,
        profile: &Profile,
        client: &Client,
        code: &Code,
        now: impl Fn() -> Time + Send,
    ) -> Outcome {
        let form = code_form(profile, client, &code.0, &self.redirect, self.verifier.as_ref());
        read(Asked::Code, &profile.token_shape, http.post_form(&profile.token_url, &form, WITHIN, now).await)
    }
}

/// The longest description that is shown.
const LONGEST_DESCRIPTION: usize = 200;

fn is_code(text: &str) -> bool {
    text.len() <= 60 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// In words, for who asked.
impl fmt::Display for NoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, description) = match self {
            NoCode::Foreign => {
                return f.write_str(
                    "this is not the answer that is waited for: its state is missing or another one; begin again, with the \
                     address that was printed last",
                );
            }
            NoCode::Empty => return f.write_str("the provider sent neither a code nor an error"),
            NoCode::Refused { code, description } => (code.as_str(), description.as_str()),
        };
        let words = match code {
            // The last two are LinkedIn's.
            "access_denied" | "user_cancelled_authorize" | "user_cancelled_login" => {
                "the consent was refused or cancelled in the browser; nothing has changed"
            }
            "invalid_scope" | "unauthorized_scope_error" => {
                "the provider does not let this client ask for these scopes; correct `scopes`, or have them granted to the \
                 client"
            }
            "unauthorized_client" => "the provider does not let this client ask for consent; check client_id",
            "unsupported_response_type" => "the provider has no authorisation codes; check authorize_url",
            "invalid_request" => "the provider finds the request wrong; check redirect_uri and client_id",
            "server_error" | "temporarily_unavailable" => "the provider is in trouble; try again later",
            _ => "the provider refused",
        };
        let code = if code.is_empty() { "an error without a readable code" } else { code };
        write!(f, "{words} ({code})")?;
        if description.is_empty() { Ok(()) } else { write!(f, "; it says: {description}") }
    }
}

impl std::error::Error for NoCode {}

#[cfg(test)]
mod tests;
