//! Values within a template, and how operators see them.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::super::budget::Budget;
use super::super::error::Trouble;
use super::super::value::{Piece, Value, View};
use crate::js::{number, text};

/// A value, or one of the words that stand for a kind of values. They only differ in comparisons.
#[derive(Clone, Debug)]
pub(super) enum Data<'p> {
    Value(Value<'p>),
    Nil,
    Empty,
    Blank,
}

impl<'p> Data<'p> {
    pub(super) const UNDEFINED: Data<'p> = Data::Value(Value::Undefined);

    /// The value that filters and outputs see.
    pub(super) fn plain(self) -> Value<'p> {
        match self {
            Data::Value(value) => value,
            Data::Nil => Value::Null,
            Data::Empty | Data::Blank => Value::Text(String::new()),
        }
    }

    /// Only these are false: false, null and undefined.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Data::Value(value) => is_true(value.piece()),
            Data::Nil => false,
            Data::Empty | Data::Blank => true,
        }
    }
}

pub(super) fn is_true(piece: Piece<'_, '_>) -> bool {
    !matches!(piece.view(), View::Undefined | View::Null | View::Bool(false))
}

pub(super) fn is_nil(piece: Piece<'_, '_>) -> bool {
    matches!(piece.view(), View::Undefined | View::Null)
}

/// What an output writes: the elements of arrays run together, nothing for null.
pub(super) fn shown(piece: Piece<'_, '_>, budget: &Budget) -> Result<String, Trouble> {
    let mut out = String::new();
    show(piece, &mut out, budget)?;
    Ok(out)
}

fn show(piece: Piece<'_, '_>, out: &mut String, budget: &Budget) -> Result<(), Trouble> {
    if let View::Array(items) = piece.view() {
        budget.nodes(items.len())?;
        return items.iter().try_for_each(|item| show(item, out, budget));
    }
    if let Some(text) = piece.text(budget)? {
        budget.text(text.len())?;
        out.push_str(&text);
    }
    Ok(())
}

/// `Number(value)` of JavaScript.
pub(super) fn number(piece: Piece<'_, '_>, budget: &Budget) -> Result<f64, Trouble> {
    Ok(match piece.view() {
        View::Undefined | View::Object(_) => f64::NAN,
        View::Null => 0.0,
        View::Bool(flag) => f64::from(flag),
        View::Number(number) => number,
        View::Text(text) => number::parse(text),
        View::Array(_) => number::parse(&piece.text(budget)?.unwrap_or_default()),
    })
}

/// `==`: what is not a word that stands for a kind is equal when it is the same; arrays element by element.
pub(super) fn equal(left: &Data<'_>, right: &Data<'_>) -> bool {
    match (left, right) {
        (Data::Value(left), Data::Value(right)) => same(left.piece(), right.piece()),
        (Data::Value(value), word) | (word, Data::Value(value)) => stands_for(word, value.piece()),
        (Data::Nil | Data::Blank, Data::Nil) => true,
        _ => false,
    }
}

/// Whether a value is one of those that a word stands for.
fn stands_for(word: &Data<'_>, value: Piece<'_, '_>) -> bool {
    let is_empty = match value.view() {
        View::Text(text) => text.is_empty(),
        View::Array(items) => items.len() == 0,
        View::Object(members) => members.listed().is_empty(),
        _ => false,
    };
    match word {
        Data::Nil => is_nil(value),
        Data::Empty => is_empty,
        Data::Blank => match value.view() {
            View::Undefined | View::Null | View::Bool(false) => true,
            View::Text(whole) => text::trim(whole).is_empty(),
            _ => is_empty,
        },
        Data::Value(_) => false,
    }
}

/// `===` of JavaScript, but arrays by their elements. Objects are the same only when they are one and the same.
pub(super) fn same(left: Piece<'_, '_>, right: Piece<'_, '_>) -> bool {
    match (left.view(), right.view()) {
        (View::Undefined, View::Undefined) | (View::Null, View::Null) => true,
        (View::Bool(left), View::Bool(right)) => left == right,
        #[allow(clippy::float_cmp, reason = "equality is what is asked for")]
        (View::Number(left), View::Number(right)) => left == right,
        (View::Text(left), View::Text(right)) => left == right,
        (View::Array(left), View::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| same(left, right))
        }
        (View::Object(_), View::Object(_)) => match (left, right) {
            (Piece::Json(left), Piece::Json(right)) => std::ptr::eq::<Json>(left, right),
            (Piece::Own(left), Piece::Own(right)) => std::ptr::eq(left, right),
            _ => false,
        },
        _ => false,
    }
}

/// The order of two values as `<` of JavaScript sees it: texts by their units, all else as numbers. Nothing when they
/// have none.
pub(super) fn order(left: &Data<'_>, right: &Data<'_>, budget: &Budget) -> Result<Option<Ordering>, Trouble> {
    let (Data::Value(left), Data::Value(right)) = (left, right) else { return Ok(None) };
    let (left, right) = (left.piece(), right.piece());
    if let (Some(left), Some(right)) = (primitive_text(left, budget)?, primitive_text(right, budget)?) {
        return Ok(Some(left.encode_utf16().cmp(right.encode_utf16())));
    }
    Ok(number(left, budget)?.partial_cmp(&number(right, budget)?))
}

/// The text of what is a text as a primitive value.
fn primitive_text(piece: Piece<'_, '_>, budget: &Budget) -> Result<Option<String>, Trouble> {
    match piece.view() {
        View::Text(_) | View::Array(_) | View::Object(_) => {
            let text = piece.text(budget)?.unwrap_or_default();
            budget.text(text.len())?;
            Ok(Some(text.into_owned()))
        }
        _ => Ok(None),
    }
}

/// `contains`: an element of an array, or a part of a text.
pub(super) fn contains(whole: &Data<'_>, part: &Data<'_>, budget: &Budget) -> Result<bool, Trouble> {
    let whole = whole.clone().plain();
    Ok(match whole.view() {
        View::Array(items) => items.iter().any(|item| match part {
            Data::Value(value) => same(item, value.piece()),
            word => stands_for(word, item),
        }),
        View::Text(text) => {
            let part = part.clone().plain();
            text.contains(coerced(part.piece(), budget)?.as_str())
        }
        _ => false,
    })
}

/// `String(value)` of JavaScript.
pub(super) fn coerced(piece: Piece<'_, '_>, budget: &Budget) -> Result<String, Trouble> {
    Ok(match piece.view() {
        View::Undefined => "undefined".to_owned(),
        View::Null => "null".to_owned(),
        _ => piece.text(budget)?.unwrap_or_default().into_owned(),
    })
}
