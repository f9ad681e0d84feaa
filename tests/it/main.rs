//! The integration tests: one binary, a module for each subject. They are marked as tests so that the lints which allow
//! `unwrap` in tests reach their functions.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod linkedin_vectors;
#[cfg(test)]
mod tidy;
