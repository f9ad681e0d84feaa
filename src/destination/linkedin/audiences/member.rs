//! A person in a user audience.

use serde_json::{Map, Value, json};

use super::segment::{Kind, Segment};
use super::{Audiences, Draft, text};
use crate::destination::linkedin::identity::{self, Hashing, is_blank};
use crate::destination::linkedin::invalid::Invalid;
use crate::taxonomy::{IDENTIFIER_MISSING, INVALID_SETTINGS};

/// What LinkedIn may know of a person: its name of the field, and the action's.
const PROFILE: [(&str, &str); 5] = [
    ("firstName", "first_name"),
    ("lastName", "last_name"),
    ("title", "title"),
    ("company", "company"),
    ("country", "country"),
];

pub(super) fn draft(audiences: &Audiences, payload: &Value) -> Result<Draft, Invalid> {
    let compat = audiences.is_compat();
    let key = text(payload, "personas_audience_key").ok_or_else(|| {
        Invalid::at(
            "The root value is missing the required field 'personas_audience_key'.",
            "personas_audience_key",
            "give the event `properties.audience_key`, or map the field to the audience's key.",
        )
    })?;
    let ids = ids(audiences, payload);
    if !compat {
        same_keys(payload)?;
        if ids.is_empty() {
            return Err(no_identifier(audiences));
        }
    }
    // The reference leaves out who has neither identifier, but not who has one that may not be sent.
    let sent = !compat || text(payload, "email").is_some() || text(payload, "google_advertising_id").is_some();
    Ok(Draft {
        segment: segment(payload, key, compat),
        element: sent.then(|| element(payload, &ids)),
        identity: identity_of(audiences, payload),
    })
}

/// The segment's name for people is the reference's `dmp_segment_name`; where it is not mapped, it is called by its key.
fn segment(payload: &Value, key: &str, compat: bool) -> Segment {
    let name = text(payload, "dmp_segment_name").map(str::to_owned);
    let segment = Segment::new(Kind::Users, key, name.or_else(|| (!compat).then(|| key.to_owned())));
    if !compat {
        return segment;
    }
    let source = text(payload, "source_segment_id").unwrap_or("undefined");
    Segment { memory: format!("dmpsegment_id_{source}"), ..segment }
}

/// Under AUTO the event itself names the audience, so that both fields must name the same.
pub(super) fn same_keys(payload: &Value) -> Result<(), Invalid> {
    let automatic = text(payload, "dmp_user_action").is_none_or(|action| action == "AUTO");
    if automatic && text(payload, "source_segment_id") != text(payload, "personas_audience_key") {
        return Err(Invalid::at(
            "The value of `source_segment_id` and `personas_audience_key` must match.",
            "source_segment_id",
            "map both to the audience's key, or set `dmp_user_action` to ADD or REMOVE.",
        )
        .code(INVALID_SETTINGS));
    }
    Ok(())
}

fn no_identifier(audiences: &Audiences) -> Invalid {
    let (place, remedy) = match (audiences.send_email, audiences.send_advertising_id) {
        (true, false) => ("email", "map it to an e-mail address, or set `send_google_advertising_id` to true."),
        (false, _) => ("google_advertising_id", "map it to an advertising id, or set `send_email` to true."),
        (true, true) => ("email", "map it to an e-mail address, or `google_advertising_id` to an advertising id."),
    };
    Invalid::at("The person has no usable identifier.", place, remedy).code(IDENTIFIER_MISSING)
}

fn ids(audiences: &Audiences, payload: &Value) -> Vec<Value> {
    let compat = audiences.is_compat();
    let hashing = if compat { Hashing::Given } else { Hashing::Ours };
    let given = |key| text(payload, key).filter(|text| compat || !is_blank(text));
    let email = given("email").filter(|_| audiences.send_email);
    let advertising = given("google_advertising_id").filter(|_| audiences.send_advertising_id);
    let email = email.map(|text| json!({"idType": "SHA256_EMAIL", "idValue": identity::email(text, hashing)}));
    let advertising = advertising.map(|text| json!({"idType": "GOOGLE_AID", "idValue": text}));
    email.into_iter().chain(advertising).collect()
}

fn element(payload: &Value, ids: &[Value]) -> Value {
    let mut element =
        Map::from_iter([("action".to_owned(), action(payload).into()), ("userIds".to_owned(), ids.into())]);
    let profile = PROFILE.iter().filter_map(|(name, key)| Some(((*name).to_owned(), text(payload, key)?.into())));
    element.extend(profile);
    Value::Object(element)
}

fn action(payload: &Value) -> &'static str {
    match (text(payload, "dmp_user_action"), text(payload, "event_name")) {
        (Some("REMOVE"), _) => "REMOVE",
        (Some("ADD"), _) => "ADD",
        (_, Some("Audience Exited")) => "REMOVE",
        (_, _) => "ADD",
    }
}

/// The address, however it is written, or the advertising id: of what may be sent.
fn identity_of(audiences: &Audiences, payload: &Value) -> Option<String> {
    let email = text(payload, "email").filter(|text| audiences.send_email && !is_blank(text));
    let advertising = text(payload, "google_advertising_id").filter(|_| audiences.send_advertising_id);
    email.map(|text| identity::email(text, Hashing::Ours)).or_else(|| advertising.map(|id| id.trim().to_lowercase()))
}
