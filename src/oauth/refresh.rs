//! Token requests (RFC 6749) and a table of what their answers mean.
//!
//! There are four outcomes, and the table leans to one side: only an answer that says so in the provider's own words ends
//! a grant or blames the configuration. Everything else may be repeated with what was sent. What the provider
//! writes is never quoted, since a body can hold a token; only its error code is, if it looks like one.

use outlast_state::{Span, Time};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::request::refresh_form;
use super::{Client, Profile, TokenShape};
use crate::Secret;
use crate::exchange::{Answer, NoAnswer};
use crate::http::{Http, WITHIN};

/// What a token was asked for with: that decides whom a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A refresh token.
    Refresh,
    /// The code of a consent that was just given.
    Code,
    /// The client itself (client credentials).
    Client,
    /// A signed assertion (JWT bearer).
    Assertion,
}

/// What a token request came to.
pub enum Outcome {
    /// There is a new token.
    Renewed(Minted),
    /// The refresh token is dead: a human must consent again.
    RefusedForGood {
        /// The provider's reason.
        why: String,
    },
    /// The client or the request is wrong: an operator must correct the configuration.
    Misconfigured {
        /// What is wrong, and what to check.
        why: String,
    },
    /// Nobody knows, or it will pass: try again with the same refresh token.
    Unknown {
        /// What happened.
        why: String,
        /// How long the provider asks to wait.
        retry_after: Option<Span>,
    },
}

/// A new access token and what came with it.
pub struct Minted {
    /// The access token.
    pub access: Secret,
    /// Its life. Zero: it is expired on arrival. `None`: the answer does not say it readably; the profile has a default.
    pub expires_in: Option<Span>,
    /// The refresh token to use from now on, if the answer holds one. Else the old one stays.
    pub refresh: Option<Secret>,
    /// What is left of the grant's life.
    pub refresh_expires_in: Option<Span>,
    /// What the token permits.
    pub scope: Option<String>,
}

/// Asks the provider for a new access token. The caller has stored that it would.
pub async fn refresh(
    http: &Http,
    profile: &Profile,
    client: &Client,
    refresh_token: &Secret,
    now: impl Fn() -> Time + Send,
) -> Outcome {
    let form = refresh_form(profile, client, refresh_token);
    read(Asked::Refresh, &profile.token_shape, http.post_form(&profile.token_url, &form, WITHIN, now).await)
}

/// What the token endpoint's answer means, where the provider shapes it so.
#[must_use]
pub fn read(asked: Asked, shape: &TokenShape, answer: Result<Answer, NoAnswer>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer::Forbidden { cause }) => return Outcome::Misconfigured { why: cause },
        Err(none) => return Outcome::Unknown { why: none.to_string(), retry_after: None },
    };
    let (status, retry_after, received) = (answer.status, answer.retry_after(RETRY_CAP), answer.received);
    let matches = |rules: &[crate::exchange::Rule]| rules.iter().any(|rule| rule.matches(&answer));
    let (ends, wrongs) = (matches(&shape.ends_grant), matches(&shape.misconfigured));
    // The tokens in the body do not outlive the reading of it.
    let body = Zeroizing::new(answer.body);
    let fields = match serde_json::from_slice(&body) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    };
    let code = || fields.as_ref().and_then(|fields| text(fields, "error")).unwrap_or_default();
    match status {
        // The provider's own rows come first: they were written because the common ones do not fit it.
        _ if ends => dead(asked, status, code()),
        _ if wrongs => wrong(status, code(), about_client(asked)),
        200..=299 => granted(status, fields, shape, received),
        // Throttled, or in trouble: an error code in such an answer is not about the grant.
        408 | 425 | 429 => unknown(status, "", retry_after),
        400..=499 => refused(asked, status, &fields.unwrap_or_default(), retry_after),
        _ => unknown(status, "", retry_after),
    }
}

/// A success. One without a usable token leaves open whether a token was minted.
fn granted(status: u16, fields: Option<Map<String, Value>>, shape: &TokenShape, received: Time) -> Outcome {
    let Some(fields) = fields else {
        return unknown(status, " with a body that is not a JSON object", None);
    };
    let mut body = Value::Object(fields);
    let access = secret(body.pointer_mut(&shape.access_token));
    let refresh = secret(body.pointer_mut("/refresh_token"));
    let Some(access) = access else {
        return unknown(status, " without an access token", None);
    };
    if !access.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
        return unknown(status, " with an access token that no header can carry", None);
    }
    let Value::Object(fields) = &body else { return unknown(status, " without an access token", None) };
    // RFC 6749 wants the type, and not every provider says it.
    if text(fields, "token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        let why = "the provider issues tokens of a type other than Bearer, which this profile does not speak; check the \
                   client's registration";
        return Outcome::Misconfigured { why: why.to_owned() };
    }
    let until = shape.expires_at.as_deref().and_then(|pointer| body.pointer(pointer)).and_then(moment);
    let expires_in =
        life(body.pointer(&shape.expires_in)).or_else(|| Some(until?.since(received).min(Span::from_secs(LIFE_CAP))));
    Outcome::Renewed(Minted {
        access,
        expires_in,
        refresh,
        refresh_expires_in: life(fields.get("refresh_token_expires_in")),
        scope: text(fields, "scope").map(ToOwned::to_owned),
    })
}

fn refused(asked: Asked, status: u16, fields: &Map<String, Value>, retry_after: Option<Span>) -> Outcome {
    let code = text(fields, "error").unwrap_or_default();
    let said = text(fields, "error_description").unwrap_or_default();
    match code {
        "invalid_grant" => dead(asked, status, code),
        "invalid_request" if asked == Asked::Refresh && blames_the_grant(said) => dead(asked, status, code),
        "invalid_request" => wrong(status, code, about_request(asked)),
        "invalid_client" => wrong(status, code, about_client(asked)),
        "unauthorized_client" => wrong(status, code, about_permission(asked)),
        "unsupported_grant_type" => wrong(status, code, "token_url, and whether the provider has this grant"),
        "invalid_scope" => wrong(status, code, "the scopes that the client was registered with"),
        _ => unknown(status, &format!(" with {}", printable(code)), retry_after),
    }
}

fn about_request(asked: Asked) -> &'static str {
    match asked {
        Asked::Code => {
            "that redirect_uri is the registered one to the letter, and token_url and client_id; a code also ends \
                        after minutes, and is good once"
        }
        Asked::Refresh | Asked::Client | Asked::Assertion => "the token request's parameters: token_url, client_id",
    }
}

fn about_client(asked: Asked) -> &'static str {
    match asked {
        Asked::Assertion => "issuer, key_id and the private key, and client_id where there is one",
        Asked::Refresh | Asked::Code | Asked::Client => "client_id and client_secret",
    }
}

fn about_permission(asked: Asked) -> &'static str {
    match asked {
        Asked::Refresh => "whether this client may use refresh tokens",
        Asked::Code => "whether this client may use authorisation codes",
        Asked::Client => "whether this client may use client credentials",
        Asked::Assertion => "whether this client may use assertions, and for this subject",
    }
}

/// Whether an `invalid_request` means the refresh token and not the request. `LinkedIn` uses it for expired, revoked and
/// invalid refresh tokens alike, and for parameters that are missing or repeated; only the description tells.
fn blames_the_grant(description: &str) -> bool {
    let said = description.to_lowercase().replace('_', " ").replace("grant type", "");
    let about_it = ["refresh token", "grant"].iter().any(|word| said.contains(word));
    let dead = ["invalid", "expired", "revoked"].iter().any(|word| said.contains(word));
    let malformed = ["missing", "required", "repeated", "duplicate"].iter().any(|word| said.contains(word));
    about_it && dead && !malformed
}

/// The grant is over. What needs no human has none that could be over: then what the client says of itself is wrong.
fn dead(asked: Asked, status: u16, code: &str) -> Outcome {
    let said = match code {
        "" => status.to_string(),
        code => format!("{status} {}", printable(code)),
    };
    let why = match asked {
        Asked::Refresh => format!("the provider refuses the refresh token for good ({said})"),
        Asked::Code => {
            format!("the provider refuses the code ({said}): it ended, was used before, or is of another redirect_uri")
        }
        Asked::Client => {
            let why = format!("the provider refuses the client ({said}); check client_id and client_secret");
            return Outcome::Misconfigured { why };
        }
        Asked::Assertion => {
            let why = format!(
                "the provider refuses the assertion ({said}); check issuer, subject, audience, the key, that the subject \
                 has let this client in, and this machine's clock"
            );
            return Outcome::Misconfigured { why };
        }
    };
    Outcome::RefusedForGood { why }
}

fn wrong(status: u16, code: &str, check: &str) -> Outcome {
    let code = if code.is_empty() { String::new() } else { format!(" {}", printable(code)) };
    Outcome::Misconfigured { why: format!("the provider refuses the client ({status}{code}); check {check}") }
}

fn unknown(status: u16, what: &str, retry_after: Option<Span>) -> Outcome {
    Outcome::Unknown { why: format!("the token endpoint answered {status}{what}"), retry_after }
}

/// An error code as RFC 6749 writes them. A token that a provider put in its place has digits or capitals, and is hidden.
fn printable(code: &str) -> &str {
    let fits = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '-' | '.');
    match code {
        "" => "no error code",
        _ if code.len() <= CODE_CAP && code.chars().all(fits) => code,
        _ => "an error code that cannot be shown",
    }
}

fn secret(place: Option<&mut Value>) -> Option<Secret> {
    match place.map(Value::take) {
        Some(Value::String(text)) if !text.is_empty() => Some(Secret::from(text)),
        _ => None,
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A moment as RFC 3339 writes it.
fn moment(value: &Value) -> Option<Time> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Time::from_millis(u64::try_from(at.as_millisecond()).unwrap_or(0)))
}

/// Seconds as a number or as text, whole or with a fraction. A negative or unreadable life is none: some providers write
/// −1 for a token that does not end, and a wrong guess in the other direction would burn tokens.
fn life(value: Option<&Value>) -> Option<Span> {
    let written = match value? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let seconds = written.split('.').next()?.parse::<u64>().ok()?;
    Some(Span::from_secs(seconds.min(LIFE_CAP)))
}

/// The longest that a `Retry-After` of the token endpoint is honoured.
const RETRY_CAP: Span = Span::from_secs(15 * 60);

/// No life is longer than ten years, in seconds; what claims more has its units wrong.
const LIFE_CAP: u64 = 10 * 365 * 24 * 3600;

/// The longest error code that is shown.
const CODE_CAP: usize = 60;

#[cfg(test)]
mod tests;
