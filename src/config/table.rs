//! Reading a configuration file key by key: each fault is kept with its line, and reading goes on, so that all faults are
//! told at once.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;

use outlast_state::Span;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::text::{self, expanded, named};
use crate::nearest::nearest;
use crate::parcel::unfit_name;

/// One thing that is wrong in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) message: String,
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
pub(super) struct Document<'a> {
    pub(super) name: String,
    pub(super) text: &'a str,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) faults: RefCell<Vec<Fault>>,
}

impl Document<'_> {
    /// The number of the line that holds this byte, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.text.bytes().take(byte).filter(|byte| *byte == b'\n').count().saturating_add(1)
    }

    pub(super) fn fault(&self, line: usize, key: String, message: impl Into<String>) {
        self.faults.borrow_mut().push(Fault { file: self.name.clone(), line, key, message: message.into() });
    }
}

/// A table of the file; one that is absent has no keys. It remembers which keys it was asked for: the others are unknown.
pub(super) struct Section<'a> {
    document: &'a Document<'a>,
    path: String,
    line: usize,
    table: Option<&'a DeTable<'a>>,
    known: Vec<&'static str>,
    /// Whether somebody else knows which keys there may be.
    closed: bool,
}

impl<'a> Section<'a> {
    pub(super) fn root(document: &'a Document<'a>, table: &'a DeTable<'a>) -> Self {
        Section { document, path: String::new(), line: 1, table: Some(table), known: Vec::new(), closed: false }
    }

    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let found = self.find(key);
        let line = found.map_or(self.line, |(line, _)| line);
        let table = found.and_then(|(line, value)| self.table_at(line, &self.below(key), value));
        Section { document: self.document, path: self.below(key), line, table, known: Vec::new(), closed: false }
    }

    /// The tables `[key.NAME]`, by name.
    pub(super) fn named(&mut self, key: &'static str) -> Vec<(String, Section<'a>)> {
        let section = self.section(key);
        let mut named = Vec::new();
        for (name, value) in section.table.into_iter().flatten() {
            let (line, path) = (self.document.line(name.span().start), section.below(name.get_ref()));
            if let Some(why) = unfit_name(name.get_ref()) {
                self.document.fault(line, section.path.clone(), format!("a name in it {why}"));
                continue;
            }
            let table = self.table_at(line, &path, value.get_ref());
            if table.is_some() {
                let below = Section { document: self.document, path, line, table, known: Vec::new(), closed: false };
                named.push((name.get_ref().to_string(), below));
            }
        }
        named
    }

    /// The tables `[[key]]`, in their order.
    pub(super) fn each(&mut self, key: &'static str) -> Vec<Section<'a>> {
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

    /// The value of a key as JSON, as it is written.
    pub(super) fn json(&mut self, key: &'static str) -> Option<Value> {
        let (line, value) = self.find(key)?;
        json(value, &|text| Ok(text.to_owned())).map_err(|why| self.document.fault(line, self.below(key), why)).ok()
    }

    /// All keys that nobody asked for, and that are known from here on, as JSON, with what they name of the environment.
    pub(super) fn rest(mut self) -> (Self, Map<String, Value>) {
        let environment = self.document.environment;
        let mut rest = Map::new();
        for (key, value) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            match json(value.get_ref(), &|text| expanded(text, environment).map_err(|why| why.to_string())) {
                Ok(value) => drop(rest.insert(name.to_owned(), value)),
                Err(why) => self.fault(name, why),
            }
        }
        self.closed = true;
        (self, rest)
    }

    /// The value of a text key, with what it names of the environment.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
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
    pub(super) fn lines(&mut self, key: &'static str) -> Option<String> {
        let (line, value) = self.find(key)?;
        match value {
            DeValue::String(text) => Some(text.to_string()),
            other => self.wrong(line, key, format!("is {}; write it in quotes", kind(other))),
        }
    }

    /// The value of a key that is a list of texts, with what they name of the environment.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
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

    pub(super) fn count(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
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

    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        match self.find(key)? {
            (_, DeValue::Boolean(flag)) => Some(*flag),
            (line, value) => self.wrong(line, key, format!("is {}; write true or false", kind(value))),
        }
    }

    pub(super) fn span(&mut self, key: &'static str) -> Option<Span> {
        self.parsed(key, |text| match text::span(text) {
            Ok(Span::ZERO) => Err("must be longer than nothing".to_owned()),
            Ok(span) => Ok(span),
            Err(why) => Err(why.to_string()),
        })
    }

    pub(super) fn url(&mut self, key: &'static str) -> Option<Url> {
        self.parsed(key, |text| {
            let url = Url::parse(text)
                .map_err(|why| format!("`{text}` is not an address ({why}); write one that begins with https://"))?;
            let fits = matches!(url.scheme(), "http" | "https") && url.host().is_some();
            if fits { Ok(url) } else { Err(format!("`{text}` is not an address that begins with https://")) }
        })
    }

    pub(super) fn one_of(&mut self, key: &'static str, known: &[&'static str]) -> Option<&'static str> {
        self.parsed(key, |text| {
            let found = known.iter().find(|name| **name == text);
            found.copied().ok_or_else(|| format!("`{text}` is not known{}", suggestion(text, known)))
        })
    }

    fn parsed<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
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
    pub(super) fn needed<T>(&self, key: &'static str, value: Option<T>, remedy: &str) -> Option<T> {
        if value.is_none() && !self.holds(key) {
            self.document.fault(self.line, self.below(key), format!("is missing; {remedy}"));
        }
        value
    }

    pub(super) fn holds(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Keeps a fault about a key of this table.
    pub(super) fn fault(&self, key: &str, message: impl Into<String>) {
        let at = self.table.and_then(|table| table.get_key_value(key));
        let line = at.map_or(self.line, |(key, _)| self.document.line(key.span().start));
        self.document.fault(line, self.below(key), self.as_written(key, message.into()));
    }

    /// Ends the reading of this table: what nobody asked for is unknown.
    pub(super) fn close(self) {
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

/// The texts within a value. The reader of TOML bounds its depth.
fn collect_texts<'a>(value: &'a DeValue<'_>, texts: &mut Vec<&'a str>) {
    match value {
        DeValue::String(text) => texts.push(text),
        DeValue::Array(items) => {
            for item in items {
                collect_texts(item.get_ref(), texts);
            }
        }
        DeValue::Table(members) => {
            for member in members.values() {
                collect_texts(member.get_ref(), texts);
            }
        }
        _ => {}
    }
}

/// A value as JSON; its texts become what `text` makes of them.
fn json(value: &DeValue<'_>, text: &dyn Fn(&str) -> Result<String, String>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(written) => Value::String(text(written)?),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            read.map(Value::from).map_err(|_| format!("{} is too large", number.as_str()))?
        }
        DeValue::Float(number) => {
            let read: Option<f64> = number.as_str().parse().ok();
            let finite = read.and_then(serde_json::Number::from_f64);
            finite.map(Value::Number).ok_or_else(|| format!("{} is no number of JSON", number.as_str()))?
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| json(item.get_ref(), text)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(members) => {
            let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                Ok((key.to_string(), json(value.get_ref(), text)?))
            };
            Value::Object(members.iter().map(member).collect::<Result<_, String>>()?)
        }
    })
}

/// What may have been meant: the nearest known name, or all of them.
pub(super) fn suggestion(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("; did you mean {name}?"),
        None => format!("; known are {}", known.join(", ")),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
