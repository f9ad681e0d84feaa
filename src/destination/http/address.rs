//! Addresses with holes. Origin, and so the guard's and the token's rules, are fixed; a value fills its hole and nothing
//! else, whatever it holds.

use serde_json::{Value, json};
use url::{Origin, Url};

use super::draft::Fault;
use super::template::{Compile, Template};
use crate::destination::SettingError;
use crate::destination::setting::address;

/// What servers take at least is about 8000 bytes (RFC 9110, section 4.1).
const LONGEST: usize = 8 * 1024;

/// An address, whose path and query may have holes.
#[derive(Clone)]
pub(super) struct Address {
    /// The whole, where there are no holes.
    fixed: Option<Url>,
    origin: Origin,
    segments: Vec<Vec<Piece>>,
    query: Option<Vec<Piece>>,
}

#[derive(Clone)]
enum Piece {
    Literal(String),
    Hole(Template),
}

/// A part of the text: what stands there, or the path in a hole.
enum Part<'a> {
    Literal(&'a str),
    Hole(&'a str),
}

impl Address {
    pub(super) fn new(text: &str, compile: Compile<'_>) -> Result<Address, SettingError> {
        let fault = |problem: &str, remedy: &str| SettingError::new("url", problem, remedy);
        let text = text.trim();
        let scheme = text.find("://").ok_or_else(|| fault("It has no scheme.", "Begin it with https://."))?;
        let host = scheme.saturating_add("://".len());
        let rest = text.get(host..).unwrap_or_default();
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains("{{") || text.get(..scheme).is_some_and(|scheme| scheme.contains("{{")) {
            let remedy = "Write host and port as they are: they decide who sees what is sent.";
            return Err(fault("Its host is a template.", remedy));
        }
        if rest.contains(|letter: char| letter == '\\' || letter.is_control()) {
            return Err(fault("It holds a backslash or a control character.", "Write / and %-escapes."));
        }
        let base = address(text.get(..host.saturating_add(authority.len())).unwrap_or_default())?;
        if rest.contains("{{{") {
            return Err(fault("It holds `{{{`.", "Write two braces around a path."));
        }
        let parts =
            parts(rest).ok_or_else(|| fault("A `{{` has no `}}`.", "Close it, or write %7B%7B for the letters."))?;
        if parts.iter().any(|part| matches!(part, Part::Hole(""))) {
            return Err(fault("A `{{}}` names nothing.", "Write the path of a value in it, such as {{userId}}."));
        }
        let made = Address { fixed: None, origin: base.origin(), segments: Vec::new(), query: None };
        let made = made.with(&parts, compile)?;
        // Holes are filled with a letter to see whether the rest is an address.
        let probe: String = parts.iter().map(|part| if let Part::Literal(text) = part { text } else { "x" }).collect();
        let probe = address(&format!("{}{probe}", made.origin.ascii_serialization()))?;
        let holes = parts.iter().any(|part| matches!(part, Part::Hole(_)));
        Ok(Address { fixed: (!holes).then_some(probe), ..made })
    }

    fn with(mut self, parts: &[Part<'_>], compile: Compile<'_>) -> Result<Address, SettingError> {
        for part in parts {
            match part {
                Part::Literal(text) => self.literal(text),
                Part::Hole(path) => {
                    // A path, no text with placeholders: what a value holds is not looked at for more of them.
                    let template = json!({ "@path": path });
                    let hole = Piece::Hole(Template::new(format!("url {{{{{path}}}}}"), &template, compile)?);
                    self.open().push(hole);
                }
            }
        }
        Ok(self)
    }

    /// Takes in what stands between holes: slashes begin segments, the first question mark the query.
    fn literal(&mut self, text: &str) {
        let (path, query) = match (&self.query, text.split_once('?')) {
            (Some(_), _) => ("", Some(text)),
            (None, Some((path, query))) => (path, Some(query)),
            (None, None) => (text, None),
        };
        for (number, segment) in path.split('/').enumerate() {
            if number > 0 {
                self.segments.push(Vec::new());
            }
            if !segment.is_empty() {
                self.open().push(Piece::Literal(segment.to_owned()));
            }
        }
        if let Some(query) = query {
            self.query.get_or_insert_default().push(Piece::Literal(query.to_owned()));
        }
    }

    /// The segment, or the query, that is being read.
    fn open(&mut self) -> &mut Vec<Piece> {
        if let Some(query) = &mut self.query {
            return query;
        }
        if self.segments.is_empty() {
            self.segments.push(Vec::new());
        }
        let last = self.segments.len().saturating_sub(1);
        self.segments.get_mut(last).expect("there is one: it was made if there was none")
    }

    pub(super) fn is_fixed(&self) -> bool {
        self.fixed.is_some()
    }

    /// The address's origin, as one that can be asked about.
    pub(super) fn origin(&self) -> Option<Url> {
        Url::parse(&self.origin.ascii_serialization()).ok()
    }

    /// The address for this event.
    pub(super) fn fill(&self, event: &Value) -> Result<Url, Fault> {
        if let Some(url) = &self.fixed {
            return Ok(url.clone());
        }
        let mut text = self.origin.ascii_serialization();
        for pieces in &self.segments {
            let segment = filled(pieces, event)?;
            let hole =
                pieces.iter().find_map(|piece| if let Piece::Hole(template) = piece { Some(template) } else { None });
            // Such a segment would be dropped, or drop the one before: another resource.
            if let Some(hole) = hole.filter(|_| segment.is_empty() || is_dots(&segment)) {
                let problem = format!("Its value makes the segment `{segment}` of the path.");
                let remedy = "Send one that names something; where the route has a mapping, let that give it.";
                return Err(Fault::invalid(hole.place(), &problem, remedy));
            }
            text.push('/');
            text.push_str(&segment);
        }
        if let Some(query) = &self.query {
            text.push('?');
            text.push_str(&filled(query, event)?);
        }
        if text.len() > LONGEST {
            return Err(Fault::invalid("url", "The address has more than 8192 bytes.", "Send shorter values."));
        }
        let url = Url::parse(&text).ok().filter(|url| url.origin() == self.origin);
        url.ok_or_else(|| Fault::invalid("url", "The values make no address.", "Send values without odd characters."))
    }
}

fn filled(pieces: &[Piece], event: &Value) -> Result<String, Fault> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Hole(template) => encode(&template.text(event)?.unwrap_or_default(), &mut text),
        }
    }
    Ok(text)
}

/// Writes everything but unreserved characters (RFC 3986, section 2.3) as escapes, so that no value ends its segment.
fn encode(value: &str, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')));
            }
        }
    }
}

/// Whether a path has this segment taken out of it, escaped dots included (the URL standard, section 4.4).
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// The text, parted at its holes; nothing where one is not closed.
fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (path, behind) = after.split_once("}}")?;
        parts.push(Part::Literal(before));
        parts.push(Part::Hole(path.trim()));
        rest = behind;
    }
    parts.push(Part::Literal(rest));
    Some(parts)
}
