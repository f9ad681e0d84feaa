//! The integration tests: one binary, a module for each subject.

mod cli;
mod engine;
mod examples;
mod linkedin_vectors;
mod tidy;
