use super::*;
use crate::store::blocks::{Blocks, Changes};
use crate::store::conformance::{self, Subject, everything, id, puts};
use crate::store::ledger::{self, Ledger};
use crate::store::scratch::Scratch;
use crate::store::wreck::Wreck;
use crate::store::{StoreErrorKind, codec, convert, format, mark, opening};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

mod images;

struct Place(TempDir, StoreKind);

fn fresh() -> Place {
    of(StoreKind::Sled)
}

fn of(kind: StoreKind) -> Place {
    Place(tempfile::tempdir().unwrap(), kind)
}

/// One place for each kind.
fn each() -> impl Iterator<Item = Place> {
    StoreKind::ALL.iter().map(|kind| of(*kind))
}

impl Place {
    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// The file that holds the base's records.
    fn base(&self) -> PathBuf {
        let place = self.path().join(self.1.place());
        if self.1 == StoreKind::Sled { place.join("db") } else { place }
    }

    fn options(&self) -> DiskOptions {
        DiskOptions { kind: self.1, cache_bytes: 8 << 20, ..DiskOptions::default() }
    }

    fn accepting(&self) -> Result<DiskStore, StoreError> {
        DiskStore::open(&self.path(), &DiskOptions { accept_gap: true, ..self.options() })
    }

    /// The newest segment of the journal.
    fn segment(&self) -> PathBuf {
        let mut segments: Vec<PathBuf> =
            fs::read_dir(self.path().join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
        segments.sort();
        segments.pop().unwrap()
    }
}

impl Subject for Place {
    type Store = DiskStore;

    fn open(&self) -> Result<DiskStore, StoreError> {
        DiskStore::open(&self.path(), &self.options())
    }

    /// The system itself refuses to sync this file.
    fn break_barrier(&self, store: &DiskStore) {
        store.shared.writer().journal.as_mut().unwrap().break_file();
    }
}

mod on_sled {
    use super::*;
    conformance::suite!(of(StoreKind::Sled));
}

#[cfg(feature = "redb")]
mod on_redb {
    use super::*;
    conformance::suite!(of(StoreKind::Redb));
}

impl Shared {
    /// Merges what there is, whenever that is worth it.
    fn turn_over_now(&self) {
        self.turn_over(&mut self.writer(), u64::MAX).unwrap();
    }

    /// Waits until nothing is being merged.
    fn merged(&self) {
        let waiting = self.turned.wait_while(self.waiting(), |waiting| waiting.merging).unwrap();
        drop(waiting);
    }

    /// Lets go as a killed process does.
    fn die(&self) {
        self.end(&StoreError::closed());
    }
}

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
    let to = of(from.1);
    copy(&from.path(), &to.path());
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
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
    for place in each() {
        let store = place.open().unwrap();
        store.commit(puts([(Key::Delivery(id(1)), vec![1])])).unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(place.path()), 0o700);
        assert_eq!(mode(place.path().join("journal")), 0o700);
        assert_eq!(mode(place.path().join("lock")), 0o600);
        assert_eq!(mode(place.segment()), 0o600);
        let base = mode(place.path().join(place.1.place()));
        assert_eq!(base, if place.1 == StoreKind::Sled { 0o700 } else { 0o600 });
    }
}

/// What the kernel holds at any moment is what a killed process leaves. Merges go on meanwhile.
#[test]
fn a_killed_process_leaves_what_was_committed() {
    for place in each() {
        let store = place.open().unwrap();
        for round in 0..20_u8 {
            store.commit(puts((0..30).map(|n| (Key::Delivery(id(n)), vec![round; 300])))).unwrap();
            let mut gone = Writes::new();
            gone.delete(Key::Delivery(id(u128::from(round))));
            store.commit(gone).unwrap();
            if round % 3 == 1 {
                store.shared.turn_over_now();
            }
            if round % 4 == 0 {
                let image = copied(&place);
                assert_eq!(everything(&image.open().unwrap()).unwrap(), everything(&store).unwrap(), "round {round}");
            }
        }
    }
}

/// What a store holds does not depend on how much of it was merged, and when.
#[test]
fn merging_changes_nothing_that_is_read() {
    for place in each() {
        let (store, plain) = (place.open().unwrap(), crate::store::memory::MemoryStore::new());
        for round in 0..60_u64 {
            let mut writes = Writes::new();
            for n in 0..40_u64 {
                let draw = outlast_state::hash(round, n);
                let key = match draw % 3 {
                    0 => Key::Delivery(id(u128::from(draw / 3 % 500))),
                    1 => Key::Parcel(id(u128::from(draw / 3 % 500))),
                    _ => Key::Credential(format!("name {}", draw / 3 % 50)),
                };
                if draw.is_multiple_of(5) {
                    writes.delete(key);
                } else {
                    writes.put(key, vec![u8::try_from(round).unwrap(); usize::try_from(draw >> 50).unwrap() % 4000]);
                }
            }
            store.commit(writes.clone()).unwrap();
            plain.commit(writes).unwrap();
            if round % 7 == 3 {
                store.shared.turn_over_now();
            }
            if round % 10 == 9 {
                assert_eq!(everything(&store).unwrap(), everything(&plain).unwrap(), "round {round}");
            }
        }
        for table in Table::ALL {
            let all = store.scan(table, None, usize::MAX).unwrap();
            for (n, (key, value)) in all.iter().enumerate() {
                assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
                assert_eq!(store.scan(table, Some(key), 3).unwrap(), all[n..all.len().min(n + 3)]);
            }
        }
        let before = everything(&store).unwrap();
        store.close().unwrap();
        assert_eq!(everything(&place.open().unwrap()).unwrap(), before, "counted and whole");
    }
}

#[test]
fn dropping_is_closing() {
    let place = fresh();
    place.open().unwrap().commit(puts([(Key::Delivery(id(1)), vec![1])])).unwrap();
    assert_eq!(place.open().unwrap().get(&Key::Delivery(id(1))).unwrap(), Some(vec![1]));
}

#[test]
fn a_closed_store_has_everything_in_its_base() {
    for place in each() {
        let store = place.open().unwrap();
        store.commit(puts((0..50).map(|n| (Key::Delivery(id(n)), vec![1; 300])))).unwrap();
        store.close().unwrap();
        assert_eq!(fs::read_dir(place.path().join("journal")).unwrap().count(), 0);
        fs::remove_dir(place.path().join("journal")).unwrap();
        assert_eq!(everything(&place.open().unwrap()).unwrap().len(), 51);
    }
}

/// Files are used again, so that the journal takes what a few merges take and no more.
#[test]
fn the_journal_does_not_grow() {
    let place = fresh();
    let store = place.open().unwrap();
    for round in 0..12_u8 {
        store.commit(puts((0..300).map(|n| (Key::Delivery(id(n)), vec![round; 3000])))).unwrap();
        store.shared.turn_over_now();
        store.shared.merged();
    }
    let files: Vec<u64> = fs::read_dir(place.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    assert!(files.len() <= 3 && files.iter().all(|length| *length < 1_100_000), "{files:?}");
    let image = copied(&place);
    assert_eq!(everything(&image.open().unwrap()).unwrap(), everything(&store).unwrap());
}

/// A frame that was being written when the process died is nothing; one that was acknowledged and does not verify is told.
#[test]
fn a_torn_end_is_nothing_and_damage_is_told() {
    for place in each() {
        let store = place.open().unwrap();
        for n in 0..9 {
            store.commit(puts([(Key::Delivery(id(n)), vec![7; 200])])).unwrap();
        }
        let torn = copied(&place);
        let mut bytes = fs::read(torn.segment()).unwrap();
        let whole = bytes.len();
        bytes.extend_from_within(24..24 + 200);
        fs::write(torn.segment(), &bytes).unwrap();
        assert_eq!(everything(&torn.open().unwrap()).unwrap(), everything(&store).unwrap());
        for at in [0, 5, 13, 23, 24, 30, 60, whole / 2, whole - 1] {
            let damaged = copied(&place);
            let mut bytes = fs::read(damaged.segment()).unwrap();
            bytes[at] ^= 4;
            fs::write(damaged.segment(), &bytes).unwrap();
            assert!(refused(&damaged).contains("--accept-gap"), "byte {at}");
            // Nothing else notices a change in what is not the last commit: the witness is as old as it may be.
            fs::write(damaged.path().join("mark"), mark::note(0)).unwrap();
            if at >= 24 && at < whole - 250 {
                assert!(refused(&damaged).contains("does not verify, and commit"), "byte {at}");
            }
            let store = damaged.accepting().unwrap();
            let kept = everything(&store).unwrap().len();
            drop(store);
            assert_eq!(everything(&damaged.open().unwrap()).unwrap().len(), kept, "it is accepted for good");
        }
    }
}

#[test]
fn a_segment_that_is_missing_is_told() {
    let place = fresh();
    for n in 0..3 {
        let store = place.open().unwrap();
        store.commit(puts([(Key::Delivery(id(n)), vec![7; 200])])).unwrap();
        store.shared.die();
    }
    let middle = place.path().join("journal").join(format!("{:020}", 2));
    assert!(middle.exists());
    fs::remove_file(middle).unwrap();
    assert!(refused(&place).contains("its journal goes on at commit 3, and the last before is number 1"));
}

/// A store that was large and is nearly empty: ten records of 2400 are left.
fn bloated(place: &Place) -> BTreeMap<Key, Vec<u8>> {
    let store = place.open().unwrap();
    for first in (0..2400_u128).step_by(300) {
        let records = (first..).take(300).map(|n| {
            let key = Key::Delivery(id(n));
            let value = codec::seal(&key, 1, &"7".repeat(3500));
            (key, value)
        });
        store.commit(puts(records)).unwrap();
        store.shared.turn_over_now();
    }
    let mut gone = Writes::new();
    for n in 0..2390 {
        gone.delete(Key::Delivery(id(n)));
    }
    store.commit(gone).unwrap();
    let left = everything(&store).unwrap();
    store.close().unwrap();
    left
}

/// Neither sled nor redb gives space back. What was written at a peak is given back when the store is opened.
#[test]
fn a_base_that_is_mostly_empty_is_written_anew() {
    for place in each() {
        let left = bloated(&place);
        let before = opening::size(&place.path()).unwrap();
        assert!(before > 8 << 20, "{before} bytes at its peak");
        let store = place.open().unwrap();
        assert_eq!(everything(&store).unwrap(), left);
        store.commit(puts([(Key::Delivery(id(1)), vec![1])])).unwrap();
        store.close().unwrap();
        let after = opening::size(&place.path()).unwrap();
        assert!(after < before / 3, "{before} bytes became {after}");
        assert_eq!(everything(&place.open().unwrap()).unwrap().len(), left.len() + 1);
    }
}

/// Nothing else has read it whole by then, and what it was copied from goes.
#[test]
fn a_base_that_lacks_something_is_not_written_anew() {
    for place in each() {
        bloated(&place);
        behind(&place, |blocks| tamper(blocks, &Key::Delivery(id(2395)).encode(), None));
        let before = opening::size(&place.path().join(place.1.place())).unwrap();
        for _ in 0..2 {
            assert!(refused(&place).contains("table delivery: 1 of 10 records is missing"));
            let after = opening::size(&place.path().join(place.1.place())).unwrap();
            assert!(after > before / 2, "{before} bytes became {after}: what could be saved is gone");
        }
    }
}

/// Which base is the store's, and that there is one where commits were acknowledged, is not guessed.
#[test]
fn a_directory_without_its_base_or_with_two_is_refused_and_stays_as_it_is() {
    for place in each() {
        filled(&place, 1);
        let lacking = copied(&place);
        let base = lacking.path().join(lacking.1.place());
        if base.is_dir() {
            fs::remove_dir_all(&base).unwrap();
        } else {
            fs::remove_file(&base).unwrap();
        }
        for _ in 0..2 {
            assert!(refused(&lacking).contains("although commits were acknowledged there"));
            assert!(lacking.accepting().is_err(), "that is more than a gap");
            assert!(!base.exists(), "an empty one would hide the loss");
        }
    }
    if StoreKind::ALL.len() > 1 {
        let place = fresh();
        filled(&place, 1);
        fs::write(place.path().join("base.redb"), "another's").unwrap();
        assert!(refused(&place).contains("of which only one can be its own"));
    }
}

/// Copies that were mixed: each of the two is whole by itself.
#[test]
fn the_journal_of_another_store_is_not_taken() {
    for place in each() {
        let other = of(place.1);
        for (place, byte) in [(&place, 1), (&other, 2)] {
            let store = place.open().unwrap();
            store.commit(puts((0..9).map(|n| (Key::Delivery(id(n)), vec![byte; 200])))).unwrap();
            store.shared.die();
        }
        fs::copy(other.segment(), place.segment()).unwrap();
        assert!(refused(&place).contains("number 0, but number 1 was acknowledged"));
    }
}

/// Someone's event may contain what looks like a frame of the journal.
#[test]
fn what_an_event_contains_is_no_frame() {
    let place = fresh();
    let store = place.open().unwrap();
    store.commit(puts([(Key::Delivery(id(1)), vec![1; 50])])).unwrap();
    let frames = fs::read(place.segment()).unwrap()[24..].to_vec();
    let mut forged = frames.clone();
    forged[8..16].copy_from_slice(&9_u64.to_le_bytes());
    store.commit(puts([(Key::Delivery(id(2)), [frames, forged].concat())])).unwrap();
    let image = copied(&place);
    let mut bytes = fs::read(image.segment()).unwrap();
    bytes.extend([0; 64]);
    fs::write(image.segment(), bytes).unwrap();
    assert_eq!(everything(&image.open().unwrap()).unwrap(), everything(&store).unwrap());
}

#[test]
fn an_unfinished_snapshot_does_not_matter() {
    let place = fresh();
    filled(&place, 1);
    let before = verified(&place).unwrap();
    let leftover = place.path().join("sled").join("snap.00000000000FF000.generating");
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
        store.shared.turn_over_now();
    }
    store.close().unwrap();
    assert_eq!(fs::read_dir(place.path().join("sled").join("blobs")).unwrap().count(), 0);
}

#[test]
fn a_spilled_page_is_refused() {
    let place = fresh();
    filled(&place, 1);
    fs::write(place.path().join("sled").join("blobs").join("0000"), "page").unwrap();
    let refused = place.open().err().unwrap();
    assert_eq!(refused.kind(), StoreErrorKind::Corrupt);
    assert!(refused.to_string().contains("blobs"), "{refused}");
}

#[test]
fn a_newer_format_is_refused() {
    for place in each() {
        let store = place.open().unwrap();
        store.commit(puts([(format::KEY, codec::seal(&format::KEY, 1, &9_u32))])).unwrap();
        store.close().unwrap();
        assert_eq!(place.open().err().unwrap().kind(), StoreErrorKind::Format);
    }
}

#[test]
fn records_without_a_format_are_refused() {
    for place in each() {
        let store = place.open().unwrap();
        let mut writes = puts([(Key::Delivery(id(1)), vec![1])]);
        writes.delete(format::KEY);
        store.commit(writes).unwrap();
        store.close().unwrap();
        assert_eq!(place.open().err().unwrap().kind(), StoreErrorKind::Corrupt);
    }
}

#[cfg(feature = "redb")]
#[test]
fn a_store_of_another_kind_is_refused_with_a_way_out() {
    let place = fresh();
    filled(&place, 1);
    let options = DiskOptions { kind: StoreKind::Redb, ..place.options() };
    let refused = DiskStore::open(&place.path(), &options).err().unwrap();
    assert_eq!(refused.kind(), StoreErrorKind::Format);
    assert!(refused.to_string().contains("is of kind sled") && refused.to_string().contains("export"), "{refused}");
}

/// Does something to a store that is closed, behind its back.
fn behind(place: &Place, act: impl FnOnce(&Blocks)) {
    let base = opening::base(&place.path(), place.1, 8 << 20).unwrap();
    let written = base.get(ledger::KEY).unwrap().and_then(|bytes| Ledger::decode(&bytes)).unwrap_or_default();
    let blocks = Blocks::new(base, written);
    act(&blocks);
    blocks.base().sync().unwrap();
    blocks.release();
}

/// Changes a record and nothing else: the ledger stays as it was.
fn tamper(blocks: &Blocks, key: &[u8], value: Option<Vec<u8>>) {
    let counted = blocks.ledger();
    blocks.merge(&Changes::from([(key.to_vec(), value)]), counted.commit).unwrap();
    blocks.base().apply(vec![(ledger::KEY.to_vec(), Some(counted.encode()))]).unwrap();
}

#[test]
fn a_key_that_is_none_is_reported() {
    let place = fresh();
    filled(&place, 1);
    behind(&place, |blocks| tamper(blocks, b"Dshort", Some(b"x".to_vec())));
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
    behind(&place, |blocks| tamper(blocks, &key(7), None));
    assert!(refused(&place).contains("table delivery: 1 of 200 records is missing"));
    let place = copied(&whole);
    behind(&place, |blocks| tamper(blocks, &key(7), Some(old)));
    assert!(refused(&place).contains("table delivery: its 200 records are there, and each verifies, but not as"));
    let place = copied(&whole);
    behind(&place, |blocks| {
        let (first, second) = (blocks.get(&key(1)).unwrap(), blocks.get(&key(2)).unwrap());
        tamper(blocks, &key(2), first);
        tamper(blocks, &key(1), second);
    });
    let store = place.open().unwrap();
    let damaged: Vec<Key> = store.damaged().into_iter().map(|(key, _)| key).collect();
    assert_eq!(damaged, [Key::Delivery(id(1)), Key::Delivery(id(2))], "the key is part of the checksum");
    let place = copied(&whole);
    behind(&place, |blocks| blocks.base().apply(vec![(ledger::KEY.to_vec(), None)]).unwrap());
    assert!(refused(&place).contains("its ledger is missing"));
    let place = copied(&whole);
    behind(&place, |blocks| blocks.base().apply(vec![(ledger::KEY.to_vec(), Some(b"junk".to_vec()))]).unwrap());
    assert!(refused(&place).contains("its ledger does not verify"));
}

/// All of it is there, and whoever asks for one of its records would not find it.
#[test]
fn a_block_that_is_not_where_it_is_looked_for_is_met_at_open() {
    for whole in each() {
        filled(&whole, 1);
        let key = |n: u128| [&[1], Key::Delivery(id(n)).encode().as_slice()].concat();
        let mut blocks = Vec::new();
        behind(&whole, |held| {
            held.base()
                .forward(&key(0), &key(500), &mut |at, bytes| {
                    blocks.push((at.to_vec(), bytes.to_vec()));
                    true
                })
                .unwrap();
        });
        let (at, bytes) = blocks.swap_remove(1);
        for moved in [[&at[..], &[0]].concat(), key(499)] {
            let place = copied(&whole);
            behind(&place, |held| {
                held.base().apply(vec![(at.clone(), None), (moved.clone(), Some(bytes.clone()))]).unwrap();
            });
            assert!(refused(&place).contains("is not where it is looked for"));
        }
    }
}

/// The hash counts a record in doubt as it is, so that what replaces it later leaves a hash that fits.
#[test]
fn a_record_in_doubt_does_not_blind_its_table_for_ever() {
    let place = fresh();
    filled(&place, 1);
    let key = Key::Delivery(id(3));
    behind(&place, |blocks| tamper(blocks, &key.encode(), Some(b"junk".to_vec())));
    for _ in 0..2 {
        let store = place.open().unwrap();
        assert_eq!(store.damaged().len(), 1);
    }
    let store = place.open().unwrap();
    let mended = codec::seal(&key, 1, &(3_u64, 0_u8, "text"));
    store.commit(puts([(key.clone(), mended)])).unwrap();
    store.close().unwrap();
    assert_eq!(place.open().unwrap().damaged(), []);
    behind(&place, |blocks| tamper(blocks, &key.encode(), Some(codec::seal(&key, 1, &(3_u64, 9_u8, "text")))));
    assert!(refused(&place).contains("table delivery"));
}

/// Makes of a store one as an older version wrote it: each record under a key of its own, and the number of the last commit.
fn older(place: &Place, version: u32) {
    let records = verified(place).unwrap();
    fs::remove_dir_all(place.path().join("sled")).unwrap();
    let base = opening::base(&place.path(), StoreKind::Sled, 8 << 20).unwrap();
    let mut counted = Ledger::default().numbered(3);
    let mut batch = Vec::new();
    for (key, value) in records {
        let value = if key == format::KEY { codec::seal(&format::KEY, 1, &version) } else { value };
        counted.change(&key.encode(), None, Some(&value));
        batch.push((key.encode(), Some(value)));
    }
    match version {
        1 => batch.push((format::LAST.to_vec(), Some(mark::note(3).to_vec()))),
        _ => batch.push((ledger::KEY.to_vec(), Some(counted.encode()))),
    }
    base.apply(batch).unwrap();
    base.sync().unwrap();
    base.release();
    fs::write(place.path().join("mark"), mark::note(3)).unwrap();
}

#[test]
fn a_store_of_an_older_format_is_opened_and_raised() {
    for version in [1, 2] {
        let place = fresh();
        filled(&place, 1);
        let records = verified(&place).unwrap();
        older(&place, version);
        let examined = |place: &Place| Wreck::open(&place.path(), Scratch::beside(&place.path()).unwrap()).unwrap();
        let whole = examined(&place);
        assert!(whole.gap.is_none() && whole.refusal.is_none() && whole.is_counted(), "{:?}", whole.refusal);
        assert_eq!((whole.format, whole.commit()), (Some(version), Some(3)));
        let behind_its_mark = copied(&place);
        fs::write(behind_its_mark.path().join("mark"), mark::note(4)).unwrap();
        assert!(
            examined(&behind_its_mark).gap.unwrap().to_string().contains("number 3, but number 4 was acknowledged")
        );
        assert!(refused(&behind_its_mark).contains("number 3, but number 4 was acknowledged"));
        assert_eq!(verified(&place).unwrap(), records);
        assert_eq!(verified(&place).unwrap(), records, "and again");
        let raised = examined(&place);
        assert_eq!((raised.format, raised.is_counted()), (Some(format::FORMAT), true));
        let mut names: Vec<String> = fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["journal", "lock", "mark", "sled"]);
        behind(&place, |blocks| tamper(blocks, &Key::Delivery(id(1)).encode(), None));
        assert!(refused(&place).contains("1 of 200 records is missing"));
    }
}

/// A crash while an older store is raised leaves the old one, or the new one.
#[test]
fn raising_is_interrupted_without_harm() {
    let place = fresh();
    filled(&place, 1);
    let records = verified(&place).unwrap();
    older(&place, 2);
    let begun = copied(&place);
    fs::create_dir_all(begun.path().join("raised").join("sled")).unwrap();
    assert_eq!(verified(&begun).unwrap(), records, "before the names are changed");
    let between = copied(&place);
    fs::rename(between.path().join("sled"), between.path().join("sled.old")).unwrap();
    convert::finish(&between.path()).unwrap();
    assert_eq!(verified(&between).unwrap(), records, "between the names");
    let after = copied(&place);
    assert_eq!(verified(&after).unwrap(), records);
    copy(&place.path().join("sled"), &after.path().join("sled.old"));
    assert_eq!(verified(&after).unwrap(), records, "before the old one goes");
    assert!(!after.path().join("sled.old").exists());
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
        place.accepting().unwrap();
        assert_eq!(verified(&place).unwrap().len(), 241);
    }
}

#[test]
fn an_error_of_the_base_ends_the_store_and_loses_nothing() {
    for place in each() {
        let store = place.open().unwrap();
        store.commit(puts([(Key::Delivery(id(1)), vec![1])])).unwrap();
        let failed = store.shared.with_blocks(|_| Err::<(), _>(StoreError::corrupt("out of bounds"))).unwrap_err();
        assert_eq!(failed.kind(), StoreErrorKind::Corrupt);
        assert_eq!(store.commit(Writes::new()).unwrap_err().kind(), StoreErrorKind::Failed);
        drop(store);
        assert_eq!(place.open().unwrap().get(&Key::Delivery(id(1))).unwrap(), Some(vec![1]));
    }
}

/// Read whole behind the start, while commits and merges go on.
#[test]
fn a_store_is_read_whole_behind_the_start() {
    for place in each() {
        filled(&place, 1);
        let key = Key::Delivery(id(190));
        let whole = copied(&place);
        behind(&place, |blocks| tamper(blocks, &key.encode(), None));
        for (place, is_whole) in [(whole, true), (place, false)] {
            let base = opening::base(&place.path(), place.1, 8 << 20).unwrap();
            let counted = base.get(ledger::KEY).unwrap().and_then(|bytes| Ledger::decode(&bytes)).unwrap();
            let blocks = Blocks::new(base, counted.clone());
            blocks.begin_check();
            let mut round = 0_u8;
            let read = loop {
                if let Some(read) = blocks.check_some(3).unwrap() {
                    break read;
                }
                round += 1;
                // Before, at and behind where the reading is; blocks are cut and put together.
                let changes = (0..200_u128).step_by(usize::from(round % 7) + 1).map(|n| {
                    let key = Key::Delivery(id(n * 1_000 % 997));
                    let value = (!round.is_multiple_of(3))
                        .then(|| codec::seal(&key, 1, &"text".repeat(usize::from(round) * 9)));
                    (key.encode(), value)
                });
                blocks
                    .merge(&changes.filter(|(changed, _)| *changed != key.encode()).collect(), counted.commit)
                    .unwrap();
            };
            assert!(round > 3, "nothing went on meanwhile");
            let judged = read.0.judge(&read.1);
            assert_eq!(judged.is_ok(), is_whole, "{judged:?}");
            blocks.release();
        }
    }
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
        assert!(refused(&older).contains("number 2, but number 6 was acknowledged"));
    }
    older.accepting().unwrap();
    assert_eq!(verified(&older).unwrap().len(), 241);
    assert_eq!(verified(&place).unwrap().len(), 241);
}

#[test]
fn a_cut_file_is_survived() {
    let whole = fresh();
    filled(&whole, 3);
    let length = fs::metadata(whole.base()).unwrap().len();
    for cut in [1, 100, 4096, 100_000, length / 2, length - 10, length] {
        let place = copied(&whole);
        File::options().write(true).open(place.base()).unwrap().set_len(length - cut).unwrap();
        judge(&verified(&place), 2, &format!("cut by {cut} of {length}"));
    }
}

#[test]
fn flipped_bits_are_survived() {
    let whole = fresh();
    filled(&whole, 3);
    let bytes = fs::read(whole.base()).unwrap();
    for n in 0..24_u64 {
        let place = copied(&whole);
        let mut damaged = bytes.clone();
        let bit = usize::try_from(outlast_state::hash(n, 1)).unwrap() % (bytes.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(place.base(), damaged).unwrap();
        judge(&verified(&place), 2, &format!("bit {bit}"));
    }
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
