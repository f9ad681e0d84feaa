//! What LinkedIn's answers mean, for a request and for each element of one.

use std::collections::BTreeMap;

use outlast_state::{Load, Receipt, Span, Verdict, Why};
use serde_json::Value;

use crate::destination::Conclusion;
use crate::exchange::Answer;
use crate::taxonomy::RESULT_MISSING;

/// `Retry-After` is believed up to here, then the answer is asked for again.
const RETRY_AFTER_MOST: Span = Span::from_secs(15 * 60);
/// How long to wait for an operator who has to raise the version.
const SUNSET_WAIT: Span = Span::from_secs(15 * 60);
/// How long to wait for a permission. LinkedIn may remember a token's permissions for five minutes.
const PERMISSION_WAIT: Span = Span::from_secs(60);
/// The most characters of LinkedIn's words that are kept.
const WORDS_MOST: usize = 200;

/// What an answer is about, for the words that people read.
pub(super) struct Subject {
    /// One of them.
    pub(super) name: &'static str,
    /// What a missing permission asks for.
    pub(super) forbidden: &'static str,
    /// Where to look when the provider does not know it.
    pub(super) unknown: &'static str,
}

/// A conversion.
pub(super) const CONVERSION: Subject = Subject {
    name: "conversion",
    forbidden: "The grant needs the scopes r_ads and rw_conversions and a role on the ad account that may manage campaigns",
    unknown: "Check the settings `rule` and `api`",
};
/// A member of a user audience.
pub(super) const MEMBER: Subject = Subject { name: "member", ..SEGMENT };
/// A company of a company audience.
pub(super) const COMPANY: Subject = Subject { name: "company", ..SEGMENT };
/// An audience.
pub(super) const SEGMENT: Subject = Subject {
    name: "segment",
    forbidden: "The grant needs the scope rw_dmp_segments and a role on the ad account other than VIEWER",
    unknown: "Check the settings `ad_account_id` and `api`",
};

/// One conclusion for each of the `sent` elements, in their order, by its own result.
pub(super) fn each(answer: &Answer, sent: usize, subject: &Subject) -> Vec<Conclusion> {
    let body = answer.json();
    match answer.status {
        200..=299 => elements(answer, body.as_ref(), sent, subject),
        _ => alike(answer, sent, subject),
    }
}

/// One conclusion for each of the `sent` elements, by the status of the whole.
pub(super) fn alike(answer: &Answer, sent: usize, subject: &Subject) -> Vec<Conclusion> {
    let body = answer.json();
    let fallback = || whole(answer, body.as_ref(), sent, subject);
    match answer.status {
        422 if sent > 1 => named(answer, body.as_ref(), sent, subject).unwrap_or_else(fallback),
        _ => fallback(),
    }
}

/// The same as the reference's host reads it: the status of the whole, in which nothing is at fault alone.
pub(super) fn host(answer: &Answer, sent: usize, subject: &Subject) -> Vec<Conclusion> {
    let body = answer.json();
    let verdict = host_verdict(answer.status, answer);
    vec![conclusion(verdict, answer.status, body.as_ref().and_then(message), answer, subject); sent]
}

/// Which statuses the reference's host sends again.
pub(super) fn host_verdict(status: u16, answer: &Answer) -> Verdict {
    match status {
        403 | 426 => Verdict::Refused { why: Why::Rejected { status } },
        _ => verdict(status, retry_after(answer)),
    }
}

/// What the answer means for a request that cannot be made smaller.
pub(super) fn one(answer: &Answer, subject: &Subject) -> Conclusion {
    let body = answer.json();
    let verdict = verdict(answer.status, retry_after(answer));
    conclusion(verdict, answer.status, body.as_ref().and_then(message), answer, subject)
}

/// How long the answer asks to wait.
pub(super) fn retry_after(answer: &Answer) -> Option<Span> {
    answer.retry_after(RETRY_AFTER_MOST)
}

/// The same conclusion for all.
fn whole(answer: &Answer, body: Option<&Value>, sent: usize, subject: &Subject) -> Vec<Conclusion> {
    let verdict = match answer.status {
        // One of many may be at fault, or the size. Halves find out which.
        400 | 413 | 422 if sent > 1 => Verdict::Split,
        status => verdict(status, retry_after(answer)),
    };
    let words = body.and_then(message);
    vec![conclusion(verdict, answer.status, words, answer, subject); sent]
}

/// Each element's own status, which stands at its conversion's position.
fn elements(answer: &Answer, body: Option<&Value>, sent: usize, subject: &Subject) -> Vec<Conclusion> {
    let found = listed(body);
    (0..sent).map(|position| element(answer, found.get(position), subject)).collect()
}

/// The results of the elements, if there are any.
pub(super) fn listed(body: Option<&Value>) -> &[Value] {
    body.and_then(|body| body.get("elements")).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn element(answer: &Answer, element: Option<&Value>, subject: &Subject) -> Conclusion {
    let words = element.and_then(words_of);
    if let Some(status) = element.and_then(status_of) {
        return conclusion(verdict(status, retry_after(answer)), status, words, answer, subject);
    }
    // All that is streamed may be sent again: conversions have an `eventId`, and members are in an audience or not.
    let (status, name, trace) = (answer.status, subject.name, trace(answer));
    let detail = format!("LinkedIn answered {status} without a result for this {name}.{trace}");
    Conclusion::new(Verdict::Unknown, detail).code(RESULT_MISSING)
}

/// The status of an element's result, which may stand in its error.
pub(super) fn status_of(element: &Value) -> Option<u16> {
    [Some(element), element.get("error")].into_iter().flatten().find_map(|part| status(part.get("status")?))
}

/// LinkedIn's words on an element.
pub(super) fn words_of(element: &Value) -> Option<&str> {
    element.get("error").and_then(message).or_else(|| message(element))
}

/// LinkedIn refused the batch and named the members at fault, as lines of `Index: <n>, ERROR :: <text>`. The others were not
/// applied: one bad member fails the request.
///
/// `None` when it names none of the members. At least one is refused for good, so sending the others again, which spends no
/// budget, ends.
fn named(answer: &Answer, body: Option<&Value>, sent: usize, subject: &Subject) -> Option<Vec<Conclusion>> {
    let raw = String::from_utf8_lossy(&answer.body);
    let text = body.and_then(message).unwrap_or(&raw);
    let faults: BTreeMap<usize, &str> = text.lines().filter_map(fault).filter(|(index, _)| *index < sent).collect();
    if faults.is_empty() {
        return None;
    }
    let rejected = Verdict::Refused { why: Why::Rejected { status: answer.status } };
    let others = Conclusion::new(
        Verdict::NotYet { after: Span::ZERO },
        format!("LinkedIn refused the batch for {} of its other members; sent again.", faults.len()),
    );
    let conclude = |position| match faults.get(&position) {
        Some(words) => conclusion(rejected, answer.status, Some(words), answer, subject),
        None => others.clone(),
    };
    Some((0..sent).map(conclude).collect())
}

fn fault(line: &str) -> Option<(usize, &str)> {
    let (_, rest) = line.split_once("Index:")?;
    let (index, rest) = rest.split_once(',')?;
    let (_, words) = rest.split_once("ERROR ::")?;
    Some((index.trim().parse().ok()?, words.trim()))
}

/// The table: a status of an answer, or of an element in one.
pub(super) fn verdict(status: u16, asked: Option<Span>) -> Verdict {
    let after = asked.unwrap_or(Span::ZERO);
    match status {
        200..=299 => Verdict::Accepted { receipt: Receipt { status } },
        401 => Verdict::TokenRefused,
        429 => Verdict::Busy { after, load: Load::Throttled },
        // The whole credential waits for the operator, and no delivery pays for it.
        426 => Verdict::Busy { after: SUNSET_WAIT, load: Load::Throttled },
        // A permission that was just granted may take minutes to be seen. One that is missing never is, so this spends budget.
        403 => Verdict::Busy { after: after.max(PERMISSION_WAIT), load: Load::Failing },
        408 | 423 | 500 | 502..=599 => Verdict::Busy { after, load: Load::Failing },
        300..=499 | 501 => Verdict::Refused { why: Why::Rejected { status } },
        _ => Verdict::Unknown,
    }
}

fn conclusion(verdict: Verdict, status: u16, words: Option<&str>, answer: &Answer, subject: &Subject) -> Conclusion {
    if matches!(verdict, Verdict::Accepted { .. }) {
        return Conclusion::new(verdict, "");
    }
    let words = words.map(clean).filter(|words| !words.is_empty());
    let said = words.map_or_else(String::new, |words| format!(": {words}"));
    let advice = advice(status, verdict, subject).map_or_else(String::new, |advice| format!(". {advice}"));
    let detail = format!("LinkedIn answered {status}{said}{}{advice}", trace(answer));
    Conclusion::new(verdict, detail)
}

/// What the operator does about it.
fn advice(status: u16, verdict: Verdict, subject: &Subject) -> Option<&'static str> {
    match (status, verdict) {
        (426, _) => Some("Raise the setting `version` to one that LinkedIn lists as active"),
        (403, _) => Some(subject.forbidden),
        (404, _) => Some(subject.unknown),
        (300..=399, _) => Some("Redirects are not followed; check the setting `api`"),
        (413, Verdict::Refused { .. }) => Some("The event is too large; shorten its mapped fields"),
        _ => None,
    }
}

/// The name that LinkedIn's support knows the request by.
pub(super) fn trace(answer: &Answer) -> String {
    answer.header("x-li-uuid").map(clean).map_or_else(String::new, |uuid| format!(" (x-li-uuid {uuid})"))
}

pub(super) fn message(part: &Value) -> Option<&str> {
    part.get("message").and_then(Value::as_str)
}

fn status(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|status| u16::try_from(status).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Someone else's words, made fit for a line: without control characters, cut.
pub(super) fn clean(words: &str) -> String {
    let line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MOST).collect();
    line.trim().to_owned()
}
