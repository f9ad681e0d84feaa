//! A schema in JSON (draft 2020-12), with which editors complete and check what people write.

use serde_json::{Map, Value, json};

use super::coerce::types;
use super::condition::{Condition, Test, When};
use super::field::{Choice, Field, Kind, Required};

/// The whole document.
pub(super) fn document(title: &str, fields: &[Field]) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), title.into());
    object(&mut schema, fields, false);
    conditions(&mut schema, fields);
    Value::Object(schema)
}

/// An object with these members; as deep as its author made it.
fn object(schema: &mut Map<String, Value>, fields: &[Field], open: bool) {
    schema.insert("type".into(), "object".into());
    let properties: Map<String, Value> = fields.iter().map(|field| (field.key.clone(), member(field))).collect();
    schema.insert("properties".into(), properties.into());
    let required = fields.iter().filter(|field| field.required == Required::Always);
    let required: Vec<&str> = required.map(Field::key).collect();
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema.insert("additionalProperties".into(), open.into());
}

fn member(field: &Field) -> Value {
    let mut schema = Map::new();
    if let Some(label) = &field.label {
        schema.insert("title".into(), label.as_str().into());
    }
    if let Some(description) = described(field) {
        schema.insert("description".into(), description.into());
    }
    if field.multiple {
        let mut items = Map::new();
        one(&mut items, field);
        schema.insert("type".into(), "array".into());
        schema.insert("items".into(), items.into());
    } else {
        one(&mut schema, field);
    }
    if field.is_secret() {
        schema.insert("writeOnly".into(), true.into());
    } else {
        if let Some(default) = &field.default {
            schema.insert("default".into(), default.clone());
        }
        if let Some(example) = &field.example {
            schema.insert("examples".into(), json!([example]));
        }
    }
    Value::Object(schema)
}

fn described(field: &Field) -> Option<String> {
    let unit = field.unit.as_ref().map(|unit| format!("In {unit}."));
    let parts = [Some(field.description.clone()).filter(|text| !text.is_empty()), unit];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// What one value must be.
fn one(schema: &mut Map<String, Value>, field: &Field) {
    let types = types(field);
    let types = if let [only] = types.as_slice() { Value::from(*only) } else { types.into() };
    schema.insert("type".into(), types);
    if !field.choices.is_empty() {
        let null = field.takes_null().then_some(Value::Null);
        let values: Vec<Value> = field.choices.iter().map(|choice| choice.value.clone()).chain(null).collect();
        schema.insert("enum".into(), values.into());
        if let Some(labels) = labels(&field.choices) {
            schema.insert("$comment".into(), labels.into());
        }
    }
    match field.kind {
        Kind::Object => {
            let Some(properties) = &field.properties else { return };
            let types = schema.get("type").cloned();
            object(schema, properties, field.open);
            if let (Some(types), true) = (types, field.takes_null()) {
                schema.insert("type".into(), types);
            }
            if field.multiple {
                conditions(schema, properties);
            }
        }
        Kind::Number | Kind::Integer => limits(schema, field, "minimum", "maximum"),
        Kind::Text => {
            limits(schema, field, "minLength", "maxLength");
            if let Some(format) = field.format {
                schema.insert("format".into(), format.name().into());
            }
        }
        Kind::Boolean | Kind::Datetime => {}
    }
}

fn limits(schema: &mut Map<String, Value>, field: &Field, minimum: &str, maximum: &str) {
    for (name, limit) in [(minimum, field.minimum), (maximum, field.maximum)] {
        if let Some(limit) = limit.and_then(super::coerce::json) {
            schema.insert(name.into(), limit);
        }
    }
}

fn labels(choices: &[Choice]) -> Option<String> {
    let labels = choices.iter().filter_map(|choice| {
        let label = choice.label.as_ref()?;
        Some(format!("{}: {label}", super::say::written(&choice.value)))
    });
    let labels: Vec<String> = labels.collect();
    (!labels.is_empty()).then(|| labels.join("; "))
}

/// The fields that are required because of others, within an object from which conditions are looked up.
fn conditions(schema: &mut Map<String, Value>, fields: &[Field]) {
    let mut all = Vec::new();
    demands(fields, &mut Vec::new(), &mut all);
    if !all.is_empty() {
        schema.insert("allOf".into(), all.into());
    }
}

fn demands<'a>(fields: &'a [Field], path: &mut Vec<&'a str>, all: &mut Vec<Value>) {
    for field in fields {
        if let Required::When(when) = &field.required {
            let demand = nested(path, json!({"required": [field.key]}));
            all.push(json!({"if": held(when), "then": demand}));
        }
        if let Some(members) = field.object_members() {
            path.push(&field.key);
            demands(members, path, all);
            path.pop();
        }
    }
}

/// `schema` for the object at `path`, which must be there.
fn nested(path: &[&str], schema: Value) -> Value {
    path.iter().rev().fold(schema, |schema, key| json!({"required": [key], "properties": {*key: schema}}))
}

fn held(when: &When) -> Value {
    let conditions: Vec<Value> = when.conditions.iter().map(condition).collect();
    match (conditions.as_slice(), when.any) {
        ([only], _) => only.clone(),
        ([], any) => Value::Bool(!any),
        (_, true) => json!({"anyOf": conditions}),
        (_, false) => json!({"allOf": conditions}),
    }
}

fn condition(condition: &Condition) -> Value {
    let path: Vec<&str> = condition.field.split('.').collect();
    let is = |schema: Value| match path.split_last() {
        Some((last, parents)) => nested(parents, json!({"required": [last], "properties": {*last: schema}})),
        None => Value::Bool(false),
    };
    match &condition.test {
        Test::Is(value) => is(json!({"const": value})),
        Test::IsNot(value) => is(json!({"not": {"const": value}})),
        Test::Present => is(json!({"not": {"type": "null"}})),
        Test::Absent => json!({"not": is(json!({"not": {"type": "null"}}))}),
    }
}
