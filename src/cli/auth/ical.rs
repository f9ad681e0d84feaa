//! What people must do, as an iCalendar object (RFC 5545). Its events keep their names when their dates move, so that a
//! calendar that reads the file again moves them too.

use crate::digest::{hex, sha256};
use crate::view::{CalendarDay, Occasion};

/// So many octets are on a line at most, without its end (section 3.1).
const LINE: usize = 75;

/// The ends, and the warnings before them, as a file. `now` is when it was made.
pub(super) fn written(days: &[CalendarDay], now: u64) -> String {
    let mut lines = Lines(String::new());
    lines.put("BEGIN", "VCALENDAR");
    lines.put("VERSION", "2.0");
    lines.put("PRODID", "-//Outlast//Credentials//EN");
    lines.put("CALSCALE", "GREGORIAN");
    lines.put("METHOD", "PUBLISH");
    lines.put("X-WR-CALNAME", "Outlast credentials");
    for day in days {
        let what = match (day.occasion, day.days) {
            (Occasion::Died, _) => "is dead".to_owned(),
            (Occasion::Stops, _) => "stops".to_owned(),
            (Occasion::Warning, Some(1)) => "stops in 1 day".to_owned(),
            (Occasion::Warning, Some(days)) => format!("stops in {days} days"),
            (Occasion::Warning | Occasion::Refresh | Occasion::KeepAlive | Occasion::IdleEnd, _) => continue,
        };
        // What died keeps the name of its end: it is the same event.
        let about = day.days.map_or_else(|| "end".to_owned(), |days| format!("end-{days}d"));
        let summary = escaped(&format!("Credential {} {what}", day.credential));
        lines.put("BEGIN", "VEVENT");
        lines.put("UID", &uid(&day.credential, &about));
        lines.put("DTSTAMP", &moment(now));
        lines.put("DTSTART", &moment(day.at_ms));
        lines.put("DURATION", "PT15M");
        lines.put("SUMMARY", &summary);
        lines.put("DESCRIPTION", &escaped(&description(day)));
        lines.put("CATEGORIES", "OUTLAST");
        lines.put("TRANSP", "TRANSPARENT");
        lines.put("BEGIN", "VALARM");
        lines.put("ACTION", "DISPLAY");
        lines.put("DESCRIPTION", &summary);
        lines.put("TRIGGER", "PT0S");
        lines.put("END", "VALARM");
        lines.put("END", "VEVENT");
    }
    lines.put("END", "VCALENDAR");
    lines.0
}

fn description(day: &CalendarDay) -> String {
    format!("{}\nLive deliveries: {}, of which at risk: {}", day.text, day.live, day.at_risk)
}

/// Names may hold anything; a digest of one does not.
fn uid(credential: &str, about: &str) -> String {
    let digest = hex(&sha256(credential.as_bytes()));
    format!("{}-{about}@credentials.outlast", digest.get(..32).unwrap_or(&digest))
}

/// A date with time, in UTC (section 3.3.5). Years have four digits there.
fn moment(at_ms: u64) -> String {
    let seconds = i64::try_from(at_ms / 1000).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A text value (section 3.3.11). Control characters other than the tab have no place in one.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | ';' | ',' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push('\t'),
            control if control.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

/// Content lines, folded and ended as section 3.1 wants.
struct Lines(String);

impl Lines {
    fn put(&mut self, name: &str, value: &str) {
        let mut on_line = 0_usize;
        for letter in name.chars().chain(std::iter::once(':')).chain(value.chars()) {
            if on_line.saturating_add(letter.len_utf8()) > LINE {
                self.0.push_str("\r\n ");
                on_line = 1;
            }
            on_line = on_line.saturating_add(letter.len_utf8());
            self.0.push(letter);
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests;
