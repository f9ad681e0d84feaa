//! The circuit: its rules one by one, and its law over drawn sequences.

use outlast_state::laws::{any_circuit_event, circuit_spaces_and_never_stays_off};
use outlast_state::{CIRCUIT_RUN, Circuit, Passage, Sign, Span, Time};
use proptest::collection::vec;
use proptest::prelude::*;

const BEGIN: Time = Time::from_millis(1_000_000);

fn at(seconds: u64) -> Time {
    BEGIN.after(Span::from_secs(seconds))
}

/// One request at `now`, whose end is heard at once.
fn tried(circuit: Circuit, sign: Sign, now: Time) -> Circuit {
    circuit.sent(now).ended(now, sign, now)
}

fn run(circuit: Circuit, failures: u32, now: Time) -> Circuit {
    (0..failures).fold(circuit, |circuit, _| tried(circuit, Sign::Fails, now))
}

fn open() -> Circuit {
    run(Circuit::NEW, CIRCUIT_RUN, BEGIN)
}

#[test]
fn a_run_of_failures_opens_it_and_one_less_does_not() {
    assert_eq!(Circuit::default(), Circuit::NEW);
    let almost = run(Circuit::NEW, CIRCUIT_RUN - 1, BEGIN);
    assert_eq!((almost.open_since(), almost.passage(BEGIN)), (None, Passage::Open));
    let open = tried(almost, Sign::Fails, at(3));
    assert_eq!((open.open_since(), open.works_since()), (Some(at(3)), None));
    assert_eq!(open.passage(at(3)), Passage::From(at(4)));
}

#[test]
fn an_answer_within_the_run_begins_it_anew_and_what_shows_nothing_does_not() {
    let almost = run(Circuit::NEW, CIRCUIT_RUN - 1, BEGIN);
    let answered = tried(almost, Sign::Answers, BEGIN);
    assert_eq!(answered.works_since(), Some(BEGIN));
    assert_eq!(run(answered, CIRCUIT_RUN - 1, at(1)).open_since(), None);
    let silent = tried(almost, Sign::Nothing, BEGIN);
    assert_eq!(run(silent, 1, at(1)).open_since(), Some(at(1)));
}

#[test]
fn what_fails_and_was_sent_before_what_was_answered_tells_of_the_past() {
    let answered = tried(Circuit::NEW, Sign::Answers, at(10));
    let stale = (0..100).fold(answered, |circuit, _| circuit.ended(at(9), Sign::Fails, at(11)));
    assert_eq!(stale, answered);
    assert!(
        (0..CIRCUIT_RUN).fold(answered, |circuit, _| circuit.ended(at(10), Sign::Fails, at(11))).open_since().is_some()
    );
    // An older answer does not make younger failures stale.
    let older = answered.ended(at(2), Sign::Answers, at(12));
    assert_eq!((0..100).fold(older, |circuit, _| circuit.ended(at(9), Sign::Fails, at(13))), older);
    assert_eq!(older.works_since(), Some(at(10)), "it has answered since then");
}

#[test]
fn canaries_come_later_and_later_and_at_least_once_a_minute() {
    let (mut circuit, mut now) = (open(), BEGIN);
    let mut waits = Vec::new();
    for _ in 0..9 {
        let Passage::From(from) = circuit.passage(now) else { panic!("{circuit:?}") };
        waits.push(from.since(now).as_millis() / 1000);
        let just_before = Time::from_millis(from.as_millis() - 1);
        assert_eq!((circuit.passage(just_before), circuit.passage(from)), (Passage::From(from), Passage::Canary));
        (circuit, now) = (tried(circuit, Sign::Fails, from), from);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(circuit.open_since(), Some(BEGIN));
}

#[test]
fn one_canary_at_a_time_and_one_that_hangs_keeps_nobody_back_for_ever() {
    let out = open().sent(at(1));
    assert_eq!(out.passage(at(1)), Passage::From(at(61)));
    assert_eq!(out.passage(at(61)), Passage::Canary);
    let second = out.sent(at(61));
    // The first one's end is late, and says nothing about the second.
    assert_eq!(second.ended(at(1), Sign::Fails, at(62)), second);
    assert_eq!(second.ended(at(1), Sign::Nothing, at(62)), second);
    assert_eq!(second.ended(at(61), Sign::Fails, at(62)).passage(at(62)), Passage::From(at(64)));
    // One that was never sent leaves its place to the next.
    assert_eq!(second.ended(at(61), Sign::Nothing, at(62)).passage(at(62)), Passage::Canary);
}

#[test]
fn the_first_answer_closes_it_and_the_next_run_begins_with_short_waits() {
    let failed = tried(open().sent(at(1)).ended(at(1), Sign::Fails, at(2)), Sign::Fails, at(4));
    for answered in [failed.ended(at(0), Sign::Answers, at(5)), tried(failed, Sign::Answers, at(5))] {
        assert_eq!((answered.open_since(), answered.works_since()), (None, Some(at(5))));
        assert_eq!(answered.passage(at(5)), Passage::Open);
        let again = run(answered, CIRCUIT_RUN, at(6));
        assert_eq!(again.passage(at(6)), Passage::From(at(7)));
    }
    // Those that were in the air with the canary that was answered do not open it again.
    let answered = tried(failed, Sign::Answers, at(5));
    assert_eq!((0..100).fold(answered, |circuit, _| circuit.ended(at(0), Sign::Fails, at(9))), answered);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn circuits_are_kept(events in vec(any_circuit_event(), 0..300)) {
        circuit_spaces_and_never_stays_off(&events)?;
    }
}
