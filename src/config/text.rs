//! What people write in quotes: lengths of time, moments, `${NAME}` for the environment.

use std::fmt;

use outlast_state::{Span, Time};

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

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}

/// The units of [`span`], in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

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

/// Text that does not say what it should; the message says what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotReadable(String);

impl fmt::Display for NotReadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotReadable {}

/// Puts the environment's values where `text` holds `${NAME}`; `$${` stands for `${` itself.
pub(super) fn expanded(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, NotReadable> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}') else {
            return Err(NotReadable(
                "a `${` has no `}`; close it, or write `$${` for the characters themselves".into(),
            ));
        };
        let value = environment(name).ok_or_else(|| {
            NotReadable(format!("the environment variable {name} is not set; set it, or write the value here"))
        })?;
        out.push_str(before);
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The names of the environment that `text` holds.
pub(super) fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_environment_is_read_where_it_is_named() {
        let environment = |name: &str| (name == "KEY").then(|| "va${KEY}lue".to_owned());
        for (text, expected) in [
            ("plain $ {KEY}", "plain $ {KEY}"),
            ("a${KEY}b${KEY}", "ava${KEY}luebva${KEY}lue"),
            ("$${KEY}", "${KEY}"),
            ("$$${KEY}", "$${KEY}"),
        ] {
            assert_eq!(expanded(text, &environment).as_deref(), Ok(expected), "{text}: values are not expanded again");
        }
        assert!(expanded("${KEY", &environment).unwrap_err().to_string().contains("has no `}`"));
        assert!(expanded("${OTHER}", &environment).unwrap_err().to_string().contains("OTHER is not set"));
    }
}
