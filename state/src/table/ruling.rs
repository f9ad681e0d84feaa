//! The table of rulings: what a refused token means.

use alloc::vec::Vec;

use crate::id::Epoch;
use crate::ruling::{Proof, Ruling, STRAY_REFUSALS, Seen, Serving};
use crate::time::Time;

/// One row of the table of rulings: the first one that fits counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RulingRow {
    /// What is so when the refusal arrives.
    pub when: &'static str,
    /// What the refusal then means.
    pub ruling: Ruling,
    /// Where that leaves the delivery.
    pub then: &'static str,
    /// An example: the epoch that the request carried.
    pub sent: Epoch,
    /// An example: the credential.
    pub seen: Seen,
    /// An example: when the refusal arrives.
    pub now: Time,
}

const SENT: Epoch = Epoch::NONE.next();
const NOW: Time = Time::from_millis(1_000_000);
const LATER: Time = Time::from_millis(1_000_001);
const BEFORE: Epoch = Epoch::NONE;

/// A token beyond its settle window that no request has proven.
const OLD: Seen = Seen { serving: Serving::Epoch(SENT), expired: false, settles: NOW, proof: Proof::Never };

const STRAY: Proof = Proof::Accepted { later: false, refusals: STRAY_REFUSALS.saturating_sub(1) };
const OUTRUN: Proof = Proof::Accepted { later: true, refusals: 0 };
const NO_STRAY: Proof = Proof::Accepted { later: false, refusals: STRAY_REFUSALS };

/// Every row of the table of rulings, in order.
#[must_use]
pub fn ruling() -> Vec<RulingRow> {
    use Ruling::{Dead, Lost, Move, Resend, Wait};
    const AGAIN: &str = "`Pending`, due now, with the token that serves. Never a refresh";
    const SHORT: &str = "`AwaitingPropagation`: a short wait, then the same token again. Never a refresh";
    const MOVED: &str = "`Refreshing`, and the credential is asked to move past the token";
    let row = |when, ruling, then, seen| RulingRow { when, ruling, then, sent: SENT, seen, now: NOW };
    [
        row(
            "the credential serves a later token than the one sent",
            Resend,
            AGAIN,
            OLD.serving(Serving::Epoch(SENT.next())),
        ),
        row(
            "it serves an earlier one (the one sent was a canary's)",
            Resend,
            AGAIN,
            OLD.serving(Serving::Epoch(BEFORE)),
        ),
        row("it is dead", Dead, "`Refreshing`; or `Failed`, if the policy says so", OLD.serving(Serving::Dead)),
        row("it is refreshing, and has nothing left to serve", Lost, "`Refreshing`", OLD.serving(Serving::Nothing)),
        row(
            "the token sent is known to be expired",
            Move,
            MOVED,
            Seen { expired: true, proof: OUTRUN, settles: LATER, ..OLD },
        ),
        row("it was accepted for a request sent at the same time or later", Wait, SHORT, Seen { proof: OUTRUN, ..OLD }),
        row(
            "it was accepted before, and refused fewer than 3 times in a row since",
            Wait,
            SHORT,
            Seen { proof: STRAY, ..OLD },
        ),
        row("it is younger than the settle window", Wait, SHORT, Seen { settles: LATER, proof: NO_STRAY, ..OLD }),
        row(
            "otherwise: it was accepted before, and refused 3 times in a row or more since",
            Move,
            MOVED,
            Seen { proof: NO_STRAY, ..OLD },
        ),
        row("otherwise: it was never accepted", Move, MOVED, OLD),
    ]
    .into()
}

impl Seen {
    const fn serving(self, serving: Serving) -> Self {
        Seen { serving, ..self }
    }
}
