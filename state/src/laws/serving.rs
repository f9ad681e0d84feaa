//! Laws of the credential's step: what it serves, and what it dies of.

use super::Law;
use super::broken::hold;
use super::credential::{is_dead, is_refreshing, settled, told};
use crate::credential::{
    Cause, Credential, CredentialInput, CredentialState, Grant, Held, Inquiry, Need, Offer, Token, TokenProof,
};
use crate::ruling::{Proof, Serving};
use crate::time::Time;

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

/// L2: what is dead stays so until a human authorises it, or mends the configuration that it died of, or it needs no human
/// to get a token. Each is heard.
///
/// # Errors
/// When that is not so.
pub fn dead_needs_a_human(before: Credential, input: CredentialInput, now: Time) -> Law {
    let after = before.step(input, now);
    let terms = match input {
        CredentialInput::ConfigurationChanged { terms } => terms,
        _ => before.terms,
    };
    let mints = |cause| terms.mints && matches!(cause, Cause::NeverAuthorised | Cause::NoRefreshToken);
    let misconfigured = match before.state {
        CredentialState::Dead { cause, .. } => cause == Cause::Misconfigured || mints(cause),
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
        (true, Some(cause), _) => {
            let goes_on = if served { !is_refreshing(&after) } else { is_dead(&after) };
            after.grant == Grant::Ended { cause } && goes_on
        }
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
        // Its issuer says that it is dead.
        (CredentialInput::Introspected { epoch, .. }, _) if epoch == serving.epoch && is_dead(&after) => {
            before.inquiry == Inquiry::Asked { epoch }
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
    let settled = token.issued.after(credential.terms.settle);
    let settles = match credential.inquiry {
        Inquiry::Asked { epoch } if epoch == token.epoch => Time::NEVER,
        Inquiry::Stands { epoch, until } if epoch == token.epoch => settled.max(until),
        Inquiry::None | Inquiry::Asked { .. } | Inquiry::Stands { .. } => settled,
    };
    (seen.expired, seen.settles) == (token.expires <= now, settles) && (seen.proof, seen.serving) == (proof, serving)
}
