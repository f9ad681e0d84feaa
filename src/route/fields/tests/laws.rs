//! Laws that hold for every payload.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::route::fields::coerce::fits;
use crate::route::fields::{Condition, Empties, Field, Format, Schema};

fn schema() -> Schema {
    let members = [Field::text("s").required(), Field::number("n"), Field::text("l").multiple().allow_null()];
    Schema::new([
        Field::text("s"),
        Field::number("n").allow_null(),
        Field::integer("i").minimum(0),
        Field::boolean("b"),
        Field::datetime("d").allow_null(),
        Field::text("l").multiple(),
        Field::number("ln").multiple(),
        Field::text("c").choices(["x", "1"]).required_when(Condition::is("b", true)),
        Field::text("f").format(Format::Regex),
        Field::object("o").properties(members.clone()),
        Field::object("lo").multiple().properties(members),
        Field::object("free").allow_null(),
    ])
}

/// JSON of a kind that nearly fits.
fn value() -> impl Strategy<Value = Value> {
    let texts = ["", " ", "x", "1", " 5 ", "true", "2026-03-14", "a**", "[a-"];
    let numbers = [json!(0), json!(1), json!(5.5), json!(-3), json!(1e300), json!(u64::MAX)];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop::sample::select(numbers.to_vec()),
        prop::sample::select(texts.to_vec()).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from);
        prop_oneof![items, payload(inner).prop_map(Value::from)]
    })
}

fn payload(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Map<String, Value>> {
    let keys = ["s", "n", "i", "b", "d", "l", "ln", "c", "f", "o", "lo", "free", "strange", "x/y~z"];
    let key = prop::sample::select(keys.to_vec()).prop_map(String::from);
    prop::collection::vec((key, value), 0..5).prop_map(|members| members.into_iter().collect())
}

/// Whether all that is there is declared and of its type.
fn is_typed(fields: &[Field], object: &Map<String, Value>) -> bool {
    object.iter().all(|(key, value)| {
        let Some(field) = fields.iter().find(|field| field.key == *key) else { return false };
        let one = |value: &Value| {
            let members = value.as_object().zip(field.properties.as_deref());
            fits(field, value) && members.is_none_or(|(object, fields)| is_typed(fields, object))
        };
        if field.multiple { value.as_array().is_some_and(|items| items.iter().all(one)) } else { one(value) }
    })
}

proptest! {
    #[test]
    fn what_is_clean_is_typed_and_stays_as_it_is(payload in payload(value())) {
        let schema = schema();
        for empties in [Empties::Blank, Empties::Batch, Empties::Single] {
            let Ok(once) = schema.clean(payload.clone(), empties) else { continue };
            prop_assert!(is_typed(schema.fields(), &once.payload), "{:?}", once.payload);
            // The reference implementation makes empty text of `[""]` behind the step that removes it from one event,
            // and `true` of 1 behind the conditions that ask for it.
            let again = schema.clean(once.payload.clone(), empties);
            if empties == Empties::Blank {
                prop_assert_eq!(again.as_ref().map(|twice| twice.undeclared.len()), Ok(0));
            }
            if let (Ok(twice), false) = (again, empties == Empties::Single) {
                prop_assert_eq!(twice.payload, once.payload);
            }
        }
    }

    #[test]
    fn every_fault_has_a_place_a_message_and_a_remedy(payload in payload(value())) {
        let schema = schema();
        let results = [schema.clean(payload.clone(), Empties::Blank).err(), schema.settings(payload).err()];
        for fault in results.iter().flatten().flat_map(|faults| faults.iter()) {
            prop_assert!(!fault.place.is_empty() && fault.message.ends_with('.'), "{:?}", fault);
            prop_assert!(fault.remedy.ends_with(['.', '?']) && !fault.remedy.contains(".."), "{:?}", fault);
        }
    }

    #[test]
    fn what_settings_take_as_it_is_a_mapping_may_give_too(payload in payload(value())) {
        let (schema, kept) = (schema(), payload.clone());
        if schema.settings(payload).is_ok() {
            prop_assert!(schema.clean(kept, Empties::Batch).is_ok());
        }
    }
}
