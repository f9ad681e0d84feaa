//! Strategies: a value of each public type that the laws speak about. Most times are near each other, so that guards are
//! met from both sides; some are anything.

use alloc::vec;

use proptest::prelude::*;

use super::circuit::CircuitEvent;
use super::gate::GateEvent;
use crate::circuit::Sign;
use crate::credential::{
    Cause, Credential, CredentialInput, CredentialState, Grant, Held, Inquiry, Lack, Need, Standing, Terms, Token,
    TokenProof,
};
use crate::delivery::{Choice, Delivery, Input, Reason, State, Then};
use crate::gate::Evidence;
use crate::id::{Attempt, Batch, DeliveryId, Epoch};
use crate::policy::Trouble;
use crate::ruling::{Proof, Seen, Serving};
use crate::time::{Span, Time};
use crate::verdict::{Load, Receipt, Verdict, Why};

/// A time: mostly of some around which everything happens, else any.
pub fn any_time() -> impl Strategy<Value = Time> + Clone {
    prop_oneof![
        6 => (0_u64..8).prop_map(|step| Time::from_millis(step.saturating_mul(60_000))),
        2 => (0_u64..1_000_000).prop_map(Time::from_millis),
        1 => any::<u64>().prop_map(Time::from_millis),
        1 => Just(Time::NEVER),
    ]
    .boxed()
}

/// A span: mostly nothing to minutes, else any.
pub fn any_span() -> impl Strategy<Value = Span> + Clone {
    prop_oneof![
        6 => (0_u64..8).prop_map(|step| Span::from_millis(step.saturating_mul(60_000))),
        3 => (0_u64..100_000).prop_map(Span::from_millis),
        1 => any::<u64>().prop_map(Span::from_millis),
    ]
    .boxed()
}

/// An epoch, mostly one of the first few.
pub fn any_epoch() -> impl Strategy<Value = Epoch> + Clone {
    prop_oneof![9 => 0_u32..4, 1 => any::<u32>()].prop_map(Epoch::from_number)
}

fn any_attempt() -> impl Strategy<Value = Attempt> + Clone {
    prop_oneof![9 => 0_u32..4, 1 => any::<u32>()].prop_map(Attempt::from_count)
}

fn any_count() -> impl Strategy<Value = u32> + Clone {
    prop_oneof![9 => 0_u32..5, 1 => any::<u32>()]
}

fn any_receipt() -> impl Strategy<Value = Receipt> + Clone {
    (200_u16..300).prop_map(|status| Receipt { status })
}

fn any_why() -> impl Strategy<Value = Why> + Clone {
    prop_oneof![Just(Why::Invalid), (300_u16..600).prop_map(|status| Why::Rejected { status })]
}

fn any_reason() -> impl Strategy<Value = Reason> + Clone {
    prop_oneof![
        any_why().prop_map(|why| Reason::Refused { why }),
        Just(Reason::Exhausted),
        Just(Reason::Expired),
        Just(Reason::Cancelled),
        Just(Reason::CredentialDead),
        Just(Reason::InDoubt),
    ]
    .boxed()
}

/// A verdict.
pub fn any_verdict() -> impl Strategy<Value = Verdict> + Clone {
    let load = prop_oneof![Just(Load::Failing), Just(Load::Throttled)];
    prop_oneof![
        1 => any_receipt().prop_map(|receipt| Verdict::Accepted { receipt }),
        3 => (any_span(), load).prop_map(|(after, load)| Verdict::Busy { after, load }),
        1 => any_span().prop_map(|after| Verdict::NotYet { after }),
        4 => Just(Verdict::TokenRefused),
        1 => any_why().prop_map(|why| Verdict::Refused { why }),
        1 => Just(Verdict::Split),
        1 => Just(Verdict::Unknown),
    ]
    .boxed()
}

/// A credential, as it was seen when an answer arrived.
pub fn any_seen() -> impl Strategy<Value = Seen> + Clone {
    let serving =
        prop_oneof![4 => any_epoch().prop_map(Serving::Epoch), 1 => Just(Serving::Nothing), 1 => Just(Serving::Dead)];
    let proof = prop_oneof![
        Just(Proof::Never),
        (any::<bool>(), any_count()).prop_map(|(later, refusals)| Proof::Accepted { later, refusals }),
    ];
    (serving, any::<bool>(), any_time(), proof).prop_map(|(serving, expired, settles, proof)| Seen {
        serving,
        expired,
        settles,
        proof,
    })
}

/// What a policy may choose.
fn any_choice() -> impl Strategy<Value = Choice> + Clone {
    prop_oneof![4 => any_time().prop_map(|at| Choice::Again { at }), 1 => Just(Choice::GiveUp)]
}

/// A state of a delivery.
pub fn any_state() -> impl Strategy<Value = State> + Clone {
    let then = prop_oneof![3 => Just(Then::Continue), 1 => any_reason().prop_map(|reason| Then::Stop { reason })];
    let sending = (any_epoch(), any_time(), any_count(), any_count(), then).prop_map(|(epoch, by, index, of, then)| {
        State::Sending { epoch, by, batch: Batch::from_number(1), index, of, then }
    });
    prop_oneof![
        2 => any_time().prop_map(|due| State::Pending { due }),
        5 => sending,
        1 => (any_epoch(), any_time()).prop_map(|(epoch, until)| State::AwaitingPropagation { epoch, until }),
        1 => any_epoch().prop_map(|rejected| State::Refreshing { rejected }),
        1 => (any_time(), any_receipt()).prop_map(|(at, receipt)| State::Done { at, receipt }),
        1 => (any_time(), any_reason(), any::<bool>())
            .prop_map(|(at, reason, in_doubt)| State::Failed { at, reason, in_doubt }),
    ]
    .boxed()
}

/// A delivery.
pub fn any_delivery() -> impl Strategy<Value = Delivery> + Clone {
    let counts = (any_attempt(), any_count(), any_count(), any_count());
    (any::<u128>(), any_state(), counts, any_time(), any::<bool>()).prop_map(
        |(id, state, (attempt, spent, budget, at_most), deadline, doubt)| {
            let id = DeliveryId::from_u128(id);
            Delivery { id, state, attempt, spent, budget, deadline, at_most, doubt }
        },
    )
}

/// An input of a delivery.
pub fn any_input() -> impl Strategy<Value = Input> + Clone {
    let admitted = (any_attempt(), any_epoch(), any_time(), any_count(), any_count()).prop_map(
        |(attempt, epoch, by, index, of)| Input::Admitted {
            attempt,
            epoch,
            by,
            batch: Batch::from_number(2),
            index,
            of,
        },
    );
    let answered = (any_attempt(), any_verdict(), any_seen(), any_choice())
        .prop_map(|(attempt, verdict, seen, choice)| Input::Answered { attempt, verdict, seen, choice });
    let interrupted = (any_attempt(), any::<bool>(), any_choice())
        .prop_map(|(attempt, clean, choice)| Input::Interrupted { attempt, clean, choice });
    prop_oneof![
        6 => admitted,
        8 => answered,
        2 => interrupted,
        1 => Just(Input::DeadlinePassed),
        1 => Just(Input::Cancelled),
        1 => (any_time(), any_count()).prop_map(|(deadline, budget)| Input::Redriven { deadline, budget }),
    ]
    .boxed()
}

/// What stands between a delivery and its end.
pub fn any_trouble() -> impl Strategy<Value = Trouble> + Clone {
    prop_oneof![
        1 => Just(Trouble::Busy),
        1 => Just(Trouble::NotYet),
        3 => (any_span(), any_count()).prop_map(|(age, refusals)| Trouble::TokenRefused { age, refusals }),
        1 => Just(Trouble::CredentialDead),
        1 => Just(Trouble::Unknown),
    ]
    .boxed()
}

/// What is known about a token of this epoch.
fn token_of(epoch: Epoch) -> impl Strategy<Value = Token> + Clone {
    let proof = prop_oneof![
        any_count().prop_map(|refusals| TokenProof::Unproven { refusals }),
        (any_time(), any_count()).prop_map(|(sent, refusals)| TokenProof::Accepted { sent, refusals }),
    ];
    (any_time(), any_time(), proof)
        .prop_map(move |(issued, expires, proof)| Token { epoch, issued, expires, proof })
        .boxed()
}

/// What is known about a token.
pub fn any_token() -> impl Strategy<Value = Token> + Clone {
    any_epoch().prop_flat_map(token_of)
}

/// The numbers of a profile.
pub fn any_terms() -> impl Strategy<Value = Terms> + Clone {
    let idle = prop_oneof![2 => Just(Span::MAX), 1 => any_span()];
    let flags = (any::<bool>(), any::<bool>());
    let rest = (0_u8..=110, idle, flags, any_span(), any::<u64>());
    (any_span(), rest).prop_map(|(settle, (renew_at, idle, (mints, introspects), scope_delay, seed))| Terms {
        settle,
        renew_at,
        idle,
        mints,
        introspects,
        scope_delay,
        seed,
    })
}

fn any_inquiry() -> impl Strategy<Value = Inquiry> + Clone {
    prop_oneof![
        4 => Just(Inquiry::None),
        1 => any_epoch().prop_map(|epoch| Inquiry::Asked { epoch }),
        1 => (any_epoch(), any_time()).prop_map(|(epoch, until)| Inquiry::Stands { epoch, until }),
    ]
}

fn any_lack() -> impl Strategy<Value = Lack> + Clone {
    prop_oneof![
        4 => Just(Lack::None),
        1 => (any_epoch(), any_time()).prop_map(|(epoch, until)| Lack::Waits { epoch, until }),
        1 => any_epoch().prop_map(|epoch| Lack::Minted { epoch }),
    ]
}

pub(super) fn any_standing() -> impl Strategy<Value = Standing> + Clone {
    prop::sample::select(vec![Standing::Active, Standing::Expired, Standing::Revoked, Standing::Unknown])
}

fn any_cause() -> impl Strategy<Value = Cause> + Clone {
    use Cause::{GrantLost, Misconfigured, NeverAccepted, NeverAuthorised, NoRefreshToken, Revoked};
    prop::sample::select(vec![NeverAuthorised, Revoked, NoRefreshToken, Misconfigured, GrantLost, NeverAccepted])
}

fn any_need() -> impl Strategy<Value = Need> + Clone {
    prop::sample::select(vec![Need::Refused, Need::Expired, Need::Planned, Need::Reconfigured, Need::Scope])
}

/// A credential that can be: its tokens are its newest, or the one before and its newest.
pub fn any_credential() -> impl Strategy<Value = Credential> + Clone {
    let grant = prop_oneof![3 => Just(Grant::Alive), 1 => any_cause().prop_map(|cause| Grant::Ended { cause })];
    let doubts = (any_inquiry(), any_lack());
    let rest = (any_time(), 0_u8..3, grant, any_time(), doubts, any_terms());
    ((0_u32..4, any_count()), rest).prop_flat_map(|((number, tries), rest)| {
        let (renewed, fruitless, grant, ends, (inquiry, lack), terms) = rest;
        let epoch = Epoch::from_number(number);
        any_credential_state(number, tries).prop_map(move |state| Credential {
            state,
            epoch,
            renewed,
            fruitless,
            grant,
            ends,
            inquiry,
            lack,
            terms,
        })
    })
}

fn any_credential_state(number: u32, tries: u32) -> impl Strategy<Value = CredentialState> + Clone {
    let (newest, older) = (Epoch::from_number(number), Epoch::from_number(number.saturating_sub(1)));
    let held = prop_oneof![token_of(newest).prop_map(Held::Serving), token_of(newest).prop_map(Held::Lost)];
    let refreshing =
        (held, any_time(), any_need(), any::<bool>()).prop_map(move |(held, not_before, why, interrupted)| {
            CredentialState::Refreshing { held, tries, not_before, why, interrupted }
        });
    let both = (token_of(older), token_of(newest))
        .prop_map(move |(serving, next)| CredentialState::Current { serving, next: (older < newest).then_some(next) });
    prop_oneof![
        2 => token_of(newest).prop_map(|serving| CredentialState::Current { serving, next: None }),
        2 => both,
        3 => refreshing,
        1 => (any_cause(), any_time()).prop_map(|(cause, since)| CredentialState::Dead { cause, since }),
    ]
    .boxed()
}

/// An input of a credential.
pub fn any_credential_input() -> impl Strategy<Value = CredentialInput> + Clone {
    use CredentialInput as In;
    prop_oneof![
        4 => (any_epoch(), any_need()).prop_map(|(past, why)| In::Needed { past, why }),
        1 => Just(In::RefreshDue),
        4 => (any_epoch(), any_time(), any_time(), any_time())
            .prop_map(|(from, issued, expires, ends)| In::Renewed { from, issued, expires, ends }),
        1 => (any_epoch(), any_cause()).prop_map(|(from, cause)| In::RefusedForGood { from, cause }),
        1 => any_epoch().prop_map(|from| In::Misconfigured { from }),
        1 => (any_epoch(), any_time()).prop_map(|(from, retry_at)| In::Unknown { from, retry_at }),
        2 => (any_epoch(), any_time()).prop_map(|(epoch, sent)| In::Accepted { epoch, sent }),
        2 => (any_epoch(), any_time()).prop_map(|(epoch, sent)| In::TokenRefused { epoch, sent }),
        1 => Just(In::Interrupted),
        1 => (any_time(), any_time(), any_time())
            .prop_map(|(issued, expires, ends)| In::Authorised { issued, expires, ends }),
        1 => any_terms().prop_map(|terms| In::ConfigurationChanged { terms }),
        1 => Just(In::Revoked),
        1 => any_epoch().prop_map(|epoch| In::ScopeMissing { epoch }),
        2 => (any_epoch(), any_standing()).prop_map(|(epoch, standing)| In::Introspected { epoch, standing }),
    ]
    .boxed()
}

/// What an answer shows about a token.
pub fn any_evidence() -> impl Strategy<Value = Evidence> + Clone {
    prop_oneof![4 => Just(Evidence::Accepted), 1 => Just(Evidence::Refused), 1 => Just(Evidence::Nothing)]
}

/// Something that the user of a gate does.
pub fn any_gate_event() -> impl Strategy<Value = GateEvent> + Clone {
    prop_oneof![
        2 => (0_u64..1_500).prop_map(|millis| GateEvent::Wait(Span::from_millis(millis))),
        4 => Just(GateEvent::Send),
        4 => (0_usize..3, any_evidence()).prop_map(|(which, evidence)| GateEvent::Hear(which, evidence)),
    ]
    .boxed()
}

/// Something that the user of a circuit does. Failures are frequent, so that runs of them come about.
pub fn any_circuit_event() -> impl Strategy<Value = CircuitEvent> + Clone {
    let sign = prop_oneof![1 => Just(Sign::Answers), 10 => Just(Sign::Fails), 1 => Just(Sign::Nothing)];
    prop_oneof![
        1 => (0_u64..2_000).prop_map(|millis| CircuitEvent::Wait(Span::from_millis(millis))),
        1 => (0_u64..70).prop_map(|seconds| CircuitEvent::Wait(Span::from_secs(seconds))),
        4 => Just(CircuitEvent::Send),
        4 => (0_usize..3, sign).prop_map(|(which, sign)| CircuitEvent::Hear(which, sign)),
    ]
    .boxed()
}
