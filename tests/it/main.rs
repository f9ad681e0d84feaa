//! The integration tests: one binary, a module for each subject. They are marked as tests so that the lints which allow
//! `unwrap` in tests reach their functions.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod calls;
#[cfg(all(test, feature = "cli"))]
mod cli;
#[cfg(test)]
mod credentials;
#[cfg(all(test, feature = "cli"))]
mod demo;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod linkedin_vectors;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod tidy;
