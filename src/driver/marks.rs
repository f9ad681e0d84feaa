//! Which rows of the rules' tables were walked, and how often. A check that never comes by a row says nothing about it.

use std::collections::BTreeMap;

use outlast_state::{Credential, CredentialInput, Delivery, Epoch, Input, State, Time, table};

/// Whose table a row is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Machine {
    /// The delivery's.
    Delivery,
    /// The credential's.
    Credential,
}

/// A row: whose it is, from where, what happened, and where to; nowhere if nothing came of it.
type Row = (Machine, &'static str, &'static str, Option<&'static str>);

/// How often each row was walked.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    rows: BTreeMap<Row, u64>,
}

impl Marks {
    pub(crate) fn delivery(&mut self, before: &Delivery, input: &Input, after: &Delivery, now: Time) {
        let sent = match before.state {
            State::Sending { epoch, .. } => epoch,
            _ => Epoch::NONE.next(),
        };
        let to = (after != before).then(|| table::delivery_line(&after.state));
        let fact = table::delivery_fact(input, sent, now);
        self.mark((Machine::Delivery, table::delivery_line(&before.state), fact, to));
    }

    pub(crate) fn credential(&mut self, before: &Credential, input: &CredentialInput, after: &Credential, now: Time) {
        let to = (after != before).then(|| table::credential_line(&after.state));
        let fact = table::credential_fact(input, now);
        self.mark((Machine::Credential, table::credential_line(&before.state), fact, to));
    }

    fn mark(&mut self, row: Row) {
        let count = self.rows.entry(row).or_default();
        *count = count.saturating_add(1);
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Marks) {
        for (row, times) in &other.rows {
            let count = self.rows.entry(*row).or_default();
            *count = count.saturating_add(*times);
        }
    }

    /// How often the row was walked.
    #[must_use]
    pub fn times(&self, machine: Machine, from: &'static str, fact: &'static str, to: Option<&'static str>) -> u64 {
        self.rows.get(&(machine, from, fact, to)).copied().unwrap_or_default()
    }
}
