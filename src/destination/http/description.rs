//! What is declared, as plain data.

use outlast_state::Span;
use serde_json::Value;

use super::{Method, Rule, Secret};

/// A destination, as its configuration describes it. Values that say so are templates: mappings, which are resolved with the
/// route's payload, or, where there is none, with the event.
#[derive(Clone)]
pub struct Description {
    /// How it is asked.
    pub method: Method,
    /// Where. `{{path}}` in its path or its query stands for a value, percent-encoded as one segment or one part of the
    /// query. Scheme, host and port are fixed: they decide who may see the token.
    pub url: String,
    /// Headers; each value is a template. One that resolves to nothing is left out.
    pub headers: Vec<(String, Value)>,
    /// Headers whose values are sent as they are and never shown.
    pub secret_headers: Vec<(String, Secret)>,
    /// The body of one item.
    pub body: Body,
    /// Whether the credential's token is sent, as `authorization: Bearer …`.
    pub bearer: bool,
    /// By what the provider tells repeats, if it does.
    pub dedupe: Option<Dedupe>,
    /// How many items share a request; without it each has one of its own.
    pub batch: Option<Batch>,
    /// What answers mean. The first row that fits counts; where none does, the status does.
    pub answers: Vec<Row>,
    /// Where in an answer's body stands how long to wait: seconds, or a date. `Retry-After` counts, too; the longer wait
    /// holds.
    pub retry_after: Option<String>,
    /// Where in an answer's body stands what to tell people.
    pub message: Option<String>,
}

impl Description {
    /// The event itself to this address, or, for a method without a body, nothing but the request.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let body = if matches!(method, Method::Get | Method::Delete) { Body::Nothing } else { Body::Event };
        Description {
            method,
            url: url.into(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body,
            bearer: false,
            dedupe: None,
            batch: None,
            answers: Vec::new(),
            retry_after: None,
            message: None,
        }
    }
}

/// The body of one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// None.
    Nothing,
    /// The route's payload; where there is none, the event. Alone in its request, the event goes in the bytes in which it was
    /// accepted.
    Event,
    /// What this template resolves to, as JSON.
    Mapped(Value),
}

/// By what the provider tells repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct Dedupe {
    /// Where it stands.
    pub place: Place,
    /// What stands there, as a template. Without one it is the delivery's name, which is the same for every attempt.
    pub value: Option<Value>,
}

/// Where a value stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the header of this name. For several items it is a hash of their values.
    Header(String),
    /// In each item's body, at this pointer (RFC 6901).
    Body(String),
}

/// How items share a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// So many at most.
    pub items: u32,
    /// So many bytes of events at most.
    pub bytes: u64,
    /// The first waits so long for others, at most.
    pub linger: Span,
    /// Where in the body the list of items stands, as a pointer (RFC 6901). Empty: the list is the body.
    pub at: String,
    /// What stands around the list: an object, or null for nothing.
    pub around: Value,
    /// Where the answer says what became of each item, if it does.
    pub results: Option<Results>,
}

impl Batch {
    /// Up to so many items, whose list is the body.
    #[must_use]
    pub fn up_to(items: u32) -> Self {
        let (bytes, linger) = (u64::MAX, Span::ZERO);
        Batch { items, bytes, linger, at: String::new(), around: Value::Null, results: None }
    }
}

/// Where an answer to a batch says what became of each item: in a list with one element for each, in their order. It is read
/// where the answer has a status of success and no row is about the whole of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// Where the list stands, as a pointer. Empty: the body is the list.
    pub list: String,
    /// Where in an element its status stands.
    pub status: Option<String>,
    /// What elements mean, their pointers beginning at the element. The first row that fits counts; where none does, the
    /// element's status does; without one, its item is sent again.
    pub answers: Vec<Row>,
    /// Where in an element stands what to tell people.
    pub message: Option<String>,
}

/// A row of the answer table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which answers it is about.
    pub rule: Rule,
    /// What they mean.
    pub means: Means,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Means {
    /// The destination has it.
    Accepted,
    /// It failed: sent again, and the attempt counts.
    Busy,
    /// It asks to be asked less: sent again, and no attempt counts. The whole credential slows down.
    Throttled,
    /// Something that it needs is not there yet: sent again, and no attempt counts.
    NotYet,
    /// Never.
    Refused,
    /// The token was refused.
    TokenRefused,
    /// One of several is at fault: sent again in halves. For one it is a refusal.
    Split,
}

impl Means {
    /// The meanings by the names that a configuration has for them.
    pub const NAMES: [(&'static str, Means); 7] = [
        ("accepted", Means::Accepted),
        ("busy", Means::Busy),
        ("throttled", Means::Throttled),
        ("not_yet", Means::NotYet),
        ("refused", Means::Refused),
        ("token_refused", Means::TokenRefused),
        ("split", Means::Split),
    ];
}
