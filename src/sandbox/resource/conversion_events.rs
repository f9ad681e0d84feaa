//! `/rest/conversionEvents`: takes conversions, counts each (conversion, eventId) once, and notices when a repeat is not the same.

use super::super::choices::BatchMode;
use super::super::options::Switches;
use super::super::wire::{Answer, Applied, Effects, Key};
use super::conversion_rules::Rules;
use super::elements::{self, Fault};
use super::{Call, Refusal};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What `applied` calls a conversion in the audit log.
pub(in super::super) const NAME: &str = "conversionEvents";

/// Every conversion that counted.
#[derive(Default)]
pub(in super::super) struct Conversions {
    keyed: HashMap<(String, String), Counted>,
    unkeyed: Vec<Value>,
}

struct Counted {
    body: Value,
    at: u64,
    duplicates: u64,
    conflicts: u64,
}

pub(super) fn create(store: &mut Conversions, rules: &Rules, call: &Call<'_>) -> Result<Answer, Refusal> {
    call.check_protocol()?;
    call.check_method(&["", "BATCH_CREATE"])?;
    if !call.restli_method().is_empty() {
        return create_many(store, rules, call);
    }
    let event = call.json()?;
    check(event, rules, call).map_err(Refusal::bad)?;
    let mut answer = Answer::empty(201);
    store.apply(event, call.now, &mut answer.effects);
    Ok(answer)
}

fn create_many(store: &mut Conversions, rules: &Rules, call: &Call<'_>) -> Result<Answer, Refusal> {
    let elements = elements::sent(call)?;
    let checked: Vec<Result<&Value, Fault>> =
        elements.iter().map(|event| check(event, rules, call).map(|()| event)).collect();
    if call.switches.batch_mode == BatchMode::AllOrNothing422 && checked.iter().any(Result::is_err) {
        return Err(Refusal::new(422, "INVALID_BATCH", all_faults(&checked)));
    }
    Ok(elements::answer(call, checked, |event, effects| store.apply(event, call.now, effects)))
}

fn all_faults(checked: &[Result<&Value, Fault>]) -> String {
    let lines = checked
        .iter()
        .enumerate()
        .filter_map(|(index, checked)| checked.err().map(|fault| format!("Index: {index}, ERROR :: {fault}\n")));
    lines.collect()
}

impl Conversions {
    fn apply(&mut self, event: &Value, now: u64, effects: &mut Effects) {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let (conversion, id) = (text("conversion"), text("eventId"));
        let key = format!("{conversion}#{id}");
        if id.is_empty() {
            self.unkeyed.push(event.clone());
        } else {
            let pair = (conversion.to_owned(), id.to_owned());
            if let Some(counted) = self.keyed.get_mut(&pair) {
                return counted.repeat(event, key, effects);
            }
            self.keyed.insert(pair, Counted { body: event.clone(), at: now, duplicates: 0, conflicts: 0 });
        }
        effects.applied.push(Applied::new(NAME, key, event.clone()));
    }

    /// All that counted, sorted by key.
    pub(in super::super) fn list(&self) -> Value {
        let mut keyed: Vec<_> = self.keyed.iter().collect();
        keyed.sort_by_key(|(key, _)| *key);
        let row = |((conversion, id), counted): (&(String, String), &Counted)| {
            json!({
                "conversion": conversion, "event_id": id, "body": counted.body, "at_ms": counted.at,
                "duplicates": counted.duplicates, "conflicts": counted.conflicts,
            })
        };
        json!({"keyed": keyed.into_iter().map(row).collect::<Vec<_>>(), "unkeyed": self.unkeyed})
    }
}

impl Counted {
    fn repeat(&mut self, event: &Value, key: String, effects: &mut Effects) {
        let key = Key { resource: NAME, key };
        if self.body == *event {
            self.duplicates = self.duplicates.saturating_add(1);
            effects.duplicate.push(key);
        } else {
            self.conflicts = self.conflicts.saturating_add(1);
            effects.conflict.push(key);
        }
    }
}

fn check(event: &Value, rules: &Rules, call: &Call<'_>) -> Result<(), Fault> {
    let switches = call.switches;
    let conversion = event.get("conversion").and_then(Value::as_str).unwrap_or_default();
    rules.check(conversion, switches)?;
    check_time(event.get("conversionHappenedAt"), switches, call.now)?;
    if event.get("eventId").is_some_and(|id| id.as_str().is_none_or(str::is_empty)) {
        return Err("eventId must be a text that is not empty");
    }
    event.get("conversionValue").map_or(Ok(()), check_value)?;
    check_user(event.get("user"), switches)
}

// The future is accepted, as it is by the destination that this stands in for.
fn check_time(at: Option<&Value>, switches: &Switches, now: u64) -> Result<(), Fault> {
    let at = at.and_then(Value::as_u64).ok_or("conversionHappenedAt must be an integer of milliseconds")?;
    match switches.conversion_age_limit_ms {
        Some(limit) if at.saturating_add(limit) < now => Err("conversionHappenedAt is too old"),
        _ => Ok(()),
    }
}

fn check_value(value: &Value) -> Result<(), Fault> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let amount = text("amount").ok_or("conversionValue.amount must be a decimal as text")?;
    let digits = amount.strip_prefix('-').unwrap_or(amount);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    if !is_digits(whole) || !is_digits(fraction) {
        return Err("conversionValue.amount must be a decimal as text");
    }
    let currency = text("currencyCode").unwrap_or_default();
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err("conversionValue.currencyCode must have 3 letters");
    }
    Ok(())
}

fn check_user(user: Option<&Value>, switches: &Switches) -> Result<(), Fault> {
    let user = user.filter(|user| user.is_object()).ok_or("user must be an object")?;
    let ids = match user.get("userIds") {
        None => &[],
        Some(ids) => ids.as_array().ok_or("user.userIds must be a list")?.as_slice(),
    };
    ids.iter().try_for_each(|id| check_id(id, switches))?;
    let info = |name: &str| {
        let text = user.get("userInfo").and_then(|info| info.get(name)).and_then(Value::as_str);
        text.is_some_and(|text| !text.trim().is_empty())
    };
    if ids.is_empty() && !(info("firstName") && info("lastName")) {
        return Err("user needs userIds, or userInfo with firstName and lastName");
    }
    Ok(())
}

fn check_id(id: &Value, switches: &Switches) -> Result<(), Fault> {
    let text = |name: &str| id.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, value) = (text("idType"), text("idValue"));
    if !switches.accepted_id_types.contains(kind) {
        return Err("user.userIds.idType is not known");
    }
    if kind == "SHA256_EMAIL" && !(value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err("user.userIds.idValue of a SHA256_EMAIL must have 64 hexadecimal digits");
    }
    if value.is_empty() { Err("user.userIds.idValue must not be empty") } else { Ok(()) }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
