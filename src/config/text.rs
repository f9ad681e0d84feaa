//! What people write in quotes: lengths of time, moments.

use outlast_state::Time;

use crate::span::NotReadable;
pub(crate) use crate::span::span;

/// Reads a moment: RFC 3339, `now`, or a length of time before or after `now`, such as `-30d` or `+12h`.
///
/// # Errors
/// The text is something else; the message says what is expected.
pub(crate) fn moment(text: &str, now: Time) -> Result<Time, NotReadable> {
    let text = text.trim();
    let wrong = |_| {
        NotReadable(format!(
            "`{text}` is not a moment; write it as 2026-03-01T12:00:00Z, or from now on as -30d, +12h or now"
        ))
    };
    if text == "now" {
        return Ok(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        return Ok(Time::from_millis(now.since(Time::ZERO.after(span(ago).map_err(wrong)?)).as_millis()));
    }
    if let Some(ahead) = text.strip_prefix('+') {
        return Ok(now.after(span(ahead).map_err(wrong)?));
    }
    let moment: jiff::Timestamp = text.parse().map_err(|_| wrong(NotReadable(String::new())))?;
    Ok(Time::from_millis(u64::try_from(moment.as_millisecond()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now = Time::from_millis(1_000_000_000_000);
        for (text, millis) in [
            ("now", 1_000_000_000_000),
            ("-1d", 999_913_600_000),
            ("+500ms", 1_000_000_000_500),
            ("2001-09-09T01:46:40Z", 1_000_000_000_000),
            ("2001-09-09T03:46:40+02:00", 1_000_000_000_000),
            ("1960-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(moment(text, now), Ok(Time::from_millis(millis)), "{text}");
        }
        for text in ["", "yesterday", "1000000000", "2001-09-09", "2001-09-09T01:46:40", "-", "+x"] {
            let message = moment(text, now).unwrap_err().to_string();
            assert!(message.starts_with(&format!("`{text}` is not a moment")), "{message}");
        }
        assert_eq!(moment("-99999d", now), Ok(Time::ZERO), "before the epoch is the epoch");
    }
}
