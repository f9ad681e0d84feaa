//! Laws of a policy.

use super::Law;
use super::broken::hold;
use crate::delivery::{Choice, Delivery};
use crate::policy::{Policy, Trouble};
use crate::time::Time;

/// All laws of a policy.
///
/// # Errors
/// The first law that it breaks.
pub fn policy(policy: &dyn Policy, delivery: &Delivery, trouble: Trouble, now: Time) -> Law {
    policy_is_pure(policy, delivery, trouble, now)?;
    policy_never_before_now(policy, delivery, trouble, now)
}

/// S15: asked the same twice, a policy says the same; else a replay could not explain what happened.
///
/// # Errors
/// When it says something else.
pub fn policy_is_pure(policy: &dyn Policy, delivery: &Delivery, trouble: Trouble, now: Time) -> Law {
    let (first, second) = (policy.choose(delivery, trouble, now), policy.choose(delivery, trouble, now));
    hold(first == second, "S15 Replay", || {
        alloc::format!("asked about {trouble:?} twice, the policy chose {first:?}, then {second:?}")
    })
}

/// S9: a policy does not choose a time before `now`.
///
/// # Errors
/// When it does.
pub fn policy_never_before_now(policy: &dyn Policy, delivery: &Delivery, trouble: Trouble, now: Time) -> Law {
    match policy.choose(delivery, trouble, now) {
        Choice::Again { at } => hold(at >= now, "S9 Spacing", || {
            alloc::format!("for {trouble:?} at {now:?} the policy chose {at:?}, which has passed")
        }),
        Choice::GiveUp => Ok(()),
    }
}
