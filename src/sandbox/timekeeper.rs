//! The sandbox's time: the wall clock that it was given, or one that stands still until it is moved.

use super::options::ClockMode;
use super::server::WallClock;
use std::time::Duration;
use tokio::sync::watch;

pub(super) struct Timekeeper {
    wall: WallClock,
    /// The time, while it is moved by hand.
    manual: watch::Sender<Option<u64>>,
}

impl Timekeeper {
    pub(super) fn new(mode: ClockMode, wall: WallClock) -> Self {
        let manual = match mode {
            ClockMode::Real => None,
            ClockMode::Manual { start_ms } => Some(start_ms),
        };
        Self { wall, manual: watch::Sender::new(manual) }
    }

    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        let manual = *self.manual.borrow();
        manual.unwrap_or_else(|| (self.wall)())
    }

    pub(super) fn is_manual(&self) -> bool {
        self.manual.borrow().is_some()
    }

    /// Stops the clock at this time; `None` lets the wall clock rule again.
    pub(super) fn set(&self, manual: Option<u64>) {
        self.manual.send_replace(manual);
    }

    /// Waits until it is so late, however that comes about.
    pub(super) async fn wait_until(&self, due: u64) {
        let mut moved = self.manual.subscribe();
        loop {
            let left = due.saturating_sub(self.now());
            if left == 0 {
                return;
            }
            if self.is_manual() {
                // The sender is `self`: it cannot be gone.
                moved.changed().await.ok();
            } else {
                // Looked at again at least every minute, since the wall clock may be set.
                tokio::time::timeout(Duration::from_millis(left.min(60_000)), moved.changed()).await.ok();
            }
        }
    }
}
