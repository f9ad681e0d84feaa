//! What every store does alike. A store passes by `conformance::suite!(subject)` in its tests.

use std::cell::RefCell;
use std::collections::BTreeMap;

use outlast_state::{DeliveryId, Epoch};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use super::keys::tests::key;
use super::keys::{Key, Meta, Table};
use super::{GOOD_WRITES, MAX_KEY, MAX_VALUE, MAX_WRITES, Store, StoreError, StoreErrorKind, Writes, format};

/// One place that can hold a store, and the means to break it.
pub(super) trait Subject {
    type Store: Store;

    /// Opens what is there.
    fn open(&self) -> Result<Self::Store, StoreError>;

    /// Makes the next barrier fail.
    fn break_barrier(&self, store: &Self::Store);
}

/// One test for each rule. `$fresh` makes a subject without a store.
macro_rules! suite {
    ($fresh:expr) => {
        $crate::store::conformance::suite!(
            $fresh;
            starts_with_its_format, a_commit_is_read_back, the_later_write_wins, scans_follow_the_key_order,
            a_reopened_store_holds_what_was_committed, what_is_too_large_leaves_nothing, a_large_commit_is_whole,
            an_empty_commit_is_a_barrier, sequences_grow, only_one_has_it_open, the_first_error_is_the_last_word,
            what_failed_survives_whole_or_not_at_all, closing_twice_is_closing_once, behaves_as_its_model
        );
    };
    ($fresh:expr; $($rule:ident),+) => {
        $(
            #[test]
            fn $rule() {
                $crate::store::conformance::$rule(|| $fresh);
            }
        )+
    };
}
pub(super) use suite;

pub(super) fn id(bits: u128) -> DeliveryId {
    DeliveryId::from_u128(bits)
}

pub(super) fn puts(pairs: impl IntoIterator<Item = (Key, Vec<u8>)>) -> Writes {
    let mut writes = Writes::new();
    for (key, value) in pairs {
        writes.put(key, value);
    }
    writes
}

/// All records that a store holds, by reading one table after the other.
pub(super) fn everything(store: &impl Store) -> Result<BTreeMap<Key, Vec<u8>>, StoreError> {
    let mut records = BTreeMap::new();
    for table in Table::ALL {
        records.extend(store.scan(table, None, usize::MAX)?);
    }
    Ok(records)
}

fn kind<T>(outcome: Result<T, StoreError>) -> Option<StoreErrorKind> {
    outcome.err().map(|error| error.kind())
}

pub(super) fn starts_with_its_format<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    let expected = BTreeMap::from([(Key::Meta(Meta::Format), format::record())]);
    assert_eq!(everything(&store).unwrap(), expected);
}

pub(super) fn a_commit_is_read_back<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    let records = [
        (Key::Delivery(id(7)), vec![1, 2]),
        (Key::Body(id(7), 3), vec![9; MAX_VALUE]),
        (Key::Token("acme".into(), Epoch::from_number(2)), Vec::new()),
    ];
    store.commit(puts(records.clone())).unwrap();
    for (key, value) in records {
        assert_eq!(store.get(&key).unwrap(), Some(value), "{key}");
    }
    assert_eq!(store.get(&Key::Delivery(id(8))).unwrap(), None);
    assert!(store.size().unwrap() > 0);
}

pub(super) fn the_later_write_wins<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    let (kept, gone) = (Key::Delivery(id(1)), Key::Delivery(id(2)));
    let mut writes = Writes::new();
    writes.put(kept.clone(), vec![1]);
    writes.delete(kept.clone());
    writes.put(kept.clone(), vec![2]);
    writes.put(gone.clone(), vec![3]);
    writes.delete(gone.clone());
    assert_eq!(writes.len(), 2);
    store.commit(writes).unwrap();
    assert_eq!((store.get(&kept).unwrap(), store.get(&gone).unwrap()), (Some(vec![2]), None));

    let mut writes = puts([(kept.clone(), vec![4])]);
    writes.delete(Key::Delivery(id(99))); // deleting what is not there is no error
    store.commit(writes).unwrap();
    assert_eq!(store.get(&kept).unwrap(), Some(vec![4]));
}

pub(super) fn scans_follow_the_key_order<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    let ids = [0, 1, 255, 256, 1 << 64, u128::MAX];
    let others = [Key::Parcel(id(u128::MAX)), Key::Body(id(0), 0), Key::Body(id(u128::MAX), u16::MAX)];
    let deliveries = ids.map(|bits| Key::Delivery(id(bits)));
    store.commit(puts(deliveries.iter().rev().chain(&others).map(|key| (key.clone(), vec![5])))).unwrap();
    let scanned = |from: Option<&Key>, limit| -> Vec<Key> {
        store.scan(Table::Delivery, from, limit).unwrap().into_iter().map(|(key, _)| key).collect()
    };

    assert_eq!(scanned(None, usize::MAX), deliveries);
    assert_eq!(scanned(None, 2), deliveries[..2]);
    assert_eq!(scanned(None, 0), []);
    assert_eq!(scanned(Some(&deliveries[2]), 2), deliveries[2..4], "inclusive");
    assert_eq!(scanned(Some(&Key::Delivery(id(2))), 1), deliveries[2..3], "from between two keys");
    assert_eq!(scanned(Some(&deliveries[5]), 9), deliveries[5..]);
    assert_eq!(scanned(Some(&Key::Parcel(id(9))), 9), deliveries, "from an earlier table");
    assert_eq!(scanned(Some(&Key::Meta(Meta::Clock)), 9), [], "from a later table");
    assert_eq!(store.scan(Table::Pause, None, 9).unwrap(), []);
}

pub(super) fn a_reopened_store_holds_what_was_committed<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let mut expected = BTreeMap::new();
    for round in 0..3_u8 {
        let store = subject.open().unwrap();
        if round > 0 {
            assert_eq!(everything(&store).unwrap(), expected, "round {round}");
        }
        let mut writes = puts((0..40).map(|n| (Key::Delivery(id(n)), vec![round; 200])));
        writes.delete(Key::Delivery(id(round.into())));
        store.commit(writes).unwrap();
        expected = everything(&store).unwrap();
        store.close().unwrap();
    }
}

pub(super) fn what_is_too_large_leaves_nothing<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    let before = everything(&store).unwrap();
    let good = (Key::Delivery(id(1)), vec![1]);
    let too_large = [
        puts([good.clone(), (Key::Parcel(id(1)), vec![0; MAX_VALUE + 1])]),
        puts([good.clone(), (Key::Pause("p".repeat(MAX_KEY)), vec![1])]),
        puts((0..=MAX_WRITES).map(|n| (Key::Delivery(id(n as u128)), Vec::new()))),
    ];
    for writes in too_large {
        assert_eq!(kind(store.commit(writes)), Some(StoreErrorKind::TooLarge));
        assert_eq!(everything(&store).unwrap(), before);
    }
    store.commit(puts([good, (Key::Pause("p".repeat(MAX_KEY - 1)), vec![0; MAX_VALUE])])).unwrap();
}

pub(super) fn a_large_commit_is_whole<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    let count = u128::try_from(GOOD_WRITES.saturating_mul(5)).unwrap();
    store.commit(puts((0..count).map(|n| (Key::Body(id(n), 1), vec![3; 300])))).unwrap();
    store.close().unwrap();
    let store = subject.open().unwrap();
    assert_eq!(store.scan(Table::Body, None, usize::MAX).unwrap().len() as u128, count);
    let mut writes = Writes::new();
    for n in 0..count {
        writes.delete(Key::Body(id(n), 1));
    }
    store.commit(writes).unwrap();
    assert_eq!(store.scan(Table::Body, None, usize::MAX).unwrap(), []);
}

pub(super) fn an_empty_commit_is_a_barrier<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    store.commit(Writes::new()).unwrap();
    subject.break_barrier(&store);
    assert!(store.commit(Writes::new()).is_err(), "it must reach the disk to know");
}

pub(super) fn sequences_grow<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    let first = store.commit(Writes::new()).unwrap();
    let refused = store.commit(puts([(Key::Parcel(id(1)), vec![0; MAX_VALUE + 1])]));
    assert_eq!(kind(refused), Some(StoreErrorKind::TooLarge));
    let second = store.commit(Writes::new()).unwrap();
    assert_eq!((first.sequence(), second.sequence()), (1, 2));
}

pub(super) fn only_one_has_it_open<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    let refused = subject.open().err().unwrap();
    assert_eq!(refused.kind(), StoreErrorKind::Held);
    let pid = std::process::id().to_string();
    assert!(refused.to_string().contains(&pid), "{refused}");
    store.commit(puts([(Key::Delivery(id(1)), vec![1])])).unwrap();
    store.close().unwrap();
    assert_eq!(subject.open().unwrap().get(&Key::Delivery(id(1))).unwrap(), Some(vec![1]));
}

pub(super) fn the_first_error_is_the_last_word<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    store.commit(puts([(Key::Delivery(id(1)), vec![1])])).unwrap();
    subject.break_barrier(&store);
    let first = store.commit(puts([(Key::Delivery(id(2)), vec![2])])).unwrap_err();
    assert_ne!(first.kind(), StoreErrorKind::Failed);

    let later = [
        store.commit(Writes::new()).map(|_| ()),
        store.get(&Key::Delivery(id(1))).map(|_| ()),
        store.scan(Table::Delivery, None, 1).map(|_| ()),
        store.size().map(|_| ()),
        store.close(),
        store.commit(puts([(Key::Delivery(id(3)), vec![0; MAX_VALUE + 1])])).map(|_| ()),
    ];
    for outcome in later {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Failed);
        assert!(error.to_string().contains(&first.to_string()), "{error} quotes {first}");
    }
    assert!(subject.open().is_ok(), "the failed store was given up");
}

pub(super) fn what_failed_survives_whole_or_not_at_all<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    store.commit(puts((0..50).map(|n| (Key::Delivery(id(n)), vec![1])))).unwrap();
    subject.break_barrier(&store);
    assert!(store.commit(puts((0..50).map(|n| (Key::Delivery(id(n)), vec![2])))).is_err());
    let _ = store.close();
    let store = subject.open().unwrap();
    let found = store.scan(Table::Delivery, None, usize::MAX).unwrap();
    assert_eq!(found.len(), 50);
    assert!(found.windows(2).all(|pair| pair[0].1 == pair[1].1), "part of a commit");
}

pub(super) fn closing_twice_is_closing_once<S: Subject>(fresh: impl Fn() -> S) {
    let subject = fresh();
    let store = subject.open().unwrap();
    store.close().unwrap();
    store.close().unwrap();
    assert_eq!(kind(store.commit(Writes::new())), Some(StoreErrorKind::Failed));
    assert_eq!(kind(store.get(&Key::Meta(Meta::Format))), Some(StoreErrorKind::Failed));
    assert_eq!(kind(store.scan(Table::Meta, None, 1)), Some(StoreErrorKind::Failed));
    assert_eq!(kind(store.size()), Some(StoreErrorKind::Failed));
    drop(store);
    assert!(subject.open().is_ok());
}

/// What a caller does to a store. Keys are picked from a few, so that writes meet.
#[derive(Clone, Debug)]
enum Act {
    Commit(Vec<(Index, Option<Vec<u8>>)>),
    Get(Index),
    Scan(Index, Option<Index>, usize),
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    let value = prop_oneof![4 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), MAX_VALUE..=MAX_VALUE)];
    let write = (any::<Index>(), proptest::option::weighted(0.7, value));
    prop_oneof![
        6 => vec(write, 0..30).prop_map(Act::Commit),
        2 => any::<Index>().prop_map(Act::Get),
        3 => (any::<Index>(), any::<Option<Index>>(), 0..6_usize).prop_map(|(t, f, l)| Act::Scan(t, f, l)),
        1 => Just(Act::Reopen),
    ]
}

pub(super) fn behaves_as_its_model<S: Subject>(fresh: impl Fn() -> S) {
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let acts = (vec(key(), 1..24), vec(act(), 1..30));
    let outcome = TestRunner::new(config).run(&acts, |(keys, acts)| follow(&fresh(), &keys, acts));
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn follow<S: Subject>(subject: &S, keys: &[Key], acts: Vec<Act>) -> Result<(), TestCaseError> {
    let store = RefCell::new(subject.open().unwrap());
    let mut model = BTreeMap::from([(Key::Meta(Meta::Format), format::record())]);
    for act in acts {
        match act {
            Act::Commit(writes) => {
                let mut batch = Writes::new();
                for (index, value) in writes {
                    let key = index.get(keys).clone();
                    if let Some(value) = value {
                        batch.put(key.clone(), value.clone());
                        model.insert(key, value);
                    } else {
                        batch.delete(key.clone());
                        model.remove(&key);
                    }
                }
                store.borrow().commit(batch).unwrap();
            }
            Act::Get(index) => {
                let key = index.get(keys);
                prop_assert_eq!(store.borrow().get(key).unwrap(), model.get(key).cloned());
            }
            Act::Scan(table, from, limit) => {
                let table = *table.get(&Table::ALL);
                let from = from.map(|index| index.get(keys));
                let expected: Vec<(Key, Vec<u8>)> = model
                    .iter()
                    .filter(|(key, _)| key.table() == table && from.is_none_or(|from| *key >= from))
                    .take(limit)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                prop_assert_eq!(store.borrow().scan(table, from, limit).unwrap(), expected);
            }
            Act::Reopen => {
                store.borrow().close().unwrap();
                store.replace(subject.open().unwrap());
            }
        }
    }
    store.borrow().close().unwrap();
    prop_assert_eq!(everything(&subject.open().unwrap()).unwrap(), model);
    Ok(())
}
