//! `/rest/conversionEvents`: takes conversions, counts each (conversion, eventId) once, and notices when a repeat is not the same.

use super::super::faults::ElementStatus;
use super::super::options::{BatchMode, Switches};
use super::super::wire::{Answer, Applied, Effects, Key};
use super::Call;
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

/// What is wrong with an event.
type Fault = &'static str;

pub(super) fn create(store: &mut Conversions, call: &Call<'_>) -> Answer {
    if call.head.header("x-restli-protocol-version") != Some("2.0.0") {
        return bad_request("X-Restli-Protocol-Version must be 2.0.0");
    }
    let Some(body) = call.body else { return bad_request("The body is not JSON") };
    match call.head.header("x-restli-method") {
        None => create_one(store, call, body),
        Some(method) if method.eq_ignore_ascii_case("batch_create") => create_many(store, call, body),
        Some(_) => bad_request("X-RestLi-Method is not supported on this resource"),
    }
}

fn create_one(store: &mut Conversions, call: &Call<'_>, event: &Value) -> Answer {
    if let Err(fault) = check(event, call.switches, call.now) {
        return bad_request(fault);
    }
    let mut answer = Answer::empty(201);
    store.apply(event, call.now, &mut answer.effects);
    answer
}

fn create_many(store: &mut Conversions, call: &Call<'_>, body: &Value) -> Answer {
    let Some(elements) = body.get("elements").and_then(Value::as_array).filter(|list| !list.is_empty()) else {
        return bad_request("elements must be a list that is not empty");
    };
    if elements.len() > call.switches.max_elements {
        let message = format!("A batch holds at most {} elements", call.switches.max_elements);
        return Answer::error(413, "PAYLOAD_TOO_LARGE", message);
    }
    let checked: Vec<Result<(), Fault>> = elements.iter().map(|event| check(event, call.switches, call.now)).collect();
    if call.switches.batch_mode == BatchMode::AllOrNothing422 && checked.iter().any(Result::is_err) {
        return Answer::error(422, "INVALID_BATCH", all_faults(&checked));
    }
    let mut effects = Effects::default();
    let statuses: Vec<Value> = (0..)
        .zip(elements.iter().zip(&checked))
        .map(|(index, (event, checked))| {
            let told = call.element_statuses.iter().find(|told| told.index == index);
            let (status, takes_effect) = element_answer(told, *checked);
            if takes_effect {
                store.apply(event, call.now, &mut effects);
            }
            status
        })
        .collect();
    Answer { effects, ..Answer::json(200, json!({"elements": statuses})) }
}

fn element_answer(told: Option<&ElementStatus>, checked: Result<(), Fault>) -> (Value, bool) {
    let refused =
        |status: u16, message: &str| json!({"status": status, "error": {"status": status, "message": message}});
    match (told, checked) {
        (Some(told), _) if !(200..300).contains(&told.status) => (refused(told.status, &told.message), false),
        (Some(told), Ok(())) => (json!({"status": told.status}), true),
        (None, Ok(())) => (json!({"status": 201}), true),
        (_, Err(fault)) => (refused(400, fault), false),
    }
}

fn all_faults(checked: &[Result<(), Fault>]) -> String {
    let lines = checked
        .iter()
        .enumerate()
        .filter_map(|(index, checked)| checked.err().map(|fault| format!("Index: {index}, ERROR :: {fault}\n")));
    lines.collect()
}

fn bad_request(message: &str) -> Answer {
    Answer::error(400, "ILLEGAL_ARGUMENT", message)
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
        effects.applied.push(Applied { resource: NAME, key, value: event.clone() });
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

fn check(event: &Value, switches: &Switches, now: u64) -> Result<(), Fault> {
    check_conversion(event.get("conversion"), switches)?;
    check_time(event.get("conversionHappenedAt"), switches, now)?;
    if event.get("eventId").is_some_and(|id| id.as_str().is_none_or(str::is_empty)) {
        return Err("eventId must be a text that is not empty");
    }
    event.get("conversionValue").map_or(Ok(()), check_value)?;
    check_user(event.get("user"), switches)
}

fn check_conversion(urn: Option<&Value>, switches: &Switches) -> Result<(), Fault> {
    let urn = urn.and_then(Value::as_str).unwrap_or_default();
    let id = urn.strip_prefix("urn:lla:llaPartnerConversion:").unwrap_or_default();
    match &switches.known_conversions {
        _ if !is_digits(id) => Err("conversion must be a URN of the form urn:lla:llaPartnerConversion:<id>"),
        Some(known) if !known.contains(urn) => Err("conversion does not exist"),
        _ => Ok(()),
    }
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
