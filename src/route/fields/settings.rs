//! Settings that were checked: what they say, and what must not be printed.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::condition::find;
use super::field::Field;
use super::place::Place;
use crate::secret::Secret;

/// The settings of a destination. Its `Debug` shows that there are secrets, and no more.
#[derive(Clone, Default)]
pub struct Settings {
    values: Map<String, Value>,
    secrets: BTreeMap<String, Vec<Secret>>,
}

impl Settings {
    /// Moves the texts of secret fields out of `values`.
    pub(super) fn sealed(fields: &[Field], mut values: Map<String, Value>) -> Self {
        let mut secrets = BTreeMap::new();
        seal(fields, &mut values, &Place::Root, &mut secrets);
        Settings { values, secrets }
    }

    /// The text of a setting: `name`, or `parent.child`. Blank text is none.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value(key)?.as_str().filter(|text| !crate::js::text::trim(text).is_empty())
    }

    /// The number of a setting.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f64> {
        self.value(key)?.as_f64()
    }

    /// The whole number of a setting, if it is within the bounds of `i64`.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        let value = self.value(key)?;
        // A whole number may have been written as 5.0; without its fraction it prints as one that can be read back.
        value.as_i64().or_else(|| value.as_f64().filter(|it| it.fract() == 0.0)?.to_string().parse().ok())
    }

    /// Whether a setting is `true`. One that is not there is not.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.value(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The items of a setting that is a list; none when it is not there.
    #[must_use]
    pub fn list(&self, key: &str) -> &[Value] {
        self.value(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// A setting as it was given; secrets are not among them.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        find(&self.values, key)
    }

    /// The secret of a setting; of a list, the first.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<&Secret> {
        self.secrets(key).first()
    }

    /// The secrets of a setting that is a list, in their order.
    #[must_use]
    pub fn secrets(&self, key: &str) -> &[Secret] {
        self.secrets.get(key).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_map();
        shown.entries(&self.values);
        shown.entries(self.secrets.keys().map(|key| (key, format_args!("[secret]"))));
        shown.finish()
    }
}

/// Walks along the schema, which is as deep as its author made it.
fn seal(
    fields: &[Field],
    object: &mut Map<String, Value>,
    place: &Place<'_>,
    secrets: &mut BTreeMap<String, Vec<Secret>>,
) {
    for field in fields {
        let place = Place::Member(place, &field.key);
        if field.is_secret() {
            if let Some(value) = object.shift_remove(&field.key) {
                let texts = secret_texts(value);
                if !texts.is_empty() {
                    secrets.insert(place.dotted(), texts);
                }
            }
            continue;
        }
        let Some(members) = &field.properties else { continue };
        match object.get_mut(&field.key) {
            Some(Value::Object(inner)) => seal(members, inner, &place, secrets),
            Some(Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if let Value::Object(inner) = item {
                        seal(members, inner, &Place::Item(&place, index), secrets);
                    }
                }
            }
            _ => {}
        }
    }
}

fn secret_texts(value: Value) -> Vec<Secret> {
    match value {
        Value::Array(items) => items.into_iter().filter_map(secret_text).collect(),
        one => secret_text(one).into_iter().collect(),
    }
}

/// A secret is a text; of another type it is hidden all the same. Blanks are none.
fn secret_text(value: Value) -> Option<Secret> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    (!crate::js::text::trim(&text).is_empty()).then(|| Secret::new(text))
}
