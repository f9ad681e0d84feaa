//! Who converted: the identifiers that LinkedIn matches members by.

use crate::digest::{hex, sha256};
use crate::js::text::trim;

/// How an address is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hashing {
    /// Without the blanks at its ends, in lower case.
    Ours,
    /// As the reference does it for conversions: with blanks, in lower case.
    Lowered,
    /// As the reference does it for audiences: as it was given.
    Given,
}

/// What an e-mail address becomes on the wire.
///
/// The reference keeps blanks and the case of a given digest, for audiences that of an address too; each lowers the match
/// rate silently. So here all are put right, unless the reference's bytes are asked for.
pub(super) fn email(address: &str, hashing: Hashing) -> String {
    let ours = hashing == Hashing::Ours;
    let given = if ours { trim(address) } else { address };
    if is_blank(given) {
        return String::new();
    }
    match (is_digest(given), hashing) {
        (true, Hashing::Ours) => given.to_ascii_lowercase(),
        (true, _) => given.into(),
        (false, Hashing::Given) => hashed(given),
        (false, _) => hashed(&given.to_lowercase()),
    }
}

/// The SHA-256 of `text` in hexadecimal.
pub(super) fn hashed(text: &str) -> String {
    hex(&sha256(text.as_bytes()))
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
    use super::Hashing::{Given, Lowered, Ours};
    use super::email;

    const ADA: &str = "e1a3741ca332e55d1911ea2f85931387b67f22c76f5a6c859c431a4f269089b1";

    #[test]
    fn an_address_is_trimmed_lowered_and_hashed() {
        for address in ["ada.miller@example.org", " Ada.MILLER@Example.org\t", "\u{feff}ada.miller@example.org"] {
            assert_eq!(email(address, Ours), ADA, "{address}");
        }
        assert_eq!(email("Ada.Miller@example.org", Lowered), ADA);
        assert_ne!(email("Ada.Miller@example.org", Given), ADA, "the reference keeps the case for audiences");
        assert_eq!(email("ada.miller@example.org", Given), ADA);
        assert_ne!(email(" ada.miller@example.org", Lowered), ADA, "the reference hashes the blank");
    }

    #[test]
    fn a_digest_is_sent_as_a_digest() {
        let upper = ADA.to_ascii_uppercase();
        assert_eq!(email(&upper, Lowered), upper);
        assert_eq!(email(&upper, Given), upper);
        assert_eq!(email(&upper, Ours), ADA);
        assert_eq!(email(&format!(" {upper} "), Ours), ADA);
        assert_ne!(email(&ADA[1..], Ours), ADA[1..], "63 digits are an address like any other");
    }

    #[test]
    fn blanks_become_nothing() {
        assert_eq!(email("   ", Lowered), "");
        assert_eq!(email(" \t", Ours), "");
    }
}
