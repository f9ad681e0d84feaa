//! How a delivery moves.

use super::{Choice, Delivery, Input, Reason, State, Then, Want};
use crate::id::{Attempt, DeliveryId, Epoch};
use crate::ruling::{Ruling, Seen, rule};
use crate::time::{Span, Time};
use crate::verdict::{Load, Receipt, Verdict};

/// The wait after a token's refusal where a policy gave none.
const SHORTEST_WAIT: Span = Span::from_secs(2);

impl Delivery {
    /// A delivery that was just accepted.
    #[must_use]
    pub const fn accepted(id: DeliveryId, due: Time, deadline: Time, budget: u32) -> Self {
        let state = State::Pending { due };
        Delivery { id, state, attempt: Attempt::NONE, spent: 0, budget, deadline, at_most: u32::MAX, doubt: false }
    }

    /// The delivery after `input` happened at `now`. Total and pure: a fact about another attempt or another moment leaves
    /// it as it was.
    #[must_use]
    pub fn step(self, input: Input, now: Time) -> Self {
        use Input::{Admitted, Answered, Cancelled, DeadlinePassed, Interrupted, Redriven};
        use State::{AwaitingPropagation, Done, Failed, Pending, Refreshing, Sending};
        match (self.state, input) {
            (Done { .. }, _) => self,
            (Failed { .. }, Redriven { deadline, budget }) => {
                Delivery { state: Pending { due: now }, spent: 0, budget, deadline, ..self }
            }
            (Failed { .. }, Admitted { .. } | Answered { .. } | Interrupted { .. } | DeadlinePassed | Cancelled) => {
                self
            }

            (
                Pending { .. } | AwaitingPropagation { .. } | Refreshing { .. },
                Admitted { attempt, epoch, by, batch, index, of },
            ) if attempt > self.attempt && self.may_be_admitted(epoch, now) => {
                Delivery { state: Sending { epoch, by, batch, index, of, then: Then::Continue }, attempt, ..self }
            }
            (
                Pending { .. } | AwaitingPropagation { .. } | Refreshing { .. },
                Answered { attempt, verdict: Verdict::Accepted { receipt }, .. },
            ) if attempt == self.attempt && attempt > Attempt::NONE => self.done(receipt, now),
            (Pending { .. } | AwaitingPropagation { .. } | Refreshing { .. }, DeadlinePassed)
                if self.deadline <= now =>
            {
                self.failed(Reason::Expired, now)
            }
            (Pending { .. } | AwaitingPropagation { .. } | Refreshing { .. }, Cancelled) => {
                self.failed(Reason::Cancelled, now)
            }
            // A fact about a request or a moment that is not this delivery's any more.
            (
                Pending { .. } | AwaitingPropagation { .. } | Refreshing { .. },
                Admitted { .. } | Answered { .. } | Interrupted { .. } | DeadlinePassed | Redriven { .. },
            ) => self,

            (Sending { then: Then::Stop { reason }, .. }, Answered { attempt, verdict, .. })
                if attempt == self.attempt =>
            {
                self.stopped(reason, verdict, now)
            }
            (Sending { epoch, of, .. }, Answered { attempt, verdict, seen, choice }) if attempt == self.attempt => {
                self.answered(Sent { epoch, of }, verdict, seen, choice, now)
            }
            (Sending { then, .. }, Interrupted { attempt, clean, choice }) if attempt == self.attempt => match then {
                Then::Stop { reason } => self.stopped(reason, Verdict::Unknown, now),
                Then::Continue => self.doubted().again(!clean, Span::ZERO, choice, Reason::InDoubt, now),
            },
            (Sending { then: Then::Continue, .. }, DeadlinePassed) if self.deadline <= now => {
                self.then(Reason::Expired)
            }
            (Sending { then: Then::Continue, .. }, Cancelled) => self.then(Reason::Cancelled),
            (
                Sending { .. },
                Admitted { .. } | Answered { .. } | Interrupted { .. } | DeadlinePassed | Cancelled | Redriven { .. },
            ) => self,
        }
    }

    /// What its state asks of the world. After a crash, asking every live delivery is the whole of recovery.
    #[must_use]
    pub const fn wants(&self) -> Want {
        match self.state {
            State::Pending { due: from } | State::AwaitingPropagation { until: from, .. } => Want::Admission { from },
            State::Sending { by, .. } => Want::Answer { attempt: self.attempt, by },
            State::Refreshing { rejected } => Want::Token { past: rejected },
            State::Done { .. } | State::Failed { .. } => Want::Nothing,
        }
    }

    /// Whether a request with the token of `epoch` may be made for it now. Derived, so that waiting writes nothing.
    #[must_use]
    pub fn may_be_admitted(&self, epoch: Epoch, now: Time) -> bool {
        match self.wants() {
            Want::Admission { from } => from <= now,
            Want::Token { past } => epoch > past,
            Want::Nothing | Want::Answer { .. } => false,
        }
    }

    fn answered(self, sent: Sent, verdict: Verdict, seen: Seen, choice: Choice, now: Time) -> Self {
        match verdict {
            Verdict::Accepted { receipt } => self.done(receipt, now),
            Verdict::Refused { why } => self.failed(Reason::Refused { why }, now),
            Verdict::Busy { after, load } => self.again(load == Load::Failing, after, choice, Reason::Exhausted, now),
            Verdict::Unknown => self.doubted().again(true, Span::ZERO, choice, Reason::InDoubt, now),
            Verdict::NotYet { after } => self.waiting(after, choice, now),
            // Half of a single item is no smaller, so this would go round for ever: let the budget bound it.
            Verdict::Split if sent.of < 2 => self.again(true, Span::ZERO, choice, Reason::Exhausted, now),
            Verdict::Split => {
                let at_most = self.at_most.min(sent.of).div_euclid(2).max(1);
                Delivery { state: State::Pending { due: now }, at_most, ..self }
            }
            Verdict::TokenRefused => self.token_refused(sent.epoch, seen, choice, now),
        }
    }

    fn token_refused(self, sent: Epoch, seen: Seen, choice: Choice, now: Time) -> Self {
        let state = match (rule(sent, seen, now), choice) {
            (Ruling::Dead, Choice::GiveUp) => return self.failed(Reason::CredentialDead, now),
            (Ruling::Resend, _) => State::Pending { due: now },
            (Ruling::Wait, Choice::Again { at }) => State::AwaitingPropagation { epoch: sent, until: at.max(now) },
            (Ruling::Wait, Choice::GiveUp) => {
                State::AwaitingPropagation { epoch: sent, until: now.after(SHORTEST_WAIT) }
            }
            (Ruling::Dead | Ruling::Lost | Ruling::Move, _) => State::Refreshing { rejected: sent },
        };
        Delivery { state, ..self }
    }

    /// `Pending` again, spending budget or not; or given up for `reason` where the policy says so.
    fn again(self, spends: bool, after: Span, choice: Choice, reason: Reason, now: Time) -> Self {
        let spent = self.spent.saturating_add(u32::from(spends));
        let next = Delivery { spent, ..self };
        match choice {
            Choice::GiveUp => next.failed(reason, now),
            Choice::Again { .. } if spends && spent >= self.budget => next.failed(Reason::Exhausted, now),
            Choice::Again { .. } => next.waiting(after, choice, now),
        }
    }

    fn waiting(self, after: Span, choice: Choice, now: Time) -> Self {
        let provider = now.after(after);
        let due = match choice {
            Choice::Again { at } => at.max(provider),
            Choice::GiveUp => provider,
        };
        Delivery { state: State::Pending { due }, ..self }
    }

    fn stopped(self, reason: Reason, verdict: Verdict, now: Time) -> Self {
        match verdict {
            Verdict::Accepted { receipt } => self.done(receipt, now),
            Verdict::Unknown => self.doubted().failed(reason, now),
            Verdict::Busy { .. }
            | Verdict::NotYet { .. }
            | Verdict::TokenRefused
            | Verdict::Refused { .. }
            | Verdict::Split => self.failed(reason, now),
        }
    }

    fn then(self, reason: Reason) -> Self {
        match self.state {
            State::Sending { epoch, by, batch, index, of, then: Then::Continue } => {
                let then = Then::Stop { reason };
                Delivery { state: State::Sending { epoch, by, batch, index, of, then }, ..self }
            }
            _ => self,
        }
    }

    const fn doubted(self) -> Self {
        Delivery { doubt: true, ..self }
    }

    const fn done(self, receipt: Receipt, now: Time) -> Self {
        Delivery { state: State::Done { at: now, receipt }, doubt: false, ..self }
    }

    const fn failed(self, reason: Reason, now: Time) -> Self {
        Delivery { state: State::Failed { at: now, reason, in_doubt: self.doubt }, ..self }
    }
}

/// What the request in the air was.
#[derive(Clone, Copy)]
struct Sent {
    epoch: Epoch,
    of: u32,
}
