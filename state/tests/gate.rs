//! The gate: its rules one by one, and what they come to against a provider whose nodes learn of a token late.

mod world;

use outlast_state::{CANARY_ITEMS, Epoch, Evidence, Gate, Room, STREAK, Span, Time, Token, TokenProof, YOUNG};
use world::{Provider, Run};

const ISSUED: Time = Time::from_millis(1_000_000);
const EPOCH: Epoch = Epoch::NONE.next();

fn gate() -> Gate {
    Gate::of(&Token::minted(EPOCH, ISSUED, Time::NEVER))
}

fn aged(millis: u64) -> Time {
    ISSUED.after(Span::from_millis(millis))
}

/// Sends one request at `now`, and hears of it at once.
fn tried(gate: Gate, evidence: Evidence, now: Time) -> Gate {
    gate.sent(EPOCH, now).answered(EPOCH, now, evidence, now)
}

fn open(requests: u32, items: u32) -> Room {
    Room::Open { requests, items }
}

/// A gate that is past its youth and open, with the limit that one acceptance gives.
fn flowing() -> (Gate, Time) {
    let now = ISSUED.after(YOUNG);
    (tried(gate(), Evidence::Accepted, now), now)
}

#[test]
fn a_young_token_is_tried_by_one_small_canary() {
    assert_eq!(gate().room(ISSUED), open(1, CANARY_ITEMS));
    let sent = gate().sent(EPOCH, ISSUED);
    assert_eq!(sent.epoch(), EPOCH);
    assert_eq!(sent.room(ISSUED), Room::From(aged(2_000)));
    assert_eq!(sent.room(aged(1_999)), Room::From(aged(2_000)));
    assert_eq!(sent.room(aged(2_000)), open(1, CANARY_ITEMS), "a canary without an answer holds the slot for 2 s");
}

#[test]
fn after_a_refusal_the_next_canary_waits_an_eighth_of_the_age() {
    for (age, wait) in [(0, 2_000), (16_000, 2_000), (24_000, 3_000), (32_000, 4_000), (36_000, 4_500), (59_000, 4_500)]
    {
        let refused = tried(gate(), Evidence::Refused, aged(age));
        assert_eq!(refused.room(aged(age)), Room::From(aged(age + wait)), "at the age of {age} ms");
        assert_eq!(refused.room(aged(age + wait)), open(1, CANARY_ITEMS));
    }
}

#[test]
fn the_canaries_that_decide_on_an_old_token_that_worked_are_two_seconds_apart() {
    let proof = TokenProof::Accepted { sent: ISSUED, refusals: 1 };
    let proven = Gate::of(&Token { proof, ..Token::minted(EPOCH, ISSUED, Time::NEVER) });
    for (age, wait) in [(59_000, 4_500), (60_000, 2_000), (86_400_000, 2_000)] {
        let refused = tried(proven, Evidence::Refused, aged(age));
        assert_eq!(refused.room(aged(age)), Room::From(aged(age + wait)), "at the age of {age} ms");
    }
    let never_accepted = tried(gate(), Evidence::Refused, aged(120_000));
    assert_eq!(never_accepted.room(aged(120_000)), Room::From(aged(124_500)), "it may still be spreading");
}

#[test]
fn a_late_answer_does_not_free_the_slot_of_the_next_canary() {
    let second = gate().sent(EPOCH, ISSUED).sent(EPOCH, aged(2_000));
    let heard = second.answered(EPOCH, ISSUED, Evidence::Accepted, aged(2_100));
    assert_eq!(heard.room(aged(2_100)), Room::From(aged(4_000)));
    let both = heard.answered(EPOCH, aged(2_000), Evidence::Accepted, aged(2_200));
    assert_eq!(both.room(aged(2_200)), open(1, CANARY_ITEMS));
}

#[test]
fn it_widens_after_the_streak_and_not_before() {
    let mut young = gate();
    for _ in 1..STREAK {
        young = tried(young, Evidence::Accepted, aged(1_000));
        assert_eq!(young.room(aged(1_000)), open(1, CANARY_ITEMS));
    }
    assert_eq!(tried(young, Evidence::Accepted, aged(1_000)).room(aged(1_000)), open(4, u32::MAX));
    // An answer that says nothing frees the slot, and is not counted; a refusal starts anew.
    assert_eq!(tried(young, Evidence::Nothing, aged(1_000)).room(aged(1_000)), open(1, CANARY_ITEMS));
    let nearly = tried(tried(young, Evidence::Refused, aged(1_000)), Evidence::Accepted, aged(9_000));
    assert_eq!(nearly.room(aged(9_000)), open(1, CANARY_ITEMS));
}

#[test]
fn past_its_youth_one_acceptance_opens_it() {
    let (gate, now) = flowing();
    assert_eq!(gate.room(now), open(4, u32::MAX));
    let almost = aged(YOUNG.as_millis() - 1);
    assert_eq!(tried(self::gate(), Evidence::Accepted, almost).room(almost), open(1, CANARY_ITEMS));
}

#[test]
fn a_refusal_while_young_closes_an_open_gate() {
    let mut young = gate();
    for _ in 0..STREAK {
        young = tried(young, Evidence::Accepted, aged(1_000));
    }
    let refused = tried(young, Evidence::Refused, aged(1_000));
    assert_eq!(refused.room(aged(1_000)), Room::From(aged(3_000)));
    assert_eq!(refused.room(aged(3_000)), open(1, CANARY_ITEMS));
}

#[test]
fn what_is_in_flight_counts_against_the_limit_and_acceptances_raise_it() {
    let (mut gate, now) = flowing();
    for left in (1..4).rev() {
        gate = gate.sent(EPOCH, now);
        assert_eq!(gate.room(now), open(left, u32::MAX));
    }
    gate = gate.sent(EPOCH, now);
    assert_eq!(gate.room(now), Room::Full);
    let silent = gate.answered(EPOCH, now, Evidence::Nothing, now);
    assert_eq!(silent.room(now), open(1, u32::MAX), "no evidence frees the place and changes nothing else");
    let accepted = gate.answered(EPOCH, now, Evidence::Accepted, now);
    assert_eq!(accepted.room(now), open(3, u32::MAX), "one place freed, and two more");
}

#[test]
fn it_halves_once_for_all_refusals_of_one_round() {
    let (mut gate, now) = flowing();
    for _ in 0..6 {
        gate = tried(gate, Evidence::Accepted, now);
    }
    assert_eq!(gate.room(now), open(16, u32::MAX));
    for _ in 0..16 {
        gate = gate.sent(EPOCH, now);
    }
    let later = now.after(Span::from_millis(100));
    let mut halved = gate.answered(EPOCH, now, Evidence::Refused, later);
    for _ in 0..7 {
        halved = halved.answered(EPOCH, now, Evidence::Refused, later);
    }
    assert_eq!(halved.room(later), Room::Full, "8 are left in flight, and 8 is the half");
    halved = halved.answered(EPOCH, now, Evidence::Refused, later);
    assert_eq!(halved.room(later), open(1, u32::MAX));
    // One was accepted in that round, so the next refusal halves again and does not close it.
    let accepted = halved.answered(EPOCH, now, Evidence::Accepted, later);
    assert_eq!(accepted.room(later), open(4, u32::MAX));
    let again = tried(accepted, Evidence::Refused, later);
    assert_eq!(again.room(later), Room::Full);
}

#[test]
fn a_round_without_an_acceptance_closes_it_and_one_with_is_over() {
    let (gate, now) = flowing();
    let later = now.after(Span::from_millis(100));
    let refused = tried(gate, Evidence::Refused, now);
    assert_eq!(refused.room(now), open(1, u32::MAX), "half of what the limit allows, but no less than one");
    let closed = tried(refused, Evidence::Refused, later);
    assert_eq!(closed.room(later), Room::From(later.after(Span::from_millis(4_500))));
    let good = tried(refused, Evidence::Accepted, later);
    let worse = tried(good, Evidence::Refused, later);
    assert!(matches!(worse.room(later), Room::Open { .. }), "the round before ended with an acceptance: {worse:?}");
}

#[test]
fn a_straggler_of_a_round_that_was_halved_does_not_halve_again() {
    let (gate, now) = flowing();
    let later = now.after(Span::from_millis(100));
    let two =
        gate.sent(EPOCH, now).sent(EPOCH, now).answered(EPOCH, now, Evidence::Refused, now.after(Span::from_millis(1)));
    let good = tried(tried(two, Evidence::Accepted, later), Evidence::Accepted, later);
    assert_eq!(good.room(later), open(4, u32::MAX), "a limit of 5, one in flight");
    let straggler = good.answered(EPOCH, now, Evidence::Refused, later);
    assert_eq!(straggler.room(later), open(5, u32::MAX));
}

/// A delay that all nodes share, uniform from 5 to 60 s: the cost is a couple of dozen refusals, and no more time than
/// the propagation takes.
#[test]
fn a_young_token_costs_two_dozen_refusals() {
    let (mut most, mut sum, mut latest, mut waits) = (0, 0, 0, Vec::new());
    let seeds = 300;
    for seed in 0..seeds {
        let provider = Provider::uniform(seed, 5_000, 60_000);
        let slowest = provider.slowest();
        let run = Run::of(provider, 1_000, seed).until_all_done();
        assert_eq!(run.delivered, 1_000);
        most = most.max(run.refused);
        sum += run.refused;
        let wait = run.now.since(slowest).as_millis();
        latest = latest.max(wait);
        waits.push(wait);
    }
    waits.sort_unstable();
    println!(
        "{seeds} seeds: {most} refusals at most, {} on average; last delivery at most {latest} ms after the last node, \
         {} ms in the middle",
        sum / seeds,
        waits[waits.len() / 2]
    );
    assert!(most <= 24, "{most} refusals");
    assert!(latest <= 8_000, "the last delivery came {latest} ms after the last node had learnt the token");
}

/// One node of three learns of the token eight minutes late: most of the traffic flows all the same.
#[test]
fn one_late_node_leaves_most_of_the_traffic_flowing() {
    let (from, to) = (ISSUED.after(Span::from_secs(60)), ISSUED.after(Span::from_secs(480)));
    let healthy = Run::of(Provider::late(0), 2_000, 7).endless().delivered_between(from, to);
    let mut least = u64::MAX;
    for seed in 0..3 {
        let late = Run::of(Provider::late(480_000), 2_000, seed).endless().delivered_between(from, to);
        least = least.min(late.saturating_mul(100) / healthy);
    }
    println!("one late node of three: at least {least} % of the healthy rate");
    assert!(least >= 50, "{least} % of the healthy rate");
}
