//! A store that is killed at any moment, again and again, while it merges: what is left of it holds what was committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::super::*;
use super::{Place, copy, each, of};
use crate::store::conformance::{everything, id};
use crate::store::format;
use crate::store::keys::Meta;

/// A journal of the first is merged after each commit, of the last never while the store is open.
const JOURNALS: [u64; 4] = [1, 2_000, 30_000, 32 << 20];

#[derive(Clone, Debug)]
enum Act {
    /// Of up to this many records, some of them large; which, is drawn from the number.
    Commit { draw: u64, records: u64 },
    /// Its process is killed, and the next one has a journal of this size.
    Kill { journal: usize },
    /// It is closed, and opened again.
    Close { journal: usize },
    /// It is killed, and again while it is opened.
    KillTwice { journal: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let journal = || 0..JOURNALS.len();
    prop_oneof![
        12 => (any::<u64>(), 1..40_u64).prop_map(|(draw, records)| Act::Commit { draw, records }),
        3 => journal().prop_map(|journal| Act::Kill { journal }),
        1 => journal().prop_map(|journal| Act::Close { journal }),
        1 => journal().prop_map(|journal| Act::KillTwice { journal }),
    ]
}

/// The writes of a commit: few keys, so that blocks are cut, put together and emptied.
fn writes(draw: u64, records: u64) -> Writes {
    let mut writes = Writes::new();
    for n in 0..records {
        let draw = outlast_state::hash(draw, n);
        let name = draw / 64 % 120;
        let key = match draw % 4 {
            0 | 1 => Key::Delivery(id(u128::from(name) << 40)),
            2 => Key::Body(id(u128::from(name)), 1),
            _ => Key::Credential(format!("name {name}")),
        };
        let length = if draw.is_multiple_of(9) { 4096 } else { usize::try_from(draw >> 40).unwrap() % 500 };
        if (draw / 8).is_multiple_of(3) {
            writes.delete(key);
        } else {
            writes.put(key, vec![u8::try_from(draw % 251).unwrap(); length]);
        }
    }
    writes
}

/// What a kill at one moment leaves: nothing changed while it was copied.
fn image(from: &Path, to: &Path) {
    loop {
        let before = files(from);
        let _ = fs::remove_dir_all(to);
        copy(from, to);
        if before == files(from) && before == files(to) {
            return;
        }
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path).into_iter().map(|(name, bytes)| (path.join(name), bytes)));
        } else if let Ok(bytes) = fs::read(&path) {
            files.insert(path, bytes);
        }
    }
    files.into_iter().map(|(path, bytes)| (path.strip_prefix(folder).unwrap_or(&path).to_owned(), bytes)).collect()
}

fn opened(place: &Place, journal: usize) -> DiskStore {
    let options = DiskOptions { journal_bytes: JOURNALS[journal], ..place.options() };
    DiskStore::open(&place.path(), &options).unwrap()
}

fn follow(kind: StoreKind, acts: &[Act]) -> Result<(), TestCaseError> {
    let mut place = of(kind);
    let mut store = opened(&place, 0);
    let mut model = BTreeMap::from([(Key::Meta(Meta::Format), format::record())]);
    for act in acts {
        match act {
            Act::Commit { draw, records } => {
                let writes = writes(*draw, *records);
                for (key, value) in writes.iter() {
                    match value {
                        Some(value) => drop(model.insert(key.clone(), value.to_vec())),
                        None => drop(model.remove(key)),
                    }
                }
                store.commit(writes).unwrap();
            }
            Act::Close { journal } => {
                store.close().unwrap();
                store = opened(&place, *journal);
            }
            Act::Kill { journal } | Act::KillTwice { journal } => {
                for _ in 0..if matches!(act, Act::Kill { .. }) { 1 } else { 2 } {
                    let left = of(kind);
                    image(&place.path(), &left.path());
                    store.shared.die();
                    drop(store);
                    place = left;
                    store = opened(&place, *journal);
                }
            }
        }
        prop_assert_eq!(&everything(&store).unwrap(), &model, "after {:?}", act);
    }
    for (key, value) in &model {
        prop_assert_eq!(store.get(key).unwrap(), Some(value.clone()));
    }
    store.close().unwrap();
    prop_assert_eq!(&everything(&opened(&place, 0)).unwrap(), &model, "after a clean end");
    Ok(())
}

#[test]
fn what_was_committed_survives_any_kills_and_merges() {
    for place in each() {
        let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&vec(act(), 1..40), |acts| follow(place.1, &acts));
        if let Err(failure) = outcome {
            panic!("{}: {failure}", place.1.name());
        }
    }
}
