//! When the engine is killed.

use std::fmt;
use std::str::FromStr;

use super::audit::Audit;
use super::place::Weather;
use crate::sandbox::Span;

/// A moment, as the provider's audit log shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    /// While the first events are accepted and sent.
    Accepting,
    /// When this share of the valid events has been applied.
    Share(f64),
    /// As soon as the token is revoked.
    Revoked,
    /// At the first refused request.
    Refused,
    /// While the token endpoint thinks about the refresh.
    Refreshing,
    /// As soon as the refresh has succeeded, whether or not its answer has been heard.
    Refreshed,
    /// When a node has refused the new token, because it does not know it yet.
    Propagating,
    /// When the new token carries deliveries again, many of them in the air.
    Flowing,
    /// As `Flowing`, and again as soon as the engine is ready.
    Twice,
    /// As `Flowing`, and again while the engine recovers.
    Recovering,
}

/// The moments by name, in the order in which they come.
const NAMED: [(&str, Moment); 9] = [
    ("accepting", Moment::Accepting),
    ("revoked", Moment::Revoked),
    ("refused", Moment::Refused),
    ("refreshing", Moment::Refreshing),
    ("refreshed", Moment::Refreshed),
    ("propagating", Moment::Propagating),
    ("flowing", Moment::Flowing),
    ("twice", Moment::Twice),
    ("recovering", Moment::Recovering),
];

/// The share of the valid events after which the token is revoked.
pub(super) const REVOKED_AT: f64 = 0.5;

/// So many acceptances in a row make the gate widen, and a few more are in the air then.
const CARRIED: u64 = 24;

impl Moment {
    /// Whether it comes before the token is revoked.
    pub(super) fn is_before_revocation(self) -> bool {
        match self {
            Moment::Accepting => true,
            Moment::Share(share) => share < REVOKED_AT,
            _ => false,
        }
    }

    /// Whether it has come, of `valid` events to apply.
    pub(super) fn has_come(self, audit: &Audit, valid: u64) -> bool {
        match self {
            Moment::Accepting => audit.applied() >= 1,
            Moment::Share(share) => reached(audit, share, valid),
            Moment::Revoked => audit.revoked_ms.is_some(),
            Moment::Refused => audit.refused() >= 1,
            Moment::Refreshing => audit.refresh_calls >= 1,
            Moment::Refreshed => audit.refreshes() >= 1,
            Moment::Propagating => audit.renewed_refused >= 1,
            Moment::Flowing | Moment::Twice | Moment::Recovering => {
                audit.renewed_applied >= CARRIED.min(valid / 8) && audit.in_flight >= 4
                    || audit.renewed_applied >= valid / 4
            }
        }
    }

    /// The sandbox that this moment needs: one whose token endpoint is slow enough to be caught at it.
    pub(super) fn weather(self, seed: u64) -> Weather {
        let slow = self == Moment::Refreshing;
        let token_latency = if slow { Span { min_ms: 1500, max_ms: 1500 } } else { Span { min_ms: 50, max_ms: 150 } };
        Weather { seed, token_latency }
    }

    /// What happened, as a clause of a sentence.
    pub(super) fn clause(self) -> String {
        match self {
            Moment::Accepting => "while the first events were accepted".to_owned(),
            Moment::Share(share) => format!("when {:.0} % of the events had been applied", share * 100.0),
            Moment::Revoked => "as soon as the token was revoked".to_owned(),
            Moment::Refused => "at the first refused request".to_owned(),
            Moment::Refreshing => "while the token endpoint was busy with the refresh".to_owned(),
            Moment::Refreshed => "as soon as the refresh had succeeded".to_owned(),
            Moment::Propagating => "while the new token was spreading over the nodes".to_owned(),
            Moment::Flowing => "when the new token carried deliveries".to_owned(),
            Moment::Twice => "twice in a row when the new token carried deliveries".to_owned(),
            Moment::Recovering => {
                "when the new token carried deliveries, and again while it recovered from that".to_owned()
            }
        }
    }
}

/// Whether this share of the `valid` events has been applied.
pub(super) fn reached(audit: &Audit, share: f64, valid: u64) -> bool {
    let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(audit.applied()) >= share * number(valid)
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, moment)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*moment);
        }
        match text.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Moment::Share(share)),
            _ => {
                let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
                Err(format!("write {}, or a share of the valid events such as 0.25", names.join(", ")))
            }
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMED.iter().find(|(_, moment)| moment == self)) {
            (Moment::Share(share), _) => share.fmt(f),
            (_, Some((name, _))) => f.write_str(name),
            (_, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_shown_alike() {
        for text in ["accepting", "flowing", "recovering", "0.25", "0.9"] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), text);
        }
        for text in ["", "now", "0", "1", "-0.5", "NaN", "2"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_comes_when_the_log_shows_it() {
        let mut audit = Audit::default();
        assert!(NAMED.iter().all(|(_, moment)| !moment.has_come(&audit, 100)));
        audit.refused_ms.push(1);
        assert!(Moment::Refused.has_come(&audit, 100) && !Moment::Propagating.has_come(&audit, 100));
        (audit.renewed_applied, audit.in_flight) = (12, 3);
        assert!(!Moment::Flowing.has_come(&audit, 100), "few are in the air");
        audit.in_flight = 4;
        assert!(Moment::Flowing.has_come(&audit, 100));
        audit.applied.extend((0..25).map(|number| (number.to_string(), 1)));
        assert!(Moment::Share(0.25).has_come(&audit, 100) && !Moment::Share(0.26).has_come(&audit, 100));
        assert!(Moment::Share(0.4).is_before_revocation() && !Moment::Share(0.5).is_before_revocation());
    }
}
