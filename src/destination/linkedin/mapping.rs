//! Which part of the event becomes which field.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

/// Takes the fields of the action `streamConversion` out of an event: `conversionHappenedAt`, `conversionValue`, `eventId`,
/// `email`, `linkedInUUID`, `acxiomID`, `oracleID`, `userInfo`, `externalIds`. Other members are ignored.
///
/// It must be a function of the event alone: the request is made again from the event when an answer is read.
#[derive(Clone)]
pub struct Mapping(Arc<Resolve>);

type Resolve = dyn Fn(&Map<String, Value>) -> Map<String, Value> + Send + Sync;

impl Mapping {
    /// The mapping that `resolve` is.
    #[must_use]
    pub fn new(resolve: impl Fn(&Map<String, Value>) -> Map<String, Value> + Send + Sync + 'static) -> Self {
        Mapping(Arc::new(resolve))
    }

    pub(super) fn resolve(&self, event: &Map<String, Value>) -> Map<String, Value> {
        (self.0)(event)
    }
}

/// The action's own: `$.timestamp`, `$.properties.currency`, `$.properties.revenue`, `$.messageId`, `$.traits.email`.
impl Default for Mapping {
    fn default() -> Self {
        Mapping::new(resolve)
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mapping")
    }
}

fn resolve(event: &Map<String, Value>) -> Map<String, Value> {
    let value = object([
        ("currencyCode", at(event, &["properties", "currency"])),
        ("amount", at(event, &["properties", "revenue"])),
    ]);
    object([
        ("conversionHappenedAt", at(event, &["timestamp"])),
        // The object is there even when the event has neither member; an event without a value is then refused.
        ("conversionValue", Some(Value::Object(value))),
        ("eventId", at(event, &["messageId"])),
        ("email", at(event, &["traits", "email"])),
    ])
}

fn at(event: &Map<String, Value>, path: &[&str]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(event.get(*first)?, |value, key| value.get(key)).cloned()
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Mapping;

    fn resolved(event: &Value) -> Value {
        Value::Object(Mapping::default().resolve(event.as_object().unwrap()))
    }

    #[test]
    fn takes_five_members_and_no_other() {
        let event = json!({
            "type": "track", "messageId": "m-1", "timestamp": 17, "userId": "u-1", "traits": {"email": "a@example.org", "age": 3},
            "properties": {"currency": "EUR", "revenue": 1.5, "plan": "gold"},
        });
        let expected = json!({
            "conversionHappenedAt": 17, "conversionValue": {"currencyCode": "EUR", "amount": 1.5}, "eventId": "m-1",
            "email": "a@example.org",
        });
        assert_eq!(resolved(&event), expected);
    }

    #[test]
    fn what_is_not_there_is_left_out_except_the_value() {
        assert_eq!(resolved(&json!({"traits": "none", "properties": [1]})), json!({"conversionValue": {}}));
    }
}
