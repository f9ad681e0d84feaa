//! What is wrong is said where it is, with what to do; and nothing that is too much is done.

use serde_json::{Value, json};

use super::super::{Class, Mapping};
use super::{fails, resolve};

#[test]
fn every_fault_is_named_with_its_place_and_a_remedy() {
    let mapping = json!({
        "email": {"@replace": {"value": "x", "pattern": "", "replacement": "01234567890"}},
        "list": {"deep": {"@bogus": 1}},
        "two": {"@path": "a", "@template": "b"},
    });
    let error = fails(&mapping, &json!({}), "AggregateError");
    assert!(error.is_static());
    let places: Vec<_> = error.faults().iter().map(|fault| (fault.place.as_str(), fault.directive.as_str())).collect();
    let expected = [
        ("email/@replace/pattern", "@replace"),
        ("email/@replace/replacement", "@replace"),
        ("list/deep", "@bogus"),
        ("two", "@path"),
    ];
    assert_eq!(places, expected);
    let text = error.to_string();
    assert!(
        text.starts_with("mapping at `email/@replace/pattern`: it has 0 characters where 1 to 10 may stand; "),
        "{text}"
    );
    assert!(!text.contains('\n'), "{text}");
}

#[test]
fn a_directive_at_the_root_has_a_class_of_its_own() {
    for mapping in [json!({"@path": 5}), json!({"@bogus": 1}), json!({"@if": "x"}), json!({"@arrayPath": [5]})] {
        assert_eq!(fails(&mapping, &json!({}), "ValidationError").class(), Class::Validation);
    }
    for mapping in [json!({"@if": {"exists": {"@path": 5}}}), json!({"@replace": {}}), json!([{"@bogus": 1}])] {
        fails(&mapping, &json!({}), "AggregateError");
    }
}

#[test]
fn what_the_check_does_not_reach_fails_when_it_runs() {
    for directive in [
        json!({"@bogus": 1}),
        json!({"@path": 5}),
        json!({"@if": "x"}),
        json!({"@if": {"exists": ""}}),
        json!({"@case": {"value": "x"}}),
        json!({"@case": {"operator": 5, "value": "x"}}),
        json!({"@replace": {"value": "x", "pattern": "01234567890"}}),
        json!({"@replace": {"value": "x", "pattern": "x", "global": "yes"}}),
        json!({"@arrayPath": {}}),
        json!({"@flatten": {"value": 1}}),
        json!({"@json": {"mode": "encode"}}),
        json!({"@merge": {"objects": 5, "direction": "left"}}),
        json!({"@transform": {"apply": [], "mapping": {}}}),
        json!({"@liquid": 5}),
    ] {
        let error = fails(&json!({"list": [directive]}), &json!({}), "Error");
        assert!(error.faults()[0].place.starts_with("list/0/@"), "{error}");
        assert!(!error.is_static());
        assert_eq!(
            resolve(&json!({"@arrayPath": ["none", {"a": [directive]}]}), &json!({})),
            Ok(None),
            "never reached"
        );
    }
    let nested = json!({"list": [{"@transform": {"apply": {"a": {"@bogus": 1}}, "mapping": {"b": 1}}}]});
    assert_eq!(fails(&nested, &json!({}), "AggregateError").faults()[0].place, "list/0/@transform/apply/a");
}

#[test]
fn only_objects_are_events() {
    for event in [json!(null), json!([]), json!("x"), json!(5)] {
        fails(&json!({"a": 1}), &event, "Error");
        assert!(Mapping::admits(&event).is_err());
    }
}

fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!(1), |inner, _| wrap(inner))
}

#[test]
fn what_nests_too_deep_is_refused_with_its_place() {
    let list = |inner| json!([inner]);
    let error = fails(&json!({"a": nested(96, list)}), &json!({}), "ValidationError");
    assert!(error.faults()[0].place.starts_with("a/0/0/"), "{error}");
    assert!(resolve(&json!({"a": nested(95, list)}), &json!({})).is_ok());
    fails(&json!({"a": 1}), &json!({"a": nested(128, list)}), "Error");
    let deep = json!({"a": nested(127, list)});
    assert!(resolve(&json!({"@path": ""}), &deep).is_ok());
    fails(&json!({"b": {"@path": ""}}), &deep, "Error");
    fails(&json!({"@transform": {"apply": {"b": {"@path": ""}}, "mapping": {"c": 1}}}), &deep, "Error");
}

#[test]
fn deep_mappings_are_read_in_no_time() {
    let condition = |inner| json!({"@if": {"exists": inner, "then": {"@path": "a"}}});
    assert_eq!(resolve(&nested(47, condition), &json!({"a": 1})), Ok(Some(json!(1))));
    let transform = |inner| json!({"@transform": {"apply": {"x": inner}, "mapping": {"@path": ""}}});
    assert!(resolve(&nested(31, transform), &json!({})).is_ok());
    let replace = |inner| json!({"@replace": {"value": {"@literal": inner}, "pattern": "x"}});
    assert!(resolve(&nested(31, replace), &json!({})).is_ok());
}

#[test]
fn what_grows_without_end_is_refused() {
    let double = |apply| json!({"@transform": {"apply": {"x": apply}, "mapping": {"@template": "{{x}}{{x}}"}}});
    let text = json!({"a": (0..20).fold(json!({"@path": "t"}), |inner, _| double(inner))});
    assert!(fails(&text, &json!({"t": "0123456789"}), "Error").to_string().contains("bytes of text"));
    let double =
        |apply| json!({"@transform": {"apply": {"x": apply}, "mapping": {"y": {"@path": "x"}, "z": {"@path": "x"}}}});
    let nodes = json!({"a": (0..20).fold(json!({"@path": "t"}), |inner, _| double(inner))});
    assert!(fails(&nodes, &json!({"t": 1}), "Error").to_string().contains("values"));
    let copies: Vec<Value> = (0..1000).map(|_| json!({"@path": "t"})).collect();
    assert!(fails(&json!({ "a": copies }), &json!({"t": "x".repeat(10_000)}), "Error").to_string().contains("bytes"));
    let items = json!({"@arrayPath": ["l", {"@arrayPath": [{"@literal": vec![0; 64]}, {"@path": ""}]}]});
    assert!(resolve(&items, &json!({"l": vec![0; 100]})).is_ok());
    fails(&items, &json!({"l": vec![0; 100_000]}), "Error");
}
