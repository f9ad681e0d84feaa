//! How a provider speaks that a profile describes: its paths, where clients and tokens stand, how it refuses, what its token
//! endpoint answers. The provider itself speaks `LinkedIn`'s way: requests are translated into that, and answers back.

use super::consent;
use super::oauth::{INTROSPECT_PATH, PREFIX, REVOKE_PATH, TOKEN_PATH};
use super::wire::{Answer, Head};
use crate::exchange::{Rule, put};
use crate::oauth::{AssertionIn, Profile, TokenShape};
use serde_json::Value;
use std::borrow::Cow;
use url::form_urlencoded::Serializer;

pub(super) struct Manner {
    /// Its paths, and what they are called here.
    paths: Vec<(String, &'static str)>,
    header: String,
    prefix: String,
    shape: TokenShape,
    refuses: Vec<Rule>,
    lacks_scope: Option<Rule>,
    /// Nothing: they stay separated as they were granted.
    scope_separator: Option<char>,
    node_header: Option<String>,
}

impl Manner {
    /// `LinkedIn`'s, which needs no translation.
    pub(super) fn usual() -> Self {
        Self {
            paths: Vec::new(),
            header: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
            shape: TokenShape::default(),
            refuses: Vec::new(),
            lacks_scope: None,
            scope_separator: None,
            node_header: Some("x-li-fabric".to_owned()),
        }
    }

    pub(super) fn of(profile: &Profile) -> Self {
        let endpoints = [
            (profile.authorize_url.as_ref(), consent::PATH),
            (Some(&profile.token_url), TOKEN_PATH),
            (profile.introspect_url.as_ref(), INTROSPECT_PATH),
            (profile.revoke_url.as_ref(), REVOKE_PATH),
        ];
        let paths = endpoints.into_iter().filter_map(|(url, here)| Some((url?.path().to_owned(), here)));
        let (header, prefix) = profile.carrier.header();
        Self {
            paths: paths.collect(),
            header: header.to_owned(),
            prefix: prefix.to_owned(),
            shape: profile.token_shape.clone(),
            refuses: profile.refuses.clone(),
            lacks_scope: profile.lacks_scope.first().cloned(),
            scope_separator: Some(profile.scope_separator),
            node_header: profile.node_header.clone(),
        }
    }

    /// The request's head as the provider reads it: its own path, and the token as a bearer's.
    pub(super) fn read(&self, mut head: Head) -> Head {
        if let Some((_, here)) = self.paths.iter().find(|(path, _)| *path == head.path) {
            (*here).clone_into(&mut head.path);
            return head;
        }
        if head.path.starts_with(PREFIX) || (self.header == "authorization" && self.prefix == "Bearer ") {
            return head;
        }
        let token = head.header(&self.header).and_then(|value| value.strip_prefix(&self.prefix)).map(str::to_owned);
        head.headers.retain(|(name, _)| *name != self.header && name != "authorization");
        head.headers.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
        head
    }

    /// The body of a token request as the provider reads it: an assertion that stands in the header is moved into a form.
    pub(super) fn body<'a>(&self, head: &Head, body: &'a [u8]) -> Cow<'a, [u8]> {
        if head.path != TOKEN_PATH || self.shape.assertion != AssertionIn::Bearer {
            return Cow::Borrowed(body);
        }
        let assertion = head.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        form.append_pair("assertion", assertion.unwrap_or_default());
        Cow::Owned(form.finish().into_bytes())
    }

    /// What it says instead of `answer`, which refuses a token. It has several ways, and takes them in turn.
    pub(super) fn refusal(&self, answer: Answer, turn: u64) -> Answer {
        let count = u64::try_from(self.refuses.len()).unwrap_or(u64::MAX);
        let pick = turn.checked_rem(count).and_then(|pick| usize::try_from(pick).ok());
        said(pick.and_then(|pick| self.refuses.get(pick)), answer)
    }

    /// What it says instead of `answer`, which complains of a scope.
    pub(super) fn complaint(&self, answer: Answer) -> Answer {
        said(self.lacks_scope.as_ref(), answer)
    }

    /// Its token endpoint's answer in its own shape. A life in seconds becomes a moment, counted from `now_ms`.
    pub(super) fn token_answer(&self, answer: Answer, now_ms: u64) -> Answer {
        let Answer { status, body: Some(Value::Object(mut members)), .. } = answer.clone() else { return answer };
        if members.get("error").and_then(Value::as_str) == Some("invalid_grant") {
            return said(self.shape.ends_grant.first(), answer);
        }
        let (Some(access), 200..=299) = (members.shift_remove("access_token"), status) else { return answer };
        let life = members.shift_remove("expires_in");
        if let (Some(Value::String(scope)), Some(separator)) = (members.get_mut("scope"), self.scope_separator) {
            *scope = scope.replace([',', ' '], &separator.to_string());
        }
        let mut body = Value::Object(members);
        put(&mut body, &self.shape.access_token, access);
        if let Some(life) = life {
            let ends = life.as_u64().and_then(|seconds| moment(now_ms.saturating_add(seconds.saturating_mul(1000))));
            match (&self.shape.expires_at, ends) {
                (Some(place), Some(ends)) => put(&mut body, place, ends.into()),
                _ => put(&mut body, &self.shape.expires_in, life),
            }
        }
        Answer { body: Some(body), ..answer }
    }

    /// The header in which it names its node.
    pub(super) fn node_header(&self) -> Option<&str> {
        self.node_header.as_deref()
    }
}

/// An answer that this row is about, with what `answer` has beside. A row without a pointer leaves the body as it is.
fn said(rule: Option<&Rule>, answer: Answer) -> Answer {
    let Some((status, body)) = rule.map(Rule::example) else { return answer };
    Answer { status, body: body.or(answer.body), ..answer }
}

fn moment(ms: u64) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(moment.to_string())
}
