//! Cuts a template into text, outputs and tags.

use super::super::error::Trouble;
use super::reader::{Reader, is_blank};

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    text: &'t [char],
    /// Where it stands in the text.
    from: usize,
    to: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Kind<'t> {
    /// Text, without what `-` takes off its ends.
    Text { from: usize, to: usize },
    /// `{{ … }}`.
    Output(Reader<'t>),
    /// `{% name … %}`; the reader is behind the name.
    Tag(String, Reader<'t>),
}

impl Token<'_> {
    /// The whole piece as it was written.
    pub(super) fn written(&self) -> String {
        self.text.get(self.from..self.to).unwrap_or_default().iter().collect()
    }

    /// What a text shows.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::Text { from, to } => self.text.get(from..to).unwrap_or_default().iter().collect(),
            _ => String::new(),
        }
    }
}

/// What `-` beside a delimiter asks for.
#[derive(Clone, Copy, Default)]
struct Trims {
    left: bool,
    right: bool,
}

/// All pieces, with blanks taken off.
pub(super) fn tokens(text: &[char]) -> Result<Vec<Token<'_>>, Trouble> {
    let mut reader = Reader::new(text, 0, text.len());
    let mut tokens: Vec<(Token<'_>, Trims)> = Vec::new();
    let mut raw = None;
    while !reader.is_at_end() {
        let from = reader.at;
        let token = if let Some(began) = raw {
            let (token, trims, ends) = raw_or_its_end(&mut reader, began)?;
            if ends {
                raw = None;
            }
            (token, trims)
        } else if reader.starts("{%") {
            if !to_delimiter(&mut reader, "%}", false) {
                return Err(reader.wrong_at(from, "the tag is not closed"));
            }
            let (token, trims) = tag(&reader, from)?;
            if matches!(&token.kind, Kind::Tag(name, _) if name == "raw") {
                raw = Some(from);
            }
            (token, trims)
        } else if reader.starts("{{") {
            if !to_delimiter(&mut reader, "}}", true) {
                return Err(reader.wrong_at(from, "the output is not closed"));
            }
            let (inner, trims) = inside(text, from, reader.at);
            (Token { kind: Kind::Output(inner), text, from, to: reader.at }, trims)
        } else {
            while !reader.is_at_end() && !reader.starts("{%") && !reader.starts("{{") {
                reader.step();
            }
            let to = reader.at;
            (Token { kind: Kind::Text { from, to }, text, from, to }, Trims::default())
        };
        tokens.push(token);
    }
    Ok(trimmed(text, tokens))
}

/// Goes on behind the delimiter. It also is found within what opens the tag: `{%}` is one, without a name.
fn to_delimiter(reader: &mut Reader<'_>, delimiter: &str, respects_quotes: bool) -> bool {
    reader.skip_blank();
    while !reader.is_at_end() {
        if respects_quotes && matches!(reader.peek(0), Some('"' | '\'')) {
            reader.skip_quoted();
            continue;
        }
        reader.step();
        if reader.follows(delimiter) {
            return true;
        }
    }
    false
}

/// What stands between delimiters of two characters each.
fn inside(text: &[char], from: usize, to: usize) -> (Reader<'_>, Trims) {
    content(text, from.saturating_add(2), to.saturating_sub(2))
}

/// The part from `begin` to `end` without hyphens and blanks at its ends.
fn content(text: &[char], begin: usize, end: usize) -> (Reader<'_>, Trims) {
    let hyphen = |at: usize| text.get(at) == Some(&'-');
    let blank = |at: usize| text.get(at).copied().is_some_and(is_blank);
    let trims = Trims { left: hyphen(begin), right: end.checked_sub(1).is_some_and(hyphen) };
    let mut left = begin.saturating_add(usize::from(trims.left));
    let mut right = end.saturating_sub(usize::from(trims.right));
    while left < right && blank(left) {
        left = left.saturating_add(1);
    }
    while right > left && blank(right.saturating_sub(1)) {
        right = right.saturating_sub(1);
    }
    (Reader::new(text, left, right), trims)
}

fn tag<'t>(reader: &Reader<'t>, from: usize) -> Result<(Token<'t>, Trims), Trouble> {
    let (mut inner, trims) = inside(reader.text, from, reader.at);
    let name = inner.tag_name();
    if name.is_empty() {
        return Err(reader.wrong_at(from, "the name of a tag is expected"));
    }
    inner.skip_blank();
    Ok((Token { kind: Kind::Tag(name, inner), text: reader.text, from, to: reader.at }, trims))
}

/// Within `{% raw %}`: the text up to its end, or the tag that ends it.
fn raw_or_its_end<'t>(reader: &mut Reader<'t>, began: usize) -> Result<(Token<'t>, Trims, bool), Trouble> {
    let from = reader.at;
    reader.skip_to("{%");
    let mut left = reader.at.saturating_sub(2);
    while !reader.is_at_end() {
        if reader.word() != "endraw" {
            reader.skip_to("{%");
            left = reader.at.saturating_sub(2);
            continue;
        }
        while reader.at <= reader.end {
            if reader.follows("%}") {
                if from == left {
                    let (token, trims) = tag(reader, from)?;
                    return Ok((token, trims, true));
                }
                reader.at = left;
                let kind = Kind::Text { from, to: left };
                return Ok((Token { kind, text: reader.text, from, to: left }, Trims::default(), false));
            }
            if reader.follows("{%") {
                break;
            }
            reader.step();
        }
    }
    Err(reader.wrong_at(began, "the tag raw is not closed"))
}

/// Takes blanks off the texts beside a `-`, but not within `{% raw %}`.
fn trimmed<'t>(text: &'t [char], mut tokens: Vec<(Token<'t>, Trims)>) -> Vec<Token<'t>> {
    let blank = |at: usize| text.get(at).copied().is_some_and(is_blank);
    let mut in_raw = false;
    for index in 0..tokens.len() {
        let Some((token, trims)) = tokens.get(index) else { break };
        let trims = *trims;
        let name = if let Kind::Tag(name, _) = &token.kind { Some(name.as_str()) } else { None };
        let raw_after = match name {
            Some("raw") => true,
            Some("endraw") => false,
            _ => in_raw,
        };
        let before = index.checked_sub(1).filter(|_| !in_raw && trims.left).and_then(|at| tokens.get_mut(at));
        if let Some((Token { kind: Kind::Text { from, to }, .. }, _)) = before {
            while *to > *from && blank(to.saturating_sub(1)) {
                *to = to.saturating_sub(1);
            }
        }
        in_raw = raw_after;
        let after = tokens.get_mut(index.saturating_add(1)).filter(|_| !in_raw && trims.right);
        if let Some((Token { kind: Kind::Text { from, to }, .. }, _)) = after {
            while *from < *to && blank(*from) {
                *from = from.saturating_add(1);
            }
        }
    }
    tokens.into_iter().map(|(token, _)| token).collect()
}

/// The lines of `{% liquid %}`, each a tag of its own.
pub(super) fn lines<'t>(reader: &mut Reader<'t>) -> Result<Vec<Token<'t>>, Trouble> {
    let mut tokens = Vec::new();
    loop {
        reader.skip_blank();
        if reader.is_at_end() {
            return Ok(tokens);
        }
        let from = reader.at;
        to_delimiter(reader, "\n", false);
        let (mut inner, _) = content(reader.text, from, reader.at);
        let name = inner.tag_name();
        if name.is_empty() {
            return Err(reader.wrong_at(from, "the name of a tag is expected"));
        }
        inner.skip_blank();
        tokens.push(Token { kind: Kind::Tag(name, inner), text: reader.text, from, to: reader.at });
    }
}
