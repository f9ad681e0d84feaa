//! Paths into an event: `properties.stops[0].at`.

use super::budget::Budget;
use super::error::Trouble;
use super::value::{Piece, Value, View, count, index, text_member};

/// A path, cut into keys. Without any it means the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<String>);

impl Path {
    /// Reads a path of a `@path` or `@arrayPath`: the first `$.` in it counts for nothing, wherever it stands.
    pub(super) fn of_directive(text: &str) -> Self {
        Path::new(&text.replacen("$.", "", 1))
    }

    /// Reads a path. Every text is one.
    pub(super) fn new(text: &str) -> Self {
        let pieces = pieces(text).into_iter().filter(|piece| !piece.is_empty());
        // Quotes go after the empty pieces went: `""` is the empty key.
        Path(pieces.map(|piece| piece.replace(['"', '\''], "")).collect())
    }

    /// The path in one way of writing.
    pub(super) fn written(&self) -> String {
        self.0.join(".")
    }

    /// Follows the path from `start`. It stops at what counts as false, which then is the result.
    pub(super) fn find<'p>(&self, start: Piece<'_, 'p>, budget: &Budget) -> Result<Value<'p>, Trouble> {
        let mut at = start;
        let mut keys = self.0.iter();
        while let Some(key) = keys.next() {
            if at.is_falsy() {
                break;
            }
            let next = match at.view() {
                View::Object(members) => members.get(key),
                View::Array(items) if key == "length" => return Ok(inside(count(items.len()), keys)),
                View::Array(items) => index(key).and_then(|at| items.get(at)),
                View::Text(text) => return Ok(inside(text_member(text, key), keys)),
                _ => None,
            };
            match next {
                Some(next) => at = next,
                None => return Ok(Value::Undefined),
            }
        }
        at.taken(budget)
    }
}

/// Follows the rest of a path within a length or a unit of text.
fn inside<'p, 'k>(start: Value<'p>, keys: impl Iterator<Item = &'k String>) -> Value<'p> {
    let mut at = start;
    for key in keys {
        if at.piece().is_falsy() {
            break;
        }
        at = match &at {
            Value::Text(text) => text_member(text, key),
            _ => return Value::Undefined,
        };
    }
    at
}

/// Cuts at every dot, at `[` before a quote or digit, and at a run of `]` behind a quote or digit.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.char_indices().peekable();
    let (mut start, mut before) = (0_usize, None);
    while let Some((at, letter)) = rest.next() {
        let cuts = match letter {
            '.' => true,
            '[' => rest.peek().is_some_and(|(_, next)| is_edge(*next)),
            ']' => before.is_some_and(is_edge),
            _ => false,
        };
        before = Some(letter);
        if cuts {
            pieces.push(text.get(start..at).unwrap_or_default());
            while letter == ']' && rest.next_if(|(_, next)| *next == ']').is_some() {}
            start = rest.peek().map_or(text.len(), |(next, _)| *next);
        }
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

fn is_edge(letter: char) -> bool {
    matches!(letter, '"' | '\'' | '0'..='9')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_at_dots_and_at_brackets_beside_digits_and_quotes() {
        for (text, keys) in [
            ("", vec![]),
            ("..", vec![]),
            ("a.b", vec!["a", "b"]),
            ("a[0].b", vec!["a", "0", "b"]),
            ("a['b'][\"c\"]", vec!["a", "b", "c"]),
            ("a[b]", vec!["a[b]"]),
            ("[]", vec!["[]"]),
            ("a[2x]", vec!["a", "2x]"]),
            ("a0]]b", vec!["a0", "b"]),
            ("a0]]]", vec!["a0"]),
            ("a]0]", vec!["a]0"]),
            ("[[0]", vec!["[", "0"]),
            ("a['b.c']", vec!["a", "b", "c"]),
            ("\"\"", vec![""]),
            ("it's", vec!["its"]),
        ] {
            assert_eq!(Path::new(text).0, keys, "{text}");
        }
    }

    #[test]
    fn the_first_dollar_and_dot_of_a_directive_count_for_nothing() {
        for (text, written) in [("$.a", "a"), ("x$.y", "xy"), ("$.$.a", "$.a"), ("$", "$"), ("$..", "")] {
            assert_eq!(Path::of_directive(text).written(), written, "{text}");
        }
        assert_eq!(Path::new("$.a").written(), "$.a");
    }

    #[test]
    fn a_walk_stops_at_what_counts_as_false() {
        let budget = Budget::new();
        let event = serde_json::json!({"zero": 0, "none": null, "empty": "", "word": "four", "list": [[], 2]});
        for (path, expected) in [
            ("zero.x", Some("0")),
            ("none.x.y", Some("null")),
            ("empty.length.x", Some("\"\"")),
            ("word.length", Some("4")),
            ("word[1].0.0.length", Some("1")),
            ("word.9", None),
            ("list.length", Some("2")),
            ("list.0.length.x", Some("0")),
            ("list.01", None),
            ("list[-1]", None),
            ("toString", None),
        ] {
            let found = Path::new(path).find(Piece::Json(&event), &budget).unwrap();
            let json = found.piece().json(&budget).unwrap();
            assert_eq!(json.map(|json| json.to_string()).as_deref(), expected, "{path}");
        }
    }
}
