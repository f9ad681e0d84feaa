//! Wakes who waits for ever.
//!
//! When a write of sled 0.34.7 fails in one of its threads, it notes the error and, on one of its two ways there, forgets to
//! wake whoever waits in `flush` for that write (`exit_reservation` in `pagecache/logger.rs`). Its own flusher ends at its
//! first error. Any later `flush` finds the note, and wakes all: so a thread of ours calls one when another takes long.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A flush that is still waited for after one to two of these is helped. On a slow disk that does no harm.
const LONG: Duration = Duration::from_secs(1);

/// The thread, and what it looks at.
pub(super) struct Waker {
    watched: Arc<Watched>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Watched {
    /// The number of the flush that is waited for; even while there is none.
    flush: AtomicU64,
}

/// Instead of a number: there will be no more.
const OVER: u64 = u64::MAX;

impl Waker {
    /// `flush` is what wakes the others.
    pub(super) fn start(flush: impl Fn() + Send + 'static) -> io::Result<Self> {
        let watched = Arc::<Watched>::default();
        let seen = Arc::clone(&watched);
        let thread = thread::Builder::new().name("outlast-waker".to_owned()).spawn(move || {
            let mut before = 0;
            loop {
                thread::park_timeout(LONG);
                let now = seen.flush.load(Ordering::Acquire);
                if now == OVER {
                    return;
                }
                if now % 2 == 1 && now == before {
                    // Whatever comes of it comes of the other one, too.
                    let _ = catch_unwind(AssertUnwindSafe(&flush));
                }
                before = now;
            }
        })?;
        Ok(Waker { watched, thread })
    }

    /// Does `flush`, one at a time, with somebody to wake it.
    pub(super) fn watch<T>(&self, flush: impl FnOnce() -> T) -> T {
        self.watched.flush.fetch_add(1, Ordering::AcqRel);
        let done = catch_unwind(AssertUnwindSafe(flush));
        self.watched.flush.fetch_add(1, Ordering::AcqRel);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Lets go of the store.
    pub(super) fn stop(self) {
        self.watched.flush.store(OVER, Ordering::Release);
        self.thread.thread().unpark();
        // It has no result, and a panic of its own was sled's.
        let _ = self.thread.join();
    }
}
