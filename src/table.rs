//! Reading a file in TOML key by key: each fault is kept with its line, and reading goes on, so that all faults are
//! told at once.

mod environment;
#[cfg(feature = "cli")]
mod open;
mod value;

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;

use outlast_state::Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use crate::guard::{Guard, is_private_line};
use crate::nearest::nearest;
use crate::span::span;
use environment::{expanded, named};
use value::{collect_texts, kind};

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    file: String,
    line: usize,
    key: String,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { file, line, key, message } = self;
        match key.as_str() {
            "" => write!(f, "{file}:{line}: {message}"),
            key => write!(f, "{file}:{line}: {key}: {message}"),
        }
    }
}

/// What is shorter is no secret, in bytes.
const SHORTEST_SECRET: usize = 4;

/// A file that is being read.
pub(crate) struct Document<'a> {
    name: String,
    text: &'a str,
    environment: &'a dyn Fn(&str) -> Option<String>,
    faults: RefCell<Vec<Fault>>,
}

impl<'a> Document<'a> {
    /// A file called `name` that holds `text`.
    pub(crate) fn new(
        name: impl Into<String>,
        text: &'a str,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Document<'a> {
        Document { name: name.into(), text, environment, faults: RefCell::default() }
    }

    /// Its tables.
    ///
    /// # Errors
    /// It is not TOML.
    pub(crate) fn parse(&self) -> Result<DeTable<'a>, Vec<Fault>> {
        DeTable::parse(self.text).map(Spanned::into_inner).map_err(|why| {
            let line = self.line(why.span().map_or(0, |span| span.start));
            let message = format!("not TOML: {}", why.message());
            vec![Fault { file: self.name.clone(), line, key: String::new(), message }]
        })
    }

    /// What was found in it, in the order of its lines.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = self.faults.take();
        faults.sort_by_key(|fault| fault.line);
        faults.dedup();
        faults
    }

    /// The number of the line that holds this byte, from 1.
    pub(crate) fn line(&self, byte: usize) -> usize {
        self.text.bytes().take(byte).filter(|byte| *byte == b'\n').count().saturating_add(1)
    }

    pub(crate) fn fault(&self, line: usize, key: String, message: impl Into<String>) {
        self.faults.borrow_mut().push(Fault { file: self.name.clone(), line, key, message: message.into() });
    }
}

/// A table of the file; one that is absent has no keys. It remembers which keys it was asked for: the others are unknown.
pub(crate) struct Section<'a> {
    document: &'a Document<'a>,
    path: String,
    line: usize,
    table: Option<&'a DeTable<'a>>,
    known: Vec<&'static str>,
    /// Whether somebody else knows which keys there may be.
    closed: bool,
}

impl<'a> Section<'a> {
    pub(crate) fn root(document: &'a Document<'a>, table: &'a DeTable<'a>) -> Self {
        Section { document, path: String::new(), line: 1, table: Some(table), known: Vec::new(), closed: false }
    }

    pub(crate) fn section(&mut self, key: &'static str) -> Section<'a> {
        let found = self.find(key);
        let line = found.map_or(self.line, |(line, _)| line);
        let table = found.and_then(|(line, value)| self.table_at(line, &self.below(key), value));
        Section { document: self.document, path: self.below(key), line, table, known: Vec::new(), closed: false }
    }

    /// The tables `[[key]]`, in their order.
    pub(crate) fn each(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let Some((line, value)) = self.find(key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.document.fault(line, self.below(key), format!("is {}; write it as [[{key}]]", kind(value)));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let line = self.document.line(item.span().start);
            let path = format!("{}[{}]", self.below(key), number.saturating_add(1));
            let table = self.table_at(line, &path, item.get_ref());
            if table.is_some() {
                sections.push(Section { document: self.document, path, line, table, known: Vec::new(), closed: false });
            }
        }
        sections
    }

    /// The value of a text key, with what it names of the environment.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        let (line, value) = self.find(key)?;
        let DeValue::String(written) = value else {
            self.fault(key, format!("is {}; write it in quotes", kind(value)));
            return None;
        };
        match expanded(written, self.document.environment) {
            Ok(text) if text.is_empty() => self.wrong(line, key, "is empty; leave it out or give it a value"),
            Ok(text) if text.chars().any(char::is_control) => {
                self.wrong(line, key, "holds a control character (such as a line break); remove it")
            }
            Ok(text) => Some(text),
            Err(why) => self.wrong(line, key, why.to_string()),
        }
    }

    /// The value of a text key that may hold several lines, as it is written.
    pub(crate) fn lines(&mut self, key: &'static str) -> Option<String> {
        let (line, value) = self.find(key)?;
        match value {
            DeValue::String(text) => Some(text.to_string()),
            other => self.wrong(line, key, format!("is {}; write it in quotes", kind(other))),
        }
    }

    /// The value of a key that is a list of texts.
    pub(crate) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let (line, value) = self.find(key)?;
        let text = |item: &'a Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::String(text) => Some(&**text),
            _ => None,
        };
        let texts = match value {
            DeValue::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let Some(texts) = texts else {
            return self.wrong(line, key, "is not a list of texts; write it as [\"…\", \"…\"]");
        };
        let texts = texts.into_iter().map(|text| expanded(text, self.document.environment));
        match texts.collect::<Result<Vec<_>, _>>() {
            Ok(texts) => Some(texts),
            Err(why) => self.wrong(line, key, why.to_string()),
        }
    }

    pub(crate) fn count(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let (line, value) = self.find(key)?;
        let number = match value {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let fits = number.filter(|number| range.contains(number));
        fits.or_else(|| {
            self.wrong(line, key, format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// The value of a key that is a text or a whole number, as a text.
    pub(crate) fn text_or_number(&mut self, key: &'static str) -> Option<String> {
        match self.find(key)? {
            (_, DeValue::Integer(number)) => Some(number.as_str().to_owned()),
            _ => self.text(key),
        }
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        match self.find(key)? {
            (_, DeValue::Boolean(flag)) => Some(*flag),
            (line, value) => self.wrong(line, key, format!("is {}; write true or false", kind(value))),
        }
    }

    pub(crate) fn span(&mut self, key: &'static str) -> Option<Span> {
        self.parsed(key, |text| match span(text) {
            Ok(Span::ZERO) => Err("must be longer than nothing".to_owned()),
            Ok(span) => Ok(span),
            Err(why) => Err(why.to_string()),
        })
    }

    pub(crate) fn url(&mut self, key: &'static str) -> Option<Url> {
        self.parsed(key, |text| {
            let url = Url::parse(text)
                .map_err(|why| format!("`{text}` is not an address ({why}); write one that begins with https://"))?;
            let fits = matches!(url.scheme(), "http" | "https") && url.host().is_some();
            if fits { Ok(url) } else { Err(format!("`{text}` is not an address that begins with https://")) }
        })
    }

    /// A secret goes to this address: it must be one that may be connected to, over a line that is private.
    pub(crate) fn check_line(&self, key: &'static str, url: &Url, guard: &Guard) -> bool {
        if !is_private_line(url) {
            self.fault(key, "would send a secret over plain http; write https://");
            return false;
        }
        guard.url(url).map_err(|denied| self.fault(key, denied.in_a_file())).is_ok()
    }

    pub(crate) fn one_of(&mut self, key: &'static str, known: &[&'static str]) -> Option<&'static str> {
        self.parsed(key, |text| {
            let found = known.iter().find(|name| **name == text);
            found.copied().ok_or_else(|| format!("`{text}` is not known{}", suggestion(text, known)))
        })
    }

    pub(crate) fn parsed<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(key)?;
        parse(&text).map_err(|message| self.fault(key, message)).ok()
    }

    /// What came from the environment may be a secret in the wrong place: a message about a key shows what the file says.
    fn as_written(&self, key: &str, message: String) -> String {
        let value = self.table.and_then(|table| table.get(key)).map(Spanned::get_ref);
        let mut texts = Vec::new();
        if let Some(value) = value {
            collect_texts(value, &mut texts);
        }
        texts.into_iter().fold(message, |message, written| self.hidden(written, message))
    }

    fn hidden(&self, written: &str, message: String) -> String {
        let environment = self.document.environment;
        let Ok(text) = expanded(written, environment) else { return message };
        if text.is_empty() || text == written {
            return message;
        }
        let message = message.replace(&text, written);
        // A message may show a part of the text only. What is too short to be a secret would be met by chance.
        let values = named(written).filter_map(|name| Some((name, environment(name)?)));
        values
            .filter(|(_, value)| value.len() >= SHORTEST_SECRET)
            .fold(message, |message, (name, value)| message.replace(&value, &format!("${{{name}}}")))
    }

    /// `value`, and a fault if there is none because the key is absent.
    pub(crate) fn needed<T>(&self, key: &'static str, value: Option<T>, remedy: &str) -> Option<T> {
        if value.is_none() && !self.holds(key) {
            self.document.fault(self.line, self.below(key), format!("is missing; {remedy}"));
        }
        value
    }

    pub(crate) fn holds(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Keeps a fault about a key of this table.
    pub(crate) fn fault(&self, key: &str, message: impl Into<String>) {
        let at = self.table.and_then(|table| table.get_key_value(key));
        let line = at.map_or(self.line, |(key, _)| self.document.line(key.span().start));
        self.document.fault(line, self.below(key), self.as_written(key, message.into()));
    }

    /// Ends the reading of this table: what nobody asked for is unknown.
    pub(crate) fn close(self) {
        for (key, _) in self.table.into_iter().flatten() {
            let written = key.get_ref().as_ref();
            if !self.closed && !self.known.contains(&written) {
                let line = self.document.line(key.span().start);
                let message = format!("unknown key{}", suggestion(written, &self.known));
                self.document.fault(line, self.below(written), message);
            }
        }
    }

    fn find(&mut self, key: &'static str) -> Option<(usize, &'a DeValue<'a>)> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let (key, value): (&Spanned<_>, &Spanned<_>) = self.table?.get_key_value(key)?;
        Some((self.document.line(key.span().start), value.get_ref()))
    }

    fn table_at(&self, line: usize, path: &str, value: &'a DeValue<'a>) -> Option<&'a DeTable<'a>> {
        if let DeValue::Table(table) = value {
            return Some(table);
        }
        self.document.fault(line, path.to_owned(), format!("is {}; write it as a table [{path}]", kind(value)));
        None
    }

    fn wrong<T>(&self, line: usize, key: &str, message: impl Into<String>) -> Option<T> {
        self.document.fault(line, self.below(key), self.as_written(key, message.into()));
        None
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// What may have been meant: the nearest known name, or all of them.
pub(crate) fn suggestion(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("; did you mean {name}?"),
        None => format!("; known are {}", known.join(", ")),
    }
}
