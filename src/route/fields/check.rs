//! What a value must be beyond its type.

use serde_json::Value;

use super::condition::same;
use super::fault::Fault;
use super::field::Kind;
use super::format::is_moment;
use super::say::Say;

/// The faults of `value`, in the order of the reference implementation: bounds, form, choices.
pub(super) fn check(say: &Say<'_>, value: &Value) -> Vec<Fault> {
    let field = say.field;
    let mut faults = Vec::new();
    match value {
        Value::Number(number) if matches!(field.kind, Kind::Number | Kind::Integer) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            faults.extend(field.maximum.filter(|limit| number > *limit).map(|limit| say.too_high(limit)));
            faults.extend(field.minimum.filter(|limit| number < *limit).map(|limit| say.too_low(limit)));
        }
        Value::String(text) if field.kind == Kind::Text => {
            faults.extend(lengths(say, text));
            faults.extend(field.format.filter(|format| !format.fits(text)).map(|format| say.wrong_format(format)));
        }
        Value::String(text) if field.kind == Kind::Datetime && !is_moment(text) => {
            faults.push(say.wrong_form("date-like", "2026-03-14T10:00:00Z"));
        }
        _ => {}
    }
    let null = value.is_null() && field.takes_null();
    let chosen = null || field.choices.iter().any(|choice| same(&choice.value, value));
    if !field.choices.is_empty() && !chosen {
        faults.push(say.no_choice());
    }
    faults
}

/// Lengths count characters, as JSON schemas and the reference implementation do.
fn lengths(say: &Say<'_>, text: &str) -> Option<Fault> {
    if say.field.maximum.is_none() && say.field.minimum.is_none() {
        return None;
    }
    let length = text.chars().count();
    // A text of 2^32 characters is beyond any event.
    let counted = f64::from(u32::try_from(length).unwrap_or(u32::MAX));
    let long = say.field.maximum.filter(|limit| counted > *limit);
    let short = say.field.minimum.filter(|limit| counted < *limit);
    let long = long.map(|limit| say.wrong_length(limit, length, "fewer"));
    long.or_else(|| short.map(|limit| say.wrong_length(limit, length, "more")))
}
