//! What is written is read back by a library of others.

use icalendar::{CalendarComponent, CalendarDateTime, Component as _, DatePerhapsTime, Event};

use super::*;

const NOW: u64 = 1_780_000_000_000;
const DAY: u64 = 86_400_000;

fn day(credential: &str, occasion: Occasion, days: Option<u32>, text: &str) -> CalendarDay {
    let at_ms = NOW + u64::from(31 - days.unwrap_or(0)) * DAY;
    CalendarDay { at_ms, credential: credential.to_owned(), occasion, days, text: text.to_owned(), live: 7, at_risk: 3 }
}

fn read(text: &str) -> Vec<Event> {
    let calendar: icalendar::Calendar = text.parse().unwrap();
    assert_eq!(calendar.property_value("VERSION"), Some("2.0"));
    let events = calendar.components.into_iter();
    events
        .map(|component| match component {
            CalendarComponent::Event(event) => event,
            other => panic!("{other:?} is no event"),
        })
        .collect()
}

#[test]
fn ends_and_warnings_are_read_back_with_their_alarms_and_refreshes_are_left_out() {
    let text = written(
        &[
            day("acme", Occasion::Refresh, None, "A new token is asked for."),
            day("acme", Occasion::KeepAlive, None, ""),
            day("acme", Occasion::IdleEnd, None, ""),
            day("acme", Occasion::Warning, Some(30), "30 days are left."),
            day("acme", Occasion::Warning, Some(1), "1 day is left."),
            day("acme", Occasion::Stops, None, "Its grant ends; authorise it again before."),
            day("old, new", Occasion::Died, None, "It is dead."),
        ],
        NOW,
    );
    let events = read(&text);
    let summaries: Vec<&str> = events.iter().filter_map(Event::get_summary).collect();
    let expected = [
        "Credential acme stops in 30 days",
        "Credential acme stops in 1 day",
        "Credential acme stops",
        "Credential old, new is dead",
    ];
    assert_eq!(summaries, expected);
    let starts: Vec<u64> = events.iter().map(start).collect();
    assert_eq!(starts, [1, 30, 31, 31].map(|days| NOW + days * DAY));
    let said = events[2].get_description().unwrap();
    assert_eq!(said, "Its grant ends; authorise it again before.\nLive deliveries: 7, of which at risk: 3");
    for event in &events {
        assert_eq!(event.get_timestamp().unwrap().timestamp_millis(), i64::try_from(NOW).unwrap());
        let [alarm] = event.components() else { panic!("one alarm") };
        assert_eq!(alarm.component_kind(), "VALARM");
        assert_eq!(alarm.property_value("ACTION"), Some("DISPLAY"));
        assert_eq!(alarm.property_value("TRIGGER"), Some("PT0S"));
        assert_eq!(alarm.property_value("DESCRIPTION"), event.get_summary());
    }
}

fn start(event: &Event) -> u64 {
    let Some(DatePerhapsTime::DateTime(CalendarDateTime::Utc(at))) = event.get_start() else {
        panic!("no start in UTC")
    };
    u64::try_from(at.timestamp_millis()).unwrap()
}

#[test]
fn an_event_keeps_its_name_when_its_date_moves_and_each_has_its_own() {
    let days = |later: u64| {
        let mut days = vec![day("acme", Occasion::Stops, None, ""), day("acme", Occasion::Warning, Some(7), "")];
        days.push(day("acme ", Occasion::Stops, None, ""));
        days.iter_mut().for_each(|day| day.at_ms += later);
        days
    };
    let names = |days: &[CalendarDay], now| -> Vec<String> {
        read(&written(days, now)).iter().map(|event| event.get_uid().unwrap().to_owned()).collect()
    };
    let first = names(&days(0), NOW);
    assert_eq!(first, names(&days(DAY), NOW + 5));
    let different: std::collections::BTreeSet<&String> = first.iter().collect();
    assert_eq!(different.len(), 3);
    let mut died = days(0);
    died[0].occasion = Occasion::Died;
    assert_eq!(first, names(&died, NOW), "what stopped is dead: the same event");
}

#[test]
fn no_line_is_longer_than_75_octets_whatever_a_name_is_made_of() {
    for name in
        ["x".repeat(300), "é".repeat(200), "日本語、".repeat(60), "a,b;c\\d\r\n\u{7}e\tf".repeat(20), "🦀".repeat(90)]
    {
        let text = written(&[day(&name, Occasion::Stops, None, &name)], NOW);
        assert!(text.ends_with("END:VCALENDAR\r\n"));
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a line ends with both");
        assert!(text.split("\r\n").all(|line| line.len() <= LINE), "{text}");
        let kept: String =
            name.chars().filter(|letter| !letter.is_control() || ['\n', '\t'].contains(letter)).collect();
        let events = read(&text);
        assert_eq!(events[0].get_summary(), Some(format!("Credential {kept} stops").as_str()));
    }
}

#[test]
fn the_file_is_what_the_standard_shows() {
    let text = written(&[day("acme", Occasion::Stops, None, "It stops; act.")], NOW);
    let expected = "BEGIN:VCALENDAR|VERSION:2.0|PRODID:-//Outlast//Credentials//EN|CALSCALE:GREGORIAN|METHOD:PUBLISH|\
                    X-WR-CALNAME:Outlast credentials|BEGIN:VEVENT|\
                    UID:822b33ad87c148a0a20a5ba7cd5ebcaa-end@credentials.outlast|DTSTAMP:20260528T202640Z|\
                    DTSTART:20260628T202640Z|DURATION:PT15M|SUMMARY:Credential acme stops|\
                    DESCRIPTION:It stops\\; act.\\nLive deliveries: 7\\, of which at risk: 3|CATEGORIES:OUTLAST|\
                    TRANSP:TRANSPARENT|BEGIN:VALARM|ACTION:DISPLAY|DESCRIPTION:Credential acme stops|TRIGGER:PT0S|\
                    END:VALARM|END:VEVENT|END:VCALENDAR|";
    assert_eq!(text.replace("\r\n", "|"), expected);
}
