//! LinkedIn's JSON for one conversion, made from the fields that a mapping resolved.

use outlast_state::{Span, Time};
use serde_json::{Map, Value, json};

use super::fields::{Empties, Field, Invalid, Reader};
use super::identity;
use crate::js::moment;

/// LinkedIn refuses what happened longer ago.
const AGE_MOST: Span = Span::from_secs(90 * 86_400);

/// What the making of a conversion depends on besides the event.
pub(super) struct Terms<'a> {
    /// The conversion rule's URN.
    pub(super) rule: &'a str,
    /// What the age is judged against.
    pub(super) now: Time,
    /// What counts as empty.
    pub(super) empties: Empties,
    /// The reference's bytes.
    pub(super) compat: bool,
    /// What to call the conversion when the event has no name.
    pub(super) fallback_id: Option<&'a str>,
}

/// The fields of the action, checked and as text.
struct Fields {
    happened: String,
    value: Option<Value>,
    event_id: Option<String>,
    email: Option<String>,
    uuid: Option<String>,
    acxiom: Option<String>,
    oracle: Option<String>,
    user_info: Option<Value>,
    external_id: Option<String>,
}

/// The member of a request that stands for this conversion.
pub(super) fn conversion(resolved: &Map<String, Value>, terms: &Terms<'_>) -> Result<Value, Invalid> {
    let fields = Fields::read(resolved, terms.empties)?;
    let happened = happened(&fields.happened, terms.now)?;
    let user = fields.user(terms.compat)?;
    let event_id = fields.event_id.or_else(|| terms.fallback_id.map(str::to_owned));
    let mut conversion = Map::new();
    conversion.insert("conversion".into(), terms.rule.into());
    conversion.insert("conversionHappenedAt".into(), happened.into());
    conversion.extend(fields.value.map(|value| ("conversionValue".into(), value)));
    conversion.extend(event_id.map(|id| ("eventId".into(), id.into())));
    conversion.insert("user".into(), user);
    Ok(Value::Object(conversion))
}

impl Fields {
    fn read(root: &Map<String, Value>, empties: Empties) -> Result<Self, Invalid> {
        let mut reader = Reader::new(empties);
        let fields = Fields {
            happened: reader.required(root, &HAPPENED).unwrap_or_default(),
            value: value(&mut reader, root),
            event_id: reader.text(root, &EVENT_ID),
            email: reader.text(root, &EMAIL),
            uuid: reader.text(root, &UUID),
            acxiom: reader.text(root, &ACXIOM),
            oracle: reader.text(root, &ORACLE),
            user_info: user_info(&mut reader, root),
            external_id: reader.texts(root, &EXTERNAL_IDS).into_iter().next(),
        };
        reader.finish().map(|()| fields)
    }

    fn user(&self, compat: bool) -> Result<Value, Invalid> {
        let acxiom = if compat { "AXCIOM_ID" } else { "ACXIOM_ID" };
        let given = [
            ("SHA256_EMAIL", &self.email),
            ("LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", &self.uuid),
            (acxiom, &self.acxiom),
            ("ORACLE_MOAT_ID", &self.oracle),
        ];
        let ids: Vec<Value> = given
            .into_iter()
            .filter_map(|(kind, text)| Some((kind, text.as_deref().filter(|text| !text.is_empty())?)))
            .map(|(kind, text)| match kind {
                "SHA256_EMAIL" => json!({"idType": kind, "idValue": identity::email(text, compat)}),
                _ => json!({"idType": kind, "idValue": text}),
            })
            .collect();
        if ids.is_empty() {
            return Err(Invalid::new("One of email or LinkedIn UUID or Acxiom ID or Oracle ID is required.", &EMAIL));
        }
        let mut user = Map::from_iter([("userIds".to_owned(), Value::Array(ids))]);
        user.extend(self.user_info.clone().map(|info| ("userInfo".into(), info)));
        user.extend(self.external_id.as_deref().map(|id| ("externalIds".into(), json!([id]))));
        Ok(Value::Object(user))
    }
}

fn value(reader: &mut Reader, root: &Map<String, Value>) -> Option<Value> {
    let object = reader.object(root, &VALUE)?;
    let currency = reader.required_member(object, VALUE.label, &CURRENCY);
    let amount = reader.required_member(object, VALUE.label, &AMOUNT);
    Some(json!({"currencyCode": currency?, "amount": amount?}))
}

fn user_info(reader: &mut Reader, root: &Map<String, Value>) -> Option<Value> {
    let object = reader.object(root, &USER_INFO)?;
    let mut info = Map::new();
    for field in &NAMES {
        let name = reader.required_member(object, USER_INFO.label, field);
        info.extend(name.map(|name| (field.key.to_owned(), name.into())));
    }
    for field in &DETAILS {
        info.extend(reader.member(object, field).map(|text| (field.key.to_owned(), text.into())));
    }
    Some(Value::Object(info))
}

fn happened(text: &str, now: Time) -> Result<i64, Invalid> {
    let millis = moment::parse(text).ok_or_else(|| Invalid::new("Timestamp is not a valid date.", &HAPPENED))?;
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let oldest = now.saturating_sub_unsigned(AGE_MOST.as_millis());
    if millis < oldest {
        return Err(Invalid::new("Timestamp should be within the past 90 days.", &TOO_OLD));
    }
    Ok(millis)
}

const HAPPENED: Field = Field {
    key: "conversionHappenedAt",
    label: "Timestamp",
    place: "conversionHappenedAt",
    remedy: "give the event a `timestamp`, in ISO 8601 or in milliseconds since 1970.",
};
const TOO_OLD: Field = Field {
    remedy: "LinkedIn takes nothing older; a `timestamp` that is a number is read as milliseconds, not seconds.",
    ..HAPPENED
};
const VALUE: Field = Field {
    key: "conversionValue",
    label: "Conversion Value",
    place: "conversionValue",
    remedy: "map it to an object with `currencyCode` and `amount`, or leave it out.",
};
const CURRENCY: Field = Field {
    key: "currencyCode",
    label: "Currency Code",
    place: "conversionValue.currencyCode",
    remedy: "give the event `properties.currency` as three letters, such as EUR.",
};
const AMOUNT: Field = Field {
    key: "amount",
    label: "Amount",
    place: "conversionValue.amount",
    remedy: "give the event `properties.revenue` as a number or a decimal text.",
};
const EVENT_ID: Field = Field {
    key: "eventId",
    label: "Event ID",
    place: "eventId",
    remedy: "give the event a `messageId` that is a text.",
};
const EMAIL: Field = Field {
    key: "email",
    label: "Email",
    place: "email",
    remedy: "give the event `traits.email` as a text, or map `linkedInUUID`, `acxiomID` or `oracleID`.",
};
const UUID: Field = Field {
    key: "linkedInUUID",
    label: "LinkedIn First Party Ads Tracking UUID",
    place: "linkedInUUID",
    remedy: "map it to a text, such as the click id `li_fat_id`.",
};
const ACXIOM: Field =
    Field { key: "acxiomID", label: "Acxiom ID", place: "acxiomID", remedy: "map it to a text or leave it out." };
const ORACLE: Field =
    Field { key: "oracleID", label: "Oracle ID", place: "oracleID", remedy: "map it to a text or leave it out." };
const USER_INFO: Field = Field {
    key: "userInfo",
    label: "User Info",
    place: "userInfo",
    remedy: "map it to an object with `firstName` and `lastName`, or leave it out.",
};
const NAMES: [Field; 2] = [
    Field {
        key: "firstName",
        label: "First Name",
        place: "userInfo.firstName",
        remedy: "LinkedIn wants first and last name together; map both or leave `userInfo` out.",
    },
    Field {
        key: "lastName",
        label: "Last Name",
        place: "userInfo.lastName",
        remedy: "LinkedIn wants first and last name together; map both or leave `userInfo` out.",
    },
];
const DETAILS: [Field; 3] = [
    Field {
        key: "companyName",
        label: "Company Name",
        place: "userInfo.companyName",
        remedy: "map it to a text or leave it out.",
    },
    Field { key: "title", label: "Title", place: "userInfo.title", remedy: "map it to a text or leave it out." },
    Field {
        key: "countryCode",
        label: "Country Code",
        place: "userInfo.countryCode",
        remedy: "map it to a text of two letters, such as DE, or leave it out.",
    },
];
const EXTERNAL_IDS: Field = Field {
    key: "externalIds",
    label: "External IDs",
    place: "externalIds",
    remedy: "map it to a text or a list of texts; only the first is sent.",
};
