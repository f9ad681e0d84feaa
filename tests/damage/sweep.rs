//! Each byte flipped, each cut, records exchanged, files exchanged, of a store that was closed (all is in its base) and of one
//! that was killed (the newest commits are in its journal alone): what is acknowledged is there, or it is told.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use outlast::doctor;
use outlast::store::{DiskStore, Key, Store, StoreError, StoreKind, Table};

use crate::place::{Place, Records, everything, killed, made};

on_each_kind! {
    every_byte_flipped_is_harmless_or_told,
    every_byte_of_a_killed_store_flipped_is_harmless_or_told,
    every_cut_is_harmless_or_told,
    every_cut_of_a_journal_is_harmless_or_told,
    pages_overwritten_are_told_and_the_rest_is_saved,
    every_record_exchanged_or_removed_or_older_is_told,
    an_older_file_or_directory_is_told,
    segments_removed_exchanged_or_older_are_told,
}

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
    /// Stores of which no copy opens, so that nothing can be saved.
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
            let found = read_both_ways(&store, truth).map_err(|error| error.to_string())?;
            Ok::<_, String>((damaged, found))
        }));
        match opened {
            Err(_) => {
                count(&self.panics);
                println!("{damage}: a panic");
            }
            Ok(Err(said)) => {
                let remedies = ["doctor", "restore that file", "start again"];
                let helps = remedies.iter().any(|remedy| said.contains(remedy));
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
        let before = place.bytes();
        let to = place.beside("saved");
        let treated = catch_unwind(AssertUnwindSafe(|| {
            let examined = doctor::examine(&place.path());
            (examined, doctor::salvage(&place.path(), &to))
        }));
        assert!(place.bytes() == before, "{damage}: the store was changed");
        let deliveries = truth.keys().filter(|key| matches!(key.table(), Table::Delivery | Table::Ended)).count();
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
        let saved = DiskStore::open(&to, &place.options()).unwrap();
        assert!(saved.damaged().is_empty(), "{damage}");
        let found = everything(&saved).unwrap();
        let written = found.keys().filter(|key| matches!(key.table(), Table::Delivery | Table::Ended)).count();
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

    fn print(&self, kind: StoreKind, what: &str) {
        let what = format!("{}, {what}", kind.name());
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

/// Everything that a store holds, read from end to end and, which may take another way through its pages, key by key.
fn read_both_ways(store: &DiskStore, truth: &Records) -> Result<Records, StoreError> {
    let mut found = everything(store)?;
    let keys: Vec<Key> = found.keys().chain(truth.keys()).cloned().collect();
    for key in keys {
        let alone = store.get(&key)?;
        let from_there = store.scan(key.table(), Some(&key), 1)?.pop().filter(|(next, _)| *next == key);
        for other in [alone, from_there.map(|(_, value)| value)] {
            if other.as_ref() != found.get(&key) {
                // Whatever it is, it is not what both say.
                found.insert(key.clone(), b"read in two ways, and found to be two things".to_vec());
            }
        }
    }
    Ok(found)
}

/// Each byte in a release build; else one in a hundred and one, so that all places come in turn.
const STRIDE: usize = if cfg!(debug_assertions) { 101 } else { 1 };

/// Of what is zeros (behind the last byte of sled's file, in the pages that redb has not used) one in so many.
const STRIDE_OF_ZEROS: usize = if cfg!(debug_assertions) { 10_007 } else { 1_009 };

/// How much of a file is judged as one, used or zeros.
const PIECE: usize = 512;

/// The files of a store that are read when it is opened.
fn files(place: &Place) -> Vec<PathBuf> {
    place.bytes().into_keys().filter(|path| !path.ends_with("lock")).collect()
}

/// Places in a file: so many of what is written, few of what is not. Small files whole in any build.
fn places(bytes: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        let stride = match piece.iter().any(|byte| *byte != 0) {
            true if bytes.len() < 400 => 1,
            true => STRIDE,
            false => STRIDE_OF_ZEROS,
        };
        let from = number * PIECE;
        places.extend((from..from + piece.len()).filter(|at| at % stride == 0));
    }
    places
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

/// A copy with a file changed.
fn with(whole: &Place, file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Place {
    let place = whole.copied();
    let target = place.beside(&file.to_string_lossy());
    let mut bytes = fs::read(&target).unwrap();
    change(&mut bytes);
    fs::write(&target, bytes).unwrap();
    place
}

fn name(file: &Path) -> String {
    file.strip_prefix("data").unwrap().display().to_string()
}

/// Flips one bit of bytes all over these files.
fn flip(whole: &Place, truth: &Records, files: &[PathBuf], tally: &Tally) {
    let mut flips = Vec::new();
    for file in files {
        let bytes = fs::read(whole.beside(&file.to_string_lossy())).unwrap();
        let places = places(&bytes);
        println!("{}: {} of {} bytes are flipped", name(file), places.len(), bytes.len());
        flips.extend(places.into_iter().map(|at| (file, at)));
    }
    let sample = flips.len().div_ceil(if cfg!(debug_assertions) { 12 } else { 60 });
    shared(flips.len(), |n| {
        let (file, at) = flips[n];
        let place = with(whole, file, |bytes| bytes[at] ^= 1 << (n % 8));
        let damage = format!("{} byte {at} bit {}", name(file), n % 8);
        if n % sample == 0 {
            tally.treat(&place, truth, &damage);
        }
        tally.judge(&place, truth, &damage);
    });
}

async fn every_byte_flipped_is_harmless_or_told(kind: StoreKind) {
    let (whole, _) = made(kind, 0).await;
    let tally = Tally::default();
    // Opening is what it takes to know what is in it, and it writes.
    flip(&whole, &whole.copied().records(), &files(&whole), &tally);
    tally.print(kind, "flips");
}

async fn every_byte_of_a_killed_store_flipped_is_harmless_or_told(kind: StoreKind) {
    let tally = Tally::default();
    for merging in [false, true] {
        let (whole, truth) = killed(kind, merging).await.pop().unwrap();
        // Of the base the flips above speak, and these of some of it.
        let files: Vec<PathBuf> =
            files(&whole).into_iter().filter(|file| !whole.base().ends_with(file) || cfg!(debug_assertions)).collect();
        flip(&whole, &truth, &files, &tally);
    }
    tally.print(kind, "flips after a kill");
}

async fn every_cut_is_harmless_or_told(kind: StoreKind) {
    let (whole, _) = made(kind, 20).await;
    let truth = whole.copied().records();
    let tally = Tally::default();
    let length = usize::try_from(fs::metadata(whole.base()).unwrap().len()).unwrap();
    let step = if cfg!(debug_assertions) { 512 * 8 } else { 512 };
    // Behind what is used one cut is as another: redb's file is large from the start.
    let step = step.max(length / 4096);
    let cuts: Vec<usize> = (0..length).step_by(step).collect();
    shared(cuts.len(), |n| {
        let place = whole.copied();
        fs::File::options().write(true).open(place.base()).unwrap().set_len(cuts[n].try_into().unwrap()).unwrap();
        let damage = format!("cut to {} of {length}", cuts[n]);
        if n % 8 == 0 {
            tally.treat(&place, &truth, &damage);
        }
        tally.judge(&place, &truth, &damage);
    });
    tally.print(kind, "cuts");
}

async fn every_cut_of_a_journal_is_harmless_or_told(kind: StoreKind) {
    let tally = Tally::default();
    for merging in [false, true] {
        let (whole, truth) = killed(kind, merging).await.pop().unwrap();
        let step = if cfg!(debug_assertions) { 97 } else { 1 };
        let files: Vec<PathBuf> = files(&whole).into_iter().filter(|file| file.starts_with("data/journal")).collect();
        let length =
            |file: &PathBuf| usize::try_from(fs::metadata(whole.beside(&file.to_string_lossy())).unwrap().len());
        let cuts: Vec<(&PathBuf, usize)> = files
            .iter()
            .flat_map(|file| (0..length(file).unwrap()).step_by(step).map(move |length| (file, length)))
            .collect();
        let sample = cuts.len().div_ceil(if cfg!(debug_assertions) { 12 } else { 60 });
        shared(cuts.len(), |n| {
            let (file, length) = cuts[n];
            let place = with(&whole, file, |bytes| bytes.truncate(length));
            let damage = format!("{} cut to {length}", name(file));
            if n % sample == 0 {
                tally.treat(&place, &truth, &damage);
            }
            tally.judge(&place, &truth, &damage);
        });
    }
    tally.print(kind, "cuts of the journal");
}

async fn pages_overwritten_are_told_and_the_rest_is_saved(kind: StoreKind) {
    let tally = Tally::default();
    let holes = if cfg!(debug_assertions) { 12 } else { 60 };
    let (whole, _) = made(kind, 60).await;
    let truth = whole.copied().records();
    pierce(&whole, &truth, &whole.base(), holes, &tally);
    let (whole, truth) = killed(kind, true).await.pop().unwrap();
    for segment in whole.segments() {
        pierce(&whole, &truth, &segment, holes, &tally);
    }
    tally.print(kind, "holes");
}

/// Overwrites 64 bytes, here and there in what of a file is written.
fn pierce(whole: &Place, truth: &Records, file: &Path, holes: usize, tally: &Tally) {
    let bytes = fs::read(file).unwrap();
    let written: Vec<usize> = (0..bytes.len().saturating_sub(63))
        .step_by(64)
        .filter(|at| bytes[*at..at + 64].iter().any(|byte| *byte != 0))
        .collect();
    let file = file.strip_prefix(whole.beside("")).unwrap();
    shared(holes.min(written.len()), |n| {
        let at = written[n * written.len() / holes.min(written.len())];
        let place = with(whole, file, |bytes| bytes[at..at + 64].fill(0xA5));
        let damage = format!("64 bytes of {} at {at}", name(file));
        tally.treat(&place, truth, &damage);
        tally.judge(&place, truth, &damage);
    });
}

/// A record replaced by its own older version, removed, or brought back, for each record of the store.
async fn every_record_exchanged_or_removed_or_older_is_told(kind: StoreKind) {
    let (whole, ids) = made(kind, 0).await;
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
        let place = whole.copied();
        place.behind([(key.clone(), None)]);
        tally.treat(&place, &truth, &format!("{key} removed"));
        tally.judge(&place, &truth, &format!("{key} removed"));
        let place = whole.copied();
        place.behind([(key.clone(), Some(truth[next].clone())), (next.clone(), Some(truth[key].clone()))]);
        tally.judge(&place, &truth, &format!("{key} and {next} exchanged"));
        if let Some(old) = before.get(key).filter(|old| truth.get(key) != Some(old)) {
            let place = whole.copied();
            place.behind([(key.clone(), Some(old.clone()))]);
            tally.judge(&place, &truth, &format!("{key} in an older version"));
        }
    });
    tally.print(kind, "records");
    assert_eq!(tally.harmless.load(Ordering::Relaxed), 0);
}

/// Puts a file, or a directory with what is in it, in the place of another.
fn put_back(from: &Path, to: &Path) {
    if to.is_dir() {
        fs::remove_dir_all(to).unwrap();
    }
    if from.is_dir() {
        crate::place::copy(from, to);
    } else {
        fs::copy(from, to).unwrap();
    }
}

async fn an_older_file_or_directory_is_told(kind: StoreKind) {
    let (newer, ids) = made(kind, 0).await;
    let older = newer.copied();
    let engine = newer.open().await;
    engine.cancel(ids[0]).await.unwrap();
    engine.stop().await.unwrap();
    drop(engine);
    let truth = newer.copied().records();
    let tally = Tally::default();
    // An old base over a new one: with its own other files, and with the new ones.
    let place = newer.copied();
    fs::copy(older.base(), place.base()).unwrap();
    tally.treat(&place, &truth, "an old base among new files");
    tally.judge(&place, &truth, "an old base among new files");
    // An old directory with a new mark.
    let place = older.copied();
    fs::copy(newer.path().join("mark"), place.path().join("mark")).unwrap();
    tally.treat(&place, &truth, "an old directory with a new mark");
    tally.judge(&place, &truth, "an old directory with a new mark");
    // A new directory with an old mark is whole.
    let place = newer.copied();
    fs::copy(older.path().join("mark"), place.path().join("mark")).unwrap();
    tally.judge(&place, &truth, "an old mark");
    assert_eq!((tally.refused.load(Ordering::Relaxed), tally.harmless.load(Ordering::Relaxed)), (2, 1));
    tally.print(kind, "older files");
}

/// Of a store that was killed: segments of its journal removed, exchanged, and put back as they were; the base or the whole
/// journal as it was.
async fn segments_removed_exchanged_or_older_are_told(kind: StoreKind) {
    let tally = Tally::default();
    for merging in [false, true] {
        let mut images = killed(kind, merging).await;
        let (newest, truth) = images.pop().unwrap();
        let segments = newest.segments();
        let try_it = |damage: &str, act: &dyn Fn(&Place)| {
            let place = newest.copied();
            act(&place);
            tally.treat(&place, &truth, damage);
            tally.judge(&place, &truth, damage);
        };
        let in_copy = |place: &Place, segment: &Path| place.path().join("journal").join(segment.file_name().unwrap());
        for segment in &segments {
            let short = segment.file_name().unwrap().to_string_lossy();
            try_it(&format!("segment {short} removed"), &|place| fs::remove_file(in_copy(place, segment)).unwrap());
            for other in &segments {
                let damage = format!("segment {} put over {short}", other.file_name().unwrap().to_string_lossy());
                try_it(&damage, &|place| put_back(other, &in_copy(place, segment)));
            }
            for (older, _) in &images {
                let old = in_copy(older, segment);
                if old.exists() {
                    try_it(&format!("segment {short} as it was"), &|place| put_back(&old, &in_copy(place, segment)));
                }
            }
        }
        try_it("the journal removed", &|place| fs::remove_dir_all(place.path().join("journal")).unwrap());
        for (older, _) in &images {
            for what in ["journal", newest.base_name()] {
                try_it(&format!("an older {what}"), &|place| {
                    put_back(&older.path().join(what), &place.path().join(what));
                });
            }
        }
    }
    assert!(tally.refused.load(Ordering::Relaxed) > 10, "the test is blind");
    tally.print(kind, "segments");
}
