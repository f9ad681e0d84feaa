//! `@replace`: literal text for literal text.

use serde_json::{Map, Value as Json};

use super::budget::Budget;
use super::error::Trouble;
use super::tree::{misfit, missing};
use super::value::is_falsy;
use crate::js::text;

/// Patterns and replacements have at most so many UTF-16 units.
const LONGEST: usize = 10;

/// The arguments, apart from the value.
#[derive(Clone, Debug)]
pub(super) struct Replace {
    first: Pair,
    second: Option<Pair>,
    folds: bool,
    all: bool,
}

#[derive(Clone, Debug)]
struct Pair {
    pattern: String,
    replacement: String,
}

impl Replace {
    pub(super) fn new(arguments: &Map<String, Json>) -> Result<Self, Trouble> {
        let text = |name: &str| match arguments.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(misfit(&format!("`{name}`"), "text", other)),
        };
        let flag = |name: &str, default| match arguments.get(name) {
            None | Some(Json::Null) => Ok(default),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(other) => Err(misfit(&format!("`{name}`"), "true or false", other)),
        };
        if arguments.get("pattern").is_none_or(is_falsy) {
            return Err(missing("pattern"));
        }
        let pattern = text("pattern")?.unwrap_or_default();
        let first = Pair { pattern, replacement: text("replacement")?.unwrap_or_default() };
        // A second pattern of another kind than text counts for nothing; so does a replacement.
        let given = |name: &str| arguments.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let second = Pair { pattern: given("pattern2"), replacement: given("replacement2") };
        let second = (!second.pattern.is_empty()).then_some(second);
        Ok(Replace { first, second, folds: flag("ignorecase", false)?, all: flag("global", true)? })
    }

    /// The text with both pairs replaced. Their lengths are looked at only here: so the reference implementation does.
    pub(super) fn applied(&self, text: &str, budget: &Budget) -> Result<String, Trouble> {
        let once = self.replaced(text, &self.first, budget)?;
        match &self.second {
            Some(second) => self.replaced(&once, second, budget),
            None => Ok(once),
        }
    }

    fn replaced(&self, text: &str, pair: &Pair, budget: &Budget) -> Result<String, Trouble> {
        for (what, written) in [("pattern", &pair.pattern), ("replacement", &pair.replacement)] {
            let length = text::length(written);
            if length > LONGEST {
                let message = format!("a {what} of {length} characters is longer than {LONGEST}");
                return Err(Trouble::new(message, format!("write at most {LONGEST}")));
            }
        }
        let mut out = String::new();
        let mut write = |piece: &str| {
            budget.text(piece.len())?;
            out.push_str(piece);
            Ok(())
        };
        let mut from = 0;
        while let Some((start, end)) = found(text, from, &pair.pattern, self.folds) {
            write(text.get(from..start).unwrap_or_default())?;
            for piece in expanded(&pair.replacement, text, start, end) {
                write(piece)?;
            }
            from = end;
            if !self.all {
                break;
            }
        }
        write(text.get(from..).unwrap_or_default())?;
        Ok(out)
    }
}

/// Where `pattern`, which is not empty, is next in `text`.
fn found(text: &str, from: usize, pattern: &str, folds: bool) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    if !folds {
        let start = rest.find(pattern)?.saturating_add(from);
        return Some((start, start.saturating_add(pattern.len())));
    }
    rest.char_indices().find_map(|(at, _)| {
        let mut letters = rest.get(at..)?.chars();
        let fits = pattern.chars().all(|wanted| letters.next().is_some_and(|it| folded(it) == folded(wanted)));
        let end = text.len().saturating_sub(letters.as_str().len());
        fits.then_some((at.saturating_add(from), end))
    })
}

/// `Canonicalize` of ECMA-262 for regular expressions without the flag `u`: upper case where that is one unit, and not
/// from outside of ASCII into it. Works on UTF-16 units, so nothing outside of the basic plane is folded.
fn folded(letter: char) -> char {
    if letter > '\u{ffff}' {
        return letter;
    }
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(only), None) if only <= '\u{ffff}' && (letter.is_ascii() || !only.is_ascii()) => only,
        _ => letter,
    }
}

/// The pieces of the replacement for the match from `start` to `end`: `GetSubstitution` of ECMA-262, without groups.
fn expanded<'a>(replacement: &'a str, text: &'a str, start: usize, end: usize) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        pieces.push(before);
        let special = match after.chars().next() {
            Some('$') => Some("$"),
            Some('&') => text.get(start..end),
            Some('`') => text.get(..start),
            Some('\'') => text.get(end..),
            _ => None,
        };
        pieces.push(special.unwrap_or("$"));
        rest = if special.is_some() { after.get(1..).unwrap_or_default() } else { after };
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str, arguments: &Json) -> Result<String, Trouble> {
        Replace::new(arguments.as_object().unwrap())?.applied(text, &Budget::new())
    }

    #[test]
    fn patterns_are_literal_and_replacements_have_four_signs() {
        for (text, pattern, replacement, expected) in [
            ("a.b.c", ".", "-", "a-b-c"),
            ("aaa", "aa", "b", "ba"),
            ("abc", "b", "$$", "a$c"),
            ("abc", "b", "[$&]", "a[b]c"),
            ("abc", "b", "$`$'", "aacc"),
            ("abcb", "b", "$`", "aacabc"),
            ("abc", "b", "$1$<x>$", "a$1$<x>$c"),
            ("a😀b", "😀", "", "ab"),
        ] {
            let arguments = serde_json::json!({"pattern": pattern, "replacement": replacement});
            assert_eq!(replaced(text, &arguments).as_deref(), Ok(expected), "{text} {pattern} {replacement}");
        }
    }

    #[test]
    fn folding_is_one_to_one() {
        for (text, pattern, expected) in [
            ("ÄäxX", "ä", "--xX"),
            ("straße STRASSE", "ss", "straße STRA-E"),
            ("ſs", "s", "ſ-"),               // the long s would fold into ASCII
            ("\u{212a}k", "K", "\u{212a}-"), // so would the Kelvin sign
            ("ςσΣ", "Σ", "---"),
            ("𐐨", "𐐀", "𐐨"),
            ("ŉ", "N", "ŉ"),
        ] {
            let arguments = serde_json::json!({"pattern": pattern, "replacement": "-", "ignorecase": true});
            assert_eq!(replaced(text, &arguments).as_deref(), Ok(expected), "{text} {pattern}");
        }
    }

    #[test]
    fn what_would_grow_without_end_is_refused() {
        let arguments = serde_json::json!({"pattern": "a", "replacement": "$`$'$`$'"});
        assert!(replaced(&"a".repeat(100_000), &arguments).unwrap_err().message.contains("bytes of text"));
    }
}
