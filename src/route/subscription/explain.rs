//! Says why an event does not match.

use std::fmt;

use serde_json::Value;

use super::evaluate::Actual;
use super::finding::EvaluationError;
use super::tree::{Connective, Node};
use crate::js::number;

/// Texts are shown up to this length.
const SHOWN: usize = 60;

/// Whether an event matches, and what decided that it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// The event matches.
    Matched,
    /// These terms failed: the first one that decided, and of a group of alternatives all.
    Failed(Vec<FailedTerm>),
    /// There is no answer, which counts as no match.
    Undecided(EvaluationError),
}

/// A term that an event does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTerm {
    /// The term, in the language of subscriptions.
    pub term: String,
    /// What the event has there: its type and, shortened, its value.
    pub found: String,
}

impl fmt::Display for FailedTerm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (the event has {} there)", self.term, self.found)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Explanation::Matched => out.write_str("matched"),
            Explanation::Undecided(error) => write!(out, "no match: {error}"),
            Explanation::Failed(terms) => {
                out.write_str("no match: ")?;
                for (index, term) in terms.iter().enumerate() {
                    write!(out, "{}{term}", if index > 0 { "; " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

pub(super) fn explain(node: &Node, event: &Value) -> Explanation {
    match node.evaluate(event) {
        Ok(true) => Explanation::Matched,
        Ok(false) => {
            let mut failed = Vec::new();
            collect(node, event, &mut failed);
            Explanation::Failed(failed)
        }
        Err(error) => Explanation::Undecided(error),
    }
}

/// The terms that made a false node false. Depth is bounded by the parsers.
fn collect(node: &Node, event: &Value, failed: &mut Vec<FailedTerm>) {
    match node {
        Node::Hole => {}
        Node::Term(term) => {
            if let Ok(actual) = term.field.look_up(event) {
                failed.push(FailedTerm { term: term.to_string(), found: actual.describe() });
            }
        }
        Node::Group(group) if group.connective == Connective::Or => {
            for child in &group.children {
                collect(child, event, failed);
            }
        }
        Node::Group(group) => {
            if let Some(decisive) = group.children.iter().find(|child| child.evaluate(event) == Ok(false)) {
                collect(decisive, event, failed);
            }
        }
    }
}

impl Actual<'_> {
    fn describe(&self) -> String {
        match self {
            Actual::Absent => "nothing".into(),
            Actual::Value(Value::Null) => "null".into(),
            Actual::Value(Value::Bool(flag)) => format!("the boolean {flag}"),
            Actual::Value(Value::Number(value)) => format!("the number {}", number::text(value)),
            Actual::Value(Value::String(text)) => format!("the text {}", shortened(text)),
            Actual::Value(Value::Array(items)) => format!("a list of {}", items.len()),
            Actual::Value(Value::Object(members)) => format!("an object of {} members", members.len()),
            Actual::Count(count) => format!("the number {count}"),
            Actual::Unit(unit) => format!("the text {}", shortened(unit)),
        }
    }
}

fn shortened(text: &str) -> String {
    let start: String = text.chars().take(SHOWN).collect();
    if start.len() == text.len() { format!("{start:?}") } else { format!("{start:?}… ({} bytes)", text.len()) }
}
