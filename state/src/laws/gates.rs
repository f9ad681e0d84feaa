//! Laws of the gate's steps: a request leaves, an answer arrives.

use super::Law;
use super::broken::hold;
use crate::gate::{CANARY_ITEMS, Canary, Evidence, Gate, Mode, Room, Round, STREAK, YOUNG};
use crate::id::Epoch;
use crate::time::{Span, Time};

/// Something that happens to a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateFact {
    /// A request left.
    Sent {
        /// The token that it carries.
        epoch: Epoch,
    },
    /// Its answer arrived, or is known not to.
    Answered {
        /// The token that it carried.
        epoch: Epoch,
        /// When it left.
        sent: Time,
        /// What the answer shows of the token.
        evidence: Evidence,
    },
}

/// A law of the gate's steps.
pub type GateLaw = fn(Gate, GateFact, Time) -> Law;

/// Every law of the gate's steps, by name.
pub const GATE_LAWS: [(&str, GateLaw); 8] = [
    ("gate_heeds_its_own_token", gate_heeds_its_own_token),
    ("gate_counts_what_flies", gate_counts_what_flies),
    ("gate_lets_one_canary_through", gate_lets_one_canary_through),
    ("gate_widens_after_the_streak", gate_widens_after_the_streak),
    ("gate_spaces_after_a_refusal", gate_spaces_after_a_refusal),
    ("gate_halves_once_a_round", gate_halves_once_a_round),
    ("gate_grows_by_acceptance", gate_grows_by_acceptance),
    ("gate_opens_by_itself", gate_opens_by_itself),
];

/// The patience with a canary, and the shortest and the longest wait after a refused one.
const WAITS: (Span, Span) = (Span::from_secs(2), Span::from_millis(4_500));

/// The gate after `fact` happened at `now`.
#[must_use]
pub fn met(gate: Gate, fact: GateFact, now: Time) -> Gate {
    match fact {
        GateFact::Sent { epoch } => gate.sent(epoch, now),
        GateFact::Answered { epoch, sent, evidence } => gate.answered(epoch, sent, evidence, now),
    }
}

fn told(before: &Gate, fact: &GateFact, now: Time) -> alloc::string::String {
    alloc::format!("{before:?}\nat {now:?} met {fact:?}\nand became {:?}", met(*before, *fact, now))
}

/// What an answer to a request of this gate's token shows, and when that was sent.
fn heard(before: &Gate, fact: &GateFact) -> Option<(Time, Evidence)> {
    match *fact {
        GateFact::Answered { epoch, sent, evidence } if epoch == before.epoch => Some((sent, evidence)),
        GateFact::Answered { .. } | GateFact::Sent { .. } => None,
    }
}

fn is_young(gate: &Gate, now: Time) -> bool {
    now < gate.issued.after(YOUNG)
}

/// S13: what happens to the requests of another token says nothing about this one; and whose gate it is stays.
///
/// # Errors
/// When that is not so.
pub fn gate_heeds_its_own_token(before: Gate, fact: GateFact, now: Time) -> Law {
    let after = met(before, fact, now);
    let (GateFact::Sent { epoch } | GateFact::Answered { epoch, .. }) = fact;
    let same = (after.epoch(), after.issued, after.proven) == (before.epoch, before.issued, before.proven);
    hold(same && (epoch == before.epoch || after == before), "S13 No stampede", || told(&before, &fact, now))
}

/// S13: what is in flight is what left and was not answered.
///
/// # Errors
/// When that is not so.
pub fn gate_counts_what_flies(before: Gate, fact: GateFact, now: Time) -> Law {
    let flies = match fact {
        GateFact::Sent { epoch } if epoch == before.epoch => before.in_flight.saturating_add(1),
        GateFact::Answered { epoch, .. } if epoch == before.epoch => before.in_flight.saturating_sub(1),
        GateFact::Sent { .. } | GateFact::Answered { .. } => before.in_flight,
    };
    hold(met(before, fact, now).in_flight == flies, "S13 No stampede", || told(&before, &fact, now))
}

/// S13: a gate that probes lets one small request through, not before its wait is over and while no canary is out that
/// left less than 2 s ago; one that flows lets through what its limit leaves.
///
/// # Errors
/// When that is not so.
pub fn gate_lets_one_canary_through(before: Gate, fact: GateFact, now: Time) -> Law {
    let after = met(before, fact, now);
    let room = match after.mode {
        Mode::Probing { from, canary, .. } => {
            let patient = match canary {
                Canary::None => Time::ZERO,
                Canary::Sent { at } => at.after(WAITS.0),
            };
            match (now < from, now < patient) {
                (true, _) => Room::From(from),
                (false, true) => Room::From(patient),
                (false, false) => Room::Open { requests: 1, items: CANARY_ITEMS },
            }
        }
        Mode::Flowing { limit, .. } if limit <= after.in_flight => Room::Full,
        Mode::Flowing { limit, .. } => Room::Open { requests: limit.saturating_sub(after.in_flight), items: u32::MAX },
    };
    let slot = match (before.mode, fact, after.mode) {
        (Mode::Probing { .. }, GateFact::Sent { epoch }, Mode::Probing { canary, .. }) if epoch == before.epoch => {
            canary == Canary::Sent { at: now }
        }
        (Mode::Probing { canary: slot, .. }, GateFact::Answered { epoch, sent, .. }, Mode::Probing { canary, .. })
            if epoch == before.epoch =>
        {
            canary == if slot == (Canary::Sent { at: sent }) { Canary::None } else { slot }
        }
        (Mode::Probing { .. }, GateFact::Sent { .. }, Mode::Flowing { .. }) => false,
        (Mode::Flowing { .. }, GateFact::Sent { .. }, _) => after.mode == before.mode,
        _ => true,
    };
    hold(after.room(now) == room && slot, "S13 No stampede", || told(&before, &fact, now))
}

/// S13: acceptances in a row widen it: sixteen while the token is younger than 60 s, one after that. It then lets four
/// fly. Nothing else widens it, and an answer without evidence is not counted.
///
/// # Errors
/// When that is not so.
pub fn gate_widens_after_the_streak(before: Gate, fact: GateFact, now: Time) -> Law {
    let after = met(before, fact, now);
    let Mode::Probing { streak, from, .. } = before.mode else { return Ok(()) };
    let accepted = matches!(heard(&before, &fact), Some((_, Evidence::Accepted)));
    let refused = matches!(heard(&before, &fact), Some((_, Evidence::Refused)));
    let counted = streak.saturating_add(u32::from(accepted));
    let widens = accepted && counted >= if is_young(&before, now) { STREAK } else { 1 };
    let holds = match after.mode {
        Mode::Flowing { limit, round } => widens && (limit, round) == (4, Round::Clean),
        Mode::Probing { .. } if refused => true,
        Mode::Probing { streak, from: still, .. } => !widens && (streak, still) == (counted, from),
    };
    hold(holds, "S13 No stampede", || told(&before, &fact, now))
}

/// S13: after a refusal of a young token, of one that is probed, or a second round without an acceptance, the next canary
/// waits an eighth of the token's age within 2 to 4.5 s, or 2 s where an old token that worked is decided on; and the
/// streak begins anew.
///
/// # Errors
/// When that is not so.
pub fn gate_spaces_after_a_refusal(before: Gate, fact: GateFact, now: Time) -> Law {
    let after = met(before, fact, now);
    let Some((sent, Evidence::Refused)) = heard(&before, &fact) else { return Ok(()) };
    let closes = match before.mode {
        Mode::Probing { .. } => true,
        Mode::Flowing { round: Round::Clean, .. } => is_young(&before, now),
        Mode::Flowing { round: Round::Refused { since, accepted }, .. } => {
            is_young(&before, now) || (sent >= since && !accepted)
        }
    };
    let eighth = now.since(before.issued).part(8);
    let wait = if before.proven && !is_young(&before, now) { WAITS.0 } else { eighth.max(WAITS.0).min(WAITS.1) };
    let holds = match (before.mode, after.mode) {
        (_, Mode::Probing { streak, from, canary }) => {
            let free = matches!(before.mode, Mode::Probing { .. }) || canary == Canary::None;
            closes && free && (streak, from) == (0, now.after(wait))
        }
        (_, Mode::Flowing { .. }) => !closes,
    };
    hold(holds, "S13 No stampede", || told(&before, &fact, now))
}

/// S13: an open gate of an older token halves at a refusal, once for all requests that left before that; half of what
/// flew or was allowed, but no less than one. A round that saw an acceptance may halve again.
///
/// # Errors
/// When that is not so.
pub fn gate_halves_once_a_round(before: Gate, fact: GateFact, now: Time) -> Law {
    let after = met(before, fact, now);
    let (Mode::Flowing { limit, round }, Some((sent, Evidence::Refused))) = (before.mode, heard(&before, &fact)) else {
        return Ok(());
    };
    let Mode::Flowing { limit: left, round: begun } = after.mode else { return Ok(()) };
    let straggles = matches!(round, Round::Refused { since, .. } if sent < since);
    let flew = before.in_flight.max(2).min(limit);
    let holds = if straggles {
        (left, begun) == (limit, round)
    } else {
        let half = flew.checked_div(2).unwrap_or(0).max(1);
        (left, begun) == (half, Round::Refused { since: now, accepted: false })
    };
    hold(holds, "S13 No stampede", || told(&before, &fact, now))
}

/// L1: each acceptance lets an open gate grow by two, and is remembered in its round; an answer without evidence changes
/// nothing but what flies.
///
/// # Errors
/// When that is not so.
pub fn gate_grows_by_acceptance(before: Gate, fact: GateFact, now: Time) -> Law {
    let after = met(before, fact, now);
    let (Mode::Flowing { limit, round }, Some((_, evidence))) = (before.mode, heard(&before, &fact)) else {
        return Ok(());
    };
    let holds = match evidence {
        Evidence::Refused => true,
        Evidence::Nothing => after.mode == before.mode,
        Evidence::Accepted => {
            let round = match round {
                Round::Clean => Round::Clean,
                Round::Refused { since, .. } => Round::Refused { since, accepted: true },
            };
            after.mode == Mode::Flowing { limit: limit.saturating_add(2), round }
        }
    };
    hold(holds, "L1 Progress", || told(&before, &fact, now))
}

/// L1: a gate that was not closed for longer is closed for 4.5 s at most, and is full only while something flies.
///
/// # Errors
/// When that is not so.
pub fn gate_opens_by_itself(before: Gate, fact: GateFact, now: Time) -> Law {
    let after = met(before, fact, now);
    let latest = now.after(WAITS.1);
    let bounded = match before.room(now) {
        Room::From(at) => at <= latest,
        Room::Open { .. } | Room::Full => true,
    };
    let holds = match after.room(now) {
        Room::Open { requests, items } => requests > 0 && items > 0,
        Room::Full => after.in_flight > 0,
        Room::From(at) => now < at && at <= latest && matches!(after.room(latest), Room::Open { .. }),
    };
    hold(!bounded || now.after(WAITS.1) == Time::NEVER || holds, "L1 Progress", || told(&before, &fact, now))
}

/// How far back a model that keeps `now` where it is looks, and how much of a gate it tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blur {
    /// The time that it always is.
    pub now: Time,
    /// Times further back than this are this far back.
    pub oldest: Span,
    /// A limit above this is this.
    pub limit: u32,
}

/// `gate` as a model with few moments tells it apart: of the token `epoch`, with every time moved back by `by`. What no
/// step can tell apart at such moments is made the same: streaks, waits shorter than a moment, canaries that nobody can
/// answer any more, and limits beyond what ever flies.
#[must_use]
pub fn blurred(gate: Gate, epoch: Epoch, by: Span, blur: Blur) -> Gate {
    let earliest = Time::from_millis(blur.now.as_millis().saturating_sub(blur.oldest.as_millis()));
    let back = |time: Time| Time::from_millis(time.as_millis().saturating_sub(by.as_millis())).max(earliest);
    let mode = match gate.mode {
        Mode::Probing { from, canary, .. } => {
            let from = if back(from) <= blur.now { Time::ZERO } else { blur.now.after(WAITS.0) };
            let canary = match canary {
                Canary::Sent { at } => Canary::Sent { at: back(at) },
                Canary::None => Canary::None,
            };
            Mode::Probing { streak: 0, from, canary }
        }
        Mode::Flowing { limit, round } => {
            let round = match round {
                Round::Refused { since, accepted } => Round::Refused { since: back(since), accepted },
                Round::Clean => Round::Clean,
            };
            Mode::Flowing { limit: limit.min(blur.limit), round }
        }
    };
    Gate { epoch, issued: back(gate.issued), proven: false, mode, ..gate }
}
