//! The integration tests: one binary, a module for each subject.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]
#![expect(clippy::disallowed_methods, reason = "a test's tasks end with its runtime")]

mod admission;
mod bench;
mod calls;
mod credentials;
mod engine;
mod linkedin_vectors;
mod recovery;
mod silence;
