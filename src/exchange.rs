//! The network as data: what is asked and what was answered. Only `http` turns one into the other.

use std::borrow::Cow;
use std::fmt;

use outlast_state::{Span, Time};
use serde_json::Value;
use url::Url;

/// How a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create or act.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// A request as a destination makes it: without the token, which the engine writes where `bearer` asks for it.
#[derive(Clone, PartialEq)]
pub struct Request {
    method: Method,
    url: Url,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Vec<u8>,
    bearer: bool,
}

impl Request {
    /// A request without headers or a body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Request { method, url, headers: Vec::new(), body: Vec::new(), bearer: false }
    }

    /// Adds a header; `name` in lower case. A value that HTTP forbids is refused when the request is sent.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    /// Sets a body that is sent as it is, and its content type.
    #[must_use]
    pub fn content(mut self, kind: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    /// Asks the engine to write `authorization: Bearer …` with the token of the epoch that the delivery was admitted with.
    #[must_use]
    pub fn bearer(mut self) -> Self {
        self.bearer = true;
        self
    }

    /// How it asks.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Where it goes.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its headers, names in lower case; never the token.
    #[must_use]
    pub fn headers(&self) -> &[(Cow<'static, str>, String)] {
        &self.headers
    }

    /// Its body's bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the engine writes the token into it.
    #[must_use]
    pub fn wants_bearer(&self) -> bool {
        self.bearer
    }
}

/// Method, address without its query, and sizes: a query or a body may hold personal data.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = format!("{}{}", self.url.origin().ascii_serialization(), self.url.path());
        write!(f, "{} {address} ({} bytes)", self.method.as_str(), self.body.len())
    }
}

/// What came back, read up to the body cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers as received, names in lower case, values that are not text left out.
    pub headers: Vec<(String, String)>,
    /// The body, cut at the cap.
    pub body: Vec<u8>,
    /// Engine time at which the answer was complete; `Retry-After` dates are read against it.
    pub received: Time,
}

impl Answer {
    /// The first value of the header `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, if it is.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How long `Retry-After` asks to wait, as seconds or as an HTTP date (RFC 9110, section 10.2.3), at most
    /// `cap`. `None` when it is absent or unreadable.
    #[must_use]
    pub fn retry_after(&self, cap: Span) -> Option<Span> {
        let text = self.header("retry-after")?.trim();
        let span = if let Ok(seconds) = text.parse::<u64>() {
            Span::from_secs(seconds)
        } else {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            let millis = u64::try_from(date.timestamp().as_millisecond()).unwrap_or(0);
            Time::from_millis(millis).since(self.received)
        };
        Some(span.min(cap))
    }
}

/// A request and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// What was asked.
    pub request: Request,
    /// What was answered.
    pub answer: Answer,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing reached the destination: no connection could be made. Safe to send again.
    NotSent {
        /// What happened, without secrets.
        cause: String,
    },
    /// The request may have arrived: a reset, a time-out, an unreadable answer.
    Lost {
        /// What happened, without secrets.
        cause: String,
    },
    /// The engine refuses to send this: a forbidden address, a bad header, plain HTTP with a token.
    Forbidden {
        /// The rule and the remedy.
        cause: String,
    },
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::NotSent { cause } => write!(f, "nothing was sent: {cause}"),
            NoAnswer::Lost { cause } => write!(f, "no answer, the request may have arrived: {cause}"),
            NoAnswer::Forbidden { cause } => write!(f, "not allowed: {cause}"),
        }
    }
}
