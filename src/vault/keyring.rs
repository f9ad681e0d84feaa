//! The key from the keyring of the operating system: Secret Service on Linux, the keychain on macOS. Only with the feature
//! `keyring`; without it, a `key_command` can ask the system's own tool.

use std::fmt;

use super::{KeyError, VaultKey};

/// An entry of a keyring: an account of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringEntry {
    /// The service.
    pub service: String,
    /// The account.
    pub account: String,
}

impl KeyringEntry {
    /// Reads `service/account`. The service may hold slashes, the account may not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (service, account) = text.rsplit_once('/')?;
        let whole = !service.is_empty() && !account.is_empty();
        whole.then(|| KeyringEntry { service: service.to_owned(), account: account.to_owned() })
    }

    fn place(&self) -> String {
        format!("keyring entry `{self}`")
    }
}

impl fmt::Display for KeyringEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.account)
    }
}

impl VaultKey {
    /// The key in an entry of the keyring of the operating system, as base64 or hexadecimal. Blocks
    /// until the keyring answers.
    ///
    /// # Errors
    /// There is no such entry, it cannot be read, or it holds no key; or this program was built without the feature
    /// `keyring`.
    pub fn from_keyring(entry: &KeyringEntry) -> Result<Self, KeyError> {
        read(entry)
    }

    /// Makes a new key and the entry of the keyring that holds it.
    ///
    /// # Errors
    /// There is such an entry (it may be the only key to a store, so it is never replaced), or the keyring refuses.
    pub fn create_in_keyring(entry: &KeyringEntry) -> Result<Self, KeyError> {
        create(entry)
    }
}

#[cfg(not(feature = "keyring"))]
fn read(entry: &KeyringEntry) -> Result<VaultKey, KeyError> {
    Err(KeyError { place: entry.place(), kind: super::key::Kind::NoKeyrings })
}

#[cfg(not(feature = "keyring"))]
fn create(entry: &KeyringEntry) -> Result<VaultKey, KeyError> {
    read(entry)
}

#[cfg(feature = "keyring")]
use with_keyrings::{create, read};

#[cfg(feature = "keyring")]
mod with_keyrings {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::super::key::Kind;
    use super::{KeyError, KeyringEntry, VaultKey};

    /// A keyring may ask its user to unlock it.
    const PATIENCE: Duration = Duration::from_secs(60);

    pub(super) fn read(entry: &KeyringEntry) -> Result<VaultKey, KeyError> {
        let text = ask(entry, |entry| entry.get_password().map(Zeroizing::new))?;
        VaultKey::read(&text).ok_or_else(|| KeyError { place: entry.place(), kind: Kind::Malformed })
    }

    pub(super) fn create(entry: &KeyringEntry) -> Result<VaultKey, KeyError> {
        match ask(entry, |entry| entry.get_password().map(Zeroizing::new)) {
            Ok(_) => return Err(KeyError { place: entry.place(), kind: Kind::Exists }),
            Err(KeyError { kind: Kind::NoEntry, .. }) => {}
            Err(error) => return Err(error),
        }
        let key = VaultKey::random()?;
        let text = key.text();
        ask(entry, move |entry| entry.set_password(text.reveal()))?;
        Ok(key)
    }

    /// Asks on a thread of its own: a keyring that waits for its user holds up nobody for longer than [`PATIENCE`], and what
    /// speaks with it may block where a runtime would not let it.
    fn ask<T: Send + 'static>(
        entry: &KeyringEntry,
        question: impl FnOnce(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T, KeyError> {
        let failed = |kind| KeyError { place: entry.place(), kind };
        let (sender, answer) = mpsc::channel();
        let asked = entry.clone();
        let thread = thread::Builder::new().name("vault key".into()).spawn(move || {
            let answered = status().and_then(|()| {
                let entry = keyring::Entry::new(&asked.service, &asked.account).map_err(|why| told(&why))?;
                question(&entry).map_err(|why| told(&why))
            });
            drop(sender.send(answered));
        });
        thread.map_err(|why| failed(Kind::Io(why)))?;
        match answer.recv_timeout(PATIENCE) {
            Ok(answered) => answered.map_err(failed),
            Err(_) => Err(failed(Kind::TooLate(PATIENCE))),
        }
    }

    /// Whether there is a keyring at all.
    fn status() -> Result<(), Kind> {
        keyring::Entry::store_status().as_ref().copied().map_err(told)
    }

    /// Only the kinds of errors that hold no part of an entry are told in the keyring's own words.
    fn told(why: &keyring::Error) -> Kind {
        match why {
            keyring::Error::NoEntry => Kind::NoEntry,
            keyring::Error::BadEncoding(_) | keyring::Error::BadDataFormat(..) => Kind::Malformed,
            other => Kind::Keyring(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_service_and_an_account() {
        let entry = |service: &str, account: &str| {
            Some(KeyringEntry { service: service.to_owned(), account: account.to_owned() })
        };
        assert_eq!(KeyringEntry::parse("outlast/vault"), entry("outlast", "vault"));
        assert_eq!(KeyringEntry::parse("org/outlast/vault"), entry("org/outlast", "vault"));
        for text in ["", "outlast", "/vault", "outlast/", "/"] {
            assert_eq!(KeyringEntry::parse(text), None, "{text}");
        }
    }

    /// In a place without a keyring, which a machine that builds is.
    #[test]
    fn a_keyring_that_is_not_there_is_told_with_the_remedy() {
        let why = VaultKey::from_keyring(&KeyringEntry::parse("outlast-test/no-such-account").unwrap())
            .err()
            .unwrap()
            .to_string();
        assert!(why.starts_with("keyring entry `outlast-test/no-such-account`"), "{why}");
        assert!(why.contains("operator:"), "{why}");
        #[cfg(not(feature = "keyring"))]
        assert!(why.contains("--features keyring") && why.contains("key_command"), "{why}");
    }
}
