//! What each directive gives.

use serde_json::json;

use super::{fails, gives, resolve};

#[test]
fn raw_values_are_copied_and_what_is_undefined_goes() {
    let mapping = json!({"a": [{"@path": "none"}, 1.0, null], "b": {"c": {"@path": "none"}}, "d": null});
    assert_eq!(resolve(&mapping, &json!({})), Ok(Some(json!({"a": [null, 1, null], "b": {}, "d": null}))));
    assert_eq!(resolve(&json!({"@path": "none"}), &json!({})), Ok(None));
}

#[test]
fn numbers_are_doubles() {
    gives(
        &json!({"@path": "n"}),
        &json!({"n": 12_345_678_901_234_567_890_u64}),
        Some(json!(12_345_678_901_234_567_000_f64)),
    );
    gives(&json!({"@json": {"mode": "decode", "value": "[-0.0,1e2]"}}), &json!({}), Some(json!([0, 100])));
    gives(
        &json!({"@template": "{{n}}"}),
        &json!({"n": 123_456_789_012_345_678_901_f64}),
        Some(json!("123456789012345680000")),
    );
}

#[test]
fn a_mapping_that_is_no_object_becomes_one() {
    for (mapping, expected) in [
        (json!([{"@path": "a"}, 2]), json!({"0": 1, "1": 2})),
        (json!("a😀"), json!({"0": "a", "1": "\u{fffd}", "2": "\u{fffd}"})),
        (json!(5), json!({})),
        (json!(false), json!({})),
    ] {
        assert_eq!(resolve(&mapping, &json!({"a": 1})), Ok(Some(expected)), "{mapping}");
    }
    fails(&json!(null), &json!({}), "TypeError");
}

#[test]
fn the_root_directive_takes_the_other_members() {
    let root = |directive| json!({"__segment_internal_directive": directive, "a": {"@path": "k"}});
    let event = json!({"u": 7});
    let transform = json!({"@transform": {"apply": {"k": {"@path": "u"}}, "mapping": 1}});
    assert_eq!(resolve(&root(transform), &event), Ok(Some(json!({"a": 7}))));
    // An array of one is an array like any other; within it, a directive beside a member is none.
    assert_eq!(resolve(&root(json!([{"@path": "u"}])), &event), Ok(Some(json!([{"@path": "u", "mapping": {}}]))));
    assert_eq!(resolve(&root(json!({"@arrayPath": ["u"]})), &event), Ok(Some(json!(7))));
    for misused in [json!({}), json!("x"), json!(5), json!({"@path": "u"}), json!({"@if": {}, "_metadata": {}})] {
        assert!(fails(&root(misused), &event, "Error").is_static());
    }
    assert!(fails(&root(json!(null)), &event, "TypeError").is_static());
}

#[test]
fn a_nested_apply_is_rewritten_too() {
    let inner = json!({"@transform": {"apply": {"k": {"@path": "u"}}, "mapping": {}}});
    let apply = json!({"__segment_internal_directive": inner, "b": {"@path": "k"}});
    gives(&json!({"@transform": {"apply": apply, "mapping": {"@path": "b"}}}), &json!({"u": 3}), Some(json!(3)));
}

#[test]
fn conditions() {
    let condition = |test: &str, path: &str| json!({"@if": {test: {"@path": path}, "then": 1, "else": 2}});
    let event =
        json!({"zero": 0, "text": " ", "zeros": [0], "nulls": [null], "nested": [[[]]], "object": {}, "no": false});
    for (path, exists, filled) in [
        ("zero", 1, 2),
        ("text", 1, 1),
        ("zeros", 1, 1),
        ("nulls", 1, 2),
        ("nested", 1, 2),
        ("object", 1, 1),
        ("no", 1, 2),
        ("none", 2, 2),
    ] {
        gives(&condition("exists", path), &event, Some(json!(exists)));
        gives(&condition("blank", path), &event, Some(json!(filled)));
    }
    gives(&json!({"@if": {"exists": {"@path": "none"}, "else": 0}}), &event, None);
}

#[test]
fn cases() {
    let case = |operator: &str, value: &str| json!({"@case": {"operator": operator, "value": value}});
    gives(&case("upper", "straße"), &json!({}), Some(json!("STRASSE")));
    gives(&case("lower", "ΟΔΟΣ"), &json!({}), Some(json!("οδος")));
    gives(&json!({"@case": {"operator": "none", "value": {"@path": "n"}}}), &json!({"n": 5}), Some(json!(5)));
    gives(&case("upper", ""), &json!({}), None);
}

#[test]
fn merging_deletes_what_is_undefined_and_spreads_what_is_no_object() {
    let merge = |direction: &str| {
        json!({"@merge": {"direction": direction, "objects": [
            {"a": 1, "b": 1}, {"a": {"@path": "none"}, "c": {"@excludeWhenNull": null}}, {"@path": "word"}, {"@path": "none"},
        ]}})
    };
    let event = json!({"word": "xy"});
    gives(&merge("right"), &event, Some(json!({"0": "x", "1": "y", "b": 1})));
    gives(&merge("left"), &event, Some(json!({"0": "x", "1": "y", "a": 1, "b": 1})));
    gives(&merge("LEFT"), &event, Some(json!({"0": "x", "1": "y", "b": 1})));
}

#[test]
fn keys_that_are_indices_come_first_in_text() {
    let encode = json!({"@json": {"mode": "encode", "value": {"@path": "o"}}});
    let event = json!({"o": {"b": 1, "10": 2, "9": 3, "01": 4, "a": 5}});
    gives(&encode, &event, Some(json!(r#"{"9":3,"10":2,"b":1,"01":4,"a":5}"#)));
}

#[test]
fn json_that_cannot_be_held_is_not_taken_for_text() {
    let decode = json!({"out": {"@json": {"mode": "decode", "value": {"@path": "t"}}}});
    for text in ["1e400".to_owned(), format!("{}{}", "[".repeat(200), "]".repeat(200)), r#""\ud800""#.to_owned()] {
        fails(&decode, &json!({ "t": text }), "Error");
    }
    gives(&json!({"@json": {"mode": "decode", "value": "1e400x"}}), &json!({}), Some(json!("1e400x")));
}

#[test]
fn a_transform_sees_only_what_its_first_step_gave() {
    let event = json!({"a": {"n": null, "m": 1}, "list": [1]});
    let transform = |apply, mapping| json!({"@transform": {"apply": apply, "mapping": mapping}});
    let apply = json!({"x": {"@excludeWhenNull": {"@path": "a"}}, "gone": {"@path": "none"}});
    gives(&transform(apply, json!({"@path": ""})), &event, Some(json!({"x": {"m": 1}})));
    let holes = json!({"h": [{"@path": "none"}]});
    gives(
        &transform(holes, json!({"@if": {"exists": {"@path": "h.0"}, "then": 1, "else": 2}})),
        &event,
        Some(json!(2)),
    );
    let each = transform(json!({"w": {"@path": ""}}), json!({"@path": "w"}));
    fails(&json!({"@arrayPath": ["list", each]}), &event, "Error");
}

#[test]
fn flattening() {
    let flatten = |value, keep| json!({"@flatten": {"value": value, "separator": "-", "omitArrays": keep}});
    let value = json!({"a": {"b": [1, {"c": null}], "": 2}, "e": {}, "": {"d": 3}});
    gives(&flatten(value.clone(), false), &json!({}), Some(json!({"a-b-0": 1, "a-b-1-c": null, "a-": 2, "d": 3})));
    gives(&flatten(value, true), &json!({}), Some(json!({"a-b": [1, {"c": null}], "a-": 2, "d": 3})));
    gives(&flatten(json!(5), false), &json!({}), Some(json!({"": 5})));
}
