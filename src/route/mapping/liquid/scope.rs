//! What names in a template mean: its variables, its counters, the event.

use std::collections::HashMap;

use super::super::budget::Budget;
use super::super::error::Trouble;
use super::super::value::{Piece, Value, View, count, index, text_member};
use super::data::{Data, coerced};

/// The names that are visible.
pub(super) struct Scope<'s, 'p> {
    pub(super) event: Piece<'s, 'p>,
    pub(super) budget: &'s Budget,
    pub(super) variables: HashMap<String, Data<'p>>,
    /// What `increment` and `decrement` count. They hide members of the event.
    pub(super) counters: HashMap<String, f64>,
    /// So many `block` are open: each makes `block` the name of an object.
    pub(super) blocks: usize,
}

impl<'p> Scope<'_, 'p> {
    /// Follows keys, the first of which is a name.
    pub(super) fn find(&self, keys: &[Value<'p>]) -> Result<Data<'p>, Trouble> {
        let Some((first, rest)) = keys.split_first() else { return Ok(Data::UNDEFINED) };
        let name = coerced(first.piece(), self.budget)?;
        if name == "block" && self.blocks > 0 {
            // Within a block that no layout replaces, what it would replace is empty.
            let block = Value::Object([("super".to_owned(), Value::Text(String::new()))].into_iter().collect());
            return follow(block.piece(), rest, self.budget).map(Data::Value);
        }
        if let Some(variable) = self.variables.get(&name) {
            return match variable {
                Data::Value(value) => follow(value.piece(), rest, self.budget).map(Data::Value),
                word if rest.is_empty() => Ok(word.clone()),
                _ => Ok(Data::UNDEFINED),
            };
        }
        if let Some(counter) = self.counters.get(&name) {
            return follow(Value::Number(*counter).piece(), rest, self.budget).map(Data::Value);
        }
        if owns(self.event, &name) {
            return follow(self.event, keys, self.budget).map(Data::Value);
        }
        // Whatever is nowhere is looked for in an empty object, which has a size.
        follow(Value::Object(indexmap::IndexMap::new()).piece(), keys, self.budget).map(Data::Value)
    }
}

fn owns(piece: Piece<'_, '_>, key: &str) -> bool {
    match piece.view() {
        View::Object(members) => members.get(key).is_some(),
        View::Array(items) => key == "length" || index(key).is_some_and(|at| at < items.len()),
        View::Text(text) => !matches!(text_member(text, key), Value::Undefined),
        _ => false,
    }
}

/// Follows keys from a value.
pub(super) fn follow<'p>(start: Piece<'_, 'p>, keys: &[Value<'p>], budget: &Budget) -> Result<Value<'p>, Trouble> {
    let (mut at, mut rest) = (start, keys.iter());
    while let Some(key) = rest.next() {
        match member(at, key.piece(), budget)? {
            Found::Piece(piece) => at = piece,
            Found::Made(mut value) => {
                for key in rest {
                    let next = match member(value.piece(), key.piece(), budget)? {
                        Found::Piece(piece) => piece.taken(budget)?,
                        Found::Made(made) => made,
                    };
                    value = next;
                }
                return Ok(value);
            }
        }
    }
    at.taken(budget)
}

enum Found<'s, 'p> {
    Piece(Piece<'s, 'p>),
    Made(Value<'p>),
}

/// A member, or one of those that are built in: `size`, `first` and `last`.
fn member<'s, 'p>(owner: Piece<'s, 'p>, key: Piece<'_, '_>, budget: &Budget) -> Result<Found<'s, 'p>, Trouble> {
    let nothing = Found::Made(Value::Undefined);
    let piece = |found: Option<Piece<'s, 'p>>| found.map_or(Found::Made(Value::Undefined), Found::Piece);
    if matches!(owner.view(), View::Undefined | View::Null) {
        return Ok(Found::Piece(owner));
    }
    if let (View::Array(items), View::Number(at)) = (owner.view(), key.view()) {
        return Ok(piece(element(at, items.len()).and_then(|at| items.get(at))));
    }
    let key = coerced(key, budget)?;
    Ok(match owner.view() {
        View::Object(members) => match (members.get(&key), key.as_str()) {
            (Some(found), _) => Found::Piece(found),
            (None, "size") => Found::Made(count(members.listed().len())),
            (None, _) => nothing,
        },
        View::Array(items) => match key.as_str() {
            "size" | "length" => Found::Made(count(items.len())),
            "first" => piece(items.get(0)),
            "last" => piece(items.len().checked_sub(1).and_then(|at| items.get(at))),
            other => piece(index(other).and_then(|at| items.get(at))),
        },
        View::Text(text) if key == "size" => Found::Made(text_member(text, "length")),
        View::Text(text) => Found::Made(text_member(text, &key)),
        _ => nothing,
    })
}

/// The place of an element; negative ones count from the end.
pub(super) fn element(at: f64, length: usize) -> Option<usize> {
    #[allow(clippy::cast_precision_loss, reason = "nothing in memory is 2^53 long")]
    let from_start = if at < 0.0 { length as f64 + at } else { at };
    if from_start.fract() != 0.0 || !(0.0..4_294_967_295.0).contains(&from_start) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a whole number within u32")]
    Some(from_start as usize)
}
