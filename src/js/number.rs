//! Numbers as JavaScript prints and reads them: `Number::toString` (radix 10) and `StringToNumber` of ECMA-262.

use serde_json::Number;

use super::text::trim;

/// The text of `number`. Integers beyond 2^53 lose digits, as they do there.
pub(crate) fn text(number: &Number) -> String {
    number.as_f64().map_or_else(|| number.to_string(), print)
}

/// The number that `text` stands for: decimal, hexadecimal, octal, binary, `Infinity`, with space around it; 0 for empty
/// text and not-a-number for any other.
pub(crate) fn parse(text: &str) -> f64 {
    let text = trim(text);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match text.get(..2) {
        _ if text.is_empty() => return 0.0,
        Some("0x" | "0X") => return digits(text, 16),
        Some("0o" | "0O") => return digits(text, 8),
        Some("0b" | "0B") => return digits(text, 2),
        _ => {}
    }
    if unsigned == "Infinity" {
        return if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // Rust also reads `inf`, `nan` and the like, which are no numbers there.
    let decimal = unsigned.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if decimal { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

/// The number that the digits behind a prefix of two bytes stand for.
fn digits(text: &str, radix: u32) -> f64 {
    let digits = text.get(2..).unwrap_or_default();
    let add = |sum: f64, digit: char| Some(sum.mul_add(f64::from(radix), f64::from(digit.to_digit(radix)?)));
    if digits.is_empty() { f64::NAN } else { digits.chars().try_fold(0.0, add).unwrap_or(f64::NAN) }
}

/// The text of `value`: the shortest digits that read back as the same number.
pub(crate) fn print(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .into();
    }
    if value == 0.0 {
        return "0".into(); // also for -0
    }
    // Rust's exponent form has the shortest digits that read back as the same number, as the standard asks for.
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", place(&digits, exponent))
}

/// Writes `d.ddd × 10^exponent`, given its digits.
fn place(digits: &str, exponent: i32) -> String {
    let count = digits.len();
    let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
    match exponent {
        0..=20 => {
            let whole = usize::try_from(exponent).unwrap_or_default().saturating_add(1);
            match digits.split_at_checked(whole) {
                Some((all, "")) => all.into(),
                Some((integer, fraction)) => format!("{integer}.{fraction}"),
                None => format!("{digits}{}", "0".repeat(whole.saturating_sub(count))),
            }
        }
        -6..=-1 => {
            let zeros = usize::try_from(exponent.saturating_neg()).unwrap_or_default().saturating_sub(1);
            format!("0.{}{digits}", "0".repeat(zeros))
        }
        _ => {
            let point = if rest.is_empty() { "" } else { "." };
            format!("{first}{point}{rest}e{exponent:+}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, print, text};

    #[test]
    fn reads_as_javascript_does() {
        let rows = [
            ("", 0.0),
            ("  ", 0.0),
            (" 12 ", 12.0),
            ("-1.5", -1.5),
            ("+3", 3.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("0x1F", 31.0),
            ("0b101", 5.0),
            ("0o17", 15.0),
            ("Infinity", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text).to_bits(), expected.to_bits(), "{text}");
        }
        for text in ["x", "1x", "inf", "nan", "NaN", "infinity", "-0x1", "0x", "1_000", "--1", "e5", "."] {
            assert!(parse(text).is_nan(), "{text}");
        }
    }

    #[test]
    fn what_is_not_finite_has_a_name() {
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(print), ["NaN", "Infinity", "-Infinity"]);
    }

    /// Expected values come from `String(n)` of a JavaScript engine.
    #[test]
    fn prints_as_javascript_does() {
        let rows = [
            ("12.5", "12.5"),
            ("1999", "1999"),
            ("120.50", "120.5"),
            ("49.0", "49"),
            ("0", "0"),
            ("-0.0", "0"),
            ("-7", "-7"),
            ("0.1", "0.1"),
            ("0.000001", "0.000001"),
            ("0.0000015", "0.0000015"),
            ("0.0000001", "1e-7"),
            ("-0.00000012", "-1.2e-7"),
            ("100000000000000000000", "100000000000000000000"),
            ("123456789012345680000", "123456789012345680000"),
            ("1e21", "1e+21"),
            ("1.5e300", "1.5e+300"),
            ("9007199254740993", "9007199254740992"),
            ("5e-324", "5e-324"),
            ("1234.5678", "1234.5678"),
        ];
        for (json, expected) in rows {
            assert_eq!(text(&serde_json::from_str(json).unwrap()), expected, "{json}");
        }
    }
}
