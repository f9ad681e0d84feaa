//! Shell.
pub mod clock;
pub mod destination;
pub mod exchange;
mod secret;
pub mod store;
mod unix;

pub use secret::Secret;
