//! Laws of the credential's step: planned refreshes, and what is done where refusals alone cannot tell.

use super::Law;
use super::broken::hold;
use super::credential::{is_dead, told};
use crate::credential::{
    Cause, Credential, CredentialInput, CredentialState, CredentialWant, Grant, Inquiry, Lack, Standing, TokenProof,
};
use crate::time::Time;

/// L3: where the issuer can be asked, a token that was refused beyond its window does not end the credential before the
/// issuer has said that it is dead. Tokens that are expired on arrival need nobody to ask.
///
/// # Errors
/// When one does.
pub fn issuer_is_asked_first(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let died = !is_dead(&before)
        && matches!(after.state, CredentialState::Dead { cause: Cause::NeverAccepted, .. })
        && before.grant == Grant::Alive;
    let said = match input {
        CredentialInput::Introspected { standing, .. } => matches!(standing, Standing::Expired | Standing::Revoked),
        CredentialInput::Renewed { .. } | CredentialInput::RefusedForGood { .. } => true,
        CredentialInput::Needed { .. } => {
            let CredentialState::Current { next, .. } = before.state else { return Ok(()) };
            !before.terms.introspects || next.is_some()
        }
        _ => false,
    };
    hold(!died || said, "L3 Bounded renewals", || told(&before, &input, now))
}

/// S4: what is planned is no earlier than the window of what serves, and by its life alone, earlier than its end and of a
/// token that was used; and nothing is planned that a grant near its end makes useless.
///
/// # Errors
/// When that is not so.
pub fn planned_is_in_time(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let CredentialWant::Planned { at } = after.wants() else { return Ok(()) };
    let CredentialState::Current { serving, next } = after.state else {
        return hold(false, "S4 Settle", || told(&before, &input, now));
    };
    let by_life = next.is_none()
        && at < serving.expires
        && matches!(serving.proof, TokenProof::Accepted { .. })
        && after.terms.renew_at < 100
        && serving.expires.after(after.terms.settle) < after.ends;
    let used = after.renewed.max(next.unwrap_or(serving).issued);
    let by_idleness = at >= used.after(after.terms.idle.part(4).times(3));
    let by_scope =
        next.is_none() && matches!(after.lack, Lack::Waits { epoch, until } if epoch == serving.epoch && at >= until);
    let settled = at >= serving.issued.after(after.terms.settle);
    let holds = settled && after.grant == Grant::Alive && (by_life || by_idleness || by_scope);
    hold(holds, "S4 Settle", || told(&before, &input, now))
}

/// L2: a grant that dies when nobody uses it is always about to be renewed before that, as long as it can be and does not
/// end anyway.
///
/// # Errors
/// When it is not.
pub fn idle_grant_is_kept_alive(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let (Some(dies), CredentialState::Current { serving, .. }) = (after.idle_end(), after.state) else { return Ok(()) };
    // It ends anyway.
    if after.keep_alive().is_none() {
        return Ok(());
    }
    let stands = match after.inquiry {
        Inquiry::Stands { epoch, until } if epoch == serving.epoch => until,
        Inquiry::None | Inquiry::Asked { .. } | Inquiry::Stands { .. } => Time::ZERO,
    };
    let settled = serving.issued.after(after.terms.settle).max(stands);
    let in_time = match after.wants() {
        CredentialWant::Planned { at } => at <= dies || at <= settled,
        // One that never settles, because it was minted at the end of all time.
        CredentialWant::Nothing if settled == Time::NEVER => true,
        // Its issuer is asked first, which ends soon.
        CredentialWant::Introspection { .. } => true,
        _ => false,
    };
    hold(in_time, "L2 Work behind a dead credential waits", || told(&before, &input, now))
}

/// L3: for a missing scope another token is minted once; if that one lacks it, too, nothing more is minted for it.
///
/// # Errors
/// When it is.
pub fn scope_is_minted_for_once(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let holds = match (before.lack, after.lack) {
        (Lack::Minted { epoch }, Lack::Waits { epoch: again, .. }) => again > epoch,
        (_, Lack::Minted { epoch }) if before.lack != after.lack => {
            matches!(input, CredentialInput::Renewed { .. }) && epoch == after.epoch
        }
        _ => true,
    };
    hold(holds, "L3 Bounded renewals", || told(&before, &input, now))
}
