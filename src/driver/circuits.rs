//! The circuits of destinations: what requests show of them, and what is said of those that are open; pure.

use outlast_state::{Passage, Sign, Time};
use tracing::{info, warn};

use super::machines::{Machines, Name};

impl Machines {
    /// A request to a destination ended.
    pub(super) fn notice(&mut self, destination: &Name, sent: Time, sign: Sign, now: Time) {
        let Some(queue) = self.queues.get_mut(destination) else { return };
        let before = queue.circuit;
        queue.circuit = before.ended(sent, sign, now);
        match (before.open_since(), queue.circuit.open_since()) {
            (None, Some(_)) => {
                warn!(%destination, "the destination fails again and again; it is asked now and then only");
            }
            (Some(since), None) => info!(%destination, after = %now.since(since), "the destination answers again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if before.open_since() != queue.circuit.open_since() || before.works_since() != queue.circuit.works_since() {
            self.alerts.destination_moved(destination);
        }
    }

    /// Whether a destination fails, so that what is for it waits.
    pub(crate) fn is_cut_off(&self, destination: &str) -> bool {
        self.queues.get(destination).is_some_and(|queue| queue.circuit.open_since().is_some())
    }

    /// How many destinations fail.
    pub(super) fn cut_off(&self) -> u64 {
        let open = self.queues.values().filter(|queue| queue.circuit.open_since().is_some());
        u64::try_from(open.count()).unwrap_or(u64::MAX)
    }

    /// That a destination fails, and when it is asked again, for those that wait for it.
    pub(super) fn why_cut_off(&self, destination: &str, now: Time) -> Vec<String> {
        let circuit = self.queues.get(destination).map(|queue| queue.circuit).unwrap_or_default();
        let Some(since) = circuit.open_since() else { return Vec::new() };
        let next = match circuit.passage(now) {
            Passage::From(at) => format!("in {} at the latest", at.since(now)),
            Passage::Canary | Passage::Open => "now".to_owned(),
        };
        vec![
            format!(
                "Destination {destination} has failed every request for {}, so its circuit is open: what waits for it spends no attempt.",
                now.since(since)
            ),
            format!("One request is tried {next}, and the first answer releases the others."),
        ]
    }
}
