//! Laws of the delivery's step.

use super::Law;
use super::broken::hold;
use crate::delivery::{Choice, Delivery, Input, Reason, State, Then, Want};
use crate::id::{Attempt, Epoch};
use crate::ruling::{Proof, STRAY_REFUSALS, Seen, Serving};
use crate::time::{Span, Time};
use crate::verdict::{Load, Verdict};

/// A law of the delivery's step.
pub type DeliveryLaw = fn(Delivery, Input, Time) -> Law;

/// Every law of the delivery's step, by name.
pub const DELIVERY_LAWS: [(&str, DeliveryLaw); 15] = [
    ("total", total),
    ("final_is_final", final_is_final),
    ("attempts_only_grow", attempts_only_grow),
    ("waiting_never_spends", waiting_never_spends),
    ("stale_refusal_resends", stale_refusal_resends),
    ("refusal_is_ruled", refusal_is_ruled),
    ("not_early", not_early),
    ("provider_is_heard", provider_is_heard),
    ("split_halves", split_halves),
    ("accepted_is_done", accepted_is_done),
    ("answers_of_others_ignored", answers_of_others_ignored),
    ("stop_is_heeded", stop_is_heeded),
    ("doubt_stays", doubt_stays),
    ("deadline_ends", deadline_ends),
    ("waiting_is_left_by_admission", waiting_is_left_by_admission),
];

const fn is_final(delivery: &Delivery) -> bool {
    matches!(delivery.state, State::Done { .. } | State::Failed { .. })
}

const fn is_sending(delivery: &Delivery) -> bool {
    matches!(delivery.state, State::Sending { .. })
}

/// The request in the air, where `input` is its answer and nothing came between: its epoch, its size, the verdict.
fn answer(before: &Delivery, input: &Input) -> Option<(Epoch, u32, Verdict, Seen, Choice)> {
    match (before.state, *input) {
        (
            State::Sending { epoch, of, then: Then::Continue, .. },
            Input::Answered { attempt, verdict, seen, choice },
        ) if attempt == before.attempt => Some((epoch, of, verdict, seen, choice)),
        (State::Sending { epoch, of, then: Then::Continue, .. }, Input::Interrupted { attempt, choice, .. })
            if attempt == before.attempt =>
        {
            Some((epoch, of, Verdict::Unknown, Seen::NONE, choice))
        }
        _ => None,
    }
}

fn told(before: &Delivery, input: &Input, now: Time) -> alloc::string::String {
    alloc::format!("{before:?}\nat {now:?} met {input:?}\nand became {:?}", before.step(*input, now))
}

/// S1: every state has an answer to every input; what a parcel is does not change by it, and a live delivery wants something.
///
/// # Errors
/// When that is not so.
pub fn total(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let redriven = matches!(input, Input::Redriven { .. });
    let same = after.id == before.id
        && (redriven || (after.budget, after.deadline) == (before.budget, before.deadline))
        && after.at_most <= before.at_most.max(1)
        && after.at_most >= before.at_most.min(1);
    let wants = match after.wants() {
        Want::Nothing => is_final(&after),
        Want::Answer { attempt, by } => {
            attempt == after.attempt && matches!(after.state, State::Sending { by: until, .. } if until == by)
        }
        Want::Admission { .. } | Want::Token { .. } => !is_final(&after) && !is_sending(&after),
    };
    hold(same && wants, "S1 No loss", || told(&before, &input, now))
}

/// S2: `Done` never changes; `Failed` changes only by redrive, which starts it anew with what it says.
///
/// # Errors
/// When that is not so.
pub fn final_is_final(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let holds = match (before.state, input) {
        (State::Failed { .. }, Input::Redriven { deadline, budget }) => {
            let state = State::Pending { due: now };
            after == Delivery { state, spent: 0, budget, deadline, ..before }
        }
        (State::Done { .. } | State::Failed { .. }, _) => after == before,
        (_, Input::Redriven { .. }) => after == before,
        _ => true,
    };
    hold(holds, "S2 Final is final", || told(&before, &input, now))
}

/// S8: the attempt's number only grows, by admission alone, and is what the admission said.
///
/// # Errors
/// When that is not so.
pub fn attempts_only_grow(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let admitted = is_sending(&after) && !is_sending(&before);
    let named = match input {
        Input::Admitted { attempt, epoch, by, batch, index, of } => {
            attempt == after.attempt
                && after.state == State::Sending { epoch, by, batch, index, of, then: Then::Continue }
        }
        _ => false,
    };
    let holds = if admitted { after.attempt > before.attempt && named } else { after.attempt == before.attempt };
    hold(holds, "S8 Honest counting", || told(&before, &input, now))
}

/// S8: an attempt spends the budget by one, when the destination failed, nobody knows, or a single item was to be split.
/// Throttling, a refused token, a resource that is not visible yet, a split and a clean stop spend nothing. What is used
/// up fails.
///
/// # Errors
/// When that is not so.
pub fn waiting_never_spends(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let spends = match answer(&before, &input) {
        Some((_, of, verdict, _, _)) => match verdict {
            Verdict::Busy { load: Load::Failing, .. } => true,
            Verdict::Unknown => !matches!(input, Input::Interrupted { clean: true, .. }),
            Verdict::Split => of < 2,
            Verdict::Busy { load: Load::Throttled, .. }
            | Verdict::Accepted { .. }
            | Verdict::NotYet { .. }
            | Verdict::TokenRefused
            | Verdict::Refused { .. } => false,
        },
        None => false,
    };
    let expected = match (spends, before.state, input) {
        (_, State::Failed { .. }, Input::Redriven { .. }) => 0,
        (true, _, _) => before.spent.saturating_add(1),
        _ => before.spent,
    };
    let again = matches!(answer(&before, &input), Some((.., Choice::Again { .. })));
    let used_up = !(spends && again) || (is_final(&after) == (after.spent >= before.budget));
    let exhausted = matches!(after.state, State::Failed { reason: Reason::Exhausted, .. });
    let honest = !exhausted || is_final(&before) || !again || spends;
    hold(after.spent == expected && used_up && honest, "S8 Honest counting", || told(&before, &input, now))
}

/// S5: the refusal of a token that does not serve sends again at once, and never causes a refresh.
///
/// # Errors
/// When that is not so.
pub fn stale_refusal_resends(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let holds = match answer(&before, &input) {
        Some((sent, _, Verdict::TokenRefused, Seen { serving: Serving::Epoch(serving), .. }, _)) if serving != sent => {
            after.state == State::Pending { due: now }
        }
        _ => true,
    };
    hold(holds, "S5 Stale refusals re-send", || told(&before, &input, now))
}

/// S4: the refusal of a serving token that is young, or works as far as is known, waits; of any other, moves on. So
/// does one of a dead or a lost token.
///
/// # Errors
/// When that is not so.
pub fn refusal_is_ruled(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let Some((sent, _, Verdict::TokenRefused, seen, choice)) = answer(&before, &input) else { return Ok(()) };
    let stray = match seen.proof {
        Proof::Never => false,
        Proof::Accepted { later, refusals } => later || refusals < STRAY_REFUSALS,
    };
    let means_nothing = !seen.expired && (stray || now < seen.settles);
    let moved = after.state == State::Refreshing { rejected: sent };
    let holds = match seen.serving {
        Serving::Epoch(serving) if serving != sent => true,
        Serving::Epoch(_) if means_nothing => match (after.state, choice) {
            (State::AwaitingPropagation { epoch, until }, Choice::Again { at }) => {
                epoch == sent && until == at.max(now)
            }
            (State::AwaitingPropagation { epoch, until }, Choice::GiveUp) => {
                epoch == sent && (until > now || now == Time::NEVER)
            }
            _ => now == Time::NEVER,
        },
        Serving::Dead if choice == Choice::GiveUp => {
            matches!(after.state, State::Failed { reason: Reason::CredentialDead, .. })
        }
        Serving::Epoch(_) | Serving::Nothing | Serving::Dead => moved,
    };
    hold(holds, "S4 Settle", || told(&before, &input, now))
}

/// S9 and S12: nothing is admitted before its time, or with a token that was refused and means something; and what
/// may be admitted is.
///
/// # Errors
/// When that is not so.
pub fn not_early(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let Input::Admitted { attempt, epoch, .. } = input else { return Ok(()) };
    let may = match before.state {
        State::Pending { due: from } | State::AwaitingPropagation { until: from, .. } => from <= now,
        State::Refreshing { rejected } => epoch > rejected,
        State::Sending { .. } | State::Done { .. } | State::Failed { .. } => false,
    };
    let asked = before.may_be_admitted(epoch, now) == may;
    let holds = if may && attempt > before.attempt { is_sending(&after) } else { after == before };
    hold(asked && holds, "S9 Spacing", || told(&before, &input, now))
}

/// S9: the next attempt is not before the policy's time, the provider's own wait, or now.
///
/// # Errors
/// When that is not so.
pub fn provider_is_heard(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let Some((_, of, verdict, _, choice)) = answer(&before, &input) else { return Ok(()) };
    let asked = match verdict {
        Verdict::Busy { after, .. } | Verdict::NotYet { after } => after,
        Verdict::Unknown => Span::ZERO,
        Verdict::Split if of < 2 => Span::ZERO,
        Verdict::Accepted { .. } | Verdict::TokenRefused | Verdict::Refused { .. } | Verdict::Split => return Ok(()),
    };
    let chosen = match choice {
        Choice::Again { at } => at,
        Choice::GiveUp => Time::ZERO,
    };
    let holds = match after.state {
        State::Pending { due } => due == now.after(asked).max(chosen),
        _ => is_final(&after) && !matches!(verdict, Verdict::NotYet { .. }),
    };
    let gives_up = choice == Choice::GiveUp && !matches!(verdict, Verdict::NotYet { .. });
    hold(holds && (!gives_up || is_final(&after)), "S9 Spacing", || told(&before, &input, now))
}

/// L1: a batch that is to be split is sent again in at most half of it, down to one; nothing else changes the largest
/// batch that a delivery may share.
///
/// # Errors
/// When that is not so.
pub fn split_halves(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let holds = match answer(&before, &input) {
        Some((_, of, Verdict::Split, ..)) if of >= 2 => {
            let half = before.at_most.min(of).div_euclid(2).max(1);
            after.state == State::Pending { due: now } && after.at_most == half
        }
        _ => after.at_most == before.at_most,
    };
    hold(holds, "L1 Progress", || told(&before, &input, now))
}

/// L1: the acceptance of the last attempt makes a live delivery `Done`, also when it comes late; and nothing else does.
///
/// # Errors
/// When that is not so.
pub fn accepted_is_done(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let expected = match input {
        Input::Answered { attempt, verdict: Verdict::Accepted { receipt }, .. }
            if !is_final(&before) && attempt == before.attempt && (is_sending(&before) || attempt > Attempt::NONE) =>
        {
            after.state == State::Done { at: now, receipt }
        }
        _ => !matches!(after.state, State::Done { .. }) || after == before,
    };
    hold(expected, "L1 Progress", || told(&before, &input, now))
}

/// S8: an answer to another attempt, or to none, changes nothing.
///
/// # Errors
/// When that is not so.
pub fn answers_of_others_ignored(before: Delivery, input: Input, now: Time) -> Law {
    let other = match input {
        Input::Answered { attempt, .. } | Input::Interrupted { attempt, .. } => attempt != before.attempt,
        _ => false,
    };
    hold(!other || before.step(input, now) == before, "S8 Honest counting", || told(&before, &input, now))
}

/// S2: a delivery that is to stop ends with the answer, as `Done` or for the reason of the stop, and is never sent again.
///
/// # Errors
/// When that is not so.
pub fn stop_is_heeded(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let holds = match before.state {
        State::Sending { then: Then::Stop { reason }, .. } => match input {
            Input::Answered { attempt, verdict: Verdict::Accepted { .. }, .. } if attempt == before.attempt => {
                matches!(after.state, State::Done { .. })
            }
            Input::Answered { attempt, .. } | Input::Interrupted { attempt, .. } if attempt == before.attempt => {
                matches!(after.state, State::Failed { reason: why, at, .. } if why == reason && at == now)
            }
            _ => after == before,
        },
        _ => true,
    };
    hold(holds, "S2 Final is final", || told(&before, &input, now))
}

/// S1: once an attempt may have arrived, that is remembered until it is `Done`, and a failure says so. Nothing else
/// casts doubt; and what the policy holds for an operator fails for doubt.
///
/// # Errors
/// When that is not so.
pub fn doubt_stays(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let unknown = is_sending(&before)
        && match input {
            Input::Answered { attempt, verdict: Verdict::Unknown, .. } | Input::Interrupted { attempt, .. } => {
                attempt == before.attempt
            }
            _ => false,
        };
    let held = unknown && matches!(answer(&before, &input), Some((.., Choice::GiveUp)));
    let holds = match after.state {
        State::Done { .. } => after == before || !after.doubt,
        State::Failed { in_doubt, reason, .. } => {
            after == before
                || (in_doubt == after.doubt
                    && after.doubt == (before.doubt || unknown)
                    && (reason == Reason::InDoubt || !held))
        }
        _ => after.doubt == (before.doubt || unknown),
    };
    hold(holds, "S1 No loss", || told(&before, &input, now))
}

/// L1: a deadline ends nothing before it has passed; after it, and by a cancel, a live delivery ends, or is to stop.
///
/// # Errors
/// When that is not so.
pub fn deadline_ends(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    let reason = match input {
        Input::DeadlinePassed => Reason::Expired,
        Input::Cancelled => Reason::Cancelled,
        _ => return Ok(()),
    };
    let early = input == Input::DeadlinePassed && now < before.deadline;
    let holds = match (before.state, after.state) {
        _ if early || is_final(&before) => after == before,
        (State::Sending { then: Then::Stop { .. }, .. }, _) => after == before,
        (State::Sending { epoch, by, batch, index, of, .. }, stopping) => {
            stopping == State::Sending { epoch, by, batch, index, of, then: Then::Stop { reason } }
        }
        (_, State::Failed { reason: why, at, .. }) => !is_sending(&before) && why == reason && at == now,
        _ => false,
    };
    hold(holds, "L1 Progress", || told(&before, &input, now))
}

/// S1: a waiting state is left by admission alone; or ended, by the deadline, a cancel or a late acceptance.
///
/// # Errors
/// When that is not so.
pub fn waiting_is_left_by_admission(before: Delivery, input: Input, now: Time) -> Law {
    let after = before.step(input, now);
    if is_final(&before) || is_sending(&before) || after == before {
        return Ok(());
    }
    let holds = match input {
        Input::Admitted { .. } => is_sending(&after),
        Input::Answered { verdict: Verdict::Accepted { .. }, .. } => matches!(after.state, State::Done { .. }),
        Input::DeadlinePassed | Input::Cancelled => matches!(after.state, State::Failed { .. }),
        Input::Answered { .. } | Input::Interrupted { .. } | Input::Redriven { .. } => false,
    };
    hold(holds, "S1 No loss", || told(&before, &input, now))
}
