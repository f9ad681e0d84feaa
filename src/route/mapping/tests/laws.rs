//! Laws over half-valid mappings and any events.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Class, Mapping};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "a",
            "$.a.b",
            "a[0]",
            "l",
            "l.length",
            "{{a}}",
            "{{{a}}} {{b",
            "lower",
            "upper",
            "left",
            "encode",
            "decode",
            "{\"a\":[1]}",
            ".",
            "@path",
            "{{ a | upcase }}",
            "{% if a %}{{ l | json }}{% endif %}",
            "{% liquid\necho a %}",
        ])
        .prop_map(String::from),
        "[a-c.$\\[\\]'\"{}%| 0-9ß😀-]{0,12}",
    ]
}

fn any() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any_of(&[json!(true), json!(false), json!(0), json!(-1.5), json!(1e300), json!([]), json!({})]),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn any_of(values: &[Value]) -> impl Strategy<Value = Value> + use<> {
    prop::sample::select(values.to_vec())
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "l", "", "0", "10", "_metadata", "@path", "a.b"]).prop_map(String::from)
}

/// A directive with arguments of mostly the right names, and mostly the right kinds.
fn directive(inner: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = Value> {
    let argument = || prop_oneof![3 => inner.clone(), 1 => any()];
    let of = |name: &'static str| argument().prop_map(move |it| json!({ name: it }));
    let word = |words: &'static [&str]| prop_oneof![5 => prop::sample::select(words).prop_map(Value::from), 1 => any()];
    prop_oneof![
        prop::sample::select(vec!["@path", "@template", "@liquid", "@json", "@bogus"])
            .prop_flat_map(|name| text().prop_map(move |it| json!({ name: it }))),
        of("@path"),
        of("@template"),
        of("@literal"),
        of("@excludeWhenNull"),
        (word(&["exists", "blank", "none"]), argument(), argument(), argument()).prop_map(
            |(test, value, then, other)| {
                json!({"@if": {test.as_str().unwrap_or("exists"): value, "then": then, "else": other}})
            }
        ),
        (word(&["lower", "upper"]), argument())
            .prop_map(|(it, value)| json!({"@case": {"operator": it, "value": value}})),
        (argument(), text(), text(), any(), prop::bool::ANY).prop_map(|(value, pattern, replacement, second, flag)| {
            json!({"@replace": {"value": value, "pattern": pattern, "replacement": replacement, "pattern2": second,
                "replacement2": "$`", "ignorecase": flag}})
        }),
        (argument(), argument()).prop_map(|(root, shape)| json!({"@arrayPath": [root, shape]})),
        (argument(), any(), any())
            .prop_map(|(it, sign, keep)| json!({"@flatten": {"value": it, "separator": sign, "omitArrays": keep}})),
        (word(&["encode", "decode", "Encode"]), argument())
            .prop_map(|(mode, it)| json!({"@json": {"mode": mode, "value": it}})),
        (word(&["left", "right", "LEFT"]), prop::collection::vec(argument(), 0..3))
            .prop_map(|(direction, objects)| json!({"@merge": {"direction": direction, "objects": objects}})),
        (argument(), argument()).prop_map(|(apply, it)| json!({"@transform": {"apply": apply, "mapping": it}})),
    ]
}

fn mapping() -> impl Strategy<Value = Value> {
    any().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            4 => directive(inner.clone()),
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            1 => prop::collection::vec((key(), inner), 0..3).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_mapping_ends_for_any_event_and_ends_the_same_way_again(mapping in mapping(), event in any()) {
        let wrapped = json!({ "out": mapping, "list": [mapping] });
        for mapping in [&mapping, &wrapped] {
            match Mapping::new(mapping) {
                Err(error) => {
                    prop_assert!(error.is_static(), "{error}");
                    prop_assert!(!error.faults().is_empty());
                }
                Ok(read) => {
                    let first = read.resolve(&event);
                    prop_assert_eq!(&first, &read.clone().resolve(&event));
                    if let Err(error) = first {
                        prop_assert!(!error.to_string().contains('\n') || matches!(error.class(), Class::Liquid(_) | Class::Directive), "{error}");
                    }
                    prop_assert!(read.paths().is_sorted());
                }
            }
        }
    }

    #[test]
    fn a_mapping_without_directives_is_its_own_result(mapping in any()) {
        let plain = !mapping.to_string().contains("\"@path\":");
        if let (true, Value::Object(_)) = (plain, &mapping) {
            prop_assert_eq!(Mapping::new(&mapping).unwrap().resolve(&json!({})), Ok(Some(as_doubles(&mapping))));
        }
    }

    #[test]
    fn any_text_is_a_liquid_template_or_an_error(template in "([a-c|:,. \"'\\[\\]()=<>{}%#-]|\\{\\{|\\}\\}|\\{%|%\\}|if |endif|raw|endraw|date|json|slice){0,40}", event in any()) {
        let mapping = json!({"a": {"@liquid": template}});
        let _ = Mapping::new(&mapping).unwrap().resolve(&json!({"a": event}));
    }
}

/// Whole numbers are written without a fraction.
fn as_doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, super::super::value::shortest),
        Value::Array(items) => items.iter().map(as_doubles).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), as_doubles(value))).collect(),
        other => other.clone(),
    }
}
