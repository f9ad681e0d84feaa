use super::*;
use crate::store::conformance::{self, Subject, everything, id, puts};
use std::cell::RefCell;
use std::thread;

/// The suite opens what a subject holds; in memory that is the last handle.
#[derive(Default)]
struct Place(RefCell<Option<MemoryStore>>);

impl Subject for Place {
    type Store = MemoryStore;

    fn open(&self) -> Result<MemoryStore, StoreError> {
        let mut last = self.0.borrow_mut();
        let opened = match &*last {
            Some(store) => store.reopen()?,
            None => MemoryStore::new(),
        };
        *last = Some(opened.clone());
        Ok(opened)
    }

    fn break_barrier(&self, store: &MemoryStore) {
        store.fail_barrier(1, StoreErrorKind::Io);
    }
}

conformance::suite!(Place::default());

fn put(n: u128, value: u8) -> Writes {
    puts([(Key::Delivery(id(n)), vec![value])])
}

fn values(store: &MemoryStore) -> Vec<u8> {
    store.scan(Table::Delivery, None, usize::MAX).unwrap().into_iter().map(|(_, value)| value[0]).collect()
}

/// Three commits that a crash may undo, after one that it may not.
fn three_unsynced() -> MemoryStore {
    let store = MemoryStore::new();
    store.commit(put(0, 10)).unwrap();
    for (n, value) in (1..=3).zip(11..) {
        store.write(put(n, value)).unwrap();
    }
    store
}

#[test]
fn readers_see_what_a_crash_undoes() {
    let store = three_unsynced();
    assert_eq!((values(&store), store.unsynced()), (vec![10, 11, 12, 13], 3));
    assert_eq!(store.durable(&Key::Delivery(id(0))), Some(vec![10]));
    assert_eq!(store.durable(&Key::Delivery(id(1))), None);
    store.crash(Fate::LoseAll);
    assert_eq!(values(&store.reopen().unwrap()), [10]);
}

#[test]
fn a_kill_undoes_nothing() {
    let store = three_unsynced();
    store.crash(Fate::KeepAll);
    assert_eq!(values(&store.reopen().unwrap()), [10, 11, 12, 13]);
}

#[test]
fn any_subset_may_survive_also_without_the_middle() {
    for mask in 0..8_u64 {
        let store = three_unsynced();
        store.crash(Fate::Mask(mask));
        let expected: Vec<u8> =
            std::iter::once(10).chain((0..3).filter(|bit| mask >> bit & 1 == 1).map(|bit| 11 + bit)).collect();
        assert_eq!(values(&store.reopen().unwrap()), expected, "mask {mask}");
    }
}

#[test]
fn a_seed_is_a_subset_and_all_subsets_have_seeds() {
    let survivors = |seed| {
        let store = three_unsynced();
        store.crash(Fate::Seeded(seed));
        values(&store.reopen().unwrap())
    };
    let seen: std::collections::BTreeSet<Vec<u8>> = (0..100).map(survivors).collect();
    assert_eq!(seen.len(), 8);
    assert_eq!(survivors(5), survivors(5));
}

#[test]
fn a_commit_survives_whole_and_in_order() {
    let store = MemoryStore::new();
    store.write(puts((0..9).map(|n| (Key::Delivery(id(n)), vec![1])))).unwrap();
    let mut second = puts((0..9).map(|n| (Key::Delivery(id(n)), vec![2])));
    second.delete(Key::Delivery(id(4)));
    store.write(second).unwrap();
    store.crash(Fate::Mask(0b11));
    assert_eq!(values(&store.reopen().unwrap()), [2; 8]);
}

#[test]
fn a_barrier_covers_all_that_was_written_before() {
    let store = three_unsynced();
    store.barrier().unwrap();
    store.write(put(9, 19)).unwrap();
    store.crash(Fate::LoseAll);
    assert_eq!(values(&store.reopen().unwrap()), [10, 11, 12, 13]);
}

#[test]
fn the_nth_write_fails_and_ends_the_store() {
    for n in 1..=3 {
        let store = MemoryStore::new();
        store.fail_write(n, StoreErrorKind::Full);
        for before in 1..n {
            store.commit(put(before.into(), 1)).unwrap();
        }
        assert_eq!(store.commit(put(n.into(), 1)).unwrap_err().kind(), StoreErrorKind::Full);
        assert_eq!(store.commit(put(9, 1)).unwrap_err().kind(), StoreErrorKind::Failed);
        assert_eq!(store.counts(), (n, n - 1));
        store.crash(Fate::LoseAll);
        assert_eq!(values(&store.reopen().unwrap()).len(), usize::try_from(n - 1).unwrap());
    }
}

#[test]
fn a_failed_commit_may_survive_nevertheless() {
    for break_it in [MemoryStore::fail_write, MemoryStore::fail_barrier] {
        let store = MemoryStore::new();
        break_it(&store, 1, StoreErrorKind::Io);
        assert_eq!(store.commit(put(1, 1)).unwrap_err().kind(), StoreErrorKind::Io);
        assert_eq!(store.durable(&Key::Delivery(id(1))), None);
        store.crash(Fate::KeepAll);
        let again = store.reopen().unwrap();
        assert_eq!(values(&again), [1]);
        again.commit(put(2, 2)).unwrap();
    }
}

#[test]
fn a_handle_from_before_a_crash_is_dead_for_ever() {
    let old = MemoryStore::new();
    assert_eq!(old.reopen().err().unwrap().kind(), StoreErrorKind::Held);
    old.crash(Fate::LoseAll);
    assert_eq!(old.commit(put(1, 1)).unwrap_err().kind(), StoreErrorKind::Failed);
    let new = old.reopen().unwrap();
    assert_eq!(old.commit(put(1, 1)).unwrap_err().kind(), StoreErrorKind::Failed);
    old.crash(Fate::LoseAll);
    old.close().unwrap();
    new.commit(put(2, 2)).unwrap();
    assert_eq!(values(&new), [2]);
}

#[test]
fn a_held_barrier_holds_its_commit() {
    let store = MemoryStore::new();
    store.hold_barriers();
    let committer = thread::spawn({
        let store = store.clone();
        move || store.commit(put(1, 1))
    });
    store.wait_for_barrier();
    assert!(!committer.is_finished());
    assert_eq!((values(&store), store.durable(&Key::Delivery(id(1)))), (vec![1], None));
    store.release_barriers();
    assert_eq!(committer.join().unwrap().unwrap().sequence(), 1);
    assert_eq!(store.durable(&Key::Delivery(id(1))), Some(vec![1]));
}

#[test]
fn a_crash_frees_who_hangs_in_a_barrier() {
    let store = MemoryStore::new();
    store.hold_barriers();
    let committer = thread::spawn({
        let store = store.clone();
        move || store.commit(put(1, 1))
    });
    store.wait_for_barrier();
    store.crash(Fate::LoseAll);
    assert_eq!(committer.join().unwrap().unwrap_err().kind(), StoreErrorKind::Failed);
    assert_eq!(values(&store.reopen().unwrap()), [] as [u8; 0]);
}

#[test]
fn a_damaged_record_is_read_as_it_is_and_a_damaged_format_is_not_opened() {
    let store = MemoryStore::new();
    store.commit(put(1, 1)).unwrap();
    assert!(store.tamper(&Key::Delivery(id(1)), |record| record[0] = 99));
    assert!(!store.tamper(&Key::Delivery(id(2)), Vec::clear));
    assert_eq!(values(&store), [99]);
    assert!(store.tamper(&format::KEY, |record| record[1] ^= 1));
    store.crash(Fate::LoseAll);
    assert_eq!(store.reopen().err().unwrap().kind(), StoreErrorKind::Corrupt);
}

#[test]
fn what_is_durable_is_listed() {
    let store = three_unsynced();
    let listed: BTreeMap<Key, Vec<u8>> = store.durable_records().into_iter().collect();
    store.crash(Fate::LoseAll);
    assert_eq!(everything(&store.reopen().unwrap()).unwrap(), listed);
}
