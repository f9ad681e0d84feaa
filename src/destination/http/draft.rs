//! One item's part of a request.

use std::borrow::Cow;

use outlast_state::{Verdict, Why};
use serde_json::Value;
use url::Url;

use super::{Declared, Key, Making, Place, pointer};
use crate::destination::{Conclusion, Item};
use crate::digest::{hex, sha256};
use crate::exchange::is_header_value;
use crate::taxonomy::PAYLOAD_VALIDATION_FAILED;

/// An item, resolved.
pub(super) struct Draft {
    pub(super) url: Url,
    /// Without those that are the same for all items.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Content>,
    /// By what the provider tells it from others.
    pub(super) key: Option<String>,
}

/// An item's body.
pub(super) enum Content {
    /// As it was accepted.
    Bytes(Vec<u8>),
    Json(Value),
}

/// Why an item can never be sent. It quotes no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    /// `problem` and `remedy` are sentences about what stands at `place`.
    pub(super) fn invalid(place: &str, problem: &str, remedy: &str) -> Self {
        Fault { code: PAYLOAD_VALIDATION_FAILED, message: format!("`{place}`: {problem} {remedy}") }
    }

    pub(super) fn conclusion(self) -> Conclusion {
        Conclusion::new(Verdict::Refused { why: Why::Invalid }, self.message).code(self.code)
    }
}

impl Draft {
    /// What items of one request have in common, in so few characters that a batch key holds them.
    pub(super) fn shared(&self) -> String {
        let headers = self.headers.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let parts: Vec<&str> = std::iter::once(self.url.as_str()).chain(headers).collect();
        // A line break stands in no address, name or value.
        hex(&sha256(parts.join("\n").as_bytes()))
    }
}

impl Declared {
    pub(super) fn draft(&self, item: &Item<'_>) -> Result<Draft, Fault> {
        let mapped = !item.payload.is_null();
        let input = if mapped { Cow::Borrowed(item.payload) } else { Cow::Owned(read(item.body)?) };
        let url = self.address.fill(&input)?;
        let headers = self.headers(&input)?;
        let key = self.dedupe.as_ref().map(|key| value(key, item, &input)).transpose()?;
        let inner = self.dedupe.as_ref().and_then(|key| match &key.place {
            Place::Body(pointer) => Some(pointer.as_str()),
            Place::Header(_) => None,
        });
        let body = match &self.body {
            Making::Nothing => None,
            Making::Event if !mapped && inner.is_none() && self.batch.is_none() => {
                Some(Content::Bytes(item.body.to_vec()))
            }
            Making::Event => Some(Content::Json(input.into_owned())),
            Making::Mapped(template) => match template.value(&input)? {
                Some(body) => Some(Content::Json(body)),
                None => return Err(Fault::invalid("body", "It resolves to nothing.", "Map what the API asks for.")),
            },
        };
        let body = match (body, inner, &key) {
            (Some(Content::Json(body)), Some(pointer), Some(key)) => Some(Content::Json(keyed(body, pointer, key)?)),
            (body, _, _) => body,
        };
        Ok(Draft { url, headers, body, key })
    }

    fn headers(&self, input: &Value) -> Result<Vec<(String, String)>, Fault> {
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, template) in &self.headers {
            let Some(value) = template.text(input)? else { continue };
            if !is_header_value(&value) {
                let problem = "It resolves to a text with a character that HTTP forbids.";
                return Err(Fault::invalid(&format!("headers {name}"), problem, "Map visible ASCII characters to it."));
            }
            headers.push((name.clone(), value));
        }
        Ok(headers)
    }
}

fn read(body: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let problem = format!("It cannot be read at line {}, column {}.", error.line(), error.column());
        Fault::invalid("event", &problem, "Submit it as JSON.")
    })
}

/// By what the provider tells the item from others.
fn value(key: &Key, item: &Item<'_>, input: &Value) -> Result<String, Fault> {
    let Some(template) = &key.value else { return Ok(item.id.to_string()) };
    let value = template.text(input)?.filter(|value| !value.trim().is_empty());
    let fault = |problem: &str| Fault::invalid("dedupe", problem, "Map a value that each event has for itself.");
    let value = value.ok_or_else(|| fault("It resolves to nothing."))?;
    match key.place {
        Place::Header(_) if !is_header_value(&value) => {
            Err(fault("It resolves to a text with a character that HTTP forbids."))
        }
        Place::Header(_) | Place::Body(_) => Ok(value),
    }
}

fn keyed(mut body: Value, pointer: &str, key: &str) -> Result<Value, Fault> {
    pointer::put(&mut body, pointer, Value::String(key.to_owned())).map_err(|pointer::Blocked| {
        let problem = format!("The body has no object for {pointer}.");
        Fault::invalid("dedupe", &problem, "Map an object to the body, or send the key as a header.")
    })?;
    Ok(body)
}
