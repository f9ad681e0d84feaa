//! What is seen of a credential, what it comes to, and what it teaches.

use outlast_state::laws::{
    any_clues, any_credential, any_lesson, any_span, any_time, clues_are_bounded, learned_keeps_its_bounds,
    nothing_is_called_without_ground,
};
use outlast_state::{
    Clues, Credential, CredentialInput, Epoch, Evidence, Finding, Learned, Lesson, Span, Terms, Time, diagnose, table,
};
use proptest::prelude::*;

const SETTLE: Span = Span::from_secs(600);
const EARLY: Span = Span::from_secs(60);
const MINTED: Time = Time::from_millis(1_000_000);

fn at(seconds: u64) -> Time {
    MINTED.after(Span::from_secs(seconds))
}

fn authorised() -> (Credential, Clues) {
    let (issued, expires) = (MINTED, Time::NEVER);
    let credential = Credential::unauthorised(Terms::of(SETTLE), MINTED)
        .step(CredentialInput::Authorised { issued, expires, ends: Time::NEVER }, MINTED);
    let mut clues = Clues::default();
    clues.minted(&credential.token(credential.epoch).unwrap());
    (credential, clues)
}

fn hears(clues: &mut Clues, credential: &Credential, seconds: u64, accepted: bool, node: &str) -> bool {
    let evidence = if accepted { Evidence::Accepted } else { Evidence::Refused };
    clues.heard(credential, credential.epoch, at(seconds), evidence, Some(node))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_called_what_does_not_speak_for_it(
        credential in any_credential(), clues in any_clues(), now in any_time(),
    ) {
        nothing_is_called_without_ground(credential, &clues, now)?;
    }

    #[test]
    fn what_is_kept_is_bounded(
        credential in any_credential(), clues in any_clues(), number in 0_u32..5, sent in any_time(),
    ) {
        clues_are_bounded(credential, &clues, Epoch::from_number(number), sent)?;
    }

    #[test]
    fn what_is_learned_keeps_its_bounds(
        one in prop::collection::vec(any_lesson(), 0..60), other in prop::collection::vec(any_lesson(), 0..60),
        floor in any_span(), cap in any_span(),
    ) {
        learned_keeps_its_bounds(&one, &other, floor, cap)?;
    }
}

#[test]
fn every_finding_is_what_the_code_finds() {
    let rows = table::diagnosis();
    for row in &rows {
        assert_eq!(diagnose(&row.credential, &row.clues, row.now).finding, row.finding, "{row:?}");
    }
    for finding in Finding::ALL {
        assert!(rows.iter().any(|row| row.finding == finding), "no row comes to {finding:?}");
    }
}

/// The first row that fits counts: no two rows have one sample.
#[test]
fn findings_are_told_apart_by_their_samples() {
    let rows = table::diagnosis();
    for (number, row) in rows.iter().enumerate() {
        let same = |other: &&table::DiagnosisRow| {
            (other.credential, &other.clues, other.now) == (row.credential, &row.clues, row.now)
        };
        assert_eq!(rows.iter().filter(same).count(), 1, "row {number}: {row:?}");
    }
}

#[test]
fn a_busy_token_is_news_every_ten_seconds() {
    let (credential, mut clues) = authorised();
    let news = (0..600).filter(|second| hears(&mut clues, &credential, *second, true, "n1")).count();
    assert_eq!(news, 60);
    assert!(hears(&mut clues, &credential, 600, false, "n1"), "a refusal is always news");
    assert!(hears(&mut clues, &credential, 601, true, "n1"), "and so is the next acceptance");
    assert!(!hears(&mut clues, &credential, 602, true, "n1"));
    assert!(hears(&mut clues, &credential, 602, true, "n2"), "and so is another node");
}

#[test]
fn a_token_teaches_how_long_it_spread() {
    let (credential, mut clues) = authorised();
    for (second, accepted) in [(3, false), (7, true), (12, false), (30, true), (700, false)] {
        hears(&mut clues, &credential, second, accepted, "n1");
    }
    assert_eq!(clues.lesson(SETTLE, EARLY, at(599)), None, "its window is not over");
    let lesson = Lesson {
        first_refusal: Some(Span::from_secs(3)),
        last_refusal: Span::from_secs(12),
        first_acceptance: Span::from_secs(7),
    };
    assert_eq!(clues.lesson(SETTLE, EARLY, at(600)), Some(lesson));
    assert_eq!(clues.lesson(SETTLE, EARLY, at(601)), None, "it teaches once");
}

#[test]
fn a_token_that_nobody_tried_early_teaches_nothing() {
    let (credential, mut clues) = authorised();
    hears(&mut clues, &credential, 61, true, "n1");
    assert_eq!(clues.lesson(SETTLE, EARLY, at(601)), None);
    let (credential, mut clues) = authorised();
    hears(&mut clues, &credential, 40, true, "n1");
    let lesson = clues.lesson(SETTLE, EARLY, at(601)).unwrap();
    assert_eq!(lesson.last_refusal, Span::from_secs(40), "nobody knows whether it was refused before");
}

#[test]
fn the_canary_phase_follows_what_was_learned() {
    let (floor, cap) = (Span::from_secs(60), SETTLE);
    let mut learned = Learned::default();
    let lesson = |seconds| Lesson {
        first_refusal: None,
        last_refusal: Span::from_secs(seconds),
        first_acceptance: Span::from_secs(seconds),
    };
    for _ in 0..19 {
        learned.take(&lesson(200), MINTED);
    }
    assert_eq!(learned.young(floor, cap), floor, "19 tokens are not enough");
    learned.take(&lesson(200), MINTED);
    let young = learned.young(floor, cap);
    assert!(young >= Span::from_secs(200) && young <= Span::from_secs(250), "{young}");
    for _ in 0..40 {
        learned.take(&lesson(5_000), MINTED);
    }
    assert_eq!(learned.young(floor, cap), cap);
    for _ in 0..3_000 {
        learned.take(&lesson(1), MINTED);
    }
    assert_eq!(learned.young(floor, cap), floor, "what was long ago counts less");
}

#[test]
fn nodes_that_disagree_are_counted() {
    let (credential, mut clues) = authorised();
    for (second, accepted, node) in [(1, false, "n1"), (2, true, "n2"), (3, false, "n3"), (4, true, "n1")] {
        hears(&mut clues, &credential, second, accepted, node);
    }
    assert_eq!(clues.split(credential.epoch), (2, 1));
}

#[test]
fn whether_the_token_before_still_works_is_seen() {
    let (credential, mut clues) = authorised();
    hears(&mut clues, &credential, 1, true, "n1");
    let expires = Time::NEVER;
    let second = credential.step(CredentialInput::Authorised { issued: at(100), expires, ends: expires }, at(100));
    clues.minted(&second.token(second.epoch).unwrap());
    assert_eq!(clues.outlived(), None, "nothing was heard of it since");
    clues.heard(&second, credential.epoch, at(101), Evidence::Accepted, None);
    assert_eq!(clues.outlived(), Some((credential.epoch, at(101), true)));
    clues.heard(&second, credential.epoch, at(102), Evidence::Refused, None);
    assert_eq!(clues.outlived(), Some((credential.epoch, at(102), false)));
}
