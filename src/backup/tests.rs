use super::*;
use crate::store::keys::Meta;
use outlast_state::{DeliveryId, Epoch};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("from"), place.path().join("to"));
    (place, from, to)
}

/// A store with something in every table, some of it merged and some in the journal.
fn filled(path: &Path, kind: StoreKind) {
    let store = DiskStore::open(path, &DiskOptions { kind, ..DiskOptions::default() }).unwrap();
    let sealed = |key: Key| {
        let value = codec::seal(&key, 1, &key.to_string());
        (key, value)
    };
    for ids in [0..900_u128, 900..1800, 1800..2700] {
        let mut writes = Writes::new();
        for n in ids {
            let id = DeliveryId::from_u128(n);
            for (key, value) in [sealed(Key::Delivery(id)), sealed(Key::Parcel(id)), sealed(Key::Body(id, 1))] {
                writes.put(key, value);
            }
        }
        writes.put(Key::Grant("acme".into()), vec![1, 2, 3]);
        writes.put(Key::Token("acme".into(), Epoch::from_number(2)), vec![4; 100]);
        for key in [Key::Credential("acme".into()), Key::Once([7; 32]), Key::Pause("x".into()), Key::Meta(Meta::Clock)]
        {
            let (key, value) = sealed(key);
            writes.put(key, value);
        }
        store.commit(writes).unwrap();
    }
}

fn everything(path: &Path, kind: StoreKind) -> Vec<(Key, Vec<u8>)> {
    let store = DiskStore::open(path, &DiskOptions { kind, ..DiskOptions::default() }).unwrap();
    assert!(store.damaged().is_empty());
    Table::ALL.into_iter().flat_map(|table| store.scan(table, None, usize::MAX).unwrap()).collect()
}

#[test]
fn a_store_moves_between_kinds_and_back() {
    for from_kind in StoreKind::ALL {
        for to_kind in StoreKind::ALL {
            let (_place, from, to) = place();
            filled(&from, *from_kind);
            let mut text = Vec::new();
            let told = export(&from, &mut text).unwrap();
            assert_eq!(told, Backup { deliveries: 2700, records: 3 * 2700 + 6 });
            assert_eq!(import(&mut text.as_slice(), &to, *to_kind).unwrap(), told);
            assert_eq!(everything(&to, *to_kind), everything(&from, *from_kind));
            assert_eq!(StoreKind::found(&to), Some(*to_kind));
        }
    }
}

#[test]
fn a_backup_that_is_cut_or_changed_is_refused_and_leaves_nothing() {
    let (_place, from, to) = place();
    filled(&from, StoreKind::Sled);
    let mut text = Vec::new();
    export(&from, &mut text).unwrap();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat().concat();
    let mut changed = text.clone();
    let at = text.windows(5).position(|window| window == b"value").unwrap() + 40;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    for (what, backup) in [
        ("cut in a line", text[..text.len() / 2].to_vec()),
        ("cut behind a line", lines[..lines.len() / 2].concat()),
        ("without its last line", lines[..lines.len() - 1].concat()),
        ("without a record", without(500)),
        ("without its first line", without(0)),
        ("with a byte changed", changed),
        ("twice", [text.clone(), text.clone()].concat()),
        ("with a line behind it", [&text[..], b"\n"].concat()),
        ("empty", Vec::new()),
        ("something else", b"{\"type\":\"track\"}\n".to_vec()),
        ("one long line", vec![b'x'; 1 << 20]),
        ("not text", vec![0xFF; 100]),
    ] {
        let refused = import(&mut backup.as_slice(), &to, StoreKind::Sled).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Caller, "{what}: {refused}");
        assert!(refused.to_string().contains("of the backup"), "{what}: {refused}");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 0, "{what}");
    }
    import(&mut text.as_slice(), &to, StoreKind::Sled).unwrap();
    let again = import(&mut text.as_slice(), &to, StoreKind::Sled).unwrap_err();
    assert!(again.to_string().contains("is not empty"), "{again}");
}

#[test]
fn a_damaged_record_is_not_exported() {
    let (_place, from, _to) = place();
    filled(&from, StoreKind::Sled);
    let key = Key::Delivery(DeliveryId::from_u128(7));
    let store = DiskStore::open(&from, &DiskOptions::default()).unwrap();
    let mut writes = Writes::new();
    writes.put(key.clone(), b"junk".to_vec());
    store.commit(writes).unwrap();
    store.close().unwrap();
    let refused = export(&from, &mut Vec::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(refused.to_string().contains(&key.to_string()) && refused.to_string().contains("doctor"), "{refused}");
}
