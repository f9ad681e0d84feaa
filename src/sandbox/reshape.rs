//! What a fault makes of an answer.

use super::faults::{Action, ElementStatus, Malformed, OtherAnswer, RetryAfter};
use super::wire::{Answer, Ending, Pace};
use bytes::Bytes;
use serde_json::{Value, json};

/// An answer as it goes out.
pub(super) struct Shaped {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) pace: Pace,
    pub(super) ending: Ending,
}

/// The answer that stands in for the one that a request deserves; `None` where the action works on that one.
pub(super) fn instead(action: &Action, now: u64) -> Option<Answer> {
    match action {
        Action::Status(other) => Some(other_answer(other, now)),
        Action::NoBody { status } => Some(Answer::empty(*status)),
        Action::Throttle(throttle) => {
            let mut answer = too_many();
            answer.headers.extend(retry_after(throttle.retry_after, now));
            Some(answer)
        }
        _ => None,
    }
}

/// The statuses that a rule gives to elements before they are applied.
pub(super) fn element_statuses(action: Option<&Action>) -> &[ElementStatus] {
    match action {
        Some(Action::ElementStatus(list)) => list,
        _ => &[],
    }
}

/// Writes the answer out, bent by the action.
pub(super) fn shape(answer: Answer, action: Option<&Action>) -> Shaped {
    let Answer { status, mut headers, mut body, .. } = answer;
    if let (Some(Action::ElementCount { by }), Some(body)) = (action, &mut body) {
        resize(body, *by);
    }
    let text = match (&body, action) {
        (None, _) => Bytes::new(),
        (Some(Value::String(text)), Some(Action::Status(_))) => Bytes::from(text.clone()),
        (Some(body), _) => Bytes::from(body.to_string()),
    };
    let text = match action {
        Some(Action::MalformedJson(how)) => malformed(*how, &text),
        _ => text,
    };
    let is_json = body.is_some() || matches!(action, Some(Action::MalformedJson(_)));
    if is_json && !headers.iter().any(|(name, _)| name == "content-type") {
        let plain = matches!(action, Some(Action::WrongContentType));
        let kind = if plain { "text/plain" } else { "application/json" };
        headers.push(("content-type".into(), kind.into()));
    }
    let (pace, ending) = manner(action, text.len());
    Shaped { status, headers, body: text, pace, ending }
}

fn manner(action: Option<&Action>, length: usize) -> (Pace, Ending) {
    match action {
        Some(Action::Delay(delay)) => {
            let pace = Pace { before_ms: delay.before_ms, between_ms: delay.between_ms, pieces: delay.pieces };
            (pace, Ending::Whole)
        }
        Some(Action::Hang) => (Pace::default(), Ending::Hang),
        Some(Action::ResetBeforeRead | Action::ResetAfterApply | Action::Refuse) => (Pace::default(), Ending::Reset),
        // An empty body has no half; the client still must not take the answer for whole.
        Some(Action::ResetMidBody) if length == 0 => (Pace::default(), Ending::Reset),
        Some(Action::ResetMidBody) => (Pace::default(), Ending::Cut(length / 2)),
        _ => (Pace::default(), Ending::Whole),
    }
}

fn other_answer(other: &OtherAnswer, now: u64) -> Answer {
    let usual = if other.status == 429 {
        too_many()
    } else {
        Answer::json(other.status, json!({"status": other.status, "message": "The sandbox was told to answer this"}))
    };
    let mut answer = Answer { status: other.status, body: other.body.clone().or(usual.body), ..Answer::empty(200) };
    answer.headers = other.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    let typed = answer.headers.iter().any(|(name, _)| name == "content-type");
    if matches!(answer.body, Some(Value::String(_))) && !typed {
        answer.headers.push(("content-type".into(), "text/plain".into()));
    }
    answer.headers.extend(retry_after(other.retry_after, now));
    answer
}

fn too_many() -> Answer {
    let message = "Resource level throttle limit for calls to this resource is reached.";
    Answer::service_error(429, 101, "TOO_MANY_REQUESTS", message)
}

fn retry_after(when: RetryAfter, now: u64) -> Option<(String, String)> {
    let value = match when {
        RetryAfter::Absent => return None,
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Absurd => "864000".to_owned(),
        RetryAfter::DateInS(seconds) => http_date(now.saturating_add(seconds.saturating_mul(1000)))?,
    };
    Some(("retry-after".into(), value))
}

fn http_date(ms: u64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

fn resize(body: &mut Value, by: i64) {
    let list = if body.get("results").is_some_and(Value::is_array) { "results" } else { "elements" };
    let Some(elements) = body.get_mut(list).and_then(Value::as_array_mut) else { return };
    let change = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX);
    let length = elements.len();
    match by {
        // A hundred more is as wrong as a billion, and does not fill the memory.
        0.. => elements.resize(length.saturating_add(change.min(100)), json!({"status": 201})),
        _ => elements.truncate(length.saturating_sub(change)),
    }
}

fn malformed(how: Malformed, text: &Bytes) -> Bytes {
    match how {
        Malformed::Cut if text.len() > 1 => text.slice(..text.len() / 2),
        Malformed::Cut => Bytes::from_static(b"{\"elements\":[{\"sta"),
        Malformed::WrongType => Bytes::from_static(b"42"),
        Malformed::Html => Bytes::from_static(b"<!DOCTYPE html><html><body>Something went wrong</body></html>"),
    }
}
