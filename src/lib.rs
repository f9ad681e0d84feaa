//! Shell.

#[cfg(feature = "sandbox")]
pub mod sandbox;
