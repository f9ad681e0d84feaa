//! The rules as tables: every state and every fact, with what comes of it, as data.
//!
//! The machines are code ([`Delivery::step`], [`Credential::step`], [`rule`](crate::rule)); these rows are their second,
//! readable form. A test feeds the sample of every row to the code and compares, and another one renders the rows into
//! `docs/STATES.md`, so neither the page nor the picture on it can say something else than the code does.

mod credential;
mod delivery;
mod diagnosis;
mod render;
mod ruling;

use alloc::vec::Vec;

use crate::credential::{Credential, CredentialInput};
use crate::delivery::{Delivery, Input};

pub use credential::{CREDENTIAL_FACTS, CREDENTIAL_LINES, credential, credential_fact, credential_line};
pub use delivery::{DELIVERY_FACTS, DELIVERY_LINES, delivery, delivery_fact, delivery_line};
pub use diagnosis::{DiagnosisRow, diagnosis};
pub use render::render;
pub use ruling::{RulingRow, ruling};

/// One arrow of a machine, or the statement that there is none: in `from`, when `fact` happens and `guard` holds, it goes
/// `to`. Of the rows of one cell, the first whose guard holds counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<S, I> {
    /// The state before, by its line in the table: a state's name, with what matters about it after a comma.
    pub from: &'static str,
    /// What happens.
    pub fact: &'static str,
    /// When this row counts; empty when it always does.
    pub guard: &'static str,
    /// The line that it goes to, also when only the state's content changes; `None` when nothing at all happens.
    pub to: Option<&'static str>,
    /// An example of it.
    pub sample: Sample<S, I>,
}

/// An example of a row: a machine, and what happens to it when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<S, I> {
    /// What it is before.
    pub before: S,
    /// What happens.
    pub input: I,
    /// When.
    pub now: crate::time::Time,
}

/// A row of the delivery's table.
pub type DeliveryRow = Row<Delivery, Input>;

/// A row of the credential's table.
pub type CredentialRow = Row<Credential, CredentialInput>;

/// Rows of several lines and facts at once, and how their sample differs from the plain one of its cell.
struct Rule<S: 'static, I: 'static> {
    from: &'static [&'static str],
    fact: &'static [&'static str],
    guard: &'static str,
    to: Option<&'static str>,
    twist: fn(&mut Sample<S, I>),
}

/// In these cells the plain sample comes to `to`.
const fn is<S, I>(
    from: &'static [&'static str],
    fact: &'static [&'static str],
    guard: &'static str,
    to: &'static str,
) -> Rule<S, I> {
    Rule { from, fact, guard, to: Some(to), twist: |_| () }
}

/// In these cells a sample that differs by `twist` comes to `to`.
const fn when<S, I>(
    from: &'static [&'static str],
    fact: &'static [&'static str],
    guard: &'static str,
    to: &'static str,
    twist: fn(&mut Sample<S, I>),
) -> Rule<S, I> {
    Rule { from, fact, guard, to: Some(to), twist }
}

/// In these cells nothing happens to a sample that differs by `twist`.
const fn but<S, I>(
    from: &'static [&'static str],
    fact: &'static [&'static str],
    guard: &'static str,
    twist: fn(&mut Sample<S, I>),
) -> Rule<S, I> {
    Rule { from, fact, guard, to: None, twist }
}

/// The rows of every cell of `lines` × `facts`: those of `rules`, in order, and where there is none, that nothing happens.
fn expand<S: Copy, I: Copy>(
    lines: &[&'static str],
    facts: &[&'static str],
    rules: &[Rule<S, I>],
    plain: impl Fn(&str, &str) -> Sample<S, I>,
) -> Vec<Row<S, I>> {
    let mut rows = Vec::new();
    for &from in lines {
        for &fact in facts {
            let before = rows.len();
            for rule in rules.iter().filter(|rule| rule.from.contains(&from) && rule.fact.contains(&fact)) {
                let mut sample = plain(from, fact);
                (rule.twist)(&mut sample);
                rows.push(Row { from, fact, guard: rule.guard, to: rule.to, sample });
            }
            if rows.len() == before {
                rows.push(Row { from, fact, guard: "", to: None, sample: plain(from, fact) });
            }
        }
    }
    rows
}
