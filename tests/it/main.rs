//! The integration tests: one binary, a module for each subject.

mod engine;
mod linkedin_vectors;
