//! What is delivered.

use outlast_state::{Span, Time};
use serde::Serialize;

use crate::digest::{hex, sha256};
use crate::error::Error;
use crate::limits;
use crate::taxonomy;

/// The largest body that any engine takes: 256 KiB. [`Limits::body`](crate::Limits::body) is lower.
pub const LARGEST_BODY: usize = 256 * 1024;

/// One thing to deliver: where to, the body, and optionally an idempotency key, a lane and a deadline. Immutable once it is
/// accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub(crate) destination: String,
    pub(crate) body: Vec<u8>,
    pub(crate) once: Option<String>,
    pub(crate) lane: Option<String>,
    /// The route that it came by.
    pub(crate) route: Option<String>,
    /// Its batch key; without one it shares its request with no other.
    pub(crate) batch_key: Option<String>,
    pub(crate) time_to_live: Option<Span>,
}

impl Parcel {
    /// An empty parcel for the destination of this name.
    #[must_use]
    pub fn to(destination: impl Into<String>) -> Self {
        Parcel {
            destination: destination.into(),
            body: Vec::new(),
            once: None,
            lane: None,
            route: None,
            batch_key: Some(String::new()),
            time_to_live: None,
        }
    }

    /// Sets the body to `value` as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Caller`](crate::ErrorKind::Caller) when it cannot be written as JSON.
    pub fn json(mut self, value: &impl Serialize) -> Result<Self, Error> {
        self.body = serde_json::to_vec(value)
            .map_err(|cause| Error::caller(format!("body: cannot be written as JSON: {cause}")))?;
        Ok(self)
    }

    /// Sets the body to these bytes.
    #[must_use]
    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Makes submitting it again harmless: the same destination, key and body is the same delivery, and the same key with
    /// another body is an error.
    #[must_use]
    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.once = Some(key.into());
        self
    }

    /// Puts it in a lane of its destination: it is first sent when the one before it in the lane has ended.
    #[must_use]
    pub fn lane(mut self, lane: impl Into<String>) -> Self {
        self.lane = Some(lane.into());
        self
    }

    /// Gives it up after this long, instead of after the engine's own time to live.
    #[must_use]
    pub fn time_to_live(mut self, span: Span) -> Self {
        self.time_to_live = Some(span);
        self
    }

    /// Whether an engine with this limit on bodies takes it.
    pub(crate) fn check(&self, largest_body: usize) -> Result<(), Error> {
        let limit = largest_body.min(LARGEST_BODY);
        if self.body.len() > limit {
            let size = self.body.len();
            return Err(Error::caller(format!(
                "body: {size} bytes, and at most {limit} are taken; send less, or raise limits.body (limits.body_bytes in a file)"
            ))
            .coded(taxonomy::EVENT_TOO_LARGE));
        }
        if self.time_to_live == Some(Span::ZERO) {
            return Err(Error::caller(
                "time_to_live: is nothing, so it could never be sent; leave it out or give it time",
            )
            .coded(taxonomy::PARCEL_INVALID));
        }
        name("destination", &self.destination)?;
        self.once.as_deref().map_or(Ok(()), |key| name("once", key))?;
        self.lane.as_deref().map_or(Ok(()), |lane| name("lane", lane))?;
        // A destination makes it, not the caller: the empty one is that of all who have no other.
        let key = self.batch_key.as_deref().filter(|key| !key.is_empty());
        key.map_or(Ok(()), |key| name("batch key", key))
    }

    pub(crate) fn deadline(&self, now: Time, time_to_live: Span) -> Time {
        now.after(self.time_to_live.unwrap_or(time_to_live))
    }
}

/// Whether `text` may name something.
pub(crate) fn name(field: &str, text: &str) -> Result<(), Error> {
    limits::unfit_name(text)
        .map_or(Ok(()), |why| Err(Error::caller(format!("{field}: {why}")).coded(taxonomy::PARCEL_INVALID)))
}

/// A name that stands for one which is not fit to be stored.
pub(crate) fn digest_name(text: &str) -> String {
    format!("sha256:{}", hex(&sha256(text.as_bytes())))
}
