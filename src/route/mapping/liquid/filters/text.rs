//! Filters of text.

use super::{Call, Outcome, Run, failed, made};
use crate::js::text::{self, is_space};

use super::super::super::error::Trouble;
use super::super::super::value::{Value, count};

pub(super) fn find(name: &str) -> Option<Run> {
    Some(match name {
        "append" => |call| made(format!("{}{}", call.text()?, only_argument(call, "append")?)),
        "prepend" => |call| made(format!("{}{}", only_argument(call, "prepend")?, call.text()?)),
        "capitalize" => capitalize,
        "upcase" => |call| made(call.text()?.to_uppercase()),
        "downcase" => |call| made(call.text()?.to_lowercase()),
        "strip" => |call| made(call.text()?.trim_start_matches(stripped(call)?).trim_end_matches(stripped(call)?)),
        "lstrip" => |call| made(call.text()?.trim_start_matches(stripped(call)?)),
        "rstrip" => |call| made(call.text()?.trim_end_matches(stripped(call)?)),
        "strip_newlines" => |call| made(call.text()?.replace("\r\n", "").replace('\n', "")),
        "normalize_whitespace" => normalize_whitespace,
        "replace" => replace,
        "replace_first" => |call| made(call.text()?.replacen(&call.text_of(0)?, &call.text_of(1)?, 1)),
        "replace_last" => |call| last_replaced(call, &call.text_of(1)?),
        "remove" => remove,
        "remove_first" => |call| made(call.text()?.replacen(&call.text_of(0)?, "", 1)),
        "remove_last" => |call| last_replaced(call, ""),
        "truncate" => truncate,
        "truncatewords" => truncatewords,
        "split" => split,
        "number_of_words" => number_of_words,
        _ => return None,
    })
}

fn only_argument(call: &Call<'_, '_>, name: &str) -> Result<String, Trouble> {
    if call.arguments.len() != 1 {
        return Err(failed(format!("the filter {name} takes one argument"), "write it behind a colon"));
    }
    call.text_of(0)
}

/// What is taken off the ends: the characters of the argument, or blanks.
fn stripped(call: &Call<'_, '_>) -> Result<impl Fn(char) -> bool, Trouble> {
    let letters: Option<Vec<char>> = if call.flag(0) { Some(call.text_of(0)?.chars().collect()) } else { None };
    Ok(move |letter: char| letters.as_ref().map_or_else(|| is_space(letter), |letters| letters.contains(&letter)))
}

/// The first unit in upper case, all others in lower case.
fn capitalize<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let text = call.text()?;
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if first <= '\u{ffff}' => {
            made(first.to_uppercase().chain(letters.as_str().to_lowercase().chars()).collect::<String>())
        }
        Some(first) => made(format!("{first}{}", letters.as_str().to_lowercase())),
        None => made(""),
    }
}

fn normalize_whitespace<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    made(words(&call.text()?).join(" "))
}

/// The parts between runs of blanks; empty ones at the ends when blanks stand there.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_space) {
        let (word, after) = rest.split_at(at);
        words.push(word);
        rest = after.trim_start_matches(is_space);
    }
    words.push(rest);
    words
}

/// With nothing to look for, the replacement comes between all characters.
fn replace<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let (text, pattern, replacement) = (call.text()?, call.text_of(0)?, call.text_of(1)?);
    let found = if pattern.is_empty() { text.chars().count() } else { text.matches(&pattern).count() };
    call.budget.text(found.saturating_mul(replacement.len()))?;
    if pattern.is_empty() {
        return made(text.chars().map(String::from).collect::<Vec<_>>().join(&replacement));
    }
    made(text.replace(&pattern, &replacement))
}

fn remove<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let (text, pattern) = (call.text()?, call.text_of(0)?);
    made(if pattern.is_empty() { text } else { text.replace(&pattern, "") })
}

fn last_replaced<'p>(call: &Call<'_, 'p>, replacement: &str) -> Outcome<'p> {
    let (text, pattern) = (call.text()?, call.text_of(0)?);
    match text.rsplit_once(pattern.as_str()) {
        Some((before, after)) => made(format!("{before}{replacement}{after}")),
        None => made(text),
    }
}

/// The length counts the ellipsis. What is short enough stays what it is, also when it is no text.
fn truncate<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let (text, length, ellipsis) = (call.text()?, call.number_or(0, 50.0)?, call.text_or(1, "...")?);
    if whole(text::length(&text)) <= length {
        return Ok(call.value());
    }
    let kept = clamped(length - whole(text::length(&ellipsis)));
    let kept: Vec<u16> = text.encode_utf16().take(kept).collect();
    made(format!("{}{ellipsis}", String::from_utf16_lossy(&kept)))
}

fn truncatewords<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let (text, wanted, ellipsis) = (call.text()?, call.number_or(0, 15.0)?, call.text_or(1, "...")?);
    let wanted = if wanted <= 0.0 { 1.0 } else { wanted };
    let words = words(&text);
    let kept: Vec<&str> = words.iter().copied().take(clamped(wanted)).collect();
    let ellipsis = if whole(words.len()) >= wanted { ellipsis.as_str() } else { "" };
    made(format!("{}{ellipsis}", kept.join(" ")))
}

/// Empty parts at the end go.
fn split<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let (text, separator) = (call.text()?, call.text_of(0)?);
    let parts: Vec<String> = if separator.is_empty() {
        text.chars().map(String::from).collect()
    } else {
        text.split(separator.as_str()).map(str::to_owned).collect()
    };
    let kept = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last.saturating_add(1));
    Ok(Value::Array(parts.into_iter().take(kept).map(Value::Text).collect()))
}

fn number_of_words<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let (text, mode) = (call.text()?, call.text_of(0)?);
    let text = text::trim(&text);
    let (mut signs, mut others, mut within) = (0_usize, 0_usize, false);
    for letter in text.chars() {
        let sign = is_sign(letter);
        signs = signs.saturating_add(usize::from(sign));
        let other = !sign && !is_space(letter);
        others = others.saturating_add(usize::from(other && !within));
        within = other;
    }
    let counts_signs = mode == "cjk" || (mode == "auto" && signs > 0);
    Ok(count(match text {
        "" => 0,
        _ if counts_signs => signs.saturating_add(others),
        _ => words(text).len(),
    }))
}

/// The signs of Chinese, Japanese and Korean that count as words.
fn is_sign(letter: char) -> bool {
    matches!(
        letter,
        '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{ac00}'..='\u{d7af}'
    )
}

/// A length as a number.
pub(super) fn whole(length: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "nothing in memory is 2^53 long")]
    let whole = length as f64;
    whole
}

/// A number as a place: nothing below the beginning, and not-a-number is the beginning.
pub(super) fn clamped(number: f64) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at both ends")]
    let clamped = number as usize;
    clamped
}
