//! Names: of deliveries, attempts, epochs and batches.

use core::fmt;
use core::str::FromStr;

/// Crockford's base 32: no I, L, O, U. 26 digits hold 128 bits, and sort as the numbers do.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 26;

/// The name of a delivery. Sorts by the time of acceptance (the upper 48 bits are milliseconds since the Unix epoch) and
/// says nothing about where it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DeliveryId(u128);

impl DeliveryId {
    /// The id with these bits.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        DeliveryId(bits)
    }

    /// The id's bits.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// 64 bits of the id for jitter.
    #[must_use]
    pub fn seed(self) -> u64 {
        u64::try_from(self.0 & u128::from(u64::MAX)).unwrap_or_default()
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; LENGTH];
        let mut rest = self.0;
        for slot in text.iter_mut().rev() {
            let digit = usize::try_from(rest & 31).unwrap_or_default();
            *slot = DIGITS.get(digit).copied().unwrap_or(b'0');
            rest >>= 5;
        }
        f.pad(core::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The text is not the name of a delivery: 26 digits of Crockford's base 32 are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a delivery id: expected 26 characters of 0-9 and A-Z without I, L, O and U")
    }
}

impl core::error::Error for NotAnId {}

impl FromStr for DeliveryId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() != LENGTH || !text.starts_with(|first: char| ('0'..='7').contains(&first)) {
            return Err(NotAnId);
        }
        let mut bits = 0_u128;
        for byte in text.bytes() {
            let upper = byte.to_ascii_uppercase();
            let digit = DIGITS.iter().position(|known| *known == upper).ok_or(NotAnId)?;
            bits = bits << 5 | u128::try_from(digit).map_err(|_| NotAnId)?;
        }
        Ok(DeliveryId(bits))
    }
}

/// The number of a request for a delivery: 0 before the first, then it only grows (S8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Attempt(u32);

impl Attempt {
    /// Before the first request.
    pub const NONE: Attempt = Attempt(0);

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Attempt(self.0.saturating_add(1))
    }

    /// The attempt with this number.
    #[cfg(feature = "laws")]
    pub(crate) const fn from_count(count: u32) -> Self {
        Attempt(count)
    }

    /// How many requests that makes.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A generation of a credential's access token. Grows by one with each new token and never starts again, also across death.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Epoch(u32);

impl Epoch {
    /// Before the first token. A request that needs no token carries it too.
    pub const NONE: Epoch = Epoch(0);

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Epoch(self.0.saturating_add(1))
    }

    /// Its number; the first token has 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The epoch with this number, as it was stored.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Epoch(number)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The request that a delivery shares with the others of its batch. Made by the shell, unique within a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Batch(u64);

impl Batch {
    /// The batch with this number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Batch(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}
