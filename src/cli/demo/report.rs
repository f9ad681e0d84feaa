//! What is told at the end: a table, a few sentences and the pictures, or one JSON object.

use std::io::IsTerminal as _;

use serde::Serialize;

use super::judge::{count, in_flight_at_kills, in_flight_at_refusal, most_refused, most_renewals};
use super::ledger::Ledger;
use super::moment::Moment;
use super::picture::{self, Letters};
use super::place::Place;
use super::play::Played;
use super::svg;
use super::timeline::{Timeline, grouped, number};
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::sample::Sample;

/// The counts, in the order in which they are told.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Counted {
    pub(super) accepted: u64,
    pub(super) delivered: u64,
    pub(super) failed: u64,
    pub(super) attempts: u64,
    pub(super) refused: u64,
    pub(super) refreshes: u64,
    pub(super) duplicates: u64,
    pub(super) conflicts: u64,
    pub(super) crashes: u64,
    pub(super) seconds: f64,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    counted: &'a Counted,
    events: u64,
    repeated: u64,
    seed: u64,
    killed_at: String,
    in_flight_at_refusal: u64,
    in_flight_at_kill: u64,
    deliveries_per_second: f64,
    peak_per_second: u64,
    peak_memory_bytes: Option<u64>,
    store_bytes: u64,
    reasons: Vec<(&'a str, u64)>,
    timeline: String,
    violations: &'a [String],
}

/// Everything that the report is made from.
pub(super) struct Report<'a> {
    pub(super) sample: &'a Sample,
    pub(super) played: &'a Played,
    pub(super) moment: Moment,
    pub(super) seed: u64,
    pub(super) violations: &'a [String],
}

impl Report<'_> {
    pub(super) fn tell(&self, place: &Place, json: bool) -> Result<(), Failure> {
        let Played { audit, kills, began_ms, ended_ms, .. } = self.played;
        let title = "Outlast: a token revoked, an engine killed, every event accounted for";
        let timeline = Timeline::new(title.to_owned(), audit, kills, *began_ms, *ended_ms);
        let counted = self.counted();
        let path = write(&timeline, &subtitle(&counted), place)?;
        if json {
            return print::json(&self.object(&counted, &timeline, path));
        }
        table(&self.rows(&counted, &timeline))?;
        reasons(&self.played.ledger)?;
        print::line("")?;
        print::line(&wrapped(&self.story(&counted), width()))?;
        print::line("")?;
        show(&timeline)?;
        print::line(&format!("\nthe same as a picture: {path}"))?;
        if place.is_kept() {
            print::line(&format!("store, audit log, configuration and logs: {}", place.path().display()))?;
        }
        Ok(())
    }

    fn counted(&self) -> Counted {
        let Played { audit, ledger, kills, began_ms, ended_ms, .. } = self.played;
        Counted {
            accepted: ledger.accepted,
            delivered: ledger.delivered,
            failed: ledger.failed,
            attempts: ledger.attempts,
            refused: audit.refused(),
            refreshes: audit.refreshes(),
            duplicates: audit.duplicates,
            conflicts: count(audit.conflicts.len()),
            crashes: count(kills.len()),
            seconds: number(ended_ms.saturating_sub(*began_ms)) / 1000.0,
        }
    }

    fn object<'a>(&'a self, counted: &'a Counted, timeline: &Timeline, path: String) -> Object<'a> {
        let ledger = &self.played.ledger;
        Object {
            counted,
            events: count(self.sample.events.len()),
            repeated: count(self.sample.duplicates),
            seed: self.seed,
            killed_at: self.moment.to_string(),
            in_flight_at_refusal: in_flight_at_refusal(self.played),
            in_flight_at_kill: in_flight_at_kills(&self.played.kills),
            deliveries_per_second: per_second(counted),
            peak_per_second: timeline.peak(),
            peak_memory_bytes: self.played.peak_memory,
            store_bytes: ledger.size,
            reasons: ledger.ranked(),
            timeline: path,
            violations: self.violations,
        }
    }

    fn rows(&self, counted: &Counted, timeline: &Timeline) -> Vec<[String; 3]> {
        let Played { audit, ledger, kills, peak_memory, .. } = self.played;
        let row = |what: &str, value: String, note: String| [what.to_owned(), value, note];
        let events = grouped(count(self.sample.events.len()));
        let folded = grouped(count(self.sample.duplicates));
        let mut rows = vec![
            row(
                "accepted",
                grouped(counted.accepted),
                format!("of {events} events; {folded} repeat an earlier one's key"),
            ),
            row(
                "delivered",
                grouped(counted.delivered),
                format!("of {} valid events", grouped(count(self.sample.valid.len()))),
            ),
            row(
                "failed",
                grouped(counted.failed),
                format!("of {} that must be refused", grouped(count(self.sample.invalid.len()))),
            ),
            row("attempts", grouped(counted.attempts), String::new()),
            row(
                "refused requests",
                grouped(counted.refused),
                format!("at most {}: in flight at the first one + 24", most_refused(self.played)),
            ),
            row("refreshes", grouped(counted.refreshes), format!("at most {}", most_renewals(audit, ledger, kills))),
            row(
                "duplicates seen",
                grouped(counted.duplicates),
                format!("at most {}: in flight when killed", in_flight_at_kills(kills)),
            ),
            row("conflicts", grouped(counted.conflicts), "one key with two bodies".to_owned()),
            row("crashes", grouped(counted.crashes), format!("SIGKILL {}", self.moment.clause())),
            row(
                "wall time",
                format!("{:.1} s", counted.seconds),
                format!("events come at {} a second", super::feed::pace(self.sample.events.len())),
            ),
            row(
                "deliveries/s",
                format!("{:.0}", per_second(counted)),
                format!("{} in the best second", grouped(timeline.peak())),
            ),
            row("store", size(ledger.size), "on disk".to_owned()),
        ];
        rows.extend(peak_memory.map(|peak| row("peak memory", size(peak), "of the engine".to_owned())));
        rows
    }

    /// What happened and why, in a few sentences.
    fn story(&self, counted: &Counted) -> String {
        let refreshes = match counted.refreshes {
            1 => "refreshed once".to_owned(),
            more => format!("refreshed {more} times, because a kill swallowed an answer"),
        };
        let killed = match counted.crashes {
            1 => format!("The engine was killed {}", self.moment.clause()),
            more => format!("The engine was killed {more} times, {}", self.moment.clause()),
        };
        format!(
            "Half through the provider revoked the token, which it had issued 30 days before. An old token that is refused is \
             dead, so the engine {refreshes}; each later refusal was of a token too young to mean anything, so it waited with \
             one canary at a time instead of asking for another token. {killed} and went on from its store: nothing was lost, \
             and what was in the air was sent again under the same key."
        )
    }
}

/// Aligns the columns, numbers to the right.
pub(super) fn table(rows: &[[String; 3]]) -> Result<(), Failure> {
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let (names, values) = (widest(0).unwrap_or(0), widest(1).unwrap_or(0));
    print::line("")?;
    rows.iter().try_for_each(|[name, value, note]| {
        print::line(format!("{name:<names$}  {value:>values$}  {}", dimmed(note)).trim_end())
    })
}

fn dimmed(text: &str) -> String {
    let coloured = std::io::stdout().is_terminal() && !print::plain() && !text.is_empty();
    if coloured { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn reasons(ledger: &Ledger) -> Result<(), Failure> {
    let ranked = ledger.ranked();
    if ranked.is_empty() {
        return Ok(());
    }
    print::line("\nfailed, by reason:")?;
    for (reason, count) in ranked.iter().take(MOST_REASONS) {
        print::line(&format!("  {:>6}  {reason}", grouped(*count)))?;
    }
    let others: u64 = ranked.iter().skip(MOST_REASONS).map(|(_, count)| count).sum();
    if others > 0 { print::line(&format!("  {:>6}  others", grouped(others))) } else { Ok(()) }
}

const MOST_REASONS: usize = 6;

/// Draws the timeline on the terminal.
pub(super) fn show(timeline: &Timeline) -> Result<(), Failure> {
    let letters = Letters::of_environment(|name| std::env::var(name).ok());
    picture::draw(timeline, width(), letters).iter().try_for_each(|line| print::line(line))
}

/// Writes the timeline as SVG and says where it is. Where nothing may be written, the system's directory for passing things
/// takes it.
pub(super) fn write(timeline: &Timeline, subtitle: &str, place: &Place) -> Result<String, Failure> {
    let svg = svg::draw(timeline, subtitle);
    let mut path = place.picture();
    if std::fs::write(&path, &svg).is_err() {
        path = std::env::temp_dir().join(&path);
        std::fs::write(&path, &svg)
            .map_err(|why| Failure::new(format!("{} cannot be written: {why}", path.display())))?;
    }
    Ok(path.canonicalize().unwrap_or(path).display().to_string())
}

fn subtitle(counted: &Counted) -> String {
    format!(
        "{} accepted, {} delivered, {} failed as they must. {}, {}, {}, {}.",
        grouped(counted.accepted),
        grouped(counted.delivered),
        grouped(counted.failed),
        several(counted.refused, "refused request"),
        several(counted.refreshes, "token refresh"),
        several(counted.duplicates, "duplicate"),
        several(counted.crashes, "crash")
    )
}

fn several(count: u64, what: &str) -> String {
    let ending = match (count, what.ends_with("sh")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {what}{ending}", grouped(count))
}

fn per_second(counted: &Counted) -> f64 {
    (number(counted.delivered) / counted.seconds.max(0.001)).round()
}

fn size(bytes: u64) -> String {
    format!("{:.1} MiB", number(bytes / 1024) / 1024.0)
}

/// Breaks a text at blanks so that no line is longer than `width`.
pub(super) fn wrapped(text: &str, width: u32) -> String {
    let width = usize::try_from(width).unwrap_or(usize::MAX);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count().saturating_add(word.chars().count()) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// How wide the output may be: the terminal, or what COLUMNS says, or 80.
pub(super) fn width() -> u32 {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size().map(|(width, _)| u32::from(width.0));
    told.or_else(seen).unwrap_or(80).clamp(40, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_blanks() {
        assert_eq!(wrapped("one two three four", 9), "one two\nthree\nfour");
        assert_eq!(wrapped("", 9), "");
    }

    #[test]
    fn counts_are_told_in_words() {
        assert_eq!(several(1, "token refresh"), "1 token refresh");
        assert_eq!(several(2_000, "crash"), "2 000 crashes");
        assert_eq!(several(0, "duplicate"), "0 duplicates");
    }

    #[test]
    fn the_object_begins_with_the_counts() {
        let text = serde_json::to_string(&Counted::default()).unwrap();
        let names: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
        let expected = [
            "accepted",
            "delivered",
            "failed",
            "attempts",
            "refused",
            "refreshes",
            "duplicates",
            "conflicts",
            "crashes",
            "seconds",
        ];
        assert_eq!(names, expected);
    }
}
