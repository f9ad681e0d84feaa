//! The integration tests: one binary, a module for each subject.

mod cli;
#[cfg(feature = "cli")]
mod demo;
mod engine;
mod examples;
mod linkedin_vectors;
mod tidy;
