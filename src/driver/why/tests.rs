use super::*;
use outlast_state::{CredentialInput, DeliveryId, Receipt, Terms, table};

const DESTINATION: &str = "conversions";

/// One sentence for people: no debug output, no raw times, no other sentence in it.
pub(in crate::driver) fn reads_well(sentence: &str) {
    assert!(sentence.ends_with('.') && !sentence.contains(". ") && !sentence.contains(".."), "{sentence}");
    let begins = |letter: char| letter.is_uppercase() || letter.is_ascii_digit() || letter == '`';
    assert!(sentence.starts_with(begins), "{sentence}");
    assert!(!sentence.contains(['{', '}']) && !sentence.contains("  "), "{sentence}");
    let long = sentence.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 6);
    assert!(!long, "a raw time: {sentence}");
    for wrong in [" 1 attempts", " 1 failed attempts", " 1 requests", " 1 times", "epoch 0", "for the next 0 s"] {
        assert!(!sentence.contains(wrong), "{sentence}");
    }
}

fn record(delivery: Delivery) -> DeliveryRecord {
    DeliveryRecord::accepted(delivery, DESTINATION.into(), Time::from_millis(5))
}

#[test]
fn every_state_of_a_delivery_reads_well() {
    let mut seen = std::collections::BTreeSet::new();
    for row in table::delivery() {
        let now = row.sample.now;
        for delivery in [row.sample.before, row.sample.before.step(row.sample.input, now)] {
            seen.insert(delivery.state.name());
            let mut sentences = stands(&record(delivery), now);
            if let Want::Answer { by, .. } = delivery.wants() {
                sentences.extend(in_the_air(&delivery, by, now));
            }
            sentences.push(given_up(&delivery, now));
            for sentence in &sentences {
                reads_well(sentence);
            }
        }
    }
    assert_eq!(seen.len(), State::NAMES.len());
}

#[test]
fn every_state_of_a_credential_reads_well() {
    let mut seen = std::collections::BTreeSet::new();
    for row in table::credential() {
        let now = row.sample.now;
        for credential in [row.sample.before, row.sample.before.step(row.sample.input, now)] {
            seen.insert(credential.state.name());
            let sentences = match credential.offer(now) {
                Offer::Token(token) => vec![serving("acme", &token, &credential, now)],
                Offer::Expired { .. } => continue,
                Offer::Refreshing => vec![refreshing("acme", &credential, now)],
                Offer::Dead => dead("acme", &credential, None, now),
            };
            assert!(!sentences.is_empty());
            for sentence in &sentences {
                reads_well(sentence);
            }
        }
    }
    assert_eq!(seen.len(), CredentialState::NAMES.len());
}

#[test]
fn a_token_past_its_window_is_not_said_to_be_spreading() {
    let terms = Terms::of(Span::from_secs(600));
    let (issued, expires) = (Time::from_millis(1_000), Time::NEVER);
    let fresh = Credential::unauthorised(terms, issued)
        .step(CredentialInput::Authorised { issued, expires, ends: Time::NEVER }, issued);
    let refused = CredentialInput::TokenRefused { epoch: fresh.epoch, sent: issued };
    let credential = fresh.step(refused, issued);
    let told = |credential: &Credential, now| serving("acme", &credential.token(fresh.epoch).unwrap(), credential, now);
    let young = told(&credential, issued.after(Span::from_secs(60)));
    assert_eq!(
        young,
        "Credential acme serves epoch 1, minted 1 min ago, with 1 request refused and none accepted; it is not replaced for \
         the next 9 min, since it may still be spreading."
    );
    let old = told(&credential, issued.after(Span::from_secs(900)));
    assert!(old.ends_with("with 1 request refused and none accepted; one more refusal replaces it."), "{old}");
}

#[test]
fn what_was_cancelled_in_the_air_is_not_said_to_be_sent_again() {
    let sending = table::delivery()
        .iter()
        .map(|row| row.sample.before)
        .find(|delivery| matches!(delivery.state, State::Sending { then: Then::Continue, .. }))
        .unwrap();
    let (Want::Answer { by, .. }, now) = (sending.wants(), Time::ZERO) else { panic!("{sending:?}") };
    let left = by.since(now);
    assert!(in_the_air(&sending, by, now)[0].ends_with("is made again."));
    assert_eq!(
        in_the_air(&sending.step(Input::Cancelled, now), by, now),
        [format!("It was cancelled meanwhile: it is given up unless the answer, due within {left}, accepts it.")]
    );
}

#[test]
fn a_request_without_a_token_names_none() {
    let delivery = Delivery::accepted(DeliveryId::from_u128(1), Time::ZERO, Time::from_millis(1), 3);
    let state = State::Sending {
        epoch: Epoch::NONE,
        by: Time::ZERO,
        batch: outlast_state::Batch::from_number(1),
        index: 0,
        of: 1,
        then: Then::Continue,
    };
    let sentences = stands(&record(Delivery { state, ..delivery }), Time::ZERO);
    assert_eq!(sentences, ["Attempt 0 to conversions is in the air."]);
}

#[test]
fn verdicts_in_words() {
    let after = Span::from_secs(5);
    let table = [
        (Verdict::Accepted { receipt: Receipt { status: 201 } }, "accepted with status 201"),
        (Verdict::Busy { after, load: Load::Throttled }, "the provider throttles, and asks for 5 s"),
        (Verdict::Busy { after: Span::ZERO, load: Load::Failing }, "the destination fails"),
        (Verdict::NotYet { after }, "not yet, and asks for 5 s"),
        (Verdict::TokenRefused, "the token was refused"),
        (Verdict::Refused { why: Why::Invalid }, "invalid, so it was not sent"),
        (Verdict::Refused { why: Why::Rejected { status: 400 } }, "rejected with status 400"),
        (Verdict::Split, "the batch was refused as a whole; smaller ones are tried"),
        (Verdict::Unknown, "no answer; it may have arrived"),
    ];
    for (verdict, words) in table {
        assert_eq!(verdict_in_words(&verdict), words);
    }
}
