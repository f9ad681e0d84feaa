//! Values of TOML, whatever they are.

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
