//! Providers as data: where their endpoints are, what their answers say about a token, how long things last.
//!
//! A profile is a file in TOML ([the format](https://github.com/outlast-rs/outlast/blob/main/docs/PROFILES.md)). Those that ship
//! are such files, too.

mod defaults;
mod file;
mod kinds;
mod shipped;
#[cfg(test)]
mod tests;
mod written;

use outlast_state::Span;
use url::Url;

use crate::exchange::{Answer, Carrier, Rule};
use crate::guard::Audience;

pub use file::ProfileError;
pub use kinds::{AssertionIn, ClientAuth, Evidence, GrantKind, Rotation, TokenShape};

/// One OAuth provider and its API. Every field may be overridden: `Profile { settle, ..Profile::linkedin() }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name, in configuration and logs.
    pub name: String,
    /// How a token is come by when the last one ends.
    pub grant: GrantKind,
    /// Where tokens are asked for (RFC 6749, section 3.2).
    pub token_url: Url,
    /// How requests to it and its answers differ from what RFC 6749 says.
    pub token_shape: TokenShape,
    /// Where a human is sent to consent (RFC 6749, section 3.1), if the provider has such a page.
    pub authorize_url: Option<Url>,
    /// Whether a consent is bound to who asked for it by PKCE (RFC 7636). Off only for a provider that refuses it.
    pub pkce: bool,
    /// Where tokens are inspected (RFC 7662), if the provider offers it.
    pub introspect_url: Option<Url>,
    /// Where tokens are revoked (RFC 7009), if the provider offers it.
    pub revoke_url: Option<Url>,
    /// How the client proves to the token endpoint who it is.
    pub client_auth: ClientAuth,
    /// What is asked for, and what a token must permit.
    pub scopes: Vec<String>,
    /// What stands between scopes, in requests and in answers. RFC 6749 has a blank.
    pub scope_separator: char,
    /// The origins that may see an access token.
    pub audience: Audience,
    /// Where in a request the token stands.
    pub carrier: Carrier,
    /// The settle window: how long a new token may be refused by nodes that have not heard of it.
    pub settle: Span,
    /// How long a new token is tried by one request at a time, before its use widens.
    pub young: Span,
    /// When a token is renewed before it ends, in percent of its life. 100: not before it ends.
    pub renew_at: u8,
    /// The answers that refuse the token. They come first: what refuses does not prove.
    pub refuses: Vec<Rule>,
    /// The answers that are past authentication: they prove the token, whatever they mean for the delivery.
    pub proves: Vec<Rule>,
    /// The answers that say that the token was taken and lacks a scope, where the provider says so in a way of its own. They
    /// come after what refuses, and before what proves.
    pub lacks_scope: Vec<Rule>,
    /// How long after such an answer another token may be asked for, in the hope that it has the scope.
    pub scope_delay: Span,
    /// What a refresh does to the refresh token.
    pub rotation: Rotation,
    /// The life of an access token whose answer does not say it.
    pub access_life: Span,
    /// The life of a grant from consent on whose answer does not say it. `None`: it does not end by itself.
    pub grant_life: Option<Span>,
    /// A refresh token that is not used for so long dies. `None`: it does not.
    pub idle_life: Option<Span>,
    /// How long a lane waits after an answer that did not come, so that a request that is still travelling arrives first.
    pub quiet: Span,
    /// How long the API remembers the keys of deliveries, so that a repeat is not counted twice. `None`: it does not.
    pub dedupe: Option<Span>,
    /// How old an event may be for the API to accept it. `None`: any age.
    pub event_age: Option<Span>,
    /// The header in which an answer names the node that gave it, in lower case, if the API has one.
    pub node_header: Option<String>,
}

impl Profile {
    /// `LinkedIn`'s marketing APIs: the shipped profile `linkedin`, whose file says where each fact comes from.
    ///
    /// # Panics
    /// Never: its file is a part of this library.
    #[must_use]
    pub fn linkedin() -> Self {
        Profile::shipped("linkedin").expect("it ships, and a test reads all that do")
    }

    /// A provider that does what RFC 6749 and RFC 6750 say: a refused token is a 401, a refresh may bring a new refresh
    /// token, nothing else is promised. A token without `expires_in` is taken to live for an hour.
    #[must_use]
    pub fn generic(name: &str, token_url: Url, audience: Audience) -> Self {
        Profile { token_url, audience, ..Profile::bare(name) }
    }

    /// Whether it does not say where tokens are asked for, as `generic` does not: a credential must.
    #[must_use]
    pub fn lacks_token_url(&self) -> bool {
        self.token_url.as_str() == defaults::NOWHERE
    }

    /// Whether the answer refuses the token.
    #[must_use]
    pub fn refuses_token(&self, answer: &Answer) -> bool {
        self.refuses.iter().any(|rule| rule.matches(answer))
    }

    /// Whether the answer proves that the token was taken.
    #[must_use]
    pub fn proves_token(&self, answer: &Answer) -> bool {
        self.evidence(answer) == Evidence::Proves
    }

    /// What the answer says about the token. What refuses comes first, then what lacks a scope, then what proves.
    #[must_use]
    pub fn evidence(&self, answer: &Answer) -> Evidence {
        if self.refuses_token(answer) {
            Evidence::Refuses
        } else if self.lacks_scope.iter().any(|rule| rule.matches(answer)) {
            Evidence::LacksScope
        } else if self.proves.iter().any(|rule| rule.matches(answer)) {
            Evidence::Proves
        } else {
            Evidence::Nothing
        }
    }

    /// What cannot be of it: the key of its file at fault, and what is wrong.
    pub(crate) fn conflict(&self) -> Option<(&'static str, String)> {
        let shown = crate::span::written;
        let (settle, life) = (self.settle, self.access_life);
        if settle >= life {
            let (settle, life) = (shown(settle), shown(life));
            return Some((
                "settle",
                format!("{settle} is not shorter than access_life ({life}): no token would live to settle"),
            ));
        }
        if self.grant_life.is_some_and(|whole| whole < life) {
            return Some(("grant_life", format!("is shorter than access_life ({})", shown(life))));
        }
        if let Some(idle) = self.idle_life.filter(|idle| *idle <= settle) {
            let (idle, settle) = (shown(idle), shown(settle));
            return Some((
                "idle_life",
                format!("{idle} is not longer than settle ({settle}): no refresh could come in time"),
            ));
        }
        if self.refuses.is_empty() {
            let remedy = "names no answer, so a dead token would never be noticed; write [{ status = \"401\" }]";
            return Some(("refuses", remedy.to_owned()));
        }
        let success = |rule: &Rule| rule.pointer.is_none() && rule.status.contains(&200);
        if self.refuses.iter().any(success) {
            return Some(("refuses", "takes every success for a refusal; name a value in the body, too".to_owned()));
        }
        None
    }

    /// The rows of its tables that are never reached: an earlier table takes every answer that they are about.
    pub(crate) fn unreached(&self) -> Vec<String> {
        let tables = [
            ("refuses", &self.refuses, Evidence::Refuses),
            ("lacks_scope", &self.lacks_scope, Evidence::LacksScope),
            ("proves", &self.proves, Evidence::Proves),
        ];
        let mut unreached = Vec::new();
        for (key, rows, expected) in tables {
            for (number, row) in (1_usize..).zip(rows) {
                let (status, body) = row.example();
                let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
                let answer = Answer { status, headers: Vec::new(), body, received: outlast_state::Time::ZERO };
                let said = self.evidence(&answer);
                if said != expected {
                    unreached
                        .push(format!("{key}[{number}]: another table takes its answer {status} before ({said:?})"));
                }
            }
        }
        unreached
    }

    /// What can work, but is hardly meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.unreached();
        if !self.refuses.iter().any(|rule| rule.status.contains(&401)) {
            warnings.push(
                "refuses: a 401 is not among them, and HTTP has that status for a token that is refused".to_owned(),
            );
        }
        let shown = crate::span::written;
        let left = self.access_life.as_millis().saturating_mul(100_u64.saturating_sub(self.renew_at.into())) / 100;
        if self.renew_at < 100 && left < self.settle.as_millis() {
            let left = shown(Span::from_millis(left));
            let settle = shown(self.settle);
            warnings.push(format!(
                "renew_at: a planned refresh leaves the old token {left}, less than settle ({settle}), so it may end before the new one is taken everywhere; a lower renew_at helps"
            ));
        }
        if !self.proves.iter().any(|rule| rule.status.contains(&200) || rule.status.contains(&201)) {
            warnings.push("proves: no success proves a token, so a good one is never known to be good".to_owned());
        }
        if self.grant == GrantKind::AuthorizationCode && self.authorize_url.is_none() {
            warnings.push("authorize_url: there is none, so `outlast auth login` cannot ask for consent".to_owned());
        }
        warnings
    }
}
