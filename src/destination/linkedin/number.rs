//! Numbers as JavaScript prints them: `Number::toString` of ECMA-262, radix 10.

use serde_json::Number;

/// The text of `number`. Integers beyond 2^53 lose digits, as they do there.
pub(super) fn text(number: &Number) -> String {
    number.as_f64().map_or_else(|| number.to_string(), print)
}

fn print(value: f64) -> String {
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
    use super::text;

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
