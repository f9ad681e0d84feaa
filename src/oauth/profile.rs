//! Providers as data: where their endpoints are, what their answers say about a token, how long things last.

use std::ops::RangeInclusive;

use outlast_state::Span;
use url::Url;

use crate::exchange::{Answer, Rule};
use crate::guard::Audience;

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

/// Where in a request the token stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `authorization: Bearer TOKEN` (RFC 6750, section 2.1).
    Bearer,
    /// A header of the provider's own.
    Header {
        /// Its name, in lower case.
        name: String,
        /// What stands before the token, with its blank; often nothing.
        prefix: String,
    },
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

impl Profile {
    /// `LinkedIn`'s marketing APIs.
    ///
    /// Documented by the provider: endpoints, 60 days for an access token, 365 days from consent for the grant, events of
    /// at most 90 days, introspection. Reported by users: new tokens are refused for seconds to ten minutes, hence the
    /// settle window; any 401 may be such a refusal, and its body cannot tell. Not documented: whether a refresh changes
    /// the refresh token, how long event ids are remembered (so no window is claimed), the revocation endpoint (so none
    /// is named).
    ///
    /// # Panics
    /// Never: its addresses are constants.
    #[must_use]
    pub fn linkedin() -> Self {
        let api = constant("https://api.linkedin.com/rest");
        Profile {
            authorize_url: Some(constant("https://www.linkedin.com/oauth/v2/authorization")),
            introspect_url: Some(constant("https://www.linkedin.com/oauth/v2/introspectToken")),
            settle: Span::from_secs(10 * MINUTE),
            access_life: Span::from_secs(60 * DAY),
            grant_life: Some(Span::from_secs(365 * DAY)),
            event_age: Some(Span::from_secs(90 * DAY)),
            node_header: Some("x-li-fabric".to_owned()),
            ..Profile::generic(
                "linkedin",
                constant("https://www.linkedin.com/oauth/v2/accessToken"),
                Audience::of([&api]),
            )
        }
    }

    /// A provider that does what RFC 6749 and RFC 6750 say: a refused token is a 401, a refresh may bring a new refresh
    /// token, nothing else is promised. A token without `expires_in` is taken to live for an hour.
    #[must_use]
    pub fn generic(name: &str, token_url: Url, audience: Audience) -> Self {
        Profile {
            name: name.to_owned(),
            grant: GrantKind::AuthorizationCode,
            token_url,
            token_shape: TokenShape::default(),
            authorize_url: None,
            introspect_url: None,
            revoke_url: None,
            client_auth: ClientAuth::Form,
            scopes: Vec::new(),
            scope_separator: ' ',
            audience,
            carrier: Carrier::Bearer,
            settle: Span::from_secs(MINUTE),
            young: Span::from_secs(MINUTE),
            renew_at: 80,
            refuses: vec![Rule::status(401..=401)],
            proves: PAST_AUTHENTICATION.iter().cloned().map(Rule::status).collect(),
            lacks_scope: Vec::new(),
            scope_delay: Span::from_secs(5 * MINUTE),
            rotation: Rotation::MayChange,
            access_life: Span::from_secs(60 * MINUTE),
            grant_life: None,
            idle_life: None,
            quiet: Span::from_secs(30),
            dedupe: None,
            event_age: None,
            node_header: None,
        }
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
}

fn constant(address: &str) -> Url {
    Url::parse(address).expect("the address is a constant that a test reads")
}

/// Answers that an API gives only to those whom it knows: success, and complaints about the content. A 403 is left out
/// because permissions are cached apart from tokens; 408, 423, 426, 429 and 5xx because they come from in front of the API.
const PAST_AUTHENTICATION: [RangeInclusive<u16>; 6] =
    [200..=299, 400..=400, 404..=404, 409..=409, 413..=413, 422..=422];

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

#[cfg(test)]
mod tests {
    use outlast_state::Time;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), received: Time::ZERO }
    }

    #[test]
    fn linkedin_reads_each_status() {
        let profile = Profile::linkedin();
        for status in 100..=599 {
            let expected = match status {
                401 => Evidence::Refuses,
                200..=299 | 400 | 404 | 409 | 413 | 422 => Evidence::Proves,
                _ => Evidence::Nothing,
            };
            assert_eq!(profile.evidence(&answer(status, "")), expected, "{status}");
        }
    }

    #[test]
    fn linkedins_401_refuses_whatever_its_body_says() {
        let profile = Profile::linkedin();
        for body in [
            r#"{"status":401,"serviceErrorCode":65601,"code":"REVOKED_ACCESS_TOKEN","message":"…"}"#,
            r#"{"serviceErrorCode":"65602"}"#,
            r#"{"status":401}"#,
            "<html>",
            "",
        ] {
            assert!(profile.refuses_token(&answer(401, body)), "{body}");
        }
    }

    #[test]
    fn what_refuses_does_not_prove() {
        let said = Rule::status(200..=200).holding("/error", &["token_expired"]);
        let profile = Profile { refuses: vec![said], ..Profile::linkedin() };
        assert_eq!(profile.evidence(&answer(200, r#"{"error":"token_expired"}"#)), Evidence::Refuses);
        assert!(!profile.proves_token(&answer(200, r#"{"error":"token_expired"}"#)));
        assert_eq!(profile.evidence(&answer(200, r#"{"error":"other"}"#)), Evidence::Proves);
        assert_eq!(profile.evidence(&answer(401, "")), Evidence::Nothing);
    }

    #[test]
    fn linkedins_constants_are_the_documented_ones() {
        let profile = Profile::linkedin();
        assert_eq!(profile.token_url.as_str(), "https://www.linkedin.com/oauth/v2/accessToken");
        assert!(profile.audience.admits(&constant("https://api.linkedin.com/rest/conversionEvents")));
        assert!(!profile.audience.admits(&profile.token_url));
        assert_eq!(profile.settle, Span::from_secs(600));
        assert_eq!(profile.access_life, Span::from_secs(5_184_000));
        assert_eq!(profile.grant_life, Some(Span::from_secs(31_536_000)));
        assert_eq!(profile.event_age, Some(Span::from_millis(90 * 86_400_000)));
        assert_eq!(profile.quiet, Span::from_secs(30));
    }

    #[test]
    fn a_profile_is_overridden_field_by_field() {
        let sandbox = constant("http://127.0.0.1:9000/oauth/v2/accessToken");
        let (token_url, audience) = (sandbox.clone(), Audience::of([&sandbox]));
        let profile = Profile { token_url, audience, settle: Span::from_secs(5), ..Profile::linkedin() };
        assert!(profile.audience.admits(&constant("http://127.0.0.1:9000/rest/conversionEvents")));
        assert_eq!(profile.evidence(&answer(401, "")), Evidence::Refuses);
    }
}
