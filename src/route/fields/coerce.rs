//! Values of one type made of another, by the rules of the reference implementation's validator.

use serde_json::{Number, Value};

use super::field::{Field, Kind};
use crate::js::number;

/// The names of the types that fit `field`, or each of its items.
pub(super) fn types(field: &Field) -> Vec<&'static str> {
    let mut types = match field.kind {
        Kind::Text => vec!["string"],
        Kind::Number => vec!["number"],
        Kind::Integer => vec!["integer"],
        Kind::Boolean => vec!["boolean"],
        Kind::Datetime => vec!["string", "number"],
        Kind::Object => vec!["object"],
    };
    if field.takes_null() {
        types.push("null");
    }
    types
}

/// Whether `value` is of a type that fits `field`, or each of its items.
pub(super) fn fits(field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => field.takes_null(),
        Value::Bool(_) => field.kind == Kind::Boolean,
        Value::Number(number) => match field.kind {
            Kind::Number | Kind::Datetime => true,
            Kind::Integer => is_whole(number),
            _ => false,
        },
        Value::String(_) => matches!(field.kind, Kind::Text | Kind::Datetime),
        Value::Array(_) => false,
        Value::Object(_) => field.kind == Kind::Object,
    }
}

/// `value` as what fits `field`; or the value that does not.
///
/// A list of one stands for its item, unless an object is wanted. A number beyond all bounds (`Infinity` is one for the
/// reference implementation, which then sends `null`) is refused: JSON cannot hold it.
pub(super) fn coerce(field: &Field, value: Value) -> Result<Value, Value> {
    if fits(field, &value) {
        return Ok(value);
    }
    let value = match value {
        Value::Array(mut items) if items.len() == 1 && field.kind != Kind::Object => items.pop().unwrap_or_default(),
        other => other,
    };
    if fits(field, &value) {
        return Ok(value);
    }
    let made = match field.kind {
        Kind::Text | Kind::Datetime => text(&value),
        Kind::Number => finite(&value, false),
        Kind::Integer => finite(&value, true),
        Kind::Boolean => flag(&value),
        Kind::Object => None,
    };
    let null = || (field.takes_null() && is_nothing(&value)).then_some(Value::Null);
    made.or_else(null).ok_or(value)
}

fn text(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => Some(number::text(number).into()),
        Value::Bool(flag) => Some(flag.to_string().into()),
        Value::Null => Some("".into()),
        _ => None,
    }
}

fn finite(value: &Value, whole: bool) -> Option<Value> {
    match value {
        Value::Bool(flag) => Some(i32::from(*flag).into()),
        Value::Null => Some(0.into()),
        Value::String(text) if !text.is_empty() => {
            let number = number::parse(text);
            if whole && number.fract() != 0.0 { None } else { json(number) }
        }
        _ => None,
    }
}

fn flag(value: &Value) -> Option<Value> {
    match value {
        Value::Null => Some(false.into()),
        Value::String(text) => text.parse::<bool>().ok().map(Value::Bool),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false.into()),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true.into()),
        _ => None,
    }
}

/// Empty text, zero and false stand for `null` where nothing else fits.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(flag) => !flag,
        _ => false,
    }
}

fn is_whole(number: &Number) -> bool {
    number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// `number` as JSON: a whole one without a decimal point, as JavaScript prints it.
pub(super) fn json(number: f64) -> Option<Value> {
    if number.fract() == 0.0 {
        // A whole number prints without an exponent here, so what is read back is exact.
        if let Ok(whole) = format!("{number:.0}").parse::<i64>() {
            return Some(whole.into());
        }
    }
    Number::from_f64(number).map(Value::Number)
}

/// The type of `value`, as messages name it.
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
