//! What is empty goes, before anything is checked. It walks the payload along the schema, so it is as deep as the schema;
//! what the schema says nothing about is left alone.

use serde_json::{Map, Value};

use super::field::{Field, Kind};
use crate::js::text::trim;

/// What counts as empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Empties {
    /// As the reference implementation has it for one event: `null` where it is not allowed, and empty text where no text
    /// may stand or at the top. Members of a list's items stay as they are.
    Single,
    /// As the reference implementation has it for a batch: empty text at the top stays where text may stand.
    Batch,
    /// Text without a visible character is no text, and nothing is `null` where it is not allowed, at any depth.
    #[default]
    Blank,
}

impl Empties {
    /// Whether the reference implementation's manner is asked for.
    pub(super) fn compatible(self) -> bool {
        self != Empties::Blank
    }

    /// Takes what is empty out of a payload.
    pub(super) fn remove(self, fields: &[Field], payload: &mut Map<String, Value>) {
        self.members(fields, payload);
        if self == Empties::Single {
            payload.retain(|_, value| value.as_str() != Some(""));
        }
    }

    fn members(self, fields: &[Field], object: &mut Map<String, Value>) {
        object.retain(|key, value| {
            let field = fields.iter().find(|field| field.key == *key);
            field.is_none_or(|field| self.keeps(field, value))
        });
    }

    /// Whether `value` stays, with what is empty in it taken out.
    fn keeps(self, field: &Field, value: &mut Value) -> bool {
        match value {
            Value::Array(items) if field.multiple => {
                items.retain_mut(|item| self.keeps_item(field, item));
                true
            }
            Value::Array(items) if self == Empties::Blank && field.kind != Kind::Object => {
                !matches!(items.as_slice(), [only] if !self.keeps_scalar(field, only, false))
            }
            Value::Object(object) => {
                if field.object_members().is_some() || self == Empties::Blank {
                    self.members_of(field, object);
                }
                true
            }
            scalar => self.keeps_scalar(field, scalar, false),
        }
    }

    fn keeps_item(self, field: &Field, item: &mut Value) -> bool {
        match item {
            Value::Array(items) if self == Empties::Blank && field.kind != Kind::Object => {
                !matches!(items.as_slice(), [only] if !self.keeps_scalar(field, only, true))
            }
            Value::Object(object) if self == Empties::Blank => {
                self.members_of(field, object);
                true
            }
            Value::Array(_) | Value::Object(_) => true,
            scalar => self.keeps_scalar(field, scalar, true),
        }
    }

    fn members_of(self, field: &Field, object: &mut Map<String, Value>) {
        if let (Kind::Object, Some(properties)) = (field.kind, &field.properties) {
            self.members(properties, object);
        }
    }

    /// A scalar: the field's value, or an item of it.
    fn keeps_scalar(self, field: &Field, value: &Value, item: bool) -> bool {
        let is_text = matches!(field.kind, Kind::Text | Kind::Datetime) && (item || !field.multiple);
        match value {
            Value::Null => field.takes_null(),
            Value::String(text) if self == Empties::Blank => !trim(text).is_empty(),
            Value::String(text) => is_text || !text.is_empty(),
            _ => true,
        }
    }
}
