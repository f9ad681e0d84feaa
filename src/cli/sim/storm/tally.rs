//! From the account of a run to its row.

use std::collections::BTreeSet;

use serde::Serialize;

use super::line::{End, Line, Request, Run, Token};

/// A row of the table, as `--json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) policy: &'static str,
    pub(super) deliveries: u64,
    pub(super) propagation_s: f64,
    /// Tokens that were minted.
    pub(super) refreshes: u64,
    /// Requests that were answered 401.
    pub(super) refused: u64,
    /// Deliveries that had not arrived when the run was over.
    pub(super) lost: u64,
    /// When the last one arrived, from the first one's acceptance on.
    pub(super) last_s: Option<f64>,
}

/// What else is known of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// Requests to the API.
    pub(super) requests: u64,
    /// Requests that were in the air when the first refusal arrived, that one included: whoever sent those could not know
    /// better.
    pub(super) in_flight: u64,
    /// The longest that a delivery waited, of those that arrived.
    pub(super) longest_ms: u64,
}

/// A run that is counted.
pub(super) struct Tally {
    run: Run,
    delivered: BTreeSet<u64>,
    last_ms: Option<i64>,
    refreshes: u64,
    refused: u64,
    first_refusal: Option<i64>,
    beside: Beside,
}

impl Tally {
    pub(super) fn new(run: Run) -> Self {
        Tally {
            run,
            delivered: BTreeSet::new(),
            last_ms: None,
            refreshes: 0,
            refused: 0,
            first_refusal: None,
            beside: Beside::default(),
        }
    }

    /// How many of all deliveries have arrived.
    pub(super) fn delivered(&self) -> u64 {
        u64::try_from(self.delivered.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn refreshes(&self) -> u64 {
        self.refreshes
    }

    /// Lines come in the order of their answers.
    pub(super) fn take(&mut self, line: &Line) {
        match line {
            Line::Request(request) => self.request(request),
            Line::Token(Token { minted: Some(_), .. }) => self.refreshes = self.refreshes.saturating_add(1),
            Line::Token(_) | Line::Run(_) | Line::End(_) => {}
        }
    }

    fn request(&mut self, request: &Request) {
        self.beside.requests = self.beside.requests.saturating_add(1);
        if request.status == Some(401) {
            self.refused = self.refused.saturating_add(1);
            self.first_refusal.get_or_insert(request.answered_ms);
        }
        if self.first_refusal.is_some_and(|first| request.sent_ms <= first) {
            self.beside.in_flight = self.beside.in_flight.saturating_add(1);
        }
        let arrived = request.status.is_some_and(|status| (200..300).contains(&status));
        if arrived && self.delivered.insert(request.delivery) {
            self.beside.longest_ms = self.beside.longest_ms.max(request.waited_ms);
            if request.delivery < self.run.deliveries {
                self.last_ms = self.last_ms.max(Some(request.answered_ms));
            }
        }
    }

    pub(super) fn row(&self, end: End) -> Row {
        Row {
            policy: self.run.policy.name(),
            deliveries: self.run.deliveries,
            propagation_s: self.run.propagation_s,
            refreshes: self.refreshes,
            refused: self.refused,
            lost: end.accepted.saturating_sub(self.delivered()),
            last_s: self.last_ms.map(seconds),
        }
    }

    pub(super) fn beside(&self) -> Beside {
        self.beside
    }
}

/// Milliseconds as seconds.
pub(super) fn seconds(millis: i64) -> f64 {
    // No run lasts for the 24 days that 32 bits of milliseconds hold.
    f64::from(i32::try_from(millis).unwrap_or(i32::MAX)) / 1000.0
}
