//! Filters that fit nowhere else.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::{digest, hmac};

use super::super::super::json;
use super::super::super::value::{Value, View};
use super::super::data::{Data, number};
use super::text::clamped;
use super::{Call, Outcome, Run, failed, made};

pub(super) fn find(name: &str) -> Option<Run> {
    Some(match name {
        "default" => default,
        "json" | "jsonify" | "inspect" => json,
        "raw" => |call| Ok(call.value()),
        "to_integer" => |call| Ok(Value::Number(number(call.value().piece(), call.budget)?)),
        "base64_encode" => |call| made(STANDARD.encode(call.text()?)),
        "base64_decode" => base64_decode,
        "sha256" => |call| made(hexadecimal(digest::digest(&digest::SHA256, call.text()?.as_bytes()).as_ref())),
        "hmac_sha256" => |call| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, call.text_of(0)?.as_bytes());
            made(hexadecimal(hmac::sign(&key, call.text()?.as_bytes()).as_ref()))
        },
        _ => return None,
    })
}

/// Another value for what is false, null or empty.
fn default<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let value = call.value();
    let keeps = match value.view() {
        View::Text(text) => !text.is_empty(),
        View::Array(items) => items.len() > 0,
        View::Undefined | View::Null => false,
        View::Bool(false) => allows_false(call)?,
        _ => true,
    };
    Ok(if keeps { value } else { call.given(0).unwrap_or(Value::Undefined) })
}

/// Whether the named argument `allow_false` is there and true.
fn allows_false(call: &Call<'_, '_>) -> Result<bool, super::super::super::error::Trouble> {
    let mut allows = false;
    for argument in call.arguments.iter().skip(1) {
        let Data::Value(argument) = argument else { continue };
        let View::Array(pair) = argument.view() else {
            return Err(failed("the filter default takes one value", "name further arguments: allow_false: true"));
        };
        if pair.get(0).is_some_and(|name| matches!(name.view(), View::Text("allow_false"))) {
            allows = pair.get(1).is_some_and(|flag| !flag.is_falsy());
        }
    }
    Ok(allows)
}

/// JSON, with the second argument as the indentation: so many blanks, or that text, at most ten.
fn json<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    // In the reference these words are objects without members.
    let Data::Value(value) = call.input else { return made("{}") };
    let gap = match call.given(0) {
        None => String::new(),
        Some(space) => match space.view() {
            View::Number(blanks) => " ".repeat(clamped(blanks).min(10)),
            View::Text(text) => text.chars().take(10).collect(),
            _ => String::new(),
        },
    };
    let text = json::written(value.piece(), &gap, call.budget)?;
    Ok(text.map_or(Value::Undefined, Value::Text))
}

/// Reads what it can: both alphabets, with or without padding, and other characters count for nothing.
fn base64_decode<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = call.text()?;
    let mut digits: String = text
        .chars()
        .take_while(|letter| *letter != '=')
        .filter_map(|letter| match letter {
            '-' => Some('+'),
            '_' => Some('/'),
            _ => (letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/')).then_some(letter),
        })
        .collect();
    // One digit more holds no whole byte.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    let bytes = GeneralPurpose::new(&ALPHABET, lenient).decode(digits);
    made(String::from_utf8_lossy(&bytes.unwrap_or_default()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
