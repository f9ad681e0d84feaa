//! The first steps with a mapping: the root directive, the static check, the tree.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::check::{self, below};
use super::error::{Class, Fault, MappingError, Trouble};
use super::tree::{self, Node};
use super::value::units;

/// The member that holds the directive which takes all other members as its `mapping`.
const ROOT: &str = "__segment_internal_directive";

/// Reads a whole mapping, or the `apply` of a `@transform`.
pub(super) fn compiled(mapping: &Json, place: &str) -> Result<Node, MappingError> {
    let mapping = rewritten(mapping, place)?;
    check::mapping(&mapping, place).map_err(MappingError::from)?;
    Ok(tree::node(&mapping, place))
}

/// The mapping as an object, with the root directive around it.
fn rewritten<'a>(mapping: &'a Json, place: &str) -> Result<Cow<'a, Json>, MappingError> {
    Ok(match mapping {
        Json::Object(members) => match members.get(ROOT) {
            Some(directive) => Cow::Owned(wrapped(directive, members, &below(place, ROOT))?),
            None => Cow::Borrowed(mapping),
        },
        Json::Array(items) => {
            Cow::Owned(items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone())).collect())
        }
        Json::String(text) => Cow::Owned(units(text).collect()),
        Json::Number(_) | Json::Bool(_) => Cow::Owned(Json::Object(Map::new())),
        Json::Null => return Err(internal(place, "the mapping is null", "write an object of fields")),
    })
}

/// Puts all other members into the directive.
fn wrapped(directive: &Json, members: &Map<String, Json>, place: &str) -> Result<Json, MappingError> {
    let misused = |message: &str| {
        let remedy = "write one directive there, such as {\"@transform\": {\"apply\": {…}}}";
        Trouble::new(message, remedy).at(place, "").of_mapping()
    };
    let rest = || {
        let rest = members.iter().filter(|(key, _)| *key != ROOT);
        Json::Object(rest.map(|(key, member)| (key.clone(), member.clone())).collect())
    };
    let only = "the root directive must be an object with one directive";
    let arguments = "the directive must have an object of arguments";
    match directive {
        Json::Null => Err(internal(place, "the root directive is null", "write a directive, or leave the member out")),
        Json::Object(inner) if inner.len() == 1 => {
            let wrap = |(name, argument): (&String, &Json)| Some((name.clone(), with(argument, rest())?));
            let wrapped = inner.iter().map(wrap).collect::<Option<Map<_, _>>>();
            wrapped.map(Json::Object).ok_or_else(|| misused(arguments))
        }
        // Accepted by the reference implementation, and then an array like any other.
        Json::Array(inner) if inner.len() == 1 => {
            let wrapped = inner.iter().map(|argument| with(argument, rest())).collect::<Option<_>>();
            wrapped.map(Json::Array).ok_or_else(|| misused(arguments))
        }
        _ => Err(misused(only)),
    }
}

/// The arguments with the mapping among them. An array takes it too, there as a property that nobody sees.
fn with(argument: &Json, mapping: Json) -> Option<Json> {
    match argument {
        Json::Object(arguments) => {
            let mut arguments = arguments.clone();
            arguments.insert("mapping".to_owned(), mapping);
            Some(Json::Object(arguments))
        }
        Json::Array(_) => Some(argument.clone()),
        _ => None,
    }
}

fn internal(place: &str, message: &str, remedy: &str) -> MappingError {
    let (directive, message, remedy) = (String::new(), message.to_owned(), remedy.to_owned());
    MappingError::new(Class::Internal, Fault { place: place.to_owned(), directive, message, remedy }).of_mapping()
}
