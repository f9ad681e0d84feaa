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

/// For how long deliveries that have ended are kept, so that they can be shown, and, if they failed, be started again. Then
/// record, event and idempotency key go. A key is kept for at least as long as the provider recognises a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Delivered ones. They have no event any more.
    pub done: Span,
    /// Those that were given up, with their events.
    pub failed: Span,
    /// At most about so many in all; beyond it the oldest go first.
    pub count: u64,
}

impl Retention {
    /// What has ended is gone with the commit that ends it. Who waits for a delivery then is told how it ended; who asks later
    /// learns that there is none.
    pub const NONE: Retention = Retention { done: Span::ZERO, failed: Span::ZERO, count: 0 };
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Retention { done: Span::from_secs(7 * DAY), failed: Span::from_secs(30 * DAY), count: 1_000_000 }
    }
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

/// The longest idempotency key, lane or destination name, in bytes.
const LONGEST_NAME: usize = 256;

/// What is wrong with `text` as a name, if anything is.
pub(crate) fn unfit_name(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("is empty; leave it out or give it a value".to_owned());
    }
    if text.len() > LONGEST_NAME {
        return Some(format!("has {} bytes, and at most {LONGEST_NAME} are taken", text.len()));
    }
    text.chars().any(char::is_control).then(|| "holds a control character (such as a line break); remove it".to_owned())
}
