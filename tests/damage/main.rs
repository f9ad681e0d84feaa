//! Damage to a store on disk: what of it is met, what is left, and what it costs to look.
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

#[cfg(test)]
mod costs;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod place;
#[cfg(all(test, feature = "cli"))]
mod program;
#[cfg(test)]
mod sweep;
