//! The delivery's table.

use alloc::vec::Vec;

use super::{DeliveryRow, Rule, Sample, but, expand, is, when};
use crate::delivery::{Choice, Delivery, Input, Reason, State, Then};
use crate::id::{Attempt, Batch, DeliveryId, Epoch};
use crate::ruling::{Proof, Ruling, Seen, Serving, rule};
use crate::time::{Span, Time};
use crate::verdict::{Load, Receipt, Verdict, Why};

/// The lines of the delivery's table: its six states, with `Sending` in two.
pub const DELIVERY_LINES: [&str; 7] = [PENDING, SENDING, TO_STOP, AWAITING, REFRESHING, DONE, FAILED];

const PENDING: &str = "Pending";
const SENDING: &str = "Sending";
const TO_STOP: &str = "Sending, to stop";
const AWAITING: &str = "AwaitingPropagation";
const REFRESHING: &str = "Refreshing";
const DONE: &str = "Done";
const FAILED: &str = "Failed";

/// The facts of the delivery's table: its inputs, answers by verdict, and a refused token by its ruling.
pub const DELIVERY_FACTS: [&str; 17] = [
    ADMITTED,
    ACCEPTED,
    FAILING,
    THROTTLED,
    NOT_YET,
    RESEND,
    WAIT,
    LOST,
    DEAD,
    MOVE,
    REFUSED,
    SPLIT,
    UNKNOWN,
    INTERRUPTED,
    DEADLINE,
    CANCELLED,
    REDRIVEN,
];

const ADMITTED: &str = "Admitted";
const ACCEPTED: &str = "Answered: Accepted";
const FAILING: &str = "Answered: Busy, failing";
const THROTTLED: &str = "Answered: Busy, throttled";
const NOT_YET: &str = "Answered: NotYet";
const RESEND: &str = "Answered: TokenRefused, ruled Resend";
const WAIT: &str = "Answered: TokenRefused, ruled Wait";
const LOST: &str = "Answered: TokenRefused, ruled Lost";
const DEAD: &str = "Answered: TokenRefused, ruled Dead";
const MOVE: &str = "Answered: TokenRefused, ruled Move";
const REFUSED: &str = "Answered: Refused";
const SPLIT: &str = "Answered: Split";
const UNKNOWN: &str = "Answered: Unknown";
const INTERRUPTED: &str = "Interrupted";
const DEADLINE: &str = "DeadlinePassed";
const CANCELLED: &str = "Cancelled";
const REDRIVEN: &str = "Redriven";

/// Everything that is about one request.
const ANSWERS: &[&str] =
    &[ACCEPTED, FAILING, THROTTLED, NOT_YET, RESEND, WAIT, LOST, DEAD, MOVE, REFUSED, SPLIT, UNKNOWN, INTERRUPTED];

/// Answers that end a delivery that is to stop.
const ENDINGS: &[&str] =
    &[FAILING, THROTTLED, NOT_YET, RESEND, WAIT, LOST, DEAD, MOVE, REFUSED, SPLIT, UNKNOWN, INTERRUPTED];

const WAITING: &[&str] = &[PENDING, AWAITING, REFRESHING];

type DeliveryRule = Rule<Delivery, Input>;

/// The rows that do something, and beside them what keeps them from it.
const RULES: &[DeliveryRule] = &[
    is(&[PENDING, AWAITING], &[ADMITTED], "its time has come, and the attempt is a new one", SENDING),
    but(&[PENDING, AWAITING], &[ADMITTED], "its time has not come", too_early),
    is(&[REFRESHING], &[ADMITTED], "the token is later than the refused one, and the attempt is a new one", SENDING),
    but(&[REFRESHING], &[ADMITTED], "the token is the refused one, or one before it", same_token),
    but(WAITING, &[ADMITTED], "the attempt is not a new one", old_attempt),
    is(WAITING, &[ACCEPTED], "the answer is to its last attempt, and comes late", DONE),
    but(WAITING, &[ACCEPTED], "the answer is to another attempt", other_attempt),
    is(WAITING, &[DEADLINE], "the deadline has passed", FAILED),
    but(WAITING, &[DEADLINE], "the deadline has not passed", too_early),
    is(WAITING, &[CANCELLED], "", FAILED),
    but(&[SENDING, TO_STOP], ANSWERS, "the answer is to another attempt", other_attempt),
    is(&[SENDING, TO_STOP], &[ACCEPTED], "", DONE),
    when(&[SENDING], &[FAILING], "the policy gives up", FAILED, given_up),
    when(&[SENDING], &[FAILING], "the budget is used up", FAILED, used_up),
    is(&[SENDING], &[FAILING], "otherwise: later, not before the provider's own wait", PENDING),
    when(&[SENDING], &[THROTTLED], "the policy gives up", FAILED, given_up),
    is(&[SENDING], &[THROTTLED], "otherwise: later, not before the provider's own wait. No budget is spent", PENDING),
    is(&[SENDING], &[NOT_YET], "later, not before the provider's own wait. No budget is spent", PENDING),
    is(&[SENDING], &[RESEND], "due now, with the token that serves. No budget is spent", PENDING),
    is(&[SENDING], &[WAIT], "a short wait, then the same token again. No budget is spent", AWAITING),
    is(&[SENDING], &[LOST], "until a later token serves. No budget is spent", REFRESHING),
    when(&[SENDING], &[DEAD], "the policy gives up", FAILED, given_up),
    is(&[SENDING], &[DEAD], "otherwise: parked until a human authorises. No budget is spent", REFRESHING),
    is(
        &[SENDING],
        &[MOVE],
        "until a later token serves: the credential is asked to move. No budget is spent",
        REFRESHING,
    ),
    is(&[SENDING], &[REFUSED], "", FAILED),
    is(&[SENDING], &[SPLIT], "the batch held several: due now, in at most half of it. No budget is spent", PENDING),
    when(&[SENDING], &[SPLIT], "it was alone, and the policy gives up", FAILED, alone_given_up),
    when(&[SENDING], &[SPLIT], "it was alone, and the budget is used up", FAILED, alone_used_up),
    when(&[SENDING], &[SPLIT], "it was alone: later, as when the destination fails", PENDING, alone),
    when(&[SENDING], &[UNKNOWN, INTERRUPTED], "the policy gives up: held for an operator", FAILED, given_up),
    when(&[SENDING], &[UNKNOWN], "the budget is used up", FAILED, used_up),
    when(&[SENDING], &[INTERRUPTED], "the budget is used up, and the engine had not stopped cleanly", FAILED, used_up),
    is(
        &[SENDING],
        &[UNKNOWN],
        "otherwise: later, with the same key and bytes; it stays in doubt until it is done",
        PENDING,
    ),
    is(&[SENDING], &[INTERRUPTED], "otherwise: as for Unknown; a clean stop spends no budget", PENDING),
    is(&[SENDING], &[DEADLINE], "the deadline has passed: the answer decides", TO_STOP),
    but(&[SENDING], &[DEADLINE], "the deadline has not passed", too_early),
    is(&[SENDING], &[CANCELLED], "the answer decides", TO_STOP),
    is(&[TO_STOP], ENDINGS, "for the reason of the stop; in doubt if nobody knows whether it arrived", FAILED),
    is(&[FAILED], &[REDRIVEN], "due now, with a new deadline and budget; attempts go on counting", PENDING),
];

/// Every row of the delivery's table: at least one for each of [`DELIVERY_LINES`] × [`DELIVERY_FACTS`].
#[must_use]
pub fn delivery() -> Vec<DeliveryRow> {
    expand(&DELIVERY_LINES, &DELIVERY_FACTS, RULES, |line, fact| Sample {
        before: Delivery { state: state(line), ..PLAIN },
        input: input(fact),
        now: NOW,
    })
}

/// The line of [`DELIVERY_LINES`] on which a state stands.
#[must_use]
pub const fn delivery_line(state: &State) -> &'static str {
    match state {
        State::Sending { then: Then::Stop { .. }, .. } => TO_STOP,
        other => other.name(),
    }
}

/// Which of [`DELIVERY_FACTS`] an input is, for a delivery whose request carries the token of `sent`.
#[must_use]
pub fn delivery_fact(input: &Input, sent: Epoch, now: Time) -> &'static str {
    match input {
        Input::Admitted { .. } => ADMITTED,
        Input::Answered { verdict, seen, .. } => match verdict {
            Verdict::Accepted { .. } => ACCEPTED,
            Verdict::Busy { load: Load::Failing, .. } => FAILING,
            Verdict::Busy { load: Load::Throttled, .. } => THROTTLED,
            Verdict::NotYet { .. } => NOT_YET,
            Verdict::TokenRefused => match rule(sent, *seen, now) {
                Ruling::Resend => RESEND,
                Ruling::Wait => WAIT,
                Ruling::Lost => LOST,
                Ruling::Dead => DEAD,
                Ruling::Move => MOVE,
            },
            Verdict::Refused { .. } => REFUSED,
            Verdict::Split => SPLIT,
            Verdict::Unknown => UNKNOWN,
        },
        Input::Interrupted { .. } => INTERRUPTED,
        Input::DeadlinePassed => DEADLINE,
        Input::Cancelled => CANCELLED,
        Input::Redriven { .. } => REDRIVEN,
    }
}

const NOW: Time = Time::from_millis(1_000_000);
const EARLIER: Time = Time::from_millis(999_999);
const LATER: Time = Time::from_millis(1_060_000);
const FIRST: Attempt = Attempt::NONE.next();
const SENT: Epoch = Epoch::NONE.next();
const AGAIN: Choice = Choice::Again { at: LATER };
const SOON: Span = Span::from_secs(1);

/// A delivery whose time and deadline have just come, after its first attempt.
const PLAIN: Delivery = Delivery {
    id: DeliveryId::from_u128(7),
    state: State::Pending { due: NOW },
    attempt: FIRST,
    spent: 0,
    budget: 3,
    deadline: NOW,
    at_most: u32::MAX,
    doubt: false,
};

fn state(line: &str) -> State {
    let sending = |then| State::Sending { epoch: SENT, by: LATER, batch: Batch::from_number(1), index: 0, of: 2, then };
    match line {
        SENDING => sending(Then::Continue),
        TO_STOP => sending(Then::Stop { reason: Reason::Cancelled }),
        AWAITING => State::AwaitingPropagation { epoch: SENT, until: NOW },
        REFRESHING => State::Refreshing { rejected: SENT },
        DONE => State::Done { at: EARLIER, receipt: Receipt { status: 201 } },
        FAILED => State::Failed { at: EARLIER, reason: Reason::Exhausted, in_doubt: false },
        _ => State::Pending { due: NOW },
    }
}

fn input(fact: &str) -> Input {
    let answered = |verdict, seen| Input::Answered { attempt: FIRST, verdict, seen, choice: AGAIN };
    let refused = |serving, settles| {
        answered(Verdict::TokenRefused, Seen { serving, expired: false, settles, proof: Proof::Never })
    };
    match fact {
        ACCEPTED => answered(Verdict::Accepted { receipt: Receipt { status: 201 } }, Seen::NONE),
        FAILING => answered(Verdict::Busy { after: SOON, load: Load::Failing }, Seen::NONE),
        THROTTLED => answered(Verdict::Busy { after: SOON, load: Load::Throttled }, Seen::NONE),
        NOT_YET => answered(Verdict::NotYet { after: SOON }, Seen::NONE),
        RESEND => refused(Serving::Epoch(SENT.next()), Time::ZERO),
        WAIT => refused(Serving::Epoch(SENT), LATER),
        LOST => refused(Serving::Nothing, Time::ZERO),
        DEAD => refused(Serving::Dead, Time::ZERO),
        MOVE => refused(Serving::Epoch(SENT), NOW),
        REFUSED => answered(Verdict::Refused { why: Why::Rejected { status: 400 } }, Seen::NONE),
        SPLIT => answered(Verdict::Split, Seen::NONE),
        UNKNOWN => answered(Verdict::Unknown, Seen::NONE),
        INTERRUPTED => Input::Interrupted { attempt: FIRST, clean: false, choice: AGAIN },
        DEADLINE => Input::DeadlinePassed,
        CANCELLED => Input::Cancelled,
        REDRIVEN => Input::Redriven { deadline: LATER, budget: 5 },
        _ => {
            let (attempt, epoch, batch) = (FIRST.next(), SENT.next(), Batch::from_number(2));
            Input::Admitted { attempt, epoch, by: LATER, batch, index: 0, of: 2 }
        }
    }
}

fn too_early(sample: &mut Sample<Delivery, Input>) {
    sample.now = EARLIER;
}

fn same_token(sample: &mut Sample<Delivery, Input>) {
    if let Input::Admitted { epoch, .. } = &mut sample.input {
        *epoch = SENT;
    }
}

fn old_attempt(sample: &mut Sample<Delivery, Input>) {
    if let Input::Admitted { attempt, .. } = &mut sample.input {
        *attempt = FIRST;
    }
}

fn other_attempt(sample: &mut Sample<Delivery, Input>) {
    sample.before.attempt = FIRST.next();
}

fn given_up(sample: &mut Sample<Delivery, Input>) {
    if let Input::Answered { choice, .. } | Input::Interrupted { choice, .. } = &mut sample.input {
        *choice = Choice::GiveUp;
    }
}

fn used_up(sample: &mut Sample<Delivery, Input>) {
    sample.before.budget = 1;
}

fn alone(sample: &mut Sample<Delivery, Input>) {
    if let State::Sending { of, .. } = &mut sample.before.state {
        *of = 1;
    }
}

fn alone_given_up(sample: &mut Sample<Delivery, Input>) {
    alone(sample);
    given_up(sample);
}

fn alone_used_up(sample: &mut Sample<Delivery, Input>) {
    alone(sample);
    used_up(sample);
}
