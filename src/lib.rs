//! Shell.
pub mod clock;
pub mod destination;
pub mod exchange;
pub mod guard;
pub mod http;
pub mod oauth;
mod secret;
mod unix;
pub mod vault;

pub use secret::Secret;
