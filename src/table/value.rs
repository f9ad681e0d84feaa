//! Values of TOML, whatever they are.

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::DeValue;

/// The texts within a value. The reader of TOML bounds its depth.
pub(super) fn collect_texts<'a>(value: &'a DeValue<'_>, texts: &mut Vec<&'a str>) {
    match value {
        DeValue::String(text) => texts.push(text),
        DeValue::Array(items) => {
            for item in items {
                collect_texts(item.get_ref(), texts);
            }
        }
        DeValue::Table(members) => {
            for member in members.values() {
                collect_texts(member.get_ref(), texts);
            }
        }
        _ => {}
    }
}

/// A value as JSON; its texts become what `text` makes of them.
pub(super) fn json(value: &DeValue<'_>, text: &dyn Fn(&str) -> Result<String, String>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(written) => Value::String(text(written)?),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            read.map(Value::from).map_err(|_| format!("{} is too large", number.as_str()))?
        }
        DeValue::Float(number) => {
            let read: Option<f64> = number.as_str().parse().ok();
            let finite = read.and_then(Number::from_f64);
            finite.map(Value::Number).ok_or_else(|| format!("{} is no number of JSON", number.as_str()))?
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| json(item.get_ref(), text)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(members) => {
            let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                Ok((key.to_string(), json(value.get_ref(), text)?))
            };
            Value::Object(members.iter().map(member).collect::<Result<_, String>>()?)
        }
    })
}

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
