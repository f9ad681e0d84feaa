//! What is said of a value that does not fit. The messages are those of the reference implementation's validator; the
//! remedies are ours.

use serde_json::Value;

use super::coerce::kind;
use super::fault::Fault;
use super::field::{Field, Kind};
use super::format::Format;
use super::place::Place;
use crate::js::number;
use crate::nearest::nearest;

/// Who reads the advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The author of a mapping.
    Mapping,
    /// The author of a configuration file.
    Settings,
}

/// A fault of the value at a place.
pub(super) struct Say<'a> {
    pub(super) reader: Reader,
    pub(super) field: &'a Field,
    pub(super) place: &'a Place<'a>,
    /// Items have no label of their own.
    pub(super) item: bool,
}

impl Say<'_> {
    pub(super) fn fault(&self, rest: &str, remedy: String) -> Fault {
        let label = if self.item { None } else { self.field.label.as_deref() };
        let message = format!("{} {rest}.", self.place.name(label));
        Fault::new(self.place.dotted(), &message, self.field.remedy.clone().unwrap_or(remedy))
    }

    pub(super) fn wrong_type(&self, types: &[&str], found: &Value) -> Fault {
        let expected = listed(types);
        let found = kind(found);
        let quotes = self.reader == Reader::Settings && self.field.kind == Kind::Text && found != "an object";
        let remedy = if quotes && found != "an array" {
            "Put it in quotes.".to_owned()
        } else {
            format!("{}{}", self.verb(&a(&expected)).trim_end_matches('.'), self.example())
        };
        self.fault(&format!("must be {} but it was {found}", a(&expected)), remedy)
    }

    pub(super) fn no_choice(&self) -> Fault {
        let null = self.field.takes_null().then_some(&Value::Null);
        let choices = self.field.choices.iter().map(|choice| &choice.value).chain(null);
        let choices: Vec<String> = choices.map(written).collect();
        let choices = listed(&choices);
        self.fault(&format!("must be one of: {choices}"), self.verb(&choices))
    }

    pub(super) fn wrong_form(&self, label: &str, sample: &str) -> Fault {
        let remedy = self.verb(&format!("a text such as `{sample}`"));
        self.fault(&format!("must be a valid {label} string but it was not"), remedy)
    }

    pub(super) fn wrong_format(&self, format: Format) -> Fault {
        self.wrong_form(format.label(), format.sample())
    }

    pub(super) fn too_low(&self, limit: f64) -> Fault {
        let limit = number::print(limit);
        self.fault(&format!("must be equal to or greater than {limit}"), self.verb(&format!("{limit} or more")))
    }

    pub(super) fn too_high(&self, limit: f64) -> Fault {
        let limit = number::print(limit);
        self.fault(&format!("must be equal to or less than {limit}"), self.verb(&format!("{limit} or less")))
    }

    pub(super) fn wrong_length(&self, limit: f64, length: usize, bound: &str) -> Fault {
        let plural = |one: bool| if one { "character" } else { "characters" };
        let limit = format!("{} {} or {bound}", number::print(limit), plural((limit - 1.0).abs() < f64::EPSILON));
        let rest = format!("must be {limit} but it was {length} {}", plural(length == 1));
        self.fault(&rest, self.verb(&format!("a text of {limit}")))
    }

    /// `field`, which is not there. The place is its own; `owner` is what lacks it.
    pub(super) fn missing(&self, owner: &str, also: &str) -> Fault {
        let message = format!("{owner} is missing the required field '{}'.{also}", self.field.key);
        let remedy = match self.reader {
            Reader::Mapping => format!("Map a value to it{}", self.example()),
            Reader::Settings => format!("Set it{}", self.example()),
        };
        Fault::new(self.place.dotted(), &message, self.field.remedy.clone().unwrap_or(remedy))
    }

    fn verb(&self, what: &str) -> String {
        match self.reader {
            Reader::Mapping => format!("Map {what} to it."),
            Reader::Settings => format!("Write {what}."),
        }
    }

    /// `, for example …`, unless it is a secret.
    fn example(&self) -> String {
        let example = self.field.example.as_ref().map(written);
        let example = example.or_else(|| self.field.format.map(|format| format!("\"{}\"", format.sample())));
        let example = example.filter(|_| !self.field.is_secret());
        example.map_or_else(|| ".".to_owned(), |example| format!(", for example {example}."))
    }
}

/// A member that is not declared.
pub(super) fn unknown(owner: &str, key: &str, place: &Place<'_>, fields: &[Field]) -> Fault {
    let known: Vec<&str> = fields.iter().map(Field::key).collect();
    let message = format!(
        "{owner} has an unexpected property, {key}, which is not in the list of allowed properties ({}).",
        known.join(", ")
    );
    let remedy = match nearest(key, known.iter().copied()) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => "Take it away.".to_owned(),
    };
    Fault::new(place.dotted(), &message, remedy)
}

/// `value` as JSON, with numbers as JavaScript prints them.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Number(number) => number::text(number),
        other => other.to_string(),
    }
}

/// `a`, `a or b`, `a, b, or c`.
fn listed(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} or {other}"),
        [most @ .., last] => format!("{}, or {last}", most.join(", ")),
    }
}

fn a(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}
