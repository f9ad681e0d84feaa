//! The events that are delivered: JSON of a chosen size that carries its own number, so that whoever sees one knows which.

/// The event with this number, exactly `size` bytes long, or as short as one can be.
pub(super) fn event(number: u64, size: usize) -> Vec<u8> {
    let mut body = format!("{START}{number:012}{MIDDLE}").into_bytes();
    let filling = size.saturating_sub(body.len()).saturating_sub(END.len());
    body.resize(body.len().saturating_add(filling), b'x');
    body.extend_from_slice(END.as_bytes());
    body
}

/// The number of an event.
pub(super) fn number(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(START.as_bytes())?.get(..12)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The size of an event in every row that does not say otherwise.
pub(super) const SIZE: usize = 600;

const START: &str = r#"{"number":""#;
const MIDDLE: &str = r#"","type":"track","event":"Order Completed","properties":{"note":""#;
const END: &str = r#""}}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_of_its_size_and_knows_its_number() {
        for size in [100, 600, 32 * 1024] {
            let body = event(4711, size);
            assert_eq!((body.len(), number(&body)), (size, Some(4711)));
            assert!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["properties"]["note"].is_string());
        }
        assert_eq!(number(&event(7, 0)), Some(7));
        assert_eq!(number(b"{}"), None);
    }
}
