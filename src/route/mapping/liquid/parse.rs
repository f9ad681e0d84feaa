//! Puts pieces together: tags with what they enclose. Recursion follows the nesting of tags, of which a template of a
//! thousand characters has room for some hundred.

use std::collections::VecDeque;

use super::super::error::{Stage, Trouble};
use super::reader::Reader;
use super::syntax::{Filtered, Operand};
use super::tokens::{Kind, Token, lines, tokens};

/// A part of a template that renders to text.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Text(String),
    Output(Filtered),
    Assign(String, Filtered),
    Capture(String, Vec<Part>),
    /// The branches of `if` and `unless`, and what is rendered when none holds.
    Choice(Vec<Branch>, Vec<Part>),
    /// `increment`, `decrement`: the name, and which.
    Count(String, Step),
    Cycle(Option<Operand>, Vec<Operand>),
    /// `block`: its content sees a variable of that name.
    Block(Vec<Part>),
    /// The lines of `liquid`.
    Group(Vec<Part>),
    /// `break` and `continue`: nothing more is rendered.
    Stop,
}

/// A branch: its condition, and whether it is for the condition that does not hold.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) condition: Filtered,
    pub(super) negated: bool,
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Up,
    Down,
}

type Tokens<'t> = VecDeque<Token<'t>>;
type Parsed<T> = Result<T, Trouble>;

/// Reads a whole template.
pub(super) fn template(text: &[char]) -> Parsed<Vec<Part>> {
    all(&mut tokens(text)?.into())
}

fn all(tokens: &mut Tokens<'_>) -> Parsed<Vec<Part>> {
    let mut parts = Vec::new();
    while let Some(token) = tokens.pop_front() {
        parts.extend(part(token, tokens)?);
    }
    Ok(parts)
}

/// What a piece stands for; it takes what it encloses. Nothing for comments.
fn part<'t>(token: Token<'t>, tokens: &mut Tokens<'t>) -> Parsed<Option<Part>> {
    let shown = token.shown();
    let (name, reader) = match token.kind {
        Kind::Text { .. } => return Ok(Some(Part::Text(shown))),
        Kind::Output(mut reader) => return Ok(Some(Part::Output(reader.filtered()?))),
        Kind::Tag(name, reader) => (name, reader),
    };
    tag(&name, reader, tokens)
}

fn tag<'t>(name: &str, mut reader: Reader<'t>, tokens: &mut Tokens<'t>) -> Parsed<Option<Part>> {
    Ok(Some(match name {
        "assign" => assign(&mut reader)?,
        "capture" => {
            let name = reader.word();
            let name = if name.is_empty() { reader.quoted() } else { Some(name) };
            let name = name.ok_or_else(|| reader.wrong("the name of a variable is expected"))?;
            Part::Capture(name, enclosed("capture", tokens)?)
        }
        "if" => condition(&mut reader, tokens)?,
        "unless" => negation(&mut reader, tokens)?,
        "increment" => Part::Count(reader.word(), Step::Up),
        "decrement" => Part::Count(reader.word(), Step::Down),
        "cycle" => cycle(&mut reader)?,
        "block" => Part::Block(enclosed("block", tokens)?),
        "echo" => {
            reader.skip_blank();
            if reader.is_at_end() {
                return Ok(None);
            }
            Part::Output(reader.filtered()?)
        }
        "liquid" => Part::Group(all(&mut lines(&mut reader)?.into())?),
        "break" | "continue" => Part::Stop,
        "comment" => return skipped("comment", tokens).map(|()| None),
        "raw" => Part::Text(raw(tokens)?),
        "#" => return inline_comment(&reader).map(|()| None),
        "case" | "for" | "include" | "layout" | "render" | "tablerow" => {
            return Err(wrong(format!("the tag {name} is not allowed"), "write the template without it"));
        }
        _ => return Err(wrong(format!("there is no tag {name}"), "correct its name, or remove it")),
    }))
}

fn wrong(message: impl Into<String>, remedy: &str) -> Trouble {
    Trouble::liquid(Stage::Parse, message, remedy)
}

fn not_closed(name: &str) -> Trouble {
    wrong(format!("the tag {name} is not closed"), &format!("add {{% end{name} %}}"))
}

fn assign(reader: &mut Reader<'_>) -> Parsed<Part> {
    let name = reader.word();
    if name.is_empty() {
        return Err(reader.wrong("the name of a variable is expected"));
    }
    reader.skip_blank();
    if reader.peek(0) != Some('=') {
        return Err(reader.wrong("`=` is expected"));
    }
    reader.step();
    Ok(Part::Assign(name, reader.filtered()?))
}

fn is_tag(token: &Token<'_>, wanted: &str) -> bool {
    matches!(&token.kind, Kind::Tag(name, _) if name == wanted)
}

/// What stands up to the end of a tag.
fn enclosed(name: &str, tokens: &mut Tokens<'_>) -> Parsed<Vec<Part>> {
    let (end, mut parts) = (format!("end{name}"), Vec::new());
    while let Some(token) = tokens.pop_front() {
        if is_tag(&token, &end) {
            return Ok(parts);
        }
        parts.extend(part(token, tokens)?);
    }
    Err(not_closed(name))
}

fn skipped(name: &str, tokens: &mut Tokens<'_>) -> Parsed<()> {
    let end = format!("end{name}");
    while let Some(token) = tokens.pop_front() {
        if is_tag(&token, &end) {
            return Ok(());
        }
    }
    Err(not_closed(name))
}

fn condition(reader: &mut Reader<'_>, tokens: &mut Tokens<'_>) -> Parsed<Part> {
    let mut branches = vec![Branch { condition: reader.filtered()?, negated: false, parts: Vec::new() }];
    let mut otherwise: Option<Vec<Part>> = None;
    let nothing_more = |reader: &Reader<'_>| {
        let rest = reader.rest();
        let unexpected = || wrong(format!("`{rest}` is not expected there"), "remove it");
        if rest.is_empty() { Ok(()) } else { Err(unexpected()) }
    };
    while let Some(mut token) = tokens.pop_front() {
        match &mut token.kind {
            Kind::Tag(name, reader) if name == "elsif" => {
                if otherwise.is_some() {
                    return Err(wrong("elsif stands behind else", "put else last"));
                }
                branches.push(Branch { condition: reader.filtered()?, negated: false, parts: Vec::new() });
            }
            Kind::Tag(name, reader) if name == "else" => {
                nothing_more(reader)?;
                if otherwise.replace(Vec::new()).is_some() {
                    return Err(wrong("there are two else", "keep one"));
                }
            }
            Kind::Tag(name, reader) if name == "endif" => {
                nothing_more(reader)?;
                return Ok(Part::Choice(branches, otherwise.unwrap_or_default()));
            }
            _ => {
                let part = part(token, tokens)?;
                match (&mut otherwise, branches.last_mut()) {
                    (Some(parts), _) => parts.extend(part),
                    (None, Some(branch)) => branch.parts.extend(part),
                    (None, None) => {}
                }
            }
        }
    }
    Err(not_closed("if"))
}

/// `unless`: what stands behind a second `else`, or behind an `elsif` that follows one, is read and dropped.
fn negation(reader: &mut Reader<'_>, tokens: &mut Tokens<'_>) -> Parsed<Part> {
    let mut branches = vec![Branch { condition: reader.filtered()?, negated: true, parts: Vec::new() }];
    let (mut otherwise, mut elses, mut dropped) = (Vec::new(), 0_usize, false);
    while let Some(mut token) = tokens.pop_front() {
        match &mut token.kind {
            Kind::Tag(name, _) if name == "elsif" && elses > 0 => dropped = true,
            Kind::Tag(name, reader) if name == "elsif" => {
                branches.push(Branch { condition: reader.filtered()?, negated: false, parts: Vec::new() });
            }
            Kind::Tag(name, _) if name == "else" => {
                elses = elses.saturating_add(1);
                dropped = elses > 1;
            }
            Kind::Tag(name, _) if name == "endunless" => return Ok(Part::Choice(branches, otherwise)),
            _ => {
                let part = part(token, tokens)?;
                match branches.last_mut() {
                    _ if dropped => {}
                    Some(branch) if elses == 0 => branch.parts.extend(part),
                    _ => otherwise.extend(part),
                }
            }
        }
    }
    Err(not_closed("unless"))
}

fn cycle(reader: &mut Reader<'_>) -> Parsed<Part> {
    let (mut group, mut candidates) = (None, Vec::new());
    if let Some(first) = reader.value()? {
        reader.skip_blank();
        if reader.peek(0) == Some(':') {
            group = Some(first);
            reader.step();
        } else {
            candidates.push(first);
        }
    }
    while !reader.is_at_end() {
        candidates.extend(reader.value()?);
        reader.skip_to(",");
    }
    if candidates.is_empty() {
        return Err(reader.wrong("cycle has nothing to go through"));
    }
    Ok(Part::Cycle(group, candidates))
}

fn raw(tokens: &mut Tokens<'_>) -> Parsed<String> {
    let mut text = String::new();
    while let Some(token) = tokens.pop_front() {
        if is_tag(&token, "endraw") {
            return Ok(text);
        }
        text.push_str(&token.written());
    }
    Err(not_closed("raw"))
}

fn inline_comment(reader: &Reader<'_>) -> Parsed<()> {
    let lines = reader.rest();
    let mut further = lines.split('\n').skip(1).map(str::trim_start).filter(|line| !line.is_empty());
    if further.all(|line| line.starts_with('#')) {
        return Ok(());
    }
    Err(wrong("a line of the comment does not begin with #", "begin every line of it with #"))
}
