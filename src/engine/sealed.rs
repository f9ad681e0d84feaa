//! The vault of a running engine: what is sealed, and the change of the key.

use super::Engine;
use crate::driver::{Ask, Look};
use crate::error::Error;
use crate::vault::VaultKey;
use crate::view::{Rekeyed, VaultView};

impl Engine {
    /// Goes over to another key of the vault: from here on `key` seals, and every record that was sealed with another one is
    /// sealed anew. Deliveries go on meanwhile. When this returns, all of it is on disk, behind a barrier.
    ///
    /// Keep the old key until this has returned: a crash before leaves a store in which some records are sealed with the one
    /// and some with the other. An engine that is given both ([`Builder::old_vault_key`](crate::Builder::old_vault_key)) opens
    /// them all, and this, called again, ends what was begun. And keep the new one: a store whose key is lost has no tokens.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the engine has no key at all;
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) when the store failed.
    pub async fn rekey(&self, key: VaultKey) -> Result<Rekeyed, Error> {
        self.ask(|reply| Ask::Rekey { key, reply }).await?
    }

    /// Opens every sealed record, and says which key each needs and which do not open. Shows nothing of what is in them.
    ///
    /// # Errors
    /// As [`Engine::rekey`].
    pub async fn vault(&self) -> Result<VaultView, Error> {
        self.ask(|reply| Ask::Look(Look::Vault { reply })).await?
    }
}
