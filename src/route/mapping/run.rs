//! Runs the tree of a mapping for one event. Recursion follows the tree, whose depth is that of the mapping.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::budget::Budget;
use super::error::{MappingError, Trouble};
use super::json;
use super::path::Path;
use super::template::Template;
use super::tree::{Act, Directive, If, Node, Source, Test};
use super::value::{Piece, Value, View, kind_of, units};
use crate::js::number;

/// One resolution.
pub(super) struct Run {
    pub(super) budget: Budget,
}

type Resolved<'p> = Result<Value<'p>, MappingError>;

impl Run {
    pub(super) fn new() -> Self {
        Run { budget: Budget::new() }
    }

    /// All steps of a transformation but those that need no event. Nothing at all stands for an empty event.
    pub(super) fn transformed<'p>(&self, mapping: &'p Node, payload: Piece<'_, 'p>, place: &str) -> Resolved<'p> {
        let at = |trouble: Trouble| trouble.at(place, "");
        admitted(payload).map_err(at)?;
        let empty = Value::Object(IndexMap::new());
        let payload = if matches!(payload.view(), View::Undefined) { empty.piece() } else { payload };
        self.resolved(mapping, payload)?.cleaned().map_err(at)
    }

    pub(super) fn resolved<'p>(&self, node: &'p Node, payload: Piece<'_, 'p>) -> Resolved<'p> {
        match node {
            Node::Raw(json) => Ok(Value::Json(json)),
            Node::Array(items) => {
                let items = items.iter().map(|item| self.resolved(item, payload));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Node::Object(members) => {
                let members = members.iter().map(|(key, member)| Ok((key.clone(), self.resolved(member, payload)?)));
                Ok(Value::Object(members.collect::<Result<_, MappingError>>()?))
            }
            Node::Directive(directive) => {
                let at = |trouble: Trouble| trouble.at(&directive.place, &directive.name);
                // Also what costs nothing by itself is counted: a shape may be resolved for a million items.
                self.budget.nodes(1).map_err(at)?;
                self.directive(directive, payload, &at)
            }
        }
    }

    fn directive<'p>(
        &self,
        directive: &'p Directive,
        payload: Piece<'_, 'p>,
        at: &dyn Fn(Trouble) -> MappingError,
    ) -> Resolved<'p> {
        let budget = &self.budget;
        match &directive.act {
            Act::Wrong(trouble) => Err(at(trouble.clone())),
            Act::Path(path) => self.path(path, payload, at),
            Act::Template(Source::Fixed(template)) => template.render(payload, budget).map(Value::Text).map_err(at),
            Act::Template(Source::Computed(node)) => {
                let template = Template::new(&self.text(node, payload, at)?);
                template.render(payload, budget).map(Value::Text).map_err(at)
            }
            Act::Literal(node) => self.resolved(node, payload),
            Act::If(condition) => self.condition(condition, payload, at),
            Act::Case { operator, value } => self.maybe(value.as_ref(), payload, |value| cased(operator, value), at),
            Act::Replace { how, value } => self.maybe(
                value.as_ref(),
                payload,
                |value| match scalar_text(value.piece()) {
                    Some(text) => how.applied(&text, budget).map(Value::Text),
                    None => Ok(Value::Text(String::new())),
                },
                at,
            ),
            Act::ArrayPath { root, shape } => {
                let root = match root {
                    Source::Fixed(path) => path.find(payload, budget).map_err(at)?,
                    Source::Computed(node) => self.resolved(node, payload)?,
                };
                match shape {
                    Some(shape) => self.shaped(root, shape, at),
                    None => Ok(root),
                }
            }
            Act::Flatten { how, value } => {
                let value = value.as_ref().map_or(Ok(Value::Undefined), |node| self.resolved(node, payload))?;
                how.applied(value.piece(), budget).map_err(at)
            }
            Act::Encode(node) => {
                let text = json::encoded(self.resolved(node, payload)?.piece(), budget).map_err(at)?;
                Ok(text.map_or(Value::Undefined, Value::Text))
            }
            Act::Decode(node) => self.decoded(node, payload, at),
            Act::NoMode(node) => self.resolved(node, payload).map(|_| Value::Undefined),
            Act::Merge { objects, left } => self.merged(objects, *left, payload, at),
            Act::Transform { apply, mapping } => {
                let apply = apply.as_ref().as_ref().map_err(MappingError::clone)?;
                let inner = self.transformed(apply, payload, &directive.place)?;
                self.resolved(mapping, inner.piece())
            }
            Act::ExcludeWhenNull(node) => Ok(match self.resolved(node, payload)? {
                value if matches!(value.view(), View::Null) => Value::Undefined,
                value => without_nulls(value, budget).map_err(at)?,
            }),
            Act::Liquid(template) => template.render(payload, budget).map(Value::Text).map_err(at),
        }
    }

    fn path<'p>(
        &self,
        path: &'p Source<Path>,
        payload: Piece<'_, 'p>,
        at: &dyn Fn(Trouble) -> MappingError,
    ) -> Resolved<'p> {
        match path {
            Source::Fixed(path) => path.find(payload, &self.budget).map_err(at),
            Source::Computed(node) => {
                let path = Path::of_directive(&self.text(node, payload, at)?);
                path.find(payload, &self.budget).map_err(at)
            }
        }
    }

    /// The text that a directive in the place of text resolves to.
    fn text(
        &self,
        node: &Node,
        payload: Piece<'_, '_>,
        at: &dyn Fn(Trouble) -> MappingError,
    ) -> Result<String, MappingError> {
        let value = self.resolved(node, payload)?;
        match value.view() {
            View::Text(text) => Ok(text.to_owned()),
            _ => Err(at(Trouble::new(
                format!("its argument must be text and resolves to {}", kind_of(value.piece())),
                "write a directive that gives text for every event, such as @template",
            ))),
        }
    }

    /// The outcome for a value that may not be there.
    fn maybe<'p>(
        &self,
        value: Option<&'p Node>,
        payload: Piece<'_, 'p>,
        outcome: impl FnOnce(Value<'p>) -> Result<Value<'p>, Trouble>,
        at: &dyn Fn(Trouble) -> MappingError,
    ) -> Resolved<'p> {
        let Some(node) = value else { return Ok(Value::Undefined) };
        outcome(self.resolved(node, payload)?).map_err(at)
    }

    fn condition<'p>(
        &self,
        condition: &'p If,
        payload: Piece<'_, 'p>,
        at: &dyn Fn(Trouble) -> MappingError,
    ) -> Resolved<'p> {
        let holds = match &condition.test {
            Test::Exists(node) => !matches!(self.resolved(node, payload)?.view(), View::Undefined | View::Null),
            Test::Filled(node) => is_filled(self.resolved(node, payload)?.piece(), &self.budget).map_err(at)?,
        };
        let branch = if holds { &condition.then } else { &condition.otherwise };
        branch.as_ref().map_or(Ok(Value::Undefined), |node| self.resolved(node, payload))
    }

    /// Every item as the shape makes it. An object is a list of one.
    fn shaped<'p>(&self, root: Value<'p>, shape: &'p Node, at: &dyn Fn(Trouble) -> MappingError) -> Resolved<'p> {
        match root.view() {
            View::Array(items) => {
                self.budget.nodes(items.len()).map_err(at)?;
                let shaped = items.iter().map(|item| self.resolved(shape, item));
                Ok(Value::Array(shaped.collect::<Result<_, _>>()?))
            }
            View::Object(_) => Ok(Value::Array(vec![self.resolved(shape, root.piece())?])),
            _ => Ok(root),
        }
    }

    fn decoded<'p>(
        &self,
        node: &'p Node,
        payload: Piece<'_, 'p>,
        at: &dyn Fn(Trouble) -> MappingError,
    ) -> Resolved<'p> {
        let value = self.resolved(node, payload)?;
        match value.view() {
            View::Text(text) => json::decoded(text, &self.budget).map_err(at),
            _ => Ok(value),
        }
    }

    fn merged<'p>(
        &self,
        objects: &'p [Node],
        left: bool,
        payload: Piece<'_, 'p>,
        at: &dyn Fn(Trouble) -> MappingError,
    ) -> Resolved<'p> {
        let mut values = objects.iter().map(|node| self.resolved(node, payload)).collect::<Result<Vec<_>, _>>()?;
        if left {
            values.reverse();
        }
        let mut merged = IndexMap::new();
        for value in &values {
            assign(&mut merged, value.piece(), &self.budget).map_err(at)?;
        }
        Ok(Value::Object(merged))
    }
}

/// Only objects are events; nothing at all stands for an empty one.
pub(super) fn admitted(payload: Piece<'_, '_>) -> Result<(), Trouble> {
    match payload.view() {
        View::Object(_) | View::Undefined => Ok(()),
        _ => Err(Trouble::new(
            format!("the event must be an object and is {}", kind_of(payload)),
            "send an object; within @arrayPath, use @transform only where every item is one",
        )),
    }
}

/// Copies the members of a value, also undefined ones, which so delete what was there. Text and arrays have members by
/// index.
fn assign<'p>(merged: &mut IndexMap<String, Value<'p>>, value: Piece<'_, 'p>, budget: &Budget) -> Result<(), Trouble> {
    match value.view() {
        View::Object(members) => {
            for (key, member) in members.listed() {
                budget.text(key.len())?;
                merged.insert(key.to_owned(), member.taken(budget)?);
            }
        }
        View::Array(items) => {
            budget.nodes(items.len())?;
            for (index, item) in items.iter().enumerate() {
                merged.insert(index.to_string(), item.taken(budget)?);
            }
        }
        View::Text(text) => {
            budget.nodes(text.len())?;
            merged.extend(units(text).map(|(index, unit)| (index, Value::Text(unit))));
        }
        _ => {}
    }
    Ok(())
}

fn cased<'p>(operator: &Json, value: Value<'p>) -> Result<Value<'p>, Trouble> {
    let View::Text(text) = value.view() else { return Ok(value) };
    match operator.as_str() {
        Some("lower") => Ok(Value::Text(text.to_lowercase())),
        Some("upper") => Ok(Value::Text(text.to_uppercase())),
        _ => Err(Trouble::new(format!("there is no operator {operator}"), "write \"lower\" or \"upper\"")),
    }
}

/// The text of a text, a number or a boolean.
fn scalar_text(value: Piece<'_, '_>) -> Option<String> {
    match value.view() {
        View::Text(text) => Some(text.to_owned()),
        View::Number(value) => Some(number::print(value)),
        View::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Whether a value is there, and not loosely equal to empty text.
fn is_filled(value: Piece<'_, '_>, budget: &Budget) -> Result<bool, Trouble> {
    Ok(match value.view() {
        View::Array(_) => value.text(budget)?.is_some_and(|text| !text.is_empty()),
        View::Object(_) => true,
        _ => !value.is_falsy(),
    })
}

/// Members that are null become undefined, also in objects within objects, and not in arrays. They go later, with all
/// that is undefined.
fn without_nulls<'p>(value: Value<'p>, budget: &Budget) -> Result<Value<'p>, Trouble> {
    let View::Object(members) = value.view() else { return Ok(value) };
    budget.nodes(1)?;
    let cleaned = members.listed().into_iter().map(|(key, member)| {
        budget.text(key.len())?;
        let cleaned = match member.view() {
            View::Null => Value::Undefined,
            View::Object(_) => without_nulls(member.taken(budget)?, budget)?,
            _ => member.taken(budget)?,
        };
        Ok((key.to_owned(), cleaned))
    });
    Ok(Value::Object(cleaned.collect::<Result<_, Trouble>>()?))
}
