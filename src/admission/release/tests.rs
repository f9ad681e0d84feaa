use super::*;
use outlast_state::{Cause, CredentialInput, Span, Terms};

const WIDE: Space = Space { concurrency: 8, open: u32::MAX, rate: None, now: Time::ZERO };

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// What leaves where a queue has so many slots, `live` says when something newer is due, and an answer takes a round of the
/// slots.
fn leaves(pace: &mut Pace, space: Space, requests: u64, live: impl Fn(u64) -> bool) -> Vec<Lot> {
    let mut flying: Vec<Batch> = Vec::new();
    (0..requests)
        .map(|number| {
            let batch = Batch::from_number(number);
            if flying.len() >= space.concurrency as usize {
                pace.lands(flying.remove(0));
            }
            let lot = loop {
                let lots = pace.order(space).into_iter().flatten();
                let due = |lot: &Lot| *lot == Lot::Backlog || live(number);
                if let Some(lot) = { lots }.find(due) {
                    break lot;
                }
                pace.lands(flying.remove(0));
            };
            pace.leaves(lot, batch, 1, space);
            flying.push(batch);
            lot
        })
        .collect()
}

fn pace() -> Pace {
    Pace { waiting: 1_000, ..Pace::default() }
}

#[test]
fn beside_newer_work_one_request_of_four_is_of_the_backlog_however_many_slots_there_are() {
    for concurrency in [1, 2, 3, 8, 64] {
        let lots = leaves(&mut pace(), Space { concurrency, ..WIDE }, 400, |_| true);
        for window in lots.chunks_exact(4) {
            let old = window.iter().filter(|lot| **lot == Lot::Backlog).count();
            assert_eq!(old, 1, "{concurrency} slots: {window:?}");
        }
    }
}

#[test]
fn a_backlog_alone_leaves_half_of_the_slots_and_half_of_the_gate_free_and_always_has_one() {
    for (concurrency, open, most) in [(1, u32::MAX, 1), (3, u32::MAX, 1), (8, u32::MAX, 4), (64, 4, 2), (64, 2, 1)] {
        let (mut pace, mut flying) = (pace(), 0);
        loop {
            let open = if open == u32::MAX { open } else { open.saturating_sub(flying).max(1) };
            let space = Space { concurrency, open, ..WIDE };
            if !pace.order(space).contains(&Some(Lot::Backlog)) {
                break;
            }
            pace.leaves(Lot::Backlog, Batch::from_number(u64::from(flying)), 1, space);
            flying += 1;
        }
        assert_eq!(flying, most, "{concurrency} slots, {open} through the gate");
    }
}

#[test]
fn newer_work_that_comes_finds_a_slot_at_once() {
    let lots = leaves(&mut pace(), WIDE, 100, |number| number >= 50);
    assert!(lots[..50].iter().all(|lot| *lot == Lot::Backlog));
    assert_eq!(lots[50], Lot::Live);
}

#[test]
fn what_the_backlog_could_not_have_for_want_of_a_slot_it_has_as_soon_as_there_is_one() {
    let mut pace = pace();
    for number in 0..4 {
        pace.leaves(Lot::Backlog, Batch::from_number(number), 1, WIDE);
    }
    for number in 4..20 {
        assert_eq!(pace.order(WIDE), [Some(Lot::Live), None]);
        pace.leaves(Lot::Live, Batch::from_number(number), 1, WIDE);
    }
    assert_eq!(pace.withheld(WIDE), Some(Blocked::ByEvent), "until a slot is free");
    pace.lands(Batch::from_number(0));
    assert_eq!(pace.withheld(WIDE), None);
    assert_eq!(pace.order(WIDE), [Some(Lot::Backlog), Some(Lot::Live)]);
}

#[test]
fn a_bounded_backlog_keeps_its_rate_also_one_of_less_than_a_millisecond_and_newer_work_does_not_wait_for_it() {
    for (rate, deliveries) in [(1, 1), (7, 7), (300, 1), (1_500, 1), (3_000, 10), (100_000, 100)] {
        let (mut pace, mut left) = (pace(), 0_u32);
        // Each is answered at once, and one of newer work leaves beside it.
        for millis in 0..10_000 {
            let space = Space { rate: Some(rate), now: at(1_000_000 + millis), ..WIDE };
            while pace.order(space).contains(&Some(Lot::Backlog)) {
                pace.leaves(Lot::Backlog, Batch::from_number(1), deliveries, space);
                pace.lands(Batch::from_number(1));
                left += deliveries;
            }
            assert_eq!(pace.order(space)[0], Some(Lot::Live));
            assert!(matches!(pace.withheld(space), Some(Blocked::Until(at)) if at > space.now));
        }
        let expected = 10 * rate;
        assert!((expected..=expected + rate).contains(&left), "{left} in ten seconds at {rate} a second");
    }
}

#[test]
fn without_a_backlog_there_is_only_one_order() {
    let mut pace = Pace::default();
    for number in 0..20 {
        assert_eq!(pace.order(WIDE), [Some(Lot::Live), None]);
        pace.leaves(Lot::Live, Batch::from_number(number), 1, WIDE);
    }
    assert_eq!(pace.passed, 0, "what left before there was a backlog gives it no turn");
}

/// A credential that was authorised at 1 s, died at 5 s and was authorised again at 9 s.
fn record() -> CredentialRecord {
    let mut record = CredentialRecord::new(Credential::unauthorised(Terms::of(Span::from_secs(60)), at(0)));
    let authorised =
        |issued| CredentialInput::Authorised { issued: at(issued), expires: Time::NEVER, ends: Time::NEVER };
    for (when, input) in [(1_000, authorised(900)), (5_000, CredentialInput::Revoked), (9_000, authorised(8_500))] {
        step(&mut record, input, when);
    }
    record
}

fn step(record: &mut CredentialRecord, input: CredentialInput, when: u64) {
    record.credential = record.journal.apply(record.credential, input, at(when), outlast_state::KEPT);
}

#[test]
fn the_mark_is_where_a_dead_credential_came_back_also_as_the_store_has_it() {
    let mut record = record();
    let mark = Mark { since: at(9_000), epoch: Epoch::from_number(2) };
    assert_eq!(Mark::of(&record), mark);
    assert_eq!(mark.lot(Place::Due(at(8_999))), Lot::Backlog);
    assert_eq!(mark.lot(Place::Due(at(9_000))), Lot::Live);
    assert_eq!(mark.lot(Place::Token(Epoch::from_number(1))), Lot::Backlog);
    assert_eq!(mark.lot(Place::Token(Epoch::from_number(2))), Lot::Live);
    // Consent that is given anew while the grant works releases nothing.
    step(
        &mut record,
        CredentialInput::Authorised { issued: at(20_000), expires: Time::NEVER, ends: Time::NEVER },
        20_000,
    );
    assert_eq!(Mark::of(&record), mark);
}

#[test]
fn beyond_what_the_journal_keeps_the_time_of_the_token_is_the_mark() {
    let mut record = record();
    record.journal.trim(0);
    assert_eq!(Mark::of(&record), Mark { since: at(8_500), epoch: Epoch::from_number(2) });
    step(&mut record, CredentialInput::Revoked, 30_000);
    assert_eq!(Mark::of(&record), Mark::default(), "while it is dead nothing is released");
    let cause = Cause::NeverAuthorised;
    assert!(matches!(record.credential.state, CredentialState::Dead { cause: other, .. } if other != cause));
}
