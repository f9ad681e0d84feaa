//! Fault rules: which requests go wrong, and how.

use super::draw::{draw, happens, purpose};
use super::field::FieldError;
use super::throttle::Bucket;
use super::wire::Head;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// One rule. The first that matches and fires decides; a request that no rule fires on is answered as it deserves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What the audit log calls it; `rule-<index>` if absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Which requests.
    #[serde(default)]
    pub when: Matcher,
    /// What happens to them.
    pub action: Action,
}

/// Which requests a rule is for. An absent member matches everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    /// HTTP method.
    pub method: Option<String>,
    /// Path; `*` stands for any text.
    pub path: Option<String>,
    /// Name of the node; the token endpoint has none.
    pub node: Option<String>,
    /// Ordinal of the access token.
    pub token: Option<u32>,
    /// From this many milliseconds after the start (or the last reset).
    pub from_ms: Option<u64>,
    /// Until before this many milliseconds after the start.
    pub until_ms: Option<u64>,
    /// Only the nth request that all of the above matches, counted from 1.
    pub nth: Option<u64>,
    /// Only this part of the requests, drawn under the seed.
    pub probability: Option<f64>,
    /// Only this often.
    pub uses: Option<u64>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Another answer.
    Status(OtherAnswer),
    /// Some elements of a batch get a status of their own; those that do not get a 2xx are not applied.
    ElementStatus(Vec<ElementStatus>),
    /// More (or, below 0, fewer) elements in the answer than in the request. All that were sent are applied.
    ElementCount {
        /// The difference.
        by: i64,
    },
    /// The right answer, late or dripping.
    Delay(Delay),
    /// The request is read and never answered. Nothing is applied.
    Hang,
    /// The connection is reset before the body is read.
    ResetBeforeRead,
    /// The request takes effect, then the connection is reset: the client cannot know.
    ResetAfterApply,
    /// The request takes effect, and the connection closes after half of the answer's body.
    ResetMidBody,
    /// The request takes effect, and the answer says `application/json` but is not what that promises.
    MalformedJson(Malformed),
    /// This status with an empty body and no content type. Takes effect if the status is a success.
    NoBody {
        /// The status.
        status: u16,
    },
    /// The right answer, as `text/plain`.
    WrongContentType,
    /// 429 for those above a rate; the others go on to the next rule.
    Throttle(Throttle),
    /// No connection is accepted while the rule's `from_ms` to `until_ms` lasts; requests on open connections are reset. The rest of
    /// `when` must be absent, since nothing is known of a request that is never made.
    Refuse,
}

/// Another answer than the request deserves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherAnswer {
    /// The status.
    pub status: u16,
    /// Headers to add or to replace.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: a text as it is, anything else as JSON. The usual error envelope if absent.
    #[serde(default)]
    pub body: Option<Value>,
    /// The header `Retry-After`.
    #[serde(default)]
    pub retry_after: RetryAfter,
    /// Whether the request takes effect all the same; by default if the status is a success.
    #[serde(default)]
    pub apply: Option<bool>,
}

/// The header `Retry-After`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// None.
    #[default]
    Absent,
    /// As seconds.
    Seconds(u64),
    /// As the date that is so many seconds ahead.
    DateInS(u64),
    /// Ten days.
    Absurd,
}

/// The status of one element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElementStatus {
    /// Which, counted from 0.
    pub index: usize,
    /// Its status.
    pub status: u16,
    /// Its message.
    #[serde(default)]
    pub message: String,
}

/// A slow answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delay {
    /// Before the first byte. The request has taken effect by then.
    pub before_ms: u64,
    /// Between headers and body, and between the body's pieces.
    pub between_ms: u64,
    /// In how many pieces the body goes out; 0 is like 1.
    pub pieces: u32,
}

/// How JSON can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// Ends in the middle.
    Cut,
    /// A number where an object belongs.
    WrongType,
    /// A page for humans.
    Html,
}

/// A token bucket, and a daily quota that starts again at 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Who shares a bucket.
    pub per: Sharer,
    /// Requests per minute in the long run.
    pub per_minute: u64,
    /// Requests at once; `per_minute` if absent.
    #[serde(default)]
    pub burst: Option<u64>,
    /// Requests per day.
    #[serde(default)]
    pub per_day: Option<u64>,
    /// What the 429 says about when to come again.
    #[serde(default)]
    pub retry_after: RetryAfter,
}

/// Who shares a bucket. Requests without a known token, those to the token endpoint among them, share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharer {
    /// All requests for one member.
    Member,
    /// All requests of one application.
    App,
}

/// What the rules may look at.
pub(super) struct Sight<'a> {
    pub(super) head: &'a Head,
    pub(super) node: Option<&'a str>,
    pub(super) token: Option<u32>,
    pub(super) member: Option<&'a str>,
    pub(super) app: Option<&'a str>,
    pub(super) now: u64,
    pub(super) start: u64,
}

/// The rules in force, and what they have done so far.
#[derive(Default)]
pub(super) struct Rules {
    list: Vec<Watch>,
    buckets: HashMap<(usize, String), Bucket>,
}

/// A rule and its counts.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Watch {
    #[serde(flatten)]
    rule: Rule,
    matched: u64,
    fired: u64,
}

impl Rules {
    /// These rules, with all counts at 0.
    pub(super) fn new(rules: &[Rule]) -> Result<Self, FieldError> {
        for (index, rule) in rules.iter().enumerate() {
            rule.check().map_err(|error| error.under(&format!("faults[{index}]")))?;
        }
        let list = rules.iter().map(|rule| Watch { rule: rule.clone(), matched: 0, fired: 0 }).collect();
        Ok(Self { list, buckets: HashMap::new() })
    }

    pub(super) fn list(&self) -> &[Watch] {
        &self.list
    }

    /// The rule that fires on this request: its name and its action.
    pub(super) fn fire(&mut self, seed: u64, sight: &Sight<'_>) -> Option<(String, Action)> {
        for (index, watch) in self.list.iter_mut().enumerate() {
            if !watch.rule.when.fits(sight) {
                continue;
            }
            watch.matched = watch.matched.saturating_add(1);
            if !watch.is_due(seed, index) {
                continue;
            }
            if let Action::Throttle(throttle) = &watch.rule.action {
                let key = throttle.per.key(sight).to_owned();
                if self.buckets.entry((index, key)).or_default().take(throttle, sight.now) {
                    continue;
                }
            }
            watch.fired = watch.fired.saturating_add(1);
            let name = watch.rule.name.clone().unwrap_or_else(|| format!("rule-{index}"));
            return Some((name, watch.rule.action.clone()));
        }
        None
    }

    /// The period of refused connections that lasts at `now` or comes next, in absolute time.
    pub(super) fn refusal(&self, start: u64, now: u64) -> Option<(u64, u64)> {
        let periods = self.list.iter().filter(|watch| watch.rule.action == Action::Refuse).map(|watch| {
            let from = start.saturating_add(watch.rule.when.from_ms.unwrap_or(0));
            (from, watch.rule.when.until_ms.map_or(u64::MAX, |until| start.saturating_add(until)))
        });
        periods.filter(|(_, until)| now < *until).min()
    }
}

impl Rule {
    fn check(&self) -> Result<(), FieldError> {
        let when = &self.when;
        if when.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err(FieldError::new("when.probability", "must be between 0 and 1"));
        }
        if when.nth == Some(0) {
            return Err(FieldError::new("when.nth", "counts from 1"));
        }
        let Matcher { from_ms, until_ms, .. } = *when;
        if self.action == Action::Refuse && *when != (Matcher { from_ms, until_ms, ..Matcher::default() }) {
            return Err(FieldError::new("when", "`refuse` takes `from_ms` and `until_ms` only"));
        }
        self.action.check().map_err(|error| error.under("action"))
    }
}

impl Action {
    fn check(&self) -> Result<(), FieldError> {
        // Below 200 HTTP would wait for another answer, so such a status is not one.
        let status = |field: &str, status: u16| match status {
            200..=599 => Ok(()),
            _ => Err(FieldError::new(field, "must be between 200 and 599")),
        };
        match self {
            Self::Status(other) => {
                let printable = |text: &String| text.bytes().all(|b| (b' '..=b'~').contains(&b));
                let token =
                    |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                match other.headers.iter().find(|(name, value)| !token(name) || !printable(value)) {
                    Some((name, _)) => Err(FieldError::new(format!("status.headers.{name}"), "is not a valid header")),
                    None => status("status.status", other.status),
                }
            }
            Self::NoBody { status: code } => status("no_body.status", *code),
            Self::ElementStatus(list) => list
                .iter()
                .enumerate()
                .try_for_each(|(index, element)| status(&format!("element_status[{index}].status"), element.status)),
            Self::Throttle(throttle) if throttle.burst == Some(0) => {
                Err(FieldError::new("throttle.burst", "must be at least 1, or nothing would ever pass"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the request takes effect under this action, were it to succeed.
    pub(super) fn lets_apply(&self) -> bool {
        let success = |status: u16| (200..300).contains(&status);
        match self {
            Self::Status(other) => other.apply.unwrap_or(success(other.status)),
            Self::NoBody { status } => success(*status),
            Self::Hang | Self::ResetBeforeRead | Self::Throttle(_) | Self::Refuse => false,
            Self::ElementStatus(_)
            | Self::ElementCount { .. }
            | Self::Delay(_)
            | Self::ResetAfterApply
            | Self::ResetMidBody
            | Self::MalformedJson(_)
            | Self::WrongContentType => true,
        }
    }
}

impl Matcher {
    fn fits(&self, sight: &Sight<'_>) -> bool {
        let since = sight.now.saturating_sub(sight.start);
        self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&sight.head.method))
            && self.path.as_ref().is_none_or(|pattern| glob(pattern, &sight.head.path))
            && self.node.as_ref().is_none_or(|node| sight.node == Some(node))
            && self.token.is_none_or(|token| sight.token == Some(token))
            && self.from_ms.is_none_or(|from| from <= since)
            && self.until_ms.is_none_or(|until| since < until)
    }
}

impl Watch {
    fn is_due(&self, seed: u64, index: usize) -> bool {
        let when = &self.rule.when;
        let drawn = || draw(seed, &[purpose::RULE, u64::try_from(index).unwrap_or(u64::MAX), self.matched]);
        when.nth.is_none_or(|nth| nth == self.matched)
            && when.uses.is_none_or(|uses| self.fired < uses)
            && when.probability.is_none_or(|probability| happens(probability, drawn()))
    }
}

impl Sharer {
    fn key<'a>(self, sight: &Sight<'a>) -> &'a str {
        match self {
            Self::Member => sight.member.unwrap_or_default(),
            Self::App => sight.app.unwrap_or_default(),
        }
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            rest.is_empty()
                || tail.char_indices().any(|(at, _)| glob(rest, tail.get(at..).unwrap_or_default()))
                || glob(rest, "")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(glob("/rest/*", "/rest/conversionEvents") && glob("/rest/*", "/rest/"));
        assert!(glob("*/users", "/rest/dmpSegments/1/users") && glob("*", ""));
        assert!(glob("/a*c*e", "/abcde") && !glob("/a*c*e", "/abcd"));
        assert!(!glob("/rest/me", "/rest/men") && !glob("/rest/me*x", "/rest/me"));
    }
}
