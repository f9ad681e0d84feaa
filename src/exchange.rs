//! The network as data: what is asked and what was answered. Only `http` turns one into the other.

use std::borrow::Cow;
use std::fmt;

use outlast_state::{Span, Time};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::secret::Secret;

mod carrier;
mod form;
mod place;
mod rule;

pub use carrier::Carrier;
pub use form::Form;
pub(crate) use place::put;
pub use rule::Rule;

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
    /// Which of the headers nobody is shown.
    hidden: Vec<usize>,
    body: Vec<u8>,
    bearer: bool,
}

impl Request {
    /// A request without headers or a body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Request { method, url, headers: Vec::new(), hidden: Vec::new(), body: Vec::new(), bearer: false }
    }

    /// Adds a header; `name` in lower case. A value that HTTP forbids is refused when the request is sent.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header whose value is sent and never shown.
    #[must_use]
    pub fn secret_header(mut self, name: impl Into<Cow<'static, str>>, value: &Secret) -> Self {
        self.hidden.push(self.headers.len());
        self.header(name, value.reveal())
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    /// The same of anything that is written as JSON, without a tree of values between.
    #[must_use]
    pub(crate) fn json_of(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).expect("its keys are texts, and writing to memory does not fail");
        self.header("content-type", "application/json")
    }

    /// Sets a body that is sent as it is, and its content type.
    #[must_use]
    pub fn content(mut self, kind: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    /// Asks the engine to write the token of the epoch that the delivery was admitted with, where its credential's profile
    /// carries it: as `authorization: Bearer …`, or in a header of the provider's own.
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

    /// Its headers as they are sent, names in lower case; never the token. [`Request::shown`] has them for people.
    #[must_use]
    pub fn headers(&self) -> &[(Cow<'static, str>, String)] {
        &self.headers
    }

    /// Its headers without what is secret in them.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().enumerate().map(|(at, (name, value))| {
            let value = if self.hidden.contains(&at) { HIDDEN } else { value };
            (name.as_ref(), value)
        })
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

/// What stands where a secret value is.
const HIDDEN: &str = "[secret]";

/// Headers that frame a message. Two opinions on where it ends are two messages, so only the HTTP client writes them.
pub(crate) const FRAMING: &[&str] =
    &["connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"];

/// What is wrong with `name` as the name of a header (RFC 9110, section 5.1), if anything is.
pub(crate) fn unfit_header_name(name: &str) -> Option<&'static str> {
    let is_token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some("is not the name of a header in lower case");
    }
    FRAMING.contains(&name).then_some("is written by the HTTP client")
}

/// Whether HTTP takes `value` as the value of a header: what is visible in ASCII, blanks and tabs.
pub(crate) fn is_header_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

/// Method, address without its query, and sizes: a query or a body may hold personal data.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = format!("{}{}", self.url.origin().ascii_serialization(), self.url.path());
        write!(f, "{} {address} ({} bytes)", self.method.as_str(), self.body.len())
    }
}

/// What came back, read up to the body cap.
#[derive(Clone, PartialEq, Eq)]
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

/// Its status and sizes: a provider may repeat, in a header or in the body, the token that it was sent.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} headers, {} bytes)", self.status, self.headers.len(), self.body.len())
    }
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
        let span = wait_in(text, self.received)?;
        Some(span.min(cap))
    }
}

/// How long `text` asks to wait from `now` on: whole seconds, or the date of HTTP in any of its three forms (RFC 9110, section
/// 5.6.7). So many seconds that they cannot be counted are as long as can be.
pub(crate) fn wait_in(text: &str, now: Time) -> Option<Span> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Span::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let obsolete = |form: &str| {
        let broken_down = jiff::fmt::strtime::parse(form, text).ok()?;
        broken_down.to_datetime().ok()?.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()
    };
    let date = jiff::fmt::rfc2822::parse(text)
        .ok()
        .or_else(|| obsolete("%A, %d-%b-%y %H:%M:%S GMT"))
        .or_else(|| obsolete("%a %b %e %H:%M:%S %Y"))?;
    let millis = u64::try_from(date.timestamp().as_millisecond()).unwrap_or(0);
    Some(Time::from_millis(millis).since(now))
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

#[cfg(test)]
mod tests;
