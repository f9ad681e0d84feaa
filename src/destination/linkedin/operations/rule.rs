//! A conversion rule: made, changed, or one that exists, and the campaigns that it counts for. What is reached is saved with
//! the route, and the conversions' `rule` is taken from it.

use serde_json::{Map, Value, json};

use super::inputs::{CLICK_WINDOW, Inputs, VIEW_WINDOW};
use super::{campaigns, id_text, trouble, why};
use crate::destination::linkedin::api::Api;
use crate::destination::{Operation, Step, Trouble};
use crate::exchange::{Answer, Exchange, Method, Request};

const CREATION: &str = "CONVERSION_RULE_CREATION_FAILURE";
const UPDATE: &str = "CONVERSION_RULE_UPDATE_FAILURE";
const VERIFICATION: &str = "CONVERSION_RULE_VERIFICATION_FAILURE";
const ASSOCIATION: &str = "ASSOCIATE_CAMPAIGN_TO_CONVERSION_ERROR";

/// The windows where nothing is given, in days: after a click, and after a view.
const WINDOWS: (u64, u64) = (30, 7);

/// What is done about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A new rule, or one that exists and is named by `conversionRuleId`.
    Create,
    /// The rule that was saved is changed as the inputs say.
    Update,
    /// Campaigns are added to the rule that was saved, or to the one that `conversionRuleId` names.
    Associate,
}

/// The making or changing of a rule.
#[derive(Clone, Debug)]
pub struct Rule {
    api: Api,
    account: String,
    first: First,
    campaigns: Vec<String>,
}

/// What comes before the campaigns.
#[derive(Clone, Debug)]
enum First {
    Create(Inputs),
    Read(String),
    Update { id: Value, changes: Map<String, Value>, saved: Map<String, Value> },
    Nothing { saved: Map<String, Value>, message: String },
}

/// What was reached: what to save, and what to tell.
struct Reached {
    outputs: Map<String, Value>,
    message: String,
}

/// Makes, changes or associates a conversion rule. `inputs` are `adAccountId`, `campaignId`, `conversionRuleId`, `name`,
/// `conversionType`, `attribution_type`, `post_click_attribution_window_size` and `view_through_attribution_window_size`;
/// `saved` is what an earlier one reached.
///
/// It ends with `{"successMessage": …, "savedData": {"id", "name", "conversionType", "attribution_type", …}}`. Where it fails
/// after a rule was made, the rule stands in the trouble's `reached`.
///
/// # Errors
/// An input is missing or does not fit. Nothing was asked.
pub fn rule(
    api: &Api,
    task: Task,
    inputs: &Map<String, Value>,
    saved: Option<&Map<String, Value>>,
) -> Result<Rule, Trouble> {
    let inputs = Inputs::read(inputs, api.is_compat())?;
    let campaigns = inputs.campaigns.clone();
    if task == Task::Associate && campaigns.is_empty() {
        return Err(trouble(ASSOCIATION, "No campaign was chosen. Give `campaignId` a list of campaigns."));
    }
    let missing = inputs.missing();
    if task == Task::Create && inputs.rule.is_none() && !missing.is_empty() {
        let missing = missing.join(", ");
        let message = format!("Missing required fields for creating a new conversion rule: {missing}");
        return Err(trouble("MISSING_REQUIRED_FIELD", message));
    }
    let account = match (&inputs.account, task) {
        (Some(account), _) => account.clone(),
        (None, Task::Associate) if inputs.rule.is_none() => String::new(),
        (None, Task::Create) => return Err(trouble(CREATION, failed("create", "No Ad Account selected."))),
        (None, _) => return Err(trouble(UPDATE, failed("update", "No Ad Account selected."))),
    };
    let first = first(api.is_compat(), task, inputs, saved)?;
    Ok(Rule { api: api.clone(), account, first, campaigns })
}

fn first(compat: bool, task: Task, inputs: Inputs, saved: Option<&Map<String, Value>>) -> Result<First, Trouble> {
    if let Some(rule) = inputs.rule {
        return Ok(First::Read(rule));
    }
    if task == Task::Create {
        return Ok(First::Create(inputs));
    }
    let saved = saved.cloned().unwrap_or_default();
    let Some(id) = saved.get("id").filter(|id| id_text(id).is_some()).cloned() else {
        let code = if task == Task::Update { UPDATE } else { ASSOCIATION };
        return Err(trouble(
            code,
            failed("update", "No existing rule to update. Create one, or give `conversionRuleId`."),
        ));
    };
    let changes = if task == Task::Update { changes(&inputs, &saved) } else { Map::new() };
    // The reference sends a change of nothing (Q10).
    if changes.is_empty() && !(compat && task == Task::Update) {
        let message = format!("No updates detected, using rule: {}.", id_text(&id).unwrap_or_default());
        return Ok(First::Nothing { saved, message });
    }
    Ok(First::Update { id, changes, saved })
}

/// What the inputs have that the saved rule has otherwise, under LinkedIn's names.
fn changes(inputs: &Inputs, saved: &Map<String, Value>) -> Map<String, Value> {
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let given = [
        ("name", "name", text(&inputs.name)),
        ("type", "conversionType", text(&inputs.kind)),
        ("attributionType", "attribution_type", text(&inputs.attribution)),
        ("postClickAttributionWindowSize", CLICK_WINDOW, inputs.click_window.map(Value::from)),
        ("viewThroughAttributionWindowSize", VIEW_WINDOW, inputs.view_window.map(Value::from)),
    ];
    let changed = given.into_iter().filter_map(|(theirs, ours, value)| Some((theirs, ours, value?)));
    let changed = changed.filter(|(_, ours, value)| saved.get(*ours) != Some(value));
    changed.map(|(theirs, _, value)| (theirs.to_owned(), value)).collect()
}

impl Operation for Rule {
    fn step(&self, so_far: &[Exchange]) -> Step {
        let mut answers = so_far.iter().map(|exchange| &exchange.answer);
        let reached = match self.ask_first() {
            None => self.nothing(),
            Some(request) => match answers.next() {
                None => return Step::Ask(request),
                Some(answer) => match self.read_first(answer) {
                    Ok(reached) => reached,
                    Err(trouble) => return Step::Failed(trouble),
                },
            },
        };
        let id = reached.outputs.get("id").and_then(id_text).unwrap_or_default();
        if self.campaigns.is_empty() {
            return Step::Done(reached.into_value());
        }
        let Some(answer) = answers.next() else {
            return Step::Ask(campaigns::associate(&self.api, &self.campaigns, &id));
        };
        match campaigns::refused(answer, self.api.is_compat()) {
            None => Step::Done(reached.into_value()),
            Some(why) => Step::Failed(Trouble {
                code: ASSOCIATION.into(),
                message: format!("Failed to associate campaigns to conversion rule, please try again: {why}"),
                reached: Value::Object(reached.outputs),
            }),
        }
    }
}

impl Rule {
    fn ask_first(&self) -> Option<Request> {
        let of = |id: &str| {
            let mut url = self.api.address(["conversions", id]);
            url.query_pairs_mut().append_pair("account", &self.account);
            url
        };
        Some(match &self.first {
            First::Nothing { .. } => return None,
            First::Read(id) => self.api.restli(Method::Get, of(id)),
            First::Create(inputs) => {
                self.api.restli(Method::Post, self.api.address(["conversions"])).json(&self.new_rule(inputs))
            }
            First::Update { id, changes, .. } => self
                .api
                .restli(Method::Post, of(&id_text(id).unwrap_or_default()))
                .header("x-restli-method", "PARTIAL_UPDATE")
                .json(&json!({"patch": {"$set": changes}})),
        })
    }

    fn new_rule(&self, inputs: &Inputs) -> Value {
        let (click, view) = (inputs.click_window.unwrap_or(WINDOWS.0), inputs.view_window.unwrap_or(WINDOWS.1));
        json!({
            "name": inputs.name, "account": self.account, "conversionMethod": "CONVERSIONS_API",
            "postClickAttributionWindowSize": click, "viewThroughAttributionWindowSize": view,
            "attributionType": inputs.attribution, "type": inputs.kind,
        })
    }

    fn nothing(&self) -> Reached {
        match &self.first {
            First::Nothing { saved, message } => Reached { outputs: saved.clone(), message: message.clone() },
            _ => Reached { outputs: Map::new(), message: String::new() },
        }
    }

    fn read_first(&self, answer: &Answer) -> Result<Reached, Trouble> {
        let compat = self.api.is_compat();
        let refused = !answer.is_success();
        match &self.first {
            First::Create(_) if refused => Err(trouble(CREATION, failed("create", &why(answer, compat)))),
            First::Create(inputs) => created(answer, inputs, compat),
            First::Read(_) if refused => Err(trouble(VERIFICATION, failed("verify", &why(answer, compat)))),
            First::Read(id) => {
                let body = answer.json().filter(Value::is_object);
                let unreadable = || trouble(VERIFICATION, failed("verify", "LinkedIn's answer cannot be read."));
                Ok(existing(id, &body.ok_or_else(unreadable)?))
            }
            First::Update { saved, .. } if refused => Err(Trouble {
                reached: Value::Object(saved.clone()),
                ..trouble(UPDATE, failed("update", &why(answer, compat)))
            }),
            First::Update { id, changes, saved } => Ok(updated(id, changes, saved)),
            First::Nothing { .. } => Ok(self.nothing()),
        }
    }
}

impl Reached {
    fn into_value(self) -> Value {
        json!({"successMessage": self.message, "savedData": self.outputs})
    }
}

/// What LinkedIn made. Where it does not repeat what was asked for, that holds.
fn created(answer: &Answer, inputs: &Inputs, compat: bool) -> Result<Reached, Trouble> {
    let body = answer.json().unwrap_or_default();
    let of = |key: &str| body.get(key).filter(|value| !value.is_null()).cloned();
    let id = of("id").filter(|id| id_text(id).is_some());
    let id = if compat { id } else { id.and_then(|id| id_text(&id)).or_else(|| header_id(answer)).map(Value::from) };
    let Some(id) = id else {
        let remedy = "LinkedIn did not return its id. Choose the rule by `conversionRuleId` before making another one.";
        return Err(trouble(CREATION, failed("create", remedy)));
    };
    let ours = |value: Option<Value>| value.filter(|_| !compat);
    let text = |text: &Option<String>| ours(text.clone().map(Value::from));
    let message = format!("Conversion rule {} created successfully!", id_text(&id).unwrap_or_default());
    let outputs = outputs([
        Some(id),
        of("name").or_else(|| text(&inputs.name)),
        of("type").or_else(|| text(&inputs.kind)),
        of("attributionType").or_else(|| text(&inputs.attribution)),
        of("postClickAttributionWindowSize").or_else(|| ours(Some(inputs.click_window.unwrap_or(WINDOWS.0).into()))),
        of("viewThroughAttributionWindowSize").or_else(|| ours(Some(inputs.view_window.unwrap_or(WINDOWS.1).into()))),
    ]);
    Ok(Reached { outputs, message })
}

fn header_id(answer: &Answer) -> Option<String> {
    let id = answer.header("x-restli-id")?.trim();
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| id.to_owned())
}

fn existing(id: &str, body: &Value) -> Reached {
    let text = |key: &str, name: &str| {
        let said = body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(Value::from);
        Some(said.unwrap_or_else(|| format!("No {name} returned for rule: {id}").into()))
    };
    let days = |key: &str, fallback: u64| {
        Some(body.get(key).and_then(Value::as_u64).filter(|days| *days > 0).unwrap_or(fallback).into())
    };
    let outputs = outputs([
        Some(id.into()),
        text("name", "name"),
        text("type", "type"),
        text("attributionType", "attribution type"),
        days("postClickAttributionWindowSize", WINDOWS.0),
        days("viewThroughAttributionWindowSize", WINDOWS.1),
    ]);
    // The blank at the end is the reference's.
    Reached { outputs, message: format!("Using existing Conversion Rule: {id} ") }
}

fn updated(id: &Value, changes: &Map<String, Value>, saved: &Map<String, Value>) -> Reached {
    let now = |theirs: &str, ours: &str| changes.get(theirs).or_else(|| saved.get(ours)).cloned();
    let outputs = outputs([
        Some(id.clone()),
        now("name", "name"),
        now("type", "conversionType"),
        now("attributionType", "attribution_type"),
        now("postClickAttributionWindowSize", CLICK_WINDOW),
        now("viewThroughAttributionWindowSize", VIEW_WINDOW),
    ]);
    Reached { outputs, message: format!("Conversion rule {} updated successfully!", id_text(id).unwrap_or_default()) }
}

fn outputs(values: [Option<Value>; 6]) -> Map<String, Value> {
    let names = ["id", "name", "conversionType", "attribution_type", CLICK_WINDOW, VIEW_WINDOW];
    names.into_iter().zip(values).filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn failed(what: &str, why: &str) -> String {
    format!("Failed to {what} conversion rule: {why}")
}
