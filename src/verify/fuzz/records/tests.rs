use std::path::Path;

use outlast_state::{
    Attempt, Batch, Cause, Choice, Credential, CredentialInput, Delivery, DeliveryId, Epoch, Input, KEPT, Learned,
    Lesson, Load, Need, Proof, Receipt, Seen, Serving, Span, State, Terms, Time, Verdict, Why,
};

use super::*;
use crate::alert::told::{CredentialTold, DestinationTold, StoreTold, Untold};
use crate::alert::{AlertKind, AlertSubject, Severity};
use crate::records::{PastAlert, Told};
use crate::view::Scope;

const START: Time = Time::from_millis(1_773_576_000_000);

fn later(seconds: u64) -> Time {
    START.after(Span::from_secs(seconds))
}

/// A delivery to which this happened, a second apart.
fn delivery_after(inputs: &[Input]) -> DeliveryRecord {
    let accepted = Delivery::accepted(DeliveryId::from_u128(7), START, later(3600), 3);
    let mut record = DeliveryRecord::accepted(accepted, "conversions".into(), START);
    record.lane = Some("orders".into());
    record.once = Some("order-4711".into());
    record.note("", "LinkedIn answered 503");
    for (second, input) in (1..).zip(inputs) {
        record.delivery = record.journal.apply(record.delivery, *input, later(second), KEPT);
    }
    record
}

fn admitted(attempt: u32) -> Input {
    let attempt = (0..attempt).fold(Attempt::default(), |attempt, _| attempt.next());
    Input::Admitted {
        attempt,
        epoch: Epoch::from_number(2),
        by: later(30),
        batch: Batch::from_number(9),
        index: 1,
        of: 4,
    }
}

fn answered(attempt: u32, verdict: Verdict) -> Input {
    let attempt = (0..attempt).fold(Attempt::default(), |attempt, _| attempt.next());
    Input::Answered { attempt, verdict, seen: Seen::NONE, choice: Choice::Again { at: later(60) } }
}

/// The token of the only epoch was refused; before `settles` that means nothing.
fn token_refused(settles: Time) -> Input {
    let serving = Serving::Epoch(Epoch::from_number(2));
    let seen = Seen { serving, expired: false, settles, proof: Proof::Never };
    let (attempt, choice) = (Attempt::default().next(), Choice::Again { at: later(60) });
    Input::Answered { attempt, verdict: Verdict::TokenRefused, seen, choice }
}

fn interrupted(clean: bool, choice: Choice) -> Input {
    Input::Interrupted { attempt: Attempt::default().next(), clean, choice }
}

/// One delivery for each state, and one for each kind of input.
fn deliveries() -> Vec<(&'static str, DeliveryRecord)> {
    let busy = Verdict::Busy { after: Span::from_secs(5), load: Load::Failing };
    let accepted = Verdict::Accepted { receipt: Receipt { status: 201 } };
    let refused = Verdict::Refused { why: Why::Rejected { status: 422 } };
    let not_yet = Verdict::NotYet { after: Span::from_secs(1) };
    let waits =
        [admitted(1), answered(1, not_yet), admitted(2), answered(2, not_yet), admitted(3), answered(3, not_yet)];
    vec![
        ("pending", delivery_after(&[])),
        ("sending", delivery_after(&[admitted(1)])),
        ("busy", delivery_after(&[admitted(1), answered(1, busy)])),
        ("resent", delivery_after(&[admitted(1), answered(1, Verdict::TokenRefused)])),
        ("awaiting-propagation", delivery_after(&[admitted(1), token_refused(later(600))])),
        ("refreshing", delivery_after(&[admitted(1), token_refused(START)])),
        ("done", delivery_after(&[admitted(1), answered(1, accepted)])),
        ("failed", delivery_after(&[admitted(1), answered(1, refused)])),
        ("split", delivery_after(&[admitted(1), answered(1, Verdict::Split)])),
        ("in-doubt", delivery_after(&[admitted(1), interrupted(false, Choice::GiveUp)])),
        ("interrupted", delivery_after(&[admitted(1), interrupted(true, Choice::Again { at: later(9) })])),
        ("cancelled-in-the-air", delivery_after(&[admitted(1), Input::Cancelled])),
        ("redriven", delivery_after(&[Input::DeadlinePassed, Input::Redriven { deadline: later(99), budget: 5 }])),
        ("waits-merged", delivery_after(&waits)),
    ]
}

fn credential_after(inputs: &[CredentialInput]) -> CredentialRecord {
    let terms = Terms::of(Span::from_secs(600));
    let mut record = CredentialRecord::new(Credential::unauthorised(terms, START));
    for (second, input) in (1000..).step_by(1000).zip(inputs) {
        record.credential = record.journal.apply(record.credential, *input, later(second), KEPT);
    }
    record
}

/// One credential for each state, and one for each kind of input.
fn credentials() -> Vec<(&'static str, CredentialRecord)> {
    use CredentialInput as On;
    let first = Epoch::default().next();
    let authorised = On::Authorised { issued: START, expires: later(9_000_000), ends: Time::NEVER };
    let needed = On::Needed { past: first, why: Need::Refused };
    let renewed = On::Renewed { from: first, issued: later(2000), expires: later(9_000_000), ends: Time::NEVER };
    let refused = On::TokenRefused { epoch: first, sent: START };
    vec![
        ("unauthorised", credential_after(&[])),
        ("current", credential_after(&[authorised, On::Accepted { epoch: first, sent: later(900) }])),
        ("refreshing", credential_after(&[authorised, refused, needed])),
        ("unknown", credential_after(&[authorised, needed, On::Unknown { from: first, retry_at: later(5000) }])),
        ("interrupted", credential_after(&[authorised, needed, On::Interrupted])),
        ("renewed", credential_after(&[authorised, needed, renewed])),
        ("next", credential_after(&[authorised, On::RefreshDue, renewed])),
        ("dead", credential_after(&[authorised, needed, On::RefusedForGood { from: first, cause: Cause::Revoked }])),
        ("misconfigured", credential_after(&[authorised, needed, On::Misconfigured { from: first }])),
        ("revoked", credential_after(&[authorised, On::Revoked])),
    ]
}

/// An input of the target: the type's number, and the payload as this version writes it.
fn input<T: Record>(kind: u8, record: &T) -> Vec<u8> {
    let sealed = codec::seal(&Key::Grant(String::new()), T::VERSION, record);
    [&[kind], &sealed[OVERHEAD..]].concat()
}

/// One alert of each kind, and what was told of each thing.
fn alerts() -> Vec<(String, AlertRecord)> {
    let past = |(number, kind): (u64, AlertKind)| {
        let (severity, subject) = match number {
            1..=3 => (Severity::Warning, AlertSubject::Credential("acme".into())),
            4..=8 => (Severity::Info, AlertSubject::Destination("conversions".into())),
            _ => (Severity::Critical, AlertSubject::Store),
        };
        let (ends, count) = ((number == 1).then_some(later(9)), number);
        let text = format!("Alert {number}.");
        let past = PastAlert { number, at: START, kind, severity, subject, text, ends, count };
        (kind.name().to_owned(), AlertRecord::Past(past))
    };
    let credential = CredentialTold {
        dead: Some(START),
        ends: later(9),
        days: Some(7),
        ended: true,
        refused: true,
        fruitless: true,
    };
    let mut untold = Untold::default();
    untold.add(DeliveryId::from_u128(7), "REJECTED", "rejected with status 400");
    let destination = DestinationTold { open: Some(START), failed: Some(later(1)), untold };
    let told = [
        ("told-credential", Told::Credential("acme".into(), credential)),
        ("told-destination", Told::Destination("conversions".into(), destination)),
        ("told-store", Told::Store(StoreTold { damaged: 3 })),
    ];
    let told = told.map(|(name, told)| (name.to_owned(), AlertRecord::Told(told)));
    (1..).zip(AlertKind::ALL).map(past).chain(told).collect()
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let (id, digest) = (DeliveryId::from_u128(7), [9; 32]);
    let parcel = ParcelRecord { destination: "conversions".into(), lane: None, digest, size: 2, start: b"{}".into() };
    let scope = Scope::Lane { destination: "conversions".into(), lane: "orders".into() };
    let (destination, key, value) = ("audience".to_owned(), "7/USER/vip".to_owned(), "7788".to_owned());
    let memory = MemoryRecord { destination, key, value, until: START };
    let mut learned = Learned::default();
    let lesson = |seconds: u64| Lesson {
        first_refusal: Some(Span::from_secs(1)),
        last_refusal: Span::from_secs(seconds),
        first_acceptance: Span::from_secs(2),
    };
    (0..40).for_each(|seconds| learned.take(&lesson(seconds), later(seconds)));
    let mut seeds = vec![
        ("parcel".to_owned(), input(0, &parcel)),
        ("body".to_owned(), input(1, &b"{\"a\":1}".to_vec())),
        ("once".to_owned(), input(4, &OnceRecord { id, digest })),
        ("pause".to_owned(), input(5, &PauseRecord { scope, since: START })),
        (
            "pause-credential".to_owned(),
            input(5, &PauseRecord { scope: Scope::Credential("acme".into()), since: START }),
        ),
        ("clock".to_owned(), input(6, &ClockRecord { now: START, clean: true })),
        ("identity".to_owned(), input(7, &IdentityRecord { store: 7, incarnation: 3 })),
        ("memory".to_owned(), input(12, &memory)),
        ("learned".to_owned(), input(14, &LearnedRecord { learned })),
        ("sealed".to_owned(), vec![8; 64]),
        ("counts".to_owned(), input(9, &CountsRecord { done: 3, attempts: 4, newest: id, ..CountsRecord::default() })),
    ];
    seeds.extend(alerts().iter().map(|(name, record)| (format!("alert-{name}"), input(13, record))));
    seeds.extend(deliveries().iter().map(|(name, record)| (format!("delivery-{name}"), input(2, record))));
    seeds.extend(credentials().iter().map(|(name, record)| (format!("credential-{name}"), input(3, record))));
    seeds
}

#[test]
fn the_seeds_stand_in_every_state() {
    let states: Vec<&str> = deliveries().iter().map(|(_, record)| record.delivery.state.name()).collect();
    for name in State::NAMES {
        assert!(states.contains(&name), "{name} is not among {states:?}");
    }
    let states: Vec<&str> = credentials().iter().map(|(_, record)| record.credential.state.name()).collect();
    for name in outlast_state::CredentialState::NAMES {
        assert!(states.contains(&name), "{name} is not among {states:?}");
    }
}

/// These bytes are on disks: each file holds what its version wrote, and this version reads it and writes it again. After a
/// deliberate change of a record, `OUTLAST_WRITE_SEEDS=1` writes the new ones; the old ones stay, under other names and, where
/// they are still read, as another kind.
#[test]
fn the_seeds_are_what_this_version_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/records");
    for (name, bytes) in seeds() {
        let path = folder.join(format!("hand-{name}"));
        if std::env::var_os("OUTLAST_WRITE_SEEDS").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let kept = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert_eq!(kept, bytes, "{name}: what is written has changed; records on disks are read no more");
        records(&bytes);
    }
}

#[test]
fn deliveries_that_older_versions_wrote_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/records");
    for (name, record) in deliveries() {
        for (version, word) in [(1, "first"), (2, "second")] {
            let bytes = std::fs::read(folder.join(format!("hand-{word}-delivery-{name}"))).unwrap();
            let read = older_delivery(version, &bytes[1..]).expect("it is one");
            let told = (read.delivery, read.journal, read.content, read.route, read.batch_key.as_deref());
            assert_eq!(told, (record.delivery, record.journal.clone(), None, None, Some("")), "{word} {name}");
        }
    }
}
