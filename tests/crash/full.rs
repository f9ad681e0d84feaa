//! A disk that is full, in earnest: a file system in memory of a few megabytes, where this user may mount one, and a limit on
//! the size of files everywhere. Who runs out of space says so and ends; with space again nothing is lost, and all goes on.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use outlast::clock;
use outlast::sample::{self, TRACK};
use outlast::sandbox::{Options, Sandbox};
use outlast::store::{Store as _, StoreKind};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::child::{self, FAILED, Kind, Plan};
use crate::draw::Draw;
use crate::ledger::Ledger;
use crate::power::quiet_about_sled;
use crate::report::{self, Outcome, is_over, size};
use crate::serve::{ACCESS, Client, HALF_LIFE_S, Place, REFRESH, Serving};
use crate::workload::{self, Workload};

/// How space is made scarce.
enum Scarcity {
    /// A file system of its own.
    Mount(Mount),
    /// `ulimit -f`, in blocks of 512 bytes, with the signal that would kill ignored: then the system answers `EFBIG`.
    Limit { blocks: u64 },
}

struct Mount {
    place: tempfile::TempDir,
}

impl Mount {
    fn new(kib: u64) -> Result<Self, String> {
        let place = tempfile::tempdir().unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0700"), "outlast-crash"], place.path())?;
        Ok(Mount { place })
    }

    fn grow(&self) {
        run("mount", &["-o", "remount,size=256m"], self.place.path()).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The directory could not be removed otherwise; a mount that stays is seen by whoever looks.
        let _ = run("umount", &[], self.place.path());
    }
}

fn run(program: &str, arguments: &[&str], place: &Path) -> Result<(), String> {
    match Command::new(program).args(arguments).arg(place).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(why) => Err(format!("{program} cannot be started: {why}")),
    }
}

impl Scarcity {
    /// The directory to use.
    fn place<'a>(&'a self, other: &'a Path) -> &'a Path {
        match self {
            Scarcity::Mount(mount) => mount.place.path(),
            Scarcity::Limit { .. } => other,
        }
    }

    /// The command, where space is scarce.
    fn below(&self, command: &Command) -> Command {
        let mut bounded = match self {
            Scarcity::Mount(_) => Command::new(command.get_program()),
            Scarcity::Limit { blocks } => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "trap '' XFSZ; ulimit -f \"$1\" && shift && exec \"$@\"", "sh", &blocks.to_string()]);
                shell.arg(command.get_program());
                shell
            }
        };
        bounded.args(command.get_args());
        bounded.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            bounded.current_dir(folder);
        }
        bounded.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        bounded
    }

    fn make_space(&self) {
        if let Scarcity::Mount(mount) = self {
            mount.grow();
        }
    }
}

/// Scarcities of drawn sizes, and why there is none of one kind.
fn scarcities(draw: &mut Draw, count: u64, least_kib: u64, most_kib: u64) -> (Vec<Scarcity>, Option<String>) {
    let (mut scarce, mut skipped) = (Vec::new(), None);
    for _ in 0..count {
        scarce.push(Scarcity::Limit { blocks: draw.within(least_kib, most_kib) * 2 });
        match Mount::new(draw.within(least_kib, most_kib)) {
            Ok(mount) => scarce.push(Scarcity::Mount(mount)),
            Err(why) => skipped = Some(why),
        }
    }
    (scarce, skipped)
}

/// What both parts count.
#[derive(Default)]
struct Tally {
    limits: u64,
    /// Those that had room enough.
    fits: u64,
    mounts: u64,
    acknowledged: u64,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, scarcity: &Scarcity) -> String {
        match scarcity {
            Scarcity::Mount(_) => {
                self.mounts += 1;
                "a small file system".to_owned()
            }
            Scarcity::Limit { blocks } => {
                self.limits += 1;
                format!("files of at most {blocks} blocks")
            }
        }
    }

    fn outcome(self, what: &str, skipped: Option<String>) -> Outcome {
        let skipped = skipped.map_or_else(String::new, |why| format!(" (skipped: file systems, {why})"));
        let totals = format!(
            "{what} ran out of space {} times on a full file system{skipped} and {} times at a limit ({} had room enough), {} acknowledged, {} times something was wrong",
            self.mounts,
            self.limits,
            self.fits,
            self.acknowledged,
            self.wrong.len()
        );
        Outcome { totals, wrong: self.wrong, skipped: None }
    }
}

/// More than most scarcities have room for.
const COMMITS: u64 = 2900;

pub(crate) fn a_store_without_space_says_so_and_goes_on_when_there_is_some() -> Outcome {
    quiet_about_sled();
    let mut draw = Draw::new(report::seed(), 7);
    let (scarce, skipped) = scarcities(&mut draw, size("FULL_STORES", 4, 60), 4, 2000);
    let mut tally = Tally::default();
    let digests = Workload { seed: report::seed() }.digests(COMMITS + 100);
    for (round, scarcity) in scarce.iter().enumerate() {
        if is_over() {
            break;
        }
        // Of each scarcity and each kind in turn.
        let kind = workload::kind(round as u64 / 2);
        let name = format!("{} with {}", kind.name(), tally.count(scarcity));
        let wrong = starve(scarcity, kind, workload::journal(&mut draw), &digests, &mut tally);
        tally.wrong.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    if tally.fits * 2 > tally.mounts + tally.limits {
        tally.wrong.push(format!("blind: {} stores had room enough", tally.fits));
    }
    tally.outcome("a store", skipped)
}

/// Writes until there is no space, makes some, and looks what is there. What is wrong.
fn starve(scarcity: &Scarcity, kind: StoreKind, journal: u64, digests: &[u64], tally: &mut Tally) -> Vec<String> {
    let mut wrong = Vec::new();
    let workload = Workload { seed: report::seed() };
    let folder = tempfile::tempdir().unwrap();
    let path = scarcity.place(folder.path()).join("store");
    let (openings, engine) = (vec![COMMITS], Kind::ours(kind));
    let plan = Plan { path: path.clone(), seed: workload.seed, openings, engine, journal, abrupt: false };
    let output = scarcity.below(&plan.command()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let acknowledged = child::acknowledged(&String::from_utf8_lossy(&output.stdout));
    tally.acknowledged += acknowledged;
    // A commit is told at once; where a merge met it, behind the commits, the next one gets that error quoted.
    let explained = said.contains("error: Full: no space left")
        || (said.contains("error: Failed: the store stopped at its first error") && said.contains("no space left"));
    if output.status.code() == Some(0) && acknowledged == COMMITS {
        tally.fits += 1; // such a base gives space back
    } else if output.status.code() != Some(i32::from(FAILED)) || !explained {
        let signal = output.status.signal();
        wrong.push(format!("exit {:?}, signal {signal:?}, said {said}", output.status.code()));
    }
    scarcity.make_space();
    let found = workload::open_as(&path, kind, journal).map_err(|why| why.to_string()).and_then(|store| {
        let found = workload::last_commit(&store, digests)?;
        store.commit(workload.commit(found + 1)).and_then(|_| store.close()).map_err(|why| why.to_string())?;
        Ok(found)
    });
    match found {
        Ok(number) if (acknowledged..=acknowledged + 1).contains(&number) => {}
        Ok(number) => wrong.push(format!("{acknowledged} acknowledged, {number} there")),
        Err(why) => wrong.push(format!("{acknowledged} acknowledged, and with space again: {why}")),
    }
    wrong
}

pub(crate) fn a_program_without_space_says_so_and_goes_on_when_there_is_some() -> Outcome {
    quiet_about_sled();
    let mut draw = Draw::new(report::seed(), 8);
    let (scarce, skipped) = scarcities(&mut draw, size("FULL_SERVES", 1, 10), 1500, 4000);
    let runtime = Runtime::new().unwrap();
    let mut tally = Tally::default();
    for (round, scarcity) in scarce.iter().enumerate() {
        if is_over() {
            break;
        }
        let kind = workload::kind(round as u64);
        let name = format!("{} with {}", kind.name(), tally.count(scarcity));
        let told = runtime.block_on(provider(draw.next()));
        let folder = tempfile::tempdir().unwrap();
        let store = scarcity.place(folder.path()).join("data");
        let wrong = fill(&told, scarcity, (&store, kind), draw.next(), &mut tally.acknowledged);
        tally.wrong.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
        runtime.block_on(told.stop());
    }
    tally.outcome("the program", skipped)
}

async fn provider(seed: u64) -> Sandbox {
    let grant =
        json!({"access_token": ACCESS, "refresh_token": REFRESH, "age_s": HALF_LIFE_S, "expires_in_s": HALF_LIFE_S});
    let latency = json!({"min_ms": 1, "max_ms": 5});
    let options = json!({"seed": seed, "grants": [grant], "switches": {"api_latency_ms": latency}});
    let wall = std::sync::Arc::new(|| clock::wall().as_millis());
    Sandbox::start(Options::from_json(&options).unwrap(), wall).await.unwrap()
}

/// Takes what a child says: it says much, and waits for who does not listen.
fn hear(child: &mut Child) -> JoinHandle<String> {
    let mut stderr = child.stderr.take().unwrap();
    std::thread::spawn(move || {
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
        said
    })
}

/// Offers events until there is no space, makes some, and sees everything delivered.
fn fill(
    sandbox: &Sandbox,
    scarcity: &Scarcity,
    (store, kind): (&Path, StoreKind),
    seed: u64,
    acknowledged: &mut u64,
) -> Vec<String> {
    let place = Place::new(sandbox.api_addr(), 5, Some(store), kind);
    place.authorise();
    let sample = sample::events(TRACK, clock::wall(), 20_000, seed).unwrap();
    let mut wrong = Vec::new();
    let mut known = Vec::new();
    let mut refusal = String::new();
    let mut command = scarcity.below(&place.command(&["serve"]));
    let mut serving = Serving { child: command.stdout(Stdio::null()).spawn().unwrap() };
    let hearing = hear(&mut serving.child);
    if let Some(mut client) = Client::wait(store, &mut serving) {
        for events in sample.events.chunks(16) {
            let Ok(answers) = client.submit(events) else { break };
            known.extend(answers.iter().flatten().cloned());
            if let Some(Err(why)) = answers.into_iter().find(Result::is_err) {
                refusal = why;
                break;
            }
        }
        // Who had room for all, or refused for another reason, would not end.
        if !(refusal.is_empty() || refusal.contains("no space left")) || known.len() == sample.events.len() {
            wrong.push(format!("{} events were taken, and then: {refusal}", known.len()));
            serving.kill();
        }
    }
    // It ends by itself, or the test would wait here.
    let said = hearing.join().unwrap();
    let status = serving.child.wait().unwrap();
    *acknowledged += known.len() as u64;
    let explained = |text: &str| text.contains("no space left") && text.contains("Free space on that disk");
    if status.code() != Some(1) || !explained(&said) {
        wrong.push(format!("serve ended with {status} and said: {}", said.trim()));
    }
    if !(refusal.is_empty() || explained(&refusal)) {
        wrong.push(format!("a caller was told: {refusal}"));
    }
    scarcity.make_space();
    let mut serving = place.serve();
    let Some(mut client) = Client::wait(store, &mut serving) else {
        wrong.push("with space again, serve did not start".to_owned());
        return wrong;
    };
    let deadline = report::now() + 120_000;
    while client.live().unwrap() > 0 && report::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(client);
    if !serving.terminate() {
        wrong.push("with space again, serve did not stop well".to_owned());
    }
    match Ledger::read(store) {
        Ok(ledger) => {
            let lost = known.iter().filter(|id| !ledger.deliveries.contains_key(*id)).count();
            let open = ledger.deliveries.values().filter(|entry| !matches!(entry.state, "Done" | "Failed")).count();
            let refused = ledger.deliveries.values().filter(|entry| entry.state == "Failed");
            let unjust = refused.filter(|entry| !sample.invalid.contains(entry.once.as_deref().unwrap_or(""))).count();
            if (lost, open, unjust, ledger.damaged.len()) != (0, 0, 0, 0) {
                wrong.push(format!("{lost} lost, {open} not ended, {unjust} failed for nothing, {:?}", ledger.damaged));
            }
        }
        Err(why) => wrong.push(why),
    }
    wrong
}
