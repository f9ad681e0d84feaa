//! What must have happened, or the simulator has gone blind: each row of the rules' tables that changes something, each
//! fault, each act of a person, each reason to fail.

use std::collections::BTreeMap;

use outlast::state::table;
use outlast::verify::{Machine, Marks};

use crate::run::Total;

/// So many deliveries must have been simulated before absence means anything.
pub(crate) const ENOUGH: u64 = 250_000;

/// Rows that the shell does not reach yet, by a part of their line, with the reason. The laws and the composed model hold
/// them.
const NOT_YET: [(&str, &str); 14] = [
    (
        "Refreshing, serving + Renewed, expired on arrival",
        "a world whose tokens are expired on arrival renews none by plan",
    ),
    ("Current, with next + Needed, otherwise -> Dead", "a grant that has just minted has not ended"),
    ("Current, with next + Needed, refused -> Dead", "what is renewed by plan was accepted, so it is not fruitless"),
    ("Current, with next + Needed, refused -> Refreshing, lost", "a next token outlives the one that serves"),
    ("Refreshing, serving + Misconfigured", "a client is refused too seldom to meet a planned refresh"),
    (
        "Credential: Current + Needed, refused -> Current",
        "a refusal is heard before the need that it makes, and asks the issuer",
    ),
    ("Current, with next + RefreshDue", "no simulated grant dies of being idle"),
    ("Current + RefreshDue -> Refreshing, lost", "no simulated grant dies of being idle"),
    ("Current, with next + Introspected", "a token that is asked about has a successor by a keep-alive only"),
    ("ScopeMissing", "no simulated token lacks a scope"),
    ("Revoked -> Dead", "nobody in the simulator ends a credential by a command"),
    ("Pending + Answered: Accepted", "the shell reports each request once, so no acceptance comes late"),
    ("AwaitingPropagation + Answered: Accepted", "the shell reports each request once, so no acceptance comes late"),
    ("Refreshing + Answered: Accepted", "the shell reports each request once, so no acceptance comes late"),
];

/// No shipped destination says `Split` of a single item.
const SPLIT_OF_ONE: &str = "Delivery: Sending + Answered: Split -> Failed";

const MET: [&str; 20] = [
    "a barrier that failed",
    "a clean stop",
    "a fault of the clock",
    "a grant revoked",
    "a request that was lost",
    "a token revoked or ended",
    "an answer that never came",
    "authorise",
    "cancel",
    "crash at some moment",
    "crash between two acts",
    "crash inside recovery",
    "look",
    "no connection",
    "pause",
    "redrive",
    "resume",
    "submit",
    "submit again",
    "submit another body",
];

const REASONS: [&str; 6] = ["Refused", "Exhausted", "Expired", "Cancelled", "CredentialDead", "InDoubt"];

/// What never happened although it should have.
pub(crate) fn missing(total: &Total) -> Vec<String> {
    let mut missing = Vec::new();
    missing
        .extend(MET.iter().filter(|what| !total.met.contains_key(*what)).map(|what| format!("fault or act: {what}")));
    missing.extend(REASONS.iter().filter(|one| !total.reasons.contains_key(**one)).map(|one| format!("reason: {one}")));
    let unwalked = walked(&total.marks).into_iter().filter(|(_, times)| *times == 0);
    missing.extend(unwalked.map(|(line, _)| format!("row: {line}")));
    missing
}

/// Every row that changes something and that the shell reaches, as a line, with how often it was walked.
fn walked(marks: &Marks) -> BTreeMap<String, u64> {
    let delivery = table::delivery().into_iter().map(|row| (Machine::Delivery, row.from, row.fact, row.to));
    let credential = table::credential().into_iter().map(|row| (Machine::Credential, row.from, row.fact, row.to));
    let changing = delivery.chain(credential).filter_map(|(machine, from, fact, to)| {
        let line = format!("{machine:?}: {from} + {fact} -> {}", to?);
        Some((line, marks.times(machine, from, fact, to)))
    });
    let reached = |line: &String| line != SPLIT_OF_ONE && !NOT_YET.iter().any(|(part, _)| line.contains(part));
    changing.filter(|(line, _)| reached(line)).collect()
}

/// How many rows there are, and the one that was walked least.
pub(crate) fn rarest(marks: &Marks) -> String {
    let walked = walked(marks);
    let least = walked.iter().min_by_key(|(_, times)| **times);
    least.map_or_else(String::new, |(line, times)| format!("{} rows, the rarest {times} times: {line}", walked.len()))
}
