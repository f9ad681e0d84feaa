//! What a policy is asked about; pure.

use outlast_state::{Epoch, Proof, Ruling, Seen, Span, Time, Trouble, Verdict, rule};

/// What the policy is asked about.
pub(super) fn trouble(verdict: Verdict, epoch: Epoch, seen: Seen, age: Span, now: Time) -> Trouble {
    match verdict {
        Verdict::TokenRefused if rule(epoch, seen, now) == Ruling::Dead => Trouble::CredentialDead,
        Verdict::TokenRefused => {
            let refusals = match seen.proof {
                Proof::Never => 0,
                // A refusal that an acceptance overtook is not counted in a row. It is one all the same: 0 would say that
                // the token was never accepted, and an old one's age would make for the longest wait.
                Proof::Accepted { refusals, .. } => refusals.max(1),
            };
            Trouble::TokenRefused { age, refusals }
        }
        Verdict::NotYet { .. } => Trouble::NotYet,
        Verdict::Unknown => Trouble::Unknown,
        Verdict::Busy { .. } | Verdict::Accepted { .. } | Verdict::Refused { .. } | Verdict::Split => Trouble::Busy,
    }
}
