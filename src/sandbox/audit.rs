//! The audit log: one JSON line for each request, complete enough that a judge needs nothing else, and free of secrets.
//!
//! The number of refreshes is the number of `applied` entries whose resource is `accessToken` and whose value has the grant type
//! `refresh_token`; what was applied, repeated or contradicted is in `applied`, `duplicate` and `conflict`. `answer_status` is null where
//! the client saw no answer. Changes through the control interface are lines too, with a path that starts with `/__ctl/`.

use super::oauth;
use super::tokens::{Tokens, ordinal};
use super::wire::{Applied, Effects, Head, Key};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

/// A line before it is written.
#[derive(Default, Serialize)]
pub(super) struct Line<'a> {
    pub(super) seq: u64,
    pub(super) t_ms: u64,
    pub(super) node: Option<&'a str>,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<String>,
    pub(super) headers: BTreeMap<&'a str, String>,
    pub(super) token_ordinal: Option<u32>,
    pub(super) token_state: Option<&'static str>,
    pub(super) token_age_ms: Option<u64>,
    /// Ordinal of the grant: what a client calls a connection or a credential.
    pub(super) connection: Option<u32>,
    /// Number of the TCP connection.
    pub(super) tcp: Option<u64>,
    /// Requests without a complete answer at this moment, this one included.
    pub(super) in_flight: u64,
    /// Calls with the same refresh token without a complete answer at this moment, this one included.
    pub(super) refresh_in_flight: Option<u64>,
    /// Absent where the body holds secrets: the hash of a guessable secret gives it away.
    pub(super) body_sha256: Option<String>,
    pub(super) body: Value,
    pub(super) answer_status: Option<u16>,
    pub(super) answer_body: Value,
    pub(super) fault_rule: Option<&'a str>,
    pub(super) delay_ms: u64,
    pub(super) applied: &'a [Applied],
    pub(super) duplicate: &'a [Key],
    pub(super) conflict: &'a [Key],
    /// Bytes of the answer's body that go out.
    pub(super) bytes_sent: usize,
    /// `reset`, `cut` or `client` (which has to give up) where the answer does not end as HTTP wants it.
    pub(super) closed_by: Option<&'static str>,
}

/// The newest lines, for the control interface.
#[derive(Default)]
pub(super) struct Recent {
    lines: VecDeque<(u64, Arc<str>)>,
}

impl<'a> Line<'a> {
    pub(super) fn changed(self, effects: &'a Effects) -> Self {
        Self { applied: &effects.applied, duplicate: &effects.duplicate, conflict: &effects.conflict, ..self }
    }

    pub(super) fn text(&self) -> Arc<str> {
        serde_json::to_string(self).expect("a line has text keys and no value that JSON lacks").into()
    }
}

impl Recent {
    pub(super) fn keep(&mut self, seq: u64, line: &Arc<str>, most: usize) {
        self.lines.push_back((seq, Arc::clone(line)));
        while self.lines.len() > most {
            self.lines.pop_front();
        }
    }

    pub(super) fn from(&self, seq: u64) -> impl Iterator<Item = &Arc<str>> {
        let start = self.lines.partition_point(|(known, _)| *known < seq);
        self.lines.iter().skip(start).map(|(_, line)| line)
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
    }
}

/// The headers, with the token replaced by its ordinal.
pub(super) fn headers(head: &Head, token: Option<u32>) -> BTreeMap<&str, String> {
    let shown = |name: &str, value: &str| match (name, token) {
        ("authorization", Some(ordinal)) => format!("Bearer [access {ordinal}]"),
        ("authorization" | "proxy-authorization" | "cookie", _) => "[redacted]".to_owned(),
        _ => value.to_owned(),
    };
    head.headers.iter().map(|(name, value)| (name.as_str(), shown(name, value))).collect()
}

/// Whether the body may hold secrets.
pub(super) fn is_secret(head: &Head) -> bool {
    let form = |kind: &str| kind.starts_with("application/x-www-form-urlencoded");
    head.path.starts_with(oauth::PREFIX) || head.header("content-type").is_some_and(form)
}

/// Parameters of a form or a query, secrets replaced.
pub(super) fn form(text: &[u8], tokens: &Tokens) -> BTreeMap<String, String> {
    let pairs = url::form_urlencoded::parse(text);
    pairs.map(|(name, value)| (name.to_string(), parameter(&name, &value, tokens))).collect()
}

/// A query, secrets replaced.
pub(super) fn query(head: &Head, tokens: &Tokens) -> Option<String> {
    let query = head.query.as_deref()?;
    if !is_secret(head) {
        return Some(query.to_owned());
    }
    let shown = form(query.as_bytes(), tokens).into_iter().map(|(name, value)| format!("{name}={value}"));
    Some(shown.collect::<Vec<_>>().join("&"))
}

/// An answer's body; secrets replaced where there can be some.
pub(super) fn answer_body(head: &Head, body: &[u8]) -> Value {
    let parsed = serde_json::from_slice(body).ok();
    match (parsed, is_secret(head)) {
        (_, _) if body.is_empty() => Value::Null,
        (Some(mut whole), true) => {
            redact(&mut whole, "");
            whole
        }
        (Some(whole), false) => whole,
        // Half of a token is still half a secret.
        (_, true) => REDACTED.into(),
        (None, false) => String::from_utf8_lossy(body).into(),
    }
}

/// Replaces every text but those under names that never hold a token: where it stands is the profile's to say. The reader of JSON
/// bounds the depth.
fn redact(value: &mut Value, name: &str) {
    match value {
        Value::String(text) if !HARMLESS.contains(&name) => REDACTED.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, name)),
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| redact(member, name)),
        _ => {}
    }
}

/// What of a token endpoint's answers is shown.
const HARMLESS: [&str; 11] = [
    "error",
    "error_description",
    "scope",
    "token_type",
    "status",
    "client_id",
    "auth_type",
    "message",
    "code",
    "expires_at",
    "category",
];

pub(super) fn sha256(body: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

// Only what is known to be harmless is shown.
fn parameter(name: &str, value: &str, tokens: &Tokens) -> String {
    let refresh = || tokens.refresh_named(value).map(|place| format!("[refresh {}]", ordinal(place)));
    let access = || tokens.access_named(value).map(|place| format!("[access {}]", ordinal(place)));
    match name {
        "grant_type" | "client_id" | "redirect_uri" => value.to_owned(),
        "refresh_token" | "token" => refresh().or_else(access).unwrap_or_else(|| REDACTED.to_owned()),
        _ => REDACTED.to_owned(),
    }
}

const REDACTED: &str = "[redacted]";
