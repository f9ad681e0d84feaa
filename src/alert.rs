//! Alerts: what an operator is told without asking.

mod calendar;

use outlast_state::Time;

pub use calendar::{Warning, warnings};

/// The days before the end of a grant on which it is warned of where nothing else is said.
pub(crate) const DAYS: [u32; 4] = [30, 14, 7, 1];

/// A time as RFC 3339, to the second.
pub(crate) fn moment(at: Time) -> String {
    let seconds = i64::try_from(at.as_millis() / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "never".to_owned(), |at| at.to_string())
}
