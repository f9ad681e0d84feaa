//! The only reader of a clock.
//!
//! Engine time never goes back and never freezes. It starts at the later of the wall clock and the last stored time,
//! advances with the monotonic clock, and follows the wall clock forward when that has run ahead (a suspend, drift),
//! by at most [`LEAP`] at once: one boot with a wrong date must not make every token and deadline look old.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use outlast_state::{Span, Time};
use tokio_util::sync::CancellationToken;

/// The largest forward jump of the wall clock that engine time follows: 48 h.
pub const LEAP: Span = Span::from_secs(48 * 3600);

/// Where the engine takes its time from, and how it waits.
pub trait Clock: Send + Sync + 'static {
    /// Now, in engine time; never earlier than an answer before.
    fn now(&self) -> Time;

    /// Waits until engine time has come to `at`. The clock owns the waiting, so that who drives a clock drives the engine.
    fn wait(&self, at: Time) -> Waiting<'_>;

    /// Whether wall time stood so far from the last stored time at the start that it was not followed.
    fn refused_leap(&self) -> Option<Span> {
        None
    }
}

/// What [`Clock::wait`] gives: it ends when the time has come, and may be dropped before.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// No timer of the system's clock runs longer than this, so that a wall clock that ran ahead is followed.
pub(crate) const LONGEST_SLEEP: Span = Span::from_secs(30);

/// The clock of production.
pub struct SystemClock {
    line: Mutex<Line>,
    refused: Option<Span>,
}

/// Engine time as a function of the two clocks of the machine.
struct Line {
    now: Time,
    ticked: Instant,
}

impl SystemClock {
    /// Starts engine time at `stored`, the last time that the store knows, or at the wall clock if that is later.
    #[must_use]
    pub fn from_stored(stored: Time) -> Self {
        let (now, refused) = started(stored, wall());
        SystemClock { line: Mutex::new(Line { now, ticked: monotonic() }), refused }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let mut line = self.line.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (wall, ticked) = (wall(), monotonic());
        let elapsed = u64::try_from(ticked.saturating_duration_since(line.ticked).as_millis()).unwrap_or(u64::MAX);
        line.now = advance(line.now, Span::from_millis(elapsed), wall);
        // Only whole milliseconds are taken from the monotonic clock; the rest stays for the next reading.
        line.ticked = line.ticked.checked_add(Duration::from_millis(elapsed)).unwrap_or(ticked);
        line.now
    }

    #[expect(clippy::disallowed_methods, reason = "this module is the one that waits")]
    fn wait(&self, at: Time) -> Waiting<'_> {
        Box::pin(async move {
            loop {
                let left = at.since(self.now());
                if left == Span::ZERO {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(left.min(LONGEST_SLEEP).as_millis())).await;
            }
        })
    }

    fn refused_leap(&self) -> Option<Span> {
        self.refused
    }
}

/// Where engine time starts, given the last time that the store knows and the wall clock; and how far the wall clock was
/// ahead, where that is not followed.
pub(crate) fn started(stored: Time, wall: Time) -> (Time, Option<Span>) {
    let leap = wall.since(stored);
    let follow = stored == Time::ZERO || leap <= LEAP;
    if follow { (wall.max(stored), None) } else { (stored, Some(leap)) }
}

/// Engine time after `elapsed`: never back, never frozen, forward with the wall when the gap is at most [`LEAP`].
pub(crate) fn advance(now: Time, elapsed: Span, wall: Time) -> Time {
    let steady = now.after(elapsed);
    if wall > steady && wall.since(steady) <= LEAP { wall } else { steady }
}

#[expect(clippy::disallowed_methods, reason = "this module is the one that reads clocks")]
fn monotonic() -> Instant {
    Instant::now()
}

/// The wall clock, for those outside the engine that must name a moment: the sandbox, a log line, a file name.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this module is the one that reads clocks")]
pub fn wall() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// How long it is since it was started, on the machine's steady clock: for those who measure, never for the rules.
#[cfg(feature = "cli")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

#[cfg(feature = "cli")]
impl Stopwatch {
    /// Starts one.
    pub(crate) fn start() -> Self {
        Stopwatch(monotonic())
    }

    /// How long ago that was.
    pub(crate) fn elapsed(self) -> Duration {
        monotonic().saturating_duration_since(self.0)
    }

    /// Blocks the thread until that was `at` ago. A thread wakes within some 50 µs, where the runtime's timer has a grain
    /// of a millisecond.
    pub(crate) fn block_until(self, at: Duration) {
        if let Some(left) = at.checked_sub(self.elapsed()) {
            std::thread::sleep(left);
        }
    }
}

/// Waits for `span` or until `cancelled`; says whether the span passed.
#[expect(clippy::disallowed_methods, reason = "this module is the one that waits")]
pub async fn wait(span: Duration, cancelled: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep(span) => true,
        () = cancelled.cancelled() => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_million_readings_of_a_drunken_wall_clock_never_go_back_and_never_freeze() {
        let mut now = at(1_000_000_000_000);
        let mut wall = now.as_millis();
        for step in 0..1_000_000_u64 {
            let roll = outlast_state::hash(7, step);
            wall = match roll % 100 {
                0 => wall.saturating_sub(3_600_000),
                1 => wall.saturating_add(31_536_000_000),
                2 => wall.saturating_sub(31_536_000_000),
                _ => wall.saturating_add(roll % 50),
            };
            let elapsed = Span::from_millis(1 + roll % 40);
            let next = advance(now, elapsed, at(wall));
            assert!(next >= now.after(elapsed), "step {step} froze or went back");
            assert!(next.since(now).as_millis() <= LEAP.as_millis() + elapsed.as_millis(), "step {step} leapt");
            now = next;
        }
    }

    #[test]
    fn a_suspend_is_followed_and_a_year_is_not() {
        let suspend = 8 * 3_600_000;
        assert_eq!(advance(at(0), Span::from_millis(5), at(suspend)), at(suspend));
        assert_eq!(advance(at(0), Span::from_millis(5), at(365 * 86_400_000)), at(5));
    }

    #[test]
    fn engine_time_starts_no_earlier_than_the_store() {
        let stored = wall().after(Span::from_secs(3600));
        assert!(SystemClock::from_stored(stored).now() >= stored);
    }

    #[test]
    fn a_boot_a_year_ahead_is_reported_and_not_followed() {
        let stored = Time::from_millis(wall().as_millis() - 365 * 86_400_000);
        let clock = SystemClock::from_stored(stored);
        assert!(clock.now().since(stored) < Span::from_secs(60));
        assert!(clock.refused_leap().is_some());
    }
}
