//! How the API's framework writes keys and lists into a path or a query, in version 2.0.0 of its protocol:
//! `(campaign:urn%3Ali%3A…,conversion:urn%3Alla%3A…)` and `List(A,B)`. Brackets, commas and colons that belong to a value are encoded.

use std::collections::BTreeMap;

/// A key of named parts.
pub(super) type Key = BTreeMap<String, String>;

/// Reads `(name:value,name:value)`.
pub(super) fn key(text: &str) -> Option<Key> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut parts = Key::new();
    for part in inner.split(',') {
        let (name, value) = part.split_once(':')?;
        let again = parts.insert(name.to_owned(), value_of(value)?);
        if again.is_some() {
            return None;
        }
    }
    Some(parts)
}

/// Reads `List((…),(…))`: the keys as they were sent.
pub(super) fn list_of_keys(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix("List((")?.strip_suffix("))")?;
    Some(inner.split("),(").map(|part| format!("({part})")).collect())
}

/// Reads `List(A,B)` of plain words.
pub(super) fn list_of_words(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix("List(")?.strip_suffix(')')?;
    inner.split(',').map(value_of).collect()
}

/// Exactly these two parts of a key.
pub(super) fn pair(mut key: Key, first: &str, second: &str) -> Option<(String, String)> {
    let pair = (key.remove(first)?, key.remove(second)?);
    key.is_empty().then_some(pair)
}

fn value_of(raw: &str) -> Option<String> {
    // A plus sign would be read as a blank. No value that this API knows has one, or these structural characters.
    if raw.is_empty() || raw.contains(['(', ')', ',', ':', '&', '=', '+']) {
        return None;
    }
    let (text, _) = url::form_urlencoded::parse(raw.as_bytes()).next()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_half_keys_are_not() {
        let read = key("(campaign:urn%3Ali%3AsponsoredCampaign%3A71,conversion:9)")
            .and_then(|k| pair(k, "campaign", "conversion"));
        assert_eq!(read, Some(("urn:li:sponsoredCampaign:71".into(), "9".into())));
        for wrong in ["", "()", "(a)", "(a:)", "(a:1", "a:1", "(a:1,a:2)", "(a:urn:li)", "((a:1))", "(a:1,)"] {
            assert_eq!(key(wrong), None, "{wrong}");
        }
        assert_eq!(key("(a:1,b:2,c:3)").and_then(|k| pair(k, "a", "b")), None, "a part too many");
    }

    #[test]
    fn lists_are_read() {
        let keys = list_of_keys("List((a:1,b:2),(a:3,b:4))");
        assert_eq!(keys, Some(vec!["(a:1,b:2)".to_owned(), "(a:3,b:4)".to_owned()]));
        assert_eq!(list_of_words("List(ACTIVE,DRAFT)"), Some(vec!["ACTIVE".to_owned(), "DRAFT".to_owned()]));
        for wrong in ["", "List()", "(ACTIVE)", "List(A,)", "List(A"] {
            assert_eq!(list_of_words(wrong), None, "{wrong}");
        }
        for wrong in ["", "List()", "List(a:1)", "(a:1)"] {
            assert_eq!(list_of_keys(wrong), None, "{wrong}");
        }
    }
}
