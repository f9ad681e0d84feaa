//! What was seen of a credential's tokens, beside what the rules need: it explains, and decides nothing.

use serde::{Deserialize, Serialize};

/// What was seen of a credential's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clues {
    /// The scopes that the token endpoint said the newest token has; nothing where it did not say.
    pub(crate) scopes: Option<String>,
}
