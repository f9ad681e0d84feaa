//! A schema as a table in Markdown, for the pages about destinations.

use serde_json::Value;

use super::condition::{Condition, Test, When};
use super::field::{Choice, Field, Kind, Required};
use super::say::written;

/// The table: a row for each field, members behind their object as `parent.child`.
pub(super) fn table(fields: &[Field]) -> String {
    let mut table = String::from("| key | type | required | default | what it is |\n|---|---|---|---|---|\n");
    rows(&mut table, fields, "");
    table
}

/// As deep as its author made it.
fn rows(table: &mut String, fields: &[Field], prefix: &str) {
    for field in fields {
        let key = format!("{prefix}{}", field.key);
        let cells =
            [code(&key), cell(&of(field)), cell(&required(&field.required)), default(field), cell(&about(field))];
        let row: Vec<String> = cells.iter().map(|cell| format!(" {cell} ").replace("  ", " ")).collect();
        table.push('|');
        table.push_str(&row.join("|"));
        table.push_str("|\n");
        let between = if field.multiple { "[]." } else { "." };
        rows(table, field.members(), &format!("{key}{between}"));
    }
}

fn of(field: &Field) -> String {
    let kind = match field.kind {
        Kind::Text => "text",
        Kind::Number => "number",
        Kind::Integer => "whole number",
        Kind::Boolean => "true or false",
        Kind::Datetime => "date and time",
        Kind::Object => "object",
    };
    let mut text = if field.multiple { format!("list of {kind}") } else { kind.to_owned() };
    if let Some(format) = field.format {
        text.push_str(", ");
        text.push_str(format.label());
    }
    if field.is_secret() {
        text.push_str(", secret");
    }
    if field.takes_null() {
        text.push_str(", or null");
    }
    text
}

fn required(required: &Required) -> String {
    match required {
        Required::Never => "no".into(),
        Required::Always => "yes".into(),
        Required::When(when) => when_text(when),
    }
}

fn when_text(when: &When) -> String {
    let conditions: Vec<String> = when.conditions.iter().map(condition_text).collect();
    format!("when {}", conditions.join(if when.any { " or " } else { " and " }))
}

fn condition_text(condition: &Condition) -> String {
    let field = code(&condition.field);
    match &condition.test {
        Test::Is(value) => format!("{field} is {}", literal(value)),
        Test::IsNot(value) => format!("{field} is not {}", literal(value)),
        Test::Absent => format!("{field} is missing"),
        Test::Present => format!("{field} is there"),
    }
}

fn default(field: &Field) -> String {
    match &field.default {
        Some(_) if field.is_secret() => "(not shown)".into(),
        Some(value) => literal(value),
        None => String::new(),
    }
}

fn about(field: &Field) -> String {
    let mut parts = vec![field.description.clone()];
    if !field.choices.is_empty() {
        let choices: Vec<String> = field.choices.iter().map(choice).collect();
        parts.push(format!("One of {}.", choices.join(", ")));
    }
    if let Some(query) = &field.dynamic {
        parts.push(format!("Its choices are asked of the destination ({}).", code(query)));
    }
    let unit = field.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    match (limit(field.minimum), limit(field.maximum)) {
        (Some(least), Some(most)) => parts.push(format!("{least} to {most}{}.", counted(field, &unit))),
        (Some(least), None) => parts.push(format!("At least {least}{}.", counted(field, &unit))),
        (None, Some(most)) => parts.push(format!("At most {most}{}.", counted(field, &unit))),
        (None, None) if !unit.is_empty() => parts.push(format!("In{unit}.")),
        (None, None) => {}
    }
    if let Some(example) = field.example.as_ref().filter(|_| !field.is_secret()) {
        parts.push(format!("For example {}.", literal(example)));
    }
    if field.open {
        parts.push("Other members are allowed.".into());
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn choice(choice: &Choice) -> String {
    let value = literal(&choice.value);
    choice.label.as_ref().map_or_else(|| value.clone(), |label| format!("{value} ({label})"))
}

fn limit(limit: Option<f64>) -> Option<String> {
    limit.map(crate::js::number::print)
}

fn counted(field: &Field, unit: &str) -> String {
    if field.kind == Kind::Text { " characters".into() } else { unit.to_owned() }
}

/// A text as it is, anything else as JSON.
fn literal(value: &Value) -> String {
    value.as_str().filter(|text| !text.is_empty()).map_or_else(|| code(&written(value)), code)
}

fn code(text: &str) -> String {
    // A code span ends at the first row of as many backticks as it began with.
    let fence = if text.contains('`') { "``" } else { "`" };
    cell(&format!("{fence}{text}{fence}"))
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace("\\|", "|").replace('|', "\\|")
}
