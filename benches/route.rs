//! What lies between an event and its request: the subscription, the mapping, the fields, the drafts. `route/parse alone` is
//! what they are held against.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use outlast::destination::linkedin::{self, Conversions};
use outlast::destination::{Conversation, Destination, Item, Memory, Turn};
use outlast::exchange::{Answer, Exchange};
use outlast::route::fields::Empties;
use outlast::route::subscription::Subscription;
use outlast::route::{Draft, Event, Route};
use outlast_state::{DeliveryId, Time};
use serde_json::{Value, json};

/// Soon after what happened in the event.
const NOW: Time = Time::from_millis(1_773_482_405_000);

/// An order of 600 bytes.
fn body() -> Vec<u8> {
    let order = |note: &str| {
        json!({
            "messageId": "ajs-next-1773482400000-1f0c", "type": "track", "event": "Order Completed", "userId": "u-4711",
            "timestamp": "2026-03-14T10:00:00.000Z", "traits": {"email": "ada.miller@example.org"},
            "properties": {
                "orderId": "o-981", "revenue": 49.5, "currency": "EUR", "coupon": null,
                "products": [{"sku": "a-1", "quantity": 2}, {"sku": "b-2", "quantity": 1}], "note": note,
            },
            "context": {"library": {"name": "analytics.js", "version": "2.11.1"}, "page": {"path": "/checkout"}},
        })
        .to_string()
    };
    let shortest = order("").len();
    order(&"x".repeat(600_usize.saturating_sub(shortest))).into_bytes()
}

fn destination() -> Conversions {
    linkedin::conversions().rule("789123").build().expect("a rule is all that it needs")
}

fn route(name: &str, when: Option<&str>) -> Route {
    let destination = destination();
    let action = destination.actions().first().expect("it streams conversions");
    let draft = Draft { when: when.map(str::to_owned), ..Draft::default() };
    Route::new(name, action, &draft).expect("the action is sound")
}

/// A whole attempt but for its request: from the body to what the answer means.
fn attempt(destination: &Conversions, route: &Route, body: &[u8], answered: &[Exchange]) -> [Turn; 2] {
    let event = Event::read(body).expect("it is an event");
    assert!(route.takes(event.value()));
    let payload = route.payload(event.value(), destination.empties()).expect("it fits");
    let (id, action, saved) = (DeliveryId::from_u128(7), route.action().slug(), route.saved());
    let items = [Item { id, body, action, payload: &payload.fields, saved }];
    assert_eq!(destination.check(&items[0], NOW), Ok(()));
    let begun = Conversation::begin(&items, NOW);
    let over = Conversation { items: &items, so_far: answered, memory: Memory::EMPTY, began: NOW };
    [destination.converse(&begun), destination.converse(&over)]
}

/// The request of an attempt, answered well.
fn answered(destination: &Conversions, route: &Route, body: &[u8]) -> Vec<Exchange> {
    let [Turn::Ask(request), _] = attempt(destination, route, body, &[]) else {
        panic!("what is measured is an order that is sent");
    };
    let answer = Answer { status: 201, headers: Vec::new(), body: Vec::new(), received: NOW };
    vec![Exchange { request, answer }]
}

fn parts(criterion: &mut Criterion) {
    let (body, route) = (body(), route("orders", None));
    let event = Event::read(body.as_slice()).expect("it is an event");
    let event = event.value();
    let Some(Value::Object(fields)) = route.mapping().resolve(event).expect("it resolves") else {
        panic!("what is measured is a mapping of fields");
    };
    let schema = route.action().schema();
    let long =
        r#"type = "track" and event = "Order Completed" and (properties.revenue > 10 or properties.coupon = null)"#;
    let long = Subscription::parse(long).expect("it is a subscription");
    let mut group = criterion.benchmark_group("route");
    group.bench_function("parse alone", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Value>(black_box(&body)));
    });
    group.bench_function("match one term", |bencher| bencher.iter(|| route.takes(black_box(event))));
    group.bench_function("match three terms", |bencher| bencher.iter(|| long.matches(black_box(event))));
    group.bench_function("resolve the conversions' mapping", |bencher| {
        bencher.iter(|| route.mapping().resolve(black_box(event)));
    });
    group.bench_function("clean its fields, with a copy of them", |bencher| {
        bencher.iter(|| schema.clean(black_box(&fields).clone(), Empties::Blank));
    });
    group.bench_function("copy its fields", |bencher| bencher.iter(|| black_box(&fields).clone()));
    group.finish();
}

fn whole(criterion: &mut Criterion) {
    let (destination, body, route) = (destination(), body(), route("orders", None));
    let answered = answered(&destination, &route, &body);
    criterion.bench_function("route/an attempt but for its request", |bencher| {
        bencher.iter(|| attempt(&destination, &route, black_box(&body), &answered));
    });
}

fn many(criterion: &mut Criterion) {
    let event = Event::read(body()).expect("it is an event");
    let other = |number: u32| Some(format!(r#"type = "track" and event = "Step {number}""#));
    let routes: Vec<Route> = (0..100).map(|number| route(&format!("r{number}"), other(number).as_deref())).collect();
    criterion.bench_function("route/match none of 100 routes", |bencher| {
        bencher.iter(|| routes.iter().filter(|route| route.takes(black_box(event.value()))).count());
    });
}

criterion_group!(benches, parts, whole, many);
criterion_main!(benches);
