//! A route: when this event, with these fields, to this action.

use std::fmt;

use serde_json::{Map, Value};

use super::action::Action;
use super::fields::{Empties, Field};
use super::mapping::{Class, Mapping, MappingError};
use super::subscription::{Explanation, Subscription};
use crate::taxonomy;

/// Members of a mapping with a meaning of their own.
const INTERNAL: &str = "__segment_internal_";

/// The field that keeps an item out of batches.
const BATCHING: &str = "enable_batching";

/// When an event is taken, what becomes of it, and for which action of a destination.
#[derive(Clone, Debug)]
pub struct Route {
    name: String,
    enabled: bool,
    when: Option<Subscription>,
    mapping: Mapping,
    action: Action,
    saved: Value,
    batching: Option<bool>,
    /// Nothing is mapped, and nothing needs to be: the event goes as it came.
    as_it_came: bool,
    /// Fields that the action needs and nothing is mapped to.
    lacking: Vec<String>,
}

/// What a route is made of. What is not said is the action's own.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Which events: a subscription.
    pub when: Option<String>,
    /// Whether the subscription must mean what it says.
    pub strict: bool,
    /// Which field is what. It is laid over the action's own mapping, field by field.
    pub mapping: Map<String, Value>,
    /// The fields of the action's own mapping that are left out.
    pub omit: Vec<String>,
    /// Whether the action's own mapping is left out as a whole.
    pub bare: bool,
    /// Whether it is switched off.
    pub disabled: bool,
}

/// Why a route cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFault {
    /// The part of the draft: `when`, `mapping`, `omit`.
    pub place: &'static str,
    /// What is wrong, and the remedy.
    pub message: String,
}

impl fmt::Display for RouteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for RouteFault {}

/// An event's fields, as its action takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// The fields; null where nothing is mapped and the event goes as it came.
    pub fields: Value,
    /// Members that the mapping gave and the action does not know, by their places. They were taken away.
    pub undeclared: Vec<String>,
}

/// Why an event cannot be what its action takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Its code in the table of errors.
    pub code: &'static str,
    /// What is wrong, in the words of the reference implementation.
    pub message: String,
    /// Where, and what to do.
    pub advice: String,
}

impl Route {
    /// The route that `draft` describes, to `action`.
    ///
    /// # Errors
    /// What cannot work, each with its place.
    pub fn new(name: impl Into<String>, action: &Action, draft: &Draft) -> Result<Self, Vec<RouteFault>> {
        let mut faults = Vec::new();
        let text = draft.when.as_deref().or(action.subscription());
        let when = text.map(|text| subscription(text, draft.strict)).transpose();
        let when = when.map_err(|found| faults.extend(found)).ok();
        let mapping = merged(action, draft).map_err(|found| faults.extend(found)).ok();
        let read = mapping.as_ref().and_then(|mapping| {
            let read = Mapping::new(&Value::Object(mapping.clone()));
            read.map_err(|why| faults.push(fault("mapping", why.to_string()))).ok()
        });
        match (when, mapping, read) {
            (Some(when), Some(members), Some(mapping)) if faults.is_empty() => {
                let saved = action.saved().iter().filter_map(|name| Some((name.clone(), members.get(name)?.clone())));
                let saved: Map<String, Value> = saved.collect();
                let batching = match members.get(BATCHING) {
                    None => Some(true),
                    Some(Value::Bool(flag)) => Some(*flag),
                    Some(_) => None,
                };
                let (name, action, enabled) = (name.into(), action.clone(), !draft.disabled);
                let saved = if saved.is_empty() { Value::Null } else { Value::Object(saved) };
                let as_it_came = members.is_empty() && action.schema().fields().is_empty();
                let whole = members.keys().any(|name| is_whole(name));
                let needed = action.schema().fields().iter().filter(|field| field.is_required());
                let lacking = needed.map(Field::key).filter(|key| !whole && !members.contains_key(*key));
                let lacking = lacking.map(str::to_owned).collect();
                Ok(Route { name, enabled, when, mapping, action, saved, batching, as_it_came, lacking })
            }
            _ => Err(faults),
        }
    }

    /// The action's own route: its subscription and its mapping.
    ///
    /// # Errors
    /// The action is not sound; a mistake of its author.
    pub fn preset(action: &Action) -> Result<Self, Vec<RouteFault>> {
        Route::new(action.slug(), action, &Draft::default())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it takes events.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The action that it leads to.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Which events it takes; without a subscription, all.
    #[must_use]
    pub fn when(&self) -> Option<&Subscription> {
        self.when.as_ref()
    }

    /// What becomes of them.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// What it brings along beside the fields; null for nothing.
    #[must_use]
    pub fn saved(&self) -> &Value {
        &self.saved
    }

    /// Whether it takes this event.
    #[must_use]
    pub fn takes(&self, event: &Value) -> bool {
        self.enabled && self.wants(event)
    }

    /// The same, were it switched on.
    #[must_use]
    pub fn wants(&self, event: &Value) -> bool {
        self.when.as_ref().is_none_or(|when| when.matches(event))
    }

    /// Whether it takes this event, and if not, what decided that.
    #[must_use]
    pub fn explain(&self, event: &Value) -> Explanation {
        self.when.as_ref().map_or(Explanation::Matched, |when| when.explain(event))
    }

    /// The fields that its action needs and nothing is mapped to: every event would fail.
    #[must_use]
    pub fn lacking(&self) -> &[String] {
        &self.lacking
    }

    /// Whether items of it share requests, where the mapping says so for all of them.
    pub(crate) fn batching(&self) -> Option<bool> {
        self.batching
    }

    /// The fields of this event.
    ///
    /// # Errors
    /// Why its action cannot take it, now or ever.
    pub fn payload(&self, event: &Value, empties: Empties) -> Result<Payload, Misfit> {
        if self.as_it_came {
            return Ok(Payload { fields: Value::Null, undeclared: Vec::new() });
        }
        let resolved = self.mapping.resolve(event).map_err(|why| Misfit {
            code: mapping_code(&why),
            message: "The mapping cannot be resolved.".to_owned(),
            advice: format!("Route {}: {why}", self.name),
        })?;
        let members = match resolved {
            Some(Value::Object(members)) => members,
            None => Map::new(),
            Some(other) => {
                return Err(Misfit {
                    code: taxonomy::MAPPING_FAILED,
                    message: "The mapping does not resolve to fields.".to_owned(),
                    advice: format!("Route {}: it gives {other}; map each field by its name.", self.name),
                });
            }
        };
        if self.action.schema().fields().is_empty() {
            return Ok(Payload { fields: Value::Object(members), undeclared: Vec::new() });
        }
        let cleaned = self.action.schema().clean(members, empties).map_err(|faults| Misfit {
            code: taxonomy::PAYLOAD_VALIDATION_FAILED,
            message: faults.to_string(),
            advice: faults.advice(),
        })?;
        let saved = |name: &str| self.action.saved().iter().any(|known| known == name) || name.starts_with(INTERNAL);
        let undeclared = cleaned.undeclared.into_iter().filter(|name| !saved(name)).collect();
        Ok(Payload { fields: Value::Object(cleaned.payload), undeclared })
    }
}

/// The code of a mapping that cannot be read or resolved.
pub(crate) fn mapping_code(why: &MappingError) -> &'static str {
    match why.class() {
        Class::Validation | Class::Aggregate => taxonomy::MAPPING_INVALID,
        Class::Liquid(_) => taxonomy::LIQUID_FAILED,
        Class::Directive | Class::Internal => taxonomy::MAPPING_FAILED,
    }
}

/// Whether items with these fields may share requests.
pub(crate) fn may_share(fields: &Value) -> bool {
    fields.get(BATCHING) != Some(&Value::Bool(false))
}

/// Whether a member of a mapping makes all of it a directive.
fn is_whole(name: &str) -> bool {
    name.starts_with('@') || name == "__segment_internal_directive"
}

fn fault(place: &'static str, message: impl Into<String>) -> RouteFault {
    RouteFault { place, message: message.into() }
}

fn subscription(text: &str, strict: bool) -> Result<Subscription, Vec<RouteFault>> {
    if strict {
        Subscription::strict(text)
            .map_err(|findings| findings.iter().map(|finding| fault("when", finding.caret(text))).collect())
    } else {
        Subscription::parse(text).map_err(|why| vec![fault("when", why.caret(text))])
    }
}

/// The draft's mapping, laid over the action's own.
fn merged(action: &Action, draft: &Draft) -> Result<Map<String, Value>, Vec<RouteFault>> {
    let mut faults = Vec::new();
    let fields = action.schema().fields();
    let known = |name: &str| fields.iter().any(|field| field.key() == name);
    let list = || fields.iter().map(Field::key).collect::<Vec<_>>().join(", ");
    let whole = draft.mapping.keys().any(|name| is_whole(name));
    let mut mapping = if draft.bare || whole { Map::new() } else { action.mapping() };
    for name in &draft.omit {
        if mapping.shift_remove(name).is_none() {
            faults
                .push(fault("omit", format!("`{name}` is no field of the action's own mapping; known are {}", list())));
        }
    }
    for (name, value) in &draft.mapping {
        let saved = action.saved().contains(name);
        if !(fields.is_empty() || whole || known(name) || saved || name.starts_with(INTERNAL)) {
            let slug = action.slug();
            faults.push(fault("mapping", format!("`{name}` is no field of the action {slug}; known are {}", list())));
        }
        mapping.insert(name.clone(), value.clone());
    }
    if faults.is_empty() { Ok(mapping) } else { Err(faults) }
}
