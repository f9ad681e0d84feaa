//! The inputs that a fuzzer found worth keeping, each in the function that it was found for (`tests/fuzz`).
#![cfg(all(feature = "verify", feature = "cli"))]

#[cfg(test)]
mod replay;
