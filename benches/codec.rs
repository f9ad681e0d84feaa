//! Records: what it takes to seal a delivery with a short history, and to open it again.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use outlast::store::{Key, codec};
use outlast_state::{Attempt, Delivery, DeliveryId, DeliveryJournal, Input, Span, State, Time};

const NOW: Time = Time::from_millis(1_800_000_000_000);

/// What is stored of a delivery, but for its names.
fn record() -> (Delivery, DeliveryJournal) {
    let delivery = Delivery {
        id: DeliveryId::from_u128(7),
        state: State::Pending { due: NOW },
        attempt: Attempt::NONE,
        spent: 0,
        budget: 72,
        deadline: NOW.after(Span::from_secs(3600)),
        at_most: 1,
        doubt: false,
    };
    let mut journal = DeliveryJournal::new(delivery);
    let delivery = journal.apply(delivery, Input::Cancelled, NOW, 64);
    (delivery, journal)
}

fn codec(criterion: &mut Criterion) {
    let key = Key::Delivery(DeliveryId::from_u128(7));
    let record = record();
    let sealed = codec::seal(&key, 1, &record);
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Bytes(u64::try_from(sealed.len()).expect("a record is small")));
    group.bench_function("seal a delivery", |bencher| bencher.iter(|| codec::seal(&key, 1, black_box(&record))));
    group.bench_function("open a delivery", |bencher| {
        bencher.iter(|| {
            let (_, payload) = codec::open(&key, black_box(&sealed)).expect("it was sealed above");
            payload.decode::<(Delivery, DeliveryJournal)>().expect("it was sealed above")
        });
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
