//! `/rest/conversions`: the rules that conversions are counted under.

use super::super::accounts::numbered;
use super::super::options::Switches;
use super::super::wire::{Answer, Applied, Effects, Key};
use super::elements::Fault;
use super::{Call, Refusal};
use serde_json::{Map, Value, json};

/// What `applied` calls a rule in the audit log.
const NAME: &str = "conversions";

/// Every rule that was created through the API.
#[derive(Default)]
pub(in super::super) struct Rules {
    list: Vec<Rule>,
}

struct Rule {
    account: u64,
    /// All members, as they are answered.
    body: Map<String, Value>,
}

pub(super) fn find(rules: &Rules, call: &Call<'_>) -> Result<Answer, Refusal> {
    call.check_protocol()?;
    call.check_finder("account")?;
    let account = call.account_asked_for()?;
    let found = rules.list.iter().filter(|rule| rule.account == account.id);
    call.page(found.map(|rule| Value::Object(rule.body.clone())))
}

pub(super) fn create(rules: &mut Rules, call: &Call<'_>) -> Result<Answer, Refusal> {
    call.check_protocol()?;
    call.check_method(&["", "CREATE"])?;
    let body = call.json()?.as_object().ok_or_else(|| Refusal::bad("The body must be an object"))?;
    let account = call.workplace(body.get("account").and_then(Value::as_str).unwrap_or_default())?;
    let given = body.iter().filter(|(name, _)| *name != "account");
    given.clone().try_for_each(|(name, value)| check(name, value)).map_err(Refusal::bad)?;
    if let Some(missing) = REQUIRED.iter().find(|name| !body.contains_key(**name)) {
        return Err(Refusal::bad(format!("{missing} is missing")));
    }
    let id = FIRST.saturating_add(u64::try_from(rules.list.len()).unwrap_or(u64::MAX));
    let mut rule = Rule { account: account.id, body: usual(id, &account.urn()) };
    rule.body.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    let mut answer = Answer::json(201, Value::Object(rule.body.clone()));
    answer.headers.push(("x-restli-id".to_owned(), id.to_string()));
    answer.effects.applied.push(rule.applied(id));
    rules.list.push(rule);
    Ok(answer)
}

pub(super) fn read(rules: &Rules, call: &Call<'_>, id: &str) -> Result<Answer, Refusal> {
    call.check_protocol()?;
    let account = call.account_asked_for()?;
    let rule = rules.list.get(place(id).ok_or_else(no_rule)?).filter(|rule| rule.account == account.id);
    Ok(Answer::json(200, Value::Object(rule.ok_or_else(no_rule)?.body.clone())))
}

pub(super) fn change(rules: &mut Rules, call: &Call<'_>, id: &str) -> Result<Answer, Refusal> {
    call.check_protocol()?;
    call.check_method(&["PARTIAL_UPDATE"])?;
    let account = call.account_asked_for()?;
    let rule = rules.list.get_mut(place(id).ok_or_else(no_rule)?).filter(|rule| rule.account == account.id);
    let rule = rule.ok_or_else(no_rule)?;
    let patch = call.json()?.get("patch").and_then(Value::as_object).filter(|patch| patch.len() == 1);
    let set = patch.and_then(|patch| patch.get("$set")).and_then(Value::as_object);
    let set = set.ok_or_else(|| Refusal::bad("The body must be {\"patch\": {\"$set\": {...}}}"))?;
    if set.contains_key("conversionMethod") {
        return Err(Refusal::bad("conversionMethod cannot be changed"));
    }
    set.iter().try_for_each(|(name, value)| check(name, value)).map_err(Refusal::bad)?;
    let mut effects = Effects::default();
    if set.iter().all(|(name, value)| rule.body.get(name) == Some(value)) {
        effects.duplicate.push(Key { resource: NAME, key: id.to_owned() });
    } else {
        rule.body.extend(set.iter().map(|(name, value)| (name.clone(), value.clone())));
        effects.applied.push(Applied::new(NAME, id.to_owned(), Value::Object(rule.body.clone())));
    }
    Ok(Answer { effects, ..Answer::empty(204) })
}

impl Rules {
    /// Checks the URN of a rule: it must be well-formed and, where the switches say which rules exist, exist.
    pub(super) fn check(&self, urn: &str, switches: &Switches) -> Result<(), Fault> {
        let id = urn.strip_prefix(URN).filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
        let id = id.ok_or("conversion must be a URN of the form urn:lla:llaPartnerConversion:<id>")?;
        match &switches.known_conversions {
            Some(known) if !known.contains(urn) && self.account_of(id).is_none() => Err("conversion does not exist"),
            _ => Ok(()),
        }
    }

    /// The account of the rule with this URN, if it was created through the API.
    pub(super) fn account_with(&self, urn: &str) -> Option<u64> {
        self.account_of(urn.strip_prefix(URN)?)
    }

    /// All rules, in the order in which they were created.
    pub(in super::super) fn list(&self) -> Value {
        self.list.iter().map(|rule| Value::Object(rule.body.clone())).collect()
    }

    fn account_of(&self, id: &str) -> Option<u64> {
        Some(self.list.get(place(id)?)?.account)
    }
}

impl Rule {
    fn applied(&self, id: u64) -> Applied {
        Applied::new(NAME, id.to_string(), Value::Object(self.body.clone()))
    }
}

fn usual(id: u64, account: &str) -> Map<String, Value> {
    let members: [(&str, Value); 5] = [
        ("id", json!(id)),
        ("account", json!(account)),
        ("enabled", json!(true)),
        ("postClickAttributionWindowSize", json!(30)),
        ("viewThroughAttributionWindowSize", json!(7)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn check(name: &str, value: &Value) -> Result<(), Fault> {
    let text = value.as_str().unwrap_or_default();
    let is_window = || value.as_u64().is_some_and(|days| WINDOWS.contains(&days));
    match name {
        "name" if text.trim().is_empty() => Err("name must be a text that is not empty"),
        "type" if !TYPES.contains(&text) => Err("type is not known"),
        "attributionType" if !ATTRIBUTIONS.contains(&text) => Err("attributionType is not known"),
        "conversionMethod" if !METHODS.contains(&text) => Err("conversionMethod is not known"),
        "enabled" if !value.is_boolean() => Err("enabled must be true or false"),
        "postClickAttributionWindowSize" if !is_window() => Err("postClickAttributionWindowSize is not a known window"),
        "viewThroughAttributionWindowSize" if !is_window() => {
            Err("viewThroughAttributionWindowSize is not a known window")
        }
        "name"
        | "type"
        | "attributionType"
        | "conversionMethod"
        | "enabled"
        | "postClickAttributionWindowSize"
        | "viewThroughAttributionWindowSize" => Ok(()),
        _ => Err("The body has a member that cannot be set"),
    }
}

fn no_rule() -> Refusal {
    Refusal::not_found("There is no such conversion in this account")
}

fn place(id: &str) -> Option<usize> {
    usize::try_from(numbered(id, "")?.checked_sub(FIRST)?).ok()
}

const URN: &str = "urn:lla:llaPartnerConversion:";
const FIRST: u64 = 90_001;
const REQUIRED: [&str; 4] = ["name", "conversionMethod", "attributionType", "type"];
const METHODS: [&str; 2] = ["CONVERSIONS_API", "INSIGHT_TAG"];
const ATTRIBUTIONS: [&str; 2] = ["LAST_TOUCH_BY_CAMPAIGN", "LAST_TOUCH_BY_CONVERSION"];
/// In days. The longest is for some types only, and documentation does not say which.
const WINDOWS: [u64; 5] = [1, 7, 30, 90, 365];
#[rustfmt::skip] // As a table of words it is read at a glance.
const TYPES: [&str; 36] = [
    "ADD_TO_CART", "DOWNLOAD", "INSTALL", "KEY_PAGE_VIEW", "LEAD", "PURCHASE", "SIGN_UP", "OTHER", "TALENT_LEAD",
    "JOB_APPLY", "SAVE", "START_CHECKOUT", "SCHEDULE", "VIEW_CONTENT", "VIEW_VIDEO", "ADD_BILLING_INFO",
    "BOOK_APPOINTMENT", "REQUEST_QUOTE", "SEARCH", "SUBSCRIBE", "AD_CLICK", "AD_VIEW", "COMPLETE_SIGNUP",
    "SUBMIT_APPLICATION", "PHONE_CALL", "INVITE", "LOGIN", "SHARE", "DONATE", "ADD_TO_LIST", "RATE", "START_TRIAL",
    "OUTBOUND_CLICK", "CONTACT", "MARKETING_QUALIFIED_LEAD", "SALES_QUALIFIED_LEAD",
];
