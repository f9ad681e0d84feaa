//! What must have happened, or the simulator has gone blind: each row of the rules' tables that changes something, each
//! fault, each act of a person, each reason to fail.

use outlast::state::table;
use outlast::verify::{Machine, Marks};

use crate::run::Total;

/// So many deliveries must have been simulated before absence means anything.
pub(crate) const ENOUGH: u64 = 20_000;

/// Facts that the shell does not produce yet, with the reason. The laws and the composed model cover their rows.
const NOT_YET: [(&str, &str); 0] = [];

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
    missing.extend(rows(&total.marks));
    missing
}

fn rows(marks: &Marks) -> Vec<String> {
    let delivery = table::delivery().into_iter().map(|row| (Machine::Delivery, row.from, row.fact, row.to));
    let credential = table::credential().into_iter().map(|row| (Machine::Credential, row.from, row.fact, row.to));
    let changing = delivery.chain(credential).filter(|(.., to)| to.is_some());
    let unmet = changing.filter(|(machine, from, fact, to)| marks.times(*machine, from, fact, *to) == 0);
    let mut told: Vec<String> = unmet
        .filter(|(_, from, fact, _)| !NOT_YET.iter().any(|(part, _)| from.contains(part) || fact.contains(part)))
        .map(|(machine, from, fact, to)| format!("row: {machine:?}: {from} + {fact} -> {}", to.unwrap_or_default()))
        .collect();
    told.sort();
    told.dedup();
    told
}
