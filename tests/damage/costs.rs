//! What the checks cost. Not run by itself: `cargo test --release --test damage -- --ignored --nocapture costs`.

use std::time::Instant;

use outlast::state::DeliveryId;
use outlast::store::{DiskOptions, DiskStore, Key, Store, Writes, codec};

const VALUE: usize = 400;

fn batch(from: u64, size: u64) -> Writes {
    let mut writes = Writes::new();
    for n in from..from + size {
        // Ids that spread as those of a running engine do: in order, with some rewritten.
        let key = Key::Delivery(DeliveryId::from_u128(u128::from(n % 20_000)));
        let value = codec::seal(&key, 1, &vec![7_u8; VALUE]);
        writes.put(key, value);
    }
    writes
}

#[test]
#[ignore = "a measurement, not a test"]
fn commits() {
    for size in [1_u64, 64, 256] {
        let mut rates = Vec::new();
        for _ in 0..5 {
            let place = tempfile::tempdir().unwrap();
            let store = DiskStore::open(&place.path().join("data"), &DiskOptions::default()).unwrap();
            let count = 2_000.min(200_000 / size);
            for n in 0..40 {
                store.commit(batch(n * size, size)).unwrap();
            }
            let began = Instant::now();
            for n in 0..count {
                store.commit(batch(n * size, size)).unwrap();
            }
            rates.push(f64::from(u32::try_from(count).unwrap()) / began.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        println!("commits of {size:3} puts: {:8.1}/s median of {rates:.0?}", rates[2]);
    }
}

#[test]
#[ignore = "a measurement, not a test"]
fn opening() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("data");
    let store = DiskStore::open(&path, &DiskOptions::default()).unwrap();
    for part in 0..400_u128 {
        let mut writes = Writes::new();
        for n in 0..250_u128 {
            let id = DeliveryId::from_u128(part * 250 + n);
            for (key, size) in [(Key::Delivery(id), 250), (Key::Parcel(id), 600)] {
                let value = codec::seal(&key, 1, &vec![7_u8; size]);
                writes.put(key, value);
            }
        }
        store.commit(writes).unwrap();
    }
    store.close().unwrap();
    for round in 0..4 {
        let began = Instant::now();
        let store = DiskStore::open(&path, &DiskOptions::default()).unwrap();
        println!("opening 100 000 deliveries (200 000 records), time {round}: {:?}", began.elapsed());
        let began = Instant::now();
        drop(store);
        println!("  closing: {:?}", began.elapsed());
    }
}
