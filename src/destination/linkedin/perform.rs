//! LinkedIn's operations by their names.

use serde_json::{Map, Value};

use super::operations::{self, Task};
use super::{Api, Audiences, Conversions};
use crate::destination::{Operation, Trouble};

/// What the conversions destination can be asked: `test`, `rule.create`, `rule.update`, `rule.associate`, and `choices.` with
/// the name of an input of those. Inputs are an object; `saved` in it is what an earlier rule operation saved.
pub(super) fn conversions(it: &Conversions, name: &str, inputs: &Value) -> Result<Box<dyn Operation>, Trouble> {
    let task = match name {
        "test" => return Ok(Box::new(operations::test_conversions(&it.api))),
        "rule.create" => Task::Create,
        "rule.update" => Task::Update,
        "rule.associate" => Task::Associate,
        other => return choices(&it.api, other, inputs),
    };
    let mut inputs = object(inputs);
    let saved = inputs.shift_remove("saved");
    let saved = saved.as_ref().and_then(Value::as_object);
    Ok(Box::new(operations::rule(&it.api, task, &inputs, saved)?))
}

/// What the audiences destination can be asked: `test`.
pub(super) fn audiences(it: &Audiences, name: &str) -> Result<Box<dyn Operation>, Trouble> {
    match name {
        "test" => Ok(Box::new(operations::test_audiences(it))),
        other => Err(Trouble::no_operation(other)),
    }
}

fn choices(api: &Api, name: &str, inputs: &Value) -> Result<Box<dyn Operation>, Trouble> {
    let field = name.strip_prefix("choices.").ok_or_else(|| Trouble::no_operation(name))?;
    Ok(Box::new(operations::choices(api, field, &object(inputs))?))
}

fn object(inputs: &Value) -> Map<String, Value> {
    inputs.as_object().cloned().unwrap_or_default()
}
