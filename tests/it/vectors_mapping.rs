//! Mappings, as the reference implementation resolved them.

use outlast::route::mapping::{Mapping, MappingError};
use serde_json::Value;

use crate::vectors::{Tally, load};

#[test]
fn mappings_resolve_as_recorded() {
    let mut tally = Tally::new("mapping.json");
    let mut liquid = Tally::new("mapping.json, only those with @liquid");
    for case in load("mapping.json") {
        let outcome = judged(&case);
        let note = format!("{} {}", case["note"].as_str().unwrap_or_default(), case["mapping"]);
        let tallies = [Some(&mut tally), is_liquid(&case["mapping"]).then_some(&mut liquid)];
        for tally in tallies.into_iter().flatten() {
            match (&outcome, stance(&case)) {
                (Ok(()), _) => tally.pass(),
                (Err(_), Some(reason)) => tally.exclude(&note, reason),
                (Err(why), None) => tally.fail(&note, why),
            }
        }
    }
    // The smaller group first, so that a failure prints both.
    let failed = std::panic::catch_unwind(|| liquid.finish()).is_err();
    tally.finish();
    assert!(!failed);
}

/// Why a case that differs need not agree: a rule, and its reason.
fn stance(case: &Value) -> Option<&'static str> {
    let note = case["note"].as_str().unwrap_or_default();
    note.contains("built-in member").then_some("members of JavaScript's own objects are not of the event")
}

fn is_liquid(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(key, member)| key == "@liquid" || is_liquid(member)),
        Value::Array(items) => items.iter().any(is_liquid),
        _ => false,
    }
}

fn judged(case: &Value) -> Result<(), String> {
    let resolved = resolved(&case["mapping"], &case["payload"]);
    match (&resolved, case["error"].as_str()) {
        (Err(error), Some(class)) if error.class_name() == class => Ok(()),
        (Err(error), expected) => Err(format!("{} ({error}) instead of {expected:?}", error.class_name())),
        (Ok(output), Some(class)) => Err(format!("{output:?} instead of {class}")),
        (Ok(output), None) => {
            let nothing = case["note"].as_str().unwrap_or_default().ends_with("[result is undefined]");
            let expected = (!nothing).then_some(&case["output"]);
            let same = match (output, expected) {
                (Some(output), Some(expected)) => equal(output, expected),
                (None, None) => true,
                _ => false,
            };
            if same { Ok(()) } else { Err(format!("{output:?} instead of {expected:?}")) }
        }
    }
}

/// The event is looked at before the mapping.
fn resolved(mapping: &Value, payload: &Value) -> Result<Option<Value>, MappingError> {
    Mapping::admits(payload)?;
    Mapping::new(mapping)?.resolve(payload)
}

/// Numbers are compared as numbers: 1 is 1.0. The order of members does not matter.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => left == right,
    }
}
