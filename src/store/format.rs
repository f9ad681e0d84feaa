//! The record that says how the rest of a store is laid out. It is read before anything else, by every later version,
//! so its own encoding never changes: schema version 1 of the envelope, one number.

use super::codec;
use super::error::{StoreError, StoreErrorKind};
use super::keys::{Key, Meta};

/// The layout that this program writes. Raised when an older program could not read what a newer one writes.
///
/// - 1: commits are numbered under a key of their own.
/// - 2: commits carry a ledger (module [`ledger`](super::ledger)), which holds the number too.
/// - 3: commits are in a journal, and the base holds records in blocks (modules [`journal`](super::journal) and
///   [`blocks`](super::blocks)), this one included.
pub(super) const FORMAT: u32 = 3;

/// The oldest layout that this program can open. It raises a store to its own at once.
const OLDEST: u32 = 1;

/// Where the number of the last commit is in a store of format 1.
pub(super) const LAST: &[u8] = b"\0last";

pub(super) const KEY: Key = Key::Meta(Meta::Format);

/// What a new store holds from the start.
pub(super) fn record() -> Vec<u8> {
    codec::seal(&KEY, 1, &FORMAT)
}

/// The layout of the store that holds this record, if this program may open it.
pub(super) fn check(record: &[u8]) -> Result<u32, StoreError> {
    let read = codec::open(&KEY, record).and_then(|(_, payload)| payload.decode::<u32>());
    match read {
        Ok(known @ OLDEST..=FORMAT) => Ok(known),
        Ok(other) => Err(StoreError::new(
            StoreErrorKind::Format,
            format_args!(
                "the store has format {other}, and this Outlast reads up to format {FORMAT}. Open it with a newer Outlast; nothing was changed"
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
        assert_eq!(check(&record()).unwrap(), FORMAT);
        assert_eq!(check(&codec::seal(&KEY, 1, &1_u32)).unwrap(), 1);
        for other in [0, FORMAT + 1] {
            let refused = check(&codec::seal(&KEY, 1, &other)).unwrap_err();
            assert_eq!(refused.kind(), StoreErrorKind::Format);
            assert!(refused.to_string().contains(&format!("has format {other}")), "{refused}");
        }
        assert_eq!(check(b"").unwrap_err().kind(), StoreErrorKind::Corrupt);
    }
}
