//! The laws over drawn values: any time, any number, and long sequences.

use outlast_state::laws::{
    CREDENTIAL_LAWS, DELIVERY_LAWS, any_credential, any_credential_input, any_delivery, any_gate_event, any_input,
    any_span, any_time, any_token, any_trouble, credential_journal_folds, fitted, fitted_credential,
    gate_never_starves, gate_of_others, journal_folds, one_canary_while_young, policy, renewals_spaced,
};
use outlast_state::{CredentialInput, Delivery, DeliveryId, Epoch, Input, Span, Standard, Time, Token};
use proptest::collection::vec;
use proptest::prelude::*;

/// Many waits, so that the journal has something to merge.
fn wait() -> impl Strategy<Value = (Span, Input)> {
    use outlast_state::{Attempt, Batch, Choice, Load, Proof, Seen, Serving, Verdict};
    let epoch = Epoch::from_number(1);
    let serving = Seen { serving: Serving::Epoch(epoch), expired: false, settles: Time::NEVER, proof: Proof::Never };
    let verdict = prop_oneof![
        Just(Verdict::TokenRefused),
        Just(Verdict::NotYet { after: Span::ZERO }),
        Just(Verdict::Busy { after: Span::from_secs(1), load: Load::Throttled }),
        Just(Verdict::Busy { after: Span::ZERO, load: Load::Failing }),
        Just(Verdict::Unknown),
        Just(Verdict::Split),
    ];
    let none = Attempt::NONE;
    let answered = verdict.prop_map(move |verdict| Input::Answered {
        attempt: none,
        verdict,
        seen: serving,
        choice: Choice::Again { at: Time::ZERO },
    });
    let admitted = (1_u32..4).prop_map(move |of| Input::Admitted {
        attempt: none,
        epoch,
        by: Time::NEVER,
        batch: Batch::from_number(u64::from(of)),
        index: 0,
        of,
    });
    (Just(Span::from_secs(60)), prop_oneof![admitted, answered])
}

fn deed() -> impl Strategy<Value = (Span, Input)> {
    prop_oneof![3 => wait(), 1 => (any_span(), any_input())]
}

fn fresh() -> Delivery {
    Delivery::accepted(DeliveryId::from_u128(7), Time::ZERO, Time::NEVER, 100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_law_of_the_delivery_holds(before in any_delivery(), input in any_input(), now in any_time()) {
        for (_, law) in DELIVERY_LAWS {
            law(before, input, now)?;
            law(before, fitted(input, &before), now)?;
        }
    }

    #[test]
    fn every_law_of_the_credential_holds(before in any_credential(), input in any_credential_input(), now in any_time()) {
        for (_, law) in CREDENTIAL_LAWS {
            law(before, input, now)?;
            law(before, fitted_credential(input, &before), now)?;
        }
    }

    #[test]
    fn every_law_of_a_policy_holds_for_the_standard_one(
        delivery in any_delivery(), trouble in any_trouble(), now in any_time(),
        first in any_span(), longest in any_span(), hold_doubtful: bool, fail_when_dead: bool,
    ) {
        policy(&Standard { first, longest, hold_doubtful, fail_when_dead }, &delivery, trouble, now)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn journals_fold(deeds in vec(deed(), 0..60), kept in 0_usize..12) {
        journal_folds(fresh(), &deeds, kept)?;
    }

    #[test]
    fn journals_fold_from_anywhere(start in any_delivery(), deeds in vec(deed(), 0..30), kept in 0_usize..70) {
        journal_folds(start, &deeds, kept)?;
    }

    #[test]
    fn journals_of_credentials_fold(
        start in any_credential(), deeds in vec((any_span(), any_credential_input()), 0..60), kept in 0_usize..12,
    ) {
        credential_journal_folds(start, &deeds, kept)?;
    }

    #[test]
    fn renewals_are_spaced(start in any_credential(), deeds in vec((any_span(), any_credential_input()), 0..80)) {
        renewals_spaced(start, &deeds)?;
    }

    #[test]
    fn gates_are_kept(token in any_token(), events in vec(any_gate_event(), 0..200)) {
        one_canary_while_young(token, &events)?;
        gate_never_starves(token, &events)?;
        gate_of_others(token, &events)?;
    }

    #[test]
    fn gates_are_kept_at_any_age(issued in 0_u64..10, events in vec(any_gate_event(), 0..300)) {
        let token = Token::minted(Epoch::from_number(1), Time::from_millis(issued), Time::NEVER);
        one_canary_while_young(token, &events)?;
        gate_never_starves(token, &events)?;
    }
}

/// A provider that mints dead tokens for ever, and a user who asks at every chance.
#[test]
fn a_provider_of_dead_tokens_is_asked_at_a_bounded_rate() {
    use outlast_state::{Credential, Need, Terms};
    let start = Credential::unauthorised(Terms::of(Span::from_secs(600)), Time::ZERO);
    let mut deeds =
        vec![(Span::ZERO, CredentialInput::Authorised { issued: Time::ZERO, expires: Time::NEVER, ends: Time::NEVER })];
    let past = Epoch::NONE;
    for _ in 0..100 {
        deeds.push((Span::from_secs(1), CredentialInput::TokenRefused { epoch: past, sent: Time::ZERO }));
        deeds.push((Span::from_secs(600), CredentialInput::Needed { past, why: Need::Refused }));
        deeds.push((
            Span::ZERO,
            CredentialInput::Renewed { from: past, issued: Time::ZERO, expires: Time::NEVER, ends: Time::NEVER },
        ));
        deeds.push((
            Span::ZERO,
            CredentialInput::Authorised { issued: Time::ZERO, expires: Time::NEVER, ends: Time::NEVER },
        ));
    }
    renewals_spaced(start, &deeds).unwrap();
}

/// A wait that repeats takes no room: only its last round is kept, with the number of those left out.
#[test]
fn repeated_waits_are_merged() {
    use outlast_state::{Batch, Choice, DeliveryJournal, Seen, Verdict};
    let mut journal = DeliveryJournal::new(fresh());
    let mut delivery = fresh();
    for round in 1..=5_u64 {
        let now = Time::from_millis(round * 1_000);
        let batch = Batch::from_number(round);
        let attempt = delivery.attempt.next();
        let admitted =
            Input::Admitted { attempt, epoch: Epoch::from_number(1), by: Time::NEVER, batch, index: 0, of: 1 };
        delivery = journal.apply(delivery, admitted, now, 64);
        let (verdict, choice) = (Verdict::NotYet { after: Span::ZERO }, Choice::Again { at: now });
        delivery = journal.apply(delivery, Input::Answered { attempt, verdict, seen: Seen::NONE, choice }, now, 64);
    }
    assert_eq!(delivery.attempt.count(), 5);
    assert_eq!(journal.fold(), delivery);
    let repeats: Vec<u32> = journal.entries().map(|entry| entry.repeats).collect();
    assert_eq!(repeats, [0, 4]);
    assert_eq!(journal.snapshot(), fresh());
}

/// A journal tells which token was refused. And a token before the last one may be admitted after a wait that it could not
/// be admitted without: merged, the journal would not fold.
#[test]
fn waits_with_different_tokens_are_kept_apart() {
    use outlast_state::{Batch, Choice, DeliveryJournal, Seen, Serving, State, Verdict};
    let start = Delivery { state: State::Refreshing { rejected: Epoch::from_number(2) }, ..fresh() };
    let (mut journal, mut delivery) = (DeliveryJournal::new(start), start);
    let seen = Seen { serving: Serving::Epoch(Epoch::from_number(2)), settles: Time::NEVER, ..Seen::NONE };
    for (now, number) in [(1, 3), (2, 2)] {
        let (now, epoch, attempt) = (Time::from_millis(now), Epoch::from_number(number), delivery.attempt.next());
        let (by, batch) = (Time::NEVER, Batch::from_number(1));
        delivery = journal.apply(delivery, Input::Admitted { attempt, epoch, by, batch, index: 0, of: 1 }, now, 64);
        let (verdict, choice) = (Verdict::TokenRefused, Choice::Again { at: now });
        delivery = journal.apply(delivery, Input::Answered { attempt, verdict, seen, choice }, now, 64);
    }
    assert!(matches!(delivery.state, State::AwaitingPropagation { .. }), "{delivery:?}");
    assert_eq!(journal.fold(), delivery);
    assert_eq!(journal.entries().count(), 4);
}
