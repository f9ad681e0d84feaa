//! Reads the fields of a resolved mapping: what is empty goes, what is not text becomes text, what does not fit is written
//! down with the field and the remedy.

use serde_json::{Map, Value};

use super::identity::is_blank;
use crate::js::number;

/// A field of the action.
pub(super) struct Field {
    /// Its key in its object.
    pub(super) key: &'static str,
    /// Its name in messages.
    pub(super) label: &'static str,
    /// Its place, from the action's top.
    pub(super) place: &'static str,
    /// What to do when it is missing or does not fit.
    pub(super) remedy: &'static str,
}

/// What counts as empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empties {
    /// Text without a visible character is no text, wherever it stands.
    Blank,
    /// The reference, for one event: empty text goes at the top, and stays within objects.
    Top,
    /// The reference, for a batch: empty text stays.
    Kept,
}

/// Why an event cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    /// The reference's message.
    pub(super) message: String,
    /// The field, and what to do.
    pub(super) advice: String,
}

impl Invalid {
    pub(super) fn new(message: impl Into<String>, field: &Field) -> Self {
        Invalid { message: message.into(), advice: format!("Field `{}`: {}", field.place, field.remedy) }
    }
}

/// Reads fields and remembers what was wrong with them.
pub(super) struct Reader {
    empties: Empties,
    faults: Vec<Invalid>,
}

impl Reader {
    pub(super) fn new(empties: Empties) -> Self {
        Reader { empties, faults: Vec::new() }
    }

    /// All faults in one, or nothing.
    pub(super) fn finish(self) -> Result<(), Invalid> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let (messages, advice): (Vec<_>, Vec<_>) = self.faults.into_iter().map(|it| (it.message, it.advice)).unzip();
        Err(Invalid { message: messages.join(" "), advice: advice.join(" ") })
    }

    /// A text field at the top of the action.
    pub(super) fn text(&mut self, root: &Map<String, Value>, field: &Field) -> Option<String> {
        let dropped = self.empties != Empties::Kept;
        self.member(root, field).filter(|text| !(dropped && text.is_empty()))
    }

    /// A text field at the top of the action that must be there.
    pub(super) fn required(&mut self, root: &Map<String, Value>, field: &Field) -> Option<String> {
        let before = self.faults.len();
        let text = self.text(root, field);
        self.demand("The root value", field, before, text)
    }

    /// A text field within an object.
    pub(super) fn member(&mut self, owner: &Map<String, Value>, field: &Field) -> Option<String> {
        let value = owner.get(field.key).filter(|value| !value.is_null())?;
        let text = self.coerced(value, field)?;
        let dropped = self.empties == Empties::Blank && is_blank(&text);
        (!dropped).then_some(text)
    }

    /// A text field within an object named `name` that must be there.
    pub(super) fn required_member(&mut self, owner: &Map<String, Value>, name: &str, field: &Field) -> Option<String> {
        let before = self.faults.len();
        let text = self.member(owner, field);
        self.demand(name, field, before, text)
    }

    /// An object field.
    pub(super) fn object<'a>(&mut self, root: &'a Map<String, Value>, field: &Field) -> Option<&'a Map<String, Value>> {
        match root.get(field.key)? {
            Value::Object(object) => Some(object),
            Value::Null => None,
            Value::String(text) if self.is_empty(text) => None,
            other => {
                self.misfit(field, "an object", kind(other));
                None
            }
        }
    }

    /// A field that is a list of texts; one text is a list of one.
    pub(super) fn texts(&mut self, root: &Map<String, Value>, field: &Field) -> Vec<String> {
        let items = match root.get(field.key) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::String(text)) if self.is_empty(text) => return Vec::new(),
            Some(Value::Array(items)) => items.as_slice(),
            Some(scalar) => std::slice::from_ref(scalar),
        };
        let blanks_dropped = self.empties == Empties::Blank;
        let texts = items.iter().filter(|item| !item.is_null()).filter_map(|item| self.coerced(item, field));
        texts.filter(|text| !(blanks_dropped && is_blank(text))).collect()
    }

    fn is_empty(&self, text: &str) -> bool {
        if self.empties == Empties::Blank { is_blank(text) } else { text.is_empty() }
    }

    fn coerced(&mut self, value: &Value, field: &Field) -> Option<String> {
        let value = match value {
            Value::Array(items) if items.len() == 1 => items.first().unwrap_or(value),
            other => other,
        };
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number::text(number)),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null => Some(String::new()),
            Value::Array(_) | Value::Object(_) => {
                self.misfit(field, "a string", kind(value));
                None
            }
        }
    }

    fn misfit(&mut self, field: &Field, wanted: &str, found: &str) {
        self.faults.push(Invalid::new(format!("{} must be {wanted} but it was {found}.", field.label), field));
    }

    /// Writes down that a required text is missing, unless it was there and did not fit.
    fn demand(&mut self, owner: &str, field: &Field, before: usize, text: Option<String>) -> Option<String> {
        if text.is_none() && self.faults.len() == before {
            let message = format!("{owner} is missing the required field '{}'.", field.key);
            self.faults.push(Invalid::new(message, field));
        }
        text
    }
}

/// The name of a value's type.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
