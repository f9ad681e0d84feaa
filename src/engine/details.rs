//! One credential in full.

use super::Engine;
use crate::driver::{Ask, Look};
use crate::error::Error;
use crate::view::CredentialDetails;

impl Engine {
    /// A credential in full: how it stands, what was seen of its tokens, what that comes to and what speaks for it, who must
    /// act and what would change it. Its `Display` is what `outlast auth show` prints.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown) when there is no such credential;
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) when the engine has stopped.
    pub async fn credential(&self, name: &str) -> Result<CredentialDetails, Error> {
        let name = name.to_owned();
        self.ask(|reply| Ask::Look(Look::Credential { name, reply })).await?
    }
}
