//! The door: what an event must be, before anything of it is stored.

use std::fmt;

use serde_json::Value;

use crate::taxonomy;

/// An event may nest objects and lists so deep; serde's JSON reader goes no deeper.
pub const DEEPEST: usize = 127;

/// An event: a JSON object, as a source emits it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    body: Vec<u8>,
    value: Value,
    once: Option<String>,
    lane: Option<String>,
}

/// Why something is not taken for an event. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnEvent {
    /// Its code in the table of errors.
    pub code: &'static str,
    /// What is wrong, where, and what to do.
    pub message: String,
}

impl fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NotAnEvent {}

impl Event {
    /// The event that these bytes are. Its idempotency key is its `messageId`, where that is a text or a number.
    ///
    /// # Errors
    /// They are not UTF-8, not JSON, nested too deep, or not an object.
    pub fn read(body: impl Into<Vec<u8>>) -> Result<Self, NotAnEvent> {
        let body = body.into();
        let value = Event::parse(&body)?;
        Event::of(value, body)
    }

    /// What these bytes say, where neither they nor the key are needed any more.
    pub(crate) fn parse(body: &[u8]) -> Result<Value, NotAnEvent> {
        let text = std::str::from_utf8(body).map_err(|why| {
            let at = why.valid_up_to().saturating_add(1);
            refused(taxonomy::EVENT_NOT_UTF8, format!("event: byte {at} is not UTF-8; send JSON in UTF-8"))
        })?;
        object(serde_json::from_str(text).map_err(|why| unreadable(&why))?)
    }

    /// The event that this value is.
    ///
    /// # Errors
    /// It is not an object, or nested too deep.
    pub fn json(value: Value) -> Result<Self, NotAnEvent> {
        if depth(&value) > DEEPEST {
            return Err(too_deep());
        }
        let body = value.to_string().into_bytes();
        Event::of(value, body)
    }

    fn of(value: Value, body: Vec<u8>) -> Result<Self, NotAnEvent> {
        let value = object(value)?;
        let once = match value.get("messageId") {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        Ok(Event { body, value, once, lane: None })
    }

    /// Uses this idempotency key, or none, instead of the event's `messageId`: taking the event in again under the same key is
    /// harmless.
    #[must_use]
    pub fn once(mut self, key: Option<String>) -> Self {
        self.once = key;
        self
    }

    /// Puts what comes of it in this lane of each destination that has no lanes of its own.
    #[must_use]
    pub fn lane(mut self, lane: Option<String>) -> Self {
        self.lane = lane;
        self
    }

    /// The event itself.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Its bytes, as they came.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.once.as_deref()
    }

    pub(crate) fn own_lane(&self) -> Option<&str> {
        self.lane.as_deref()
    }
}

fn refused(code: &'static str, message: String) -> NotAnEvent {
    NotAnEvent { code, message }
}

fn object(value: Value) -> Result<Value, NotAnEvent> {
    let kind = match value {
        Value::Object(_) => return Ok(value),
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list; send its events one by one",
    };
    Err(refused(taxonomy::EVENT_NOT_AN_OBJECT, format!("event: a JSON object is needed, and this is {kind}")))
}

fn too_deep() -> NotAnEvent {
    refused(taxonomy::EVENT_TOO_DEEP, format!("event: it nests deeper than {DEEPEST} objects and lists; flatten it"))
}

fn unreadable(why: &serde_json::Error) -> NotAnEvent {
    let message = why.to_string();
    if message.starts_with("recursion limit exceeded") {
        return too_deep();
    }
    let (what, _) = message.split_once(" at line ").unwrap_or((&message, ""));
    let (line, column) = (why.line(), why.column());
    refused(
        taxonomy::EVENT_NOT_JSON,
        format!("event: not JSON at line {line}, column {column}: {what}; send the event as one JSON object"),
    )
}

/// How deep a value nests. It was built in memory, by whoever: no more of it is visited than is needed to tell.
fn depth(value: &Value) -> usize {
    let mut level: Vec<&Value> = vec![value];
    let mut depth = 0;
    while !level.is_empty() && depth <= DEEPEST {
        let below = level.iter().flat_map(|value| match value {
            Value::Array(items) => items.iter().collect::<Vec<_>>(),
            Value::Object(members) => members.values().collect(),
            _ => Vec::new(),
        });
        level = below.collect();
        depth = depth.saturating_add(1);
    }
    depth
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_an_event_is_refused_with_place_and_remedy() {
        let deep = "[".repeat(200);
        let rows: [(&[u8], &str, &str); 8] = [
            (b"", "EVENT_NOT_JSON", "line 1, column 0"),
            (b"{\"a\":\n nope}", "EVENT_NOT_JSON", "line 2, column 3"),
            (b"{} {}", "EVENT_NOT_JSON", "trailing"),
            (b"{\"a\":\"\xff\"}", "EVENT_NOT_UTF8", "byte 7"),
            (b"[{}]", "EVENT_NOT_AN_OBJECT", "a list; send its events one by one"),
            (b"\"track\"", "EVENT_NOT_AN_OBJECT", "a text"),
            (b"null", "EVENT_NOT_AN_OBJECT", "null"),
            (deep.as_bytes(), "EVENT_TOO_DEEP", "127"),
        ];
        for (bytes, code, words) in rows {
            let refused = Event::read(bytes).unwrap_err();
            assert!(refused.code == code && refused.message.contains(words), "{refused:?}");
        }
    }

    #[test]
    fn the_deepest_event_is_taken_whole_or_not_at_all() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        for taken in [true, false] {
            let text = nested(DEEPEST - 1 + usize::from(!taken));
            assert_eq!(Event::read(text.as_str()).is_ok(), taken);
        }
        let mut value = json!(1);
        for _ in 0..DEEPEST - 1 {
            value = json!({ "a": value });
        }
        assert!(Event::json(value.clone()).is_ok());
        assert_eq!(Event::json(json!({"a": {"a": value}})).unwrap_err().code, "EVENT_TOO_DEEP");
    }

    #[test]
    fn its_key_is_its_message_id() {
        for (event, key) in [
            (json!({"messageId": "m-1"}), Some("m-1")),
            (json!({"messageId": 7}), Some("7")),
            (json!({"messageId": ""}), None),
            (json!({"messageId": {}}), None),
            (json!({}), None),
        ] {
            assert_eq!(Event::json(event).unwrap().key(), key);
        }
    }
}
