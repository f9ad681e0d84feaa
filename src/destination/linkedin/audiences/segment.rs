//! The segment that stands for an audience at LinkedIn: how it is found, made and streamed to, and what is kept in mind of it.

use outlast_state::{Span, Time};
use serde_json::{Map, Value, json};

use super::Audiences;
use crate::destination::linkedin::answer::{COMPANY, MEMBER, Subject};
use crate::destination::linkedin::identity;
use crate::destination::{Conclusion, Memo};
use crate::exchange::{Answer, Method, Request};

/// How long a segment's id is believed.
pub(super) const DAY: Span = Span::from_secs(24 * 3600);
/// The longest id that is believed to be one.
const LONGEST_ID: usize = 128;
/// A key in memory is no longer than this.
const LONGEST_KEY: usize = 512;

/// What a segment is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Users,
    Companies,
}

impl Kind {
    /// LinkedIn's name of the type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Users => "USER",
            Kind::Companies => "COMPANY",
        }
    }

    pub(super) fn subject(self) -> &'static Subject {
        match self {
            Kind::Users => &MEMBER,
            Kind::Companies => &COMPANY,
        }
    }

    fn resource(self) -> &'static str {
        match self {
            Kind::Users => "users",
            Kind::Companies => "companies",
        }
    }
}

/// A segment, as the events name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) kind: Kind,
    /// Its key in the system that the events come from.
    pub(super) key: String,
    /// What it is called when it is made.
    pub(super) name: Option<String>,
    /// What its id is kept in mind under. The account is put before it.
    pub(super) memory: String,
}

impl Segment {
    pub(super) fn new(kind: Kind, key: &str, name: Option<String>) -> Self {
        let short = if key.len() > LONGEST_KEY { identity::hashed(key) } else { key.to_owned() };
        Segment { kind, key: key.to_owned(), name, memory: format!("segment/{}/{short}", kind.name()) }
    }

    /// The key of what is kept in mind. The credential is the destination's own, so that it is no part of it.
    pub(super) fn memory_key(&self, audiences: &Audiences) -> String {
        if audiences.is_compat() { self.memory.clone() } else { format!("{}/{}", audiences.account, self.memory) }
    }

    pub(super) fn look_up(&self, audiences: &Audiences) -> Request {
        let account = account(audiences);
        let parameters = [
            ("q", "account"),
            ("account", account.as_str()),
            ("sourceSegmentId", self.key.as_str()),
            ("sourcePlatform", "SEGMENT"),
        ];
        self.request(audiences, Method::Get, audiences.api.query("dmpSegments", &parameters))
    }

    pub(super) fn create(&self, audiences: &Audiences) -> Request {
        let mut body = Map::new();
        body.extend(self.name.as_deref().map(|name| ("name".to_owned(), name.into())));
        body.insert("sourcePlatform".into(), "SEGMENT".into());
        body.insert("sourceSegmentId".into(), self.key.as_str().into());
        body.insert("account".into(), account(audiences).into());
        body.insert("type".into(), self.kind.name().into());
        body.insert("destinations".into(), json!([{"destination": "LINKEDIN"}]));
        let url = audiences.api.address(["dmpSegments"]);
        self.request(audiences, Method::Post, url).json(&Value::Object(body))
    }

    pub(super) fn stream(&self, audiences: &Audiences, id: &str, elements: &[Value]) -> Request {
        let url = audiences.api.address(["dmpSegments", id, self.kind.resource()]);
        let request = self.request(audiences, Method::Post, url).header("x-restli-method", "BATCH_CREATE");
        request.json(&json!({ "elements": elements }))
    }

    /// Calls for user audiences do not name the protocol; those for companies do (Q23).
    fn request(&self, audiences: &Audiences, method: Method, url: url::Url) -> Request {
        match self.kind {
            Kind::Users => audiences.api.request(method, url),
            Kind::Companies => audiences.api.restli(method, url),
        }
    }
}

fn account(audiences: &Audiences) -> String {
    format!("urn:li:sponsoredAccount:{}", audiences.account)
}

/// The id of the segment that the look-up found, of this kind, or of any where none is asked for.
pub(super) fn found(answer: &Answer, kind: Option<Kind>) -> Result<Option<String>, Conclusion> {
    let body = answer.json();
    let elements = body.as_ref().and_then(|body| body.get("elements")).and_then(Value::as_array);
    let unreadable = || {
        Conclusion::failing(format!(
            "LinkedIn answered the look-up of the segment with {} and a body that cannot be read.",
            answer.status
        ))
    };
    let fits = |element: &&Value| kind.is_none_or(|kind| element.get("type") == Some(&kind.name().into()));
    match elements.ok_or_else(unreadable)?.iter().find(fits) {
        None => Ok(None),
        Some(element) => element.get("id").and_then(id).map(Some).ok_or_else(unreadable),
    }
}

fn id(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    is_id(&text).then_some(text)
}

/// The id of a segment that was just made: the first of these headers that has one.
pub(super) fn made(answer: &Answer, headers: &[&str]) -> Option<String> {
    headers.iter().filter_map(|name| answer.header(name)).map(str::trim).find(|id| is_id(id)).map(str::to_owned)
}

/// Ids are numbers today. What is longer, or has blanks, is something else.
fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What is kept in mind of a segment: `7788` for one that was found, `7788 1773576000000` for one that was made then, and
/// `- 1773576000000` for one that was made then by somebody, whose id was not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: Option<String>,
    /// When it was made.
    pub(super) since: Option<Time>,
}

impl Known {
    pub(super) fn read(text: Option<&str>) -> Known {
        let mut parts = text.unwrap_or_default().split(' ');
        let id = parts.next().filter(|id| is_id(id) && *id != "-").map(str::to_owned);
        Known { id, since: parts.next().and_then(|millis| millis.parse().ok()).map(Time::from_millis) }
    }

    pub(super) fn memo(&self, key: String) -> Memo {
        let id = self.id.as_deref().unwrap_or("-");
        let since = self.since.map_or_else(String::new, |since| format!(" {}", since.as_millis()));
        Memo::keep(key, format!("{id}{since}"), DAY)
    }
}
