//! Text that cannot be printed.

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
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::new(text)
    }
}
