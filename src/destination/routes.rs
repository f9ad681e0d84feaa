//! What the bodies of a destination's parcels become.

use serde_json::Value;

use super::Conclusion;

/// The routes of one destination: the one that parcels take which are submitted to it, and those with names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {}

/// A body, as its destination sees it.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) action: &'static str,
    pub(crate) payload: Value,
    pub(crate) saved: Value,
}

impl Routes {
    pub(crate) fn prepare(&self, _route: Option<&str>, _body: &[u8]) -> Result<Prepared, Conclusion> {
        Ok(Prepared { action: "", payload: Value::Null, saved: Value::Null })
    }
}
