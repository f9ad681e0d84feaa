//! Subscriptions: short texts that decide which events a route takes.
//!
//! A text is read once into a tree of typed tests, which is then evaluated for each event. There are two readings.
//! [`Subscription::parse`] reads as the reference implementation does, mistakes included: what it does not know it skips.
//! [`Subscription::strict`] refuses every text that does not mean what it says, with place and remedy, and knows groups
//! within groups. Where both read a text without groups in groups and carriage returns, they read the same.

mod compatible;
mod evaluate;
mod explain;
mod finding;
mod lexer;
mod strict;
#[cfg(test)]
mod tests;
mod tree;
mod write;

use std::fmt;

use serde_json::Value;

pub use explain::{Explanation, FailedTerm};
pub use finding::{Code, EvaluationError, Finding, SubscriptionError};

use tree::Node;

/// A subscription that was read.
#[derive(Clone, Debug)]
pub struct Subscription {
    text: String,
    root: Node,
}

impl Subscription {
    /// Reads `text` as the reference implementation does.
    ///
    /// # Errors
    /// The text has a character without meaning, or no condition is left of it.
    pub fn parse(text: &str) -> Result<Self, SubscriptionError> {
        let root = compatible::parse(text).map_err(|fault| SubscriptionError::new(text, fault))?;
        Ok(Subscription { text: text.into(), root })
    }

    /// Reads `text` as it is written.
    ///
    /// # Errors
    /// The findings: everything that the compatible reading would read otherwise, at most one hundred, in the order of the text.
    pub fn strict(text: &str) -> Result<Self, Vec<Finding>> {
        let (root, faults) = strict::parse(text);
        if faults.is_empty() { Ok(Subscription { text: text.into(), root }) } else { Err(Finding::all(text, faults)) }
    }

    /// What [`Subscription::strict`] finds wrong with `text`.
    #[must_use]
    pub fn findings(text: &str) -> Vec<Finding> {
        Finding::all(text, strict::parse(text).1)
    }

    /// The text that was read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `event` matches. An evaluation that ends in an error is no match.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.evaluate(event).unwrap_or(false)
    }

    /// Whether `event` matches.
    ///
    /// # Errors
    /// The reference implementation raises an internal error for this event.
    pub fn evaluate(&self, event: &Value) -> Result<bool, EvaluationError> {
        self.root.evaluate(event)
    }

    /// Whether `event` matches, and if not, which terms decided that.
    #[must_use]
    pub fn explain(&self, event: &Value) -> Explanation {
        explain::explain(&self.root, event)
    }
}

/// The subscription as it was understood, written in the language.
impl fmt::Display for Subscription {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(out)
    }
}
