//! The whole of a mapping, from its text to what it gives. Each directive has a table; the recorded cases of the reference
//! implementation are played by the integration tests.

mod directives;
mod faults;
mod laws;

use serde_json::{Value, json};

use super::budget::Budget;
use super::run::Run;
use super::value::Piece;
use super::{Mapping, MappingError};

fn resolve(mapping: &Value, event: &Value) -> Result<Option<Value>, MappingError> {
    Mapping::new(mapping)?.resolve(event)
}

/// What the member `out` of a mapping becomes; nothing when it disappears.
#[track_caller]
fn gives(directive: &Value, event: &Value, expected: Option<Value>) {
    let resolved = resolve(&json!({ "out": directive }), event).map(|it| it.and_then(|it| it.get("out").cloned()));
    assert_eq!(resolved, Ok(expected), "{directive}");
}

#[track_caller]
fn fails(mapping: &Value, event: &Value, class: &str) -> MappingError {
    let error = resolve(mapping, event).expect_err(&mapping.to_string());
    assert_eq!(error.class_name(), class, "{error}");
    error
}

#[test]
fn what_a_mapping_reads_is_listed() {
    for (mapping, expected) in [
        (json!({"a": {"@path": "$.x.y"}, "b": [{"@template": "{{ z }}-{{{w[0]}}}"}]}), vec!["w.0", "x.y", "z"]),
        (json!({"@path": ""}), vec!["."]),
        (
            json!({"@arrayPath": ["list", {"m": {"@path": "n"}, "all": {"@path": ""}}]}),
            vec!["list", "list[]", "list[].n"],
        ),
        (json!({"@arrayPath": [{"@path": "list"}, {"@path": "n"}]}), vec!["list", "list[].n"]),
        (json!({"@transform": {"apply": {"k": {"@path": "a"}}, "mapping": {"@path": "k"}}}), vec!["a"]),
        (json!({"@merge": {"direction": "left", "objects": [{"@path": "a"}, {"b": {"@path": "c"}}]}}), vec!["a", "c"]),
        (
            json!({"@if": {"exists": {"@path": "a"}, "then": {"@path": "b"}, "else": {"@literal": {"@path": "c"}}}}),
            vec!["a", "b", "c"],
        ),
        (
            json!({"@liquid": "{% assign own = traits.x | append: y %}{{ own }}{{ list[0].z }}{{ o[key].lost }}"}),
            vec!["key", "list.0.z", "o", "traits.x", "y"],
        ),
    ] {
        assert_eq!(Mapping::new(&mapping).unwrap().paths(), expected, "{mapping}");
    }
}

#[test]
fn a_result_is_moved_into_json_as_it_would_be_copied_and_for_the_same_price() {
    let event = json!({"a": {"b": [1, null, "x"]}, "t": "text", "n": 1.5, "none": null});
    for mapping in [
        json!({"whole": {"@path": ""}, "lost": {"@path": "lost"}, "null": {"@path": "none"}, "raw": {"k": [true, 1e3]}}),
        json!({"list": [{"@path": "lost"}, {"@template": "{{t}}-{{n}}"}, {"deep": {"@path": "a.b.length"}}]}),
        json!({"@merge": {"direction": "left", "objects": [{"@path": "a"}, {"x": {"@path": "lost"}, "2": "two"}]}}),
        json!({"@transform": {"apply": {"k": {"@path": "a"}}, "mapping": {"@arrayPath": ["k", {"m": {"@path": "b"}}]}}}),
        json!({"@path": "lost"}),
    ] {
        let (mapping, run) = (Mapping::new(&mapping).unwrap(), Run::new());
        let value = run.transformed(&mapping.tree, Piece::Json(&event), "").unwrap();
        let [copying, moving] = [(), ()].map(|()| Budget::new());
        let copied = value.piece().json(&copying).unwrap();
        assert_eq!(value.into_json(&moving).unwrap(), copied);
        assert_eq!(format!("{moving:?}"), format!("{copying:?}"), "{copied:?}");
    }
}
