//! Tests of the library from the outside, in one binary.

// Clippy lets tests unwrap, and takes for tests what `cfg(test)` marks.
#[cfg(test)]
mod linkedin_vectors;
