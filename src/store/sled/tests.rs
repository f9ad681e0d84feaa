use super::*;
use crate::store::codec;
use crate::store::conformance::{self, Subject, everything, id, puts};
use crate::store::scratch::Scratch;
use crate::store::wreck::Wreck;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

struct Place(TempDir);

fn fresh() -> Place {
    Place(tempfile::tempdir().unwrap())
}

impl Place {
    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join("sled").join(name)
    }
}

impl Subject for Place {
    type Store = SledStore;

    fn open(&self) -> Result<SledStore, StoreError> {
        SledStore::open(&self.path(), SledOptions { cache_bytes: 8 << 20, ..SledOptions::default() })
    }

    /// The system itself refuses to sync this file.
    fn break_barrier(&self, store: &SledStore) {
        store.opened.write().unwrap().as_mut().unwrap().file = File::open("/dev/null").unwrap();
    }
}

conformance::suite!(fresh());

/// Records that verify: 200 deliveries, each in one of `versions` versions, and bodies of the largest size.
fn filled(place: &Place, versions: u8) {
    let store = place.open().unwrap();
    for version in 0..versions {
        let deliveries = (0..200).map(|n| {
            let key = Key::Delivery(id(n));
            let value = codec::seal(&key, 1, &(u64::try_from(n).unwrap(), version, "text".repeat(40)));
            (key, value)
        });
        store.commit(puts(deliveries)).unwrap();
    }
    let bodies = (0..40_u16).map(|n| {
        let key = Key::Body(id(1), n);
        let value = codec::seal(&key, 1, &vec![n; 1300]);
        (key, value)
    });
    store.commit(puts(bodies)).unwrap();
    store.close().unwrap();
}

fn copied(from: &Place) -> Place {
    let to = fresh();
    fs::create_dir_all(to.file("blobs")).unwrap();
    fs::copy(from.path().join("mark"), to.path().join("mark")).unwrap();
    for entry in fs::read_dir(from.path().join("sled")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.file(&entry.file_name().to_string_lossy())).unwrap();
        }
    }
    to
}

/// What of a damaged store still verifies, or why it cannot be read.
fn verified(place: &Place) -> Result<BTreeMap<Key, Vec<u8>>, StoreError> {
    let store = place.open()?;
    let mut records = everything(&store)?;
    records.retain(|key, value| codec::open(key, value).is_ok());
    Ok(records)
}

#[test]
fn the_directory_is_for_its_owner() {
    let place = fresh();
    let store = place.open().unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.path()), 0o700);
    assert_eq!(mode(place.path().join("sled")), 0o700);
    assert_eq!(mode(place.path().join("lock")), 0o600);
    drop(store);
}

/// What the kernel holds at any moment is what a killed process leaves.
#[test]
fn a_killed_process_leaves_what_was_committed() {
    let place = fresh();
    let store = place.open().unwrap();
    for round in 0..20_u8 {
        store.commit(puts((0..30).map(|n| (Key::Delivery(id(n)), vec![round; 300])))).unwrap();
        if round % 4 == 0 {
            let image = copied(&place);
            assert_eq!(everything(&image.open().unwrap()).unwrap(), everything(&store).unwrap(), "round {round}");
        }
    }
}

#[test]
fn dropping_is_closing() {
    let place = fresh();
    place.open().unwrap().commit(puts([(Key::Delivery(id(1)), vec![1])])).unwrap();
    assert_eq!(place.open().unwrap().get(&Key::Delivery(id(1))).unwrap(), Some(vec![1]));
}

#[test]
fn an_unfinished_snapshot_does_not_matter() {
    let place = fresh();
    filled(&place, 1);
    let before = verified(&place).unwrap();
    let leftover = place.file("snap.00000000000FF000.generating");
    fs::write(&leftover, "half a snap").unwrap();
    assert_eq!(verified(&place).unwrap(), before);
    assert!(!leftover.exists());
}

#[test]
fn records_of_the_largest_size_do_not_spill() {
    let place = fresh();
    let store = place.open().unwrap();
    for round in 0..8_u8 {
        let bodies = (0..128_u16).map(|n| (Key::Body(id(n.into()), n), vec![round; crate::store::MAX_VALUE]));
        store.commit(puts(bodies)).unwrap();
    }
    store.close().unwrap();
    assert_eq!(fs::read_dir(place.file("blobs")).unwrap().count(), 0);
}

#[test]
fn a_spilled_page_is_refused() {
    let place = fresh();
    filled(&place, 1);
    fs::write(place.file("blobs").join("0000"), "page").unwrap();
    let refused = place.open().err().unwrap();
    assert_eq!(refused.kind(), StoreErrorKind::Corrupt);
    assert!(refused.to_string().contains("blobs"), "{refused}");
}

#[test]
fn a_newer_format_is_refused() {
    let place = fresh();
    let store = place.open().unwrap();
    store.commit(puts([(format::KEY, codec::seal(&format::KEY, 1, &9_u32))])).unwrap();
    store.close().unwrap();
    assert_eq!(place.open().err().unwrap().kind(), StoreErrorKind::Format);
}

#[test]
fn records_without_a_format_are_refused() {
    let place = fresh();
    let store = place.open().unwrap();
    let mut writes = puts([(Key::Delivery(id(1)), vec![1])]);
    writes.delete(format::KEY);
    store.commit(writes).unwrap();
    store.close().unwrap();
    assert_eq!(place.open().err().unwrap().kind(), StoreErrorKind::Corrupt);
}

/// Does something to a store that is closed, behind its back.
fn behind(place: &Place, act: impl FnOnce(&sled::Db)) {
    let db = sled::Config::new().path(place.path().join("sled")).open().unwrap();
    act(&db);
    db.flush().unwrap();
    drop(db);
    assert!(released(&place.path().join("sled")));
}

#[test]
fn a_key_that_is_none_is_reported() {
    let place = fresh();
    let store = place.open().unwrap();
    store.opened.read().unwrap().as_ref().unwrap().db.insert(b"Dshort", b"x").unwrap();
    let found = store.scan(Table::Delivery, None, 9).unwrap_err();
    assert_eq!(found.kind(), StoreErrorKind::Corrupt);
    assert!(store.get(&Key::Delivery(id(1))).is_ok(), "the rest can still be read");
    drop(store);
    let refused = place.open().err().unwrap();
    assert!(refused.to_string().contains("a key that this version cannot read"), "{refused}");
}

fn refused(place: &Place) -> String {
    let refused = place.open().err().expect("it opens");
    assert_eq!(refused.kind(), StoreErrorKind::Corrupt, "{refused}");
    assert!(refused.to_string().contains("outlast doctor"), "{refused}");
    refused.to_string()
}

#[test]
fn a_record_that_is_gone_or_older_or_elsewhere_is_met_at_open() {
    let whole = fresh();
    filled(&whole, 1);
    let old = whole.open().unwrap().get(&Key::Delivery(id(7))).unwrap().unwrap();
    filled(&whole, 2);
    let key = |n: u128| Key::Delivery(id(n)).encode();

    let place = copied(&whole);
    behind(&place, |db| drop(db.remove(key(7)).unwrap().unwrap()));
    assert!(refused(&place).contains("table delivery: 1 of 200 records is missing"));
    let place = copied(&whole);
    behind(&place, |db| drop(db.insert(key(7), old).unwrap().unwrap()));
    assert!(refused(&place).contains("table delivery: its 200 records are there, and each verifies, but not as"));
    let place = copied(&whole);
    behind(&place, |db| {
        let first = db.get(key(1)).unwrap().unwrap();
        let second = db.insert(key(2), first).unwrap().unwrap();
        db.insert(key(1), second).unwrap();
    });
    let store = place.open().unwrap();
    let damaged: Vec<Key> = store.damaged().into_iter().map(|(key, _)| key).collect();
    assert_eq!(damaged, [Key::Delivery(id(1)), Key::Delivery(id(2))], "the key is part of the checksum");
    let place = copied(&whole);
    behind(&place, |db| drop(db.remove(ledger::KEY).unwrap().unwrap()));
    assert!(refused(&place).contains("its ledger is missing"));
    let place = copied(&whole);
    behind(&place, |db| drop(db.insert(ledger::KEY, b"junk").unwrap().unwrap()));
    assert!(refused(&place).contains("its ledger does not verify"));
}

/// The hash counts a record in doubt as it is, so that what replaces it later leaves a hash that fits.
#[test]
fn a_record_in_doubt_does_not_blind_its_table_for_ever() {
    let place = fresh();
    filled(&place, 1);
    let key = Key::Delivery(id(3));
    behind(&place, |db| drop(db.insert(key.encode(), b"junk").unwrap()));
    for _ in 0..2 {
        let store = place.open().unwrap();
        assert_eq!(store.damaged().len(), 1);
    }
    let store = place.open().unwrap();
    let mended = codec::seal(&key, 1, &(3_u64, 0_u8, "text"));
    store.commit(puts([(key.clone(), mended)])).unwrap();
    store.close().unwrap();
    assert_eq!(place.open().unwrap().damaged(), []);
    behind(&place, |db| drop(db.insert(key.encode(), codec::seal(&key, 1, &(3_u64, 9_u8, "text"))).unwrap()));
    assert!(refused(&place).contains("table delivery"));
}

/// A store as the first release wrote it: a number under a key of its own, and no ledger.
#[test]
fn a_store_of_format_1_is_opened_and_raised() {
    let place = fresh();
    filled(&place, 1);
    behind(&place, |db| {
        db.remove(ledger::KEY).unwrap();
        db.insert(LAST, &mark::note(3)).unwrap();
        db.insert(format::KEY.encode(), codec::seal(&format::KEY, 1, &1_u32)).unwrap();
    });
    let examined = |place: &Place| Wreck::open(&place.path(), Scratch::beside(&place.path()).unwrap()).unwrap();
    fs::write(place.path().join("mark"), mark::note(3)).unwrap();
    let whole = examined(&place);
    assert!(whole.gap.is_none() && whole.refusal.is_none() && whole.is_counted(), "{:?}", whole.gap);
    assert_eq!((whole.format, whole.commit()), (Some(1), Some(3)));
    let older = copied(&place);
    fs::write(older.path().join("mark"), mark::note(4)).unwrap();
    assert!(examined(&older).gap.unwrap().to_string().contains("number 3, but number 4 was acknowledged"));
    assert!(refused(&older).contains("number 3, but number 4 was acknowledged"));
    let records = verified(&place).unwrap();
    assert_eq!(records.len(), 241);
    assert_eq!(format::check(&records[&format::KEY]).unwrap(), format::FORMAT);
    behind(&place, |db| {
        assert_eq!(db.get(LAST).unwrap(), None);
        assert_eq!(Ledger::decode(&db.get(ledger::KEY).unwrap().unwrap()).unwrap().commit, 4);
        db.remove(Key::Delivery(id(1)).encode()).unwrap();
    });
    assert!(refused(&place).contains("1 of 200 records is missing"));
}

#[test]
fn a_witness_that_says_nothing_is_refused_until_that_is_accepted() {
    let place = fresh();
    filled(&place, 1);
    for witness in [None, Some("junk")] {
        match witness {
            None => fs::remove_file(place.path().join("mark")).unwrap(),
            Some(junk) => fs::write(place.path().join("mark"), junk).unwrap(),
        }
        assert!(refused(&place).contains("--accept-gap"));
        SledStore::open(&place.path(), SledOptions { accept_gap: true, ..SledOptions::default() }).unwrap();
        assert_eq!(verified(&place).unwrap().len(), 241);
    }
}

#[test]
fn a_panic_ends_the_store() {
    let place = fresh();
    let store = place.open().unwrap();
    let ended = store.with("testing", |_| -> sled::Result<()> { panic!("out of bounds") }).unwrap_err();
    assert_eq!(ended.kind(), StoreErrorKind::Corrupt);
    assert!(ended.to_string().contains("out of bounds"), "{ended}");
    assert_eq!(store.commit(Writes::new()).unwrap_err().kind(), StoreErrorKind::Failed);
    drop(store);
    assert!(place.open().is_ok());
}

#[test]
fn a_full_disk_says_so() {
    let full = || sled::Error::Io(io::Error::from(io::ErrorKind::StorageFull));
    let error = guarded("writing", || Err::<(), _>(full())).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(error.to_string().contains("Free space"), "{error}");
}

#[test]
fn a_file_in_the_way_is_named() {
    let place = fresh();
    fs::write(place.path(), "not a directory").unwrap();
    let error = place.open().err().unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Io);
    assert!(error.to_string().contains(&*place.path().to_string_lossy()), "{error}");
}

/// The store of a directory that was restored from an older copy, or lost its tail, is behind its mark.
#[test]
fn a_gap_is_refused_until_it_is_accepted() {
    let place = fresh();
    filled(&place, 1);
    let older = copied(&place);
    filled(&place, 3);
    fs::copy(place.path().join("mark"), older.path().join("mark")).unwrap();
    for _ in 0..2 {
        assert!(refused(&older).contains("number 3, but number 7 was acknowledged"));
    }
    SledStore::open(&older.path(), SledOptions { accept_gap: true, ..SledOptions::default() }).unwrap();
    assert_eq!(verified(&older).unwrap().len(), 241);
    assert_eq!(verified(&place).unwrap().len(), 241);
}

#[test]
fn a_cut_file_is_survived() {
    let whole = fresh();
    filled(&whole, 3);
    let length = fs::metadata(whole.file("db")).unwrap().len();
    for cut in [1, 100, 4096, 100_000, length / 2, length - 10, length] {
        let place = copied(&whole);
        File::options().write(true).open(place.file("db")).unwrap().set_len(length - cut).unwrap();
        judge(&verified(&place), 2, &format!("cut by {cut} of {length}"));
    }
}

#[test]
fn flipped_bits_are_survived() {
    let whole = fresh();
    filled(&whole, 3);
    let bytes = fs::read(whole.file("db")).unwrap();
    for n in 0..24_u64 {
        let place = copied(&whole);
        let mut damaged = bytes.clone();
        let bit = usize::try_from(outlast_state::hash(n, 1)).unwrap() % (bytes.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(place.file("db"), damaged).unwrap();
        judge(&verified(&place), 2, &format!("bit {bit}"));
    }
}

/// A store that is opened without being read.
fn unproven(place: &Place) -> Result<Opened, StoreError> {
    let folder = place.path().join("sled");
    let db = guarded("opening it", || sled::Config::new().path(&folder).open())?;
    let written = guarded("reading it", || db.get(ledger::KEY))?;
    let ledger = written.and_then(|bytes| Ledger::decode(&bytes)).unwrap_or_default();
    let (file, mark) = (File::open(place.file("db")).unwrap(), Mark::open(&place.path()).unwrap());
    let lock = lock(&place.path()).unwrap();
    let waker = Waker::start(|| {}).unwrap();
    Ok(Opened { db, waker, file, folder, mark, ledger: Mutex::new(ledger), lock })
}

/// sled gives up in the middle of a batch when it meets a damaged page, and keeps what it has applied by then. The store
/// must meet the damage before.
#[test]
fn a_commit_onto_damage_is_whole_or_nothing() {
    let whole = fresh();
    let store = whole.open().unwrap();
    for part in 0..20 {
        store.commit(puts((0..200).map(|n| (Key::Delivery(id(part * 200 + n)), vec![1; 300])))).unwrap();
    }
    drop(store);
    drop(whole.open().unwrap()); // sled now has a snapshot, and reads pages when they are asked for
    let bytes = fs::read(whole.file("db")).unwrap();
    let mut refused = 0;
    for start in (0..bytes.len() - 40).step_by(bytes.len() / 30) {
        let place = copied(&whole);
        let mut damaged = bytes.clone();
        damaged[start..start + 40].fill(0xA5);
        fs::write(place.file("db"), damaged).unwrap();
        // As if the disk had failed after the store was opened and read.
        let Ok(opened) = unproven(&place) else { continue };
        let mut writes = puts((0..4000).step_by(7).map(|n| (Key::Delivery(id(n)), vec![2; 100])));
        for n in (1..4000).step_by(7) {
            writes.delete(Key::Delivery(id(n)));
        }
        let refusal = guarded("writing", || opened.commit(writes.encoded().unwrap())).err();
        opened.release();
        let Some(error) = refusal else { continue };
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let opened = guarded("opening it", || sled::Config::new().path(place.path().join("sled")).open());
        let Ok(db) = opened else { continue };
        refused += 1;
        let read = |n| db.get(Key::Delivery(id(n)).encode()); // goes on reading where the store would stop
        let applied = (0..4000).filter(|n| match read(*n) {
            Ok(Some(value)) => value[0] == 2,
            Ok(None) => true,
            Err(_) => false,
        });
        assert_eq!(applied.count(), 0, "damage at {start}");
    }
    assert!(refused > 0, "no damage was met: the test is blind");
}

#[test]
fn a_damaged_side_file_is_survived() {
    let whole = fresh();
    filled(&whole, 2);
    for name in ["conf", "snap"] {
        let place = copied(&whole);
        for entry in fs::read_dir(place.path().join("sled")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with(name) {
                fs::write(path, [0xA5; 64]).unwrap();
            }
        }
        judge(&verified(&place), 1, name);
    }
}

/// Either the damage is reported, or everything that was acknowledged is there: 200 deliveries in their last version and
/// 40 bodies, each verified.
fn judge(found: &Result<BTreeMap<Key, Vec<u8>>, StoreError>, last: u8, damage: &str) {
    match found {
        Ok(records) => {
            assert_eq!(records.len(), 241, "{damage}: lost in silence");
            for (key, value) in records {
                let (_, payload) = codec::open(key, value).unwrap();
                if let Key::Delivery(delivery) = key {
                    let (n, version, _): (u64, u8, String) = payload.decode().unwrap();
                    assert_eq!((u128::from(n), version), (delivery.as_u128(), last), "{damage}: {key} is an old one");
                }
            }
        }
        Err(error) => {
            let expected = [StoreErrorKind::Corrupt, StoreErrorKind::Io, StoreErrorKind::Format];
            assert!(expected.contains(&error.kind()), "{damage}: {error:?}");
        }
    }
}
