//! Templates, in whatever language the caller brings.

use std::sync::Arc;

use serde_json::Value;

use super::draft::Fault;
use crate::destination::SettingError;

/// A template that was read: what it resolves to for an event, and nothing where that is undefined.
pub type Resolve = Arc<dyn Fn(&Value) -> Result<Option<Value>, Unresolved> + Send + Sync>;

/// Reads a template.
///
/// # Errors
/// It can work for no event: the place in it, and the remedy.
pub type Compile<'a> = &'a dyn Fn(&Value) -> Result<Resolve, String>;

/// Why a template cannot be resolved with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// Its code in the table of errors.
    pub code: &'static str,
    /// The place in the template, the directive, the remedy, in one line.
    pub message: String,
}

/// A template of a description, with the name of what it stands in.
#[derive(Clone)]
pub(super) struct Template {
    place: String,
    /// Whether it is the same for every event.
    fixed: bool,
    resolve: Resolve,
}

impl Template {
    pub(super) fn new(place: impl Into<String>, template: &Value, compile: Compile<'_>) -> Result<Self, SettingError> {
        let place = place.into();
        let resolve =
            compile(template).map_err(|problem| SettingError::new(&place, problem, "Correct the template."))?;
        let fixed = match template {
            Value::Object(_) | Value::Array(_) => false,
            // The language may have templates that are texts.
            Value::String(text) => !text.contains("{{"),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        };
        Ok(Template { place, fixed, resolve })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// What it resolves to.
    pub(super) fn value(&self, event: &Value) -> Result<Option<Value>, Fault> {
        (self.resolve)(event)
            .map_err(|Unresolved { code, message }| Fault { code, message: format!("`{}`: {message}", self.place) })
    }

    /// What it resolves to as text; nothing where that is nothing.
    pub(super) fn text(&self, event: &Value) -> Result<Option<String>, Fault> {
        match self.value(event)? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(crate::js::number::text(&number))),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(Value::Array(_) | Value::Object(_)) => {
                Err(Fault::invalid(&self.place, "It resolves to a list or an object.", "Map a text to it."))
            }
        }
    }
}
