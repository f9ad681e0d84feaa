//! `@template`: text with `{{path}}` and `{{{path}}}`.

use super::budget::Budget;
use super::error::Trouble;
use super::path::Path;
use super::value::Piece;
use crate::js::text;

const TRIPLE: (&str, &str) = ("{{{", "}}}");
const DOUBLE: (&str, &str) = ("{{", "}}");

/// A template, read for its first pass.
#[derive(Clone, Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
    /// Whether the text that comes out is a template once more: so it is behind triple braces.
    again: bool,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Place(Path),
}

impl Template {
    pub(super) fn new(text: &str) -> Self {
        let triple = read(text, TRIPLE);
        if triple.iter().any(|part| matches!(part, Part::Place(_))) {
            return Template { parts: triple, again: true };
        }
        Template { parts: read(text, DOUBLE), again: false }
    }

    pub(super) fn render(&self, payload: Piece<'_, '_>, budget: &Budget) -> Result<String, Trouble> {
        let text = written(&self.parts, payload, budget)?;
        if self.again { written(&read(&text, DOUBLE), payload, budget) } else { Ok(text) }
    }

    /// The paths between the braces.
    pub(super) fn paths(&self) -> Vec<Path> {
        let inner = self.parts.iter().flat_map(|part| match part {
            // What stands between triple ones is read in the second pass.
            Part::Text(text) if self.again => read(text, DOUBLE),
            other => vec![other.clone()],
        });
        inner.filter_map(|part| if let Part::Place(path) = part { Some(path) } else { None }).collect()
    }
}

fn written(parts: &[Part], payload: Piece<'_, '_>, budget: &Budget) -> Result<String, Trouble> {
    let mut out = String::new();
    let mut write = |text: &str| {
        budget.text(text.len())?;
        out.push_str(text);
        Ok(())
    };
    for part in parts {
        match part {
            Part::Text(text) => write(text)?,
            Part::Place(path) => {
                let found = path.find(payload, budget)?;
                if let Some(text) = found.piece().text(budget)? {
                    write(&text)?;
                }
            }
        }
    }
    Ok(out)
}

/// Reads placeholders: the braces, one or more characters other than `}`, as many closing braces.
fn read(text: &str, (open, close): (&str, &str)) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut start, mut from) = (0_usize, 0_usize);
    while let Some(at) = find(text, from, open) {
        let inner = at.saturating_add(open.len());
        let Some(end) = find(text, inner, "}") else { break };
        let after = end.saturating_add(close.len());
        if end == inner || text.get(end..after) != Some(close) {
            // Every beginning before `end` has the same end, and fails as this one did.
            from = end;
            continue;
        }
        parts.push(Part::Text(text.get(start..at).unwrap_or_default().to_owned()));
        parts.push(Part::Place(Path::new(text::trim(text.get(inner..end).unwrap_or_default()))));
        (start, from) = (after, after);
    }
    parts.push(Part::Text(text.get(start..).unwrap_or_default().to_owned()));
    parts
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    Some(text.get(from..)?.find(what)?.saturating_add(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str, event: &serde_json::Value) -> String {
        Template::new(template).render(Piece::Json(event), &Budget::new()).unwrap()
    }

    #[test]
    fn placeholders_are_rendered() {
        let event = serde_json::json!({"a": "{{b}}", "b": "second", "n": 1e21, "o": {}, "l": [1, [2, null], {}]});
        for (template, expected) in [
            ("", ""),
            ("{{b}}{{ b }}", "secondsecond"),
            ("{{a}}", "{{b}}"),
            ("{{{a}}}", "second"),
            ("{{{a}}} {{b}} {{{ b }}}", "second second second"),
            ("{{n}} {{o}} {{l}}", "1e+21 [object Object] 1,2,,[object Object]"),
            ("{{}} {{{}}} {{{{b}}}}", "{{}} } }"),
            ("{{{b}} {{b}}} {{b} {b}}", " second} {{b} {b}}"),
            ("{{b}x}} {{b}}", "{{b}x}} second"),
            ("{{{b}}x {{b}}", "x second"),
            ("{{$.b}}|{{nothing}}", "|"),
            ("{{", "{{"),
        ] {
            assert_eq!(rendered(template, &event), expected, "{template}");
        }
    }

    #[test]
    fn many_braces_do_not_make_it_slow() {
        let event = serde_json::json!({});
        let many = "{".repeat(200_000);
        assert_eq!(rendered(&many, &event), many);
        assert_eq!(rendered(&format!("{many}}}"), &event), format!("{many}}}"));
    }
}
