//! The integration tests: one binary, a module for each subject.

mod cli;
mod engine;
mod linkedin_vectors;
