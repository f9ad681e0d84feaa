//! The delivery: one parcel's fate as a state machine of six states.

mod machine;

use crate::id::{Attempt, Batch, DeliveryId, Epoch};
use crate::ruling::Seen;
use crate::time::Time;
use crate::verdict::{Receipt, Verdict, Why};

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
