//! The child process: this binary again, which writes numbered commits to a store and tells each one that it has been
//! told is durable.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use outlast::store::{Store, StoreError, StoreKind};
use serde::{Deserialize, Serialize};

use crate::workload::{self, Workload};

const PLAN: &str = "OUTLAST_CRASH_CHILD";

/// What a child is to do.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) path: PathBuf,
    pub(crate) seed: u64,
    /// So many commits in each opening of the store, one opening after the other.
    pub(crate) openings: Vec<u64>,
    pub(crate) engine: Kind,
    /// With so many bytes in its journal our store merges it.
    pub(crate) journal: u64,
    /// Whether it ends by itself in the middle, as if it were killed, after the last commit.
    pub(crate) abrupt: bool,
}

/// What writes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Our store, on sled.
    Sled,
    /// Our store, on redb.
    #[cfg(feature = "redb")]
    Redb,
    /// sled by itself, where `flush` is taken for a barrier.
    PlainSled,
}

impl Kind {
    pub(crate) fn ours(kind: StoreKind) -> Kind {
        match kind {
            StoreKind::Sled => Kind::Sled,
            #[cfg(feature = "redb")]
            StoreKind::Redb => Kind::Redb,
        }
    }

    /// The kind of our store; nothing for another.
    pub(crate) fn store(self) -> Option<StoreKind> {
        match self {
            Kind::Sled => Some(StoreKind::Sled),
            #[cfg(feature = "redb")]
            Kind::Redb => Some(StoreKind::Redb),
            Kind::PlainSled => None,
        }
    }
}

/// The store told of an error: nothing is acknowledged after it.
pub(crate) const FAILED: u8 = 3;
/// A commit was acknowledged after an error.
pub(crate) const WENT_ON: u8 = 9;
/// What was acknowledged could not be told.
pub(crate) const MUTE: u8 = 4;

impl Plan {
    /// The command that does this. Its standard output gets a line for each thing that has happened.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(PLAN, serde_json::to_string(self).unwrap()).env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The same below strace, with these options.
    pub(crate) fn traced(&self, options: &[&str]) -> Command {
        let mut command = Command::new("strace");
        command.args(options).arg(std::env::current_exe().unwrap());
        command.env(PLAN, serde_json::to_string(self).unwrap()).env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// The last commit that a child's output acknowledges.
pub(crate) fn acknowledged(output: &str) -> u64 {
    let numbers = output.lines().filter_map(|line| line.strip_prefix("ack ")?.parse().ok());
    numbers.max().unwrap_or(0)
}

/// If this process is a child, does what it is to do.
pub(crate) fn run() -> Option<ExitCode> {
    let plan: Plan = serde_json::from_str(&std::env::var(PLAN).ok()?).unwrap();
    let workload = Workload { seed: plan.seed };
    let last = plan.openings.len() - 1;
    let done = plan.openings.iter().enumerate().try_for_each(|(at, commits)| {
        let abrupt = plan.abrupt && at == last;
        match plan.engine.store() {
            Some(kind) => ours(&plan, kind, *commits, abrupt),
            None => plain(&plan.path, workload, *commits, abrupt),
        }
    });
    let code = match done {
        Ok(()) => 0,
        Err(code) => code,
    };
    Some(ExitCode::from(code))
}

/// In one write, so that it is told whole or not at all.
fn tell(line: &str) -> Result<(), u8> {
    io::stdout().lock().write_all(format!("{line}\n").as_bytes()).map_err(|_| MUTE)
}

fn fail(why: &StoreError) -> u8 {
    // A lost message changes nothing.
    let _ = writeln!(io::stderr(), "error: {:?}: {why}", why.kind());
    FAILED
}

fn ours(plan: &Plan, kind: StoreKind, commits: u64, abrupt: bool) -> Result<(), u8> {
    let workload = Workload { seed: plan.seed };
    let store = workload::open_as(&plan.path, kind, plan.journal).map_err(|why| fail(&why))?;
    let from = workload::reached(&store).map_err(|why| fail(&why))?;
    tell("opened")?;
    for number in from + 1..=from + commits {
        if let Err(why) = store.commit(workload.commit(number)) {
            let code = fail(&why);
            let after = store.commit(workload.commit(number + 1)).is_ok();
            return Err(if after { WENT_ON } else { code });
        }
        tell(&format!("ack {number}"))?;
    }
    if abrupt {
        std::process::abort();
    }
    store.close().map_err(|why| fail(&why))?;
    tell("closed")
}

fn plain(path: &Path, workload: Workload, commits: u64, abrupt: bool) -> Result<(), u8> {
    // Its threads hold the file for a moment after the last handle is gone.
    let mut opened = sled::Config::new().path(path).open();
    for _ in 0..400 {
        if opened.is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        opened = sled::Config::new().path(path).open();
    }
    let db = opened.map_err(|_| FAILED)?;
    let note = db.get(PLAIN_LAST).map_err(|_| FAILED)?;
    let from = note.and_then(|note| note.as_ref().try_into().ok()).map_or(0, u64::from_le_bytes);
    tell("opened")?;
    for number in from + 1..=from + commits {
        let mut batch = sled::Batch::default();
        batch.insert(PLAIN_LAST, &number.to_le_bytes());
        for (key, value) in workload.commit(number).iter() {
            match value {
                Some(value) => batch.insert(key.encode(), value),
                None => batch.remove(key.encode()),
            }
        }
        db.apply_batch(batch).and_then(|()| db.flush()).map_err(|_| FAILED)?;
        tell(&format!("ack {number}"))?;
    }
    if abrupt {
        std::process::abort();
    }
    drop(db);
    tell("closed")
}

/// Where plain sled is told its last commit.
pub(crate) const PLAIN_LAST: &[u8] = b"\0last";
