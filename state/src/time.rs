//! Engine time: points and spans, in whole milliseconds. All arithmetic saturates, here and nowhere else.

use core::fmt;

/// A point in engine time: milliseconds since the Unix epoch, made by the engine's clock only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Time(u64);

impl Time {
    /// The Unix epoch.
    pub const ZERO: Time = Time(0);
    /// Later than every other time: the expiry of a token that does not expire.
    pub const NEVER: Time = Time(u64::MAX);

    /// The time that lies `millis` after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time `span` after this one; at most [`Time::NEVER`].
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Time(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this is; nothing when it is not after.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Span(millis)
    }

    /// `seconds` seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Span(seconds.saturating_mul(1000))
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This span, `factor` times over.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Span(self.0.saturating_mul(factor))
    }

    /// One of `parts` equal parts of this span, rounded down. No parts is taken as one.
    #[must_use]
    pub const fn part(self, parts: u64) -> Self {
        Span(match self.0.checked_div(parts) {
            Some(part) => part,
            None => self.0,
        })
    }
}

/// Seconds with three decimals, as people read waits: `2.5 s`, `600 s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0 / 1000, self.0 % 1000);
        match millis {
            0 => write!(f, "{seconds} s"),
            _ if millis % 100 == 0 => write!(f, "{seconds}.{} s", millis / 100),
            _ => write!(f, "{seconds}.{millis:03} s"),
        }
    }
}

/// A number that looks random and is a function of its arguments: the finaliser of `SplitMix64` (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014). Jitter is a hash so that replay waits as long as the run did.
#[must_use]
pub const fn hash(seed: u64, salt: u64) -> u64 {
    let mut z = seed.wrapping_add(salt.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `span` lengthened by up to a quarter, by a hash of `seed` and `salt`. Never shorter than `span` (S9).
#[must_use]
pub const fn jittered(span: Span, seed: u64, salt: u64) -> Span {
    let quarter = span.0 / 4;
    match hash(seed, salt).checked_rem(quarter.saturating_add(1)) {
        Some(extra) => Span(span.0.saturating_add(extra)),
        None => span,
    }
}
