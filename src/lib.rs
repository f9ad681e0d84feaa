//! Shell.
pub mod clock;
pub mod destination;
pub mod exchange;
mod secret;

pub use secret::Secret;
