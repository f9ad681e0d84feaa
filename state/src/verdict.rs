//! What an answer means for one parcel. A destination reads answers; it never chooses between waiting and refreshing.

use crate::time::Span;

/// What the destination's answer means for one parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Verdict {
    /// The destination has it.
    Accepted {
        /// What it said.
        receipt: Receipt,
    },
    /// Not now. Send the same again.
    Busy {
        /// How long the provider asked to be left alone; nothing when it did not say.
        after: Span,
        /// Whether it is out of breath or asks us to slow down.
        load: Load,
    },
    /// A resource that the request needs is not visible yet. Spends no budget.
    NotYet {
        /// How long to wait at least.
        after: Span,
    },
    /// The token was refused. What that means is decided by history, not by the answer.
    TokenRefused,
    /// Never, however often it is sent.
    Refused {
        /// Whose no it is.
        why: Why,
    },
    /// The batch was refused as a whole without saying which member is at fault: send it in halves.
    Split,
    /// No answer, or none that can be read: the request may have arrived.
    Unknown,
}

/// Why a destination is busy, which decides whether the attempt counts against the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Load {
    /// It failed (5xx, 408, 423). Spends budget.
    Failing,
    /// It throttles (429). Spends none, and slows the whole credential.
    Throttled,
}

/// What an acceptance said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Receipt {
    /// The HTTP status of the answer, or of this parcel's element in it.
    pub status: u16,
}

/// Whose no a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Why {
    /// Ours: the parcel cannot be made into a request that the destination would take. Nothing was sent.
    Invalid,
    /// The provider's.
    Rejected {
        /// The HTTP status of the answer, or of this parcel's element in it.
        status: u16,
    },
}
