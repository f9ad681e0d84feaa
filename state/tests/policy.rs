//! The policy that is shipped, as a table.

use outlast_state::{Choice, Delivery, DeliveryId, Policy, Span, Standard, State, Time, Trouble, jittered};

const NOW: Time = Time::from_millis(1_000_000);

fn delivery(spent: u32) -> Delivery {
    let fresh = Delivery::accepted(DeliveryId::from_u128(0xFEED), NOW, Time::NEVER, 10);
    Delivery { spent, ..fresh }
}

/// The wait that is chosen, in seconds, and checked to be lengthened by jitter by no more than a quarter.
fn wait(policy: Standard, delivery: &Delivery, trouble: Trouble, expected: u64) {
    let Choice::Again { at } = policy.choose(delivery, trouble, NOW) else {
        panic!("{trouble:?} is no reason to give up")
    };
    let chosen = at.since(NOW).as_millis();
    let least = expected.saturating_mul(1_000);
    assert!(
        (least..=least.saturating_add(least / 4)).contains(&chosen),
        "{trouble:?} after {}: {chosen} ms",
        delivery.spent
    );
}

#[test]
fn failures_double_the_wait_up_to_an_hour() {
    let waits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600];
    for (spent, expected) in (0..).zip(waits) {
        for trouble in [Trouble::Busy, Trouble::NotYet, Trouble::Unknown] {
            wait(Standard::default(), &delivery(spent), trouble, expected);
        }
    }
    for spent in [31, 32, 33, u32::MAX] {
        wait(Standard::default(), &delivery(spent), Trouble::Busy, 3600);
    }
}

#[test]
fn the_first_and_the_longest_wait_are_settings() {
    let policy = Standard { first: Span::from_secs(5), longest: Span::from_secs(60), ..Standard::default() };
    for (spent, expected) in (0..).zip([5, 10, 20, 40, 60, 60]) {
        wait(policy, &delivery(spent), Trouble::Busy, expected);
    }
}

#[test]
fn a_young_token_is_tried_again_soon() {
    let refused = |seconds, refusals| Trouble::TokenRefused { age: Span::from_secs(seconds), refusals };
    for (age, expected) in [(0, 2), (1, 2), (2, 2), (3, 3), (4, 4), (5, 5), (6, 5), (600, 5)] {
        wait(Standard::default(), &delivery(9), refused(age, 0), expected);
    }
    for (refusals, expected) in [(1, 2), (2, 4), (3, 5), (u32::MAX, 5)] {
        wait(Standard::default(), &delivery(9), refused(600, refusals), expected);
    }
}

#[test]
fn doubt_and_death_are_settings() {
    let (patient, strict) =
        (Standard::default(), Standard { hold_doubtful: true, fail_when_dead: true, ..Standard::default() });
    assert_eq!(patient.choose(&delivery(3), Trouble::CredentialDead, NOW), Choice::Again { at: NOW });
    assert_eq!(strict.choose(&delivery(3), Trouble::CredentialDead, NOW), Choice::GiveUp);
    assert_eq!(strict.choose(&delivery(3), Trouble::Unknown, NOW), Choice::GiveUp);
    wait(patient, &delivery(0), Trouble::Unknown, 1);
    wait(strict, &delivery(0), Trouble::Busy, 1);
}

/// What failed together does not come back together, and a replay waits as long as the run did.
#[test]
fn jitter_differs_by_delivery_and_attempt_and_by_nothing_else() {
    let hour = Span::from_secs(3600);
    let mut seen: Vec<u64> = (0..100).map(|seed| jittered(hour, seed, 0).as_millis()).collect();
    assert_eq!(seen, (0..100).map(|seed| jittered(hour, seed, 0).as_millis()).collect::<Vec<_>>());
    seen.extend((1..100).map(|salt| jittered(hour, 0, salt).as_millis()));
    assert!(seen.iter().all(|wait| (3_600_000..=4_500_000).contains(wait)));
    assert!(seen.iter().any(|wait| *wait < 3_700_000) && seen.iter().any(|wait| *wait > 4_400_000));
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 190, "{} different waits of 199", seen.len());
    assert_eq!(jittered(Span::ZERO, 7, 7), Span::ZERO);
    let endless = jittered(Span::from_millis(u64::MAX), 7, 7);
    assert_eq!(endless, Span::from_millis(u64::MAX), "it saturates");
}

#[test]
fn a_fresh_delivery_may_be_admitted_when_it_is_due() {
    let fresh = delivery(0);
    assert_eq!(fresh.state, State::Pending { due: NOW });
    assert!(fresh.may_be_admitted(outlast_state::Epoch::NONE, NOW));
    assert!(!fresh.may_be_admitted(outlast_state::Epoch::NONE, Time::from_millis(999_999)));
}
