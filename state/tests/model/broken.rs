//! The shipping rules with one thing wrong. Each is caught, and by what is said here.

use outlast_state::{
    Attempt, Cause, Choice, Credential, CredentialInput, CredentialState, Delivery, Held, Input, Load, Need, Offer,
    Proof, Reason, Seen, Serving, Span, State, Terms, Then, Time, TokenProof, Trouble, Verdict,
};

use super::naive::{broken_by, refused};
use super::rules::{Rules, SHIPPING};
use super::search::Model;
use super::{PLAIN, PLANNED};

fn caught(name: &str, rules: Rules, invariant: &'static str) {
    let broken = broken_by(name, Model { rules, ..PLAIN });
    assert!(broken.contains(&invariant), "{name}: {invariant} holds; {broken:?} do not");
}

/// The step, with another credential seen.
fn seeing(before: Delivery, input: Input, now: Time, change: impl Fn(Seen) -> Seen) -> Delivery {
    match input {
        Input::Answered { attempt, verdict, seen, choice } => {
            before.step(Input::Answered { attempt, verdict, seen: change(seen), choice }, now)
        }
        _ => before.step(input, now),
    }
}

#[test]
fn a_token_given_up_whatever_its_age_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        seeing(before, input, now, |seen| Seen { settles: Time::ZERO, ..seen })
    }
    fn credential(before: Credential, input: CredentialInput, now: Time) -> Credential {
        let hasty = Credential { terms: Terms::of(Span::ZERO), ..before };
        Credential { terms: before.terms, ..hasty.step(input, now) }
    }
    caught("the delivery's guard on the token's age dropped", Rules { delivery, ..SHIPPING }, "S4");
    caught("both guards on the token's age dropped", Rules { delivery, credential, ..SHIPPING }, "S4");
    // One guard hides the loss of the other: end to end nothing goes wrong. What catches it is the law of the machine,
    // `no_refresh_while_young`.
    let rules = Rules { credential, ..SHIPPING };
    assert!(broken_by("the credential's guard on the token's age dropped", Model { rules, ..PLAIN }).is_empty());
}

#[test]
fn a_stale_refusal_that_refreshes_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        match refused(&before, &input) {
            Some((epoch, Seen { serving: Serving::Epoch(serving), .. })) if epoch != serving => {
                Delivery { state: State::Refreshing { rejected: serving }, ..before }
            }
            _ => before.step(input, now),
        }
    }
    caught("a stale refusal refreshes", Rules { delivery, ..SHIPPING }, "S5");
}

#[test]
fn a_wait_that_spends_an_attempt_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        let after = before.step(input, now);
        let spent = after.spent + u32::from(refused(&before, &input).is_some());
        Delivery { spent, ..after }
    }
    caught("waiting for a token spends an attempt", Rules { delivery, ..SHIPPING }, "S8");
}

#[test]
fn a_lost_timer_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        let after = before.step(input, now);
        match after.state {
            State::Pending { due } if due > now => Delivery { state: State::Pending { due: Time::NEVER }, ..after },
            _ => after,
        }
    }
    caught("the time of a retry is lost", Rules { delivery, ..SHIPPING }, "L1 trapped");
}

#[test]
fn an_end_that_moves_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        match (before.state, input) {
            (State::Done { .. }, Input::Cancelled) => {
                let state = State::Failed { at: now, reason: Reason::Cancelled, in_doubt: false };
                Delivery { state, ..before }
            }
            _ => before.step(input, now),
        }
    }
    caught("a cancel undoes what is done", Rules { delivery, ..SHIPPING }, "S2");
}

#[test]
fn a_next_token_that_displaces_a_working_one_is_caught() {
    fn credential(before: Credential, input: CredentialInput, now: Time) -> Credential {
        let after = before.step(input, now);
        match (input, after.state) {
            (CredentialInput::Renewed { .. }, CredentialState::Current { next: Some(serving), .. }) => {
                Credential { state: CredentialState::Current { serving, next: None }, ..after }
            }
            _ => after,
        }
    }
    let rules = Rules { credential, ..SHIPPING };
    let broken = broken_by("a planned refresh breaks before it makes", Model { rules, ..PLANNED });
    assert!(broken.contains(&"S12"), "{broken:?}");
}

#[test]
fn one_stray_refusal_that_rotates_the_token_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        seeing(before, input, now, |seen| Seen { proof: Proof::Never, ..seen })
    }
    caught("one stray refusal rotates the token", Rules { delivery, ..SHIPPING }, "S4");
}

#[test]
fn an_idle_credential_that_dies_of_untried_tokens_is_caught() {
    fn credential(before: Credential, input: CredentialInput, now: Time) -> Credential {
        let after = before.step(input, now);
        let CredentialState::Current { serving, .. } = before.state else { return after };
        let untried = matches!(serving.proof, TokenProof::Unproven { refusals: 0 });
        if !untried || !matches!(input, CredentialInput::Needed { why: Need::Expired, .. }) || after == before {
            return after;
        }
        let fruitless = before.fruitless + 1;
        let state =
            if fruitless < 2 { after.state } else { CredentialState::Dead { cause: Cause::NeverAccepted, since: now } };
        Credential { state, fruitless, ..after }
    }
    caught("tokens that nobody tried count as fruitless", Rules { credential, ..SHIPPING }, "L2");
}

#[test]
fn a_redrive_that_forgets_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        let after = before.step(input, now);
        match input {
            Input::Redriven { .. } => Delivery { attempt: Attempt::NONE, ..after },
            _ => after,
        }
    }
    caught("a redrive counts attempts anew", Rules { delivery, ..SHIPPING }, "S8");
}

#[test]
fn a_retry_after_that_nobody_hears_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        match input {
            Input::Answered { attempt, verdict: Verdict::Busy { load: Load::Throttled, .. }, seen, choice } => {
                let verdict = Verdict::Busy { after: Span::ZERO, load: Load::Throttled };
                before.step(Input::Answered { attempt, verdict, seen, choice }, now)
            }
            _ => before.step(input, now),
        }
    }
    caught("Retry-After is ignored", Rules { delivery, ..SHIPPING }, "S9");
}

#[test]
fn a_deadline_that_loses_an_acceptance_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        match (before.state, input) {
            (
                State::Sending { then: Then::Stop { reason }, .. },
                Input::Answered { verdict: Verdict::Accepted { .. }, .. },
            ) => Delivery { state: State::Failed { at: now, reason, in_doubt: false }, ..before },
            _ => before.step(input, now),
        }
    }
    caught("a deadline in the air loses an acceptance", Rules { delivery, ..SHIPPING }, "S1");
}

#[test]
fn an_interruption_that_spends_nothing_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        match input {
            Input::Interrupted { attempt, choice, .. } => {
                before.step(Input::Interrupted { attempt, clean: true, choice }, now)
            }
            _ => before.step(input, now),
        }
    }
    caught("an interruption ignores the budget", Rules { delivery, ..SHIPPING }, "S8");
}

#[test]
fn a_crash_that_is_forgotten_is_caught() {
    fn delivery(before: Delivery, input: Input, now: Time) -> Delivery {
        let after = before.step(input, now);
        match input {
            Input::Interrupted { .. } => Delivery { doubt: before.doubt, ..after },
            _ => after,
        }
    }
    fn credential(before: Credential, input: CredentialInput, now: Time) -> Credential {
        match input {
            CredentialInput::Interrupted => before,
            _ => before.step(input, now),
        }
    }
    caught("a request that a crash cut off leaves no doubt", Rules { delivery, ..SHIPPING }, "S6");
    caught("a token request that a crash cut off is forgotten", Rules { credential, ..SHIPPING }, "S7");
}

#[test]
fn an_expired_token_that_is_sent_is_caught() {
    fn offer(credential: &Credential, now: Time) -> Offer {
        match credential.state {
            CredentialState::Current { serving, .. } => Offer::Token(serving),
            CredentialState::Refreshing { held: Held::Serving(token), .. } => Offer::Token(token),
            _ => credential.offer(now),
        }
    }
    caught("an expired token is offered", Rules { offer, ..SHIPPING }, "S12");
}

#[test]
fn a_refresh_that_a_human_overtook_and_is_heard_is_caught() {
    fn credential(before: Credential, input: CredentialInput, now: Time) -> Credential {
        match input {
            CredentialInput::Renewed { issued, expires, .. } => {
                before.step(CredentialInput::Renewed { from: before.epoch, issued, expires, ends: Time::NEVER }, now)
            }
            _ => before.step(input, now),
        }
    }
    caught("the outcome of an older token request is heard", Rules { credential, ..SHIPPING }, "S3");
}

#[test]
fn a_policy_that_does_not_wait_is_caught() {
    fn choose(_: &Delivery, _: Trouble, now: Time) -> Choice {
        Choice::Again { at: now }
    }
    caught("a retry at once", Rules { choose, ..SHIPPING }, "S9");
    caught("a retry at once goes round without end", Rules { choose, ..SHIPPING }, "L1 cycle");
}

#[test]
fn a_dead_credential_that_takes_its_deliveries_along_is_caught() {
    fn choose(delivery: &Delivery, trouble: Trouble, now: Time) -> Choice {
        match trouble {
            Trouble::CredentialDead => Choice::GiveUp,
            _ => (SHIPPING.choose)(delivery, trouble, now),
        }
    }
    caught("deliveries die with their credential", Rules { choose, ..SHIPPING }, "S1");
}
