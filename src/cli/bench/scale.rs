//! How much of everything is measured.

use std::time::Duration;

use serde::Serialize;

use super::load;

/// The sizes of one run of the bench.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Scale {
    pub(super) name: &'static str,
    /// How often the rows with a baseline are repeated; each of them beside its own baseline.
    pub(super) runs: usize,
    /// Deliveries in each of those.
    pub(super) deliveries: u64,
    /// Events in each run that only accepts.
    pub(super) accepts: u64,
    /// How long a steady rate is held.
    pub(super) steady_ms: u64,
    /// How long nothing happens before a state is read, so that what came before has settled.
    pub(super) settle_ms: u64,
    /// Deliveries behind the dead credential.
    pub(super) parked: u64,
    /// Live deliveries when the process is killed.
    pub(super) live: u64,
    /// Deliveries that are released at once.
    pub(super) released: u64,
    /// Deliveries in each of ten rounds.
    pub(super) round: u64,
    /// Credentials, each with a destination.
    pub(super) credentials: u64,
}

/// What the issue asks for.
pub(super) const FULL: Scale = Scale {
    name: "full",
    runs: 5,
    deliveries: 20_000,
    accepts: 200_000,
    steady_ms: 10_000,
    settle_ms: 1_000,
    parked: 5_000_000,
    live: 1_000_000,
    released: 100_000,
    round: 100_000,
    credentials: 50_000,
};

/// Under a minute.
pub(super) const QUICK: Scale = Scale {
    name: "quick",
    runs: 3,
    deliveries: 5_000,
    accepts: 20_000,
    steady_ms: 3_000,
    settle_ms: 300,
    parked: 200_000,
    live: 100_000,
    released: 10_000,
    round: 5_000,
    credentials: 5_000,
};

/// Enough to see that it runs.
pub(super) const TINY: Scale = Scale {
    name: "tiny",
    runs: 2,
    deliveries: 200,
    accepts: 500,
    steady_ms: 300,
    settle_ms: 20,
    parked: 1_000,
    live: 500,
    released: 200,
    round: 100,
    credentials: 50,
};

impl Scale {
    /// How many arrivals there are at so many a second. At least one.
    pub(super) fn arrivals(&self, per_second: u32) -> u64 {
        self.steady_ms.saturating_mul(u64::from(per_second)).div_ceil(1000)
    }

    pub(super) fn steady(&self) -> Duration {
        Duration::from_millis(self.steady_ms)
    }

    /// Waits until what came before has settled.
    pub(super) async fn settle(&self) {
        load::pause(self.settle_ms).await;
    }

    pub(super) fn words(&self) -> String {
        if *self == FULL {
            return format!("full: {} runs of {} deliveries", self.runs, self.deliveries);
        }
        format!(
            "{}: {} runs of {} deliveries, {} parked, {} live, {} released, rounds of {}, {} credentials; the targets are \
             for the full sizes",
            self.name, self.runs, self.deliveries, self.parked, self.live, self.released, self.round, self.credentials
        )
    }
}
