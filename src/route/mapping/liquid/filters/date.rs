//! Filters of dates. All is UTC unless an offset is given.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZoneDatabase};

use super::super::super::error::Trouble;
use super::super::super::value::{Value, View};
use super::super::data::{Data, is_nil, number, shown as text};
use super::{Call, Outcome, Run, failed, made};
use crate::js::date;

pub(super) fn find(name: &str) -> Option<Run> {
    Some(match name {
        "date" => |call| {
            let format = call.given(0).filter(|format| !is_nil(format.piece()));
            let format = format.map_or(Ok(DEFAULT.to_owned()), |format| text(format.piece(), call.budget))?;
            // A word such as `nil` is an offset of nothing, where a null of the event is no offset.
            let word = call.arguments.get(1).is_some_and(|data| !matches!(data, Data::Value(_)));
            let argument = if word { Some(Value::Number(0.0)) } else { call.given(1) };
            shown(call, &format, argument.as_ref())
        },
        "date_to_xmlschema" => |call| shown(call, "%Y-%m-%dT%H:%M:%S%:z", None),
        "date_to_rfc822" => |call| shown(call, "%a, %d %b %Y %H:%M:%S %z", None),
        "date_to_string" => |call| in_words(call, "%b"),
        "date_to_long_string" => |call| in_words(call, "%B"),
        _ => return None,
    })
}

const DEFAULT: &str = "%A, %B %-e, %Y at %-l:%M %P %z";

/// A zone: the minutes that UTC is ahead of it, as JavaScript counts them, and its name if it has one.
struct Zone {
    ahead: i64,
    name: Option<String>,
}

/// The zone of an argument at a moment: minutes, or a name of the time zone database, which is built in.
fn zone(call: &Call<'_, '_>, argument: Option<&Value<'_>>, moment: Timestamp) -> Result<Zone, Trouble> {
    let utc = || Zone { ahead: 0, name: Some("UTC".to_owned()) };
    let Some(argument) = argument else { return Ok(utc()) };
    match argument.view() {
        View::Null => Ok(utc()),
        View::Text(name) => match TimeZoneDatabase::bundled().get(name) {
            Ok(zone) => {
                let seconds = i64::from(zone.to_offset(moment).seconds());
                Ok(Zone { ahead: seconds.div_euclid(60).saturating_neg(), name: Some(name.to_owned()) })
            }
            Err(_) => Err(failed(
                format!("there is no time zone `{name}`"),
                "write a name such as America/New_York, or the minutes that UTC is ahead of it",
            )),
        },
        _ => {
            #[allow(clippy::cast_possible_truncation, reason = "the cast stops at both ends")]
            let ahead = number(argument.piece(), call.budget)? as i64;
            Ok(Zone { ahead, name: None })
        }
    }
}

fn in_words<'p>(call: &Call<'_, 'p>, month: &str) -> Outcome<'p> {
    let is = |index: usize, word: &str| {
        call.given(index).is_some_and(|it| matches!(it.view(), View::Text(text) if text == word))
    };
    let format = match (is(0, "ordinal"), is(1, "US")) {
        (true, true) => format!("{month} %-d%q, %Y"),
        (true, false) => format!("%-d%q {month} %Y"),
        _ => format!("%d {month} %Y"),
    };
    shown(call, &format, None)
}

/// The date by a format. What is no date stays what it is.
fn shown<'p>(call: &Call<'_, 'p>, format: &str, argument: Option<&Value<'_>>) -> Outcome<'p> {
    let value = call.value();
    let Some(moment) = moment(call, &value)? else { return Ok(value) };
    let zone = zone(call, argument, moment)?;
    let local = moment.as_millisecond().saturating_sub(zone.ahead.saturating_mul(60_000));
    let Ok(local) = Timestamp::from_millisecond(local) else { return Ok(value) };
    let date = Shown { local: Offset::UTC.to_datetime(local), moment, zone };
    let mut out = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let code = Code::read(after);
        if let Some((code, part)) = code.as_ref().and_then(|code| Some((code, date.part(code)?))) {
            call.budget.text(code.width.unwrap_or_default())?;
            out.push_str(&code.padded(part));
            rest = code.after;
        } else {
            out.push('%');
            rest = after;
        }
    }
    out.push_str(rest);
    made(out)
}

/// The moment that a value names: seconds as a number or as digits, or a date as text.
fn moment(call: &Call<'_, '_>, value: &Value<'_>) -> Result<Option<Timestamp>, Trouble> {
    let whole = |number: f64| {
        #[allow(clippy::cast_possible_truncation, reason = "the cast stops at both ends, which are no moments")]
        let whole = number as i64;
        number.is_finite().then_some(whole)
    };
    let moment = match value.view() {
        View::Undefined | View::Null | View::Object(_) => None,
        View::Text("now" | "today") => {
            return Err(failed(
                "the present moment is not part of the event",
                "use a time of the event, such as timestamp or receivedAt",
            ));
        }
        View::Text(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            whole(text.parse::<f64>().unwrap_or(f64::NAN) * 1000.0)
        }
        View::Text(text) => date::parse(text),
        View::Number(number) => whole(number * 1000.0),
        View::Bool(flag) => Some(i64::from(flag)),
        View::Array(_) => date::parse(&value.piece().text(call.budget)?.unwrap_or_default()),
    };
    Ok(moment.and_then(|moment| Timestamp::from_millisecond(moment).ok()))
}

/// A conversion of a format, such as `%-d`.
struct Code<'f> {
    flags: &'f str,
    width: Option<usize>,
    letter: char,
    after: &'f str,
}

impl<'f> Code<'f> {
    /// What stands behind a `%`. Nothing when the format ends first.
    fn read(text: &'f str) -> Option<Self> {
        let rest = text.trim_start_matches(['-', '_', '0', '^', '#', ':']);
        let flags = text.get(..text.len().saturating_sub(rest.len()))?;
        let after = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let width = rest.get(..rest.len().saturating_sub(after.len()))?.parse().ok().filter(|width| *width > 0);
        let mut letters = after.strip_prefix(['E', 'O']).unwrap_or(after).chars();
        let letter = letters.next()?;
        Some(Code { flags, width, letter, after: letters.as_str() })
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn padded(&self, part: String) -> String {
        let part = match (self.has('^'), self.has('#')) {
            (true, _) => part.to_uppercase(),
            (false, true) if part.bytes().any(|byte| byte.is_ascii_lowercase()) => part.to_uppercase(),
            (false, true) => part.to_lowercase(),
            (false, false) => part,
        };
        let default = match self.letter {
            'd' | 'e' | 'H' | 'I' | 'k' | 'l' | 'm' | 'M' | 'S' | 'U' | 'W' => 2,
            'j' | 'L' => 3,
            _ => 0,
        };
        let width = if self.has('-') { 0 } else { self.width.unwrap_or(default) };
        let pad = match self.letter {
            _ if self.has('_') => ' ',
            _ if self.has('0') => '0',
            'a' | 'A' | 'b' | 'B' | 'c' | 'e' | 'k' | 'l' | 'p' | 'P' => ' ',
            _ => '0',
        };
        let missing = width.saturating_sub(part.chars().count());
        std::iter::repeat_n(pad, missing).chain(part.chars()).collect()
    }
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment as it is shown.
struct Shown {
    local: DateTime,
    moment: Timestamp,
    zone: Zone,
}

impl Shown {
    fn part(&self, code: &Code<'_>) -> Option<String> {
        let local = self.local;
        let year = local.year().to_string();
        let half = if local.hour() < 12 { "am" } else { "pm" };
        let noon = match local.hour().rem_euclid(12) {
            0 => 12,
            hour => hour,
        };
        Some(match code.letter {
            'a' => short(self.weekday()),
            'A' => self.weekday().to_owned(),
            'b' | 'h' => short(self.month()),
            'B' => self.month().to_owned(),
            'c' => format!("{}, {}", self.short_date(), self.short_time(noon)),
            'C' => year.chars().take(2).collect(),
            'd' | 'e' => local.day().to_string(),
            'H' | 'k' => local.hour().to_string(),
            'I' | 'l' => noon.to_string(),
            'j' => local.day_of_year().to_string(),
            'L' => local.millisecond().to_string(),
            'm' => local.month().to_string(),
            'M' => local.minute().to_string(),
            'N' => {
                let width = code.width.unwrap_or(9);
                let digits: String = format!("{:03}", local.millisecond()).chars().take(width).collect();
                format!("{digits:0<9}").chars().chain(std::iter::repeat('0')).take(width.min(100)).collect()
            }
            'p' => half.to_uppercase(),
            'P' => half.to_owned(),
            'q' => self.ordinal().to_owned(),
            's' => self.moment.as_millisecond().div_euclid(1000).to_string(),
            'S' => local.second().to_string(),
            'u' => local.weekday().to_monday_one_offset().to_string(),
            'U' => self.week(0).to_string(),
            'w' => local.weekday().to_sunday_zero_offset().to_string(),
            'W' => self.week(1).to_string(),
            'x' => self.short_date(),
            'X' => self.short_time(noon),
            'y' => year.chars().skip(2).take(2).collect(),
            'Y' => year,
            'z' => self.offset(code.has(':')),
            'Z' => self.zone.name.clone().unwrap_or_else(|| self.offset(code.has(':'))),
            't' => "\t".to_owned(),
            'n' => "\n".to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }

    fn weekday(&self) -> &'static str {
        let day = usize::try_from(self.local.weekday().to_sunday_zero_offset()).unwrap_or_default();
        DAYS.get(day).copied().unwrap_or_default()
    }

    fn month(&self) -> &'static str {
        let month = usize::try_from(self.local.month()).unwrap_or_default();
        month.checked_sub(1).and_then(|month| MONTHS.get(month)).copied().unwrap_or_default()
    }

    fn short_date(&self) -> String {
        format!("{}/{}/{}", self.local.month(), self.local.day(), self.local.year())
    }

    fn short_time(&self, noon: i8) -> String {
        let half = if self.local.hour() < 12 { "AM" } else { "PM" };
        format!("{noon}:{:02}:{:02} {half}", self.local.minute(), self.local.second())
    }

    fn ordinal(&self) -> &'static str {
        match (self.local.day(), self.local.day().rem_euclid(10)) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        }
    }

    /// The week of the year, counted as the engine of the reference does, which is one too many in some years.
    fn week(&self, start: i16) -> i16 {
        let weekday = i16::from(self.local.weekday().to_sunday_zero_offset());
        let first = i16::from(self.local.date().first_of_year().weekday().to_sunday_zero_offset());
        let now = self.local.day_of_year().saturating_add(start).saturating_sub(weekday);
        let then = 7_i16.saturating_sub(first).saturating_add(start);
        now.saturating_sub(then).div_euclid(7).saturating_add(1)
    }

    fn offset(&self, colon: bool) -> String {
        let sign = if self.zone.ahead > 0 { '-' } else { '+' };
        let minutes = self.zone.ahead.saturating_abs();
        let colon = if colon { ":" } else { "" };
        format!("{sign}{:02}{colon}{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
    }
}

fn short(name: &str) -> String {
    name.chars().take(3).collect()
}
