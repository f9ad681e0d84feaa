//! Every law for every (state, input, now) over small domains, and every row of the tables met.
//!
//! One step of time is 45 s, so that half of a token's lifetime is now below 30 s, now above.

#![expect(clippy::disallowed_methods, reason = "how long all of it takes is printed")]

mod gates;

use std::collections::BTreeSet;
use std::time::Instant;

use outlast_state::laws::{CREDENTIAL_LAWS, DELIVERY_LAWS, GATE_LAWS};
use outlast_state::{
    Attempt, Batch, Cause, Choice, Credential, CredentialInput, CredentialState, Delivery, DeliveryId, Epoch, Grant,
    Held, Input, Inquiry, Lack, Load, Need, Proof, Reason, Receipt, Seen, Serving, Span, Standing, State, Terms, Then,
    Time, Token, TokenProof, Verdict, Why, table,
};

fn at(step: u64) -> Time {
    Time::from_millis(step.saturating_mul(45_000))
}

fn lasting(steps: u64) -> Span {
    Span::from_millis(steps.saturating_mul(45_000))
}

fn epoch(number: u32) -> Epoch {
    Epoch::from_number(number)
}

/// Attempts 0, 1 and 2.
fn attempts() -> [Attempt; 3] {
    [Attempt::NONE, Attempt::NONE.next(), Attempt::NONE.next().next()]
}

fn sending(number: u32, of: u32, then: Then) -> State {
    State::Sending { epoch: epoch(number), by: at(3), batch: Batch::from_number(1), index: 0, of, then }
}

fn states() -> Vec<State> {
    let mut states = vec![State::Done { at: at(1), receipt: Receipt { status: 201 } }];
    for time in 1..4 {
        states.push(State::Pending { due: at(time) });
        states.push(State::AwaitingPropagation { epoch: epoch(1), until: at(time) });
    }
    for number in 1..3 {
        states.push(State::Refreshing { rejected: epoch(number) });
        for of in 1..4 {
            states.push(sending(number, of, Then::Continue));
        }
        for reason in [Reason::Cancelled, Reason::Expired] {
            states.push(sending(number, 2, Then::Stop { reason }));
        }
    }
    let refused = Reason::Refused { why: Why::Rejected { status: 400 } };
    for reason in [refused, Reason::Exhausted, Reason::Expired, Reason::CredentialDead, Reason::InDoubt] {
        states.push(State::Failed { at: at(1), reason, in_doubt: reason == Reason::InDoubt });
    }
    states
}

fn deliveries() -> Vec<Delivery> {
    let mut all = Vec::new();
    for state in states() {
        for attempt in [attempts()[0], attempts()[1]] {
            for (spent, budget) in [(0, 1), (0, 2), (1, 2), (2, 1)] {
                for (at_most, doubt) in [(1, false), (2, true), (5, false), (5, true)] {
                    let (id, deadline) = (DeliveryId::from_u128(7), at(2));
                    all.push(Delivery { id, state, attempt, spent, budget, deadline, at_most, doubt });
                }
            }
        }
    }
    all
}

fn seens() -> Vec<Seen> {
    let mut all = Vec::new();
    let accepted = |later, refusals| Proof::Accepted { later, refusals };
    for serving in [Serving::Epoch(epoch(1)), Serving::Epoch(epoch(2)), Serving::Nothing, Serving::Dead] {
        for expired in [false, true] {
            for settles in [at(1), at(2), at(3)] {
                for proof in
                    [Proof::Never, accepted(false, 2), accepted(false, 3), accepted(true, 0), accepted(true, 3)]
                {
                    all.push(Seen { serving, expired, settles, proof });
                }
            }
        }
    }
    all
}

fn choices() -> [Choice; 3] {
    [Choice::Again { at: at(1) }, Choice::Again { at: at(3) }, Choice::GiveUp]
}

fn verdicts() -> Vec<Verdict> {
    let busy = |after, load| Verdict::Busy { after, load };
    vec![
        Verdict::Accepted { receipt: Receipt { status: 201 } },
        busy(Span::ZERO, Load::Failing),
        busy(lasting(2), Load::Failing),
        busy(lasting(2), Load::Throttled),
        Verdict::NotYet { after: Span::ZERO },
        Verdict::NotYet { after: lasting(2) },
        Verdict::Refused { why: Why::Invalid },
        Verdict::Refused { why: Why::Rejected { status: 400 } },
        Verdict::Split,
        Verdict::Unknown,
    ]
}

fn inputs() -> Vec<Input> {
    let mut all = vec![
        Input::DeadlinePassed,
        Input::Cancelled,
        Input::Redriven { deadline: at(9), budget: 3 },
        Input::Redriven { deadline: at(1), budget: 0 },
    ];
    for attempt in attempts() {
        for number in 1..4 {
            let batch = Batch::from_number(2);
            all.push(Input::Admitted { attempt, epoch: epoch(number), by: at(4), batch, index: 1, of: 3 });
        }
        for choice in choices() {
            all.push(Input::Interrupted { attempt, clean: false, choice });
            all.push(Input::Interrupted { attempt, clean: true, choice });
            for verdict in verdicts() {
                all.push(Input::Answered { attempt, verdict, seen: Seen::NONE, choice });
            }
        }
    }
    for seen in seens() {
        for choice in choices() {
            all.push(Input::Answered { attempt: attempts()[1], verdict: Verdict::TokenRefused, seen, choice });
        }
    }
    all
}

type Met = BTreeSet<(&'static str, &'static str, Option<&'static str>)>;

#[test]
fn every_law_of_the_delivery_holds_everywhere() {
    let (mut triples, mut met, began) = (0_u64, Met::new(), Instant::now());
    let inputs = inputs();
    for before in deliveries() {
        let sent = if let State::Sending { epoch, .. } = before.state { epoch } else { epoch(1) };
        for &input in &inputs {
            for now in [at(1), at(2), at(3)] {
                triples += 1;
                let after = before.step(input, now);
                let to = (after != before).then(|| table::delivery_line(&after.state));
                met.insert((table::delivery_line(&before.state), table::delivery_fact(&input, sent, now), to));
                for (name, law) in DELIVERY_LAWS {
                    if let Err(broken) = law(before, input, now) {
                        panic!("{name}: {broken}");
                    }
                }
            }
        }
    }
    let rows: Met = table::delivery().iter().map(|row| (row.from, row.fact, row.to)).collect();
    same_rows(&rows, &met);
    println!(
        "delivery: {triples} (state, input, now), {} laws, {} rows of the table met, {:?}",
        DELIVERY_LAWS.len(),
        met.len(),
        began.elapsed()
    );
}

/// What happened is in the table, and what is in the table happened. That a fact about another attempt changes nothing
/// is a row where something could.
fn same_rows(rows: &Met, met: &Met) {
    let unwritten: Vec<_> = met.iter().filter(|row| row.2.is_some() && !rows.contains(row)).collect();
    assert!(unwritten.is_empty(), "the table does not say {unwritten:#?}");
    let unmet: Vec<_> = rows.difference(met).collect();
    assert!(unmet.is_empty(), "only the table says {unmet:#?}");
}

fn tokens(number: u32, issued: &[u64], expires: &[u64], proofs: &[TokenProof]) -> Vec<Token> {
    let mut all = Vec::new();
    for &issued in issued {
        for &expires in expires {
            for &proof in proofs {
                all.push(Token { epoch: epoch(number), issued: at(issued), expires: at(expires), proof });
            }
        }
    }
    all
}

const PROOFS: [TokenProof; 4] = [
    TokenProof::Unproven { refusals: 0 },
    TokenProof::Unproven { refusals: 1 },
    TokenProof::Accepted { sent: Time::from_millis(45_000), refusals: 0 },
    TokenProof::Accepted { sent: Time::from_millis(90_000), refusals: 2 },
];

/// Credentials' states with the number of their newest epoch.
fn credential_states() -> Vec<(u32, CredentialState)> {
    let mut all = Vec::new();
    for serving in tokens(1, &[0, 1], &[2, 9], &PROOFS) {
        all.push((1, CredentialState::Current { serving, next: None }));
        for next in tokens(2, &[0, 1], &[2, 9], &PROOFS[..3]) {
            all.push((2, CredentialState::Current { serving, next: Some(next) }));
        }
        for held in [Held::Serving(serving), Held::Lost(serving)] {
            let planned = [(0, at(1), Need::Planned, false), (2, at(4), Need::Refused, true)];
            for (tries, not_before, why, interrupted) in planned {
                all.push((1, CredentialState::Refreshing { held, tries, not_before, why, interrupted }));
            }
        }
    }
    for cause in [
        Cause::NeverAuthorised,
        Cause::Revoked,
        Cause::NoRefreshToken,
        Cause::Misconfigured,
        Cause::GrantLost,
        Cause::NeverAccepted,
    ] {
        all.push((1, CredentialState::Dead { cause, since: at(1) }));
    }
    all
}

fn credentials() -> Vec<Credential> {
    let ended = |cause| Grant::Ended { cause };
    let mut all = Vec::new();
    for (number, state) in credential_states() {
        for renewed in [Time::ZERO, at(1)] {
            for fruitless in 0..2 {
                for grant in [Grant::Alive, ended(Cause::Revoked), ended(Cause::Misconfigured)] {
                    for settle in [lasting(2), lasting(4)] {
                        let (epoch, terms) = (epoch(number), Terms::of(settle));
                        let (ends, inquiry, lack) = (Time::NEVER, Inquiry::None, Lack::None);
                        let plain = Credential { state, epoch, renewed, fruitless, grant, ends, inquiry, lack, terms };
                        all.extend(variants(plain));
                    }
                }
            }
        }
    }
    all
}

/// The same, with what its issuer was asked, what it lacks, and the terms that matter there.
fn variants(plain: Credential) -> [Credential; 7] {
    let terms = plain.terms;
    let first = epoch(1);
    let with = |terms| Credential { terms, ..plain };
    let asking = with(Terms { introspects: true, ..terms });
    let scoped = with(Terms { scope_delay: lasting(3), ..terms });
    [
        plain,
        asking,
        Credential { inquiry: Inquiry::Asked { epoch: first }, ..asking },
        Credential { inquiry: Inquiry::Stands { epoch: first, until: at(2) }, ..asking },
        scoped,
        Credential { lack: Lack::Waits { epoch: first, until: at(2) }, ..scoped },
        Credential {
            lack: Lack::Minted { epoch: first },
            ends: at(4),
            ..with(Terms { idle: lasting(2), renew_at: 50, mints: true, ..scoped.terms })
        },
    ]
}

fn credential_inputs() -> Vec<CredentialInput> {
    use CredentialInput as In;
    let authorised = In::Authorised { issued: at(1), expires: at(9), ends: Time::NEVER };
    let mut all = vec![In::RefreshDue, In::Interrupted, In::Revoked, authorised];
    for settle in [lasting(2), lasting(3)] {
        all.push(In::ConfigurationChanged { terms: Terms::of(settle) });
    }
    all.push(In::ConfigurationChanged { terms: Terms { mints: true, ..Terms::of(lasting(2)) } });
    // Also the need to leave a token that was left long ago.
    for past in [epoch(0), epoch(1), epoch(2)] {
        for why in [Need::Refused, Need::Expired, Need::Planned, Need::Reconfigured, Need::Scope] {
            all.push(In::Needed { past, why });
        }
    }
    for epoch in [epoch(1), epoch(2)] {
        for expires in [at(2), at(3), at(9)] {
            all.push(In::Renewed { from: epoch, issued: at(1), expires, ends: Time::NEVER });
        }
        for cause in [Cause::Revoked, Cause::NoRefreshToken] {
            all.push(In::RefusedForGood { from: epoch, cause });
        }
        for retry_at in [at(1), at(5)] {
            all.push(In::Unknown { from: epoch, retry_at });
        }
        all.push(In::Misconfigured { from: epoch });
        all.push(In::ScopeMissing { epoch });
        for standing in [Standing::Active, Standing::Expired, Standing::Revoked, Standing::Unknown] {
            all.push(In::Introspected { epoch, standing });
        }
        for sent in [at(1), at(2), at(3)] {
            all.push(In::Accepted { epoch, sent });
            all.push(In::TokenRefused { epoch, sent });
        }
    }
    all
}

#[test]
fn every_law_of_the_credential_holds_everywhere() {
    let (mut triples, mut met, began) = (0_u64, Met::new(), Instant::now());
    let inputs = credential_inputs();
    for before in credentials() {
        for &input in &inputs {
            for now in [at(1), at(2), at(3)] {
                triples += 1;
                let after = before.step(input, now);
                let to = (after != before).then(|| table::credential_line(&after.state));
                met.insert((table::credential_line(&before.state), table::credential_fact(&input, now), to));
                for (name, law) in CREDENTIAL_LAWS {
                    if let Err(broken) = law(before, input, now) {
                        panic!("{name}: {broken}");
                    }
                }
            }
        }
    }
    let rows: Met = table::credential().iter().map(|row| (row.from, row.fact, row.to)).collect();
    same_rows(&rows, &met);
    println!(
        "credential: {triples} (state, input, now), {} laws, {} rows of the table met, {:?}",
        CREDENTIAL_LAWS.len(),
        met.len(),
        began.elapsed()
    );
}

#[test]
fn every_law_of_the_gate_holds_everywhere() {
    let (mut triples, began) = (0_u64, Instant::now());
    let reached = gates::reached();
    for &(gate, now) in &reached {
        for fact in gates::facts(now) {
            triples += 1;
            for (name, law) in GATE_LAWS {
                if let Err(broken) = law(gate, fact, now) {
                    panic!("{name}: {broken}");
                }
            }
        }
    }
    println!(
        "gate: {triples} (state, fact, now) of {} reached gates, {} laws, {:?}",
        reached.len(),
        GATE_LAWS.len(),
        began.elapsed()
    );
}
