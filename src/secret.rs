//! Text that cannot be printed.

use std::collections::HashSet;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A token, a client secret, a key. It has no `Debug`, `Display` or `Serialize`, so there is no way to print it by
/// accident, and its memory is wiped when the last clone is dropped (S16).
///
/// ```
/// let secret = outlast::Secret::new("hush");
/// let same = secret.clone();
/// ```
///
/// ```compile_fail,E0277
/// let secret = outlast::Secret::new("hush");
/// println!("{secret:?}");
/// ```
///
/// ```compile_fail,E0277
/// let secret = outlast::Secret::new("hush");
/// println!("{secret}");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes `text` into keeping.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Arc::new(Zeroizing::new(text.into())))
    }

    /// The text, for the one that writes a request or seals a record.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with `[token]` wherever it quotes the secret, or [`PART`] characters of it in a row: someone else's words may
    /// have been cut in the middle of it.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        if text.is_empty() {
            return String::new(); // an acceptance, of which there are thousands in an answer, has no words
        }
        let (secret, text): (Vec<char>, Vec<char>) = (self.0.chars().collect(), text.chars().collect());
        let length = secret.len().min(PART);
        if length == 0 || text.len() < length {
            return text.into_iter().collect();
        }
        let parts: HashSet<&[char]> = secret.windows(length).collect();
        let quotes: Vec<bool> = text.windows(length).map(|seen| parts.contains(seen)).collect();
        let (mut shown, mut covered) = (String::new(), 0_usize);
        for (place, letter) in text.iter().enumerate() {
            let was = covered > 0;
            covered = if quotes.get(place) == Some(&true) { length } else { covered.saturating_sub(1) };
            match (was, covered > 0) {
                (false, true) => shown.push_str(HIDDEN),
                (true, true) => {}
                (_, false) => shown.push(*letter),
            }
        }
        shown
    }
}

/// So many characters of a secret in a row are a part of it, and not chance.
const PART: usize = 12;

/// What stands where a secret was.
const HIDDEN: &str = "[token]";

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_hidden_also_where_it_was_cut() {
        let secret = Secret::new("AQX0eyJhbGciOiJSUzI1NiJ9.c2lnbmF0dXJl/K+Q=");
        for (text, shown) in [
            ("", ""),
            ("Invalid token.", "Invalid token."),
            ("AQX0eyJhbGciOiJSUzI1NiJ9.c2lnbmF0dXJl/K+Q=", "[token]"),
            ("token AQX0eyJhbGciOiJSUzI1NiJ9.c2lnbmF0dXJl/K+Q= is dead", "token [token] is dead"),
            ("token AQX0eyJhbGciOiJ (x-li-uuid 7)", "token [token] (x-li-uuid 7)"),
            ("the end of it is JSUzI1NiJ9.c2lnbmF0dXJl\\/K+Q=", "the end of it is [token]\\/K+Q="),
            ("wörter AQX0eyJhbGciOiJSUzI1NiJ9.c2lnbmF0dXJl/K+Q=ß", "wörter [token]ß"),
            ("AQX0eyJhbGc", "AQX0eyJhbGc"),
        ] {
            assert_eq!(secret.hidden_in(text), shown, "{text}");
        }
        assert_eq!(Secret::new("short").hidden_in("a short one"), "a [token] one");
        assert_eq!(Secret::new("").hidden_in("nothing"), "nothing");
    }
}
