mod answers;
mod mapped;
mod requests;
mod settings;

use std::sync::Arc;

use outlast_state::{DeliveryId, Time};
use serde_json::{Map, Value, json};

use super::*;
use crate::exchange::{Answer, Exchange, Request};
use crate::taxonomy::MAPPING_FAILED;

/// A template language of three directives: a path, a text with holes, and one that never works.
fn compile(template: &Value) -> Result<Resolve, String> {
    known(template)?;
    let template = template.clone();
    Ok(Arc::new(move |event| resolve(&template, event)))
}

fn known(template: &Value) -> Result<(), String> {
    match template {
        Value::Object(members) => members.iter().try_for_each(|(name, inner)| {
            let is_known = !name.starts_with('@') || ["@path", "@template", "@fail"].contains(&name.as_str());
            if is_known { known(inner) } else { Err(format!("{name} is no directive.")) }
        }),
        Value::Array(items) => items.iter().try_for_each(known),
        _ => Ok(()),
    }
}

fn resolve(template: &Value, event: &Value) -> Result<Option<Value>, Unresolved> {
    let at = |path: &str| event.pointer(&format!("/{}", path.trim().replace('.', "/"))).cloned();
    let Value::Object(members) = template else { return Ok(Some(template.clone())) };
    if let Some(Value::String(path)) = members.get("@path") {
        return Ok(at(path));
    }
    if let Some(Value::String(text)) = members.get("@template") {
        let mut parts = text.split("{{");
        let mut made = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (path, rest) = part.split_once("}}").unwrap();
            match at(path) {
                None | Some(Value::Null) => {}
                Some(Value::String(value)) => made.push_str(&value),
                Some(value) => made.push_str(&value.to_string()),
            }
            made.push_str(rest);
        }
        return Ok(Some(Value::String(made)));
    }
    if members.contains_key("@fail") {
        return Err(Unresolved { code: MAPPING_FAILED, message: "@fail: never works. Remove it.".into() });
    }
    let mut made = Map::new();
    for (name, inner) in members {
        if let Some(value) = resolve(inner, event)? {
            made.insert(name.clone(), value);
        }
    }
    Ok(Some(Value::Object(made)))
}

fn id(number: u128) -> DeliveryId {
    DeliveryId::from_u128(number)
}

fn built(description: Description) -> Declared {
    Declared::new(description, &compile).unwrap_or_else(|error| panic!("{error}"))
}

fn post(url: &str) -> Description {
    Description::new(Method::Post, url)
}

/// What is asked for these events, whose deliveries are numbered from 1.
fn turn(declared: &Declared, events: &[&str], so_far: &[Exchange]) -> Turn {
    let items: Vec<Item<'_>> =
        (1..).zip(events).map(|(number, event)| Item::plain(id(number), event.as_bytes())).collect();
    declared.converse(&Conversation { so_far, ..Conversation::begin(&items, Time::ZERO) })
}

fn asked(declared: &Declared, events: &[&str]) -> Request {
    match turn(declared, events, &[]) {
        Turn::Ask(request) => request,
        Turn::Conclude(conclusions) => panic!("it asked for nothing: {conclusions:?}"),
    }
}

fn concluded(declared: &Declared, events: &[&str], so_far: &[Exchange]) -> Vec<Conclusion> {
    match turn(declared, events, so_far) {
        Turn::Conclude(conclusions) => conclusions,
        Turn::Ask(request) => panic!("it asked: {request:?}"),
    }
}

/// What this answer means for these events.
fn read(declared: &Declared, events: &[&str], status: u16, headers: &[(&str, &str)], body: &str) -> Vec<Conclusion> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let answer = Answer { status, headers, body: body.as_bytes().to_vec(), received: Time::from_millis(1_000_000) };
    let so_far = [Exchange { request: asked(declared, events), answer }];
    concluded(declared, events, &so_far)
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn path(path: &str) -> Value {
    json!({ "@path": path })
}
