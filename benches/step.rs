//! The rules: one step of a delivery and of a credential, and a life folded from its journal.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use outlast_state::{
    Attempt, Batch, Choice, Delivery, DeliveryId, DeliveryJournal, Epoch, Input, Load, Receipt, Seen, Span, State,
    Time, Verdict,
};

const NOW: Time = Time::from_millis(1_800_000_000_000);

fn fresh() -> Delivery {
    Delivery {
        id: DeliveryId::from_u128(7),
        state: State::Pending { due: NOW },
        attempt: Attempt::NONE,
        spent: 0,
        budget: 72,
        deadline: NOW.after(Span::from_secs(3600)),
        at_most: 1,
        doubt: false,
    }
}

/// One request, admitted and answered at `now`; what is to be sent again is so a second later.
fn request(attempt: Attempt, verdict: Verdict, now: Time) -> [(Input, Time); 2] {
    let (epoch, by, batch) = (Epoch::NONE.next(), now.after(Span::from_secs(30)), Batch::from_number(1));
    let choice = Choice::Again { at: now.after(Span::from_secs(1)) };
    [
        (Input::Admitted { attempt, epoch, by, batch, index: 0, of: 1 }, now),
        (Input::Answered { attempt, verdict, seen: Seen::NONE, choice }, now),
    ]
}

/// Busy, then accepted.
fn life() -> Vec<(Input, Time)> {
    let (first, second) = (Attempt::NONE.next(), Attempt::NONE.next().next());
    let busy = Verdict::Busy { after: Span::ZERO, load: Load::Failing };
    let accepted = Verdict::Accepted { receipt: Receipt { status: 201 } };
    [request(first, busy, NOW), request(second, accepted, NOW.after(Span::from_secs(2)))].concat()
}

fn step(criterion: &mut Criterion) {
    let life = life();
    let end = life.iter().fold(fresh(), |delivery, (input, at)| delivery.step(*input, *at));
    assert!(matches!(end.state, State::Done { .. }), "what is measured is a delivery that arrives: {end:?}");
    criterion.bench_function("step/life of two attempts", |bencher| {
        bencher.iter(|| {
            black_box(&life).iter().fold(black_box(fresh()), |delivery, (input, at)| delivery.step(*input, *at))
        });
    });
    criterion.bench_function("step/the same with its journal", |bencher| {
        bencher.iter(|| {
            let mut journal = DeliveryJournal::new(fresh());
            let apply = |delivery, (input, at): &(Input, Time)| journal.apply(delivery, *input, *at, 64);
            let end = black_box(&life).iter().fold(fresh(), apply);
            (end, journal)
        });
    });
}

criterion_group!(benches, step);
criterion_main!(benches);
