//! Moments as the reference implementation's destinations read them: first as a number of milliseconds, then as a date.

use super::{date, number, text};

/// The last moment that a number may name: 2100-01-01, in milliseconds.
const NUMBERS_END: f64 = 4_102_444_800_000.0;
/// JavaScript's `Number.MAX_SAFE_INTEGER`.
const SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Milliseconds since the Unix epoch; `None` when the text is no time.
///
/// A number up to the year 2100 is always milliseconds: epoch seconds name a day in January 1970. All else is read as
/// [`date::parse`] does.
pub(crate) fn parse(text: &str) -> Option<i64> {
    milliseconds(text).or_else(|| date::parse(text))
}

fn milliseconds(text: &str) -> Option<i64> {
    let number = number::parse(text);
    let in_range = number.fract() == 0.0 && number.abs() <= SAFE_INTEGER && (0.0..=NUMBERS_END).contains(&number);
    // Empty text is 0 there, but no moment. A safe integer prints without an exponent or a fraction, so this is exact.
    if in_range && !text::trim(text).is_empty() { format!("{number:.0}").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::parse;

    const TEN: i64 = 1_773_482_400_000; // 2026-03-14T10:00:00Z
    const MIDNIGHT: i64 = 1_773_446_400_000;

    /// Expected values come from `Date.parse` and `Number` of a JavaScript engine in UTC.
    #[test]
    fn reads_what_javascript_reads() {
        let rows = [
            ("2026-03-14T10:00:00.000Z", TEN),
            ("2026-03-14T10:00:00", TEN),
            ("2026-03-14 10:00:00", TEN),
            ("2026-03-14T10:00Z", TEN),
            ("2026-03-14t10:00:00z", TEN),
            ("2026-03-14T12:00:00+02:00", TEN),
            ("2026-03-14T12:00:00+0200", TEN),
            ("2026-03-14T10:00:00.123456789Z", TEN + 123),
            ("2026-03-14", MIDNIGHT),
            ("2026-03", 1_772_323_200_000),
            ("2026-02-30", 1_772_409_600_000),
            ("March 14, 2026 10:00", TEN),
            ("2026/03/14", MIDNIGHT),
            ("Sat, 14 Mar 2026 10:00:00 GMT", TEN),
            ("Mon, 14 Mar 2026 10:00:00 GMT", TEN),
            ("Sat, 14 Mar 2026 12:00:00 +0200", TEN),
            ("14 Mar 2026 10:00:00 GMT", TEN),
            ("1773482400000", TEN),
            (" 1773482400000 ", TEN),
            ("+1773482400000", TEN),
            ("1.7e12", 1_700_000_000_000),
            ("0", 0),
            ("2026", 2026),
            ("20260314", 20_260_314),
            ("1969-12-31T23:59:59.999Z", -1),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in
            ["", " ", "yesterday-ish", "nope", "NaN", "inf", "2026-13-01", "2026-02-32", "1773480000123.5", "12:00"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_beyond_2100_is_no_number() {
        assert_eq!(parse("4102444800000"), Some(4_102_444_800_000));
        assert_eq!(parse("4102444800001"), None);
        assert_eq!(parse("-1773482400000"), None);
        assert_eq!(parse("9007199254740993"), None);
    }
}
