//! The conversation as the reference leads it, its mistakes included: for comparing.

use std::ops::ControlFlow::{self, Break, Continue};

use outlast_state::{Load, Span, Verdict, Why};
use serde_json::Value;

use super::Audiences;
use super::plan::{Step, accepted};
use super::segment::{self, DAY, Kind, Segment};
use crate::destination::linkedin::answer::{self, host_verdict, listed, message, status_of, words_of};
use crate::destination::{Conclusion, Conversation, Memo};
use crate::exchange::Answer;

/// The reference keeps the id of a user segment that it made for ever. Nothing is kept in mind for longer than this.
const EVER: Span = Span::from_secs(30 * 86_400);
/// What it says of any answer to a stream of people but 200.
const USERS_FAILED: &str = "Error while attempting to update LinkedIn DMP Segment. This batch will be retried.";
const NO_ID: &str = "LinkedIn did not return an id for the newly created Company Audience.";
const NO_RESULT: &str = "LinkedIn did not return a result for this company.";

pub(super) fn step(
    audiences: &Audiences,
    segment: &Segment,
    elements: &[Value],
    conversation: &Conversation<'_>,
) -> Step {
    let mut answers = conversation.so_far.iter().map(|exchange| &exchange.answer);
    let known = conversation.memory.get(&segment.memory_key(audiences)).map(str::to_owned);
    let id = match known.map_or_else(|| find(audiences, segment, &mut answers), Continue) {
        Continue(id) => id,
        Break(step) => return step,
    };
    if elements.is_empty() {
        return Step::All(accepted(200));
    }
    let Some(streamed) = answers.next() else { return Step::Ask(segment.stream(audiences, &id, elements)) };
    match segment.kind {
        Kind::Users => Step::All(users(streamed)),
        Kind::Companies => companies(streamed, elements.len(), audiences.batching.items == 1),
    }
}

fn find<'a>(
    audiences: &Audiences,
    segment: &Segment,
    answers: &mut impl Iterator<Item = &'a Answer>,
) -> ControlFlow<Step, String> {
    let Some(looked) = answers.next() else { return Break(Step::Ask(segment.look_up(audiences))) };
    match found(looked, segment.kind) {
        Err(conclusion) => return Break(Step::All(conclusion)),
        Ok(Some(id)) => return Continue(id),
        Ok(None) => {}
    }
    let Some(answer) = answers.next() else { return Break(Step::Ask(segment.create(audiences))) };
    match made(answer, segment.kind) {
        Err(conclusion) => Break(Step::All(conclusion)),
        // The reference does not notice (Q12).
        Ok(id) => Continue(id.unwrap_or_else(|| "undefined".into())),
    }
}

pub(super) fn remember(audiences: &Audiences, segment: &Segment, conversation: &Conversation<'_>) -> Option<Memo> {
    let key = segment.memory_key(audiences);
    if conversation.memory.get(&key).is_some() {
        return None;
    }
    let mut answers = conversation.so_far.iter().map(|exchange| &exchange.answer);
    if let Some(id) = found(answers.next()?, segment.kind).ok()? {
        return Some(Memo::keep(key, id, DAY));
    }
    let id = made(answers.next()?, segment.kind).ok()??;
    Some(Memo::keep(key, id, if segment.kind == Kind::Users { EVER } else { DAY }))
}

fn found(answer: &Answer, kind: Kind) -> Result<Option<String>, Conclusion> {
    match kind {
        _ if answer.is_success() => segment::found(answer, (kind == Kind::Companies).then_some(kind)),
        Kind::Users => Err(http_error(answer)),
        Kind::Companies => Err(company(answer.status, answer.json().as_ref().and_then(message), answer)),
    }
}

fn made(answer: &Answer, kind: Kind) -> Result<Option<String>, Conclusion> {
    match kind {
        Kind::Users if answer.is_success() => Ok(segment::made(answer, &["x-linkedin-id"])),
        Kind::Companies if answer.is_success() => {
            let id = segment::made(answer, &["x-restli-id"]);
            id.map(Some).ok_or_else(|| Conclusion::failing(NO_ID).code("CREATE_SEGMENT_FAILURE"))
        }
        Kind::Users => Err(http_error(answer)),
        Kind::Companies => Err(company(answer.status, answer.json().as_ref().and_then(message), answer)),
    }
}

fn users(streamed: &Answer) -> Conclusion {
    match streamed.status {
        200 => accepted(200),
        401 => Conclusion::new(Verdict::TokenRefused, "Unauthorized"),
        _ => Conclusion::failing(USERS_FAILED),
    }
}

fn companies(streamed: &Answer, sent: usize, single: bool) -> Step {
    let body = streamed.json();
    if !streamed.is_success() {
        return Step::All(company(streamed.status, body.as_ref().and_then(message), streamed));
    }
    let results = listed(body.as_ref());
    let read = |position: usize| {
        let element = results.get(position);
        let status = element.and_then(status_of).unwrap_or(400);
        let words = element.and_then(words_of);
        match status {
            200..=299 => accepted(status),
            _ if single => company(status, words, streamed),
            _ => Conclusion::new(host_verdict(status, streamed), words.unwrap_or(NO_RESULT)),
        }
    };
    Step::Each((0..sent).map(read).collect())
}

/// The table for look-ups, creations and streams of companies.
fn company(status: u16, words: Option<&str>, answer: &Answer) -> Conclusion {
    let said = words.map_or_else(String::new, |words| format!(" LinkedIn returned: {}", answer::clean(words)));
    let throttled = Verdict::Busy { after: Span::ZERO, load: Load::Throttled };
    match status {
        401 => Conclusion::new(Verdict::TokenRefused, "Unauthorized"),
        404 => Conclusion::new(
            throttled,
            "LinkedIn DMP Company Segment is not available yet. It may have just been created. This event will be retried.",
        ),
        409 => Conclusion::new(
            throttled,
            "Conflict while syncing to the LinkedIn DMP Company Segment. This event will be retried.",
        ),
        408 | 423 | 429 | 500 | 502..=504 => Conclusion::new(
            host_verdict(status, answer),
            format!(
                "Transient error while syncing to the LinkedIn DMP Company Segment. This event will be retried.{said}"
            ),
        ),
        _ => Conclusion::new(
            Verdict::Refused { why: Why::Rejected { status } },
            format!("Failed to update LinkedIn DMP Company Segment. LinkedIn returned status {status}.{said}"),
        ),
    }
}

fn http_error(answer: &Answer) -> Conclusion {
    Conclusion::new(host_verdict(answer.status, answer), format!("LinkedIn answered {}", answer.status))
}
