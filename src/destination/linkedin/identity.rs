//! Who converted: the identifiers that LinkedIn matches members by.

use crate::digest::{hex, sha256};
use crate::js::text::trim;

/// What an e-mail address becomes on the wire.
///
/// The reference keeps blanks and the case of a given digest; each lowers the match rate silently. So here both are put
/// right, unless `compat` asks for the reference's bytes.
pub(super) fn email(address: &str, compat: bool) -> String {
    let given = if compat { address } else { trim(address) };
    if is_blank(given) {
        return String::new();
    }
    match (is_digest(given), compat) {
        (true, true) => given.into(),
        (true, false) => given.to_ascii_lowercase(),
        (false, _) => hex(&sha256(given.to_lowercase().as_bytes())),
    }
}

/// Whether there is nothing in it but what JavaScript counts as white space.
pub(super) fn is_blank(text: &str) -> bool {
    trim(text).is_empty()
}

/// Whether it is the SHA-256 of something already, in hexadecimal.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::email;

    const ADA: &str = "e1a3741ca332e55d1911ea2f85931387b67f22c76f5a6c859c431a4f269089b1";

    #[test]
    fn an_address_is_trimmed_lowered_and_hashed() {
        for address in ["ada.miller@example.org", " Ada.MILLER@Example.org\t", "\u{feff}ada.miller@example.org"] {
            assert_eq!(email(address, false), ADA, "{address}");
        }
        assert_eq!(email("Ada.Miller@example.org", true), ADA);
        assert_ne!(email(" ada.miller@example.org", true), ADA, "the reference hashes the blank");
    }

    #[test]
    fn a_digest_is_sent_as_a_digest() {
        let upper = ADA.to_ascii_uppercase();
        assert_eq!(email(&upper, true), upper);
        assert_eq!(email(&upper, false), ADA);
        assert_eq!(email(&format!(" {upper} "), false), ADA);
        assert_ne!(email(&ADA[1..], false), ADA[1..], "63 digits are an address like any other");
    }

    #[test]
    fn blanks_become_nothing() {
        assert_eq!(email("   ", true), "");
        assert_eq!(email(" \t", false), "");
    }
}
