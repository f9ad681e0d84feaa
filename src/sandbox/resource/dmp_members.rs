//! `/rest/dmpSegments/{id}/users` and `…/companies`: members join and leave, in batches. Repeats are harmless: who joins again or leaves
//! again is answered 201, too. The log's `applied` has every change in order, so that membership is the fold of it.

use super::super::accounts::numbered;
use super::super::options::Switches;
use super::super::wire::{Answer, Applied, Effects, Key};
use super::dmp_segments::{Kind, Segment, Segments};
use super::elements::{self, Fault};
use super::{Call, Refusal};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn stream(store: &mut Segments, call: &Call<'_>, id: &str, kind: Kind) -> Result<Answer, Refusal> {
    call.check_method(&["BATCH_CREATE"])?;
    let segment = store.ready(id, call.now)?;
    call.workplace(&segment.urn_of_account())?;
    if segment.kind != kind {
        return Err(Refusal::bad(format!("The segment's type is {}, not {}", segment.kind.name(), kind.name())));
    }
    let checked = elements::sent(call)?.iter().map(|element| Change::read(element, kind, call.switches));
    Ok(elements::answer(call, checked, |change, effects| change.apply(segment, effects)))
}

/// An element that is good.
struct Change<'a> {
    joins: bool,
    /// Every identity that it names: each joins or leaves by itself.
    members: BTreeSet<String>,
    element: &'a Value,
}

impl<'a> Change<'a> {
    fn read(element: &'a Value, kind: Kind, switches: &Switches) -> Result<Self, Fault> {
        let joins = match element.get("action").and_then(Value::as_str) {
            Some("ADD") => true,
            Some("REMOVE") => false,
            _ => return Err("action must be ADD or REMOVE"),
        };
        let members = match kind {
            Kind::User => user(element, switches)?,
            Kind::Company => company(element)?,
        };
        Ok(Self { joins, members, element })
    }

    fn apply(self, segment: &mut Segment, effects: &mut Effects) {
        let resource = match segment.kind {
            Kind::User => "dmpSegments/users",
            Kind::Company => "dmpSegments/companies",
        };
        let mut said = self.element.clone();
        if let Some(parts) = said.as_object_mut() {
            parts.shift_remove("action");
        }
        for member in self.members {
            let key = format!("{}/{member}", segment.id);
            let changes = if self.joins {
                segment.members.insert(member, said.clone()).as_ref() != Some(&said)
            } else {
                segment.members.remove(&member).is_some()
            };
            if changes {
                effects.applied.push(Applied::new(resource, key, self.element.clone()));
            } else {
                effects.duplicate.push(Key { resource, key });
            }
        }
    }
}

fn user(element: &Value, switches: &Switches) -> Result<BTreeSet<String>, Fault> {
    let ids = element.get("userIds").and_then(Value::as_array).filter(|ids| !ids.is_empty());
    let ids = ids.ok_or("userIds must be a list that is not empty")?;
    check_texts(element, &["firstName", "lastName", "title", "company", "country"])?;
    ids.iter().map(|id| user_id(id, switches)).collect()
}

fn user_id(id: &Value, switches: &Switches) -> Result<String, Fault> {
    let text = |name: &str| id.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, value) = (text("idType"), text("idValue"));
    let is_hash = |digits: usize| value.len() == digits && value.bytes().all(|b| b.is_ascii_hexdigit());
    match kind {
        _ if !switches.segment_id_types.contains(kind) => Err("userIds.idType is not known"),
        "SHA256_EMAIL" if !is_hash(64) => Err("userIds.idValue of a SHA256_EMAIL must have 64 hexadecimal digits"),
        "SHA512_EMAIL" if !is_hash(128) => Err("userIds.idValue of a SHA512_EMAIL must have 128 hexadecimal digits"),
        _ if value.trim().is_empty() => Err("userIds.idValue must be a text that is not empty"),
        _ => Ok(format!("{kind}:{value}")),
    }
}

fn company(element: &Value) -> Result<BTreeSet<String>, Fault> {
    check_texts(element, &["companyWebsiteDomain", "organizationUrn"])?;
    let text = |name: &str| element.get(name).and_then(Value::as_str);
    let mut members = BTreeSet::new();
    if let Some(domain) = text("companyWebsiteDomain") {
        if !is_domain(domain) {
            return Err("companyWebsiteDomain must be a domain, such as example.org");
        }
        members.insert(format!("domain:{}", domain.to_ascii_lowercase()));
    }
    if let Some(urn) = text("organizationUrn") {
        let id = numbered(urn, "urn:li:organization:");
        id.ok_or("organizationUrn must be a URN of the form urn:li:organization:<id>")?;
        members.insert(urn.to_owned());
    }
    if members.is_empty() { Err("companyWebsiteDomain or organizationUrn is needed") } else { Ok(members) }
}

fn check_texts(element: &Value, names: &[&str]) -> Result<(), Fault> {
    let is_text = |name: &&str| element.get(name).is_none_or(Value::is_string);
    if names.iter().all(is_text) { Ok(()) } else { Err("A member that must be a text is not one") }
}

/// Whether this could be one: at least two labels, and nothing of a URL around them.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        !label.is_empty() && inner
    };
    text.contains('.') && text.split('.').all(is_label)
}
