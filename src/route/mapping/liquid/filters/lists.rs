//! Filters of lists.

use std::collections::HashMap;

use super::super::super::error::Trouble;
use super::super::super::value::{Piece, Value, View, count};
use super::super::data::{Data, coerced, equal, is_nil, is_true, number, shown};
use super::super::reader::Reader;
use super::super::scope::{Scope, follow};
use super::super::syntax::Operand;
use super::text::{clamped, whole};
use super::{Call, Outcome, Run, made};
use crate::js::text;

pub(super) fn find(name: &str) -> Option<Run> {
    Some(match name {
        "join" => join,
        "first" => |call| edge(call, |_| 0.0),
        "last" => |call| edge(call, |length| length - 1.0),
        "size" => size,
        "sum" => sum,
        "compact" => compact,
        "where" => filtered,
        "push" => |call| changed(call, Vec::push),
        "unshift" => |call| changed(call, |list, argument| list.insert(0, argument)),
        "pop" => |call| changed(call, |list, _| drop(list.pop())),
        "shift" => |call| {
            changed(call, |list, _| {
                if !list.is_empty() {
                    drop(list.remove(0));
                }
            })
        },
        "slice" => slice,
        "sample" => sample,
        _ => return None,
    })
}

fn join<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let list = call.list()?;
    let separator = match call.given(0) {
        Some(value) if !is_nil(value.piece()) => shown(value.piece(), call.budget)?,
        _ => " ".to_owned(),
    };
    let mut joined = String::new();
    for (index, item) in list.iter().enumerate() {
        let text = item.piece().text(call.budget)?.unwrap_or_default();
        call.budget.text(separator.len().saturating_add(text.len()))?;
        if index > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&text);
    }
    made(joined)
}

/// The first or last of what has a length; empty text for all else.
fn edge<'p>(call: &Call<'_, 'p>, place: fn(f64) -> f64) -> Outcome<'p> {
    let value = call.value();
    if value.piece().is_falsy() {
        return made("");
    }
    let length = follow(value.piece(), &[Value::Text("length".to_owned())], call.budget)?;
    match length.view() {
        View::Number(length) => follow(value.piece(), &[Value::Number(place(length))], call.budget),
        _ => made(""),
    }
}

/// The length of text and lists, also of objects that say they have one. Else zero.
fn size<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let Data::Value(value) = call.input else { return Ok(Value::Number(0.0)) };
    let length = match value.view() {
        View::Text(text) => count(text::length(text)),
        View::Array(items) => count(items.len()),
        View::Object(members) => match members.get("length") {
            Some(length) => length.taken(call.budget)?,
            None => Value::Undefined,
        },
        _ => Value::Undefined,
    };
    Ok(if length.piece().is_falsy() { Value::Number(0.0) } else { length })
}

/// A member of an item, by keys with dots between them.
fn member<'p>(call: &Call<'_, 'p>, item: &Value<'p>, path: &str) -> Result<Value<'p>, Trouble> {
    let keys: Vec<Value<'p>> = path.split('.').map(|key| Value::Text(key.to_owned())).collect();
    follow(item.piece(), &keys, call.budget)
}

/// What is no number counts as nothing.
fn sum<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let path = if call.flag(0) { Some(call.text_of(0)?) } else { None };
    let mut sum = 0.0;
    for item in call.list()? {
        let value = match &path {
            Some(path) => member(call, &item, path)?,
            None => item,
        };
        let number = number(value.piece(), call.budget)?;
        sum += if number.is_nan() { 0.0 } else { number };
    }
    Ok(Value::Number(sum))
}

fn compact<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    Ok(Value::Array(call.list()?.into_iter().filter(|item| !is_nil(item.piece())).collect()))
}

/// The items of which a member is true, or equal to the second argument.
fn filtered<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let path: Vec<char> = call.text_of(0)?.chars().collect();
    let keys = Reader::new(&path, 0, path.len()).keys(true)?;
    let path = (!keys.is_empty()).then_some(Operand::Path(None, keys));
    let expected = call.arguments.get(1).filter(|data| !matches!(data, Data::Value(Value::Undefined)));
    let mut kept = Vec::new();
    for item in call.list()? {
        let value = match &path {
            Some(path) => seen(call, item.piece()).operand(path)?,
            None => Data::UNDEFINED,
        };
        let fits = match (expected, &value) {
            (Some(expected), value) => equal(value, expected),
            (None, Data::Value(value)) => is_true(value.piece()),
            (None, word) => word.is_true(),
        };
        if fits {
            kept.push(item);
        }
    }
    Ok(Value::Array(kept))
}

/// An item as the whole that names are looked up in.
fn seen<'c, 'p>(call: &Call<'c, 'p>, item: Piece<'c, 'p>) -> Scope<'c, 'p> {
    let (variables, counters) = (HashMap::new(), HashMap::new());
    Scope { event: item, budget: call.budget, variables, counters, blocks: 0 }
}

fn changed<'p>(call: &Call<'_, 'p>, change: impl FnOnce(&mut Vec<Value<'p>>, Value<'p>)) -> Outcome<'p> {
    let mut list = call.list()?;
    change(&mut list, call.given(0).unwrap_or(Value::Undefined));
    Ok(Value::Array(list))
}

/// A part of a list or a text; a negative beginning counts from the end.
fn slice<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let value = call.value();
    if is_nil(value.piece()) {
        return Ok(Value::Array(Vec::new()));
    }
    if let View::Array(items) = value.view() {
        let Some((start, end)) = bounds(call, items.len())? else { return Ok(Value::Array(Vec::new())) };
        let items = items.iter().skip(start).take(end.saturating_sub(start));
        return Ok(Value::Array(items.map(|item| item.taken(call.budget)).collect::<Result<_, _>>()?));
    }
    let units: Vec<u16> = call.text()?.encode_utf16().collect();
    let Some((start, end)) = bounds(call, units.len())? else { return made("") };
    let kept: Vec<u16> = units.into_iter().skip(start).take(end.saturating_sub(start)).collect();
    made(String::from_utf16_lossy(&kept))
}

/// Where a slice begins and ends. JavaScript's `+` runs texts together: so do a beginning and a length that are text.
fn bounds(call: &Call<'_, '_>, size: usize) -> Result<Option<(usize, usize)>, Trouble> {
    let mut begin = call.given(0).unwrap_or(Value::Undefined);
    let length = call.given(1).unwrap_or(Value::Number(1.0));
    if number(begin.piece(), call.budget)? < 0.0 {
        begin = plus(call, &count(size), &begin)?;
    }
    let start = number(begin.piece(), call.budget)?;
    if start < 0.0 || number(length.piece(), call.budget)? < 0.0 {
        return Ok(None);
    }
    let end = number(plus(call, &begin, &length)?.piece(), call.budget)?;
    // A negative end counts from the end, too.
    let end = if end < 0.0 { whole(size) + end } else { end };
    Ok(Some((clamped(start), clamped(end))))
}

fn plus<'p>(call: &Call<'_, '_>, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'p>, Trouble> {
    let is_number =
        |value: &Value<'_>| matches!(value.view(), View::Undefined | View::Null | View::Bool(_) | View::Number(_));
    if is_number(left) && is_number(right) {
        return Ok(Value::Number(number(left.piece(), call.budget)? + number(right.piece(), call.budget)?));
    }
    let (left, right) = (coerced(left.piece(), call.budget)?, coerced(right.piece(), call.budget)?);
    Ok(Value::Text(format!("{left}{right}")))
}

/// Not a random sample: a mapping is a function of its event. The first elements are as good as any.
fn sample<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let value = call.value();
    if is_nil(value.piece()) {
        return Ok(Value::Array(Vec::new()));
    }
    let list = match value.view() {
        View::Array(_) => call.list()?,
        _ => call.text()?.chars().map(|letter| Value::Text(letter.to_string())).collect(),
    };
    match call.given(0).unwrap_or(Value::Number(1.0)).view() {
        View::Number(1.0) => Ok(list.into_iter().next().unwrap_or(Value::Undefined)),
        _ => Ok(Value::Array(list.into_iter().take(clamped(call.number_or(0, 1.0)?)).collect())),
    }
}
