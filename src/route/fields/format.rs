//! The forms that a text can have.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::regular::is_expression;
use crate::js::{date, number, text};

/// A form of text, by its name in JSON schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A day: `2026-03-14`.
    Date,
    /// A time of day: `10:00:00`, with a zone or without.
    Time,
    /// Day and time: `2026-03-14T10:00:00Z`.
    DateTime,
    /// An absolute URI (RFC 3986).
    Uri,
    /// A URI, absolute or relative.
    UriReference,
    /// A URI with `{names}` to fill in (RFC 6570).
    UriTemplate,
    /// An e-mail address.
    Email,
    /// The name of a host.
    Hostname,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A regular expression.
    Regex,
    /// A UUID.
    Uuid,
}

impl Format {
    /// Its name in JSON schemas.
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Date => "date",
            Format::Time => "time",
            Format::DateTime => "date-time",
            Format::Uri => "uri",
            Format::UriReference => "uri-reference",
            Format::UriTemplate => "uri-template",
            Format::Email => "email",
            Format::Hostname => "hostname",
            Format::Ipv4 => "ipv4",
            Format::Ipv6 => "ipv6",
            Format::Regex => "regex",
            Format::Uuid => "uuid",
        }
    }

    /// Its name in the messages of the reference implementation.
    pub(super) fn label(self) -> &'static str {
        match self {
            Format::DateTime => "date and time",
            Format::Uri => "URI",
            Format::UriReference => "URI Reference",
            Format::UriTemplate => "URI-template",
            Format::Email => "email address",
            Format::Ipv4 => "IPv4 address",
            Format::Ipv6 => "IPv6 address",
            Format::Regex => "regular expression",
            other => other.name(),
        }
    }

    /// A text of this form, to show what is meant.
    pub(super) fn sample(self) -> &'static str {
        match self {
            Format::Date => "2026-03-14",
            Format::Time => "10:00:00Z",
            Format::DateTime => "2026-03-14T10:00:00Z",
            Format::Uri => "https://example.org/page",
            Format::UriReference => "/page",
            Format::UriTemplate => "https://example.org/{page}",
            Format::Email => "ada@example.org",
            Format::Hostname => "example.org",
            Format::Ipv4 => "192.0.2.1",
            Format::Ipv6 => "2001:db8::1",
            Format::Regex => "^[a-z]+$",
            Format::Uuid => "123e4567-e89b-12d3-a456-426614174000",
        }
    }

    /// Whether `text` has it.
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Format::Date => is_date(text),
            Format::Time => time_zone(text).is_some(),
            Format::DateTime => is_date_time(text),
            Format::Uri => is_uri(text),
            Format::UriReference => is_uri(text) || is_relative(text),
            Format::UriTemplate => is_template(text),
            Format::Email => is_email(text),
            Format::Hostname => is_hostname(text),
            Format::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Format::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Format::Regex => is_expression(text),
            Format::Uuid => is_uuid(text),
        }
    }
}

/// The number of exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    let right = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let mut part = |count| parts.next().and_then(|part| digits(part, count));
    let (Some(year), Some(month), Some(day)) = (part(4), part(2), part(2)) else { return false };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=length).contains(&day)
}

/// The zone of a time of day, which may be empty; nothing when it is none. A leap second ends a day.
fn time_zone(text: &str) -> Option<&str> {
    let (clock, rest) = text.split_at_checked(8)?;
    let mut parts = clock.splitn(3, ':');
    let mut part = || parts.next().and_then(|part| digits(part, 2));
    let time = (part()?, part()?, part()?);
    let valid = (time.0 < 24 && time.1 < 60 && time.2 < 60) || time == (23, 59, 60);
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|letter: char| letter.is_ascii_digit());
            if zone.len() == fraction.len() {
                return None;
            }
            zone
        }
        None => rest,
    };
    (valid && is_zone(zone)).then_some(zone)
}

fn is_zone(zone: &str) -> bool {
    let Some(distance) = zone.strip_prefix(['+', '-']) else { return matches!(zone, "" | "z" | "Z") };
    let (hours, rest) = distance.split_at_checked(2).unwrap_or((distance, ""));
    let minutes = rest.strip_prefix(':').unwrap_or(rest);
    digits(hours, 2).is_some() && (rest.is_empty() || digits(minutes, 2).is_some())
}

fn is_date_time(text: &str) -> bool {
    let separates = |letter: char| matches!(letter, 't' | 'T') || text::is_space(letter);
    let Some((date, time)) = text.split_once(separates) else { return false };
    is_date(date) && time_zone(time).is_some()
}

/// Whether `text` consists of what `allowed` lets through, and of `%` with two hexadecimal digits behind it.
fn is_encoded(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        let good = if byte == b'%' { hex(bytes.next()) && hex(bytes.next()) } else { allowed(byte) };
        if !good {
            return false;
        }
    }
    true
}

/// What may stand in a path. A quotation mark may not in RFC 3986, but the reference implementation lets it pass.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'\"()*+,;=:@/".contains(&byte)
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let named = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    // Without anything behind it, a scheme names nothing.
    named && scheme && !rest.is_empty() && is_relative(rest)
}

/// `//host/path?query#fragment`, or any part of it.
fn is_relative(text: &str) -> bool {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let tail = |part: &str| is_encoded(part, |byte| byte == b'?' || is_path_byte(byte));
    let path = match path.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if !is_authority(authority) {
                return false;
            }
            path
        }
        None => path,
    };
    is_encoded(path, is_path_byte) && tail(query) && tail(fragment)
}

/// `user@host:port`, where the host may be an IPv6 address in brackets.
fn is_authority(authority: &str) -> bool {
    let plain = |byte: u8| byte != b'/' && byte != b'@' && is_path_byte(byte);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match host.strip_prefix('[') {
        Some(bracketed) => {
            let Some((address, port)) = bracketed.split_once(']') else { return false };
            if address.parse::<Ipv6Addr>().is_err() {
                return false;
            }
            ("", port.strip_prefix(':').unwrap_or(port))
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    let port = port.bytes().all(|byte| byte.is_ascii_digit());
    port && is_encoded(user, plain) && is_encoded(host, |byte| byte != b':' && plain(byte))
}

fn is_template(text: &str) -> bool {
    let mut rest = text;
    let literal = |part: &str| is_encoded(part, |byte| byte > b' ' && !b"\"'<>%\\^`{|}".contains(&byte));
    while let Some((before, after)) = rest.split_once('{') {
        let Some((expression, after)) = after.split_once('}') else { return false };
        if !literal(before) || !is_template_expression(expression) {
            return false;
        }
        rest = after;
    }
    literal(rest)
}

/// `name`, `+name`, `name:3`, `name*`, several parted by commas.
fn is_template_expression(expression: &str) -> bool {
    let operators = ['+', '#', '.', '/', ';', '?', '&', '=', ',', '!', '@', '|'];
    let names = expression.strip_prefix(operators).unwrap_or(expression);
    names.split(',').all(|name| {
        let name = match name.split_once(':') {
            Some((name, length)) => {
                let counts = (1..=4).contains(&length.len()) && length.bytes().all(|byte| byte.is_ascii_digit());
                if !counts || length.starts_with('0') {
                    return false;
                }
                name
            }
            None => name.strip_suffix('*').unwrap_or(name),
        };
        !name.is_empty() && is_encoded(name, |byte| byte == b'_' || byte.is_ascii_alphanumeric())
    })
}

/// An address as people have them, not all that RFC 5322 allows: no quotes, no comments, a host of at least two names.
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let atom = |atom: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
        !atom.is_empty() && atom.bytes().all(allowed)
    };
    local.split('.').all(atom) && host.contains('.') && host.split('.').all(|name| is_name(name, usize::MAX))
}

fn is_hostname(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 253 && text.split('.').all(|name| is_name(name, 63))
}

/// Letters, digits, and hyphens within.
fn is_name(name: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte == b'-' || byte.is_ascii_alphanumeric();
    let edges = name.starts_with('-') || name.ends_with('-');
    !name.is_empty() && name.len() <= longest && !edges && name.bytes().all(allowed)
}

fn is_uuid(text: &str) -> bool {
    let prefix = "urn:uuid:";
    let named = text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let text = if named { text.get(prefix.len()..).unwrap_or_default() } else { text };
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Whether the reference implementation takes `text` for a moment: a number is seconds since the epoch; else a row of
/// digits that begins with a year, with little between them, is one whatever it adds up to; else what JavaScript reads.
pub(super) fn is_moment(text: &str) -> bool {
    let seconds = number::parse(text);
    if number::print(seconds) == text {
        return (seconds * 1000.0).abs() <= 8_640_000_000_000_000.0;
    }
    is_row(text) || date::parse(text).is_some()
}

/// Year, month, day, hour, minute, second, fraction, each of which may be missing behind the year.
fn is_row(text: &str) -> bool {
    let mut rest = text;
    if take_digits(&mut rest, 4) != 4 {
        return false;
    }
    for (separators, most) in [("-/", 2), ("-/", 2)] {
        take_one(&mut rest, separators);
        take_digits(&mut rest, most);
    }
    rest = rest.trim_start_matches(|letter: char| matches!(letter, 'T' | 't') || text::is_space(letter));
    for separator in ["", ":", ":"] {
        take_one(&mut rest, separator);
        take_digits(&mut rest, 2);
    }
    take_one(&mut rest, ".:");
    rest.bytes().all(|byte| byte.is_ascii_digit())
}

fn take_digits(rest: &mut &str, most: usize) -> usize {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    *rest = rest.get(count..).unwrap_or_default();
    count
}

fn take_one(rest: &mut &str, any_of: &str) {
    *rest = rest.strip_prefix(|letter| any_of.contains(letter)).unwrap_or(rest);
}
