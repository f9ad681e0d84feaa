//! Which deliveries a command is about: by id, or by what they have in common.

use outlast_state::{DeliveryId, Span, State};

use crate::config::text;
use crate::view::{DeliveryName, Filter};

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Conditions {
    /// In this state; may be given more than once
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub(crate) state: Vec<String>,
    /// For this destination
    #[arg(long, value_name = "DESTINATION")]
    pub(crate) to: Option<String>,
    /// In this lane
    #[arg(long, value_name = "LANE")]
    pub(crate) lane: Option<String>,
    /// Accepted at least so long ago, such as 10m or 3d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) older_than: Option<Span>,
}

impl Conditions {
    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        !self.state.is_empty() || self.to.is_some() || self.lane.is_some() || self.older_than.is_some()
    }

    pub(crate) fn filter(self, limit: Option<usize>) -> Filter {
        let Conditions { state, to, lane, older_than } = self;
        Filter { states: state, destination: to, lane, older_than, limit }
    }
}

/// Reads a length of time from an argument.
pub(crate) fn span(written: &str) -> Result<Span, String> {
    text::span(written).map_err(|why| why.to_string())
}

/// Reads a delivery's id from an argument.
pub(crate) fn delivery(written: &str) -> Result<DeliveryName, String> {
    written.parse::<DeliveryId>().map(DeliveryName).map_err(|why| why.to_string())
}

fn state(written: &str) -> Result<String, String> {
    let same = |name: &&&str| name.replace(['-', '_'], "").eq_ignore_ascii_case(&written.replace(['-', '_'], ""));
    let found = State::NAMES.iter().find(same);
    found.map(|name| (*name).to_owned()).ok_or_else(|| format!("the states are {}", State::NAMES.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_known_in_any_case() {
        for written in ["AwaitingPropagation", "awaiting-propagation", "awaiting_propagation", "AWAITINGPROPAGATION"] {
            assert_eq!(state(written).as_deref(), Ok("AwaitingPropagation"));
        }
        assert!(state("Waiting").unwrap_err().contains("Pending, Sending"));
    }
}
