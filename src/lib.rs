//! Shell.
pub mod clock;
pub mod destination;
pub mod exchange;
pub mod guard;
pub mod http;
mod secret;

pub use secret::Secret;
