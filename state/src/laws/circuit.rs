//! Laws of the circuit, over sequences of what its user does.

use alloc::vec::Vec;

use super::Law;
use super::broken::hold;
use crate::circuit::{CIRCUIT_RUN, Circuit, Passage, Sign};
use crate::time::{Span, Time};

/// Something that the user of a circuit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CircuitEvent {
    /// Lets time pass.
    Wait(Span),
    /// Sends a request, if the circuit lets one through.
    Send,
    /// Hears of one of the requests in flight, counted from the oldest, if there are so many.
    Hear(usize, Sign),
}

/// The shortest and the longest wait of an open circuit.
const WAITS: (Span, Span) = (Span::from_secs(1), Span::from_secs(60));

/// What a user, who keeps to it, sees of a circuit.
struct User {
    circuit: Circuit,
    now: Time,
    flying: Vec<Time>,
    /// How many requests failed since the last answer, stale ones not counted.
    run: u32,
    /// When the newest request was sent that was answered.
    heard: Time,
    /// When the canary left whose end nobody knows yet.
    canary: Option<Time>,
    /// No canary before this.
    not_before: Time,
    /// The wait after the last canary that failed.
    wait: Span,
}

impl User {
    fn begin() -> Self {
        let now = Time::from_millis(1_000);
        let (flying, run) = (Vec::new(), 0);
        let (heard, not_before) = (Time::ZERO, Time::ZERO);
        User { circuit: Circuit::NEW, now, flying, run, heard, canary: None, not_before, wait: WAITS.0 }
    }

    fn does(&mut self, event: CircuitEvent) -> Law {
        match event {
            CircuitEvent::Wait(span) => self.now = self.now.after(span),
            CircuitEvent::Send => return self.sends(),
            CircuitEvent::Hear(which, sign) if which < self.flying.len() => {
                let sent = self.flying.remove(which);
                return self.hears(sent, sign);
            }
            CircuitEvent::Hear(..) => {}
        }
        Ok(())
    }

    fn sends(&mut self) -> Law {
        let open = self.circuit.open_since().is_some();
        match self.circuit.passage(self.now) {
            Passage::From(at) => {
                hold(open && at > self.now, "S9 Spacing", || "a closed circuit, or the past, keeps a request back")?;
                let longest = self.now.after(WAITS.1);
                return hold(at <= longest, "L1", || "an open circuit is off for longer than a minute");
            }
            Passage::Open => hold(!open, "S9 Spacing", || "everything passes an open circuit")?,
            Passage::Canary => {
                hold(open, "L4", || "a closed circuit lets one at a time through")?;
                let alone = self.canary.is_none_or(|sent| self.now >= sent.after(WAITS.1));
                hold(alone, "S9 Spacing", || "a second canary leaves before the first has had its time")?;
                hold(self.now >= self.not_before, "S9 Spacing", || "a canary leaves before its time")?;
                self.canary = Some(self.now);
            }
        }
        self.circuit = self.circuit.sent(self.now);
        self.flying.push(self.now);
        Ok(())
    }

    fn hears(&mut self, sent: Time, sign: Sign) -> Law {
        let before = self.circuit;
        self.circuit = before.ended(sent, sign, self.now);
        let (was_open, is_open) = (before.open_since().is_some(), self.circuit.open_since().is_some());
        let is_canary = was_open && self.canary == Some(sent);
        match sign {
            Sign::Answers => {
                (self.run, self.canary) = (0, None);
                self.heard = if was_open { sent } else { self.heard.max(sent) };
                hold(!is_open, "L1", || "a circuit stays open after an answer")?;
                return hold(self.circuit.works_since().is_some(), "L1", || "an answer is not noticed");
            }
            Sign::Nothing => {
                hold(was_open == is_open, "S9 Spacing", || "what shows nothing moves the circuit")?;
                self.canary = self.canary.filter(|_| !is_canary);
                return Ok(());
            }
            Sign::Fails => {}
        }
        if was_open {
            hold(is_open && before.open_since() == self.circuit.open_since(), "L1", || "a failure closes a circuit")?;
            if is_canary {
                self.wait = self.wait.times(2).min(WAITS.1);
                (self.canary, self.not_before) = (None, self.now.after(self.wait));
                let next = self.circuit.passage(self.now);
                hold(
                    next == Passage::From(self.not_before),
                    "S9 Spacing",
                    || "the wait after a canary is not doubled",
                )?;
            }
            return Ok(());
        }
        self.run = if sent >= self.heard { self.run.saturating_add(1) } else { self.run };
        hold(
            is_open == (self.run >= CIRCUIT_RUN),
            "L4",
            || "a circuit opens by something else than a run of failures",
        )?;
        if is_open {
            (self.run, self.wait, self.canary) = (0, WAITS.0, None);
            self.not_before = self.now.after(WAITS.0);
            hold(self.circuit.open_since() == Some(self.now), "S9 Spacing", || "it tells another time of opening")?;
        }
        Ok(())
    }
}

/// L1, L4, S9: a circuit opens by a run of failures and by nothing else; while it is open one canary at a time leaves, each
/// failed one doubles the wait up to a minute, and the first answer closes it.
///
/// # Errors
/// When it does otherwise.
pub fn circuit_spaces_and_never_stays_off(events: &[CircuitEvent]) -> Law {
    let mut user = User::begin();
    events.iter().try_for_each(|event| user.does(*event))
}
