//! Each byte flipped, each cut, records exchanged, files exchanged: what is acknowledged is there, or it is told.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use outlast::doctor;
use outlast::store::{Key, Store, Table};

use crate::place::{Place, Records, everything, made};

#[derive(Default)]
struct Tally {
    done: AtomicUsize,
    refused: AtomicUsize,
    quarantined: AtomicUsize,
    harmless: AtomicUsize,
    silent: AtomicUsize,
    panics: AtomicUsize,
    examined: AtomicUsize,
    salvaged: AtomicUsize,
    /// Stores of which sled opens no copy, so that nothing can be saved.
    hopeless: AtomicUsize,
    /// Deliveries saved, out of so many.
    saved: AtomicUsize,
    whole: AtomicUsize,
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    /// Opens a damaged store. Whatever it then holds is what was acknowledged, or named as what it is not.
    fn judge(&self, place: &Place, truth: &Records, damage: &str) {
        count(&self.done);
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let store = place.store().map_err(|error| error.to_string())?;
            let damaged: Vec<Key> = store.damaged().into_iter().map(|(key, _)| key).collect();
            let found = everything(&store).map_err(|error| error.to_string())?;
            Ok::<_, String>((damaged, found))
        }));
        match opened {
            Err(_) => {
                count(&self.panics);
                println!("{damage}: a panic");
            }
            Ok(Err(said)) => {
                let helps = ["doctor", "restore that file", "start again"].iter().any(|remedy| said.contains(remedy));
                assert!(helps, "{damage}: no remedy in: {said}");
                count(&self.refused);
            }
            Ok(Ok((damaged, found))) => {
                let keys = truth.keys().chain(found.keys());
                let wrong: Vec<&Key> = keys.filter(|key| truth.get(key) != found.get(key)).collect();
                if wrong.is_empty() {
                    count(&self.harmless);
                } else if wrong.iter().all(|key| damaged.contains(key)) {
                    count(&self.quarantined);
                } else {
                    count(&self.silent);
                    println!("{damage}: silent: {wrong:?}");
                }
            }
        }
    }

    /// The doctor looks into it and saves what is whole, and does not panic; what it saved opens and is what it says.
    fn treat(&self, place: &Place, truth: &Records, damage: &str) {
        count(&self.examined);
        let before = fs::read(place.db()).unwrap();
        let to = place.beside("saved");
        let treated = catch_unwind(AssertUnwindSafe(|| {
            let examined = doctor::examine(&place.path());
            (examined, doctor::salvage(&place.path(), &to))
        }));
        assert_eq!(fs::read(place.db()).unwrap(), before, "{damage}: the store was changed");
        let deliveries = truth.keys().filter(|key| key.table() == Table::Delivery).count();
        self.whole.fetch_add(deliveries, Ordering::Relaxed);
        let Ok((examined, salvaged)) = treated else {
            count(&self.panics);
            println!("{damage}: the doctor panicked");
            return;
        };
        let (Ok(examined), Ok(salvaged)) = (examined, salvaged) else {
            count(&self.hopeless);
            return;
        };
        count(&self.salvaged);
        let saved = outlast::store::SledStore::open(&to, outlast::store::SledOptions::default()).unwrap();
        assert!(saved.damaged().is_empty(), "{damage}");
        let found = everything(&saved).unwrap();
        let written = found.keys().filter(|key| key.table() == Table::Delivery).count();
        assert_eq!(u64::try_from(written).unwrap(), salvaged.deliveries, "{damage}: it says what it wrote");
        self.saved.fetch_add(written, Ordering::Relaxed);
        // What is not as it was acknowledged is told by either.
        // The clock's record is written anew: that the old store was closed cleanly says nothing about what was read of it.
        let own = |key: &Key| *key == Key::Meta(outlast::store::keys::Meta::Clock);
        let older = found.iter().any(|(key, value)| !own(key) && truth.get(key).is_some_and(|known| known != value));
        let told = !examined.ok && !examined.findings.is_empty();
        assert!(told || (written == deliveries && !older), "{damage}: {examined:?}");
        assert!(!salvaged.left.is_empty() || (written == deliveries && !older), "{damage}: the salvage does not tell");
    }

    fn print(&self, what: &str) {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        println!(
            "{what}: {} stores damaged: {} refused, {} opened with the damage named, {} harmless; silent {}, panics {}",
            read(&self.done),
            read(&self.refused),
            read(&self.quarantined),
            read(&self.harmless),
            read(&self.silent),
            read(&self.panics)
        );
        if read(&self.examined) > 0 {
            println!(
                "{what}: {} examined and salvaged: {} opened to the doctor, {} not at all; {} of {} deliveries saved",
                read(&self.examined),
                read(&self.salvaged),
                read(&self.hopeless),
                read(&self.saved),
                read(&self.whole)
            );
        }
        assert_eq!((read(&self.silent), read(&self.panics)), (0, 0), "{what}");
    }
}

/// Each byte in a release build; else one in a hundred and one, so that all places come in turn.
const STRIDE: usize = if cfg!(debug_assertions) { 101 } else { 1 };

/// Behind the last byte that was written, sled's file is zeros up to the end of its segment. Of those one in so many.
const STRIDE_OF_ZEROS: usize = if cfg!(debug_assertions) { 10_007 } else { 1_009 };

/// The files of a store that are read when it is opened.
fn files(place: &Place) -> Vec<PathBuf> {
    let in_sled = fs::read_dir(place.sled()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = in_sled.filter(|path| path.is_file()).collect();
    files.push(place.path().join("mark"));
    files.sort();
    files
}

/// Does `act` for each of `count` numbers, on two threads.
fn shared(count: usize, act: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    act(n);
                }
            });
        }
    });
}

#[tokio::test]
async fn every_byte_flipped_is_harmless_or_told() {
    let (whole, _) = made(0).await;
    let truth = whole.records();
    let tally = Tally::default();
    let flips: Vec<(PathBuf, usize)> = files(&whole)
        .into_iter()
        .flat_map(|file| {
            let bytes = fs::read(&file).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            println!("{}: {used} of {} bytes are written", file.file_name().unwrap().to_string_lossy(), bytes.len());
            // Small files whole in any build.
            let written = (0..used).step_by(if used < 400 { 1 } else { STRIDE });
            let places: Vec<usize> = written.chain((used..bytes.len()).step_by(STRIDE_OF_ZEROS)).collect();
            places.into_iter().map(move |at| (file.clone(), at))
        })
        .collect();
    let sample = flips.len().div_ceil(if cfg!(debug_assertions) { 12 } else { 60 });
    shared(flips.len(), |n| {
        let (file, at) = &flips[n];
        let place = whole.copied();
        let target = place.path().join(file.strip_prefix(whole.path()).unwrap());
        let mut bytes = fs::read(&target).unwrap();
        bytes[*at] ^= 1 << (n % 8);
        fs::write(&target, &bytes).unwrap();
        let damage = format!("{} byte {at} bit {}", target.file_name().unwrap().to_string_lossy(), n % 8);
        if n % sample == 0 {
            tally.treat(&place, &truth, &damage);
        }
        tally.judge(&place, &truth, &damage);
    });
    tally.print("flips");
}

#[tokio::test]
async fn every_cut_is_harmless_or_told() {
    let (whole, _) = made(20).await;
    let truth = whole.records();
    let tally = Tally::default();
    let length = usize::try_from(fs::metadata(whole.db()).unwrap().len()).unwrap();
    let step = if cfg!(debug_assertions) { 512 * 8 } else { 512 };
    let cuts: Vec<usize> = (0..length).step_by(step).collect();
    shared(cuts.len(), |n| {
        let place = whole.copied();
        fs::File::options().write(true).open(place.db()).unwrap().set_len(cuts[n].try_into().unwrap()).unwrap();
        let damage = format!("cut to {} of {length}", cuts[n]);
        if n % 8 == 0 {
            tally.treat(&place, &truth, &damage);
        }
        tally.judge(&place, &truth, &damage);
    });
    tally.print("cuts");
}

#[tokio::test]
async fn pages_overwritten_are_told_and_the_rest_is_saved() {
    let (whole, _) = made(60).await;
    let truth = whole.records();
    let tally = Tally::default();
    let bytes = fs::read(whole.db()).unwrap();
    let holes = if cfg!(debug_assertions) { 12 } else { 60 };
    shared(holes, |n| {
        let place = whole.copied();
        let mut damaged = bytes.clone();
        let at = n * (bytes.len() - 64) / holes;
        damaged[at..at + 64].fill(0xA5);
        fs::write(place.db(), damaged).unwrap();
        let damage = format!("64 bytes at {at}");
        tally.treat(&place, &truth, &damage);
        tally.judge(&place, &truth, &damage);
    });
    tally.print("holes");
}

/// A record replaced by its own older version, removed, or brought back, for each record of the store.
#[tokio::test]
async fn every_record_exchanged_or_removed_or_older_is_told() {
    let (whole, ids) = made(0).await;
    let older = whole.copied();
    let engine = whole.open().await;
    engine.cancel(ids[0]).await.unwrap();
    engine.stop().await.unwrap();
    drop(engine);
    let (truth, before) = (whole.records(), older.records());
    let keys: Vec<&Key> = truth.keys().collect();
    let tally = Tally::default();
    shared(keys.len(), |n| {
        let (key, next) = (keys[n], keys[(n + 1) % keys.len()]);
        let (bytes, others) = (key.encode(), next.encode());
        let place = whole.copied();
        place.behind(|db| drop(db.remove(&bytes).unwrap()));
        tally.treat(&place, &truth, &format!("{key} removed"));
        tally.judge(&place, &truth, &format!("{key} removed"));
        let place = whole.copied();
        place.behind(|db| {
            db.insert(&bytes, truth[next].clone()).unwrap();
            db.insert(&others, truth[key].clone()).unwrap();
        });
        tally.judge(&place, &truth, &format!("{key} and {next} exchanged"));
        if let Some(old) = before.get(key).filter(|old| truth.get(key) != Some(old)) {
            let place = whole.copied();
            place.behind(|db| drop(db.insert(&bytes, old.clone()).unwrap()));
            tally.judge(&place, &truth, &format!("{key} in an older version"));
        }
    });
    tally.print("records");
    assert_eq!(tally.harmless.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_older_file_or_directory_is_told() {
    let (newer, ids) = made(0).await;
    let older = newer.copied();
    let engine = newer.open().await;
    engine.cancel(ids[0]).await.unwrap();
    engine.stop().await.unwrap();
    drop(engine);
    let truth = newer.records();
    let tally = Tally::default();
    // An old db over a new one: with its own other files, and with the new ones.
    let place = newer.copied();
    fs::copy(older.db(), place.db()).unwrap();
    tally.treat(&place, &truth, "an old db among new files");
    tally.judge(&place, &truth, "an old db among new files");
    // An old directory with a new mark.
    let place = older.copied();
    fs::copy(newer.path().join("mark"), place.path().join("mark")).unwrap();
    tally.treat(&place, &truth, "an old directory with a new mark");
    tally.judge(&place, &truth, "an old directory with a new mark");
    // A new directory with an old mark is whole.
    let place = newer.copied();
    fs::copy(older.path().join("mark"), place.path().join("mark")).unwrap();
    tally.judge(&place, &truth, "an old mark");
    tally.print("older files");
    assert_eq!((tally.refused.load(Ordering::Relaxed), tally.harmless.load(Ordering::Relaxed)), (2, 1));
}
