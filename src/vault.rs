//! The holder of tokens. On disk they are sealed; in memory they are here, and nobody else keeps one.
//!
//! A sealed record is `version (1) | key (8) | nonce (12) | ciphertext | tag (16)`, sealed with ChaCha20-Poly1305. What
//! it is for (credential, kind, epoch) is authenticated with it, so that a record moved to another place does not open.
//! `key` names the key without telling it, so that a wrong key and a damaged record are told apart, and so that several
//! keys can be in use while a store goes from one to another: the first seals, all of them open. Nonces are random:
//! with 96 bits, 2^32 records under one key keep the chance of a repeat below 2^-32, and a thousand records a day
//! take eleven thousand years to get there.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use outlast_state::{Epoch, Time};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Secret;
use crate::store::MAX_VALUE;

mod command;
mod key;
mod keyring;

pub use key::{KeyError, KeyId, VaultKey};
pub use keyring::KeyringEntry;

/// Seals tokens, opens them, and keeps those in use.
pub struct Vault {
    /// The first seals, all of them open.
    locks: RwLock<Vec<Lock>>,
    random: SystemRandom,
    kept: RwLock<HashMap<String, Vec<(Epoch, Secret)>>>,
}

/// A key as it is used.
struct Lock {
    key: LessSafeKey,
    id: KeyId,
}

/// What a human's consent gave: how access tokens are renewed, and until when.
#[derive(Clone)]
pub struct Grant {
    /// The refresh token, if the provider gave one.
    pub refresh: Option<Secret>,
    /// When the grant ends, whatever is renewed; [`Time::NEVER`] if it does not.
    pub refresh_expires: Time,
}

/// Why a token cannot be sealed or opened. None says anything about bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The record was sealed with another key.
    #[error(
        "the {what} of credential `{credential}` was sealed with another key, {key}; operator: configure the key that this \
         store was used with, in `old_keys` if it is on its way out, or authorise the credential again"
    )]
    WrongKey {
        /// Whose it is.
        credential: String,
        /// Which of its records.
        what: &'static str,
        /// The key that it was sealed with.
        key: KeyId,
    },
    /// The record was changed, or belongs to another credential, kind or epoch.
    #[error("the {what} of credential `{credential}` does not verify; operator: authorise the credential again")]
    Damaged {
        /// Whose it is.
        credential: String,
        /// Which of its records.
        what: &'static str,
    },
    /// The record has a version that this release does not know.
    #[error(
        "the {what} of credential `{credential}` has format {version}, which this release does not read; operator: use the \
         release that wrote it, or a later one"
    )]
    Version {
        /// Whose it is.
        credential: String,
        /// Which of its records.
        what: &'static str,
        /// Its version.
        version: u8,
    },
    /// The sealed record would be larger than a store takes.
    #[error(
        "the {what} of credential `{credential}` is too long: sealed it has {bytes} bytes, and a store takes at most {most}; \
         operator: ask the provider for shorter tokens, such as ones with fewer scopes",
        most = MAX_VALUE
    )]
    TooLong {
        /// Whose it is.
        credential: String,
        /// Which of its records.
        what: &'static str,
        /// How long it would be.
        bytes: usize,
    },
    /// The system gives no random numbers, without which nothing can be sealed.
    #[error("the system's random number generator failed; operator: check that this machine has one")]
    Random,
}

impl Vault {
    /// A vault that seals with `key`.
    ///
    /// # Panics
    /// Never: a [`VaultKey`] has the length that the cipher wants.
    #[must_use]
    pub fn new(key: &VaultKey) -> Self {
        Vault { locks: RwLock::new(vec![Lock::of(key)]), random: SystemRandom::new(), kept: RwLock::default() }
    }

    /// The same, which also opens what was sealed with `key`.
    #[must_use]
    pub fn and_opens_with(self, key: &VaultKey) -> Self {
        let mut locks = self.locks.write().unwrap_or_else(PoisonError::into_inner);
        if locks.iter().all(|lock| lock.id != key.id()) {
            locks.push(Lock::of(key));
        }
        drop(locks);
        self
    }

    /// Seals with `key` from now on. What was sealed with the keys before it opens as it did.
    pub fn adopt(&self, key: &VaultKey) {
        let mut locks = self.locks.write().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|lock| lock.id != key.id());
        locks.insert(0, Lock::of(key));
    }

    /// The names of its keys; the first one seals.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyId> {
        self.locks.read().unwrap_or_else(PoisonError::into_inner).iter().map(|lock| lock.id).collect()
    }

    /// The name of the key that a record says it was sealed with.
    #[must_use]
    pub fn key_of(sealed: &[u8]) -> Option<KeyId> {
        let (version, rest) = sealed.split_first()?;
        (*version == VERSION).then(|| rest.first_chunk().copied().map(KeyId::of))?
    }

    /// Opens a record and, where it is not sealed with the key that seals now, seals it anew with that.
    pub(crate) fn reseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        let plain = self.open(place, sealed)?;
        if Vault::key_of(sealed) == self.keys().first().copied() {
            return Ok(None);
        }
        self.seal(place, &plain).map(Some)
    }

    /// Seals the access token of `epoch`.
    ///
    /// # Errors
    /// It is too long for a store, or the system gives no random numbers.
    pub fn seal_access(&self, credential: &str, epoch: Epoch, token: &Secret) -> Result<Vec<u8>, VaultError> {
        self.seal(&Place { credential, kind: Kind::Access, epoch }, token.reveal().as_bytes())
    }

    /// Opens what [`Vault::seal_access`] sealed for the same credential and epoch.
    ///
    /// # Errors
    /// It was sealed with another key, for another place, or is damaged.
    pub fn open_access(&self, credential: &str, epoch: Epoch, sealed: &[u8]) -> Result<Secret, VaultError> {
        let place = Place { credential, kind: Kind::Access, epoch };
        let plain = self.open(&place, sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| place.damaged())?;
        Ok(Secret::new(text))
    }

    /// Seals the grant as it stands since `epoch`.
    ///
    /// # Errors
    /// It is too long for a store, or the system gives no random numbers.
    ///
    /// # Panics
    /// Never: a grant is text and a number.
    pub fn seal_grant(&self, credential: &str, epoch: Epoch, grant: &Grant) -> Result<Vec<u8>, VaultError> {
        let refresh = grant.refresh.as_ref().map(Secret::reveal);
        let record = GrantRecord { refresh, refresh_expires: grant.refresh_expires.as_millis() };
        // Room for every character as an escape, so that no copy is left behind by a growing buffer.
        let room = refresh.map_or(0, str::len).saturating_mul(6).saturating_add(128);
        let mut plain = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *plain, &record).expect("text and a number are JSON");
        self.seal(&Place { credential, kind: Kind::Grant, epoch }, &plain)
    }

    /// Opens what [`Vault::seal_grant`] sealed for the same credential and epoch.
    ///
    /// # Errors
    /// It was sealed with another key, for another place, or is damaged.
    pub fn open_grant(&self, credential: &str, epoch: Epoch, sealed: &[u8]) -> Result<Grant, VaultError> {
        let place = Place { credential, kind: Kind::Grant, epoch };
        let plain = self.open(&place, sealed)?;
        let record: GrantRecord<String> = serde_json::from_slice(&plain).map_err(|_| place.damaged())?;
        let refresh = record.refresh.map(Secret::from);
        Ok(Grant { refresh, refresh_expires: Time::from_millis(record.refresh_expires) })
    }

    /// Keeps the token of `epoch` at hand, so that a request does not decrypt it. The newest few epochs are kept.
    pub fn remember(&self, credential: &str, epoch: Epoch, token: Secret) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let epochs = kept.entry(credential.to_owned()).or_default();
        epochs.retain(|(known, _)| *known != epoch);
        epochs.push((epoch, token));
        epochs.sort_by_key(|(known, _)| std::cmp::Reverse(*known));
        epochs.truncate(EPOCHS_KEPT);
    }

    /// The token of `epoch`, if it is at hand.
    #[must_use]
    pub fn token(&self, credential: &str, epoch: Epoch) -> Option<Secret> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(credential)?.iter().find(|(known, _)| *known == epoch).map(|(_, token)| token.clone())
    }

    /// Lets go of every token of the credential.
    pub fn forget(&self, credential: &str) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).remove(credential);
    }

    fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let bytes = plain.len().saturating_add(SEAL_LEN);
        if bytes > MAX_VALUE {
            let (credential, what) = place.names();
            return Err(VaultError::TooLong { credential, what, bytes });
        }
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| VaultError::Random)?;
        let mut text = Zeroizing::new(plain.to_vec());
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        let locks = self.locks.read().unwrap_or_else(PoisonError::into_inner);
        let lock = locks.first().expect("a vault has a key from the start, and none is taken away without another");
        let tag = lock
            .key
            .seal_in_place_separate_tag(nonce_used, Aad::from(place.bytes()), &mut text)
            .expect("a token is shorter than the cipher's limit of 256 GiB");
        Ok([&[VERSION], lock.id.bytes(), &nonce, &text, tag.as_ref()].concat())
    }

    fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (version, rest) = sealed.split_first().ok_or_else(|| place.damaged())?;
        if *version != VERSION {
            let (credential, what) = place.names();
            return Err(VaultError::Version { credential, what, version: *version });
        }
        let (id, rest) = rest.split_first_chunk().ok_or_else(|| place.damaged())?;
        let key = KeyId::of(*id);
        let locks = self.locks.read().unwrap_or_else(PoisonError::into_inner);
        let Some(lock) = locks.iter().find(|lock| lock.id == key) else {
            let (credential, what) = place.names();
            return Err(VaultError::WrongKey { credential, what, key });
        };
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(|| place.damaged())?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = lock.key.open_in_place(nonce, Aad::from(place.bytes()), &mut text);
        let length = opened.map_err(|_| place.damaged())?.len();
        text.truncate(length);
        Ok(text)
    }
}

impl Lock {
    fn of(key: &VaultKey) -> Self {
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, key.bytes()).expect("a vault key has 32 bytes");
        Lock { key: LessSafeKey::new(unbound), id: key.id() }
    }
}

/// What a record is for.
pub(crate) struct Place<'a> {
    pub(crate) credential: &'a str,
    pub(crate) kind: Kind,
    pub(crate) epoch: Epoch,
}

/// The kinds of sealed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An access token.
    Access = 1,
    /// A refresh token, and when it ends.
    Grant = 2,
}

impl Kind {
    /// What it is, in words.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Kind::Access => "access token",
            Kind::Grant => "refresh token",
        }
    }
}

impl Place<'_> {
    /// As authenticated with the record. The name comes last and everything before it has a fixed length, so that no two
    /// places are written alike.
    fn bytes(&self) -> Vec<u8> {
        let kind = [VERSION, self.kind as u8];
        [DOMAIN, &kind, &self.epoch.number().to_be_bytes(), self.credential.as_bytes()].concat()
    }

    fn names(&self) -> (String, &'static str) {
        (self.credential.to_owned(), self.kind.what())
    }

    fn damaged(&self) -> VaultError {
        let (credential, what) = self.names();
        VaultError::Damaged { credential, what }
    }
}

/// A grant as it is written inside its seal.
#[derive(Serialize, Deserialize)]
struct GrantRecord<T> {
    refresh: Option<T>,
    refresh_expires: u64,
}

const VERSION: u8 = 1;

/// What sealing adds: version, key, nonce and tag.
const SEAL_LEN: usize = 1 + KeyId::LEN + NONCE_LEN + 16;

const DOMAIN: &[u8] = b"outlast sealed record\0";

/// The epoch that serves, the one that is to follow, and two that may still be named by what is in the air.
const EPOCHS_KEPT: usize = 4;

#[cfg(test)]
mod tests;
