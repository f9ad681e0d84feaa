//! LinkedIn's JSON for one conversion, made from the action's fields.

use outlast_state::{Span, Time};
use serde_json::{Map, Value, json};

use super::identity::{self, Hashing};
use super::invalid::Invalid;
use crate::js::moment;
use crate::taxonomy::{EVENT_TOO_OLD, IDENTIFIER_MISSING};

/// LinkedIn refuses what happened longer ago.
const AGE_MOST: Span = Span::from_secs(90 * 86_400);

/// What the making of a conversion depends on besides the event.
pub(super) struct Terms<'a> {
    /// The conversion rule's URN.
    pub(super) rule: &'a str,
    /// What the age is judged against.
    pub(super) now: Time,
    /// The reference's bytes.
    pub(super) compat: bool,
    /// What to call the conversion when the event has no name.
    pub(super) fallback_id: Option<&'a str>,
}

/// The member of a request that stands for this conversion.
pub(super) fn conversion(payload: &Value, terms: &Terms<'_>) -> Result<Value, Invalid> {
    let happened = happened(payload, terms.now)?;
    let user = user(payload, terms.compat)?;
    let event_id = payload.get("eventId").and_then(Value::as_str).or(terms.fallback_id);
    let mut conversion = Map::new();
    conversion.insert("conversion".into(), terms.rule.into());
    conversion.insert("conversionHappenedAt".into(), happened.into());
    conversion.extend(object(payload, "conversionValue").map(|value| ("conversionValue".into(), value.clone())));
    conversion.extend(event_id.map(|id| ("eventId".into(), id.into())));
    conversion.insert("user".into(), user);
    Ok(Value::Object(conversion))
}

fn user(payload: &Value, compat: bool) -> Result<Value, Invalid> {
    let (acxiom, hashing) = if compat { ("AXCIOM_ID", Hashing::Lowered) } else { ("ACXIOM_ID", Hashing::Ours) };
    let given = [
        ("SHA256_EMAIL", "email"),
        ("LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", "linkedInUUID"),
        (acxiom, "acxiomID"),
        ("ORACLE_MOAT_ID", "oracleID"),
    ];
    let texts = given.into_iter().filter_map(|(kind, key)| {
        let text = payload.get(key)?.as_str()?;
        // The reference lets a blank address count as one (Q4).
        let counts = if compat { !text.is_empty() } else { !identity::is_blank(text) };
        counts.then_some((kind, text))
    });
    let ids: Vec<Value> = texts
        .map(|(kind, text)| match kind {
            "SHA256_EMAIL" => json!({"idType": kind, "idValue": identity::email(text, hashing)}),
            _ => json!({"idType": kind, "idValue": text}),
        })
        .collect();
    if ids.is_empty() {
        return Err(Invalid::at(
            "One of email or LinkedIn UUID or Acxiom ID or Oracle ID is required.",
            "email",
            "give the event `traits.email` as a text, or map `linkedInUUID`, `acxiomID` or `oracleID`.",
        )
        .code(IDENTIFIER_MISSING));
    }
    let external = payload.get("externalIds").and_then(Value::as_array).and_then(|ids| ids.first());
    let mut user = Map::from_iter([("userIds".to_owned(), Value::Array(ids))]);
    user.extend(object(payload, "userInfo").map(|info| ("userInfo".into(), info.clone())));
    user.extend(external.map(|id| ("externalIds".into(), json!([id]))));
    Ok(Value::Object(user))
}

fn object<'a>(payload: &'a Value, key: &str) -> Option<&'a Value> {
    payload.get(key).filter(|value| value.is_object())
}

fn happened(payload: &Value, now: Time) -> Result<i64, Invalid> {
    const PLACE: &str = "conversionHappenedAt";
    let given = payload.get(PLACE).and_then(Value::as_str).ok_or_else(|| {
        let message = format!("The root value is missing the required field '{PLACE}'.");
        Invalid::at(message, PLACE, "give the event a `timestamp`, in ISO 8601 or in milliseconds since 1970.")
    })?;
    let millis = moment::parse(given).ok_or_else(|| {
        let remedy = "give the event a `timestamp`, in ISO 8601 or in milliseconds since 1970.";
        Invalid::at("Timestamp is not a valid date.", PLACE, remedy)
    })?;
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let oldest = now.saturating_sub_unsigned(AGE_MOST.as_millis());
    if millis < oldest {
        let remedy =
            "LinkedIn takes nothing older; a `timestamp` that is a number is read as milliseconds, not seconds.";
        return Err(Invalid::at("Timestamp should be within the past 90 days.", PLACE, remedy).code(EVENT_TOO_OLD));
    }
    Ok(millis)
}
