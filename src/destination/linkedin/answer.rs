//! What LinkedIn's answers mean, for a request and for each element of one.

use std::collections::BTreeMap;

use outlast_state::{Load, Receipt, Span, Verdict, Why};
use serde_json::Value;

use super::conversions::Form;
use crate::destination::Conclusion;
use crate::exchange::Answer;

/// `Retry-After` is believed up to here, then the answer is asked for again.
const RETRY_AFTER_MOST: Span = Span::from_secs(15 * 60);
/// How long to wait for an operator who has to raise the version.
const SUNSET_WAIT: Span = Span::from_secs(15 * 60);
/// How long to wait for a permission. LinkedIn may remember a token's permissions for five minutes.
const PERMISSION_WAIT: Span = Span::from_secs(60);
/// The most characters of LinkedIn's words that are kept.
const WORDS_MOST: usize = 200;

/// One conclusion for each of the `sent` conversions, in their order.
///
/// `compat` is the reference's reading: the status of the whole holds for each element.
pub(super) fn read(answer: &Answer, form: Form, sent: usize, compat: bool) -> Vec<Conclusion> {
    let elements_count = form == Form::Batch && !compat;
    let body = answer.json();
    match answer.status {
        200..=299 if elements_count => elements(answer, body.as_ref(), sent),
        422 if sent > 1 => named(answer, body.as_ref(), sent).unwrap_or_else(|| whole(answer, body.as_ref(), sent)),
        _ => whole(answer, body.as_ref(), sent),
    }
}

/// The same conclusion for all.
fn whole(answer: &Answer, body: Option<&Value>, sent: usize) -> Vec<Conclusion> {
    let verdict = match answer.status {
        // One of many may be at fault, or the size. Halves find out which.
        400 | 413 | 422 if sent > 1 => Verdict::Split,
        status => verdict(status, answer.retry_after(RETRY_AFTER_MOST)),
    };
    let words = body.and_then(message);
    vec![conclusion(verdict, answer.status, words, answer); sent]
}

/// Each element's own status, which stands at its conversion's position.
fn elements(answer: &Answer, body: Option<&Value>, sent: usize) -> Vec<Conclusion> {
    let none = Vec::new();
    let elements = body.and_then(|body| body.get("elements")).and_then(Value::as_array).unwrap_or(&none);
    (0..sent).map(|position| element(answer, elements.get(position))).collect()
}

fn element(answer: &Answer, element: Option<&Value>) -> Conclusion {
    let error = element.and_then(|element| element.get("error"));
    let status = [element, error].into_iter().flatten().find_map(|part| status(part.get("status")?));
    let words = error.and_then(message).or_else(|| element.and_then(message));
    match status {
        Some(status) => conclusion(verdict(status, answer.retry_after(RETRY_AFTER_MOST)), status, words, answer),
        // `eventId` makes it safe to send again.
        None => {
            let (status, trace) = (answer.status, trace(answer));
            let detail = format!("LinkedIn answered {status} without a result for this conversion.{trace}");
            Conclusion::new(Verdict::Unknown, detail)
        }
    }
}

/// LinkedIn refused the batch and named the members at fault, as lines of `Index: <n>, ERROR :: <text>`. The others were not
/// applied: one bad member fails the request.
///
/// `None` when it names none of the members. At least one is refused for good, so sending the others again, which spends no
/// budget, ends.
fn named(answer: &Answer, body: Option<&Value>, sent: usize) -> Option<Vec<Conclusion>> {
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
        Some(words) => conclusion(rejected, answer.status, Some(words), answer),
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
fn verdict(status: u16, asked: Option<Span>) -> Verdict {
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

fn conclusion(verdict: Verdict, status: u16, words: Option<&str>, answer: &Answer) -> Conclusion {
    if matches!(verdict, Verdict::Accepted { .. }) {
        return Conclusion::new(verdict, "");
    }
    let words = words.map(clean).filter(|words| !words.is_empty());
    let said = words.map_or_else(String::new, |words| format!(": {words}"));
    let detail = format!("LinkedIn answered {status}{said}{}{}", trace(answer), advice(status, verdict));
    Conclusion::new(verdict, detail)
}

/// What the operator does about it.
fn advice(status: u16, verdict: Verdict) -> &'static str {
    match (status, verdict) {
        (426, _) => ". Raise the setting `version` to one that LinkedIn lists as active",
        (403, _) => {
            ". The grant needs the scopes r_ads and rw_conversions and a role on the ad account that may manage campaigns"
        }
        (404, _) => ". Check the settings `rule` and `api`",
        (300..=399, _) => ". Redirects are not followed; check the setting `api`",
        (413, Verdict::Refused { .. }) => ". The event is too large; shorten its mapped fields",
        _ => "",
    }
}

/// The name that LinkedIn's support knows the request by.
fn trace(answer: &Answer) -> String {
    answer.header("x-li-uuid").map(clean).map_or_else(String::new, |uuid| format!(" (x-li-uuid {uuid})"))
}

fn message(part: &Value) -> Option<&str> {
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
fn clean(words: &str) -> String {
    let line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MOST).collect();
    line.trim().to_owned()
}
