//! The timeline in letters, for a terminal.

use super::timeline::{Timeline, grouped};
use crate::cli::plot::step;

/// With what a picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// Blocks in eighths.
    Unicode,
    Ascii,
}

/// How many lines high the bars are.
const HEIGHT: u32 = 6;

/// The widths that a picture may have.
const NARROWEST: u32 = 40;
const WIDEST: u32 = 120;

impl Letters {
    /// What the environment says that the terminal can show.
    pub(super) fn of_environment(environment: impl Fn(&str) -> Option<String>) -> Self {
        let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(environment).find(|value| !value.is_empty());
        let locale = set.unwrap_or_default().to_ascii_lowercase().replace('-', "");
        if locale.contains("utf8") { Letters::Unicode } else { Letters::Ascii }
    }

    /// What fills a cell, in eighths from 0 to 8.
    fn bar(self, eighths: u32) -> char {
        let letters = match self {
            Letters::Unicode => " ▁▂▃▄▅▆▇█",
            Letters::Ascii => "  ..::###",
        };
        usize::try_from(eighths.min(8)).ok().and_then(|eighths| letters.chars().nth(eighths)).unwrap_or(' ')
    }

    /// The axis, its corner, an arrow up, and a line between two ends.
    fn lines(self) -> (char, char, char, char, [char; 3]) {
        match self {
            Letters::Unicode => ('│', '└', '─', '▲', ['├', '─', '┤']),
            Letters::Ascii => ('|', '+', '-', '^', ['|', '-', '|']),
        }
    }
}

/// Draws it, at most `width` letters wide.
pub(super) fn draw(timeline: &Timeline, width: u32, letters: Letters) -> Vec<String> {
    let columns = width.clamp(NARROWEST, WIDEST).saturating_sub(LEFT);
    let rates = timeline.rates(&timeline.applied, columns);
    let most = rates.iter().copied().fold(1.0, f64::max);
    let mut lines = vec!["deliveries per second".to_owned()];
    for row in (0..HEIGHT).rev() {
        let (upright, ..) = letters.lines();
        let label = if row.saturating_add(1) == HEIGHT { grouped(whole(most)) } else { String::new() };
        let bars: String = rates.iter().map(|rate| letters.bar(eighths(*rate / most, row))).collect();
        lines.push(format!("{label:>6} {upright}{bars}").trim_end().to_owned());
    }
    lines.extend(axis(timeline, columns, letters));
    lines.extend(spread(timeline, columns, letters));
    for mark in &timeline.marks {
        let (_, _, _, arrow, _) = letters.lines();
        let text = format!("{} s {}", seconds(mark.at), mark.what.words());
        lines.extend(placed(timeline.column(mark.at, columns), &arrow.to_string(), &text, columns));
    }
    lines
}

/// What the axis takes on the left.
const LEFT: u32 = 8;

fn axis(timeline: &Timeline, columns: u32, letters: Letters) -> [String; 2] {
    let (_, corner, flat, ..) = letters.lines();
    let line: String = std::iter::repeat_n(flat, usize::try_from(columns).unwrap_or(0)).collect();
    let length = super::timeline::number(timeline.length) / 1000.0;
    let every = step(length, f64::from(columns) / 10.0);
    let mut labels = String::new();
    let mut second = 0.0;
    while second <= length {
        let column = timeline.column(whole(second * 1000.0), columns);
        let place = usize::try_from(column).unwrap_or(0);
        let text = format!("{second} s");
        if place.saturating_add(text.len()) <= usize::try_from(columns).unwrap_or(0) {
            labels = format!("{labels:<place$}{text}");
        }
        second += every;
    }
    [format!("{:>6} {corner}{line}", 0), format!("{:8}{labels}", "")]
}

fn spread(timeline: &Timeline, columns: u32, letters: Letters) -> Vec<String> {
    let Some((from, to)) = timeline.spread else { return Vec::new() };
    let (.., [left, middle, right]) = letters.lines();
    let (first, last) = (timeline.column(from, columns), timeline.column(to, columns));
    let between = usize::try_from(last.saturating_sub(first).saturating_sub(1)).unwrap_or(0);
    let line: String =
        std::iter::once(left).chain(std::iter::repeat_n(middle, between)).chain(std::iter::once(right)).collect();
    placed(first, &line, "the new token spreads over the nodes", columns)
}

/// A sign under its column, with its text on the side that has room for it, or below.
fn placed(column: u32, sign: &str, text: &str, columns: u32) -> Vec<String> {
    let before = usize::try_from(LEFT.saturating_add(column)).unwrap_or(0);
    let (sign_width, text_width) = (sign.chars().count(), text.chars().count());
    let room = usize::try_from(LEFT.saturating_add(columns)).unwrap_or(0);
    let end = before.saturating_add(sign_width).saturating_add(text_width).saturating_add(1);
    if end <= room {
        return vec![format!("{:before$}{sign} {text}", "")];
    }
    if before > text_width {
        return vec![format!("{:>before$}{sign}", format!("{text} "))];
    }
    let left = before.min(room.saturating_sub(text_width));
    vec![format!("{:before$}{sign}", ""), format!("{:left$}{text}", "")]
}

/// How much of this row's cell a bar fills that is `share` of the height.
fn eighths(share: f64, row: u32) -> u32 {
    let filled = share * f64::from(HEIGHT) * 8.0 - f64::from(row) * 8.0;
    // Whatever happened is seen, however little it was.
    let least = u32::from(row == 0 && share > 0.0);
    u32::try_from(whole(filled.clamp(0.0, 8.0))).unwrap_or(8).max(least)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is drawn is positive and small")]
fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

/// Milliseconds as seconds with one digit.
pub(super) fn seconds(ms: u64) -> String {
    format!("{:.1}", super::timeline::number(ms) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::example;
    use super::*;

    #[test]
    fn a_picture_keeps_to_its_width() {
        for width in [10, 40, 80, 120, 500] {
            for letters in [Letters::Unicode, Letters::Ascii] {
                for line in draw(&example(), width, letters) {
                    let long = line.chars().count();
                    assert!(long <= usize::try_from(width.clamp(NARROWEST, WIDEST)).unwrap(), "{long}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_picture_shows_the_pause_and_the_marks() {
        let lines = draw(&example(), 80, Letters::Ascii);
        assert!(lines.iter().all(|line| line.is_ascii()));
        let bars: String = lines[HEIGHT as usize].chars().skip(8).collect();
        assert!(bars.starts_with('#') && bars.contains("          "), "{bars}");
        for words in
            ["4.0 s token revoked", "4.2 s token refreshed", "12.0 s engine killed", "12.4 s engine ready", "spreads"]
        {
            assert_eq!(lines.iter().filter(|line| line.contains(words)).count(), 1, "{words}");
        }
        assert!(draw(&example(), 80, Letters::Unicode).concat().contains('█'));
    }

    #[test]
    fn the_locale_decides_about_the_letters() {
        let with = |name: &'static str, value: &'static str| {
            Letters::of_environment(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(with("LANG", "en_US.UTF-8"), Letters::Unicode);
        assert_eq!(with("LC_ALL", "C.utf8"), Letters::Unicode);
        assert_eq!(with("LANG", "C"), Letters::Ascii);
        assert_eq!(with("OTHER", "UTF-8"), Letters::Ascii);
    }
}
