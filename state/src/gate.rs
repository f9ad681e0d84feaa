//! The gate: how many requests may carry a token at once.
//!
//! A young token is known to some nodes of the provider only, and the answer does not say which. So it is tried by one
//! canary at a time until enough of them in a row were accepted; later what may be in flight grows with acceptances and
//! halves with refusals. The gate is not stored: after a restart one confirming canary opens it again.

use crate::credential::{Token, TokenProof};
use crate::id::Epoch;
use crate::time::{Span, Time};

/// While a token is younger than this, refusals are expected of any node (observed waits run from seconds to ten minutes;
/// most are below a minute).
pub const YOUNG: Span = Span::from_secs(60);

/// So many canaries in a row must be accepted before a young token's gate widens. Of three nodes of which one is late,
/// sixteen in a row are accepted in one trial of 650: (2/3)^16 = 0.15 %. With twelve (0.8 %) that luck is met in a
/// thousand runs, and what it lets into flight brings the refusals of a minute to 27; with sixteen they stay at 23.
pub const STREAK: u32 = 16;

/// The wait after a refused canary is an eighth of the token's age, within these.
const SPACING: (Span, Span) = (Span::from_secs(2), Span::from_millis(4_500));

/// A canary without an answer for this long no longer holds the slot. Its answer still counts.
const PATIENCE: Span = Span::from_secs(2);

/// How many requests may be in flight when the gate widens.
const FIRST_LIMIT: u32 = 4;

/// What an acceptance adds to the limit. With 2, the limit of a token that a share q of the nodes refuses goes in one
/// round trip from L to (L + 2(1 - q)L) / 2, which grows while q < 1/2: one late node of three leaves traffic flowing.
const GROWTH: u32 = 2;

/// The largest number of items that a canary batch may hold.
pub const CANARY_ITEMS: u32 = 10;

/// What an answer shows about the token that its request carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// The request was past authentication.
    Accepted,
    /// The token was refused.
    Refused,
    #[default]
    /// Neither: 403, 408, 423, 426, 429, 5xx, or no answer.
    Nothing,
}

/// How much of a token's traffic may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Room {
    /// So many more requests, each with at most `items` items.
    Open {
        /// Requests.
        requests: u32,
        /// Items in each.
        items: u32,
    },
    /// None before this time, unless an answer comes first.
    From(Time),
    /// None until an answer comes.
    Full,
}

/// The gate of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gate {
    pub(crate) epoch: Epoch,
    pub(crate) issued: Time,
    pub(crate) proven: bool,
    /// Younger than this, refusals are expected of any node.
    pub(crate) young: Span,
    /// The wait after a refused canary, where it is not a matter of the token's age.
    pub(crate) pace: Option<Span>,
    pub(crate) in_flight: u32,
    pub(crate) mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// One canary at a time.
    Probing { streak: u32, from: Time, canary: Canary },
    /// As many as the limit says.
    Flowing { limit: u32, round: Round },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Canary {
    None,
    Sent { at: Time },
}

/// A round trip in which something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Round {
    Clean,
    Refused { since: Time, accepted: bool },
}

impl Gate {
    /// The gate of a token of which this process has seen no answer yet.
    #[must_use]
    pub const fn of(token: &Token) -> Self {
        let mode = Mode::Probing { streak: 0, from: Time::ZERO, canary: Canary::None };
        let proven = matches!(token.proof, TokenProof::Accepted { .. });
        let (epoch, issued) = (token.epoch, token.issued);
        Gate { epoch, issued, proven, young: YOUNG, pace: None, in_flight: 0, mode }
    }

    /// The same with another age below which refusals are expected of any node: what was learned of the provider, or what
    /// its profile says.
    #[must_use]
    pub const fn young_until(self, young: Span) -> Self {
        Gate { young, ..self }
    }

    /// The same with so long a wait after each refused canary, whatever the token's age: for one that nobody has to use
    /// now, because another serves, or that its issuer stands by although it is refused.
    #[must_use]
    pub const fn paced(self, pace: Span) -> Self {
        Gate { pace: Some(pace), ..self }
    }

    /// The same with waits that follow the token's age.
    #[must_use]
    pub const fn at_its_own_pace(self) -> Self {
        Gate { pace: None, ..self }
    }

    /// Whether a refused canary holds it back for a set time.
    #[must_use]
    pub const fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    /// Whose gate it is.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How much may leave at `now`.
    #[must_use]
    pub fn room(&self, now: Time) -> Room {
        match self.mode {
            Mode::Probing { from, .. } if now < from => Room::From(from),
            Mode::Probing { canary: Canary::Sent { at }, .. } if now < at.after(PATIENCE) => {
                Room::From(at.after(PATIENCE))
            }
            Mode::Probing { .. } => Room::Open { requests: 1, items: CANARY_ITEMS },
            Mode::Flowing { limit, .. } => match limit.saturating_sub(self.in_flight) {
                0 => Room::Full,
                requests => Room::Open { requests, items: u32::MAX },
            },
        }
    }

    /// The gate after a request with the token of `epoch` left at `now`.
    #[must_use]
    pub fn sent(self, epoch: Epoch, now: Time) -> Self {
        if epoch != self.epoch {
            return self;
        }
        let mode = match self.mode {
            Mode::Probing { streak, from, .. } => Mode::Probing { streak, from, canary: Canary::Sent { at: now } },
            flowing @ Mode::Flowing { .. } => flowing,
        };
        Gate { in_flight: self.in_flight.saturating_add(1), mode, ..self }
    }

    /// The gate after the answer to a request, sent at `sent` with the token of `epoch`, arrived at `now`, or will not.
    #[must_use]
    pub fn answered(self, epoch: Epoch, sent: Time, evidence: Evidence, now: Time) -> Self {
        if epoch != self.epoch {
            return self;
        }
        let in_flight = self.in_flight.saturating_sub(1);
        let mode = match self.mode {
            Mode::Probing { streak, from, canary } => {
                // The answer of an earlier canary, whose patience ran out, does not free the slot of the present one.
                let canary = if canary == (Canary::Sent { at: sent }) { Canary::None } else { canary };
                self.probed(streak, from, canary, evidence, now)
            }
            Mode::Flowing { limit, round } => self.flowed(limit, round, sent, evidence, now),
        };
        Gate { in_flight, mode, ..self }
    }

    fn is_young(&self, now: Time) -> bool {
        now.since(self.issued) < self.young
    }

    fn probed(&self, streak: u32, from: Time, canary: Canary, evidence: Evidence, now: Time) -> Mode {
        match evidence {
            Evidence::Nothing => Mode::Probing { streak, from, canary },
            Evidence::Refused => self.spaced(canary, now),
            Evidence::Accepted => {
                let streak = streak.saturating_add(1);
                let needed = if self.is_young(now) { STREAK } else { 1 };
                if streak >= needed {
                    Mode::Flowing { limit: FIRST_LIMIT, round: Round::Clean }
                } else {
                    Mode::Probing { streak, from, canary }
                }
            }
        }
    }

    fn spaced(&self, canary: Canary, now: Time) -> Mode {
        // An old token that worked before this process began is not spreading: it is a stray refusal, or it is dead, and
        // three canaries decide. They need not be far apart.
        let decides = self.proven && !self.is_young(now);
        let spread = now.since(self.issued).part(8).clamp(SPACING.0, SPACING.1);
        let wait = match self.pace {
            Some(pace) => pace,
            None if decides => SPACING.0,
            None => spread,
        };
        Mode::Probing { streak: 0, from: now.after(wait), canary }
    }

    fn flowed(&self, limit: u32, round: Round, sent: Time, evidence: Evidence, now: Time) -> Mode {
        match (evidence, round) {
            (Evidence::Nothing, _) => Mode::Flowing { limit, round },
            // The streak was luck: back to one at a time.
            (Evidence::Refused, _) if self.is_young(now) || self.is_paced() => self.spaced(Canary::None, now),
            (Evidence::Accepted, Round::Clean) => grown(limit, Round::Clean),
            // The round is kept, so that its stragglers do not halve the limit again.
            (Evidence::Accepted, Round::Refused { since, .. }) => {
                grown(limit, Round::Refused { since, accepted: true })
            }
            (Evidence::Refused, Round::Refused { since, accepted }) if sent < since => {
                Mode::Flowing { limit, round: Round::Refused { since, accepted } }
            }
            (Evidence::Refused, Round::Refused { accepted: false, .. }) => self.spaced(Canary::None, now),
            (Evidence::Refused, Round::Clean | Round::Refused { accepted: true, .. }) => {
                let limit = limit.min(self.in_flight.max(2)).div_euclid(2).max(1);
                Mode::Flowing { limit, round: Round::Refused { since: now, accepted: false } }
            }
        }
    }
}

fn grown(limit: u32, round: Round) -> Mode {
    Mode::Flowing { limit: limit.saturating_add(GROWTH), round }
}
