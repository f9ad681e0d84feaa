//! A company in a company audience.

use serde_json::{Map, Value};

use super::segment::{Kind, Segment};
use super::{Audiences, Draft, text};
use crate::destination::linkedin::invalid::Invalid;
use crate::js::text::trim;
use crate::taxonomy::{IDENTIFIER_MISSING, INVALID_AUDIENCE_MEMBERSHIP};

const ORGANISATION: &str = "urn:li:organization:";

/// What events of one batch agree on, where the route does not say otherwise.
const BATCH_KEYS: [&str; 4] = ["dmp_company_action", "audience_source", "segment_name", "computation_key"];

pub(super) fn draft(audiences: &Audiences, payload: &Value) -> Result<Draft, Invalid> {
    let compat = audiences.is_compat();
    let identifiers = payload.get("identifiers").unwrap_or(&Value::Null);
    let domain = text(identifiers, "companyDomain").map(|domain| trim(domain).to_lowercase());
    let domain = domain.filter(|domain| !domain.is_empty());
    let id = text(identifiers, "linkedInCompanyId").map(|id| bare(id, compat)).filter(|id| !id.is_empty());
    let urn = id.map(|id| format!("{ORGANISATION}{}", without_prefixes(id)));
    let action = match text(payload, "dmp_company_action") {
        _ if domain.is_none() && urn.is_none() => return Err(no_identifier()),
        Some(action @ ("ADD" | "REMOVE")) => action,
        _ => return Err(bad_action()),
    };
    let key = key(payload)?;
    let segment = Segment::new(Kind::Companies, key, Some(key.to_owned()));
    let segment = if compat { Segment { memory: format!("company_dmpsegment_id_{key}"), ..segment } } else { segment };
    let identity = domain.clone().or_else(|| urn.clone());
    let members = [("companyWebsiteDomain", domain), ("organizationUrn", urn)];
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    let action = ("action".to_owned(), Value::from(action));
    let element = Value::Object([action].into_iter().chain(members).collect::<Map<_, _>>());
    Ok(Draft { segment, element: Some(element), identity })
}

/// The values that events of one batch agree on.
pub(super) fn batch_keys(payload: &Value) -> Vec<&Value> {
    let chosen = payload.get("batch_keys").and_then(Value::as_array).filter(|names| !names.is_empty());
    let of = |name: &str| payload.get(name).unwrap_or(&Value::Null);
    match chosen {
        Some(names) => names.iter().filter_map(Value::as_str).map(of).collect(),
        None => BATCH_KEYS.into_iter().map(of).collect(),
    }
}

/// The audience's key in the system that it comes from.
fn key(payload: &Value) -> Result<&str, Invalid> {
    let by_hand = text(payload, "audience_source") == Some("CONNECTIONS");
    let (place, remedy) = if by_hand {
        ("segment_name", "map it to the name of the segment, or set `audience_source` to ENGAGE_RETL.")
    } else {
        (
            "computation_key",
            "give the event `context.personas.computation_key`, or map the field to the audience's key.",
        )
    };
    let key = text(payload, place).map(|key| if by_hand { trim(key) } else { key });
    key.filter(|key| !key.is_empty())
        .ok_or_else(|| Invalid::at(format!("The root value is missing the required field '{place}'."), place, remedy))
}

/// The id without blanks and one prefix. One that consists of prefixes alone is no id, but the reference sends it.
fn bare(id: &str, compat: bool) -> &str {
    let id = trim(id);
    let id = trim(without_prefix(id).unwrap_or(id));
    if compat || !without_prefixes(id).is_empty() { id } else { "" }
}

fn without_prefix(id: &str) -> Option<&str> {
    let (prefix, rest) = id.split_at_checked(ORGANISATION.len())?;
    prefix.eq_ignore_ascii_case(ORGANISATION).then_some(rest)
}

fn without_prefixes(mut id: &str) -> &str {
    while let Some(rest) = without_prefix(id) {
        id = rest;
    }
    id
}

fn no_identifier() -> Invalid {
    Invalid::at(
        "At least one of 'Company Domain' or 'LinkedIn Company ID' is required in the 'Identifiers' field.",
        "identifiers",
        "map `identifiers.companyDomain` to a domain such as example.org, or `identifiers.linkedInCompanyId` to a number.",
    )
    .code(IDENTIFIER_MISSING)
}

fn bad_action() -> Invalid {
    Invalid::at(
        "'Company Segment Action' must be exactly 'ADD' or 'REMOVE'.",
        "dmp_company_action",
        "set it to ADD or REMOVE, or map it to a field that is one of both.",
    )
    .code(INVALID_AUDIENCE_MEMBERSHIP)
}
