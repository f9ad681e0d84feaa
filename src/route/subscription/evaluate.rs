//! Evaluation: comparisons of what is there with what was worked out from the text. Nothing is allocated, but for a position
//! within a text.

use serde_json::Value;

use super::finding::EvaluationError;
use super::tree::{Connective, Field, Needle, Node, Part, Path, Step, Term, Test};
use crate::js::text;

/// What an event has where a term looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Actual<'a> {
    Absent,
    Value(&'a Value),
    /// A `length`.
    Count(usize),
    /// A position of a text.
    Unit(String),
}

impl Node {
    /// Depth is bounded by the parsers.
    pub(super) fn evaluate(&self, event: &Value) -> Result<bool, EvaluationError> {
        match self {
            Node::Hole => Err(EvaluationError::EmptyGroup),
            Node::Term(term) => term.evaluate(event),
            Node::Group(group) => {
                let decisive = group.connective == Connective::Or;
                for child in &group.children {
                    if child.evaluate(event)? == decisive {
                        return Ok(decisive);
                    }
                }
                Ok(!decisive)
            }
        }
    }
}

impl Term {
    pub(super) fn evaluate(&self, event: &Value) -> Result<bool, EvaluationError> {
        self.field.look_up(event).map(|actual| self.test.holds(&actual))
    }
}

impl Field {
    /// What `event` has there. Only an object has members; other events are as good as empty ones.
    pub(super) fn look_up<'a>(&self, event: &'a Value) -> Result<Actual<'a>, EvaluationError> {
        if event.is_null() {
            return Err(EvaluationError::NullEvent);
        }
        let member = |name| Ok(Actual::member(event.get(name)));
        match self {
            Field::Type => member("type"),
            Field::Event => member("event"),
            Field::Name => member("name"),
            Field::UserId => member("userId"),
            Field::Path(path) => path.look_up(event),
        }
    }
}

impl Path {
    fn look_up<'a>(&self, event: &'a Value) -> Result<Actual<'a>, EvaluationError> {
        if self.name.is_empty() {
            return Ok(Actual::Absent); // the reference looks at the name before it looks for pieces
        }
        if self.steps.is_empty() {
            return Err(EvaluationError::EmptyPath);
        }
        let mut actual = Actual::member(event.get(self.root.as_str()));
        for step in &self.steps {
            // What is false in the reference ends the walk, and is its result.
            if actual.is_falsy() {
                break;
            }
            actual = actual.step(step);
        }
        Ok(actual)
    }
}

impl<'a> Actual<'a> {
    fn member(value: Option<&'a Value>) -> Self {
        value.map_or(Actual::Absent, Actual::Value)
    }

    fn is_falsy(&self) -> bool {
        match self {
            Actual::Absent | Actual::Value(Value::Null | Value::Bool(false)) => true,
            Actual::Value(Value::String(text)) => text.is_empty(),
            Actual::Value(Value::Number(number)) => number.as_f64() == Some(0.0),
            Actual::Value(_) => false,
            Actual::Count(count) => *count == 0,
            Actual::Unit(unit) => unit.is_empty(),
        }
    }

    fn step(&self, step: &Step) -> Actual<'a> {
        let length = step.key == "length";
        match self {
            Actual::Value(Value::Object(members)) => Actual::member(members.get(&step.key)),
            Actual::Value(Value::Array(items)) if length => Actual::Count(items.len()),
            Actual::Value(Value::Array(items)) => Actual::member(step.index.and_then(|index| items.get(index))),
            Actual::Value(Value::String(whole)) => in_text(whole, step, length),
            Actual::Unit(unit) => in_text(unit, step, length),
            Actual::Absent | Actual::Value(_) | Actual::Count(_) => Actual::Absent,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Actual::Value(Value::String(text)) => Some(text),
            Actual::Unit(unit) => Some(unit),
            _ => None,
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "no text or list is as long as 2^53")]
    fn number(&self) -> Option<f64> {
        match self {
            Actual::Value(Value::Number(number)) => number.as_f64(),
            Actual::Count(count) => Some(*count as f64),
            _ => None,
        }
    }

    fn exists(&self) -> bool {
        !matches!(self, Actual::Absent | Actual::Value(Value::Null))
    }
}

fn in_text<'a>(whole: &str, step: &Step, length: bool) -> Actual<'a> {
    if length {
        return Actual::Count(text::length(whole));
    }
    step.index.and_then(|index| text::unit(whole, index)).map_or(Actual::Absent, Actual::Unit)
}

impl Test {
    #[allow(clippy::float_cmp, reason = "the language compares doubles")]
    pub(super) fn holds(&self, actual: &Actual<'_>) -> bool {
        match self {
            Test::Text { value, negated, .. } => (actual.text() == Some(value)) != *negated,
            Test::Number { value, negated } => actual.number().is_some_and(|number| (number == *value) != *negated),
            Test::Order { order, value } => actual.number().is_some_and(|number| order.holds(number, *value)),
            Test::Part { part, value, negated } => {
                actual.text().is_some_and(|text| value.is_in(text, *part) != *negated)
            }
            Test::Exists => actual.exists(),
            Test::Missing => !actual.exists(),
            Test::Is(flag) => matches!(actual, Actual::Value(Value::Bool(actual)) if actual == flag),
            Test::Never { .. } => false,
        }
    }
}

impl Needle {
    fn is_in(&self, whole: &str, part: Part) -> bool {
        match (part, self.half) {
            (Part::Anywhere, _) => whole.contains(&self.text),
            (Part::Start, _) => whole.starts_with(&self.text),
            (Part::End, None) => whole.ends_with(&self.text),
            // Only patterns are cut, and they are looked for at the end.
            (Part::End, Some(half)) => whole
                .strip_suffix(&*self.text)
                .and_then(|before| before.chars().next_back())
                .is_some_and(|before| before.encode_utf16(&mut [0; 2]).get(1) == Some(&half)),
        }
    }
}
