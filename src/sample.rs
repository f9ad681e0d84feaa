//! Events to try things with: lines of a file, repeated under fresh names, with times that fit the day.
//!
//! Whether an event is one that LinkedIn takes is written in its line. Nothing here asks the destination's code, so that a run
//! can be judged by what it was given.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use outlast_state::Time;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// The 200 lines that come along: `examples/data/track.jsonl`, described in the README beside it.
pub const TRACK: &str = include_str!("../examples/data/track.jsonl");

/// Events, and what is to become of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The events in order, each with a `messageId`.
    pub events: Vec<Value>,
    /// The message ids that the destination takes.
    pub valid: BTreeSet<String>,
    /// The message ids that it must refuse.
    pub invalid: BTreeSet<String>,
    /// How many of the events are exact repeats of one before.
    pub duplicates: usize,
}

/// The lines are no sample.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SampleError {
    /// There is not one line.
    #[error(
        "the sample is empty: write at least one line of the form {{\"expect\":\"valid\",\"why\":\"…\",\"event\":{{…}}}}"
    )]
    Empty,
    /// A line cannot be used.
    #[error("line {line} of the sample: {problem}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it and what to write.
        problem: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Valid,
    Invalid,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    expect: Expect,
    /// What is special about it, for the reader.
    #[serde(rename = "why")]
    _why: String,
    event: Map<String, Value>,
}

/// `count` events: the lines over and over, each round with its own message ids, times relative to `now`.
///
/// The same arguments give the same events. Lines that repeat a message id repeat it in every round.
///
/// # Errors
/// A line is no sample line, or two lines share a message id and differ otherwise.
pub fn events(lines: &str, now: Time, count: usize, seed: u64) -> Result<Sample, SampleError> {
    let patterns = patterns(lines, now)?;
    let mut sample = Sample { events: Vec::new(), valid: BTreeSet::new(), invalid: BTreeSet::new(), duplicates: 0 };
    let rounds = (0_u64..).flat_map(|round| patterns.iter().map(move |pattern| (round, pattern)));
    for (round, (name, line)) in rounds.take(count) {
        let id = format!("{name}-{seed}-{round}");
        let mut event = line.event.clone();
        event.insert("messageId".into(), id.as_str().into());
        let names = match line.expect {
            Expect::Valid => &mut sample.valid,
            Expect::Invalid => &mut sample.invalid,
        };
        let repeated = !names.insert(id);
        sample.duplicates = sample.duplicates.saturating_add(usize::from(repeated));
        sample.events.push(Value::Object(event));
    }
    Ok(sample)
}

/// Each line with its name: its message id, or its number where it has none.
fn patterns(lines: &str, now: Time) -> Result<Vec<(String, Line)>, SampleError> {
    let mut patterns: Vec<(String, Line)> = Vec::new();
    let mut known: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (text, number) in lines.lines().zip(1..).filter(|(text, _)| !text.trim().is_empty()) {
        let fault = |problem| SampleError::Line { line: number, problem };
        let line = pattern(text, now).map_err(fault)?;
        let given = line.event.get("messageId").and_then(Value::as_str);
        let name = given.map_or_else(|| format!("line-{number}"), str::to_owned);
        let place = (number, patterns.len());
        let (first, index) = *known.entry(name.clone()).or_insert(place);
        let twin = patterns.get(index).map(|(_, twin)| twin);
        if twin.is_some_and(|twin| (twin.expect, &twin.event) != (line.expect, &line.event)) {
            return Err(fault(format!("it shares messageId `{name}` with line {first} and differs; give it its own")));
        }
        patterns.push((name, line));
    }
    if patterns.is_empty() { Err(SampleError::Empty) } else { Ok(patterns) }
}

fn pattern(text: &str, now: Time) -> Result<Line, String> {
    let mut line: Line = serde_json::from_str(text).map_err(|error| {
        format!("{error}; write {{\"expect\":\"valid\" or \"invalid\",\"why\":\"…\",\"event\":{{…}}}}")
    })?;
    for key in ["timestamp", "originalTimestamp", "sentAt", "receivedAt"] {
        if let Some(time) = line.event.get_mut(key) {
            let text = time.as_str().unwrap_or_default();
            if let Some(offset) = text.strip_prefix("@-") {
                *time = at(offset, now).ok_or_else(|| {
                    format!(
                        "`{key}`: `{text}` is no offset; write seconds and a form, such as `@-3600s` or `@-3600s day`"
                    )
                })?;
            }
        }
    }
    Ok(line)
}

/// The time that lies `offset` before `now`, in the form that is asked for after a blank.
fn at(offset: &str, now: Time) -> Option<Value> {
    let (seconds, form) = offset.split_once('s')?;
    let back = seconds.parse::<i64>().ok()?.checked_mul(1000)?;
    let millis = i64::try_from(now.as_millis()).ok()?.checked_sub(back)?;
    let shown = |pattern: &str, millis| Some(Timestamp::from_millisecond(millis).ok()?.strftime(pattern).to_string());
    let text = match form.trim_start() {
        "" => shown("%Y-%m-%dT%H:%M:%S%.3fZ", millis)?,
        "millis" => return Some(millis.into()),
        "millis-text" => millis.to_string(),
        "local" => shown("%Y-%m-%dT%H:%M:%S", millis)?,
        "day" => shown("%Y-%m-%d", millis)?,
        "mail" => shown("%a, %d %b %Y %H:%M:%S GMT", millis)?,
        zone => format!("{}{zone}", shown("%Y-%m-%dT%H:%M:%S", millis.checked_add(east(zone)?)?)?),
    };
    Some(text.into())
}

/// How far a zone such as `+05:30` is ahead, in milliseconds.
fn east(zone: &str) -> Option<i64> {
    let (sign, digits) =
        if let Some(digits) = zone.strip_prefix('+') { (1, digits) } else { (-1, zone.strip_prefix('-')?) };
    let (hours, minutes) = digits.split_once(':')?;
    let hours = hours.parse::<u8>().ok().filter(|hours| *hours < 24)?;
    let minutes = minutes.parse::<u8>().ok().filter(|minutes| *minutes < 60)?;
    let total = i64::from(hours).saturating_mul(60).saturating_add(i64::from(minutes));
    Some(total.saturating_mul(60_000).saturating_mul(sign))
}

#[cfg(test)]
mod tests {
    use outlast_state::{DeliveryId, Verdict, Why};
    use serde_json::json;

    use super::*;
    use crate::destination::linkedin;
    use crate::destination::{Conversation, Destination, Routes, Turn};

    const NOW: Time = Time::from_millis(1_773_576_000_000); // 2026-03-15T12:00:00Z

    fn id_of(event: &Value) -> &str {
        event["messageId"].as_str().unwrap()
    }

    #[test]
    fn linkedin_judges_each_event_as_its_line_does() {
        let sample = events(TRACK, NOW, 200, 7).unwrap();
        let destination = linkedin::conversions().rule("1").build().unwrap();
        let routes = Routes::of(&destination, Vec::new()).unwrap();
        for event in &sample.events {
            let body = event.to_string();
            let refused = match routes.prepare(None, body.as_bytes()) {
                Err(refused) => Some(refused),
                Ok(prepared) => {
                    let item = prepared.item(DeliveryId::default(), body.as_bytes());
                    let refused = destination.check(&item, NOW).err();
                    if refused.is_none() {
                        let Turn::Ask(request) = destination.converse(&Conversation::begin(&[item], NOW)) else {
                            panic!("nothing was asked: {event}")
                        };
                        let sent: Value = serde_json::from_slice(request.body()).unwrap();
                        assert_eq!(sent["eventId"], event["messageId"]);
                    }
                    refused
                }
            };
            if let Some(refused) = &refused {
                assert_eq!(refused.verdict, Verdict::Refused { why: Why::Invalid });
                let advised = ["ield `", "elsewhere"].iter().any(|words| refused.detail.contains(words));
                assert!(advised, "{}", refused.detail);
            }
            let sent = refused.is_none();
            assert_eq!(sample.valid.contains(id_of(event)), sent, "{event}");
            assert_eq!(sample.invalid.contains(id_of(event)), !sent, "{event}");
        }
    }

    #[test]
    fn the_file_is_as_described() {
        let sample = events(TRACK, NOW, 200, 7).unwrap();
        assert_eq!((sample.valid.len(), sample.invalid.len(), sample.duplicates), (176, 20, 4));
        let has = |wanted: &dyn Fn(&Value) -> bool| sample.events.iter().filter(|event| wanted(event)).count();
        let email = |event: &Value| event["traits"]["email"].as_str().unwrap_or_default().to_owned();
        let rows = [
            ("upper case", has(&|event| email(event).contains(char::is_uppercase))),
            ("blanks", has(&|event| email(event).trim() != email(event))),
            ("digests", has(&|event| email(event).trim().len() == 64)),
            ("beyond ASCII", has(&|event| !event["traits"].to_string().is_ascii())),
            ("text revenue", has(&|event| event["properties"]["revenue"].is_string())),
            (
                "odd currency",
                has(&|event| event["properties"]["currency"] == "XAF" || event["properties"]["currency"] == "CLF"),
            ),
            ("number times", has(&|event| event["timestamp"].is_number())),
            ("no placeholder", has(&|event| !event.to_string().contains("\"@-"))),
        ];
        for (what, count) in rows {
            assert!(count >= 2, "{what}: {count}");
        }
        assert_eq!(rows.last().unwrap().1, 200);
    }

    #[test]
    fn rounds_repeat_the_lines_under_fresh_names() {
        let sample = events(TRACK, NOW, 1000, 7).unwrap();
        assert_eq!(sample, events(TRACK, NOW, 1000, 7).unwrap());
        assert_eq!(sample.events.len(), 1000);
        assert_eq!((sample.valid.len(), sample.invalid.len(), sample.duplicates), (880, 100, 20));
        let mut bodies = BTreeMap::new();
        for event in &sample.events {
            assert_eq!(bodies.entry(id_of(event)).or_insert(event), &event, "one id, one body");
        }
        let other = events(TRACK, NOW, 1000, 8).unwrap();
        assert!(other.valid.is_disjoint(&sample.valid));
        let fewer = events(TRACK, NOW, 250, 7).unwrap();
        assert_eq!(fewer.events[..], sample.events[..250]);
        assert_eq!(fewer.valid.len() + fewer.invalid.len() + fewer.duplicates, 250);
    }

    #[test]
    fn times_are_written_in_the_form_that_the_line_asks_for() {
        let rows = [
            ("3600s", json!("2026-03-15T11:00:00.000Z")),
            ("3600s millis", json!(1_773_572_400_000_i64)),
            ("3600s millis-text", json!("1773572400000")),
            ("3600s local", json!("2026-03-15T11:00:00")),
            ("86400s day", json!("2026-03-14")),
            ("3600s mail", json!("Sun, 15 Mar 2026 11:00:00 GMT")),
            ("3600s +05:30", json!("2026-03-15T16:30:00+05:30")),
            ("3600s -08:00", json!("2026-03-15T03:00:00-08:00")),
        ];
        for (offset, expected) in rows {
            assert_eq!(at(offset, NOW), Some(expected), "{offset}");
        }
        for bad in ["", "s", "3600", "xs", "3600s later", "3600s +99:00", "99999999999999999999s", "9000000000000000s"]
        {
            assert_eq!(at(bad, NOW), None, "{bad}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        let good = r#"{"expect":"valid","why":"","event":{"messageId":"a","n":1}}"#;
        let rows = [
            (String::new(), "empty"),
            (format!("{good}\n\nnonsense"), "line 3 of the sample"),
            (good.replace("valid", "maybe"), "line 1"),
            (good.replace("\"n\":1", "\"timestamp\":\"@-soon\""), "`timestamp`: `@-soon` is no offset"),
            (format!("{good}\n{}", good.replace(":1", ":2")), "shares messageId `a` with line 1"),
        ];
        for (lines, expected) in rows {
            let error = events(&lines, NOW, 3, 0).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
