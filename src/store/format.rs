//! The record that says how the rest of a store is laid out. It is read before anything else, by every later version,
//! so its own encoding never changes: schema version 1 of the envelope, one number.

use super::codec;
use super::error::{StoreError, StoreErrorKind};
use super::keys::{Key, Meta};

/// The layout that this program writes. Raised when an older program could not read what a newer one writes.
pub(super) const FORMAT: u32 = 1;

pub(super) const KEY: Key = Key::Meta(Meta::Format);

/// What a new store holds from the start.
pub(super) fn record() -> Vec<u8> {
    codec::seal(&KEY, 1, &FORMAT)
}

/// Whether this program may open the store that holds this record.
pub(super) fn check(record: &[u8]) -> Result<(), StoreError> {
    let read = codec::open(&KEY, record).and_then(|(_, payload)| payload.decode::<u32>());
    match read {
        Ok(FORMAT) => Ok(()),
        Ok(other) => Err(StoreError::new(
            StoreErrorKind::Format,
            format_args!(
                "the store has format {other}, and this Outlast reads format {FORMAT}. Open it with a newer Outlast; nothing was changed"
            ),
        )),
        Err(damage) => Err(StoreError::corrupt(format_args!("the record {KEY} {damage}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_not_opened() {
        assert!(check(&record()).is_ok());
        let newer = check(&codec::seal(&KEY, 1, &2_u32)).unwrap_err();
        assert_eq!(newer.kind(), StoreErrorKind::Format);
        assert!(newer.to_string().contains("has format 2"), "{newer}");
        assert_eq!(check(b"").unwrap_err().kind(), StoreErrorKind::Corrupt);
    }
}
