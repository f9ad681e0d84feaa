//! The conversation: the segment is known, found or made, and then streamed to.

use std::ops::ControlFlow::{self, Break, Continue};

use outlast_state::{Load, Span, Time, Verdict};
use serde_json::Value;

use super::Audiences;
use super::plan::Step;
use super::segment::{self, Known, Segment};
use crate::destination::linkedin::answer::{self, SEGMENT};
use crate::destination::{Conclusion, Conversation, Memo};
use crate::exchange::Answer;
use crate::taxonomy::RESOURCE_NOT_READY;

/// LinkedIn wants to be left alone with a new segment for so long.
const SETTLE: Span = Span::from_secs(5);
/// A segment that was made within this time may not be there for all of LinkedIn.
const WINDOW: Span = Span::from_secs(600);
/// The longest wait between two looks at a new segment.
const PATIENCE: Span = Span::from_secs(60);
/// Who lost the race to make a segment looks it up again after this long.
const RACE: Span = Span::from_secs(2);
/// Where a new segment's id stands, the better known first (Q12).
const IDS: [&str; 2] = ["x-restli-id", "x-linkedin-id"];

pub(super) fn step(
    audiences: &Audiences,
    segment: &Segment,
    elements: &[Value],
    conversation: &Conversation<'_>,
) -> Step {
    let known = Known::read(conversation.memory.get(&segment.memory_key(audiences)));
    let mut answers = conversation.so_far.iter().map(|exchange| &exchange.answer);
    let id = match known.id.clone().map_or_else(|| find(audiences, segment, &known, &mut answers), Continue) {
        Continue(id) => id,
        Break(step) => return step,
    };
    if let Some(wait) = settling(&known, conversation.began) {
        return Step::All(wait);
    }
    match answers.next() {
        None => Step::Ask(segment.stream(audiences, &id, elements)),
        Some(streamed) => streamed_to(streamed, segment, &id, &known, elements.len()),
    }
}

/// The id of a segment that is there; else the conversation is about that.
fn find<'a>(
    audiences: &Audiences,
    segment: &Segment,
    known: &Known,
    answers: &mut impl Iterator<Item = &'a Answer>,
) -> ControlFlow<Step, String> {
    let Some(looked) = answers.next() else { return Break(Step::Ask(segment.look_up(audiences))) };
    match found(looked, segment) {
        Err(conclusion) => return Break(Step::All(conclusion)),
        Ok(Some(id)) => return Continue(id),
        Ok(None) => {}
    }
    if let Some(wait) = unseen(known, looked.received) {
        return Break(Step::All(wait));
    }
    Break(match answers.next() {
        None => Step::Ask(segment.create(audiences)),
        Some(made) => Step::All(created(made, known)),
    })
}

/// What is kept in mind: the id, for a day, and when the segment was made. An id that is not there is forgotten (Q18).
pub(super) fn remember(audiences: &Audiences, segment: &Segment, conversation: &Conversation<'_>) -> Option<Memo> {
    let key = segment.memory_key(audiences);
    let known = Known::read(conversation.memory.get(&key));
    let mut so_far = conversation.so_far.iter();
    if known.id.is_some() {
        let streamed = &so_far.next()?.answer;
        let stale = streamed.status == 404 && !is_new(&known, streamed.received);
        return stale.then(|| Memo::forget(key));
    }
    let id = found(&so_far.next()?.answer, segment).ok()?;
    let second = so_far.next().map(|exchange| &exchange.answer);
    let Some(id) = id else {
        let made = second?;
        let unseen = made.status == 409 || made.is_success();
        let id = made.is_success().then(|| segment::made(made, &IDS)).flatten();
        // A moment that is known already stays: else the wait for what never comes would spend nothing for ever.
        let since = if id.is_some() { Some(made.received) } else { known.since.or(Some(made.received)) };
        return unseen.then(|| Known { id, since }.memo(key));
    };
    let gone = second.is_some_and(|streamed| streamed.status == 404 && !is_new(&known, streamed.received));
    (!gone).then(|| Known { id: Some(id), since: known.since }.memo(key))
}

fn found(answer: &Answer, segment: &Segment) -> Result<Option<String>, Conclusion> {
    // Other types have the same key: the reference took the first, whatever it was (Q11).
    if answer.is_success() { segment::found(answer, Some(segment.kind)) } else { Err(answer::one(answer, &SEGMENT)) }
}

fn is_new(known: &Known, now: Time) -> bool {
    known.since.is_some_and(|since| now.since(since) < WINDOW)
}

/// It was made a moment ago, and the look-up does not show it yet. Made again, there would be two.
fn unseen(known: &Known, now: Time) -> Option<Conclusion> {
    let since = known.since.filter(|_| is_new(known, now))?;
    Some(not_yet(patience(since, now), "The segment was made a moment ago, and the look-up does not show it yet."))
}

fn settling(known: &Known, began: Time) -> Option<Conclusion> {
    let left = SETTLE.as_millis().saturating_sub(began.since(known.since?).as_millis());
    let wait =
        || not_yet(Span::from_millis(left), "The segment was made a moment ago; LinkedIn is left alone with it.");
    (left > 0).then(wait)
}

fn created(made: &Answer, known: &Known) -> Conclusion {
    let again = |wait, detail: &str| match known.since {
        None => not_yet(wait, detail),
        // The same happened before, and waiting did not help.
        Some(_) => Conclusion::failing(format!("{detail} This goes on for longer than it should.")),
    };
    match made.status {
        200..=299 if segment::made(made, &IDS).is_some() => {
            not_yet(SETTLE, "The segment was made; LinkedIn is left alone with it for a moment.")
        }
        200..=299 => again(SETTLE, "LinkedIn made the segment without saying its id; looked up again."),
        409 => again(RACE, "Somebody else made the segment at the same time; looked up again."),
        _ => answer::one(made, &SEGMENT),
    }
}

fn streamed_to(streamed: &Answer, segment: &Segment, id: &str, known: &Known, sent: usize) -> Step {
    match (streamed.status, known.since) {
        (404, Some(since)) if is_new(known, streamed.received) => {
            let wait = patience(since, streamed.received);
            Step::All(not_yet(wait, "The segment was made a moment ago, and is not ready yet."))
        }
        (404, _) => Step::All(Conclusion::new(
            Verdict::Busy { after: PATIENCE, load: Load::Failing },
            format!(
                "LinkedIn answered 404: segment {id} is not there{}. It is looked up again, and made if need be.",
                answer::trace(streamed)
            ),
        )),
        (409, _) => Step::All(Conclusion::failing("LinkedIn answered 409: the segment is being changed; sent again.")),
        _ => Step::Each(answer::each(streamed, sent, segment.kind.subject())),
    }
}

/// A new segment is looked at after as long as it exists, within bounds: soon at first, then seldom.
fn patience(since: Time, now: Time) -> Span {
    now.since(since).max(SETTLE).min(PATIENCE)
}

fn not_yet(after: Span, detail: &str) -> Conclusion {
    Conclusion::new(Verdict::NotYet { after }, detail).code(RESOURCE_NOT_READY)
}
