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
    /// Where tokens are asked for (RFC 6749, section 3.2). The client authenticates with `client_id` and
    /// `client_secret` in the form.
    pub token_url: Url,
    /// Where tokens are inspected (RFC 7662), if the provider offers it.
    pub introspect_url: Option<Url>,
    /// Where tokens are revoked (RFC 7009), if the provider offers it.
    pub revoke_url: Option<Url>,
    /// The origins that may see an access token.
    pub audience: Audience,
    /// The settle window: how long a new token may be refused by nodes that have not heard of it.
    pub settle: Span,
    /// The answers that refuse the token. They come first: what refuses does not prove.
    pub refuses: Vec<Rule>,
    /// The answers that are past authentication: they prove the token, whatever they mean for the delivery.
    pub proves: Vec<Rule>,
    /// What a refresh does to the refresh token.
    pub rotation: Rotation,
    /// The life of an access token whose answer does not say it.
    pub access_life: Span,
    /// The life of a grant from consent on whose answer does not say it. `None`: it does not end by itself.
    pub grant_life: Option<Span>,
    /// How long a lane waits after an answer that did not come, so that a request that is still travelling arrives first.
    pub quiet: Span,
    /// How long the API remembers the keys of deliveries, so that a repeat is not counted twice. `None`: it does not.
    pub dedupe: Option<Span>,
    /// How old an event may be for the API to accept it. `None`: any age.
    pub event_age: Option<Span>,
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
            introspect_url: Some(constant("https://www.linkedin.com/oauth/v2/introspectToken")),
            settle: Span::from_secs(10 * MINUTE),
            access_life: Span::from_secs(60 * DAY),
            grant_life: Some(Span::from_secs(365 * DAY)),
            event_age: Some(Span::from_secs(90 * DAY)),
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
            token_url,
            introspect_url: None,
            revoke_url: None,
            audience,
            settle: Span::from_secs(MINUTE),
            refuses: vec![Rule::status(401..=401)],
            proves: PAST_AUTHENTICATION.iter().cloned().map(Rule::status).collect(),
            rotation: Rotation::MayChange,
            access_life: Span::from_secs(60 * MINUTE),
            grant_life: None,
            quiet: Span::from_secs(30),
            dedupe: None,
            event_age: None,
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
        !self.refuses_token(answer) && self.proves.iter().any(|rule| rule.matches(answer))
    }

    /// What the answer says about the token.
    #[must_use]
    pub fn evidence(&self, answer: &Answer) -> Evidence {
        if self.refuses_token(answer) {
            Evidence::Refuses
        } else if self.proves_token(answer) {
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
