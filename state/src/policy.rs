//! The policy: how long to wait and when to give up. Asked before `step`; its answer is part of the input.

use crate::delivery::{Choice, Delivery};
use crate::time::{Span, Time, jittered};

/// What stands between a delivery and its end, as a policy is asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The destination is busy, failing or throttling.
    Busy,
    /// Something that the request needs is not visible yet.
    NotYet,
    /// The token was refused. What is chosen holds if that means nothing yet.
    TokenRefused {
        /// How old the token was.
        age: Span,
        /// How many refusals in a row there were since its last acceptance; 0 when it was never accepted.
        refusals: u32,
    },
    /// The token was refused and the credential is dead.
    CredentialDead,
    /// The request may have arrived.
    Unknown,
}

/// How long to wait and when to give up.
///
/// `outlast_state::laws` checks any policy: it must be pure, and it must not choose a time before `now`.
pub trait Policy: Send + Sync {
    /// What to do with `delivery` after an attempt that met `trouble`.
    fn choose(&self, delivery: &Delivery, trouble: Trouble, now: Time) -> Choice;
}

/// The policy that Outlast ships: exponential backoff for a failing destination, short waits for a young token, and
/// everything that may have arrived is sent again with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// The first wait after a failure; doubled for each further one.
    pub first: Span,
    /// The longest wait after a failure, before jitter.
    pub longest: Span,
    /// Whether a doubtful attempt is held for an operator instead of sent again: for destinations that do not deduplicate.
    pub hold_doubtful: bool,
    /// Whether a dead credential fails its deliveries instead of parking them.
    pub fail_when_dead: bool,
}

impl Default for Standard {
    fn default() -> Self {
        Standard {
            first: Span::from_secs(1),
            longest: Span::from_secs(3600),
            hold_doubtful: false,
            fail_when_dead: false,
        }
    }
}

/// The shortest and the longest wait for a young token: the token's age, or 2 s for each refusal in a row, within these.
/// The gate bounds how many requests try the token; the wait of one delivery only says which is next. So it is no longer
/// than the gate's own spacing: with 30 s the last delivery came 35 s after the last node had learnt the token.
const TOKEN_WAITS: (Span, Span) = (Span::from_secs(2), Span::from_secs(5));

impl Policy for Standard {
    fn choose(&self, delivery: &Delivery, trouble: Trouble, now: Time) -> Choice {
        let wait = match trouble {
            Trouble::Unknown if self.hold_doubtful => return Choice::GiveUp,
            Trouble::CredentialDead if self.fail_when_dead => return Choice::GiveUp,
            Trouble::CredentialDead => Span::ZERO,
            Trouble::TokenRefused { age, refusals: 0 } => age.clamp(TOKEN_WAITS.0, TOKEN_WAITS.1),
            Trouble::TokenRefused { refusals, .. } => TOKEN_WAITS.0.times(u64::from(refusals)).min(TOKEN_WAITS.1),
            Trouble::Busy | Trouble::NotYet | Trouble::Unknown => self.backoff(delivery.spent),
        };
        let salt = u64::from(delivery.attempt.count());
        Choice::Again { at: now.after(jittered(wait, delivery.id.seed(), salt)) }
    }
}

impl Standard {
    /// `first` doubled `spent` times, at most `longest`. Saturates from 2^32 times `first` on.
    fn backoff(&self, spent: u32) -> Span {
        self.first.times(1 << spent.min(32)).min(self.longest)
    }
}
