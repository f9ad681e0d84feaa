//! What of the processor and of memory this process has used.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processor time of this process so far, all threads, those that have ended too, user and system.
pub(super) fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// Since an earlier reading.
pub(super) fn since(before: Duration) -> Duration {
    used().saturating_sub(before)
}

/// The memory of this process that is in use now, in bytes, where the system tells (Linux).
pub(super) fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_uses_the_processor() {
        let before = used();
        let mut sum = 0_u64;
        while since(before) < Duration::from_millis(1) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(used() > before && sum > 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_memory() {
        assert!(resident().unwrap() > 100_000);
    }
}
