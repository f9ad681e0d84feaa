//! The page `docs/ERRORS.md`, made of the tables.

use std::fmt::Write;

use super::{CODES, Code, Fate, LONGEST_RETRY_AFTER, PHRASES, STATUSES, StatusRow, Who};

/// The whole page, in Markdown.
#[must_use]
pub fn render() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (fate, title, words) in PARTS {
        put(&mut page, format_args!("\n## {title}\n\n{words}\n\n| code | what happened | who acts | what they do |\n"));
        page.push_str("|---|---|---|---|\n");
        for code in CODES.iter().filter(|code| code.fate == fate) {
            put(&mut page, format_args!("{}\n", line(code)));
        }
    }
    page.push_str(STATUS);
    for row in STATUSES.iter().filter(|row| row.from >= 200 && row.to < 600) {
        put(&mut page, format_args!("{}\n", status_line(row)));
    }
    put(
        &mut page,
        format_args!("\n`Retry-After` is read as seconds and as a date, and believed up to {LONGEST_RETRY_AFTER}."),
    );
    page.push_str(NAMES);
    for (status, name) in PHRASES {
        put(&mut page, format_args!("| {status} | `{name}` |\n"));
    }
    page
}

const INTRODUCTION: &str = "\
# Errors

Every reason why something was not delivered, or not yet, has a code that stays the same. `outlast show` and `outlast why` tell
it beside the words, which may change. For each code: what happened, who must act, and what they do.

- The *caller* sends events.
- The *operator* configures and watches the engine.
- The *provider* owns the API: nobody on this side has to do anything, unless it lasts.
- *Outlast* stands for whoever wrote the engine, or the destination.

Some destinations have codes of their own beside these; their pages name them.

This page is made from the tables in `src/taxonomy/`; a test fails when it differs from them. Do not edit it: change the
tables, then run `OUTLAST_BLESS=1 cargo test --lib taxonomy`.
";

const PARTS: [(Fate, &str, &str); 5] = [
    (
        Fate::Refused,
        "At the door",
        "Nothing is stored. Who called is told at once, and may send a better one. What was submitted to a destination as it is, \
         and not as an event, is read when it is delivered: then it is stored, and fails under the same code.",
    ),
    (
        Fate::Failed,
        "Failed",
        "The delivery has ended and is kept with its event. It is not sent again, unless somebody redrives it.",
    ),
    (
        Fate::Spends,
        "Again, and the attempt counts",
        "It is sent again after its backoff, as often as its budget of failed attempts and its time to live allow.",
    ),
    (Fate::Waits, "Again, and nothing counts", "It waits and is sent again. Only its time to live bounds that."),
    (
        Fate::Halved,
        "Again in halves",
        "The batch is sent again in halves, until the item at fault is alone. Nothing counts against a budget.",
    ),
];

const STATUS: &str = "
## By status

What an answer means where a destination knows nothing closer. A rejection has the name of its status as its code, and is not
sent again. Of the statuses that are, 429 slows the whole credential and spends nothing; the others spend an attempt. A time-out
is no status: it is `OUTCOME_UNKNOWN`. A 401 is a rejection where no token was sent.

| status | for one item | for one of several | advice |
|---|---|---|---|
";

const NAMES: &str = "

## The names of statuses

Any other status is `UNKNOWN_ERROR`.

| status | code |
|---|---|
";

const fn who(who: Who) -> &'static str {
    match who {
        Who::Caller => "caller",
        Who::Operator => "operator",
        Who::Provider => "provider",
        Who::Outlast => "Outlast",
    }
}

fn line(code: &Code) -> String {
    format!("| `{}` | {} | {} | {} |", code.name, code.meaning, who(code.who), code.remedy)
}

fn status_line(row: &StatusRow) -> String {
    let statuses = if row.from == row.to { row.from.to_string() } else { format!("{} to {}", row.from, row.to) };
    format!("| {statuses} | {} | {} | {} |", row.one.name(), row.many.name(), row.advice)
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a String takes everything");
}
