use super::events::{Event, Events, Field};
use crate::parcel::LARGEST_BODY;

fn read(text: &[u8], once: Field, lane: Field) -> Vec<Event> {
    Events::new(text, "to".to_owned(), once, lane).map(Result::unwrap).collect()
}

#[test]
fn a_line_is_an_event_with_its_own_bytes() {
    let text = b"{\"messageId\": \"m1\", \"n\": 1.10}\r\n\n  \n {\"type\":\"track\"}\n{\"messageId\":7}";
    let events = read(text, Field::key(), Field::Absent);
    let offers: Vec<_> = events.into_iter().map(|event| (event.line, event.offer.unwrap())).collect();
    let seen: Vec<_> = offers.iter().map(|(line, offer)| (*line, offer.body.as_str(), offer.once.as_deref())).collect();
    assert_eq!(
        seen,
        [
            (1, "{\"messageId\": \"m1\", \"n\": 1.10}", Some("m1")),
            (4, "{\"type\":\"track\"}", None),
            (5, "{\"messageId\":7}", Some("7")),
        ]
    );
}

#[test]
fn lines_that_cannot_be_taken_say_where_and_why() {
    let rows: [(&[u8], &str); 7] = [
        (b"{\"a\": }", ":7: not JSON: expected value (EVENT_NOT_JSON)"),
        (b"{\"a\": 1", ":7: not JSON: EOF while parsing an object (EVENT_NOT_JSON)"),
        (b"[1]", ": not a JSON object (EVENT_NOT_AN_OBJECT)"),
        (b"{\"messageId\":[]}", ": messageId: is neither text nor a number (PARCEL_INVALID)"),
        (b"{\"a\":\"\xff\"}", ":7: not UTF-8 (EVENT_NOT_UTF8)"),
        ("[".repeat(200).leak().as_bytes(), ":128: not JSON: recursion limit exceeded (EVENT_TOO_DEEP)"),
        (b"nul", ":3: not JSON: EOF while parsing a value (EVENT_NOT_JSON)"),
    ];
    for (line, expected) in rows {
        let events = read(line, Field::key(), Field::Absent);
        assert_eq!(events[0].offer.as_ref().err().map(ToString::to_string).as_deref(), Some(expected));
    }
}

#[test]
fn a_field_that_was_asked_for_is_needed() {
    let events = read(
        b"{\"userId\":\"u\",\"properties\":{\"id\":\"k\"}}\n{\"userId\":\"u\"}\n{\"properties\":{\"id\":\"k\"}}",
        Field::asked("properties.id"),
        Field::asked("userId"),
    );
    let offer = events[0].offer.as_ref().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((offer.once.as_deref(), offer.lane.as_deref()), (Some("k"), Some("u")));
    assert_eq!(
        events[1].offer.as_ref().err().map(ToString::to_string).as_deref(),
        Some(": properties.id: is missing (PARCEL_INVALID)")
    );
    assert_eq!(
        events[2].offer.as_ref().err().map(ToString::to_string).as_deref(),
        Some(": userId: is missing (PARCEL_INVALID)")
    );
    let without = read(b"{\"messageId\":\"m\"}", Field::asked("none"), Field::Absent);
    assert!(without[0].offer.as_ref().is_ok_and(|offer| offer.once.is_none()));
}

#[test]
fn a_line_of_any_length_is_passed_over_in_bounded_memory() {
    let mut text = vec![b'x'; LARGEST_BODY * 3];
    text.extend_from_slice(b"\n{}\n");
    let events = read(&text, Field::key(), Field::Absent);
    assert!(events[0].offer.as_ref().is_err_and(|why| why.to_string().starts_with(": longer than 262144 bytes")));
    assert_eq!((events.len(), events[1].line, events[1].offer.is_ok()), (2, 2, true));
}

/// An input from which one piece after the other can be read.
struct Pieces(Vec<&'static [u8]>);

impl std::io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let piece: &[u8] = if self.0.is_empty() { b"" } else { self.0.remove(0) };
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

#[test]
fn it_is_known_when_the_next_event_may_take_its_time() {
    let pieces = Pieces(vec![b"{}\n{", b"}\n{}\n"]);
    let mut events = Events::new(pieces, "to".to_owned(), Field::key(), Field::Absent);
    let mut pauses = Vec::new();
    while let Some(event) = events.next() {
        assert!(event.unwrap().offer.is_ok());
        pauses.push(events.pauses());
    }
    assert_eq!(pauses, [true, false, true]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_event() {
    let events = read(b"\xef\xbb\xbf{\"messageId\":\"m\"}\n\xef\xbb\xbf{}", Field::key(), Field::Absent);
    assert_eq!(events[0].offer.as_ref().ok().map(|offer| offer.body.as_str()), Some("{\"messageId\":\"m\"}"));
    assert!(events[1].offer.is_err(), "elsewhere it is not JSON");
}
