//! Filters of HTML.

use super::{Call, Outcome, Run, made};

pub(super) fn find(name: &str) -> Option<Run> {
    Some(match name {
        "escape" | "xml_escape" => |call| made(escaped(&call.text()?)),
        "escape_once" => |call| made(escaped(&unescaped(&call.text()?))),
        "strip_html" => strip_html,
        _ => return None,
    })
}

const SIGNS: [(char, &str); 5] = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&#34;"), ('\'', "&#39;")];

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match SIGNS.iter().find(|(sign, _)| *sign == letter) {
            Some((_, name)) => out.push_str(name),
            None => out.push(letter),
        }
    }
    out
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let known = SIGNS.iter().find_map(|(sign, name)| Some((*sign, from.strip_prefix(name)?)));
        let (sign, after) = known.unwrap_or(('&', from.get(1..).unwrap_or_default()));
        out.push(sign);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Takes out scripts, styles, comments and tags. What opens and does not close stays, and ends the search for its kind.
fn strip_html<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let text = call.text()?;
    let mut kinds = vec![("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">")];
    let (mut out, mut rest) = (String::new(), text.as_str());
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mut after = None;
        kinds.retain(|(open, close)| {
            let Some(inner) = from.strip_prefix(open).filter(|_| after.is_none()) else { return true };
            after = inner.split_once(close).map(|(_, after)| after);
            after.is_some()
        });
        let Some(after) = after else {
            rest = from;
            break;
        };
        rest = after;
    }
    out.push_str(rest);
    made(out)
}
