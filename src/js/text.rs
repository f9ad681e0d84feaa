//! Texts as sequences of UTF-16 units, and what counts as white space.

/// The length of `text` in UTF-16 units.
pub(crate) fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The unit at `index` as a text of its own; half of a surrogate pair becomes the replacement character.
pub(crate) fn unit(text: &str, index: usize) -> Option<String> {
    let unit = text.encode_utf16().nth(index)?;
    Some(char::decode_utf16([unit]).map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// `text` without white space at its ends: `String.prototype.trim`, which counts the byte order mark as white space and
/// the next-line control not.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether JavaScript counts it as white space.
pub(crate) fn is_space(character: char) -> bool {
    character == '\u{feff}' || (character.is_whitespace() && character != '\u{85}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_indices_count_units() {
        assert_eq!((length("abc"), length("größe"), length("a😀")), (3, 5, 3));
        assert_eq!(unit("größe", 2).as_deref(), Some("ö"));
        assert_eq!(unit("a😀", 1).as_deref(), Some("\u{fffd}"));
        assert_eq!(unit("a", 1), None);
    }

    #[test]
    fn the_byte_order_mark_is_space_and_the_next_line_control_is_not() {
        assert_eq!(trim("\u{feff} a\u{a0}\n"), "a");
        assert_eq!(trim("\u{85}a"), "\u{85}a");
    }
}
