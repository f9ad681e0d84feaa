//! What is asked of LinkedIn beside delivering: conversion rules, choices for people to choose from, and whether a credential
//! is good for a destination. Pure: requests out, answers in.

use serde_json::Value;

use super::answer::{self, CONVERSION, Subject};
use crate::destination::Trouble;
use crate::exchange::Answer;

mod campaigns;
mod choices;
mod inputs;
mod probe;
mod rule;
#[cfg(test)]
mod tests;

pub use choices::{Choices, choices};
pub use probe::{Probe, test_audiences, test_conversions};
pub use rule::{Rule, Task, rule};

/// What operations ask for, for the words that people read.
const ACCOUNT: Subject = Subject { name: "account", unknown: "Check the ad account and the rule", ..CONVERSION };

fn trouble(code: &str, message: impl Into<String>) -> Trouble {
    Trouble { code: code.into(), message: message.into(), reached: Value::Null }
}

/// Why an answer is not what was asked for. The reference knows the status' phrase only.
fn why(answer: &Answer, compat: bool) -> String {
    if compat {
        return phrase(answer.status).map_or_else(|| answer.status.to_string(), str::to_owned);
    }
    answer::one(answer, &ACCOUNT).detail + "."
}

/// The registered phrase of a status (RFC 9110, section 15).
fn phrase(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        422 => "Unprocessable Entity",
        423 => "Locked",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return None,
    })
}

/// A number or a text as a text: ids come as both (Q21).
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
