//! How a record is written: an envelope that verifies, around a bincode payload.
//!
//! ```text
//! magic u8 | schema version u8 | length of the payload u32 | CRC-32 u32 | payload        (numbers little-endian)
//! ```
//!
//! The checksum covers the key (with its length), the schema version and the payload, so that a record under another
//! record's key does not verify either. Of the single-bit flips of a bare bincode record, four in five decode without an
//! error into something else; hence a checksum of our own. Each schema version keeps its decoder for ever: readers look
//! at the version, then [`Payload::decode`] into the type of that version.

use std::fmt;

use bincode::{ErrorKind, Options};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::Key;

/// First byte of a record. A value unlike text, zeros and ones, which is what damage leaves behind.
const MAGIC: u8 = 0xD7;

/// What an envelope adds to its payload, in bytes.
pub const OVERHEAD: usize = 10;

/// Why bytes are not the record that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Too short to be a record.
    Short {
        /// How many bytes there are.
        have: usize,
    },
    /// Does not begin as records do.
    Magic(u8),
    /// The payload is not as long as the record says.
    Length {
        /// What the record says.
        said: u32,
        /// What there is.
        have: usize,
    },
    /// The checksum does not fit this key, version and payload.
    Checksum,
    /// The checksum fits, but the payload is not a value of its type.
    Payload {
        /// The schema version it claims.
        version: u8,
        /// What is wrong. Never quotes the payload.
        what: &'static str,
    },
    /// Written in a schema version that this program does not know.
    Version(u8),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Short { have } => write!(f, "{have} bytes are too few for a record (at least {OVERHEAD})"),
            Damage::Magic(byte) => write!(f, "begins with byte {byte:#04x}, records with {MAGIC:#04x}"),
            Damage::Length { said, have } => write!(f, "says that its payload has {said} bytes, but it has {have}"),
            Damage::Checksum => f.write_str("its checksum does not match: it was changed, or lies under another key"),
            Damage::Payload { version, what } => write!(f, "verifies, but is no record of version {version}: {what}"),
            Damage::Version(version) => {
                write!(f, "has version {version}, which a newer Outlast wrote: upgrade to read it")
            }
        }
    }
}

impl std::error::Error for Damage {}

/// The bytes to store `value` with under `key`; `version` names the schema of `T`.
///
/// # Panics
/// When `T` cannot be written by bincode at all (a sequence of unknown length, a failing `Serialize`). Records are plain
/// types, so this is a mistake in the program that its first test shows.
#[must_use]
pub fn seal<T: Serialize + ?Sized>(key: &Key, version: u8, value: &T) -> Vec<u8> {
    // Most records are states, and most states take less.
    let mut record = Vec::with_capacity(256);
    record.resize(OVERHEAD, 0);
    options().serialize_into(&mut record, value).expect("records are plain types");
    let payload = record.get(OVERHEAD..).unwrap_or_default();
    let length = u32::try_from(payload.len()).expect("a record is smaller than 4 GiB").to_le_bytes();
    let sum = checksum(key, version, payload).to_le_bytes();
    let head = [MAGIC, version].into_iter().chain(length).chain(sum);
    for (place, byte) in record.iter_mut().zip(head) {
        *place = byte;
    }
    record
}

/// Verifies the record under `key` and returns its schema version and its payload.
///
/// # Errors
/// What is wrong with the bytes.
pub fn open<'a>(key: &Key, bytes: &'a [u8]) -> Result<(u8, Payload<'a>), Damage> {
    let short = Damage::Short { have: bytes.len() };
    let (&[magic, version], rest) = bytes.split_first_chunk().ok_or(short)?;
    let (length, rest) = rest.split_first_chunk().ok_or(short)?;
    let (sum, payload) = rest.split_first_chunk().ok_or(short)?;
    if magic != MAGIC {
        return Err(Damage::Magic(magic));
    }
    let said = u32::from_le_bytes(*length);
    if usize::try_from(said) != Ok(payload.len()) {
        return Err(Damage::Length { said, have: payload.len() });
    }
    if checksum(key, version, payload) != u32::from_le_bytes(*sum) {
        return Err(Damage::Checksum);
    }
    Ok((version, Payload { version, bytes: payload }))
}

/// The verified body of a record.
#[derive(Clone, Copy)]
pub struct Payload<'a> {
    version: u8,
    bytes: &'a [u8],
}

impl Payload<'_> {
    /// The value, read as the type of the record's schema version. Every byte must belong to it.
    ///
    /// # Errors
    /// [`Damage::Payload`] when the bytes are not a `T`.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, Damage> {
        let limit = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        options()
            .with_limit(limit)
            .deserialize(self.bytes)
            .map_err(|error| Damage::Payload { version: self.version, what: reason(&error) })
    }
}

impl<'a> Payload<'a> {
    /// The value that it begins with; what comes after is not read. That all of it is whole, the checksum has told.
    ///
    /// # Errors
    /// [`Damage::Payload`] when the bytes do not begin with a `T`.
    pub fn decode_first<T: Deserialize<'a>>(self) -> Result<T, Damage> {
        let limit = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        options()
            .with_limit(limit)
            .allow_trailing_bytes()
            .deserialize(self.bytes)
            .map_err(|error| Damage::Payload { version: self.version, what: reason(&error) })
    }
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_varint_encoding().with_little_endian().reject_trailing_bytes()
}

/// The length of the key comes first, so that no key and payload can pass for another pair.
fn checksum(key: &Key, version: u8, payload: &[u8]) -> u32 {
    let key = key.encode();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&u64::try_from(key.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.update(&key);
    hasher.update(&[version]);
    hasher.update(payload);
    hasher.finalize()
}

/// In words of our own: messages of `Deserialize` may quote what they read, and a payload is nobody's to quote.
fn reason(error: &bincode::Error) -> &'static str {
    match **error {
        ErrorKind::Io(_) | ErrorKind::SizeLimit => "it ends too early",
        ErrorKind::InvalidUtf8Encoding(_) => "text in it is not UTF-8",
        ErrorKind::InvalidBoolEncoding(_) => "a truth value in it is neither",
        ErrorKind::InvalidCharEncoding => "a character in it is none",
        ErrorKind::InvalidTagEncoding(_) => "an enum in it has a variant that its schema lacks",
        ErrorKind::DeserializeAnyNotSupported | ErrorKind::SequenceMustHaveLength => "its type cannot be stored",
        ErrorKind::Custom(_) => "a value in it is not allowed there, or bytes are left over",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outlast_state::DeliveryId;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Sample {
        Nothing,
        Text(String, Option<bool>),
        Numbers { many: Vec<u64>, letter: char },
    }

    fn sample() -> impl Strategy<Value = Sample> {
        prop_oneof![
            Just(Sample::Nothing),
            (".{0,20}", any::<Option<bool>>()).prop_map(|(text, flag)| Sample::Text(text, flag)),
            (vec(any::<u64>(), 0..8), any::<char>()).prop_map(|(many, letter)| Sample::Numbers { many, letter }),
        ]
    }

    use super::super::keys::tests::key;

    proptest! {
        #[test]
        fn a_record_survives_its_bytes(key in key(), version: u8, value in sample()) {
            let record = seal(&key, version, &value);
            let (read, payload) = open(&key, &record).unwrap();
            prop_assert_eq!((read, payload.decode()), (version, Ok(value)));
        }

        #[test]
        fn any_bytes_are_answered(key in key(), bytes in vec(any::<u8>(), 0..64)) {
            prop_assert!(open(&key, &bytes).is_err(), "a 32-bit checksum met by chance");
        }

        /// Past the checksum, as a mistake in the program or a new schema would get.
        #[test]
        fn any_payload_is_answered(key in key(), payload in vec(any::<u8>(), 0..64)) {
            let record = enveloped(&key, 1, &payload);
            let (_, body) = open(&key, &record).unwrap();
            if let Ok(value) = body.decode::<Sample>() {
                let again = seal(&key, 1, &value);
                prop_assert_eq!(open(&key, &again).unwrap().1.decode(), Ok(value));
            }
            let _: Result<String, Damage> = body.decode();
            let _: Result<Vec<(u8, String)>, Damage> = body.decode();
        }

        #[test]
        fn every_flip_and_every_cut_is_seen(key in key(), version: u8, value in sample()) {
            let record = seal(&key, version, &value);
            for bit in 0..record.len().saturating_mul(8) {
                let mut flipped = record.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(open(&key, &flipped).is_err(), "bit {}", bit);
            }
            for length in 0..record.len() {
                prop_assert!(open(&key, &record[..length]).is_err(), "cut to {}", length);
            }
            let longer = [record.as_slice(), &[0]].concat();
            prop_assert!(open(&key, &longer).is_err(), "a byte more");
        }

        #[test]
        fn a_record_under_another_key_is_seen(key in key(), other in key(), value in sample()) {
            prop_assume!(key != other);
            prop_assert_eq!(open(&other, &seal(&key, 1, &value)).map(|_| ()), Err(Damage::Checksum));
        }
    }

    fn enveloped(key: &Key, version: u8, payload: &[u8]) -> Vec<u8> {
        let mut record = vec![MAGIC, version];
        record.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        record.extend(checksum(key, version, payload).to_le_bytes());
        record.extend(payload);
        record
    }

    /// These bytes are on disks: they never change.
    #[test]
    fn the_encoding_is_frozen() {
        let key = Key::Delivery(DeliveryId::from_u128(1));
        let value = Sample::Numbers { many: vec![1, 250, 251, 70_000], letter: 'ß' };
        let payload = [2, 4, 1, 250, 251, 251, 0, 252, 0x70, 0x11, 1, 0, 0xC3, 0x9F];
        let record = seal(&key, 3, &value);
        assert_eq!(record[..6], [0xD7, 3, 14, 0, 0, 0]);
        assert_eq!(record[6..10], [152, 143, 3, 233], "as zlib's crc32 says, over 17_u64, the key, 3 and the payload");
        assert_eq!(record[10..], payload);
    }

    #[test]
    fn a_payload_must_be_used_up() {
        let key = Key::Grant("acme".into());
        let record = seal(&key, 1, &(1_u8, 2_u8));
        let (_, payload) = open(&key, &record).unwrap();
        assert!(matches!(payload.decode::<u8>(), Err(Damage::Payload { version: 1, .. })));
        assert!(matches!(payload.decode::<(u8, u8, u8)>(), Err(Damage::Payload { what: "it ends too early", .. })));
    }

    #[test]
    fn damage_says_what_is_wrong() {
        let key = Key::Grant("acme".into());
        let said = |bytes: &[u8]| open(&key, bytes).map(|_| ()).unwrap_err().to_string();
        assert_eq!(said(&[1; 9]), "9 bytes are too few for a record (at least 10)");
        assert_eq!(said(&[1; 10]), "begins with byte 0x01, records with 0xd7");
        assert_eq!(said(&[MAGIC, 1, 2, 0, 0, 0, 0, 0, 0, 0]), "says that its payload has 2 bytes, but it has 0");
        assert_eq!(Damage::Version(9).to_string(), "has version 9, which a newer Outlast wrote: upgrade to read it");
    }
}
