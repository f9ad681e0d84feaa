//! How much one resolution may produce. A mapping of a few lines can ask for more than any machine has: a template in a
//! template in a template, each written twice.

use std::cell::Cell;

use super::error::Trouble;
use super::value::Value;

/// So many values may be copied or made for one event.
const NODES: usize = 200_000;

/// So many bytes of text may be copied or made for one event.
const TEXT: usize = 4 << 20;

/// What is left for this resolution.
#[derive(Debug)]
pub(super) struct Budget {
    nodes: Cell<usize>,
    text: Cell<usize>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Budget { nodes: Cell::new(NODES), text: Cell::new(TEXT) }
    }

    /// Pays for `count` values.
    pub(super) fn nodes(&self, count: usize) -> Result<(), Trouble> {
        spend(&self.nodes, count).ok_or_else(|| exceeded(&format!("{NODES} values")))
    }

    /// Pays for `length` bytes of text.
    pub(super) fn text(&self, length: usize) -> Result<(), Trouble> {
        spend(&self.text, length).ok_or_else(|| exceeded(&format!("{TEXT} bytes of text")))
    }

    /// Pays for a copy of `value`, which nests no deeper than results may.
    pub(super) fn copy(&self, value: &Value<'_>) -> Result<(), Trouble> {
        self.nodes(1)?;
        match value {
            Value::Text(text) => self.text(text.len()),
            Value::Array(items) => items.iter().try_for_each(|item| self.copy(item)),
            Value::Object(members) => members.iter().try_for_each(|(key, value)| {
                self.text(key.len())?;
                self.copy(value)
            }),
            _ => Ok(()),
        }
    }
}

fn spend(left: &Cell<usize>, amount: usize) -> Option<()> {
    left.set(left.get().checked_sub(amount)?);
    Some(())
}

fn exceeded(limit: &str) -> Trouble {
    Trouble::new(
        format!("this mapping makes more than {limit} of this event"),
        "read a smaller part of the event, or nest fewer @arrayPath, @transform and @template",
    )
}
