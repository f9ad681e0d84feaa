//! Power cuts. A child's writes and syncs are recorded; from them come images of the disk as a power cut can leave it; each
//! image is opened, and must hold every commit that was acknowledged before the cut, whole, and no half of another.
//!
//! Three controls show that the images test something: plain sled, whose `flush` is taken for a barrier, our own store with
//! its barriers left out of the account, and our own with those of its journal alone left out. All must lose acknowledged
//! commits.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use outlast::store::{Key, Store as _, StoreKind};

use crate::child::{self, Kind, PLAIN_LAST, Plan};
use crate::disk::{Model, Recording};
use crate::draw::Draw;
use crate::report::{self, Outcome, is_over, size};
use crate::trace;
use crate::workload::{self, Workload};

/// Opening an image takes milliseconds.
const PATIENCE_S: u64 = 10;

/// What a recording is made with, and where its images can be cut.
struct Tape {
    recording: Recording,
    digests: Arc<Vec<u64>>,
    /// What was acknowledged before the recording began, of a store that had a power cut before.
    before: Option<u64>,
    moments: Vec<u64>,
    acknowledgements: Vec<u64>,
}

/// What became of the images of one kind.
#[derive(Default)]
struct Tally {
    images: AtomicU64,
    lost: AtomicU64,
    unopenable: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

#[derive(Debug)]
enum Verdict {
    Whole,
    Lost(String),
    Unopenable(String),
}

pub(crate) fn a_power_cut_loses_nothing_that_was_acknowledged() -> Outcome {
    if let Some(why) = no_strace() {
        return Outcome::skipped(why);
    }
    quiet_about_sled();
    let count = size("IMAGES", 800, 20_000);
    let plain = Tally::default();
    let of_kinds: Vec<OfKind> = StoreKind::ALL.iter().map(|_| OfKind::default()).collect();
    let rounds = count.div_ceil(100).clamp(4, 40);
    for round in 0..rounds {
        if is_over() {
            break;
        }
        let kind = Kind::ours(workload::kind(round));
        let tally = &of_kinds[round as usize % of_kinds.len()];
        let tape = Tape::record(round, kind, &tally.ours);
        let (writes, syncs) = tape.recording.counts();
        for (counter, more) in [(&tally.recordings, 1), (&tally.writes, writes), (&tally.syncs, syncs)] {
            counter.fetch_add(more as u64, Ordering::Relaxed);
        }
        cut(&tape, kind, Model::Journalled, count / rounds, &tally.ours);
        cut(&tape, kind, Model::Posix, count / rounds / 4, &tally.posix);
        cut(&tape, kind, Model::WithoutBarrier, count / rounds / 8, &tally.bare);
        cut(&tape, kind, Model::WithoutJournal, count / rounds / 8, &tally.unsynced);
        if round.is_multiple_of(4) {
            let tape = Tape::record(round, Kind::PlainSled, &plain);
            cut(&tape, Kind::PlainSled, Model::Journalled, count / rounds / 2, &plain);
        }
    }
    let mut totals = Vec::new();
    let mut wrong = Vec::new();
    for (kind, tally) in StoreKind::ALL.iter().zip(of_kinds) {
        totals.push(format!("{}: {}", kind.name(), tally.told()));
        wrong.extend(tally.ours.wrong.into_inner().unwrap());
        for (control, what) in [(&tally.bare, "its barriers"), (&tally.unsynced, "its journal's barriers")] {
            if control.images.load(Ordering::Relaxed) > 0 && !control.has_lost() {
                wrong.push(format!("blind: our store on {} without {what} lost nothing", kind.name()));
            }
        }
    }
    totals.push(format!("control: plain sled {}", plain.told()));
    if !plain.has_lost() {
        wrong.push("blind: the control on plain sled lost nothing".to_owned());
    }
    Outcome { totals: totals.join("; "), wrong, skipped: None }
}

/// What became of one kind of store.
#[derive(Default)]
struct OfKind {
    recordings: AtomicU64,
    writes: AtomicU64,
    syncs: AtomicU64,
    ours: Tally,
    posix: Tally,
    /// Without any of its barriers.
    bare: Tally,
    /// Without those of its journal.
    unsynced: Tally,
}

impl OfKind {
    fn told(&self) -> String {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{} recordings ({} writes, {} syncs), {} power-cut images, {} lost, {} unopenable; where names have no journal {}; controls: without its barriers {}, without its journal's {}",
            number(&self.recordings),
            number(&self.writes),
            number(&self.syncs),
            number(&self.ours.images),
            number(&self.ours.lost),
            number(&self.ours.unopenable),
            self.posix.told(),
            self.bare.told(),
            self.unsynced.told(),
        )
    }
}

/// Why system calls cannot be seen here, where they cannot.
pub(crate) fn no_strace() -> Option<String> {
    let tried =
        Command::new("strace").args(["-f", "-o", "/dev/null", "--seccomp-bpf", "-e", "trace=fsync", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("strace does not work: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(why) => Some(format!("strace cannot be started ({why}); Debian's package is called strace")),
    }
}

/// sled panics when it meets what it does not expect. The store catches that; the pages of text are nobody's.
pub(crate) fn quiet_about_sled() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.location().is_none_or(|place| place.file().starts_with("tests/crash")) {
            usual(panic);
        }
    }));
}

/// Where images go: memory, where there is a place for that.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(place) = tempfile::tempdir_in(memory)
    {
        return place;
    }
    tempfile::tempdir().unwrap()
}

impl Tape {
    /// Records lives of a store: with a clean end and without, on an empty directory and on one that a power cut left.
    fn record(round: u64, kind: Kind, tally: &Tally) -> Tape {
        let mut draw = Draw::new(report::seed(), 1000 + round);
        let place = scratch();
        let root = place.path().canonicalize().unwrap();
        let workload = Workload { seed: report::seed() + round };
        let mut tape = Tape {
            recording: Recording::new(&root),
            digests: Arc::new(workload.digests(4000)),
            before: None,
            moments: Vec::new(),
            acknowledgements: Vec::new(),
        };
        let lives = draw.within(1, 3);
        for life in 0..lives {
            let longest = if round.is_multiple_of(2) { 300 } else { 12 };
            let openings = (0..draw.within(1, 2)).map(|_| draw.within(1, longest)).collect();
            let plan = Plan {
                path: root.join("store"),
                seed: workload.seed,
                openings,
                engine: kind,
                journal: workload::journal(&mut draw),
                abrupt: life + 1 < lives || draw.coin(),
            };
            tape.recording.take(&traced(&plan));
            // Every other store has had a power cut already, which its next life recovers from.
            if life + 1 < lives && draw.coin() {
                let moments = tape.recording.moments();
                let moment = moments[draw.within(moments.len() as u64 / 2, moments.len() as u64 - 1) as usize];
                let acknowledged = tape.promised(moment).0;
                let left = scratch();
                tape.recording.image(moment, Model::Journalled, &mut draw, left.path());
                if kind == Kind::PlainSled {
                    continue;
                }
                let promised = tape.promised(moment);
                let (before, store) = (keep(&left.path().join("store")), left.path().join("store"));
                let verdict = judged(kind, store, promised, Arc::clone(&tape.digests));
                let whole = matches!(verdict, Verdict::Whole);
                tally.count(verdict, Some(keep(&before.path().join("store"))), &|| {
                    format!("the cut of recording {round}, at {moment}")
                });
                if !whole {
                    continue;
                }
                fs::remove_dir_all(root.join("store")).unwrap();
                copy(&before.path().join("store"), &root.join("store"));
                tape.before = Some(acknowledged);
                tape.recording = Recording::new(&root);
            }
        }
        tape.moments = tape.recording.moments();
        tape.acknowledgements = tape.recording.acknowledgements();
        tape
    }

    /// The least and the most commits that may be there after a cut: one may be that was not acknowledged yet.
    fn promised(&self, cut: u64) -> (u64, u64) {
        match (self.recording.acknowledged(cut), self.before) {
            // The earlier cut had left one, too, on which the next one stands.
            (0, Some(before)) => (before, before + 2),
            (told, _) => (told, told + 1),
        }
    }

    /// A moment to cut at: often right after an acknowledgement, when the most is promised and the least is past.
    fn moment(&self, draw: &mut Draw) -> u64 {
        let of = |moments: &[u64], draw: &mut Draw| moments[draw.below(moments.len() as u64) as usize];
        match draw.below(8) {
            0..4 => of(&self.acknowledgements, draw),
            // While the store is made, or opened.
            4 => {
                let opening = self.moments.partition_point(|moment| *moment < self.acknowledgements[0]);
                of(&self.moments[..opening.max(1)], draw)
            }
            _ => of(&self.moments, draw),
        }
    }
}

/// Runs a child below strace, and says what it did.
fn traced(plan: &Plan) -> Vec<trace::Call> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = log.path().to_str().unwrap();
    let options = ["-f", "-y", "-xx", "-s", "16777216", "--seccomp-bpf", "-e", trace::CALLS, "-o", path];
    let output = plan.traced(&options).output().unwrap();
    let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let ended = output.status.success() || plan.abrupt;
    assert!(ended && said.is_empty(), "a recorded child failed: {}, {said}", output.status);
    let calls = trace::calls(&fs::read_to_string(path).unwrap());
    assert!(child::acknowledged(&told) > 0, "a recorded child acknowledged nothing");
    calls
}

/// Cuts, opens and judges so many images, on all processors.
fn cut(tape: &Tape, kind: Kind, model: Model, images: u64, tally: &Tally) {
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let image = next.fetch_add(1, Ordering::Relaxed);
                    if image >= images || is_over() {
                        return;
                    }
                    tally.take(tape, kind, model, image);
                }
            });
        }
    });
}

impl Tally {
    fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed) + self.unopenable.load(Ordering::Relaxed) > 0
    }

    fn told(&self) -> String {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!("lost {} and did not open {} of {}", number(&self.lost), number(&self.unopenable), number(&self.images))
    }

    fn take(&self, tape: &Tape, kind: Kind, model: Model, image: u64) {
        let mut draw = Draw::new(report::seed(), 5000 + image * 3 + u64::from(model.is_control()));
        let moment = tape.moment(&mut draw);
        let place = scratch();
        tape.recording.image(moment, model, &mut draw, place.path());
        let promised = tape.promised(moment);
        let store = place.path().join("store");
        let kept = (kind.store().is_some() && !model.is_control()).then(|| keep(&store));
        let verdict = judged(kind, store, promised, Arc::clone(&tape.digests));
        let name = || {
            let unsynced = tape.recording.unsynced(moment, model).join("\n");
            format!("image {image}, cut at {moment}, {} acknowledged; not synced:\n{unsynced}\n", promised.0)
        };
        self.count(verdict, kept, &name);
    }

    /// Counts an image, and keeps it as it was if it is a bad one.
    fn count(&self, verdict: Verdict, kept: Option<tempfile::TempDir>, name: &dyn Fn() -> String) {
        self.images.fetch_add(1, Ordering::Relaxed);
        let (counter, why) = match verdict {
            Verdict::Whole => return,
            Verdict::Lost(why) => (&self.lost, why),
            Verdict::Unopenable(why) => (&self.unopenable, why),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut wrong = self.wrong.lock().unwrap();
        if let Some(kept) = kept.filter(|_| wrong.len() < 5) {
            let place = kept.keep();
            let name = name();
            fs::write(place.join("why"), format!("{name}\n{why}\n")).unwrap();
            let first = name.lines().next().unwrap_or_default();
            wrong.push(format!("{first}: {why}. The image, and what was not synced, is in {}", place.display()));
        }
    }
}

/// A copy of an image from before it is opened.
fn keep(store: &Path) -> tempfile::TempDir {
    let place = scratch();
    if store.is_dir() {
        copy(store, &place.path().join("store"));
    }
    place
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// In a thread of its own, which is left behind if it hangs: sled may wait for ever where it has failed.
fn judged(kind: Kind, store: PathBuf, promised: (u64, u64), digests: Arc<Vec<u64>>) -> Verdict {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let verdict = match kind.store() {
            Some(kind) => judge(&store, kind, promised, &digests),
            None => judge_plain(&store, promised, &digests),
        };
        // Nobody waits for what comes too late.
        let _ = tell.send(verdict);
    });
    let hung = || Verdict::Unopenable(format!("it hung for {PATIENCE_S} s"));
    told.recv_timeout(Duration::from_secs(PATIENCE_S)).unwrap_or_else(|_| hung())
}

fn judge(path: &Path, kind: StoreKind, promised: (u64, u64), digests: &[u64]) -> Verdict {
    let store = match workload::open_as(path, kind, 16 << 10) {
        Ok(store) => store,
        Err(why) => return Verdict::Unopenable(why.to_string()),
    };
    let found = workload::last_commit(&store, digests);
    let closed = store.close();
    match (found, closed) {
        (Ok(found), Ok(())) => bounds(found, promised),
        (Err(why), _) => Verdict::Lost(why),
        (_, Err(why)) => Verdict::Unopenable(format!("it cannot be closed: {why}")),
    }
}

fn bounds(found: u64, (least, most): (u64, u64)) -> Verdict {
    if (least..=most).contains(&found) {
        Verdict::Whole
    } else {
        Verdict::Lost(format!("{least} commits were acknowledged, and it holds {found}"))
    }
}

fn judge_plain(path: &Path, promised: (u64, u64), digests: &[u64]) -> Verdict {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let db = sled::Config::new().path(path).open()?;
        let pairs = db.iter().collect::<sled::Result<Vec<_>>>()?;
        Ok::<_, sled::Error>(pairs)
    }));
    let pairs = match opened {
        Ok(Ok(pairs)) => pairs,
        Ok(Err(why)) => return Verdict::Unopenable(why.to_string()),
        Err(_) => return Verdict::Unopenable("sled panicked".to_owned()),
    };
    let mut content = BTreeMap::new();
    for (key, value) in pairs.iter().filter(|(key, _)| key != PLAIN_LAST) {
        match Key::decode(key) {
            Some(key) => drop(content.insert(key, value.to_vec())),
            None => return Verdict::Lost("it holds a key that is none".to_owned()),
        }
    }
    match workload::judge(&content, digests) {
        Ok(found) => bounds(found, promised),
        Err(why) => Verdict::Lost(why),
    }
}
