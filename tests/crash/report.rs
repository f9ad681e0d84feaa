//! What runs, for how long, and what is said of it: one line of totals for each part, and the counts at the end.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::OnceLock;

use outlast::clock;

/// What a part came to.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The totals, in one line.
    pub(crate) totals: String,
    /// What is wrong, each in a sentence that says how to see it again.
    pub(crate) wrong: Vec<String>,
    /// Why it could not be done, where it could not.
    pub(crate) skipped: Option<String>,
}

impl Outcome {
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Outcome { skipped: Some(why.into()), ..Outcome::default() }
    }
}

type Part = (&'static str, fn() -> Outcome);

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    clock::wall().as_millis()
}

/// How many seconds the long run may take; `None` for the short one.
fn long() -> Option<u64> {
    number("OUTLAST_CRASH_LONG")
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is no whole number")))
}

/// The size of a part: what its variable says, or the one for this run. Without optimisation everything takes several
/// times as long, so there is less of it.
pub(crate) fn size(variable: &str, short: u64, large: u64) -> u64 {
    let usual = match long() {
        Some(_) => large,
        None if cfg!(debug_assertions) => short.div_ceil(4),
        None => short,
    };
    number(&format!("OUTLAST_CRASH_{variable}")).unwrap_or(usual)
}

pub(crate) fn seed() -> u64 {
    number("OUTLAST_CRASH_SEED").unwrap_or(1)
}

static BEGAN: OnceLock<u64> = OnceLock::new();

/// Whether the long run's time is over. The short run has none.
pub(crate) fn is_over() -> bool {
    long().is_some_and(|seconds| now() >= BEGAN.get_or_init(now) + seconds * 1000)
}

/// Prints a line at once.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

/// Runs the parts that are asked for, and ends as a test does.
pub(crate) fn run(parts: &[Part]) -> ExitCode {
    BEGAN.get_or_init(now);
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|asked| name.starts_with(asked.as_str()));
    let chosen: Vec<&Part> = parts.iter().filter(|(name, _)| wanted(name)).collect();
    say(&format!("\nrunning {} tests, seed {}", chosen.len(), seed()));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, part) in &chosen {
        let began = now();
        let outcome = catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|_| Outcome {
            wrong: vec!["it panicked; what it said stands above".to_owned()],
            ..Outcome::default()
        });
        let seconds = (now() - began) / 1000;
        let counter = match (&outcome.skipped, outcome.wrong.as_slice()) {
            (Some(why), []) => {
                say(&format!("test {name} ... ignored, skipped: {why}"));
                &mut skipped
            }
            (_, []) => {
                say(&format!("test {name} ... ok: {}, {seconds} s", outcome.totals));
                &mut passed
            }
            (_, wrong) => {
                say(&format!("test {name} ... FAILED: {}, {seconds} s", outcome.totals));
                wrong.iter().take(20).for_each(|wrong| say(&format!("    {wrong}")));
                &mut failed
            }
        };
        *counter += 1;
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    say(&format!("\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured"));
    if failed == 0 && !chosen.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
