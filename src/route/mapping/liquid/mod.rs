//! `@liquid`: templates in the language of `LiquidJS` 10, which the reference implementation embeds.
//!
//! What a template may do is bounded: it has at most a thousand characters and no loop, its brackets nest at most 32
//! levels, and all that it makes is paid for out of the budget of the resolution. So it needs no clock to stop it.
//!
//! Two things differ from the reference on purpose, so that a mapping stays a pure function of the event: `sample` takes
//! the first elements instead of random ones, and `date` refuses `now` and `today`.

mod data;
mod eval;
mod filters;
mod parse;
mod reader;
mod render;
mod scope;
mod syntax;
#[cfg(test)]
mod tests;
mod tokens;
mod variables;

use std::sync::Arc;

use parse::Part;

use super::budget::Budget;
use super::error::Trouble;
use super::value::Piece;
use crate::js::text;

/// So many UTF-16 units may a template have.
const LONGEST: usize = 1000;

/// A template that was read.
#[derive(Clone, Debug)]
pub(super) struct Template {
    parts: Arc<[Part]>,
}

impl Template {
    pub(super) fn new(text: &str) -> Result<Self, Trouble> {
        let length = text::length(text);
        if length > LONGEST {
            let message = format!("a template of {length} characters is longer than {LONGEST}");
            return Err(Trouble::new(message, "shorten it, or compute parts of it in a @transform first"));
        }
        let letters: Vec<char> = text.chars().collect();
        Ok(Template { parts: parse::template(&letters)?.into() })
    }

    pub(super) fn render(&self, payload: Piece<'_, '_>, budget: &Budget) -> Result<String, Trouble> {
        render::render(&self.parts, payload, budget)
    }

    /// The paths of the event that are read.
    pub(super) fn paths(&self) -> Vec<String> {
        variables::read(&self.parts)
    }
}
