//! What an answer means: the rows that are declared, then the table of statuses.

use outlast_state::{Load, Receipt, Span, Time, Verdict, Why};
use serde_json::Value;

use super::{Declared, Means, Results, Row};
use crate::destination::Conclusion;
use crate::exchange::{Answer, wait_in};
use crate::taxonomy::{
    self, BATCH_SPLIT, DESTINATION_FAILING, DESTINATION_THROTTLED, LONGEST_RETRY_AFTER, RESOURCE_NOT_READY,
    RESULT_MISSING, Sent, TOKEN_REFUSED,
};

/// The most characters of the provider's words that are kept.
const WORDS_MOST: usize = 200;

/// What is read: an answer, or an element of one.
struct Seen<'a> {
    status: u16,
    content: Option<&'a Value>,
    /// How many items it is about.
    items: usize,
    /// How long the provider asks to wait.
    wait: Span,
    /// What it says to people.
    words: String,
}

impl Declared {
    /// One conclusion for each of the `items`.
    pub(super) fn read(&self, answer: &Answer, items: usize) -> Vec<Conclusion> {
        let body = answer.json();
        let content = body.as_ref();
        let (wait, words) = (self.wait(answer, content), self.words(content, self.message.as_deref()));
        let seen = Seen { status: answer.status, content, items, wait, words };
        let row = row(&self.answers, &seen);
        let results = self.batch.as_ref().and_then(|batch| batch.results.as_ref());
        let conclusion = self.conclude(&seen, row);
        match (row, conclusion.verdict, results) {
            (None, Verdict::Accepted { .. }, Some(results)) => self.elements(&seen, results),
            _ => vec![conclusion; items],
        }
    }

    fn elements(&self, whole: &Seen<'_>, results: &Results) -> Vec<Conclusion> {
        let list = whole.content.and_then(|body| body.pointer(&results.list)).and_then(Value::as_array);
        match list {
            Some(list) if list.len() == whole.items => {
                list.iter().map(|element| self.element(whole, results, element)).collect()
            }
            // Which result is whose cannot be known.
            other => {
                let found = other.map_or("no list".to_owned(), |list| format!("{} results", list.len()));
                let (place, items) = (&results.list, whole.items);
                let detail =
                    format!("The destination answered {} with {found} at `{place}` for {items} items.", whole.status);
                vec![Conclusion::new(Verdict::Unknown, detail).code(RESULT_MISSING); items]
            }
        }
    }

    fn element(&self, whole: &Seen<'_>, results: &Results, element: &Value) -> Conclusion {
        let own = results.status.as_ref().and_then(|place| status(element.pointer(place)?));
        let words = self.words(Some(element), results.message.as_deref());
        let status = own.unwrap_or(whole.status);
        let seen = Seen { status, content: Some(element), items: 1, wait: whole.wait, words };
        match row(&results.answers, &seen) {
            None if own.is_none() => missing(),
            row => self.conclude(&seen, row),
        }
    }

    fn conclude(&self, seen: &Seen<'_>, means: Option<Means>) -> Conclusion {
        let Seen { status, wait, items, .. } = *seen;
        let rejected = (Verdict::Refused { why: Why::Rejected { status } }, taxonomy::rejection_code(status));
        let (verdict, code) = match means {
            Some(Means::Accepted) => (Verdict::Accepted { receipt: Receipt { status } }, ""),
            Some(Means::Busy) => (Verdict::Busy { after: wait, load: Load::Failing }, DESTINATION_FAILING),
            Some(Means::Throttled) => (Verdict::Busy { after: wait, load: Load::Throttled }, DESTINATION_THROTTLED),
            Some(Means::NotYet) => (Verdict::NotYet { after: wait }, RESOURCE_NOT_READY),
            Some(Means::TokenRefused) => (Verdict::TokenRefused, TOKEN_REFUSED),
            Some(Means::Split) if items > 1 => (Verdict::Split, BATCH_SPLIT),
            Some(Means::Refused | Means::Split) => rejected,
            None => {
                let verdict = taxonomy::verdict(status, Some(wait), Sent { items, token: self.bearer });
                (verdict, taxonomy::rejection_code(status))
            }
        };
        if matches!(verdict, Verdict::Accepted { .. }) {
            return Conclusion::new(verdict, "");
        }
        let said =
            if seen.words.is_empty() { String::new() } else { format!(": {}", seen.words.trim_end_matches('.')) };
        // A row knows its API better than the table of statuses does.
        let advice = if means.is_none() { taxonomy::advice(status) } else { "" };
        let detail = format!("The destination answered {status} ({code}){said}. {advice}");
        Conclusion::new(verdict, detail.trim_end()).code(code)
    }

    /// How long the provider asks to wait, by header or body; the longer of both.
    fn wait(&self, answer: &Answer, body: Option<&Value>) -> Span {
        let header = answer.retry_after(LONGEST_RETRY_AFTER).unwrap_or(Span::ZERO);
        let place = self.retry_after.as_deref().and_then(|place| body?.pointer(place));
        let inner = place.and_then(|value| wait_of(value, answer.received)).unwrap_or(Span::ZERO);
        header.max(inner).min(LONGEST_RETRY_AFTER)
    }

    /// Someone else's words, made fit for a line: without control characters and our secrets, cut.
    fn words(&self, content: Option<&Value>, place: Option<&str>) -> String {
        let found = place.and_then(|place| content?.pointer(place));
        let Some(Value::String(words)) = found else { return String::new() };
        // Before it is cut: a part of a secret is less easily found.
        let hide = |words: String, (_, secret): &(String, crate::Secret)| secret.hidden_in(&words);
        let words: String = words.chars().take(WORDS_MOST.saturating_mul(8)).collect();
        let words = self.secret_headers.iter().fold(words, hide);
        let line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MOST).collect();
        line.trim().to_owned()
    }
}

/// For an item of which the answer says nothing: it may have arrived.
pub(super) fn missing() -> Conclusion {
    Conclusion::new(Verdict::Unknown, "The destination did not say what became of it.").code(RESULT_MISSING)
}

fn row(rows: &[Row], seen: &Seen<'_>) -> Option<Means> {
    rows.iter().find(|row| row.rule.fits(seen.status, seen.content)).map(|row| row.means)
}

fn status(value: &Value) -> Option<u16> {
    let status = match value {
        Value::Number(number) => number.as_u64().and_then(|status| u16::try_from(status).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    status.filter(|status| (100..600).contains(status))
}

/// A wait in an answer's body: seconds as a number, or as `Retry-After` has it, or a date of
/// the Internet (RFC 3339).
fn wait_of(value: &Value, now: Time) -> Option<Span> {
    match value {
        Value::Number(number) => {
            let seconds = number.as_f64().filter(|seconds| *seconds >= 0.0)?;
            // Capped first: what is left is whole milliseconds that a Duration holds.
            let capped = std::time::Duration::from_secs_f64(seconds.min(86_400.0));
            Some(Span::from_millis(u64::try_from(capped.as_millis()).unwrap_or(u64::MAX)))
        }
        Value::String(text) => {
            let text = text.trim();
            let date = || {
                let at: jiff::Timestamp = text.parse().ok()?;
                let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
                Some(Time::from_millis(millis).since(now))
            };
            wait_in(text, now).or_else(date)
        }
        _ => None,
    }
}
