//! The delivery: one parcel's fate as a state machine of six states.

use crate::id::{Attempt, Batch, DeliveryId, Epoch};
use crate::ruling::{Ruling, Seen, rule};
use crate::time::{Span, Time};
use crate::verdict::{Load, Receipt, Verdict, Why};

/// What is known about one delivery. A value; [`Delivery::step`] gives the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// Where it stands.
    pub state: State,
    /// The last request made for it. Only grows (S8).
    pub attempt: Attempt,
    /// How many attempts counted against the budget. Waiting for a token never does (S8).
    pub spent: u32,
    /// How many attempts may count before it fails.
    pub budget: u32,
    /// When it is given up, in engine time.
    pub deadline: Time,
    /// The largest batch it may share. Halved by [`Verdict::Split`], raised by nothing but success.
    pub at_most: u32,
    /// Whether an attempt may have arrived without our hearing of it. Stays until it is `Done`, because no later refusal
    /// says anything about an earlier request.
    pub doubt: bool,
}

/// Where a delivery stands. Each variant holds what is true there, and nothing is optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum State {
    /// Waiting for its time.
    Pending {
        /// From when it may be admitted.
        due: Time,
    },
    /// A request may be on the wire.
    Sending {
        /// The token generation that it carries.
        epoch: Epoch,
        /// After this the answer counts as lost.
        by: Time,
        /// The request it shares with others.
        batch: Batch,
        /// Its place in that request, from 0.
        index: u32,
        /// How many items that request holds.
        of: u32,
        /// What the answer decides.
        then: Then,
    },
    /// The token was refused while a refusal means nothing. Wait briefly, then send the same again.
    AwaitingPropagation {
        /// The token generation that was refused.
        epoch: Epoch,
        /// From when it may be admitted.
        until: Time,
    },
    /// The token was refused and that means something. Wait for the credential to serve a later one.
    Refreshing {
        /// The token generation that was refused.
        rejected: Epoch,
    },
    /// The destination has it.
    Done {
        /// When the acceptance arrived.
        at: Time,
        /// What the acceptance said.
        receipt: Receipt,
    },
    /// Given up. Left only by an operator's redrive.
    Failed {
        /// When.
        at: Time,
        /// Why.
        reason: Reason,
        /// Whether the destination may have it all the same.
        in_doubt: bool,
    },
}

impl State {
    /// The names of the six states, in the order of their declaration.
    pub const NAMES: [&'static str; 6] = ["Pending", "Sending", "AwaitingPropagation", "Refreshing", "Done", "Failed"];

    /// Its name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            State::Pending { .. } => "Pending",
            State::Sending { .. } => "Sending",
            State::AwaitingPropagation { .. } => "AwaitingPropagation",
            State::Refreshing { .. } => "Refreshing",
            State::Done { .. } => "Done",
            State::Failed { .. } => "Failed",
        }
    }
}

/// What happens when the answer of a request in the air arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Then {
    /// The verdict decides.
    Continue,
    /// Acceptance makes it `Done`; anything else makes it `Failed` with this reason.
    Stop {
        /// What came between.
        reason: Reason,
    },
}

/// Why a delivery was given up. Each says who acts next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reason {
    /// The destination will never take it. The caller mends the event or the mapping and sends a new one.
    Refused {
        /// Whose no it was.
        why: Why,
    },
    /// Its budget of failed attempts is used up. The operator looks at the destination, then redrives.
    Exhausted,
    /// Its deadline passed. The operator decides whether it is still worth sending, and redrives.
    Expired,
    /// An operator or the caller stopped it.
    Cancelled,
    /// The credential is dead and the policy does not wait for a new one. The operator authorises it, then redrives.
    CredentialDead,
    /// An attempt may have arrived and the policy does not repeat it. The operator looks at the provider's side.
    InDoubt,
}

/// Something that happened to a delivery: a fact with what the decision needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Input {
    /// Admission chose it for a request.
    Admitted {
        /// The number of the request, beyond every one before.
        attempt: Attempt,
        /// The token generation that it carries.
        epoch: Epoch,
        /// After this the answer counts as lost.
        by: Time,
        /// The request it shares with others.
        batch: Batch,
        /// Its place in that request, from 0.
        index: u32,
        /// How many items that request holds.
        of: u32,
    },
    /// The destination answered, or is known not to have.
    Answered {
        /// Which request.
        attempt: Attempt,
        /// What the answer means for this parcel.
        verdict: Verdict,
        /// The credential, as it was seen then.
        seen: Seen,
        /// What the policy chose.
        choice: Choice,
    },
    /// No answer will come: found in `Sending` when the store was opened, or past `by`.
    Interrupted {
        /// Which request.
        attempt: Attempt,
        /// Whether the engine stopped cleanly and gave up the request itself; then it spends no budget.
        clean: bool,
        /// What the policy chose.
        choice: Choice,
    },
    /// The deadline came, and the delivery had its chance.
    DeadlinePassed,
    /// Somebody stopped it.
    Cancelled,
    /// An operator starts it again.
    Redriven {
        /// The new deadline.
        deadline: Time,
        /// The new budget.
        budget: u32,
    },
}

/// What a policy chose after an attempt that did not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Choice {
    /// Send again, not before this time. The provider's own wait counts too; the later one holds (S9).
    Again {
        /// From when.
        at: Time,
    },
    /// Give up. Heeded where giving up is the policy's to choose: a failing destination, a doubt, a dead credential.
    GiveUp,
}

/// What a state asks of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// Nothing: it is over.
    Nothing,
    /// To be admitted, from this time on.
    Admission {
        /// From when.
        from: Time,
    },
    /// An answer to this request, or to be told after `by` that none will come.
    Answer {
        /// Which request.
        attempt: Attempt,
        /// Until when.
        by: Time,
    },
    /// To be admitted with a token later than this one.
    Token {
        /// The generation that was refused.
        past: Epoch,
    },
}

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
