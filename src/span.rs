//! Lengths of time, as people write them.

use std::fmt::{self, Write as _};

use outlast_state::Span;

/// Reads a length of time: numbers with units, such as `500ms`, `30s`, `10m`, `72h`, `30d` or `1h30m`.
///
/// # Errors
/// The text is something else; the message says what is expected.
pub(crate) fn span(text: &str) -> Result<Span, NotReadable> {
    let wrong = || {
        NotReadable(format!(
            "`{text}` is not a length of time; write a number and ms, s, m, h or d, such as 500ms, 10m or 1h30m"
        ))
    };
    let mut rest = text.trim();
    let mut total = 0_u64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (digits, after) = split(rest, |letter| letter.is_ascii_digit());
        let (unit, after) = split(after, |letter| letter.is_ascii_alphabetic());
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        total = count.checked_mul(*millis).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = after;
    }
    Ok(Span::from_millis(total))
}

/// Writes a length of time as [`span`] reads it, with as few units as there are parts.
pub(crate) fn written(span: Span) -> String {
    let mut rest = span.as_millis();
    let mut text = String::new();
    for (unit, millis) in UNITS.iter().rev() {
        let count = rest.checked_div(*millis).unwrap_or(0);
        rest = rest.saturating_sub(count.saturating_mul(*millis));
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}

/// The units of [`span`], in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Text that does not say what it should; the message says what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotReadable(pub(crate) String);

impl fmt::Display for NotReadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotReadable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (90_000, "1m30s"),
            (3_600_000, "1h"),
            (5_184_000_000, "60d"),
            (90_061_001, "1d1h1m1s1ms"),
        ] {
            assert_eq!(written(Span::from_millis(millis)), text);
            assert_eq!(span(text), Ok(Span::from_millis(millis)));
        }
        let longest = Span::from_millis(u64::MAX);
        assert_eq!(span(&written(longest)), Ok(longest));
    }

    #[test]
    fn lengths_of_time() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("72h", 259_200_000),
            ("30d", 2_592_000_000),
            ("1h30m", 5_400_000),
        ] {
            assert_eq!(span(text), Ok(Span::from_millis(millis)), "{text}");
        }
        for text in
            ["", " ", "10", "m", "10 m", "1.5h", "-1s", "10x", "99999999999999999999s", "18446744073709551615d", "1h30"]
        {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
