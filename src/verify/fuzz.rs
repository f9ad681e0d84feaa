//! Everything that reads bytes which someone else wrote, each as a function of bytes that panics where the reader does not
//! keep its word. `tests/fuzz` lets a fuzzer choose the bytes; `tests/replay` feeds the ones that were kept.
//!
//! An input that does not have the shape that a function expects is used all the same: what is missing of it has a default.

mod answers;
mod config;
mod events;
mod records;
mod routes;
mod sandbox;
mod socket;

pub use answers::answers;
pub use config::config;
pub use events::events;
pub use records::{keys, records};
pub use routes::routes;
pub use sandbox::sandbox;
pub use socket::socket;

/// A function of bytes, by the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 8] = [
    ("records", records),
    ("keys", keys),
    ("answers", answers),
    ("config", config),
    ("events", events),
    ("routes", routes),
    ("socket", socket),
    ("sandbox", sandbox),
];

/// The first line of an input, as words, and the rest of it.
fn first_line(bytes: &[u8]) -> (Vec<&str>, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    let words = std::str::from_utf8(line).unwrap_or_default().split_ascii_whitespace().collect();
    (words, rest.get(1..).unwrap_or_default())
}

/// `name: value` lines up to an empty one, and what follows it.
fn headers(bytes: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = after.get(1..).unwrap_or_default();
        let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    (headers, rest)
}
