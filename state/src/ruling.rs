//! The domain's one hard decision: what a refused token means. The answer cannot tell; history can.

use crate::id::Epoch;
use crate::time::Time;

/// A credential as it was seen when an answer arrived, about the epoch that the request carried. Part of the input, so
/// that a journal folds to the same state under any later policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Seen {
    /// What it served.
    pub serving: Serving,
    /// Whether the epoch that was sent is known to be expired.
    pub expired: bool,
    /// From when on a refusal of the epoch that was sent means something: its minting and the settle window.
    pub settles: Time,
    /// Whether any request with that epoch was past authentication before.
    pub proof: Proof,
}

impl Seen {
    /// What is seen of a credential that the destination does not need.
    pub const NONE: Seen =
        Seen { serving: Serving::Epoch(Epoch::NONE), expired: false, settles: Time::ZERO, proof: Proof::Never };
}

/// What a credential served when an answer arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Serving {
    /// The token of this epoch.
    Epoch(Epoch),
    /// Nothing: it is refreshing, and what it had is lost.
    Nothing,
    /// Nothing: it is dead.
    Dead,
}

/// What is known of an epoch's acceptance, seen from one refusal of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Proof {
    /// No request with it was ever past authentication.
    Never,
    /// One was.
    Accepted {
        /// Whether the last of those was sent at or after the request that was refused.
        later: bool,
        /// How many refusals in a row there were since, this one included.
        refusals: u32,
    },
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ruling {
    /// The token was replaced while the request was in the air: send again with the one that serves.
    Resend,
    /// The credential is dead: wait for a human, or give up if the policy says so.
    Dead,
    /// The credential is being refreshed and has nothing left to serve: wait for it.
    Lost,
    /// It means nothing yet: wait briefly and send the same again.
    Wait,
    /// The token is dead: the credential is asked to move past it.
    Move,
}

/// A token that was accepted before is not given up for fewer refusals in a row than this: one stray 401 must not rotate
/// everyone's token.
pub const STRAY_REFUSALS: u32 = 3;

/// What the refusal of a request with the token of `sent` means at `now`: the first row of the table that fits.
#[must_use]
pub fn rule(sent: Epoch, seen: Seen, now: Time) -> Ruling {
    match seen.serving {
        Serving::Epoch(serving) if serving != sent => Ruling::Resend,
        Serving::Dead => Ruling::Dead,
        Serving::Nothing => Ruling::Lost,
        Serving::Epoch(_) if seen.expired => Ruling::Move,
        Serving::Epoch(_) if is_stray(seen.proof) => Ruling::Wait,
        Serving::Epoch(_) if now < seen.settles => Ruling::Wait,
        Serving::Epoch(_) => Ruling::Move,
    }
}

const fn is_stray(proof: Proof) -> bool {
    match proof {
        Proof::Never => false,
        Proof::Accepted { later, refusals } => later || refusals < STRAY_REFUSALS,
    }
}
