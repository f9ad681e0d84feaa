//! The names of records. One key space for all tables: a byte for the table, then the parts, in an encoding that sorts
//! as the keys do, so that a scan meets deliveries in the order of their ids and a credential's tokens side by side.

use std::fmt;

use outlast_state::{DeliveryId, Epoch};

/// The kinds of records. The order is that of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What is delivered.
    Parcel,
    /// The body of a parcel, in chunks.
    Body,
    /// The fate of a parcel: of those that are live, and of those in a lane.
    Delivery,
    /// The fate of a parcel, of the others that have ended.
    Ended,
    /// Where a grant stands.
    Credential,
    /// What the tokens of a provider taught.
    Learned,
    /// Sealed access tokens.
    Token,
    /// Sealed refresh tokens.
    Grant,
    /// What destinations keep in mind.
    Memory,
    /// Idempotency keys in use.
    Once,
    /// What an operator has paused.
    Pause,
    /// What operators were told.
    Alert,
    /// Facts about the store itself.
    Meta,
}

impl Table {
    /// All tables, in the order of their keys.
    pub const ALL: [Table; 13] = [
        Table::Parcel,
        Table::Body,
        Table::Delivery,
        Table::Ended,
        Table::Credential,
        Table::Learned,
        Table::Token,
        Table::Grant,
        Table::Memory,
        Table::Once,
        Table::Pause,
        Table::Alert,
        Table::Meta,
    ];

    /// The first byte of the table's keys. Stored, so never reused; printable, so that a dump can be read; and in the
    /// order of the variants, so that keys sort as their bytes do.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        match self {
            Table::Parcel => b'A',
            Table::Body => b'B',
            Table::Delivery => b'D',
            Table::Ended => b'E',
            Table::Credential => b'G',
            Table::Learned => b'H',
            Table::Token => b'J',
            Table::Grant => b'M',
            Table::Memory => b'N',
            Table::Once => b'P',
            Table::Pause => b'S',
            Table::Alert => b'T',
            Table::Meta => b'V',
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Table::Parcel => "parcel",
            Table::Body => "body",
            Table::Delivery => "delivery",
            Table::Ended => "ended",
            Table::Credential => "credential",
            Table::Learned => "learned",
            Table::Token => "token",
            Table::Grant => "grant",
            Table::Memory => "memory",
            Table::Once => "once",
            Table::Pause => "pause",
            Table::Alert => "alert",
            Table::Meta => "meta",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// In the table of alerts, what follows is a number, or a name.
const NUMBERED: u8 = 1;
const NAMED: u8 = 2;

/// What the store knows about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meta {
    /// The version of the layout. Written by the store when it is created, read before anything else.
    Format,
    /// The last engine time.
    Clock,
    /// Which store this is, and how often it was opened.
    Identity,
    /// How many deliveries stand where.
    Counts,
}

impl Meta {
    const ALL: [Meta; 4] = [Meta::Format, Meta::Clock, Meta::Identity, Meta::Counts];

    const fn code(self) -> u8 {
        match self {
            Meta::Format => 1,
            Meta::Clock => 2,
            Meta::Identity => 3,
            Meta::Counts => 4,
        }
    }
}

/// The name of one record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What is delivered, without its body.
    Parcel(DeliveryId),
    /// A chunk of a parcel's body, numbered from 0.
    Body(DeliveryId, u16),
    /// The fate of a parcel that is live, or in a lane.
    Delivery(DeliveryId),
    /// The fate of another parcel, when it has ended.
    Ended(DeliveryId),
    /// The state of the credential with this name.
    Credential(String),
    /// What the tokens of the provider with this profile taught.
    Learned(String),
    /// The sealed access token of an epoch of a credential.
    Token(String, Epoch),
    /// The sealed refresh token of a credential.
    Grant(String),
    /// The hash of a destination and of what it keeps something in mind about.
    Memory([u8; 32]),
    /// The hash of a destination and an idempotency key: which delivery it stands for.
    Once([u8; 32]),
    /// What is paused: a destination, a credential, a route or a lane, as its pauser names it.
    Pause(String),
    /// The alert of this number.
    Alert(u64),
    /// What was told of something, as its name says.
    Told(String),
    /// A fact about the store itself.
    Meta(Meta),
}

impl Key {
    /// The table that the key belongs to.
    #[must_use]
    pub const fn table(&self) -> Table {
        match self {
            Key::Parcel(_) => Table::Parcel,
            Key::Body(..) => Table::Body,
            Key::Delivery(_) => Table::Delivery,
            Key::Ended(_) => Table::Ended,
            Key::Credential(_) => Table::Credential,
            Key::Learned(_) => Table::Learned,
            Key::Token(..) => Table::Token,
            Key::Grant(_) => Table::Grant,
            Key::Memory(_) => Table::Memory,
            Key::Once(_) => Table::Once,
            Key::Pause(_) => Table::Pause,
            Key::Alert(_) | Key::Told(_) => Table::Alert,
            Key::Meta(_) => Table::Meta,
        }
    }

    /// Whether it names the fate of a parcel.
    pub(crate) const fn is_delivery(&self) -> bool {
        matches!(self, Key::Delivery(_) | Key::Ended(_))
    }

    /// The key as bytes, which compare as the keys do.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40);
        bytes.push(self.table().prefix());
        match self {
            Key::Parcel(id) | Key::Delivery(id) | Key::Ended(id) => bytes.extend(id.as_u128().to_be_bytes()),
            Key::Body(id, chunk) => {
                bytes.extend(id.as_u128().to_be_bytes());
                bytes.extend(chunk.to_be_bytes());
            }
            Key::Credential(name) | Key::Learned(name) | Key::Grant(name) | Key::Pause(name) => {
                bytes.extend(name.as_bytes());
            }
            Key::Token(name, epoch) => {
                push_terminated(&mut bytes, name);
                bytes.extend(epoch.number().to_be_bytes());
            }
            Key::Memory(hash) | Key::Once(hash) => bytes.extend(hash),
            Key::Alert(number) => {
                bytes.push(NUMBERED);
                bytes.extend(number.to_be_bytes());
            }
            Key::Told(name) => {
                bytes.push(NAMED);
                bytes.extend(name.as_bytes());
            }
            Key::Meta(fact) => bytes.push(fact.code()),
        }
        bytes
    }

    /// The key that these bytes are, if they are one: exactly the bytes that [`encode`](Key::encode) makes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Key> {
        let (prefix, rest) = bytes.split_first()?;
        let table = Table::ALL.into_iter().find(|table| table.prefix() == *prefix)?;
        Some(match table {
            Table::Parcel => Key::Parcel(delivery(rest)?),
            Table::Body => {
                let (id, chunk) = rest.split_at_checked(16)?;
                Key::Body(delivery(id)?, u16::from_be_bytes(chunk.try_into().ok()?))
            }
            Table::Delivery => Key::Delivery(delivery(rest)?),
            Table::Ended => Key::Ended(delivery(rest)?),
            Table::Credential => Key::Credential(text(rest)?),
            Table::Learned => Key::Learned(text(rest)?),
            Table::Token => {
                let (name, epoch) = split_terminated(rest)?;
                Key::Token(name, Epoch::from_number(u32::from_be_bytes(epoch.try_into().ok()?)))
            }
            Table::Grant => Key::Grant(text(rest)?),
            Table::Memory => Key::Memory(rest.try_into().ok()?),
            Table::Once => Key::Once(rest.try_into().ok()?),
            Table::Pause => Key::Pause(text(rest)?),
            Table::Alert => match rest.split_first()? {
                (&NUMBERED, number) => Key::Alert(u64::from_be_bytes(number.try_into().ok()?)),
                (&NAMED, name) => Key::Told(text(name)?),
                _ => return None,
            },
            Table::Meta => Key::Meta(Meta::ALL.into_iter().find(|fact| rest == [fact.code()])?),
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table();
        match self {
            Key::Parcel(id) | Key::Delivery(id) | Key::Ended(id) => write!(f, "{table} {id}"),
            Key::Body(id, chunk) => write!(f, "{table} {id} chunk {chunk}"),
            Key::Credential(name) | Key::Learned(name) | Key::Grant(name) | Key::Pause(name) => {
                write!(f, "{table} {name:?}")
            }
            Key::Alert(number) => write!(f, "{table} {number}"),
            Key::Told(name) => write!(f, "{table} about {name:?}"),
            Key::Token(name, epoch) => write!(f, "{table} {name:?} epoch {epoch}"),
            Key::Memory([first, second, third, ..]) | Key::Once([first, second, third, ..]) => {
                write!(f, "{table} {first:02x}{second:02x}{third:02x}…")
            }
            Key::Meta(fact) => write!(f, "{table} {fact:?}"),
        }
    }
}

fn delivery(bytes: &[u8]) -> Option<DeliveryId> {
    Some(DeliveryId::from_u128(u128::from_be_bytes(bytes.try_into().ok()?)))
}

fn text(bytes: &[u8]) -> Option<String> {
    Some(std::str::from_utf8(bytes).ok()?.to_owned())
}

/// A name that something follows: 0 becomes 0 255, and 0 0 ends it. Then a name sorts before the names that it begins,
/// and no name and number can be read as another pair (the tuple layer of `FoundationDB` does the like).
fn push_terminated(bytes: &mut Vec<u8>, name: &str) {
    for byte in name.bytes() {
        bytes.push(byte);
        if byte == 0 {
            bytes.push(0xFF);
        }
    }
    bytes.extend([0, 0]);
}

fn split_terminated(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut name = Vec::new();
    let mut rest = bytes;
    loop {
        rest = match rest {
            [0, 0, after @ ..] => return Some((String::from_utf8(name).ok()?, after)),
            [0, 0xFF, after @ ..] => {
                name.push(0);
                after
            }
            [0, ..] | [] => return None,
            [byte, after @ ..] => {
                name.push(*byte);
                after
            }
        };
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Names that are each other's beginnings, with the bytes that the encoding treats apart.
    fn name() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('é'), any::<char>()], 0..4)
            .prop_map(String::from_iter)
    }

    fn id() -> impl Strategy<Value = DeliveryId> {
        prop_oneof![0..4_u128, any::<u128>()].prop_map(DeliveryId::from_u128)
    }

    /// Any key that is not the store's own.
    pub(in crate::store) fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            id().prop_map(Key::Parcel),
            (id(), prop_oneof![0..3_u16, any::<u16>()]).prop_map(|(id, chunk)| Key::Body(id, chunk)),
            id().prop_map(Key::Delivery),
            id().prop_map(Key::Ended),
            name().prop_map(Key::Credential),
            name().prop_map(Key::Learned),
            (name(), prop_oneof![0..3_u32, any::<u32>()])
                .prop_map(|(name, epoch)| Key::Token(name, Epoch::from_number(epoch))),
            name().prop_map(Key::Grant),
            any::<[u8; 32]>().prop_map(Key::Memory),
            any::<[u8; 32]>().prop_map(Key::Once),
            name().prop_map(Key::Pause),
            prop_oneof![0..3_u64, any::<u64>()].prop_map(Key::Alert),
            name().prop_map(Key::Told),
            prop_oneof![Just(Meta::Clock), Just(Meta::Identity), Just(Meta::Counts)].prop_map(Key::Meta),
        ]
    }

    proptest! {
        #[test]
        fn a_key_survives_its_bytes(key in key()) {
            prop_assert_eq!(Key::decode(&key.encode()), Some(key));
        }

        #[test]
        fn bytes_sort_as_keys_do(a in key(), b in key()) {
            prop_assert_eq!(a.encode().cmp(&b.encode()), a.cmp(&b));
        }

        #[test]
        fn any_bytes_are_a_key_or_not(prefix in 0..Table::ALL.len(), mut bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            bytes.insert(0, Table::ALL[prefix].prefix());
            if let Some(key) = Key::decode(&bytes) {
                prop_assert_eq!(key.encode(), bytes);
            }
        }
    }

    #[test]
    fn tables_sort_as_their_prefixes_do() {
        let prefixes = Table::ALL.map(Table::prefix);
        assert!(prefixes.is_sorted_by(|a, b| a < b) && Table::ALL.is_sorted_by(|a, b| a < b));
        assert_eq!(Key::decode(b""), None);
        assert_eq!(Key::decode(b"Z"), None);
    }

    /// These bytes are on disks: they never change.
    #[test]
    fn the_encoding_is_frozen() {
        let id = DeliveryId::from_u128(0x0102);
        let mut padded = [0_u8; 16];
        padded[14..].copy_from_slice(&[1, 2]);
        assert_eq!(Key::Parcel(id).encode(), [b"A".as_slice(), &padded].concat());
        assert_eq!(Key::Body(id, 3).encode(), [b"B".as_slice(), &padded, &[0, 3]].concat());
        assert_eq!(Key::Delivery(id).encode(), [b"D".as_slice(), &padded].concat());
        assert_eq!(Key::Ended(id).encode(), [b"E".as_slice(), &padded].concat());
        assert_eq!(Key::Credential("acme".into()).encode(), b"Gacme");
        assert_eq!(Key::Learned("linkedin".into()).encode(), b"Hlinkedin");
        assert_eq!(Key::Token("a\0".into(), Epoch::from_number(7)).encode(), b"Ja\0\xFF\0\0\0\0\0\x07");
        assert_eq!(Key::Grant("acme".into()).encode(), b"Macme");
        assert_eq!(Key::Memory([8; 32]).encode(), [b"N".as_slice(), &[8; 32]].concat());
        assert_eq!(Key::Once([9; 32]).encode(), [b"P".as_slice(), &[9; 32]].concat());
        assert_eq!(Key::Pause("x".into()).encode(), b"Sx");
        assert_eq!(Key::Alert(258).encode(), b"T\x01\0\0\0\0\0\0\x01\x02");
        assert_eq!(Key::Told("x".into()).encode(), b"T\x02x");
        assert_eq!(Key::Meta(Meta::Format).encode(), b"V\x01");
        assert_eq!(Key::Meta(Meta::Clock).encode(), b"V\x02");
        assert_eq!(Key::Meta(Meta::Identity).encode(), b"V\x03");
        assert_eq!(Key::Meta(Meta::Counts).encode(), b"V\x04");
    }

    #[test]
    fn a_key_says_what_it_names() {
        assert_eq!(Key::Token("acme".into(), Epoch::from_number(7)).to_string(), "token \"acme\" epoch 7");
        assert_eq!(Key::Body(DeliveryId::default(), 2).to_string(), "body 00000000000000000000000000 chunk 2");
    }
}
