//! The static check of a mapping, before anything is resolved.
//!
//! Arrays are not looked into, nor objects right below `@literal` and `@excludeWhenNull`: so the reference implementation
//! does, and what is wrong there is found when it runs.

use serde_json::{Map, Value as Json};

use super::error::{Fault, MappingError};
use super::value::kind;
use crate::js::text;

/// What is wrong: one thing by itself, or what was collected over the members of an object. The reference tells them
/// apart by the class of its error.
pub(super) enum Invalid {
    One(Fault),
    Many(Vec<Fault>),
}

impl From<Invalid> for MappingError {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::One(fault) => MappingError::validation(fault),
            Invalid::Many(faults) => MappingError::aggregate(faults),
        }
    }
}

type Check = Result<(), Invalid>;

/// What an argument must be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    TextOf(usize, usize),
    TextOrDirective,
    RawOrDirective,
    ObjectOrDirective,
    Boolean,
    OneOf(&'static [&'static str]),
    Objects,
}

/// An argument by its name; whether it must be there.
type Argument = (&'static str, bool, Kind);

const REQUIRED: bool = true;
const OPTIONAL: bool = false;

const IF: &[Argument] = &[
    ("exists", OPTIONAL, Kind::RawOrDirective),
    ("then", OPTIONAL, Kind::RawOrDirective),
    ("else", OPTIONAL, Kind::RawOrDirective),
];
const CASE: &[Argument] = &[("operator", OPTIONAL, Kind::Text), ("value", OPTIONAL, Kind::TextOrDirective)];
const REPLACE: &[Argument] = &[
    ("pattern", REQUIRED, Kind::TextOf(1, 10)),
    ("replacement", OPTIONAL, Kind::TextOf(0, 10)),
    ("value", REQUIRED, Kind::TextOrDirective),
    ("ignorecase", OPTIONAL, Kind::Boolean),
    ("global", OPTIONAL, Kind::Boolean),
];
const FLATTEN: &[Argument] = &[("separator", OPTIONAL, Kind::Text), ("value", REQUIRED, Kind::RawOrDirective)];
const JSON: &[Argument] =
    &[("value", REQUIRED, Kind::RawOrDirective), ("mode", REQUIRED, Kind::OneOf(&["encode", "decode"]))];
const MERGE: &[Argument] =
    &[("direction", OPTIONAL, Kind::OneOf(&["left", "right"])), ("objects", REQUIRED, Kind::Objects)];
const TRANSFORM: &[Argument] =
    &[("apply", REQUIRED, Kind::ObjectOrDirective), ("mapping", REQUIRED, Kind::ObjectOrDirective)];

/// The directives there are.
pub(super) const DIRECTIVES: &str = "@path, @template, @literal, @if, @case, @replace, @arrayPath, @flatten, @json, @merge, \
                                     @transform, @excludeWhenNull and @liquid";

/// Checks any part of a mapping.
pub(super) fn mapping(value: &Json, place: &str) -> Check {
    match value {
        Json::Object(object) if object.keys().any(|key| key.starts_with('@')) => directive(object, place),
        Json::Object(object) => members(object, place),
        _ => Ok(()),
    }
}

fn directive(object: &Map<String, Json>, place: &str) -> Check {
    let mut names = object.iter().filter(|(key, _)| key.starts_with('@'));
    let Some((name, argument)) = names.next() else { return Ok(()) };
    if let Some((second, _)) = names.next() {
        let message = format!("it has two directives, {name} and {second}");
        return one(place, name, message, "keep one of them");
    }
    if let Some(other) = object.keys().find(|key| !key.starts_with('@') && *key != "_metadata") {
        let message = format!("the directive {name} stands beside the member `{other}`");
        return one(place, name, message, "keep one of them; only `_metadata` may stand beside a directive");
    }
    let inner = below(place, name);
    match name.as_str() {
        "@path" | "@template" => kinds(argument, Kind::TextOrDirective, &inner),
        "@literal" | "@excludeWhenNull" => kinds(argument, Kind::RawOrDirective, &inner),
        "@liquid" => kinds(argument, Kind::Text, &inner),
        "@if" => arguments(argument, IF, &inner),
        "@case" => arguments(argument, CASE, &inner),
        "@replace" => arguments(argument, REPLACE, &inner),
        "@arrayPath" => array_path(argument, &inner),
        "@flatten" => arguments(argument, FLATTEN, &inner),
        "@json" => arguments(argument, JSON, &inner),
        "@merge" => arguments(argument, MERGE, &inner),
        "@transform" => arguments(argument, TRANSFORM, &inner),
        _ => one(place, name, format!("there is no directive {name}"), format!("use one of {DIRECTIVES}")),
    }
}

/// Checks every member and collects what is wrong.
fn members(object: &Map<String, Json>, place: &str) -> Check {
    collected(object.iter().map(|(key, member)| mapping(member, &below(place, key))))
}

fn collected(checks: impl Iterator<Item = Check>) -> Check {
    let mut faults = Vec::new();
    for check in checks {
        match check {
            Ok(()) => {}
            Err(Invalid::One(fault)) => faults.push(fault),
            Err(Invalid::Many(more)) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Invalid::Many(faults)) }
}

fn array_path(argument: &Json, place: &str) -> Check {
    let Json::Array(items) = argument else { return misfit(argument, "an array of a path and a shape", place) };
    let missing = Json::Null;
    kinds(items.first().unwrap_or(&missing), Kind::TextOrDirective, &below(place, "0"))?;
    items.get(1).map_or(Ok(()), |shape| mapping(shape, &below(place, "1")))
}

/// Whether nothing is left to check of an argument whose members were checked: nested directives would be checked twice at
/// each level, and so a million times at the twentieth.
fn is_whole(argument: &Json, wanted: Kind) -> bool {
    let Json::Object(object) = argument else { return false };
    match wanted {
        Kind::RawOrDirective | Kind::ObjectOrDirective => true,
        Kind::TextOrDirective => object.keys().any(|key| key.starts_with('@')),
        _ => false,
    }
}

/// Checks the arguments of a directive: first all members, also unknown ones, then each by what it must be.
fn arguments(argument: &Json, expected: &[Argument], place: &str) -> Check {
    let Json::Object(object) = argument else { return misfit(argument, "an object of arguments", place) };
    if let Some(key) = object.keys().find(|key| key.starts_with('@')) {
        return one(
            place,
            "",
            format!("the directive {key} stands where arguments are expected"),
            "name the arguments",
        );
    }
    members(object, place)?;
    collected(expected.iter().map(|(name, required, kind)| match object.get(*name) {
        Some(value) if is_whole(value, *kind) => Ok(()),
        Some(value) => kinds(value, *kind, &below(place, name)),
        None if *required => one(place, "", format!("the argument `{name}` is missing"), "add it"),
        None => Ok(()),
    }))
}

fn kinds(value: &Json, wanted: Kind, place: &str) -> Check {
    match (wanted, value) {
        (Kind::RawOrDirective | Kind::TextOrDirective | Kind::ObjectOrDirective, Json::Object(object))
            if object.keys().any(|key| key.starts_with('@')) =>
        {
            directive(object, place)
        }
        (Kind::RawOrDirective, _) | (Kind::Text | Kind::TextOrDirective, Json::String(_)) => Ok(()),
        (Kind::Boolean, Json::Bool(_)) => Ok(()),
        (Kind::ObjectOrDirective, Json::Object(object)) => members(object, place),
        (Kind::TextOf(least, most), Json::String(text)) if (least..=most).contains(&text::length(text)) => Ok(()),
        (Kind::OneOf(names), Json::String(text)) if names.contains(&text.to_lowercase().as_str()) => Ok(()),
        (Kind::Objects, Json::Array(items)) => collected(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| kinds(item, Kind::ObjectOrDirective, &below(place, &index.to_string()))),
        ),
        (Kind::TextOf(least, most), Json::String(text)) => {
            let message = format!("it has {} characters where {least} to {most} may stand", text::length(text));
            one(place, "", message, "write a shorter or longer one")
        }
        (Kind::OneOf(names), _) => misfit(value, &names.join(" or "), place),
        (Kind::Text | Kind::TextOf(..), _) => misfit(value, "text", place),
        (Kind::TextOrDirective, _) => misfit(value, "text or a directive", place),
        (Kind::ObjectOrDirective, _) => misfit(value, "an object or a directive", place),
        (Kind::Boolean, _) => misfit(value, "true or false", place),
        (Kind::Objects, _) => misfit(value, "an array of objects or directives", place),
    }
}

fn misfit(value: &Json, wanted: &str, place: &str) -> Check {
    let found = match value {
        Json::String(text) => format!("`{text}`"),
        other => kind(other).to_owned(),
    };
    one(place, "", format!("it must be {wanted} and is {found}"), format!("write {wanted}"))
}

fn one(place: &str, directive: &str, message: impl Into<String>, remedy: impl Into<String>) -> Check {
    // Where no directive is named, it is the innermost one of the place.
    let named = place.rsplit('/').find(|step| step.starts_with('@'));
    let directive = if directive.is_empty() { named.unwrap_or_default() } else { directive };
    let (place, directive) = (place.to_owned(), directive.to_owned());
    Err(Invalid::One(Fault { place, directive, message: message.into(), remedy: remedy.into() }))
}

/// The place of a part of what is at `place`.
pub(super) fn below(place: &str, step: &str) -> String {
    if place.is_empty() { step.to_owned() } else { format!("{place}/{step}") }
}
