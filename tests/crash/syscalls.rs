//! Every system call that a store makes fails once, or kills: with strace's injection, for each call, each fault, and
//! n = 1, 2, 3 … until a life of the store ends without having met it. strace counts for each thread by itself, so that one
//! n can be several calls of one life.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use outlast::store::{Store as _, StoreKind};

use crate::child::{self, FAILED, Kind, MUTE, Plan, WENT_ON};
use crate::power::{no_strace, quiet_about_sled, scratch};
use crate::report::{self, Outcome, is_over, size};
use crate::workload::{self, Workload};

/// The calls that can fail a store. Not `close`: nothing is stored by it, and where closing a directory fails the standard
/// library itself panics.
const CALLS: [&str; 14] = [
    "openat",
    "pwrite64",
    "pread64",
    "write",
    "read",
    "lseek",
    "fdatasync",
    "fsync",
    "sync_file_range",
    "ftruncate",
    "fallocate",
    "rename",
    "unlink",
    "mkdir",
];
const FAULTS: [&str; 3] = ["signal=KILL", "error=EIO", "error=ENOSPC"];

/// Two lives in one: open, commit, close, and again. With this journal the first one merges while it is open, and uses a file
/// again.
const OPENINGS: [u64; 2] = [8, 2];
const JOURNAL: u64 = 12 << 10;

/// A process that has not ended after so many seconds hangs.
const PATIENCE_S: u64 = 30;
/// SIGKILL, as shells write it.
const KILLED: u8 = 128 + 9;

#[derive(Default)]
struct Tally {
    runs: AtomicU64,
    killed: AtomicU64,
    told: AtomicU64,
    unharmed: AtomicU64,
    lost: AtomicU64,
    destroyed: AtomicU64,
    panics: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

/// Whether a run met its fault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Yes,
    No,
}

pub(crate) fn a_system_call_that_fails_or_kills_loses_nothing() -> Outcome {
    if let Some(why) = no_strace() {
        return Outcome::skipped(why);
    }
    quiet_about_sled();
    // The short run leaves out most of the many calls that differ in nothing but their number.
    let densely = size("DENSELY", 6, 100_000);
    let tally = Tally::default();
    let digests = Workload { seed: report::seed() }.digests(20);
    let each = |kind: &StoreKind| CALLS.map(|call| FAULTS.map(|fault| (*kind, call, fault)));
    let sweeps: Vec<(StoreKind, &str, &str)> = StoreKind::ALL.iter().flat_map(each).flatten().collect();
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((kind, call, fault)) = sweeps.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    sweep(*kind, call, fault, densely, &digests, &tally);
                }
            });
        }
    });
    // A disk that cannot be read, from the first read on: that is met before the base can do anything.
    let before = tally.destroyed.load(Ordering::Relaxed);
    for kind in StoreKind::ALL {
        run(*kind, "pread64", "error=EIO", "1+", &digests, &tally);
    }
    let unreadable = tally.destroyed.load(Ordering::Relaxed) - before;
    let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let totals = format!(
        "{} runs over {} kinds x {} system calls x {} faults: {} killed, {} told a clean error, {} went on unharmed, {} lost something, {} panicked or hung; known: {} stores destroyed, and refused, after a read that failed once inside sled",
        number(&tally.runs),
        StoreKind::ALL.len(),
        CALLS.len(),
        FAULTS.len(),
        number(&tally.killed),
        number(&tally.told),
        number(&tally.unharmed),
        number(&tally.lost),
        number(&tally.panics),
        number(&tally.destroyed),
    );
    let mut wrong = tally.wrong.into_inner().unwrap();
    if unreadable > 0 {
        wrong.push("a disk that could not be read was written to".to_owned());
    }
    let least = CALLS.len() as u64;
    if (number(&tally.killed) <= least || number(&tally.told) <= least) && !is_over() {
        wrong.push("blind: most faults were never met".to_owned());
    }
    Outcome { totals, wrong, skipped: None }
}

/// n = 1, 2, 3 … and, beyond `densely`, each a quarter further than the one before.
fn sweep(kind: StoreKind, call: &str, fault: &str, densely: u64, digests: &[u64], tally: &Tally) {
    let mut nth = 1;
    while !is_over() && run(kind, call, fault, &nth.to_string(), digests, tally) == Met::Yes {
        nth += if nth < densely { 1 } else { (nth / 4).max(1) };
    }
}

fn run(kind: StoreKind, call: &str, fault: &str, when: &str, digests: &[u64], tally: &Tally) -> Met {
    let place = scratch();
    let path = place.path().join("store");
    let (seed, openings, engine) = (report::seed(), OPENINGS.into(), Kind::ours(kind));
    let plan = Plan { path: path.clone(), seed, openings, engine, journal: JOURNAL, abrupt: false };
    let log = place.path().join("log");
    // Without --seccomp-bpf: with it strace 6.1 injects errors, but no signals.
    let inject = format!("inject={call}:{fault}:when={when}");
    let options = ["-f", "-o", log.to_str().unwrap(), "-e", &format!("trace={call}"), "-e", &inject];
    let began = report::now();
    let output = ended(&plan, &options);
    let hung = report::now() - began >= PATIENCE_S * 1000;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = code(&output);
    let met = std::fs::read_to_string(&log).unwrap().contains("(INJECTED)") || code == Some(KILLED);
    tally.runs.fetch_add(1, Ordering::Relaxed);
    let acknowledged = child::acknowledged(&String::from_utf8_lossy(&output.stdout));
    let complain = |what: String| {
        let mut wrong = tally.wrong.lock().unwrap();
        wrong.push(format!(
            "{}, {inject}: {what}; {acknowledged} acknowledged, exit {code:?}; {}",
            kind.name(),
            said.trim()
        ));
    };
    let counter = match code {
        Some(KILLED) if hung => {
            complain(format!("it hung for {PATIENCE_S} s"));
            &tally.panics
        }
        Some(KILLED) => &tally.killed,
        Some(FAILED) if said.contains("error: ") => &tally.told,
        Some(0 | MUTE) => &tally.unharmed,
        // The loader itself could not go on, and said so: there was no store yet.
        Some(127) if said.contains("error while loading shared libraries") => &tally.told,
        Some(WENT_ON) => {
            complain("a commit was acknowledged after an error".to_owned());
            &tally.lost
        }
        _ => {
            complain("it ended in no way that is allowed".to_owned());
            &tally.panics
        }
    };
    counter.fetch_add(1, Ordering::Relaxed);
    match left(&path, kind, digests) {
        Ok(number) if (acknowledged..=acknowledged + 1).contains(&number) => {}
        Ok(number) => {
            tally.lost.fetch_add(1, Ordering::Relaxed);
            complain(format!("{number} commits are there"));
        }
        // Known: sled takes a read error for the end of its log, and overwrites what comes after. That the disk can be read
        // is tried before, so this needs an error that was not there a moment ago; and it is refused, not silent. redb tells
        // of a read error, and overwrites nothing.
        Err(why)
            if (kind, call, code) == (StoreKind::Sled, "pread64", Some(FAILED))
                && why.contains("the store is damaged") =>
        {
            tally.destroyed.fetch_add(1, Ordering::Relaxed);
        }
        Err(why) => {
            tally.lost.fetch_add(1, Ordering::Relaxed);
            complain(format!("afterwards: {why}"));
        }
    }
    if met { Met::Yes } else { Met::No }
}

/// How a child ended, as shells write it.
fn code(output: &Output) -> Option<u8> {
    let code = output.status.code().or(output.status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
}

/// The number of the last commit that a store holds. It goes on.
fn left(path: &Path, kind: StoreKind, digests: &[u64]) -> Result<u64, String> {
    let store = workload::open_as(path, kind, JOURNAL).map_err(|why| why.to_string())?;
    let found = workload::last_commit(&store, digests)?;
    let next = Workload { seed: report::seed() }.commit(found + 1);
    store.commit(next).and_then(|_| store.close()).map_err(|why| why.to_string())?;
    Ok(found)
}

/// The child's end, or that of the patience with it.
fn ended(plan: &Plan, options: &[&str]) -> Output {
    let inner = plan.traced(options);
    let mut command = std::process::Command::new("timeout");
    command.args(["--signal=KILL", &PATIENCE_S.to_string()]).arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.output().unwrap()
}
