//! Laws of the gate, over sequences of what its user does.

use alloc::vec::Vec;

use super::Law;
use super::broken::hold;
use crate::credential::Token;
use crate::gate::{CANARY_ITEMS, Evidence, Gate, Room, STREAK, YOUNG};
use crate::time::{Span, Time};

/// Something that the gate's user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateEvent {
    /// Lets time pass.
    Wait(Span),
    /// Sends a request, if the gate has room.
    Send,
    /// Hears of one of the requests in flight, counted from the oldest, if there are so many.
    Hear(usize, Evidence),
}

/// The patience with a canary, and the longest wait after a refused one.
const WAITS: (Span, Span) = (Span::from_secs(2), Span::from_millis(4_500));

/// What its user knows of a gate, who keeps to it.
struct User {
    gate: Gate,
    token: Token,
    now: Time,
    flying: Vec<Time>,
}

/// What [`User::does`] did.
enum Did {
    Nothing,
    Sent,
    Heard { sent: Time, evidence: Evidence },
}

impl User {
    fn of(token: Token) -> Self {
        User { gate: Gate::of(&token), token, now: token.issued, flying: Vec::new() }
    }

    fn does(&mut self, event: GateEvent) -> Did {
        match event {
            GateEvent::Wait(span) => self.now = self.now.after(span),
            GateEvent::Send => {
                if let Room::Open { .. } = self.gate.room(self.now) {
                    self.gate = self.gate.sent(self.token.epoch, self.now);
                    self.flying.push(self.now);
                    return Did::Sent;
                }
            }
            GateEvent::Hear(which, evidence) => {
                if which < self.flying.len() {
                    let sent = self.flying.remove(which);
                    self.gate = self.gate.answered(self.token.epoch, sent, evidence, self.now);
                    return Did::Heard { sent, evidence };
                }
            }
        }
        Did::Nothing
    }
}

/// S13: while a token is young, one canary at a time leaves, small, and none within 2 s of a refusal, until so many in a
/// row were accepted as one late node of three hardly allows.
///
/// # Errors
/// When more leave.
pub fn one_canary_while_young(token: Token, events: &[GateEvent]) -> Law {
    let mut user = User::of(token);
    let (mut streak, mut opened) = (0_u32, false);
    let (mut closed, mut canary) = (Time::ZERO, None);
    for event in events {
        let did = user.does(*event);
        if user.token.age(user.now) >= YOUNG {
            return Ok(());
        }
        match did {
            Did::Sent => canary = Some(user.now),
            Did::Heard { sent, evidence } => {
                canary = canary.filter(|latest| *latest != sent);
                match evidence {
                    Evidence::Accepted => streak = streak.saturating_add(1),
                    Evidence::Refused => (streak, opened, closed) = (0, false, user.now.after(WAITS.0)),
                    Evidence::Nothing => (),
                }
            }
            Did::Nothing => (),
        }
        opened = opened || streak >= STREAK;
        let waits = canary.is_some_and(|sent| user.now < sent.after(WAITS.0));
        let holds = match user.gate.room(user.now) {
            Room::Open { requests, items } if !opened => {
                requests == 1 && items <= CANARY_ITEMS && !waits && user.now >= closed
            }
            Room::Full => opened,
            Room::Open { .. } | Room::From(_) => true,
        };
        hold(holds, "S13 No stampede", || {
            alloc::format!("after {streak} acceptances in a row: {:?} at {:?}", user.gate, user.now)
        })?;
    }
    Ok(())
}

/// L1: a gate opens again by itself: at the latest 4.5 s from now, unless requests in flight fill it.
///
/// # Errors
/// When it does not.
pub fn gate_never_starves(token: Token, events: &[GateEvent]) -> Law {
    let mut user = User::of(token);
    for event in events {
        user.does(*event);
        let holds = match user.gate.room(user.now) {
            Room::Open { requests, items } => requests > 0 && items > 0,
            Room::From(from) => {
                let open = matches!(user.gate.room(user.now.after(WAITS.1)), Room::Open { .. });
                user.now == Time::NEVER || (user.now < from && from <= user.now.after(WAITS.1) && open)
            }
            Room::Full => !user.flying.is_empty(),
        };
        hold(holds, "L1 Progress", || {
            alloc::format!("{:?} at {:?} with {} in flight", user.gate, user.now, user.flying.len())
        })?;
    }
    Ok(())
}

/// S13: what happens to the requests of another token says nothing about this one.
///
/// # Errors
/// When it changes the gate.
pub fn gate_of_others(token: Token, events: &[GateEvent]) -> Law {
    let mut user = User::of(token);
    let other = token.epoch.next();
    for event in events {
        user.does(*event);
        let sent = user.gate.sent(other, user.now);
        let refused = user.gate.answered(other, user.now, Evidence::Refused, user.now);
        let same = other == token.epoch || (sent == user.gate && refused == user.gate);
        hold(same, "S13 No stampede", || alloc::format!("{:?} heeded a request of epoch {other}", user.gate))?;
    }
    Ok(())
}
