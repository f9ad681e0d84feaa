//! What people and scripts see: lines, tables, JSON, times.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::failure::Failure;
use crate::clock;

/// Writes a line to stdout.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Writes text to stdout as it is.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
}

/// Writes a line to stderr. There is nobody to tell if that fails.
pub(crate) fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes a value as JSON to stdout, for people to read too.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|why| Failure::new(format!("cannot be written as JSON: {why}")))?;
    line(&text)
}

/// Whether the environment lets colours and bars through (<https://no-color.org>).
pub(crate) fn plain() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Columns under their headings; the last one may be of any width.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let mut widths = heads.map(|head| head.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let coloured = io::stdout().is_terminal() && !plain();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let bold = if coloured { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    writeln!(out, "{}{}{}", bold.0, aligned(heads.iter().copied(), &widths), bold.1)?;
    for row in rows {
        let text = aligned(row.iter().map(String::as_str), &widths);
        writeln!(out, "{}", if coloured { painted(&text) } else { text })?;
    }
    Ok(out.flush()?)
}

fn aligned<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let padded: Vec<String> = cells.zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}

/// The state's name in the colour of its meaning: green and red are final, yellow waits for a token.
fn painted(row: &str) -> String {
    let colours =
        [(" Done", "32"), (" Failed", "31"), (" Dead", "31"), (" AwaitingPropagation", "33"), (" Refreshing", "33")];
    let found = colours.iter().find_map(|(name, colour)| row.split_once(name).map(|parts| (parts, name, colour)));
    match found {
        Some(((before, after), name, colour)) => format!("{before}\u{1b}[{colour}m{name}\u{1b}[0m{after}"),
        None => row.to_owned(),
    }
}

/// A moment as RFC 3339 in UTC, to the second.
pub(crate) fn moment(millis: u64) -> String {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "never".to_owned(), |at| at.to_string())
}

/// A moment and how far off it is.
pub(crate) fn moment_and_distance(millis: u64) -> String {
    let now = clock::wall().as_millis();
    match moment(millis) {
        never if never == "never" => never,
        text if millis > now => format!("{text} (in {})", length(millis.saturating_sub(now))),
        text => format!("{text} ({} ago)", length(now.saturating_sub(millis))),
    }
}

/// A length of time in its two largest units: `3d 4h`, `12m 5s`.
pub(crate) fn length(millis: u64) -> String {
    let seconds = millis / 1000;
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let shown: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if shown.is_empty() { format!("{millis}ms") } else { shown.join(" ") }
}

/// `text` on one line and at most `width` letters long.
pub(crate) fn short(text: &str, width: usize) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= width {
        return flat;
    }
    let kept: String = flat.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_show_two_units() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (59_000, "59s"),
            (61_500, "1m 1s"),
            (3_600_000, "1h 0m"),
            (90_061_000, "1d 1h"),
        ] {
            assert_eq!(length(millis), text);
        }
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(moment(1_000_000_000_999), "2001-09-09T01:46:40Z");
        assert_eq!(moment(u64::MAX), "never");
        assert_eq!(moment_and_distance(u64::MAX), "never");
        assert!(moment_and_distance(0).ends_with(" ago)"));
    }

    #[test]
    fn long_text_is_cut_and_broken_text_is_joined() {
        assert_eq!(short("one\n two", 7), "one two");
        assert_eq!(short("one two three", 8), "one two…");
    }

    #[test]
    fn a_row_is_painted_once() {
        assert_eq!(painted("01 Done x Done"), "01\u{1b}[32m Done\u{1b}[0m x Done");
        assert_eq!(painted("01 Pending"), "01 Pending");
    }
}
