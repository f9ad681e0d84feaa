//! The bounds of an engine: memory, bodies, time.

use outlast_state::Span;

/// What an engine takes and for how long it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many calls may wait for the engine; one more `submit` is answered `Busy`.
    pub calls: usize,
    /// How many deliveries may be live; beyond it `submit` is answered `Busy`.
    pub live: u64,
    /// The largest body in bytes, at most [`LARGEST_BODY`](crate::LARGEST_BODY).
    pub body: usize,
    /// After this long a delivery is given up, where its parcel does not say otherwise.
    pub time_to_live: Span,
    /// So many failed attempts, and a delivery is given up. Waiting for a token counts as none.
    pub budget: u32,
    /// After this long a request counts as lost.
    pub request: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            calls: 4096,
            live: 5_000_000,
            body: 64 * 1024,
            time_to_live: Span::from_secs(72 * 3600),
            budget: 72,
            request: Span::from_secs(30),
        }
    }
}
