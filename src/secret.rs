//! Text that cannot be printed.

use zeroize::Zeroizing;

/// A token, a client secret, a key. It has no `Debug`, `Display` or `Serialize`, so there is no way to print it by
/// accident, and its memory is wiped when it is dropped (S16).
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` into keeping.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The bytes, for the one that writes a request or seals a record.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::new(text)
    }
}
