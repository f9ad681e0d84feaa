//! Laws over sequences of inputs.

use super::Law;
use super::broken::hold;
use crate::credential::{Credential, CredentialInput, CredentialState, Held};
use crate::delivery::{Delivery, Input, State};
use crate::time::{Span, Time};

/// `input` as it would reach `delivery`: about its attempt, and admitted with a token that it may carry. A drawn input
/// is nearly always about another attempt, and does nothing.
#[must_use]
pub fn fitted(input: Input, delivery: &Delivery) -> Input {
    match input {
        Input::Admitted { epoch, by, batch, index, of, .. } => {
            let epoch = match delivery.state {
                State::Refreshing { rejected } => epoch.max(rejected.next()),
                _ => epoch,
            };
            Input::Admitted { attempt: delivery.attempt.next(), epoch, by, batch, index, of }
        }
        Input::Answered { verdict, seen, choice, .. } => {
            Input::Answered { attempt: delivery.attempt, verdict, seen, choice }
        }
        Input::Interrupted { clean, choice, .. } => Input::Interrupted { attempt: delivery.attempt, clean, choice },
        Input::DeadlinePassed | Input::Cancelled | Input::Redriven { .. } => input,
    }
}

/// `input` as it would reach `credential`: about its call, or the token that it serves.
#[must_use]
pub fn fitted_credential(input: CredentialInput, credential: &Credential) -> CredentialInput {
    let from = credential.epoch;
    let (older, newer) = match credential.state {
        CredentialState::Current { serving, next } => (serving.epoch, next.map_or(serving.epoch, |next| next.epoch)),
        CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => {
            (token.epoch, token.epoch)
        }
        CredentialState::Dead { .. } => (from, from),
    };
    match input {
        CredentialInput::Needed { why, .. } => CredentialInput::Needed { past: older, why },
        CredentialInput::Renewed { issued, expires, ends, .. } => {
            CredentialInput::Renewed { from, issued, expires, ends }
        }
        CredentialInput::RefusedForGood { cause, .. } => CredentialInput::RefusedForGood { from, cause },
        CredentialInput::Misconfigured { .. } => CredentialInput::Misconfigured { from },
        CredentialInput::Unknown { retry_at, .. } => CredentialInput::Unknown { from, retry_at },
        CredentialInput::Accepted { sent, .. } => CredentialInput::Accepted { epoch: newer, sent },
        CredentialInput::TokenRefused { sent, .. } => CredentialInput::TokenRefused { epoch: older, sent },
        CredentialInput::ScopeMissing { .. } => CredentialInput::ScopeMissing { epoch: older },
        CredentialInput::Introspected { standing, .. } => CredentialInput::Introspected { epoch: older, standing },
        CredentialInput::RefreshDue
        | CredentialInput::Interrupted
        | CredentialInput::Authorised { .. }
        | CredentialInput::ConfigurationChanged { .. }
        | CredentialInput::Revoked => input,
    }
}

/// L3: two stored renewals are at least a settle window apart; after a known expiry, or a configuration that a human
/// mended, at least 30 s. Whatever the provider answers; the shell asks no earlier than the credential wants.
///
/// # Errors
/// When two are nearer.
pub fn renewals_spaced(start: Credential, happened: &[(Span, CredentialInput)]) -> Law {
    let mut credential = start;
    let mut now = start.renewed.after(Span::from_millis(1));
    let mut least = start.terms.settle;
    let mut exempt = false;
    // When a refresh that had begun may go on was decided before, and by nobody who is judged here.
    let mut judged = false;
    for (gap, input) in happened {
        now = now.after(*gap);
        let input = fitted_credential(*input, &credential);
        if let (CredentialInput::Renewed { .. }, CredentialState::Refreshing { not_before, .. }) =
            (input, credential.state)
        {
            now = now.max(not_before);
        }
        let after = credential.step(input, now);
        judged = judged || !matches!(credential.state, CredentialState::Refreshing { .. });
        least = least.min(after.terms.settle);
        let stored = after.renewed != credential.renewed || after.epoch != credential.epoch;
        if stored && matches!(input, CredentialInput::Renewed { .. }) && credential.renewed != Time::ZERO {
            let apart = now.since(credential.renewed);
            let needed = if exempt { least.min(Span::from_secs(30)) } else { least };
            hold(!judged || now == Time::NEVER || apart >= needed, "L3 Bounded renewals", || {
                alloc::format!("{credential:?}\nstored a renewal {apart} after the one before, and not {needed}")
            })?;
            (judged, exempt, least) = (true, false, after.terms.settle);
        }
        exempt = exempt || asks_after_expiry(&after, now);
        credential = after;
    }
    Ok(())
}

/// Whether it asks for a token because the one it had is known to be expired.
fn asks_after_expiry(credential: &Credential, now: Time) -> bool {
    match credential.state {
        CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => token.is_expired(now),
        CredentialState::Current { .. } | CredentialState::Dead { .. } => false,
    }
}
