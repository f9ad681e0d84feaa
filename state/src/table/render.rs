//! The page `docs/STATES.md`, made of the tables.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::{
    CREDENTIAL_FACTS, CREDENTIAL_LINES, CredentialRow, DELIVERY_FACTS, DELIVERY_LINES, DeliveryRow, Row, credential,
    delivery, diagnosis, ruling,
};
use crate::credential::{Credential, Terms};
use crate::delivery::Delivery;
use crate::id::DeliveryId;
use crate::time::{Span, Time};

/// The whole page, in Markdown.
#[must_use]
pub fn render() -> String {
    let (deliveries, credentials): (Vec<DeliveryRow>, Vec<CredentialRow>) = (delivery(), credential());
    let accepted = Delivery::accepted(DeliveryId::default(), Time::ZERO, Time::NEVER, 1);
    let unauthorised = Credential::unauthorised(Terms::of(Span::ZERO), Time::ZERO);
    let parts = [
        INTRODUCTION.to_string(),
        DELIVERY.to_string(),
        diagram(accepted.state.name(), &deliveries),
        TABLE.to_string(),
        table(&DELIVERY_LINES, &DELIVERY_FACTS, &deliveries),
        RULING.to_string(),
        rulings(),
        CREDENTIAL.to_string(),
        diagram(unauthorised.state.name(), &credentials),
        TABLE.to_string(),
        table(&CREDENTIAL_LINES, &CREDENTIAL_FACTS, &credentials),
        DIAGNOSIS.to_string(),
        findings(),
        END.to_string(),
    ];
    parts.join("\n")
}

const INTRODUCTION: &str = "\
# The states

Outlast keeps at a delivery until the destination has it or a stated rule says to stop. What it does next is decided by
two small machines, and this page is all they do: the *delivery* (the fate of one parcel) and the *credential* (one OAuth
grant and the tokens that it minted, numbered by *epoch*).

A machine is in one state. *Facts* happen to it: an answer arrived, a deadline passed, an operator cancelled. The state, the
fact and the time decide the next state, and nothing else does: no clock is read, nothing is drawn by lot. The new state
is stored before anything is done about it. So after a crash there is nothing to repair: every stored state says what it
is waiting for.

This page is made from the tables in the crate `outlast-state`; each row of them is fed to the code by a test, and another
one fails when this page differs from them. Do not edit it: change the tables, then run
`OUTLAST_BLESS=1 cargo test -p outlast-state --test states`.
";

const DELIVERY: &str = "\
## The delivery

| state | means | left when |
|---|---|---|
| `Pending` | waiting for its time | it is admitted to a request, its time having come |
| `Sending` | a request may be on the wire | the answer arrives, or it is known that none will |
| `AwaitingPropagation` | the token was refused while that means nothing yet: some of the provider's nodes have not heard of it | it is admitted again, with the same token, after a short wait |
| `Refreshing` | the token was refused, and that means something | it is admitted with a later token |
| `Done` | the destination has it | never |
| `Failed` | given up, for a stated reason | an operator redrives it |
";

const TABLE: &str = "\
Down: what happens. Across: the state it happens in. In the cells: the state after, `.` where nothing happens, and the
number of the condition, which is below the table; where no condition of a cell holds, nothing happens.
";

const RULING: &str = "\
### What a refused token means

A provider answers 401 when a token is dead, and also while some of its nodes have not heard of a new one. The answer does
not tell which; history does. The first row that fits counts. Only `Move` costs a refresh.
";

const CREDENTIAL: &str = "\
## The credential

| state | means | left when |
|---|---|---|
| `Current` | it serves a token; it may hold the `next` one, which does not serve before it is proven | the token is refused beyond its settle window, expires, or a planned refresh is due |
| `Refreshing` | a token request is due or in the air; meanwhile it serves what still works, or has lost it | the request has an outcome |
| `Dead` | it has nothing, and only a human can change that | it is authorised; or its configuration is mended, if it died of that |

The *settle window* is the age below which a refusal of a token means nothing (ten minutes for LinkedIn). A *fruitless*
token is one that was refused beyond its window and never accepted, or was expired on arrival.
";

const DIAGNOSIS: &str = "\
### What it suffers from

`outlast auth show NAME` and `outlast why ID` say what a credential suffers from and what speaks for it. That is a function of
the state and of what was seen: which requests with which token were accepted and refused, by which nodes, what the token
endpoint and the issuer said. It explains, and decides nothing. The first row that fits counts. A token inside of its
settle window is called revoked on the word of its issuer only.
";

const END: &str = "\
## Where this is in the code

`state/src/delivery` and `state/src/credential` are the machines, `state/src/ruling.rs` is what a refusal means,
`state/src/diagnosis.rs` what a credential suffers from, and `state/src/table` holds the tables. `state/src/laws` says what holds for every state, fact and time, whatever the tables say.
";

/// A state's name: what stands before the comma on its line of the table.
fn name(line: &str) -> &str {
    line.split(',').next().unwrap_or(line)
}

/// A Mermaid diagram of the rows: one arrow for each pair of states, with the facts that take it. Rows that stay in one
/// line are left out; rows that stay in one state but change its line are loops. Where no arrow leaves, it ends.
fn diagram(start: &str, rows: &[Row<impl Copy, impl Copy>]) -> String {
    let arrows = arrows(rows);
    let mut text = format!("```mermaid\nstateDiagram-v2\n    [*] --> {start}\n");
    for (from, to, labels) in &arrows {
        put(&mut text, format_args!("    {from} --> {to}: {}\n", labels.join("<br/>")));
    }
    let mut ends: Vec<&str> = arrows.iter().map(|(_, to, _)| *to).collect();
    ends.retain(|end| arrows.iter().all(|(from, _, _)| from != end));
    ends.dedup();
    if let Some(end) = ends.first() {
        put(&mut text, format_args!("    {end} --> [*]\n"));
    }
    text.push_str("```\n");
    text
}

type Arrow<'a> = (&'a str, &'a str, Vec<String>);

fn arrows<'a>(rows: &'a [Row<impl Copy, impl Copy>]) -> Vec<Arrow<'a>> {
    let mut arrows: Vec<Arrow<'a>> = Vec::new();
    for (row, to) in rows.iter().filter_map(|row| row.to.map(|to| (row, to))).filter(|(row, to)| row.from != *to) {
        let (from, label, to) = (name(row.from), label(row.from, row.fact, to, rows), name(to));
        match arrows.iter_mut().find(|(a, b, _)| (*a, *b) == (from, to)) {
            Some((_, _, labels)) if labels.contains(&label) => (),
            Some((_, _, labels)) => labels.push(label),
            None => arrows.push((from, to, Vec::from([label]))),
        }
    }
    arrows
}

/// What stands on the arrow that `fact` takes from `line`: the fact; or, where nearly everything that counts on a line of
/// half a state goes one way, what does not.
fn label(line: &str, fact: &str, to: &str, rows: &[Row<impl Copy, impl Copy>]) -> String {
    let Some((_, half)) = line.split_once(", ") else { return short(fact).to_string() };
    let counts = || rows.iter().filter(|row| row.from == line && row.to.is_some());
    let others: Vec<&str> = counts().filter(|row| row.to != Some(to)).map(|row| short(row.fact)).collect();
    if counts().count() < others.len().saturating_mul(6) || others.is_empty() {
        return short(fact).to_string();
    }
    format!("{half}, and not {}", others.join(", "))
}

/// A fact as an arrow says it, where room is short.
fn short(fact: &str) -> &str {
    fact.strip_prefix("Answered: ").unwrap_or(fact)
}

fn table(lines: &[&'static str], facts: &[&'static str], rows: &[Row<impl Copy, impl Copy>]) -> String {
    let mut conditions: Vec<&str> = Vec::new();
    let mut text = format!("| | {} |\n|---|{}\n", lines.join(" | "), "---|".repeat(lines.len()));
    for fact in facts {
        let cells: Vec<String> = lines.iter().map(|line| cell(line, fact, rows, &mut conditions)).collect();
        put(&mut text, format_args!("| **{fact}** | {} |\n", cells.join(" | ")));
    }
    text.push('\n');
    for (index, condition) in conditions.iter().enumerate() {
        put(&mut text, format_args!("{}. {condition}\n", index.saturating_add(1)));
    }
    text
}

/// What comes of a fact in a state: the rows in which something does, in order, with the numbers of their conditions.
fn cell(line: &str, fact: &str, rows: &[Row<impl Copy, impl Copy>], conditions: &mut Vec<&'static str>) -> String {
    let of_cell = rows.iter().filter(|row| row.from == line && row.fact == fact);
    let parts: Vec<String> = of_cell
        .filter_map(|row| row.to.map(|to| (row.guard, to)))
        .map(
            |(guard, to)| {
                if guard.is_empty() { to.to_string() } else { format!("{to} ({})", number(guard, conditions)) }
            },
        )
        .collect();
    if parts.is_empty() { ".".to_string() } else { parts.join("; ") }
}

/// The number of a condition below the table, from 1: its own if it was met before.
fn number(condition: &'static str, met: &mut Vec<&'static str>) -> usize {
    let index = met.iter().position(|known| *known == condition).unwrap_or_else(|| {
        met.push(condition);
        met.len().saturating_sub(1)
    });
    index.saturating_add(1)
}

fn rulings() -> String {
    let mut text = String::from("| when the refusal arrives | ruling | the delivery is then |\n|---|---|---|\n");
    for row in ruling() {
        put(&mut text, format_args!("| {} | `{:?}` | {} |\n", row.when, row.ruling, row.then));
    }
    text
}

fn findings() -> String {
    let mut text = String::from("| what is so | it is called | who must act, or what will tell |\n|---|---|---|\n");
    for row in diagnosis() {
        put(&mut text, format_args!("| {} | {} | {} |\n", row.when, row.finding.name(), row.then));
    }
    text
}

fn put(text: &mut String, more: fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::{Row, Sample};
    use super::label;
    use crate::time::Time;

    fn row(fact: &'static str, to: &'static str) -> Row<(), ()> {
        let sample = Sample { before: (), input: (), now: Time::ZERO };
        Row { from: "Sending, to stop", fact, guard: "", to: Some(to), sample }
    }

    #[test]
    fn an_arrow_says_what_it_is_not_where_five_facts_of_six_take_it() {
        let mut rows = Vec::from(["a", "b", "c", "d", "e"].map(|fact| row(fact, "Failed")));
        rows.push(row("Answered: Accepted", "Done"));
        assert_eq!(label("Sending, to stop", "a", "Failed", &rows), "to stop, and not Accepted");
        rows.remove(0);
        assert_eq!(label("Sending, to stop", "b", "Failed", &rows), "b");
    }
}
