//! What people choose about a conversion rule, typed and checked.

use serde_json::{Map, Value};

use super::{id_text, trouble};
use crate::destination::Trouble;

/// LinkedIn's kinds of conversions.
const TYPES: [&str; 36] = [
    "ADD_TO_CART",
    "DOWNLOAD",
    "INSTALL",
    "KEY_PAGE_VIEW",
    "LEAD",
    "PURCHASE",
    "SIGN_UP",
    "OTHER",
    "TALENT_LEAD",
    "JOB_APPLY",
    "SAVE",
    "START_CHECKOUT",
    "SCHEDULE",
    "VIEW_CONTENT",
    "VIEW_VIDEO",
    "ADD_BILLING_INFO",
    "BOOK_APPOINTMENT",
    "REQUEST_QUOTE",
    "SEARCH",
    "SUBSCRIBE",
    "AD_CLICK",
    "AD_VIEW",
    "COMPLETE_SIGNUP",
    "SUBMIT_APPLICATION",
    "PHONE_CALL",
    "INVITE",
    "LOGIN",
    "SHARE",
    "DONATE",
    "ADD_TO_LIST",
    "RATE",
    "START_TRIAL",
    "OUTBOUND_CLICK",
    "CONTACT",
    "MARKETING_QUALIFIED_LEAD",
    "SALES_QUALIFIED_LEAD",
];
const ATTRIBUTIONS: [&str; 2] = ["LAST_TOUCH_BY_CAMPAIGN", "LAST_TOUCH_BY_CONVERSION"];
const WINDOWS: [u64; 4] = [1, 7, 30, 90];

pub(super) const ACCOUNT: &str = "adAccountId";
const CAMPAIGNS: &str = "campaignId";
const RULE: &str = "conversionRuleId";
const NAME: &str = "name";
const TYPE: &str = "conversionType";
const ATTRIBUTION: &str = "attribution_type";
pub(super) const CLICK_WINDOW: &str = "post_click_attribution_window_size";
pub(super) const VIEW_WINDOW: &str = "view_through_attribution_window_size";
const ALL: [&str; 8] = [ACCOUNT, CAMPAIGNS, RULE, NAME, TYPE, ATTRIBUTION, CLICK_WINDOW, VIEW_WINDOW];

const ACCOUNT_URN: &str = "urn:li:sponsoredAccount:";

/// The inputs of the mapping-save hook.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    /// The ad account's URN.
    pub(super) account: Option<String>,
    /// The numbers of campaigns.
    pub(super) campaigns: Vec<String>,
    /// The number of a rule that exists.
    pub(super) rule: Option<String>,
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) attribution: Option<String>,
    pub(super) click_window: Option<u64>,
    pub(super) view_window: Option<u64>,
}

impl Inputs {
    /// What was given. The reference checks nothing of it: its user interface offers only what fits.
    pub(super) fn read(given: &Map<String, Value>, compat: bool) -> Result<Inputs, Trouble> {
        if compat { Ok(Inputs::unchecked(given)) } else { Inputs::checked(given) }
    }

    fn unchecked(given: &Map<String, Value>) -> Inputs {
        let text = |key| given.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let number = |key| given.get(key).and_then(Value::as_u64).filter(|number| *number > 0);
        Inputs {
            account: text(ACCOUNT),
            campaigns: listed(given.get(CAMPAIGNS)).into_iter().filter_map(id_text).collect(),
            rule: given.get(RULE).and_then(id_text),
            name: text(NAME),
            kind: text(TYPE),
            attribution: text(ATTRIBUTION),
            click_window: number(CLICK_WINDOW),
            view_window: number(VIEW_WINDOW),
        }
    }

    fn checked(given: &Map<String, Value>) -> Result<Inputs, Trouble> {
        if let Some(unknown) = given.keys().find(|key| !ALL.contains(&key.as_str())) {
            return Err(fault(unknown, "there is no such input", &format!("the inputs are {}", ALL.join(", "))));
        }
        let campaigns = listed(given.get(CAMPAIGNS)).into_iter().filter(|value| !is_absent(value));
        Ok(Inputs {
            account: number(given.get(ACCOUNT), ACCOUNT, ACCOUNT_URN)?.map(|id| format!("{ACCOUNT_URN}{id}")),
            campaigns: campaigns
                .filter_map(|value| number(Some(value), CAMPAIGNS, "urn:li:sponsoredCampaign:").transpose())
                .collect::<Result<_, _>>()?,
            rule: number(given.get(RULE), RULE, "urn:lla:llaPartnerConversion:")?,
            name: text(given.get(NAME), NAME)?,
            kind: one_of(given.get(TYPE), TYPE, &TYPES)?,
            attribution: one_of(given.get(ATTRIBUTION), ATTRIBUTION, &ATTRIBUTIONS)?,
            click_window: window(given.get(CLICK_WINDOW), CLICK_WINDOW)?,
            view_window: window(given.get(VIEW_WINDOW), VIEW_WINDOW)?,
        })
    }

    /// What a new rule needs and does not have.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let needed = [("Name", &self.name), ("Conversion Type", &self.kind), ("Attribution Type", &self.attribution)];
        needed.into_iter().filter(|(_, value)| value.is_none()).map(|(label, _)| label).collect()
    }
}

/// The ad account's number, of its URN or alone.
pub(super) fn account_number(given: &Map<String, Value>, compat: bool) -> Result<Option<String>, Trouble> {
    let value = given.get(ACCOUNT);
    if !compat {
        return number(value, ACCOUNT, ACCOUNT_URN);
    }
    let text = value.and_then(Value::as_str).unwrap_or_default();
    Ok(text.rsplit(':').next().filter(|id| !id.is_empty()).map(str::to_owned))
}

/// The ad account's URN.
pub(super) fn account_urn(given: &Map<String, Value>, compat: bool) -> Result<Option<String>, Trouble> {
    if compat {
        let text = given.get(ACCOUNT).and_then(Value::as_str).unwrap_or_default();
        return Ok(Some(text.to_owned()).filter(|text| !text.is_empty()));
    }
    Ok(account_number(given, compat)?.map(|id| format!("{ACCOUNT_URN}{id}")))
}

fn listed(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !is_absent(value))
}

fn number(value: Option<&Value>, place: &str, prefix: &str) -> Result<Option<String>, Trouble> {
    let Some(value) = present(value) else { return Ok(None) };
    let text = id_text(value).map(|text| text.strip_prefix(prefix).map(str::to_owned).unwrap_or(text));
    match text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(id) => Ok(Some(id)),
        None => Err(fault(place, "it is not a number", &format!("give a number, or a name such as {prefix}501"))),
    }
}

fn text(value: Option<&Value>, place: &str) -> Result<Option<String>, Trouble> {
    match present(value) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(fault(place, "it is not a text", "give a text")),
    }
}

fn one_of(value: Option<&Value>, place: &str, known: &[&str]) -> Result<Option<String>, Trouble> {
    let text = text(value, place)?;
    match text {
        Some(text) if !known.contains(&text.as_str()) => {
            Err(fault(place, "LinkedIn does not know it", &format!("give one of {}", known.join(", "))))
        }
        text => Ok(text),
    }
}

fn window(value: Option<&Value>, place: &str) -> Result<Option<u64>, Trouble> {
    let Some(value) = present(value) else { return Ok(None) };
    let days = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    match days.filter(|days| WINDOWS.contains(days)) {
        Some(days) => Ok(Some(days)),
        None => Err(fault(place, "it is no window", "give a number of days: 1, 7, 30 or 90")),
    }
}

fn fault(place: &str, problem: &str, remedy: &str) -> Trouble {
    trouble("INVALID_INPUT", format!("Input `{place}`: {problem}; {remedy}."))
}
