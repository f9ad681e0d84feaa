//! The rules that everybody writes first. Each is caught, and by what is said here.

use outlast_state::{
    Credential, CredentialInput, CredentialState, Delivery, Epoch, Held, Input, Need, Proof, Reason, Seen, Serving,
    Span, State, Terms, Time, Verdict,
};

use super::rules::{Rules, SHIPPING};
use super::search::{Model, Search};
use super::{Calls, PLAIN, Scope};

/// The invariants that do not hold under `model`'s rules, with one delivery and with two.
pub(crate) fn broken_by(name: &str, model: Model) -> Vec<&'static str> {
    let one = Search::<1, 1>::of(Model { most: 20_000, ..model });
    let two = Search::<2, 1>::of(Model { most: 10_000, ..model });
    let mut broken: Vec<&'static str> = one.broken.keys().chain(two.broken.keys()).copied().collect();
    broken.sort_unstable();
    broken.dedup();
    println!("{name}: caught by {broken:?} in {} and {} states", one.states, two.states);
    if let Some((invariant, told)) = one.broken.first_key_value().or(two.broken.first_key_value()) {
        println!("{invariant}: {told}");
    }
    broken
}

/// The token of the request in the air, where `input` says that it was refused.
pub(crate) fn refused(before: &Delivery, input: &Input) -> Option<(Epoch, Seen)> {
    match (before.state, *input) {
        (State::Sending { epoch, .. }, Input::Answered { attempt, verdict: Verdict::TokenRefused, seen, .. })
            if attempt == before.attempt =>
        {
            Some((epoch, seen))
        }
        _ => None,
    }
}

/// Every refusal asks for another token.
fn ask(before: Delivery, input: Input, now: Time) -> Delivery {
    match refused(&before, &input) {
        Some((rejected, _)) => Delivery { state: State::Refreshing { rejected }, ..before },
        None => before.step(input, now),
    }
}

/// Who asks is heard, whatever was refused and however young it is.
fn obey(before: Credential, input: CredentialInput, now: Time) -> Credential {
    let serving = match before.state {
        CredentialState::Current { serving, .. } | CredentialState::Refreshing { held: Held::Serving(serving), .. } => {
            serving.epoch
        }
        CredentialState::Refreshing { .. } | CredentialState::Dead { .. } => return before.step(input, now),
    };
    let CredentialInput::Needed { why: Need::Refused, .. } = input else { return before.step(input, now) };
    let eager = Credential { terms: Terms::of(Span::ZERO), renewed: Time::ZERO, fruitless: 0, ..before };
    let after = eager.step(CredentialInput::Needed { past: serving, why: Need::Refused }, now);
    Credential { terms: before.terms, renewed: before.renewed, fruitless: before.fruitless, ..after }
}

#[test]
fn refresh_retry_once_and_drop_is_caught() {
    /// What was refused once is marked by the batch that it may share: nothing else uses that here.
    const ONCE: u32 = 7;
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        match refused(&before, &input) {
            Some(_) if before.at_most == ONCE => {
                let state = State::Failed { at: now, reason: Reason::CredentialDead, in_doubt: before.doubt };
                Delivery { state, ..before }
            }
            Some((rejected, _)) => Delivery { state: State::Refreshing { rejected }, at_most: ONCE, ..before },
            None => before.step(input, now),
        }
    }
    let rules = Rules { delivery, credential: obey, ..SHIPPING };
    let broken = broken_by("refresh on 401, retry once at once, then drop", Model { rules, ..PLAIN });
    assert!(broken.contains(&"S1"), "a delivery is lost");
}

#[test]
fn never_refresh_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        let (Some((epoch, _)), Input::Answered { attempt, verdict, choice, .. }) = (refused(&before, &input), input)
        else {
            return before.step(input, now);
        };
        let (serving, settles) = (Serving::Epoch(epoch), Time::NEVER);
        let seen = Seen { serving, expired: false, settles, proof: Proof::Never };
        before.step(Input::Answered { attempt, verdict, seen, choice }, now)
    }
    let broken =
        broken_by("never refresh on this code, retry later", Model { rules: Rules { delivery, ..SHIPPING }, ..PLAIN });
    assert!(broken.contains(&"L1 livelock"), "a token that the provider ended is sent for ever");
}

#[test]
fn refresh_on_every_refusal_is_caught() {
    let rules = Rules { delivery: ask, credential: obey, ..SHIPPING };
    let scope = Scope { calls: Calls::Any, ..PLAIN.scope };
    let broken = broken_by("refresh on every such 401, retry later", Model { rules, scope, ..PLAIN });
    for invariant in ["S3", "S4", "S5", "L3"] {
        assert!(broken.contains(&invariant), "{invariant}");
    }
}

/// One refresh at a time, and no memory of what was refreshed when.
pub(crate) const LOCK_ONLY: Rules = Rules { delivery: ask, credential: obey, ..SHIPPING };

#[test]
fn a_lock_around_the_refresh_is_not_enough() {
    let broken = broken_by("single-flight lock only", Model { rules: LOCK_ONLY, ..PLAIN });
    assert!(!broken.contains(&"S3"), "it does order the storm");
    for invariant in ["S4", "S5", "L3"] {
        assert!(broken.contains(&invariant), "{invariant}");
    }
}
