//! The store as it ships, on the disk of the system's directory for temporary files: a commit of 256 records with its
//! barrier, and a read.

use std::cell::Cell;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use outlast::store::{DiskOptions, DiskStore, Key, Store, Writes, codec};
use outlast_state::DeliveryId;

/// How many records a commit holds.
const RECORDS: u128 = 256;

/// What is stored of a delivery takes about so many bytes.
const SIZE: usize = 200;

/// Deliveries that are not there yet, in the order in which an engine names them.
fn writes(first: u128) -> Writes {
    let mut writes = Writes::new();
    for number in first..first + RECORDS {
        let key = Key::Delivery(DeliveryId::from_u128(number));
        let record = codec::seal(&key, 1, &vec![7_u8; SIZE]);
        writes.put(key, record);
    }
    writes
}

fn store(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is a directory for temporary files");
    let store = DiskStore::open(&folder.path().join("store"), &DiskOptions::default()).expect("it is new");
    let next = Cell::new(0);
    let mut group = criterion.benchmark_group("store");
    group.sample_size(20).throughput(Throughput::Elements(256));
    group.bench_function("commit of 256 records", |bencher| {
        let batch = || {
            let first = next.get();
            next.set(first + RECORDS);
            writes(first)
        };
        bencher.iter_batched(batch, |writes| store.commit(writes).expect("the disk works"), BatchSize::SmallInput);
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("commit of nothing: the barrier alone", |bencher| {
        bencher.iter(|| store.commit(Writes::new()).expect("the disk works"));
    });
    let last = next.get();
    let looked = Cell::new(0);
    group.bench_function("get", |bencher| {
        bencher.iter(|| {
            // Far from the one before, as an engine's reads are.
            looked.set((looked.get() + 7_919) % last);
            let found = store.get(black_box(&Key::Delivery(DeliveryId::from_u128(looked.get()))));
            assert!(found.expect("the disk works").is_some());
        });
    });
    group.finish();
    store.close().expect("the disk works");
}

criterion_group!(benches, store);
criterion_main!(benches);
