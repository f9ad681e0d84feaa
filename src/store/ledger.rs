//! What the checksum of a record cannot see: a record that is missing, one that came back, and an older version of one.
//!
//! Each commit carries a ledger: its number, and for each table how many records the store then holds and a hash of the
//! set of them. The hash of a set is the wrapping sum of 128 bits of the SHA-256 of each record (its key, its length, and
//! its value), so that a commit changes it by what it puts and removes, in any order. It is made for accidents: who can
//! write to the store can also write a ledger that fits.
//!
//! When a store is opened, all of it is read once and held against the ledger of its last commit ([`Reading`]).

use super::codec::{self, Damage};
use super::error::StoreError;
use super::keys::{Key, Table};

/// Where the ledger is, in the store itself. No [`Key`] begins with 0, so that nobody else sees it.
pub(super) const KEY: &[u8] = b"\0ledger";

const TABLES: usize = Table::ALL.len();

/// A table's line: how many records, and their hash as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Line {
    count: u64,
    hash: u128,
}

/// A line is 8 bytes of count and 16 of hash; before the lines stands the number, behind them a checksum.
const LENGTH: usize = 8 + TABLES * 24 + 4;

/// Tables that came later, in their order: a ledger that is so many lines shorter is from before there were the last ones.
const LATER: [Table; 4] = [Table::Ended, Table::Memory, Table::Alert, Table::Learned];

/// What a store holds after a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// The number of the commit, counted over the store's whole life.
    pub(super) commit: u64,
    lines: [Line; TABLES],
}

impl Ledger {
    /// Under `key`, a key's bytes, `new` takes the place of `old`.
    pub(super) fn change(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        let Some(line) = self.line_mut(key) else { return };
        if let Some(old) = old {
            line.count = line.count.wrapping_sub(1);
            line.hash = line.hash.wrapping_sub(hash(key, old));
        }
        if let Some(new) = new {
            line.count = line.count.wrapping_add(1);
            line.hash = line.hash.wrapping_add(hash(key, new));
        }
    }

    /// The same, of another commit.
    pub(super) fn numbered(&self, commit: u64) -> Ledger {
        Ledger { commit, ..self.clone() }
    }

    /// How many records the table has.
    pub(super) fn count(&self, table: Table) -> u64 {
        self.line(table).count
    }

    /// Whether both say that the table holds the same records.
    pub(super) fn agrees(&self, other: &Ledger, table: Table) -> bool {
        self.line(table) == other.line(table)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(self.commit.to_le_bytes());
        for line in &self.lines {
            bytes.extend(line.count.to_le_bytes());
            bytes.extend(line.hash.to_le_bytes());
        }
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// The ledger in bytes that verify.
    pub(super) fn decode(bytes: &[u8]) -> Option<Ledger> {
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        let lacking = LATER.iter().rev().enumerate().map(|(count, _)| count.saturating_add(1));
        let of_length = |lines: usize| bytes.len().saturating_add(lines.saturating_mul(24)) == LENGTH;
        let lacking = std::iter::once(0).chain(lacking).find(|lines| of_length(*lines))?;
        if *sum != crc32fast::hash(body).to_le_bytes() {
            return None;
        }
        let known = LATER.len().saturating_sub(lacking);
        let lacking = LATER.get(known..).unwrap_or_default();
        let (commit, rest) = body.split_first_chunk::<8>()?;
        let mut ledger = Ledger { commit: u64::from_le_bytes(*commit), ..Ledger::default() };
        let lines = Table::ALL.into_iter().zip(&mut ledger.lines);
        let lines = lines.filter(|(table, _)| !lacking.contains(table)).map(|(_, line)| line);
        for (line, bytes) in lines.zip(rest.chunks_exact(24)) {
            let (count, hash) = bytes.split_first_chunk::<8>()?;
            line.count = u64::from_le_bytes(*count);
            line.hash = u128::from_le_bytes(hash.try_into().ok()?);
        }
        Some(ledger)
    }

    fn line(&self, table: Table) -> Line {
        let lines = Table::ALL.into_iter().zip(self.lines);
        lines.filter(|(known, _)| *known == table).map(|(_, line)| line).next().unwrap_or_default()
    }

    fn line_mut(&mut self, key: &[u8]) -> Option<&mut Line> {
        let prefix = key.first()?;
        let at = Table::ALL.iter().position(|table| table.prefix() == *prefix)?;
        self.lines.get_mut(at)
    }
}

/// 128 bits of a digest of a record. The key's length stands first, so that no two pairs of key and value read alike.
fn hash(key: &[u8], value: &[u8]) -> u128 {
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    digest.update(&u64::try_from(key.len()).unwrap_or(u64::MAX).to_le_bytes());
    digest.update(key);
    digest.update(value);
    let digest = digest.finish();
    let (half, _) = digest.as_ref().split_first_chunk::<16>().expect("SHA-256 has 32 bytes");
    u128::from_le_bytes(*half)
}

/// A reading of all that a store holds.
#[derive(Default)]
pub(super) struct Reading {
    /// What is there, as a ledger.
    pub(super) found: Ledger,
    /// The records that do not verify, in the order of their keys.
    pub(super) damaged: Vec<(Key, Damage)>,
    /// Keys that are none.
    pub(super) foreign: Vec<Vec<u8>>,
}

impl Reading {
    /// Takes in one record.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) {
        if key.first() == Some(&0) {
            return; // the store's own
        }
        self.found.change(key, None, Some(value));
        match Key::decode(key) {
            None => self.foreign.push(key.to_vec()),
            Some(key) if is_sealed(key.table()) => {}
            Some(key) => {
                if let Err(damage) = codec::open(&key, value) {
                    self.damaged.push((key, damage));
                }
            }
        }
    }

    /// Whether the store holds nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.found == Ledger::default() && self.foreign.is_empty()
    }

    /// Why a table is not the one that `written` counted; nothing if it is, as far as can be known.
    pub(super) fn fault(&self, written: &Ledger, table: Table) -> Option<String> {
        let (found, counted) = (self.found.count(table), written.count(table));
        if found < counted {
            let missing = counted.saturating_sub(found);
            return Some(format!(
                "table {table}: {missing} of {counted} records {} missing",
                if missing == 1 { "is" } else { "are" }
            ));
        }
        if found > counted {
            return Some(format!("table {table}: there are {found} records where {counted} were counted"));
        }
        // A record that does not verify has changed the hash, which then says nothing about the others.
        let in_doubt = self.damaged.iter().any(|(key, _)| key.table() == table);
        if in_doubt || self.found.agrees(written, table) {
            return None;
        }
        let each = if is_sealed(table) { "" } else { ", and each verifies" };
        Some(format!(
            "table {table}: its {counted} records are there{each}, but not as they were last written: one is changed, or an older one"
        ))
    }

    /// Holds what is there against the ledger of the last commit.
    pub(super) fn judge(&self, written: &Ledger) -> Result<(), StoreError> {
        if let Some(key) = self.foreign.first() {
            return Err(StoreError::corrupt(format_args!("it holds a key that this version cannot read: {key:02x?}")));
        }
        let faults: Vec<String> = Table::ALL.into_iter().filter_map(|table| self.fault(written, table)).collect();
        if faults.is_empty() { Ok(()) } else { Err(StoreError::corrupt(faults.join("; "))) }
    }
}

/// Whether the records of a table verify only with the key that they were sealed with.
pub(super) const fn is_sealed(table: Table) -> bool {
    matches!(table, Table::Token | Table::Grant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::id;
    use outlast_state::Epoch;

    fn key(n: u128) -> Vec<u8> {
        Key::Delivery(id(n)).encode()
    }

    #[test]
    fn a_ledger_goes_by_what_is_there_and_not_by_how_it_came() {
        let (mut one, mut other) = (Ledger::default(), Ledger::default());
        for n in 0..9 {
            one.change(&key(n), None, Some(b"first"));
        }
        one.change(&key(3), Some(b"first"), Some(b"second"));
        one.change(&key(4), Some(b"first"), None);
        for n in (0..9).rev().filter(|n| *n != 4) {
            other.change(&key(n), None, Some(if n == 3 { b"second" } else { b"first" }));
        }
        assert_eq!(one, other);
        assert_eq!((one.count(Table::Delivery), one.count(Table::Parcel)), (8, 0));
        other.change(&key(3), Some(b"second"), Some(b"first"));
        assert!(!one.agrees(&other, Table::Delivery));
        assert!(one.agrees(&other, Table::Parcel));
    }

    #[test]
    fn exchanged_values_are_another_set() {
        let (mut one, mut other) = (Ledger::default(), Ledger::default());
        for (n, value) in [(1, b"a"), (2, b"b")] {
            one.change(&key(n), None, Some(value));
            other.change(&key(3 - n), None, Some(value));
        }
        assert!(!one.agrees(&other, Table::Delivery));
    }

    #[test]
    fn a_ledger_reads_as_it_was_written_and_no_change_of_it_reads() {
        let mut ledger = Ledger { commit: 77, ..Ledger::default() };
        ledger.change(&key(1), None, Some(b"x"));
        let bytes = ledger.encode();
        assert_eq!(Ledger::decode(&bytes), Some(ledger));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Ledger::decode(&changed), None, "bit {bit}");
        }
        assert!((0..bytes.len()).all(|length| Ledger::decode(&bytes[..length]).is_none()));
    }

    fn reading(records: &[(Key, Vec<u8>)]) -> Reading {
        let mut reading = Reading::default();
        for (key, value) in records {
            reading.take(&key.encode(), value);
        }
        reading
    }

    #[test]
    fn what_is_missing_more_older_or_sealed_is_named_by_its_table() {
        let sealed = |n: u128, version: u8| {
            let key = Key::Delivery(id(n));
            (key.clone(), codec::seal(&key, 1, &version))
        };
        let token = |text: &str| (Key::Token("acme".into(), Epoch::NONE), text.as_bytes().to_vec());
        let written = reading(&[sealed(1, 1), sealed(2, 1), token("sealed")]).found;
        let told = |records: &[(Key, Vec<u8>)]| reading(records).judge(&written).err().map(|error| error.to_string());
        assert_eq!(told(&[sealed(1, 1), sealed(2, 1), token("sealed")]), None);
        let missing = told(&[sealed(1, 1), token("sealed")]).unwrap();
        assert!(missing.contains("table delivery: 1 of 2 records is missing"), "{missing}");
        assert!(missing.contains("outlast doctor"), "{missing}");
        let more = told(&[sealed(1, 1), sealed(2, 1), sealed(3, 1), token("sealed")]).unwrap();
        assert!(more.contains("3 records where 2 were counted"), "{more}");
        let older = told(&[sealed(1, 1), sealed(2, 0), token("sealed")]).unwrap();
        assert!(older.contains("table delivery: its 2 records are there, and each verifies, but not as"), "{older}");
        let changed = told(&[sealed(1, 1), sealed(2, 1), token("seales")]).unwrap();
        assert!(changed.contains("table token: its 1 records are there, but not as"), "{changed}");
        // One that does not verify is quarantined by its key; what it does to the hash says nothing.
        let damaged = reading(&[sealed(1, 1), (sealed(2, 1).0, b"junk".to_vec()), token("sealed")]);
        assert!(damaged.judge(&written).is_ok());
        assert_eq!(damaged.damaged[0].0, Key::Delivery(id(2)));
    }
}
