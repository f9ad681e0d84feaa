//! Batches: each element is checked, takes effect or not, and is answered in its place.

use super::super::faults::ElementStatus;
use super::super::wire::{Answer, Effects};
use super::{Call, Refusal};
use serde_json::{Value, json};

/// What is wrong with an element.
pub(super) type Fault = &'static str;

/// The elements of a batch.
pub(super) fn sent<'a>(call: &Call<'a>) -> Result<&'a [Value], Refusal> {
    let elements = call.json()?.get("elements").and_then(Value::as_array).filter(|list| !list.is_empty());
    let elements = elements.ok_or_else(|| Refusal::bad("elements must be a list that is not empty"))?;
    check_size(call, elements.len())?;
    Ok(elements)
}

/// Checks the size of a batch.
pub(super) fn check_size(call: &Call<'_>, size: usize) -> Result<(), Refusal> {
    let most = call.switches.max_elements;
    if size <= most {
        return Ok(());
    }
    Err(Refusal::new(413, "PAYLOAD_TOO_LARGE", format!("A batch holds at most {most} elements")))
}

/// Applies the elements that are good, in their order, and answers each. A fault rule has the last word on an element's status.
pub(super) fn answer<T>(
    call: &Call<'_>,
    checked: impl IntoIterator<Item = Result<T, Fault>>,
    mut apply: impl FnMut(T, &mut Effects),
) -> Answer {
    let mut effects = Effects::default();
    let statuses: Vec<Value> = (0..)
        .zip(checked)
        .map(|(index, checked)| {
            let told = call.element_statuses.iter().find(|told| told.index == index);
            match settle(told, checked) {
                Ok((status, good)) => {
                    apply(good, &mut effects);
                    json!({"status": status})
                }
                Err((status, message)) => json!({"status": status, "error": {"status": status, "message": message}}),
            }
        })
        .collect();
    Answer { effects, ..Answer::json(200, json!({"elements": statuses})) }
}

/// What becomes of an element, with the status that it is answered.
pub(super) fn settle<T>(told: Option<&ElementStatus>, checked: Result<T, Fault>) -> Result<(u16, T), (u16, &str)> {
    match (told, checked) {
        (Some(told), _) if !(200..300).contains(&told.status) => Err((told.status, &told.message)),
        (Some(told), Ok(good)) => Ok((told.status, good)),
        (None, Ok(good)) => Ok((201, good)),
        (_, Err(fault)) => Err((400, fault)),
    }
}
