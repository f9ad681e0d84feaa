mod cleaning;
mod described;
mod laws;
mod strict;

use serde_json::{Map, Value};

use super::{Cleaned, Empties, Faults, Field, Schema};

/// The members of a JSON object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn cleaned(fields: &[Field], payload: Value, empties: Empties) -> Result<Cleaned, Faults> {
    Schema::new(fields.to_vec()).clean(object(payload), empties)
}

/// What comes out of a schema, as JSON, or the message.
fn outcome(fields: &[Field], payload: Value, empties: Empties) -> Result<Value, String> {
    cleaned(fields, payload, empties).map(|it| it.payload.into()).map_err(|faults| faults.to_string())
}
