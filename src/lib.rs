//! Shell.
pub mod clock;
pub mod destination;
pub mod exchange;
#[cfg(feature = "cli")]
pub mod sample;
mod secret;

pub use secret::Secret;
