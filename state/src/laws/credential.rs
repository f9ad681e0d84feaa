//! Laws of the credential's step.

use super::Law;
use super::broken::hold;
use crate::credential::{
    Cause, Credential, CredentialInput, CredentialState, CredentialWant, Grant, Held, Need, Offer, Token, TokenProof,
};
use crate::id::Epoch;
use crate::ruling::{Proof, Serving};
use crate::time::{Span, Time};

/// A law of the credential's step.
pub type CredentialLaw = fn(Credential, CredentialInput, Time) -> Law;

/// Every law of the credential's step, by name.
pub const CREDENTIAL_LAWS: [(&str, CredentialLaw); 13] = [
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
];

fn told(before: &Credential, input: &CredentialInput, now: Time) -> alloc::string::String {
    alloc::format!("{before:?}\nat {now:?} met {input:?}\nand became {:?}", before.step(*input, now))
}

fn settled(credential: &Credential, token: &Token, now: Time) -> bool {
    now >= token.issued.after(credential.terms.settle)
}

const fn is_dead(credential: &Credential) -> bool {
    matches!(credential.state, CredentialState::Dead { .. })
}

const fn is_refreshing(credential: &Credential) -> bool {
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
            !is_refreshing(&after) && (!is_dead(&after) || input == CredentialInput::Revoked)
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
            if expired || (why == Need::Refused && settled(&before, &serving, now)) {
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
        (CredentialWant::Authorisation, state) => matches!(state, CredentialState::Dead { .. }),
        (CredentialWant::Renewal { .. }, _) => false,
    };
    let holds = match (before.state, input) {
        (CredentialState::Refreshing { held, .. }, CredentialInput::Renewed { from, issued, expires })
            if from == before.epoch && from < from.next() =>
        {
            let minted = Token::minted(from.next(), issued, expires);
            after.epoch == minted.epoch
                && after.renewed == now
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
        CredentialInput::Authorised { issued, expires } => {
            let serving = Token::minted(before.epoch.next(), issued, expires);
            after.state == CredentialState::Current { serving, next: None }
                && after.epoch == serving.epoch
                && (after.fruitless, after.grant) == (0, Grant::Alive)
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

/// S4: a planned refresh begins with a token that serves, beyond its window, without a next one, and a grant that lives;
/// and goes on serving it.
///
/// # Errors
/// When that is not so.
pub fn planned_refresh_waits(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    if input != CredentialInput::RefreshDue {
        return Ok(());
    }
    let holds = match (before.state, after.state) {
        (
            CredentialState::Current { serving, next: None },
            CredentialState::Refreshing { held, tries, why, interrupted, .. },
        ) if before.grant == Grant::Alive && !serving.is_expired(now) && settled(&before, &serving, now) => {
            (held, tries, why, interrupted) == (Held::Serving(serving), 0, Need::Planned, false)
        }
        (CredentialState::Current { serving, next: None }, _) => {
            let due = before.grant == Grant::Alive && !serving.is_expired(now) && settled(&before, &serving, now);
            !due && after == before
        }
        _ => after == before,
    };
    hold(holds, "S4 Settle", || told(&before, &input, now))
}

/// S12: what is offered is not expired, and is what serves; a token that serves and is good is offered.
///
/// # Errors
/// When that is not so.
pub fn never_serves_expired(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let offer = after.offer(now);
    let holds = match after.state {
        CredentialState::Current { serving: token, .. }
        | CredentialState::Refreshing { held: Held::Serving(token), .. } => {
            let expired = Offer::Expired { past: token.epoch };
            offer == if token.expires <= now { expired } else { Offer::Token(token) }
        }
        CredentialState::Refreshing { held: Held::Lost(_), .. } => offer == Offer::Refreshing,
        CredentialState::Dead { .. } => offer == Offer::Dead,
    };
    hold(holds, "S12 No token, no request", || told(&before, &input, now))
}

/// L2: what is dead stays so until a human authorises it, or mends the configuration that it died of. Either is heard.
///
/// # Errors
/// When that is not so.
pub fn dead_needs_a_human(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let misconfigured = match before.state {
        CredentialState::Dead { cause, .. } => cause == Cause::Misconfigured,
        CredentialState::Current { .. } => before.grant == (Grant::Ended { cause: Cause::Misconfigured }),
        CredentialState::Refreshing { .. } => false,
    };
    let holds = match input {
        CredentialInput::Authorised { .. } => !is_dead(&after),
        CredentialInput::ConfigurationChanged { terms } if misconfigured => {
            !is_dead(&after) && after.grant == Grant::Alive && after.terms == terms
        }
        CredentialInput::ConfigurationChanged { terms } => after == Credential { terms, ..before },
        _ => !is_dead(&before) || is_dead(&after),
    };
    hold(holds, "L2 Work behind a dead credential waits", || told(&before, &input, now))
}

/// L2: a credential dies, or its grant ends, of what happened, and not without it.
///
/// # Errors
/// When that is not so.
pub fn death_has_a_cause(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let interrupted = matches!(before.state, CredentialState::Refreshing { interrupted: true, .. });
    let said = match input {
        CredentialInput::Revoked => Some(Cause::Revoked),
        CredentialInput::Misconfigured { from } if from == before.epoch => Some(Cause::Misconfigured),
        CredentialInput::RefusedForGood { from, cause: Cause::Revoked } if from == before.epoch && interrupted => {
            Some(Cause::GrantLost)
        }
        CredentialInput::RefusedForGood { from, cause } if from == before.epoch => Some(cause),
        _ => None,
    };
    let died = match (before.state, after.state) {
        (CredentialState::Dead { since, .. }, CredentialState::Dead { since: still, .. }) => since == still,
        (_, CredentialState::Dead { cause, since }) => {
            let before_it = match before.grant {
                Grant::Ended { cause } => Some(cause),
                Grant::Alive => None,
            };
            let hopeless = after.fruitless >= 2 && cause == Cause::NeverAccepted;
            since == now && (said == Some(cause) || (said.is_none() && (before_it == Some(cause) || hopeless)))
        }
        _ => true,
    };
    let served = matches!(before.offer(now), Offer::Token(_));
    let ended = match (is_refreshing(&before), said, input) {
        (_, _, CredentialInput::Revoked) => is_dead(&after),
        (true, Some(cause), _) if served => after.grant == Grant::Ended { cause } && !is_refreshing(&after),
        (true, Some(_), _) => is_dead(&after),
        _ => true,
    };
    hold(died && ended, "L2 Work behind a dead credential waits", || told(&before, &input, now))
}

/// S12: a token that works is displaced by nothing but its refusal, its expiry, a human, or a next one that was accepted
/// beyond its window; and by that, it is.
///
/// # Errors
/// When that is not so.
pub fn make_before_break(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let (Offer::Token(serving), offer) = (before.offer(now), after.offer(now)) else { return Ok(()) };
    let next = match before.state {
        CredentialState::Current { next, .. } => next,
        CredentialState::Refreshing { .. } | CredentialState::Dead { .. } => None,
    };
    let holds = match (input, next) {
        (CredentialInput::Revoked | CredentialInput::Authorised { .. }, _) => true,
        (CredentialInput::Needed { past, why: Need::Refused }, _) if past == serving.epoch => true,
        (CredentialInput::Accepted { epoch, .. }, Some(next))
            if epoch == next.epoch && epoch != serving.epoch && settled(&before, &next, now) =>
        {
            matches!(after.state, CredentialState::Current { serving, next: None } if serving.epoch == epoch)
        }
        _ => matches!(offer, Offer::Token(token) if token.epoch == serving.epoch),
    };
    hold(holds, "S12 No token, no request", || told(&before, &input, now))
}

/// S13: an acceptance proves its token and ends the fruitless row; a refusal counts against its token alone, and not if
/// it was sent before an accepted request. What is then seen of the token is what happened to it.
///
/// # Errors
/// When that is not so.
pub fn evidence_counts(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let (epoch, sent, accepted) = match input {
        CredentialInput::Accepted { epoch, sent } => (epoch, sent, true),
        CredentialInput::TokenRefused { epoch, sent } => (epoch, sent, false),
        _ => return Ok(()),
    };
    let (Some(token), Some(changed)) = (before.token(epoch), after.token(epoch)) else {
        return hold(after == before, "S13 No stampede", || told(&before, &input, now));
    };
    let proof = match (token.proof, accepted) {
        (TokenProof::Unproven { .. }, true) => TokenProof::Accepted { sent, refusals: 0 },
        (TokenProof::Accepted { sent: latest, .. }, true) if sent >= latest => {
            TokenProof::Accepted { sent, refusals: 0 }
        }
        (TokenProof::Unproven { refusals }, false) => TokenProof::Unproven { refusals: refusals.saturating_add(1) },
        (TokenProof::Accepted { sent: latest, refusals }, false) if sent > latest => {
            TokenProof::Accepted { sent: latest, refusals: refusals.saturating_add(1) }
        }
        (known, _) => known,
    };
    let counted = changed == Token { proof, ..token } && after.fruitless == if accepted { 0 } else { before.fruitless };
    let rest =
        accepted || (after.state.name(), after.epoch, after.grant) == (before.state.name(), before.epoch, before.grant);
    hold(counted && rest && is_seen(&after, changed, sent, now), "S13 No stampede", || told(&before, &input, now))
}

fn is_seen(credential: &Credential, token: Token, sent: Time, now: Time) -> bool {
    let seen = credential.seen(token.epoch, sent, now);
    let proof = match token.proof {
        TokenProof::Unproven { .. } => Proof::Never,
        TokenProof::Accepted { sent: latest, refusals } => Proof::Accepted { later: latest >= sent, refusals },
    };
    let serving = match credential.state {
        CredentialState::Current { serving, .. } => Serving::Epoch(serving.epoch),
        CredentialState::Refreshing { held: Held::Serving(token), .. } => Serving::Epoch(token.epoch),
        CredentialState::Refreshing { held: Held::Lost(_), .. } => Serving::Nothing,
        CredentialState::Dead { .. } => Serving::Dead,
    };
    (seen.expired, seen.settles) == (token.expires <= now, token.issued.after(credential.terms.settle))
        && (seen.proof, seen.serving) == (proof, serving)
}
