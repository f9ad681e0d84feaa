use serde_json::json;

use crate::route::fields::{Condition, Field, Format, Schema, When};

fn schema() -> Schema {
    Schema::new([
        Field::text("email")
            .label("Email")
            .describe("Where to reach | the person.")
            .format(Format::Email)
            .required()
            .default(json!({"@path": "$.traits.email"}))
            .example("ada@example.org"),
        Field::text("source").choices([("LIST", "A list"), ("FORM", "A form")]).allow_null(),
        Field::integer("window").minimum(0).maximum(90).unit("days").default(30),
        Field::text("tags").multiple().maximum(10).dynamic("tags"),
        Field::object("person").describe("Who it was.").properties([
            Field::text("name").required(),
            Field::datetime("born")
                .required_when(When::any([Condition::is("source", "LIST"), Condition::absent("email")])),
        ]),
        Field::text("key").secret().default("hush"),
    ])
}

#[test]
fn editors_get_a_json_schema() {
    let expected = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Contacts",
        "type": "object",
        "properties": {
            "email": {
                "title": "Email", "description": "Where to reach | the person.", "type": "string", "format": "email",
                "default": {"@path": "$.traits.email"}, "examples": ["ada@example.org"]
            },
            "source": {"type": ["string", "null"], "enum": ["LIST", "FORM", null], "$comment": "\"LIST\": A list; \"FORM\": A form"},
            "window": {"description": "In days.", "type": "integer", "minimum": 0, "maximum": 90, "default": 30},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 10}},
            "person": {
                "description": "Who it was.", "type": "object",
                "properties": {"name": {"type": "string"}, "born": {"type": ["string", "number"]}},
                "required": ["name"], "additionalProperties": false
            },
            "key": {"type": "string", "writeOnly": true}
        },
        "required": ["email"],
        "additionalProperties": false,
        "allOf": [{
            "if": {"anyOf": [
                {"required": ["source"], "properties": {"source": {"const": "LIST"}}},
                {"not": {"required": ["email"], "properties": {"email": {"not": {"type": "null"}}}}}
            ]},
            "then": {"required": ["person"], "properties": {"person": {"required": ["born"]}}}
        }]
    });
    assert_eq!(schema().json_schema("Contacts"), expected);
}

#[test]
fn people_get_a_table() {
    let expected = "\
| key | type | required | default | what it is |
|---|---|---|---|---|
| `email` | text, email address | yes | `{\"@path\":\"$.traits.email\"}` | Where to reach \\| the person. For example `ada@example.org`. |
| `source` | text, or null | no | | One of `LIST` (A list), `FORM` (A form). |
| `window` | whole number | no | `30` | 0 to 90 days. |
| `tags` | list of text | no | | Its choices are asked of the destination (`tags`). At most 10 characters. |
| `person` | object | no | | Who it was. |
| `person.name` | text | yes | | |
| `person.born` | date and time | when `source` is `LIST` or `email` is missing | | |
| `key` | text, secret | no | (not shown) | |
";
    assert_eq!(schema().reference(), expected);
}

#[test]
fn fields_are_found_by_their_paths() {
    let schema = schema();
    assert_eq!(schema.field("person.name").map(Field::key), Some("name"));
    assert_eq!(schema.field("tags").and_then(Field::choices_query), Some("tags"));
    assert!(schema.field("person.age").is_none() && schema.field("").is_none());
    assert_eq!(schema.defaults().keys().collect::<Vec<_>>(), ["email", "window", "key"]);
}
