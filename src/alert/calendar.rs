//! When the end of a grant is warned of.

use outlast_state::{Span, Time};
use serde::Serialize;

const DAY: Span = Span::from_secs(86_400);

/// A warning before the end of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// So many days before it.
    pub days: u32,
    /// When that is.
    pub at: Time,
    /// Whether its time has come.
    pub past: bool,
}

/// The warnings before a grant ends at `ends`, the earliest first; none for one that does not end. `days` may be in any
/// order.
#[must_use]
pub fn warnings(ends: Time, now: Time, days: &[u32]) -> Vec<Warning> {
    if ends == Time::NEVER {
        return Vec::new();
    }
    let warning = |days: u32| {
        let before = DAY.times(u64::from(days)).as_millis();
        let at = Time::from_millis(ends.as_millis().saturating_sub(before));
        Warning { days, at, past: at <= now }
    };
    let mut warnings: Vec<Warning> = days.iter().map(|days| warning(*days)).collect();
    warnings.sort_by_key(|warning| std::cmp::Reverse(warning.days));
    warnings.dedup();
    warnings
}
