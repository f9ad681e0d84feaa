//! Strategies and laws of what is seen of a credential, what it comes to, and what it teaches.

use alloc::format;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::Law;
use super::broken::hold;
use super::strategy::{any_epoch, any_span, any_standing, any_time};
use crate::clues::{Came, Clues, IssuerWord, Lacked, Node, Sighting, TokenRequest};
use crate::credential::{Credential, CredentialState, Held, Standing};
use crate::diagnosis::{Finding, diagnose};
use crate::id::Epoch;
use crate::learned::{ENOUGH, Learned, Lesson};
use crate::time::{Span, Time};

fn any_sighting() -> impl Strategy<Value = Sighting> + Clone {
    let ordered = |(one, other): (Time, Time)| (one.min(other), one.max(other));
    let twice = move || prop::option::of((any_time(), any_time()).prop_map(ordered));
    let rest = (any::<u32>(), prop::option::of(any_time()), any::<bool>());
    (any_epoch(), any_time(), any_time(), twice(), twice(), rest).prop_map(
        |(epoch, issued, expires, accepted, refused, (refusals, spread, taught))| Sighting {
            epoch,
            issued,
            expires,
            accepted,
            refused,
            refusals,
            spread,
            taught,
        },
    )
}

fn any_node() -> impl Strategy<Value = Node> + Clone {
    let word = || prop::option::of((any_epoch(), any_time()));
    (prop::sample::select(Vec::from(["n1", "n2", "n3"])), word(), word()).prop_map(|(name, accepted, refused)| Node {
        name: name.into(),
        accepted,
        refused,
    })
}

/// What was seen of a credential's tokens, whether or not it can be.
pub fn any_clues() -> impl Strategy<Value = Clues> + Clone {
    let came = prop::sample::select(Vec::from([Came::Renewed, Came::Refused, Came::Misconfigured, Came::Unknown]));
    let renewal = (any_time(), any_epoch(), came).prop_map(|(at, from, came)| TokenRequest { at, from, came });
    let word = (any_time(), any_epoch(), any_standing());
    let word = word.prop_map(|(at, epoch, standing)| IssuerWord { at, epoch, standing });
    let lacked = (any_time(), any_epoch()).prop_map(|(at, epoch)| Lacked { at, epoch });
    let said = (prop::option::of(renewal), prop::option::of(word), prop::option::of(lacked));
    let lists = (prop::collection::vec(any_sighting(), 0..5), prop::collection::vec(any_node(), 0..4));
    (lists, prop::option::of(any_time()), said).prop_map(|((tokens, nodes), alive, (renewal, issuer, lacked))| Clues {
        scopes: None,
        tokens,
        nodes,
        alive,
        renewal,
        issuer,
        lacked,
    })
}

/// What a token taught.
pub fn any_lesson() -> impl Strategy<Value = Lesson> + Clone {
    (prop::option::of(any_span()), any_span(), any_span()).prop_map(
        |(first_refusal, last_refusal, first_acceptance)| Lesson { first_refusal, last_refusal, first_acceptance },
    )
}

/// A token inside of its settle window is called revoked on nobody's word but its issuer's, and one that was not refused
/// at all is never called propagating, or never accepted; nothing dead is called working.
///
/// # Errors
/// When that is not so.
pub fn nothing_is_called_without_ground(credential: Credential, clues: &Clues, now: Time) -> Law {
    let found = diagnose(&credential, clues, now).finding;
    let holds = match credential.state {
        CredentialState::Dead { .. } => {
            !matches!(found, Finding::Working | Finding::Propagating | Finding::ScopeMissing | Finding::Unknown)
        }
        CredentialState::Current { serving: token, .. }
        | CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => {
            let young = now < token.issued.after(credential.terms.settle);
            let said =
                |standing| clues.issuer.is_some_and(|word| (word.epoch, word.standing) == (token.epoch, standing));
            let refused = match token.proof {
                crate::TokenProof::Unproven { refusals } | crate::TokenProof::Accepted { refusals, .. } => refusals > 0,
            };
            match found {
                Finding::Revoked => said(Standing::Revoked) || (refused && !young),
                Finding::Propagating => refused && young,
                Finding::NeverAccepted => refused && !young,
                Finding::Working => !refused && !token.is_expired(now),
                Finding::Unauthorised | Finding::Misconfigured | Finding::GrantLost | Finding::Unrenewable => false,
                Finding::Expired | Finding::ScopeMissing | Finding::Unknown => true,
            }
        }
    };
    hold(holds, "evidence", || format!("{found:?} of {credential:?}\nwith {clues:?}\nat {now:?}"))
}

/// What was heard twice is no news, what is kept is bounded, and a token teaches once.
///
/// # Errors
/// When that is not so.
pub fn clues_are_bounded(credential: Credential, clues: &Clues, epoch: Epoch, sent: Time) -> Law {
    use crate::gate::Evidence;
    let mut heard = clues.clone();
    heard.bound();
    let bounded = heard.clone();
    for evidence in [Evidence::Accepted, Evidence::Refused, Evidence::Nothing] {
        heard.heard(&credential, epoch, sent, evidence, Some("n4"));
    }
    let sizes = |clues: &Clues| clues.tokens.len() <= 4 && clues.nodes.len() <= 8;
    hold(sizes(&bounded) && sizes(&heard), "evidence", || format!("{heard:?} is not bounded"))?;
    let mut again = bounded.clone();
    again.heard(&credential, epoch, sent, Evidence::Accepted, Some("n4"));
    let twice = again.clone();
    let news = again.heard(&credential, epoch, sent, Evidence::Accepted, Some("n4"));
    hold(!news && again == twice, "evidence", || format!("{twice:?} becomes {again:?}"))?;
    let mut lessons = 0_usize;
    while heard.lesson(credential.terms.settle, Span::MAX, sent).is_some() {
        lessons = lessons.saturating_add(1);
    }
    hold(lessons <= heard.tokens.len(), "evidence", || format!("{heard:?} taught {lessons} times"))
}

/// The canary phase that is learned keeps its floor and its cap, is the floor before enough was seen, and never shrinks
/// when a token spreads more slowly; percentiles grow with their rank; what is merged counts as if it was learned here.
///
/// # Errors
/// When that is not so.
pub fn learned_keeps_its_bounds(one: &[Lesson], other: &[Lesson], floor: Span, cap: Span) -> Law {
    let of = |lessons: &[Lesson]| {
        let mut learned = Learned::default();
        lessons.iter().for_each(|lesson| learned.take(lesson, Time::ZERO));
        learned
    };
    let (first, second) = (of(one), of(other));
    let mut merged = first.clone();
    merged.merge(&second);
    let mut swapped = second.clone();
    swapped.merge(&first);
    let both: Vec<Lesson> = one.iter().chain(other).copied().collect();
    hold(merged == swapped && merged == of(&both), "learned", || format!("{merged:?} and {swapped:?}"))?;
    let young = merged.young(floor, cap);
    let bound = cap.max(floor);
    hold(young >= floor && young <= bound, "learned", || format!("{young} of {floor} to {cap}"))?;
    let few = merged.tokens() < ENOUGH;
    hold(!few || young == floor, "learned", || format!("{young} of few"))?;
    let ranks = (0..=100).map(|percent| merged.last_refusal.percentile(percent));
    hold(ranks.is_sorted(), "learned", || format!("{merged:?} is not monotone"))?;
    let mut slower = both;
    for lesson in &mut slower {
        lesson.last_refusal = lesson.last_refusal.times(2);
    }
    let slower = of(&slower).young(floor, cap);
    hold(slower >= young, "learned", || format!("{slower} is less than {young}"))
}
