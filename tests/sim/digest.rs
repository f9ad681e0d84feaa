//! The digest of a run: a hash over every commit. Sealed tokens have a nonce of their own each time, so of them only the
//! length counts.

use outlast::state::hash;
use outlast::store::{Table, Writes};

pub(crate) fn of(before: u64, writes: &Writes) -> u64 {
    writes.iter().fold(hash(before, writes.len() as u64), |digest, (key, value)| {
        let sealed = matches!(key.table(), Table::Token | Table::Grant);
        let digest = bytes(digest, &key.encode());
        match value {
            None => hash(digest, 0),
            Some(value) if sealed => hash(digest, value.len() as u64),
            Some(value) => bytes(digest, value),
        }
    })
}

fn bytes(digest: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(digest, |digest, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash(digest, u64::from_le_bytes(word))
    })
}
