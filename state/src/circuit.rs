//! The circuit: whether it is worth asking a destination.
//!
//! A destination that fails request after request is left alone but for one canary at a time, the next one later than the
//! last, and never later than a minute. The first answer closes the circuit. So a destination that is down costs its
//! deliveries nothing: what waits for the circuit is not sent, and spends no attempt.
//!
//! It knows nothing of tokens and of single events: a refused token, a refused event and a throttled request are answers,
//! and a destination that answers is there. It is not stored: after a restart a few requests show what holds.

use crate::time::{Span, Time};

/// So many requests in a row must fail. Of a destination that fails every second request by chance, eight in a row do in
/// one of 256 trials: it goes on being asked. What is in flight when a destination goes down fails in any case.
pub const CIRCUIT_RUN: u32 = 8;

/// The wait before the first canary, and the longest: each failed one doubles it.
const SPACING: (Span, Span) = (Span::from_secs(1), Span::from_secs(60));

/// A canary without an answer for this long no longer keeps others back.
const PATIENCE: Span = Span::from_secs(60);

/// What a request showed of its destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sign {
    /// It answered, whatever it said of the token or of the event.
    Answers,
    /// It failed: a server's error, no answer in time, no connection.
    Fails,
    /// Nothing: no request was made, or the engine gave it up.
    #[default]
    Nothing,
}

/// How much of a destination's traffic may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Passage {
    /// All of it.
    Open,
    /// One request.
    Canary,
    /// None before this time, unless an answer comes first.
    From(Time),
}

/// The circuit of one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Circuit {
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// Everything passes.
    Closed {
        /// How many requests failed in a row.
        failures: u32,
        /// When the newest request was sent that was answered. What was sent before it and fails tells of what is past.
        heard: Time,
        /// Since when it answers, as far as this process knows.
        works: Option<Time>,
    },
    /// One canary at a time passes.
    Broken {
        since: Time,
        /// The next canary, where none is out.
        from: Time,
        /// The wait that led there.
        wait: Span,
        /// When the canary that is out was sent.
        canary: Option<Time>,
    },
}

impl Default for Circuit {
    fn default() -> Self {
        Circuit::NEW
    }
}

impl Circuit {
    /// The circuit of a destination of which this process knows nothing.
    pub const NEW: Circuit = Circuit { mode: Mode::Closed { failures: 0, heard: Time::ZERO, works: None } };

    /// How much may leave at `now`.
    #[must_use]
    pub const fn passage(&self, now: Time) -> Passage {
        let from = match self.mode {
            Mode::Closed { .. } => return Passage::Open,
            Mode::Broken { canary: Some(sent), .. } => sent.after(PATIENCE),
            Mode::Broken { canary: None, from, .. } => from,
        };
        if now.as_millis() < from.as_millis() { Passage::From(from) } else { Passage::Canary }
    }

    /// The circuit after a request left at `now`.
    #[must_use]
    pub const fn sent(self, now: Time) -> Self {
        match self.mode {
            Mode::Closed { .. } => self,
            Mode::Broken { since, from, wait, .. } => {
                Circuit { mode: Mode::Broken { since, from, wait, canary: Some(now) } }
            }
        }
    }

    /// The circuit after a request that was sent at `sent` ended at `now`.
    #[must_use]
    pub fn ended(self, sent: Time, sign: Sign, now: Time) -> Self {
        let mode = match (self.mode, sign) {
            (Mode::Closed { heard, works, .. }, Sign::Answers) => {
                Mode::Closed { failures: 0, heard: heard.max(sent), works: works.or(Some(now)) }
            }
            (Mode::Closed { failures, heard, works }, Sign::Fails) if sent >= heard => {
                let failures = failures.saturating_add(1);
                if failures < CIRCUIT_RUN { Mode::Closed { failures, heard, works } } else { broken(now) }
            }
            (Mode::Broken { .. }, Sign::Answers) => Mode::Closed { failures: 0, heard: sent, works: Some(now) },
            (Mode::Broken { since, wait, canary, .. }, Sign::Fails) if canary == Some(sent) => {
                let wait = wait.times(2).min(SPACING.1);
                Mode::Broken { since, from: now.after(wait), wait, canary: None }
            }
            (Mode::Broken { since, from, wait, canary }, Sign::Nothing) if canary == Some(sent) => {
                Mode::Broken { since, from, wait, canary: None }
            }
            (mode, Sign::Fails | Sign::Nothing) => mode,
        };
        Circuit { mode }
    }

    /// Since when it is open: the destination fails, and is asked now and then only.
    #[must_use]
    pub const fn open_since(&self) -> Option<Time> {
        match self.mode {
            Mode::Closed { .. } => None,
            Mode::Broken { since, .. } => Some(since),
        }
    }

    /// Since when the destination answers, as far as this process knows; nothing while it is open, and before the first
    /// answer.
    #[must_use]
    pub const fn works_since(&self) -> Option<Time> {
        match self.mode {
            Mode::Closed { works, .. } => works,
            Mode::Broken { .. } => None,
        }
    }
}

fn broken(now: Time) -> Mode {
    Mode::Broken { since: now, from: now.after(SPACING.0), wait: SPACING.0, canary: None }
}
