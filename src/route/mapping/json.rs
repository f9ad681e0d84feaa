//! `@json`: JSON text and back.

use serde::de::IgnoredAny;

use super::budget::Budget;
use super::error::Trouble;
use super::value::{Piece, Value, View};
use crate::js::number;

/// The JSON text of a value; nothing for undefined.
pub(super) fn encoded(value: Piece<'_, '_>, budget: &Budget) -> Result<Option<String>, Trouble> {
    written(value, "", budget)
}

/// The JSON text of a value, with `gap` as the indentation of each level; without any in one line.
pub(super) fn written(value: Piece<'_, '_>, gap: &str, budget: &Budget) -> Result<Option<String>, Trouble> {
    let mut out = Writer { text: String::new(), gap, depth: 0, budget };
    Ok(out.value(value)?.then_some(out.text))
}

struct Writer<'b> {
    text: String,
    gap: &'b str,
    depth: usize,
    budget: &'b Budget,
}

impl Writer<'_> {
    fn write(&mut self, piece: &str) -> Result<(), Trouble> {
        self.budget.text(piece.len())?;
        self.text.push_str(piece);
        Ok(())
    }

    /// Whether there was anything to write.
    fn value(&mut self, value: Piece<'_, '_>) -> Result<bool, Trouble> {
        match value.view() {
            View::Undefined => return Ok(false),
            View::Null => self.write("null")?,
            View::Bool(flag) => self.write(if flag { "true" } else { "false" })?,
            View::Number(value) if !value.is_finite() => self.write("null")?,
            View::Number(value) => self.write(&number::print(value))?,
            View::Text(text) => self.quoted(text)?,
            View::Array(items) => {
                self.write("[")?;
                self.depth = self.depth.saturating_add(1);
                for (index, item) in items.iter().enumerate() {
                    self.next(index)?;
                    if !self.value(item)? {
                        self.write("null")?;
                    }
                }
                self.close(items.len() == 0, "]")?;
            }
            View::Object(members) => {
                self.write("{")?;
                self.depth = self.depth.saturating_add(1);
                let mut members = members.listed();
                members.retain(|(_, value)| !matches!(value.view(), View::Undefined));
                for (index, (key, member)) in members.iter().enumerate() {
                    self.next(index)?;
                    self.quoted(key)?;
                    self.write(if self.gap.is_empty() { ":" } else { ": " })?;
                    self.value(*member)?;
                }
                self.close(members.is_empty(), "}")?;
            }
        }
        Ok(true)
    }

    fn next(&mut self, index: usize) -> Result<(), Trouble> {
        if index > 0 {
            self.write(",")?;
        }
        self.line()
    }

    fn close(&mut self, is_empty: bool, bracket: &str) -> Result<(), Trouble> {
        self.depth = self.depth.saturating_sub(1);
        if !is_empty {
            self.line()?;
        }
        self.write(bracket)
    }

    fn line(&mut self) -> Result<(), Trouble> {
        if self.gap.is_empty() {
            return Ok(());
        }
        self.write("\n")?;
        (0..self.depth).try_for_each(|_| self.write(self.gap))
    }

    /// Both languages escape the same: quotes, backslashes and controls, those with the same short forms.
    fn quoted(&mut self, text: &str) -> Result<(), Trouble> {
        self.write(&serde_json::Value::from(text).to_string())
    }
}

/// What the text says in JSON, or the text itself when it is none.
pub(super) fn decoded<'p>(text: &str, budget: &Budget) -> Result<Value<'p>, Trouble> {
    budget.text(text.len())?;
    match serde_json::from_str(text) {
        Ok(json) => owned(json, budget),
        // JSON that cannot be held here must not go on as if it was mere text.
        Err(error) if serde_json::from_str::<IgnoredAny>(text).is_ok() => Err(Trouble::new(
            format!("the JSON text holds what cannot be read: {error}"),
            "send other text, or do not decode it",
        )),
        Err(_) => Ok(Value::Text(text.to_owned())),
    }
}

/// The reader bounds the depth.
fn owned<'p>(json: serde_json::Value, budget: &Budget) -> Result<Value<'p>, Trouble> {
    use serde_json::Value as Json;
    budget.nodes(1)?;
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => Value::Number(super::value::double(&number)),
        Json::String(text) => Value::Text(text),
        Json::Array(items) => {
            Value::Array(items.into_iter().map(|item| owned(item, budget)).collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let members = members.into_iter().map(|(key, member)| Ok((key, owned(member, budget)?)));
            Value::Object(members.collect::<Result<_, Trouble>>()?)
        }
    })
}
