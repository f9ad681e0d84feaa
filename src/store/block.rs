//! Records side by side in one value of the base: up to about 4 KiB of them, in key order.
//!
//! ```text
//! count u16 | CRC-32 u32 of the directory and the keys | count x (length of key u16, length of value u16) | keys | values
//! ```
//!
//! Numbers are little-endian. The checksum says which records a block holds; each record's own envelope says whether its
//! value is whole. So a flipped bit of a value costs that record, and one of the directory the block.

use super::Pair;

/// A block is closed when it has so many bytes. One record more, of the largest size, may stand in it alone.
pub(super) const FULL: usize = 4032;

/// Below this a block is put together with its neighbour, when both are rewritten.
pub(super) const SPARSE: usize = FULL / 3;

const HEAD: usize = 6;
const LINE: usize = 4;

/// What one record takes.
pub(super) fn cost(key: &[u8], value: &[u8]) -> usize {
    LINE.saturating_add(key.len()).saturating_add(value.len())
}

/// The bytes of these records, which come in key order.
pub(super) fn encode(entries: &[Pair]) -> Vec<u8> {
    let short = |length: usize| u16::try_from(length).expect("a store refuses larger keys and values");
    let size: usize = entries.iter().map(|(key, value)| cost(key, value)).sum();
    let mut bytes = Vec::with_capacity(size.saturating_add(HEAD));
    bytes.extend(short(entries.len()).to_le_bytes());
    bytes.extend([0; 4]);
    for (key, value) in entries {
        bytes.extend(short(key.len()).to_le_bytes());
        bytes.extend(short(value.len()).to_le_bytes());
    }
    for (key, _) in entries {
        bytes.extend_from_slice(key);
    }
    let sum = checksum(&bytes);
    for (_, value) in entries {
        bytes.extend_from_slice(value);
    }
    if let Some(place) = bytes.get_mut(2..HEAD) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}

/// The checksum of a block's head without the checksum itself.
fn checksum(head: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head.get(..2).unwrap_or_default());
    hasher.update(head.get(HEAD..).unwrap_or_default());
    hasher.finalize()
}

/// A block's records, read in place.
pub(super) struct Block<'a> {
    lines: &'a [u8],
    keys: &'a [u8],
    values: &'a [u8],
}

impl<'a> Block<'a> {
    /// The block that these bytes are; nothing when its directory does not verify.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Block<'a>> {
        let (count, rest) = bytes.split_first_chunk::<2>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let (lines, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*count)).saturating_mul(LINE))?;
        let mut block = Block { lines, keys: &[], values: &[] };
        let (keys, values) = block.lengths().fold((0_usize, 0_usize), |(keys, values), (key, value)| {
            (keys.saturating_add(key), values.saturating_add(value))
        });
        (block.keys, block.values) = rest.split_at_checked(keys)?;
        let head = HEAD.saturating_add(lines.len()).saturating_add(keys);
        let fits = block.values.len() == values && checksum(bytes.get(..head)?) == u32::from_le_bytes(*sum);
        fits.then_some(block)
    }

    fn lengths(&self) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        self.lines
            .as_chunks::<LINE>()
            .0
            .iter()
            .map(|[a, b, c, d]| (usize::from(u16::from_le_bytes([*a, *b])), usize::from(u16::from_le_bytes([*c, *d]))))
    }

    /// The records, in key order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (mut keys, mut values) = (self.keys, self.values);
        self.lengths().map_while(move |(key, value)| {
            let (key, later_keys) = keys.split_at_checked(key)?;
            let (value, later_values) = values.split_at_checked(value)?;
            (keys, values) = (later_keys, later_values);
            Some((key, value))
        })
    }

    /// The value under `key`.
    pub(super) fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.entries().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

/// Cuts records, which come in key order, into blocks: each full, but for the last.
pub(super) fn pack(entries: Vec<Pair>) -> Vec<Vec<Pair>> {
    let mut blocks: Vec<Vec<Pair>> = Vec::new();
    let mut room = 0;
    for (key, value) in entries {
        let cost = cost(&key, &value);
        if let Some(block) = blocks.last_mut().filter(|_| cost <= room) {
            block.push((key, value));
        } else {
            blocks.push(vec![(key, value)]);
            room = FULL;
        }
        room = room.saturating_sub(cost);
    }
    blocks
}

/// What these records take together.
pub(super) fn weight(entries: &[Pair]) -> usize {
    entries.iter().map(|(key, value)| cost(key, value)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn records() -> impl Strategy<Value = Vec<Pair>> {
        btree_map(vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..4096), 0..30).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_block_reads_as_it_was_written(entries in records()) {
            let bytes = encode(&entries);
            let block = Block::read(&bytes).unwrap();
            let read: Vec<Pair> = block.entries().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
            prop_assert_eq!(&read, &entries);
            for (key, value) in &entries {
                prop_assert_eq!(block.get(key), Some(value.as_slice()));
            }
            prop_assert_eq!(block.get(b"none has forty-one bytes, so this is not in it"), None);
        }

        #[test]
        fn packing_keeps_every_record_in_its_order(entries in records()) {
            let blocks = pack(entries.clone());
            for block in &blocks {
                prop_assert!(block.len() == 1 || weight(block) <= FULL);
            }
            prop_assert_eq!(blocks.concat(), entries);
        }
    }

    #[test]
    fn which_records_a_block_holds_is_checked_and_a_value_is_not() {
        let bytes = encode(&[(b"Aone".to_vec(), vec![1; 40]), (b"Atwo".to_vec(), vec![2; 7])]);
        let head = bytes.len() - 47;
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Block::read(&changed).is_some(), bit / 8 >= head, "bit {bit}");
        }
        assert!((0..bytes.len()).all(|length| Block::read(&bytes[..length]).is_none()));
    }
}
