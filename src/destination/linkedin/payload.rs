//! LinkedIn's JSON for one conversion, made from the action's fields.

use std::borrow::Cow;

use outlast_state::{DeliveryId, Span, Time};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::identity::{self, Hashing};
use super::invalid::Invalid;
use crate::js::moment;
use crate::taxonomy::{EVENT_TOO_OLD, IDENTIFIER_MISSING};

/// LinkedIn refuses what happened longer ago.
const AGE_MOST: Span = Span::from_secs(90 * 86_400);

/// The kind of identifier that is sent as its hash.
const EMAIL: &str = "SHA256_EMAIL";

/// What the making of a conversion depends on besides the event.
pub(super) struct Terms<'a> {
    /// The number of the conversion rule.
    pub(super) rule: Cow<'a, str>,
    /// What the age is judged against.
    pub(super) now: Time,
    /// The reference's bytes.
    pub(super) compat: bool,
    /// What to call the conversion when the event has no name.
    pub(super) fallback_id: Option<DeliveryId>,
}

/// The member of a request that stands for a conversion. It borrows what it is made of, and hashes when it is written: it
/// is made three times for each attempt (to check it, to send it, to know which items an answer speaks of), and written once.
#[derive(Debug, Serialize)]
pub(super) struct Conversion<'a> {
    #[serde(rename = "conversion", serialize_with = "urn")]
    rule: Cow<'a, str>,
    #[serde(rename = "conversionHappenedAt")]
    happened: i64,
    #[serde(rename = "conversionValue", skip_serializing_if = "Option::is_none")]
    value: Option<&'a Value>,
    #[serde(rename = "eventId", skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId<'a>>,
    user: User<'a>,
}

#[derive(Debug)]
enum EventId<'a> {
    Given(&'a str),
    Delivery(DeliveryId),
}

#[derive(Debug, Serialize)]
struct User<'a> {
    #[serde(rename = "userIds")]
    ids: Ids<'a>,
    #[serde(rename = "userInfo", skip_serializing_if = "Option::is_none")]
    info: Option<&'a Value>,
    #[serde(rename = "externalIds", skip_serializing_if = "Option::is_none")]
    external: Option<[&'a Value; 1]>,
}

/// Identifiers by their kinds, as they were given.
#[derive(Debug)]
struct Ids<'a> {
    given: [Option<(&'static str, &'a str)>; 4],
    hashing: Hashing,
}

#[derive(Serialize)]
struct Id<'a> {
    #[serde(rename = "idType")]
    kind: &'static str,
    #[serde(rename = "idValue")]
    value: Cow<'a, str>,
}

fn urn<S: Serializer>(rule: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:lla:llaPartnerConversion:{rule}"))
}

impl Serialize for EventId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            EventId::Given(id) => serializer.serialize_str(id),
            EventId::Delivery(id) => serializer.collect_str(id),
        }
    }
}

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.given.iter().flatten().map(|(kind, text)| Id {
            kind,
            value: match *kind {
                EMAIL => identity::email(text, self.hashing).into(),
                _ => Cow::Borrowed(*text),
            },
        }))
    }
}

/// What these fields are to LinkedIn.
pub(super) fn conversion<'a>(payload: &'a Value, terms: Terms<'a>) -> Result<Conversion<'a>, Invalid> {
    let happened = happened(payload, terms.now)?;
    let user = user(payload, terms.compat)?;
    let given = payload.get("eventId").and_then(Value::as_str).map(EventId::Given);
    let event_id = given.or(terms.fallback_id.map(EventId::Delivery));
    Ok(Conversion { rule: terms.rule, happened, value: object(payload, "conversionValue"), event_id, user })
}

fn user(payload: &Value, compat: bool) -> Result<User<'_>, Invalid> {
    let (acxiom, hashing) = if compat { ("AXCIOM_ID", Hashing::Lowered) } else { ("ACXIOM_ID", Hashing::Ours) };
    let kinds = [
        (EMAIL, "email"),
        ("LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", "linkedInUUID"),
        (acxiom, "acxiomID"),
        ("ORACLE_MOAT_ID", "oracleID"),
    ];
    let given = kinds.map(|(kind, key)| {
        let text = payload.get(key)?.as_str()?;
        // The reference lets a blank address count as one (Q4).
        let counts = if compat { !text.is_empty() } else { !identity::is_blank(text) };
        counts.then_some((kind, text))
    });
    if given.iter().all(Option::is_none) {
        return Err(Invalid::at(
            "One of email or LinkedIn UUID or Acxiom ID or Oracle ID is required.",
            "email",
            "give the event `traits.email` as a text, or map `linkedInUUID`, `acxiomID` or `oracleID`.",
        )
        .code(IDENTIFIER_MISSING));
    }
    let external = payload.get("externalIds").and_then(Value::as_array).and_then(|ids| ids.first());
    let (ids, info) = (Ids { given, hashing }, object(payload, "userInfo"));
    Ok(User { ids, info, external: external.map(|id| [id]) })
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
