//! What a law says when it does not hold.

use alloc::string::String;
use core::fmt;

/// A law does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which invariant: its number and name.
    pub invariant: &'static str,
    /// What was seen instead.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not hold: {}", self.invariant, self.why)
    }
}

impl core::error::Error for Broken {}

/// What a law says.
pub type Law = Result<(), Broken>;

/// The law holds if `holds` does; else it names `invariant`, and `why` tells more.
pub(super) fn hold<W: fmt::Display>(holds: bool, invariant: &'static str, why: impl FnOnce() -> W) -> Law {
    if holds { Ok(()) } else { Err(Broken { invariant, why: alloc::format!("{}", why()) }) }
}
