//! Laws of the credential's step: its renewals.

use super::Law;
use super::broken::hold;
use super::doubt::{idle_grant_is_kept_alive, issuer_is_asked_first, planned_is_in_time, scope_is_minted_for_once};
use super::serving::{dead_needs_a_human, death_has_a_cause, evidence_counts, make_before_break, never_serves_expired};
use crate::credential::{
    Cause, Credential, CredentialInput, CredentialState, CredentialWant, Grant, Held, Inquiry, Lack, Need, Token,
    TokenProof,
};
use crate::id::Epoch;
use crate::time::{Span, Time};

/// A law of the credential's step.
pub type CredentialLaw = fn(Credential, CredentialInput, Time) -> Law;

/// Every law of the credential's step, by name.
pub const CREDENTIAL_LAWS: [(&str, CredentialLaw); 17] = [
    ("no_refresh_while_young", no_refresh_while_young),
    ("refused_token_is_left", refused_token_is_left),
    ("one_renewal_per_epoch", one_renewal_per_epoch),
    ("epochs_only_grow", epochs_only_grow),
    ("stale_outcome_ignored", stale_outcome_ignored),
    ("renewals_keep_their_distance", renewals_keep_their_distance),
    ("refresh_is_retried", refresh_is_retried),
    ("planned_refresh_waits", planned_refresh_waits),
    ("never_serves_expired", never_serves_expired),
    ("dead_needs_a_human", dead_needs_a_human),
    ("death_has_a_cause", death_has_a_cause),
    ("make_before_break", make_before_break),
    ("evidence_counts", evidence_counts),
    ("issuer_is_asked_first", issuer_is_asked_first),
    ("planned_is_in_time", planned_is_in_time),
    ("idle_grant_is_kept_alive", idle_grant_is_kept_alive),
    ("scope_is_minted_for_once", scope_is_minted_for_once),
];

pub(super) fn told(before: &Credential, input: &CredentialInput, now: Time) -> alloc::string::String {
    alloc::format!("{before:?}\nat {now:?} met {input:?}\nand became {:?}", before.step(*input, now))
}

pub(super) fn settled(credential: &Credential, token: &Token, now: Time) -> bool {
    now >= token.issued.after(credential.terms.settle)
}

/// Whether a refusal of it means something: it is beyond its window, and its issuer neither stands by it nor is asked.
pub(super) fn counts(credential: &Credential, token: &Token, now: Time) -> bool {
    let held = match credential.inquiry {
        Inquiry::Asked { epoch } => epoch == token.epoch,
        Inquiry::Stands { epoch, until } => epoch == token.epoch && now < until,
        Inquiry::None => false,
    };
    !held && settled(credential, token, now)
}

pub(super) const fn is_dead(credential: &Credential) -> bool {
    matches!(credential.state, CredentialState::Dead { .. })
}

pub(super) const fn is_refreshing(credential: &Credential) -> bool {
    matches!(credential.state, CredentialState::Refreshing { .. })
}

/// The call that an outcome is of.
const fn call(input: &CredentialInput) -> Option<Epoch> {
    match input {
        CredentialInput::Renewed { from, .. }
        | CredentialInput::RefusedForGood { from, .. }
        | CredentialInput::Misconfigured { from }
        | CredentialInput::Unknown { from, .. } => Some(*from),
        _ => None,
    }
}

/// S4: no refresh begins while the serving token is younger than its settle window and not expired.
///
/// # Errors
/// When one does.
pub fn no_refresh_while_young(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let holds = match before.state {
        CredentialState::Current { serving, .. } if !serving.is_expired(now) && !settled(&before, &serving, now) => {
            let told = matches!(input, CredentialInput::Revoked | CredentialInput::Introspected { .. });
            !is_refreshing(&after) && (!is_dead(&after) || told)
        }
        _ => true,
    };
    hold(holds, "S4 Settle", || told(&before, &input, now))
}

/// L1: a serving token that is refused beyond its window, or is needed to be left when it is expired, is left: for the
/// next one, a refresh, or death, where the grant or hope has ended. Any other need changes nothing.
///
/// # Errors
/// When that is not so.
pub fn refused_token_is_left(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let CredentialInput::Needed { past, why } = input else { return Ok(()) };
    let holds = match before.state {
        CredentialState::Current { serving, next } if serving.epoch == past => {
            let expired = serving.is_expired(now);
            if is_asked_about(&before, &after) {
                true
            } else if expired || (why == Need::Refused && counts(&before, &serving, now)) {
                is_left(&before, serving, next, why, &after, now)
            } else {
                after == before
            }
        }
        CredentialState::Refreshing { held: Held::Serving(token), tries, not_before, interrupted, .. }
            if token.epoch == past && (token.is_expired(now) || why == Need::Refused) =>
        {
            let held = Held::Lost(token);
            after.state == CredentialState::Refreshing { held, tries, not_before, why, interrupted }
        }
        _ => after == before,
    };
    hold(holds, "L1 Progress", || told(&before, &input, now))
}

/// Whether its issuer is asked now, and nothing else changed.
fn is_asked_about(before: &Credential, after: &Credential) -> bool {
    before.terms.introspects && *after == Credential { inquiry: after.inquiry, ..*before } && after != before
}

fn is_left(before: &Credential, lost: Token, next: Option<Token>, why: Need, after: &Credential, now: Time) -> bool {
    let tried_in_vain = matches!(lost.proof, TokenProof::Unproven { refusals: 1.. }) && !lost.is_expired(now);
    let fruitless = before.fruitless.saturating_add(u8::from(tried_in_vain));
    let state = match (next, before.grant) {
        _ if tried_in_vain && fruitless >= 2 => CredentialState::Dead { cause: Cause::NeverAccepted, since: now },
        (Some(next), _) if !next.is_expired(now) => CredentialState::Current { serving: next, next: None },
        (_, Grant::Ended { cause }) => CredentialState::Dead { cause, since: now },
        (_, Grant::Alive) => {
            let CredentialState::Refreshing { not_before, .. } = after.state else { return false };
            let held = Held::Lost(lost);
            CredentialState::Refreshing { held, tries: 0, not_before, why, interrupted: false }
        }
    };
    after.state == state && after.fruitless == fruitless
}

/// S3: a token request is wanted in `Refreshing` alone; its renewal makes one new epoch, and the same renewal a second
/// time makes none.
///
/// # Errors
/// When that is not so.
pub fn one_renewal_per_epoch(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let wants = match (before.wants(), before.state) {
        (
            CredentialWant::Renewal { from, not_before, tries },
            CredentialState::Refreshing { not_before: earliest, tries: tried, .. },
        ) => (from, not_before, tries) == (before.epoch, earliest, tried),
        (CredentialWant::Nothing, state) => matches!(state, CredentialState::Current { .. }),
        // Beside a next one that waits, only so that the grant does not die of being idle.
        (CredentialWant::Planned { .. }, CredentialState::Current { next, .. }) => {
            next.is_none() || before.keep_alive().is_some()
        }
        (CredentialWant::Planned { .. }, _) => false,
        (CredentialWant::Introspection { epoch }, CredentialState::Current { serving, .. }) => {
            epoch == serving.epoch && before.inquiry == Inquiry::Asked { epoch }
        }
        (CredentialWant::Introspection { .. }, _) => false,
        (CredentialWant::Authorisation, state) => matches!(state, CredentialState::Dead { .. }),
        (CredentialWant::Renewal { .. }, _) => false,
    };
    let holds = match (before.state, input) {
        (CredentialState::Refreshing { held, .. }, CredentialInput::Renewed { from, issued, expires, ends })
            if from == before.epoch && from < from.next() =>
        {
            let minted = Token::minted(from.next(), issued, expires);
            after.epoch == minted.epoch
                && (after.renewed, after.ends) == (now, ends)
                && after.step(input, now) == after
                && is_kept(held, minted, &after, now)
        }
        (_, CredentialInput::Authorised { .. }) => true,
        _ => after.epoch == before.epoch && after.renewed == before.renewed,
    };
    hold(wants && holds, "S3 One renewal per epoch", || told(&before, &input, now))
}

/// What served goes on serving, with the new one beside it; where nothing served, the new one does. One that is expired
/// on arrival serves nobody.
fn is_kept(held: Held, minted: Token, after: &Credential, now: Time) -> bool {
    match (held, minted.is_expired(now)) {
        (Held::Serving(serving), true) => after.state == CredentialState::Current { serving, next: None },
        (Held::Serving(serving), false) => after.state == CredentialState::Current { serving, next: Some(minted) },
        (Held::Lost(_), false) => after.state == CredentialState::Current { serving: minted, next: None },
        (Held::Lost(_), true) => match after.state {
            CredentialState::Refreshing { held, .. } => held == Held::Lost(minted) && after.fruitless < 2,
            CredentialState::Dead { .. } => true,
            CredentialState::Current { .. } => false,
        },
    }
}

/// S3: epochs grow by one, by a renewal or an authorisation alone; and no token held is of a later one.
///
/// # Errors
/// When that is not so.
pub fn epochs_only_grow(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let minted = match input {
        CredentialInput::Authorised { issued, expires, ends } => {
            let serving = Token::minted(before.epoch.next(), issued, expires);
            after.state == CredentialState::Current { serving, next: None }
                && after.epoch == serving.epoch
                && (after.fruitless, after.grant, after.ends) == (0, Grant::Alive, ends)
                && (after.inquiry, after.lack) == (Inquiry::None, Lack::None)
        }
        CredentialInput::Renewed { .. } => after.epoch == before.epoch || after.epoch == before.epoch.next(),
        _ => after.epoch == before.epoch,
    };
    let newest = match after.state {
        CredentialState::Current { serving, next } => next.map_or(serving.epoch, |next| next.epoch.max(serving.epoch)),
        CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => token.epoch,
        CredentialState::Dead { .. } => Epoch::NONE,
    };
    hold(minted && newest <= after.epoch, "S3 One renewal per epoch", || told(&before, &input, now))
}

/// S3: the outcome of a call that was made for another epoch, or of none, changes nothing.
///
/// # Errors
/// When that is not so.
pub fn stale_outcome_ignored(before: Credential, input: CredentialInput, now: Time) -> Law {
    let stale = call(&input).is_some_and(|from| !is_refreshing(&before) || from != before.epoch);
    hold(!stale || before.step(input, now) == before, "S3 One renewal per epoch", || told(&before, &input, now))
}

/// L3: a token request is not before one settle window after the last stored renewal; after a known expiry, not before
/// the longer of 30 s and half the token's lifetime.
///
/// # Errors
/// When it is.
pub fn renewals_keep_their_distance(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), not_before, .. } = after.state
    else {
        return Ok(());
    };
    let holds = match before.state {
        CredentialState::Refreshing { not_before: earliest, .. } if after.epoch == before.epoch => {
            not_before >= earliest
        }
        _ if after.renewed == Time::ZERO => not_before == now,
        _ if token.is_expired(now) => {
            let distance = Span::from_secs(30).max(token.expires.since(token.issued).part(2));
            not_before == after.renewed.after(distance).max(now)
        }
        _ => not_before == after.renewed.after(after.terms.settle).max(now),
    };
    hold(holds, "L3 Bounded renewals", || told(&before, &input, now))
}

/// S7: a call without a known outcome is made again, with what the credential had, not before it was said; and one
/// that a crash cut off is remembered.
///
/// # Errors
/// When that is not so.
pub fn refresh_is_retried(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let (retry_at, crashed) = match input {
        CredentialInput::Unknown { from, retry_at } if from == before.epoch => (retry_at, false),
        CredentialInput::Interrupted => (now, true),
        _ => return Ok(()),
    };
    let state = match before.state {
        CredentialState::Refreshing { held, tries, not_before, why, interrupted } => CredentialState::Refreshing {
            held,
            tries: tries.saturating_add(1),
            not_before: not_before.max(retry_at),
            why,
            interrupted: interrupted || crashed,
        },
        state => state,
    };
    hold(after == Credential { state, ..before }, "S7 No forgetting", || told(&before, &input, now))
}

/// S4: a planned refresh begins with a token without a next one, and a grant that lives. One that serves, and is beyond its
/// window, goes on serving; one that is expired is left. Beside a next one it begins where the grant would die of being idle,
/// unless that one is to serve first.
///
/// # Errors
/// When that is not so.
pub fn planned_refresh_waits(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    if input != CredentialInput::RefreshDue {
        return Ok(());
    }
    let alive = before.grant == Grant::Alive;
    let idle = before.keep_alive().is_some_and(|at| now >= at);
    let holds = match before.state {
        CredentialState::Current { serving, next: Some(next) }
            if alive && idle && serving.is_expired(now) && !next.is_expired(now) =>
        {
            after.state == CredentialState::Current { serving: next, next: None } && after.epoch == before.epoch
        }
        CredentialState::Current { serving, next } if alive && (next.is_none() || idle) => {
            let expired = serving.is_expired(now);
            let scope = matches!(before.lack, Lack::Waits { epoch, .. } if epoch == serving.epoch);
            let needed = if scope { Need::Scope } else { Need::Planned };
            let expected = if expired { Held::Lost(serving) } else { Held::Serving(serving) };
            match after.state {
                CredentialState::Refreshing { held, tries: 0, why, interrupted: false, .. } => {
                    (expired || counts(&before, &serving, now)) && (held, why) == (expected, needed)
                }
                _ => !expired && !counts(&before, &serving, now) && after == before,
            }
        }
        _ => after == before,
    };
    hold(holds, "S4 Settle", || told(&before, &input, now))
}
