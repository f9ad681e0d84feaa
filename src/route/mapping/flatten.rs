//! `@flatten`: nested objects and arrays as one level, with joined keys.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::budget::Budget;
use super::error::Trouble;
use super::tree::{misfit, missing};
use super::value::{Piece, Value, View, is_falsy};

/// The arguments, apart from the value.
#[derive(Clone, Debug)]
pub(super) struct Flatten {
    separator: String,
    keeps_arrays: bool,
}

impl Flatten {
    pub(super) fn new(arguments: &Map<String, Json>) -> Result<Self, Trouble> {
        let keeps_arrays = arguments.get("omitArrays").is_some_and(|given| !is_falsy(given));
        match arguments.get("separator").filter(|separator| !is_falsy(separator)) {
            Some(Json::String(separator)) => Ok(Flatten { separator: separator.clone(), keeps_arrays }),
            Some(other) => Err(misfit("`separator`", "text", other)),
            None => Err(missing("separator")),
        }
    }

    pub(super) fn applied<'p>(&self, value: Piece<'_, 'p>, budget: &Budget) -> Result<Value<'p>, Trouble> {
        let mut flat = IndexMap::new();
        if !matches!(value.view(), View::Undefined) {
            self.add(value, "", &mut flat, budget)?;
        }
        Ok(Value::Object(flat))
    }

    fn add<'p>(
        &self,
        value: Piece<'_, 'p>,
        prefix: &str,
        flat: &mut IndexMap<String, Value<'p>>,
        budget: &Budget,
    ) -> Result<(), Trouble> {
        match value.view() {
            View::Object(members) => {
                for (key, member) in members.listed() {
                    self.add(member, &self.joined(prefix, key), flat, budget)?;
                }
            }
            View::Array(items) if !self.keeps_arrays => {
                for (index, item) in items.iter().enumerate() {
                    self.add(item, &self.joined(prefix, &index.to_string()), flat, budget)?;
                }
            }
            _ => {
                budget.nodes(1)?;
                budget.text(prefix.len())?;
                flat.insert(prefix.to_owned(), value.taken(budget)?);
            }
        }
        Ok(())
    }

    /// An empty key above adds nothing, not even the separator.
    fn joined(&self, prefix: &str, key: &str) -> String {
        if prefix.is_empty() { key.to_owned() } else { format!("{prefix}{}{key}", self.separator) }
    }
}
