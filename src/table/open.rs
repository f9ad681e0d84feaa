//! What stands under names that the file chooses: tables by name, values of any shape.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::DeValue;

use super::Section;
use super::environment::expanded;
use crate::limits::unfit_name;

impl<'a> Section<'a> {
    /// The tables `[key.NAME]`, by name.
    pub(crate) fn named(&mut self, key: &'static str) -> Vec<(String, Section<'a>)> {
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

    /// The value of a key as JSON, as it is written.
    pub(crate) fn json(&mut self, key: &'static str) -> Option<Value> {
        let (line, value) = self.find(key)?;
        json(value, &|text| Ok(text.to_owned())).map_err(|why| self.document.fault(line, self.below(key), why)).ok()
    }

    /// All keys that nobody asked for, and that are known from here on, as JSON, with what they name of the environment.
    pub(crate) fn rest(mut self) -> (Self, Map<String, Value>) {
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
            let finite = read.and_then(Number::from_f64);
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
