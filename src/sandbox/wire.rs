//! What comes in and what goes out, as data: the same for a socket and for a caller in the same process.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A request's head.
#[derive(Clone)]
pub struct Head {
    /// As sent, in capitals.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What follows the question mark.
    pub query: Option<String>,
    /// Names in lower case, as sent otherwise.
    pub headers: Vec<(String, String)>,
    /// Number of the TCP connection.
    pub tcp: u64,
}

impl Head {
    /// The first header of this (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A request. It may hold secrets, so it cannot be printed.
#[derive(Clone)]
pub struct Incoming {
    /// Everything before the body.
    pub head: Head,
    /// The body.
    pub body: Bytes,
}

/// What the client is to see, and in which manner.
#[derive(Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case. `content-length` is not among them.
    pub headers: Vec<(String, String)>,
    /// The whole body, also where `ending` sends less.
    pub body: Bytes,
    /// How it goes over the wire.
    pub pace: Pace,
    /// How it ends.
    pub ending: Ending,
    /// To be handed to [`Provider::close`](super::Provider::close) when the answer is out, whole or not.
    pub ticket: Ticket,
    /// The audit log's line. It must be on its way to the file before the first byte of the answer.
    pub line: Arc<str>,
}

/// How fast an answer goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Before the first byte.
    pub before_ms: u64,
    /// Between the headers and the body, and between its pieces.
    pub between_ms: u64,
    /// In how many pieces the body goes out; 0 is like 1.
    pub pieces: u32,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As HTTP wants it.
    Whole,
    /// The connection is closed after this many bytes of the body.
    Cut(usize),
    /// The connection is reset without an answer.
    Reset,
    /// Nothing is ever sent; the client has to give up.
    Hang,
}

/// Stands for a request whose answer is not out yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(super) seq: u64,
    pub(super) life: u64,
    pub(super) refresh: Option<RefreshCall>,
}

impl Ticket {
    /// The request's number in the audit log.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.seq
    }
}

/// An answer before faults have had their way with it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    pub(super) effects: Effects,
    /// Set for a call of the token endpoint with the grant type `refresh_token`.
    pub(super) refresh: Option<RefreshCall>,
}

/// A call of the token endpoint with a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefreshCall {
    /// The refresh token's place, if it is known.
    pub(super) token: Option<usize>,
}

/// What a request changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Effects {
    pub(super) applied: Vec<Applied>,
    pub(super) duplicate: Vec<Key>,
    pub(super) conflict: Vec<Key>,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Applied {
    pub(super) resource: &'static str,
    pub(super) key: String,
    value: Value,
}

/// What a repeated request repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Key {
    pub(super) resource: &'static str,
    pub(super) key: String,
}

impl Applied {
    /// `value` is kept with its members sorted, so equal values have equal text in the log, however they were sent. Its depth is
    /// bounded by the reader of JSON that it came from.
    pub(super) fn new(resource: &'static str, key: String, mut value: Value) -> Self {
        value.sort_all_objects();
        Self { resource, key, value }
    }
}

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body), effects: Effects::default(), refresh: None }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, effects: Effects::default(), refresh: None }
    }

    /// The API's error envelope without a service code.
    pub(super) fn error(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self::json(status, json!({"status": status, "code": code, "message": message.into()}))
    }

    /// The API's error envelope.
    pub(super) fn service_error(status: u16, number: u32, code: &str, message: &str) -> Self {
        Self::json(status, json!({"status": status, "serviceErrorCode": number, "code": code, "message": message}))
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
