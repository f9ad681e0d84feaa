//! Events as lines of JSON.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read};

use serde_json::Value;

use crate::cli::control::Offer;
use crate::parcel::LARGEST_BODY;
use crate::taxonomy;

/// A line that held something.
pub(crate) struct Event {
    /// Its number, from 1.
    pub(crate) line: u64,
    /// What to offer, or why the line cannot be taken.
    pub(crate) offer: Result<Offer, Unfit>,
}

/// Why a line cannot be taken, and from which of its columns on, where that is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    column: Option<usize>,
    why: String,
    /// In the table of errors.
    code: &'static str,
}

/// To be written behind the number of the line.
impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unfit { column, why, code } = self;
        match column {
            Some(column) => write!(f, ":{column}: {why} ({code})"),
            None => write!(f, ": {why} ({code})"),
        }
    }
}

impl Unfit {
    fn whole(why: impl Into<String>, code: &'static str) -> Self {
        Unfit { column: None, why: why.into(), code }
    }
}

/// Where an event has something that its parcel needs.
pub(crate) enum Field {
    /// Nowhere.
    Absent,
    /// Here, where the event has it.
    Where(Vec<String>),
    /// Here, and an event without it is not taken.
    Needed(Vec<String>),
}

impl Field {
    /// The default of the idempotency key.
    pub(crate) fn key() -> Self {
        Field::Where(vec!["messageId".to_owned()])
    }

    /// As an argument says: a path of names with dots between them, or `none`.
    pub(crate) fn asked(path: &str) -> Self {
        match path {
            "none" => Field::Absent,
            path => Field::Needed(path.split('.').map(str::to_owned).collect()),
        }
    }

    fn of(&self, event: &Value) -> Result<Option<String>, String> {
        let (path, needed) = match self {
            Field::Absent => return Ok(None),
            Field::Where(path) => (path, false),
            Field::Needed(path) => (path, true),
        };
        match path.iter().try_fold(event, |value, name| value.get(name)) {
            None | Some(Value::Null) if needed => Err(format!("{}: is missing", path.join("."))),
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() && !needed => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(format!("{}: is neither text nor a number", path.join("."))),
        }
    }
}

/// The events of an input, in its order. Blank lines are passed over.
pub(crate) struct Events<R> {
    input: BufReader<R>,
    destination: String,
    once: Field,
    lane: Field,
    line: u64,
}

/// Enough that reading a file does not split groups of events often.
const BUFFER: usize = 1024 * 1024;

const MARK: &[u8] = b"\xef\xbb\xbf";

impl<R: Read> Events<R> {
    pub(crate) fn new(input: R, destination: String, once: Field, lane: Field) -> Self {
        Events { input: BufReader::with_capacity(BUFFER, input), destination, once, lane, line: 0 }
    }

    /// Whether the next event may take its time: nothing of it has been read yet but, perhaps, its beginning.
    pub(crate) fn pauses(&self) -> bool {
        !self.input.buffer().contains(&b'\n')
    }

    /// A byte order mark, which some programs write, is no part of the first event.
    fn skip_mark(&self, line: &mut Vec<u8>) {
        if self.line == 1 && line.starts_with(MARK) {
            line.drain(..MARK.len());
        }
    }

    fn offer(&self, text: &[u8]) -> Result<Offer, Unfit> {
        if text.len() > LARGEST_BODY {
            let why = format!("longer than {LARGEST_BODY} bytes, which no engine takes");
            return Err(Unfit::whole(why, taxonomy::EVENT_TOO_LARGE));
        }
        let body = std::str::from_utf8(text).map_err(|why| {
            let column = Some(why.valid_up_to().saturating_add(1));
            Unfit { column, why: "not UTF-8".to_owned(), code: taxonomy::EVENT_NOT_UTF8 }
        })?;
        let event: Value = serde_json::from_str(body).map_err(|why| {
            // The parser appends its own place, whose line is always the first.
            let message = why.to_string();
            let (what, _) = message.split_once(" at line ").unwrap_or((&message, ""));
            let deep = what == "recursion limit exceeded";
            let code = if deep { taxonomy::EVENT_TOO_DEEP } else { taxonomy::EVENT_NOT_JSON };
            Unfit { column: Some(why.column()), why: format!("not JSON: {what}"), code }
        })?;
        if !event.is_object() {
            return Err(Unfit::whole("not a JSON object", taxonomy::EVENT_NOT_AN_OBJECT));
        }
        let asked = |field: &Field| field.of(&event).map_err(|why| Unfit::whole(why, taxonomy::PARCEL_INVALID));
        let (once, lane) = (asked(&self.once)?, asked(&self.lane)?);
        Ok(Offer { destination: self.destination.clone(), body: body.trim().to_owned(), once, lane })
    }

    /// The next line, of which no more is kept than can be told to be too long; `None` at the end.
    fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let most = u64::try_from(LARGEST_BODY).unwrap_or(u64::MAX).saturating_add(2);
        let mut line = Vec::new();
        self.input.by_ref().take(most).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            self.input.skip_until(b'\n')?;
        }
        while line.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
            line.pop();
        }
        Ok(Some(line))
    }
}

impl<R: Read> Iterator for Events<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<io::Result<Event>> {
        loop {
            let mut line = match self.read_line() {
                Ok(line) => line?,
                Err(why) => return Some(Err(why)),
            };
            self.line = self.line.saturating_add(1);
            self.skip_mark(&mut line);
            if !line.trim_ascii().is_empty() {
                return Some(Ok(Event { line: self.line, offer: self.offer(&line) }));
            }
        }
    }
}
