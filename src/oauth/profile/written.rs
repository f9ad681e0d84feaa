//! A profile as the text that would be read as it, and as JSON.

use std::fmt::Write as _;

use outlast_state::Span;
use serde_json::{Map, Value, json};
use url::Url;

use super::file::NONE;
use super::{AssertionIn, Carrier, ClientAuth, GrantKind, Profile, Rotation, TokenShape};
use crate::exchange::Rule;
use crate::span;

impl Profile {
    /// The profile as a file, every key written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let Value::Object(mut members) = self.to_json() else { return text };
        let token = members.shift_remove("token");
        lines(&mut text, &members);
        if let Some(Value::Object(token)) = token {
            text.push_str("\n[token]\n");
            lines(&mut text, &token);
        }
        text
    }

    /// The same members as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        let mut put = |key: &str, value: Value| drop(members.insert(key.to_owned(), value));
        put("name", json!(self.name));
        put("grant", json!(name_of(&GrantKind::NAMES, self.grant)));
        if !self.lacks_token_url() {
            put("token_url", json!(self.token_url.as_str()));
        }
        put("authorize_url", address(self.authorize_url.as_ref()));
        put("pkce", json!(self.pkce));
        put("introspect_url", address(self.introspect_url.as_ref()));
        put("revoke_url", address(self.revoke_url.as_ref()));
        put("client_auth", json!(name_of(&ClientAuth::NAMES, self.client_auth)));
        put("scopes", json!(self.scopes));
        put("scope_separator", json!(self.scope_separator.to_string()));
        put("audience", self.audience.origins().collect());
        if let Carrier::Header { name, prefix } = &self.carrier {
            put("token_header", json!(name));
            put("token_prefix", json!(prefix));
        }
        put("settle", json!(span::written(self.settle)));
        put("young", json!(span::written(self.young)));
        put("renew_at", json!(self.renew_at));
        put("refuses", rows(&self.refuses));
        put("proves", rows(&self.proves));
        put("lacks_scope", rows(&self.lacks_scope));
        put("scope_delay", json!(span::written(self.scope_delay)));
        let rotation = match self.rotation {
            Rotation::Rotates { grace } => {
                put("reuse_grace", json!(span::written(grace)));
                Rotation::Rotates { grace: Span::ZERO }
            }
            other => other,
        };
        put("rotation", json!(name_of(&Rotation::NAMES, rotation)));
        put("access_life", json!(span::written(self.access_life)));
        put("grant_life", length(self.grant_life));
        put("idle_life", length(self.idle_life));
        put("quiet", json!(span::written(self.quiet)));
        put("dedupe", length(self.dedupe));
        put("event_age", length(self.event_age));
        put("node_header", json!(self.node_header.as_deref().unwrap_or(NONE)));
        if self.token_shape != TokenShape::default() {
            put("token", shape(&self.token_shape));
        }
        Value::Object(members)
    }
}

fn shape(shape: &TokenShape) -> Value {
    let mut members = Map::new();
    let assertion = match shape.assertion {
        AssertionIn::Form => "form",
        AssertionIn::Bearer => "bearer",
    };
    members.insert("assertion".into(), json!(assertion));
    members.insert("access_token".into(), json!(shape.access_token));
    members.insert("expires_in".into(), json!(shape.expires_in));
    members.extend(shape.expires_at.as_ref().map(|place| ("expires_at".to_owned(), json!(place))));
    members.insert("ends_grant".into(), rows(&shape.ends_grant));
    members.insert("misconfigured".into(), rows(&shape.misconfigured));
    Value::Object(members)
}

fn rows(rules: &[Rule]) -> Value {
    let row = |rule: &Rule| match &rule.pointer {
        None => json!({"status": rule.statuses()}),
        Some(pointer) => json!({"status": rule.statuses(), "pointer": pointer, "values": rule.values}),
    };
    rules.iter().map(row).collect()
}

fn address(url: Option<&Url>) -> Value {
    json!(url.map_or(NONE, Url::as_str))
}

fn length(length: Option<Span>) -> Value {
    length.map_or_else(|| json!(NONE), |length| json!(span::written(length)))
}

fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}

fn lines(text: &mut String, members: &Map<String, Value>) {
    for (key, value) in members {
        let _ = writeln!(text, "{key} = {}", inline(value));
    }
}

/// A value on one line. A text of JSON is a text of TOML: both escape with the same characters, and JSON's short escapes are
/// among TOML's.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
