//! A row of an answer table: which answers it is about. What it means for them is its owner's.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::{Answer, put};

/// A row of an answer table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The HTTP statuses that it is about.
    pub status: RangeInclusive<u16>,
    /// If given, the body must be JSON that holds one of `values` at this pointer (RFC 6901).
    pub pointer: Option<String>,
    /// Texts; a number or a truth value in the body is compared as it is written in JSON.
    pub values: Vec<String>,
}

impl Rule {
    /// The row for any answer with a status in this range.
    #[must_use]
    pub const fn status(status: RangeInclusive<u16>) -> Self {
        Rule { status, pointer: None, values: Vec::new() }
    }

    /// The row narrowed to answers whose body holds one of `values` at `pointer`.
    #[must_use]
    pub fn holding(self, pointer: &str, values: &[&str]) -> Self {
        let values = values.iter().map(ToString::to_string).collect();
        Rule { pointer: Some(pointer.to_owned()), values, ..self }
    }

    /// The row as people write it: `status` is one such as `409` or two such as `400-499`.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub(crate) fn written(status: &str, pointer: Option<String>, values: Vec<String>) -> Result<Self, String> {
        let (first, last) = status.split_once('-').unwrap_or((status, status));
        let number = |part: &str| part.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        let range = number(first).zip(number(last)).filter(|(first, last)| first <= last);
        let (first, last) = range.ok_or_else(|| {
            format!("status `{status}` is not one; write a status such as 409, or two such as 400-499")
        })?;
        if pointer.is_none() != values.is_empty() {
            return Err("`pointer` and `values` belong together; write both, or leave both out".to_owned());
        }
        Ok(Rule { status: first..=last, pointer, values })
    }

    /// Its statuses, as [`Rule::written`] reads them.
    pub(crate) fn statuses(&self) -> String {
        let (first, last) = (self.status.start(), self.status.end());
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    }

    /// An answer that it is about: its status, and its body where that matters.
    pub(crate) fn example(&self) -> (u16, Option<Value>) {
        let body = self.pointer.as_ref().zip(self.values.first()).map(|(pointer, value)| {
            let mut body = Value::Null;
            put(&mut body, pointer, Value::String(value.clone()));
            body
        });
        (*self.status.start(), body)
    }

    /// Whether it is about this answer.
    #[must_use]
    pub fn matches(&self, answer: &Answer) -> bool {
        // Most rows have no pointer, and a body is not read for them.
        self.status.contains(&answer.status)
            && (self.pointer.is_none() || self.fits(answer.status, answer.json().as_ref()))
    }

    /// Whether it is about an answer, or an element of one, with this status and this content.
    #[must_use]
    pub fn fits(&self, status: u16, content: Option<&Value>) -> bool {
        let holds = |pointer: &String| match content.and_then(|content| content.pointer(pointer)) {
            None | Some(Value::Array(_) | Value::Object(_)) => false,
            Some(Value::String(text)) => self.values.contains(text),
            Some(scalar) => self.values.contains(&scalar.to_string()),
        };
        self.status.contains(&status) && self.pointer.as_ref().is_none_or(holds)
    }
}

#[cfg(test)]
mod tests {
    use outlast_state::Time;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), received: Time::ZERO }
    }

    #[test]
    fn a_row_is_about_its_own_example() {
        for rule in [
            Rule::status(401..=401),
            Rule::status(200..=299).holding("/error/details/0/reason", &["dead", "gone"]),
            Rule::status(403..=403).holding("/code", &["100"]),
        ] {
            let (status, body) = rule.example();
            assert!(rule.fits(status, body.as_ref()), "{rule:?}");
            assert_eq!(Rule::written(&rule.statuses(), rule.pointer.clone(), rule.values.clone()), Ok(rule));
        }
    }

    #[test]
    fn a_row_with_a_pointer_reads_texts_numbers_and_truth_values() {
        let rule = Rule::status(200..=403).holding("/error/0/code", &["expired", "190", "false"]);
        for (body, matches) in [
            (r#"{"error":[{"code":"expired"}]}"#, true),
            (r#"{"error":[{"code":190}]}"#, true),
            (r#"{"error":[{"code":"190"}]}"#, true),
            (r#"{"error":[{"code":false}]}"#, true),
            (r#"{"error":[{"code":191}]}"#, false),
            (r#"{"error":[{"code":["expired"]}]}"#, false),
            (r#"{"error":[]}"#, false),
            ("expired", false),
            ("", false),
        ] {
            assert_eq!(rule.matches(&answer(400, body)), matches, "{body}");
            assert!(!rule.matches(&answer(404, body)), "{body}");
        }
    }
}
