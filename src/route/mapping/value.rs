//! Values while a mapping is resolved. There is one more than JSON has: *undefined*, which is nothing at all.
//!
//! Parts of the event and of the mapping are borrowed until the result is written, so that a mapping that copies half of
//! an event does so once. Recursion over values is bounded: events nest at most [`DEPTH`] levels (checked before a
//! resolution), mappings too, and what a `@transform` hands on is measured again.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::{Number, Value as Json};

use super::budget::Budget;
use super::error::Trouble;
use crate::js::{number, text};

/// So deep may events and mappings nest. JSON text nests no deeper: it is the limit of its reader.
pub(super) const DEPTH: usize = 128;

/// What a part of a mapping resolved to; `'p` is the life of the event and the mapping.
#[derive(Clone, Debug)]
pub(super) enum Value<'p> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Array(Vec<Value<'p>>),
    Object(IndexMap<String, Value<'p>>),
    /// A part of the event or of the mapping, as it stands there.
    Json(&'p Json),
}

/// A value that someone else holds: the event, or what a `@transform` made of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece<'s, 'p> {
    Json(&'p Json),
    Own(&'s Value<'p>),
}

/// A value without regard to who holds it.
pub(super) enum View<'s, 'p> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(&'s str),
    Array(Items<'s, 'p>),
    Object(Members<'s, 'p>),
}

/// The elements of an array.
#[derive(Clone, Copy)]
pub(super) enum Items<'s, 'p> {
    Json(&'p [Json]),
    Own(&'s [Value<'p>]),
}

/// The members of an object.
#[derive(Clone, Copy)]
pub(super) enum Members<'s, 'p> {
    Json(&'p serde_json::Map<String, Json>),
    Own(&'s IndexMap<String, Value<'p>>),
}

impl<'p> Value<'p> {
    pub(super) fn piece(&self) -> Piece<'_, 'p> {
        match self {
            Value::Json(json) => Piece::Json(json),
            own => Piece::Own(own),
        }
    }

    pub(super) fn view(&self) -> View<'_, 'p> {
        self.piece().view()
    }

    /// The value without undefined members, at every depth; undefined elements stay as holes.
    pub(super) fn cleaned(mut self) -> Result<Value<'p>, Trouble> {
        self.clean(DEPTH)?;
        Ok(self)
    }

    /// In its place: most values have nothing that goes.
    fn clean(&mut self, levels: usize) -> Result<(), Trouble> {
        let below = || levels.checked_sub(1).ok_or_else(too_deep);
        match self {
            Value::Array(items) => {
                let below = below()?;
                items.iter_mut().try_for_each(|item| item.clean(below))
            }
            Value::Object(members) => {
                let below = below()?;
                members.retain(|_, value| !matches!(value, Value::Undefined));
                members.values_mut().try_for_each(|value| value.clean(below))
            }
            Value::Json(json) if nests_deeper(json, levels) => Err(too_deep()),
            _ => Ok(()),
        }
    }

    /// The result as JSON, as [`Piece::json`] makes it, and for the same price; what is its own is moved.
    pub(super) fn into_json(self, budget: &Budget) -> Result<Option<Json>, Trouble> {
        let own = match self {
            Value::Text(_) | Value::Array(_) | Value::Object(_) => self,
            other => return other.piece().json(budget),
        };
        budget.nodes(1)?;
        Ok(Some(match own {
            Value::Text(text) => {
                budget.text(text.len())?;
                Json::String(text)
            }
            Value::Array(items) => {
                let items = items.into_iter().map(|item| Ok(item.into_json(budget)?.unwrap_or(Json::Null)));
                Json::Array(items.collect::<Result<_, Trouble>>()?)
            }
            Value::Object(members) => {
                let mut object = serde_json::Map::with_capacity(members.len());
                for (key, value) in members {
                    if let Some(value) = value.into_json(budget)? {
                        budget.text(key.len())?;
                        object.insert(key, value);
                    }
                }
                Json::Object(object)
            }
            _ => return Ok(None),
        }))
    }
}

fn too_deep() -> Trouble {
    Trouble::new(
        format!("the result nests more than {DEPTH} levels deep"),
        "take a smaller part of the event, or nest the mapping less",
    )
}

/// Whether `json` has more than `levels` levels of arrays and objects. Recurses no deeper than that.
pub(super) fn nests_deeper(json: &Json, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return matches!(json, Json::Array(_) | Json::Object(_)) };
    match json {
        Json::Array(items) => items.iter().any(|item| nests_deeper(item, below)),
        Json::Object(members) => members.values().any(|member| nests_deeper(member, below)),
        _ => false,
    }
}

impl<'s, 'p> Piece<'s, 'p> {
    pub(super) fn view(self) -> View<'s, 'p> {
        match self {
            Piece::Json(json) => view(json),
            Piece::Own(own) => match own {
                Value::Json(json) => view(json),
                Value::Undefined => View::Undefined,
                Value::Null => View::Null,
                Value::Bool(flag) => View::Bool(*flag),
                Value::Number(number) => View::Number(*number),
                Value::Text(text) => View::Text(text),
                Value::Array(items) => View::Array(Items::Own(items)),
                Value::Object(members) => View::Object(Members::Own(members)),
            },
        }
    }

    /// A value of its own: nothing is copied of the event, and what is copied of another value is paid for.
    pub(super) fn taken(self, budget: &Budget) -> Result<Value<'p>, Trouble> {
        match self {
            Piece::Json(json) => Ok(Value::Json(json)),
            Piece::Own(own) => {
                budget.copy(own)?;
                Ok(own.clone())
            }
        }
    }

    /// Whether a condition of the language takes it for false.
    pub(super) fn is_falsy(self) -> bool {
        match self.view() {
            View::Undefined | View::Null => true,
            View::Bool(flag) => !flag,
            View::Number(number) => number == 0.0 || number.is_nan(),
            View::Text(text) => text.is_empty(),
            View::Array(_) | View::Object(_) => false,
        }
    }

    /// Its text form; arrays are joined by commas. Nothing for undefined and null.
    pub(super) fn text(self, budget: &Budget) -> Result<Option<Cow<'s, str>>, Trouble> {
        Ok(Some(match self.view() {
            View::Undefined | View::Null => return Ok(None),
            View::Bool(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
            View::Number(value) => Cow::Owned(number::print(value)),
            View::Text(text) => Cow::Borrowed(text),
            View::Array(items) => {
                let mut joined = String::new();
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        joined.push(',');
                    }
                    if let Some(text) = item.text(budget)? {
                        budget.text(text.len())?;
                        joined.push_str(&text);
                    }
                }
                budget.text(items.len())?;
                Cow::Owned(joined)
            }
            View::Object(_) => Cow::Borrowed("[object Object]"),
        }))
    }

    /// The result as JSON: undefined members go, undefined elements are null.
    pub(super) fn json(self, budget: &Budget) -> Result<Option<Json>, Trouble> {
        budget.nodes(1)?;
        Ok(Some(match self.view() {
            View::Undefined => return Ok(None),
            View::Null => Json::Null,
            View::Bool(flag) => Json::Bool(flag),
            View::Number(value) => shortest(value),
            View::Text(text) => {
                budget.text(text.len())?;
                Json::String(text.to_owned())
            }
            View::Array(items) => {
                let items = items.iter().map(|item| Ok(item.json(budget)?.unwrap_or(Json::Null)));
                Json::Array(items.collect::<Result<_, Trouble>>()?)
            }
            View::Object(members) => {
                let mut object = serde_json::Map::new();
                for (key, value) in members.as_written() {
                    if let Some(value) = value.json(budget)? {
                        budget.text(key.len())?;
                        object.insert(key.to_owned(), value);
                    }
                }
                Json::Object(object)
            }
        }))
    }
}

fn view<'s, 'p: 's>(json: &'p Json) -> View<'s, 'p> {
    match json {
        Json::Null => View::Null,
        Json::Bool(flag) => View::Bool(*flag),
        Json::Number(number) => View::Number(double(number)),
        Json::String(text) => View::Text(text),
        Json::Array(items) => View::Array(Items::Json(items)),
        Json::Object(members) => View::Object(Members::Json(members)),
    }
}

impl<'s, 'p> Items<'s, 'p> {
    pub(super) fn len(self) -> usize {
        match self {
            Items::Json(items) => items.len(),
            Items::Own(items) => items.len(),
        }
    }

    pub(super) fn get(self, index: usize) -> Option<Piece<'s, 'p>> {
        match self {
            Items::Json(items) => items.get(index).map(Piece::Json),
            Items::Own(items) => items.get(index).map(Value::piece),
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Piece<'s, 'p>> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

impl<'s, 'p> Members<'s, 'p> {
    pub(super) fn get(self, key: &str) -> Option<Piece<'s, 'p>> {
        match self {
            Members::Json(members) => members.get(key).map(Piece::Json),
            Members::Own(members) => members.get(key).map(Value::piece),
        }
    }

    /// The members in the order in which they were written.
    fn as_written(self) -> Vec<(&'s str, Piece<'s, 'p>)> {
        match self {
            Members::Json(members) => members.iter().map(|(key, value)| (key.as_str(), Piece::Json(value))).collect(),
            Members::Own(members) => members.iter().map(|(key, value)| (key.as_str(), value.piece())).collect(),
        }
    }

    /// The members in the order in which JavaScript lists them: keys that are array indices first, by number.
    pub(super) fn listed(self) -> Vec<(&'s str, Piece<'s, 'p>)> {
        let mut members = self.as_written();
        if members.iter().any(|(key, _)| index(key).is_some()) {
            // The sort is stable, so the others keep their order.
            members.sort_by_key(|(key, _)| index(key).unwrap_or(usize::MAX));
        }
        members
    }
}

/// The double that stands for a number of JSON.
pub(super) fn double(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

/// The number in JSON: an integer where it is one that doubles hold exactly. What is not finite becomes null there too.
pub(super) fn shortest(value: f64) -> Json {
    /// Up to here every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[allow(clippy::cast_possible_truncation, reason = "it has no fraction and fits, as was just checked")]
        return Json::from(value as i64);
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

/// The array index that `key` writes: digits without a needless zero.
pub(super) fn index(key: &str) -> Option<usize> {
    let canonical = key == "0" || (!key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit()));
    // The largest length of an array there is 2^32 - 1.
    key.parse::<u32>().ok().filter(|index| canonical && *index < u32::MAX)?.try_into().ok()
}

/// Whether raw JSON counts as false.
pub(super) fn is_falsy(json: &Json) -> bool {
    Piece::Json(json).is_falsy()
}

/// The members of a text as of an object: its UTF-16 units by index.
pub(super) fn units(whole: &str) -> impl Iterator<Item = (String, String)> {
    let units = whole
        .encode_utf16()
        .map(|unit| char::decode_utf16([unit]).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>());
    units.enumerate().map(|(index, unit)| (index.to_string(), unit))
}

/// A built-in member of a text: its length, or one of its units.
pub(super) fn text_member<'p>(whole: &str, key: &str) -> Value<'p> {
    if key == "length" {
        return count(text::length(whole));
    }
    index(key).and_then(|at| text::unit(whole, at)).map_or(Value::Undefined, Value::Text)
}

/// A length as a number.
pub(super) fn count<'p>(length: usize) -> Value<'p> {
    #[allow(clippy::cast_precision_loss, reason = "nothing in memory is 2^53 long")]
    Value::Number(length as f64)
}

/// What a value is, for messages.
pub(super) fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "an array",
        Json::Object(members) if members.keys().any(|key| key.starts_with('@')) => "a directive",
        Json::Object(_) => "an object",
    }
}

/// What a value is, for messages.
pub(super) fn kind_of(piece: Piece<'_, '_>) -> &'static str {
    match piece.view() {
        View::Undefined => "nothing",
        View::Null => "null",
        View::Bool(_) => "a boolean",
        View::Number(_) => "a number",
        View::Text(_) => "text",
        View::Array(_) => "an array",
        View::Object(_) => "an object",
    }
}
