//! The integration tests: one binary, a module for each subject.

mod admission;
mod bench;
mod calls;
mod credentials;
mod engine;
mod linkedin_vectors;
mod recovery;
mod silence;
