//! The gate: what is asked of it for each request.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use outlast_state::{Epoch, Evidence, Gate, Room, Span, Time, Token, TokenProof};

const NOW: Time = Time::from_millis(1_800_003_600_000);
const AN_HOUR_AGO: Time = Time::from_millis(1_800_000_000_000);

/// A gate that is open: its token is old, and many requests with it were accepted.
fn flowing() -> Gate {
    let epoch = Epoch::NONE.next();
    let token = Token {
        epoch,
        issued: AN_HOUR_AGO,
        expires: NOW.after(Span::from_secs(3600)),
        proof: TokenProof::Unproven { refusals: 0 },
    };
    (0..500).fold(Gate::of(&token), |gate, _| gate.sent(epoch, NOW).answered(epoch, NOW, Evidence::Accepted, NOW))
}

fn gate(criterion: &mut Criterion) {
    let (gate, epoch) = (flowing(), Epoch::NONE.next());
    assert!(matches!(gate.room(NOW), Room::Open { requests, .. } if requests > 64), "{gate:?}");
    criterion.bench_function("gate/room", |bencher| bencher.iter(|| black_box(gate).room(black_box(NOW))));
    for (name, evidence) in [("accepted", Evidence::Accepted), ("refused", Evidence::Refused)] {
        criterion.bench_function(&format!("gate/sent and {name}"), |bencher| {
            bencher.iter(|| black_box(gate).sent(epoch, NOW).answered(epoch, NOW, evidence, NOW));
        });
    }
}

criterion_group!(benches, gate);
criterion_main!(benches);
