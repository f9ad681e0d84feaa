//! `/crm/v1/contacts`: a made-up CRM, for destinations that are declared. Contacts are told apart by their e-mail, and repeats by
//! `Idempotency-Key`, which stands in the header or, in a batch, in each input; one in the header of a batch counts for its inputs
//! by their places.

use super::super::wire::{Answer, Applied, Effects, Key};
use super::elements::{self, Fault};
use super::{Call, Refusal};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What `applied` calls a contact in the audit log.
const NAME: &str = "crmContacts";

/// The member of an input that is its key. It is no part of the contact.
const KEY: &str = "idempotencyKey";

/// As the draft of the header's standard has it, a key is short.
const LONGEST_KEY: usize = 255;

/// Every contact, and every key that came with one.
#[derive(Default)]
pub(in super::super) struct Contacts {
    by_email: BTreeMap<String, Contact>,
    keyed: BTreeMap<String, Known>,
}

struct Contact {
    id: usize,
    body: Value,
    changes: u64,
}

/// What came with a key, and what was answered.
struct Known {
    body: Value,
    email: String,
    status: u16,
    duplicates: u64,
    conflicts: u64,
}

/// An input that is in order.
struct Input {
    key: Option<String>,
    email: String,
    body: Value,
}

pub(super) fn upsert(store: &mut Contacts, call: &Call<'_>) -> Result<Answer, Refusal> {
    let input = checked(call.json()?, header(call)?).map_err(Refusal::bad)?;
    let mut effects = Effects::default();
    let email = input.email.clone();
    let status = store.take(input, &mut effects);
    if status == CONFLICT {
        return Ok(Answer { effects, ..Answer::error(status, "IDEMPOTENCY_CONFLICT", ANOTHER) });
    }
    let id = store.by_email.get(&email).map(|contact| format!("c-{}", contact.id));
    Ok(Answer { effects, ..Answer::json(status, json!({ "id": id })) })
}

pub(super) fn upsert_many(store: &mut Contacts, call: &Call<'_>) -> Result<Answer, Refusal> {
    let inputs = call.json()?.get("inputs").and_then(Value::as_array).filter(|inputs| !inputs.is_empty());
    let inputs = inputs.ok_or_else(|| Refusal::bad("inputs must be a list that is not empty"))?;
    elements::check_size(call, inputs.len())?;
    let whole = header(call)?;
    let mut effects = Effects::default();
    let mut results = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.iter().enumerate() {
        let told = call.element_statuses.iter().find(|told| told.index == index);
        let key = whole.map(|key| format!("{key}/{index}"));
        results.push(match elements::settle(told, checked(input, key.as_deref())) {
            Ok((_, good)) => match store.take(good, &mut effects) {
                CONFLICT => result(CONFLICT, Some(ANOTHER)),
                status => result(told.map_or(status, |told| told.status), None),
            },
            Err((status, message)) => result(status, Some(message)),
        });
    }
    Ok(Answer { effects, ..Answer::json(200, json!({ "results": results })) })
}

fn result(status: u16, error: Option<&str>) -> Value {
    json!({ "status": status, "error": error })
}

/// The key in the header.
fn header<'a>(call: &Call<'a>) -> Result<Option<&'a str>, Refusal> {
    match call.head.header("idempotency-key") {
        Some(key) if key.is_empty() || key.len() > LONGEST_KEY => {
            Err(Refusal::bad("Idempotency-Key must have 1 to 255 characters"))
        }
        key => Ok(key),
    }
}

/// The input's own key counts before that of the request.
fn checked(input: &Value, key: Option<&str>) -> Result<Input, Fault> {
    let mut body = input.as_object().ok_or("a contact must be an object")?.clone();
    let key = match body.shift_remove(KEY) {
        None => key.map(str::to_owned),
        Some(Value::String(own)) if !own.is_empty() && own.len() <= LONGEST_KEY => Some(own),
        Some(_) => return Err("idempotencyKey must be a text of 1 to 255 characters"),
    };
    let email = body.get("email").and_then(Value::as_str).ok_or("email is missing")?;
    if !is_email(email) {
        return Err("email is not an e-mail address");
    }
    if body.get("name").is_some_and(|name| !name.is_string()) {
        return Err("name must be a text");
    }
    Ok(Input { key, email: email.to_lowercase(), body: Value::Object(body) })
}

fn is_email(text: &str) -> bool {
    let parts = text.split_once('@').map(|(name, domain)| (name, domain.split('.')));
    let fits =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@');
    parts.is_some_and(|(name, mut domain)| fits(name) && domain.clone().count() > 1 && domain.all(fits))
}

impl Contacts {
    /// The status of what became of the input.
    fn take(&mut self, input: Input, effects: &mut Effects) -> u16 {
        let Input { key, email, body } = input;
        let name = Key { resource: NAME, key: key.clone().unwrap_or_else(|| email.clone()) };
        if let Some(known) = key.as_ref().and_then(|key| self.keyed.get_mut(key)) {
            return known.repeat(&body, name, effects);
        }
        let status = self.apply(&email, &body, name, effects);
        if let Some(key) = key {
            self.keyed.insert(key, Known { body, email, status, duplicates: 0, conflicts: 0 });
        }
        status
    }

    /// Without a key that was seen before, what is there already is a repeat, and anything else a change.
    fn apply(&mut self, email: &str, body: &Value, name: Key, effects: &mut Effects) -> u16 {
        let next = self.by_email.len().saturating_add(1);
        let status = match self.by_email.get_mut(email) {
            Some(contact) if contact.body == *body => {
                effects.duplicate.push(name);
                return 200;
            }
            Some(contact) => {
                contact.body = body.clone();
                contact.changes = contact.changes.saturating_add(1);
                200
            }
            None => {
                self.by_email.insert(email.to_owned(), Contact { id: next, body: body.clone(), changes: 0 });
                201
            }
        };
        effects.applied.push(Applied::new(NAME, name.key, body.clone()));
        status
    }

    /// All contacts and keys, sorted.
    pub(in super::super) fn list(&self) -> Value {
        let contacts = self.by_email.iter().map(|(email, contact)| {
            let id = format!("c-{}", contact.id);
            json!({ "email": email, "id": id, "body": contact.body, "changes": contact.changes })
        });
        let keyed = self.keyed.iter().map(|(key, known)| {
            let (duplicates, conflicts) = (known.duplicates, known.conflicts);
            json!({ "key": key, "email": known.email, "duplicates": duplicates, "conflicts": conflicts })
        });
        json!({ "contacts": contacts.collect::<Vec<_>>(), "keyed": keyed.collect::<Vec<_>>() })
    }
}

impl Known {
    fn repeat(&mut self, body: &Value, name: Key, effects: &mut Effects) -> u16 {
        if self.body == *body {
            self.duplicates = self.duplicates.saturating_add(1);
            effects.duplicate.push(name);
            self.status
        } else {
            self.conflicts = self.conflicts.saturating_add(1);
            effects.conflict.push(name);
            CONFLICT
        }
    }
}

const CONFLICT: u16 = 409;
const ANOTHER: &str = "The key came before with another body";
