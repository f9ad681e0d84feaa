//! What lies between an event and its deliveries: matching it against the routes, mapping and cleaning its fields. Beside it,
//! in the same run, the parsing of the same events alone.

use std::hint::black_box;

use serde_json::Value;

use super::event::SIZE;
use super::figures::Figures;
use super::ground::Ground;
use super::spread::{Spread, rate};
use super::target::{ROUTE, ROUTES};
use crate::cli::failure::Failure;
use crate::clock::Stopwatch;
use crate::destination::{Destination as _, linkedin};
use crate::route::fields::Empties;
use crate::route::{Draft, Event, Misfit, Route, RouteFault};

/// How many routes there are, and how many of them take an event.
#[derive(Clone, Copy)]
struct Shape {
    key: &'static str,
    routes: u32,
    taking: u32,
}

const SHAPES: [Shape; 5] = [
    Shape { key: "route_1_per_s", routes: 1, taking: 1 },
    Shape { key: "route_10_per_s", routes: 10, taking: 10 },
    Shape { key: "route_100_per_s", routes: 100, taking: 100 },
    Shape { key: "route_1_of_10_per_s", routes: 10, taking: 1 },
    Shape { key: "route_1_of_100_per_s", routes: 100, taking: 1 },
];

/// So many different events are gone through, again and again.
const EVENTS: u32 = 64;

/// Events a second of one run.
struct Run {
    parsed: f64,
    shapes: [f64; SHAPES.len()],
}

/// The row `route`.
pub(super) async fn run(ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    let mut runs = Vec::new();
    for _ in 0..ground.scale.runs {
        let events = ground.scale.accepts;
        // It only computes, and a signal must be heard meanwhile.
        runs.push(tokio::task::spawn_blocking(move || measure(events)).await.map_err(failed)??);
    }
    let spread = |figure: &dyn Fn(&Run) -> f64| Spread::of(runs.iter().map(figure));
    let parsed = spread(&|run| run.parsed);
    let [one, ten, hundred, one_of_10, one_of_100] = std::array::from_fn(|at| spread(&|run| of(run, at)));
    figures.spread("parse_per_s", parsed);
    for (shape, rates) in SHAPES.iter().zip([one, ten, hundred, one_of_10, one_of_100]) {
        figures.spread(shape.key, rates);
    }
    let words = format!(
        "{:.0}/s with 1 route, {:.0}/s with 10, {:.0}/s with 100, all taking it; parsed alone {:.0}/s",
        one.median, ten.median, hundred.median, parsed.median
    );
    figures.spread_line(ROUTE, spread(&|run| of(run, 0) / run.parsed), words);
    let words = format!("{:.0}/s with 1 of 10 taking it, {:.0}/s with 1 of 100", one_of_10.median, one_of_100.median);
    figures.spread_line(ROUTES, spread(&|run| of(run, 4) / run.parsed), words);
    Ok(())
}

fn of(run: &Run, shape: usize) -> f64 {
    run.shapes.get(shape).copied().unwrap_or_default()
}

fn measure(events: u64) -> Result<Run, Failure> {
    let bodies: Vec<Vec<u8>> = (0..EVENTS).map(order).collect();
    let parsed = parsed(&bodies, events)?;
    let mut shapes = [0.0; SHAPES.len()];
    for (slot, shape) in shapes.iter_mut().zip(SHAPES) {
        // As many matches with each shape.
        let events = events.div_ceil(u64::from(shape.taking));
        *slot = routed(&bodies, shape, events)?;
    }
    Ok(Run { parsed, shapes })
}

fn parsed(bodies: &[Vec<u8>], events: u64) -> Result<f64, Failure> {
    let watch = Stopwatch::start();
    for (_, body) in (0..events).zip(bodies.iter().cycle()) {
        black_box(serde_json::from_slice::<Value>(black_box(body)).map_err(failed)?);
    }
    Ok(rate(events, watch.elapsed()))
}

/// Events a second that are read, matched against each route, and mapped and cleaned for those that take them.
fn routed(bodies: &[Vec<u8>], shape: Shape, events: u64) -> Result<f64, Failure> {
    let routes = routes(shape)?;
    let (watch, mut payloads) = (Stopwatch::start(), 0_u64);
    for (_, body) in (0..events).zip(bodies.iter().cycle()) {
        let event = Event::read(black_box(body.as_slice())).map_err(failed)?;
        for route in routes.iter().filter(|route| route.takes(event.value())) {
            let payload = route.payload(event.value(), Empties::Blank);
            black_box(payload.map_err(|Misfit { message, advice, .. }| Failure::new(format!("{message} {advice}")))?);
            payloads = payloads.saturating_add(1);
        }
    }
    let took = watch.elapsed();
    let expected = events.saturating_mul(u64::from(shape.taking));
    if payloads != expected {
        return Err(Failure::new(format!("{}: {payloads} payloads were made instead of {expected}", shape.key)));
    }
    Ok(rate(events, took))
}

/// The default route of LinkedIn's conversions, so many times; some take orders and the others something else.
fn routes(shape: Shape) -> Result<Vec<Route>, Failure> {
    let destination = linkedin::conversions().rule("789123").build().map_err(failed)?;
    let action = destination.actions().first().ok_or_else(|| Failure::new("conversions have no action"))?;
    let when = |at: u32| match at.checked_sub(shape.taking) {
        None => r#"type = "track" and event = "Order Completed""#.to_owned(),
        Some(other) => format!(r#"type = "track" and event = "Step {other} Completed""#),
    };
    let route = |at| Route::new(format!("r{at}"), action, &Draft { when: Some(when(at)), ..Draft::default() });
    (0..shape.routes).map(route).collect::<Result<_, Vec<RouteFault>>>().map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::new(faults.join("; "))
    })
}

fn failed(why: impl std::fmt::Display) -> Failure {
    Failure::new(why.to_string())
}

/// An order, as a shop emits it.
fn order(number: u32) -> Vec<u8> {
    let start = format!(
        r#"{{"messageId":"order-{number:012}","type":"track","event":"Order Completed","userId":"u-4711","timestamp":"2026-03-14T10:00:00.000Z","traits":{{"email":"ada.miller@example.org"}},"properties":{{"orderId":"o-981","revenue":49.5,"currency":"EUR","coupon":null,"products":[{{"sku":"a-1","quantity":2}},{{"sku":"b-2","quantity":1}}],"note":""#
    );
    let end = r#""},"context":{"library":{"name":"analytics.js","version":"2.11.1"},"page":{"path":"/checkout"}}}"#;
    let note = SIZE.saturating_sub(start.len()).saturating_sub(end.len());
    format!("{start}{}{end}", "x".repeat(note)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_its_size_and_as_many_routes_take_it_as_the_shape_says() {
        let event = Event::read(order(7)).unwrap();
        assert_eq!((event.body().len(), event.key()), (SIZE, Some("order-000000000007")));
        for shape in SHAPES {
            let routes = routes(shape).unwrap();
            let taking = routes.iter().filter(|route| route.takes(event.value()));
            assert_eq!(
                [routes.len(), taking.count()],
                [shape.routes, shape.taking].map(|count| count as usize),
                "{}",
                shape.key
            );
        }
    }

    #[test]
    fn each_route_that_takes_an_order_makes_all_of_its_fields() {
        let event = Event::read(order(1)).unwrap();
        let payload = routes(SHAPES[0]).unwrap()[0].payload(event.value(), Empties::Blank).unwrap();
        for field in ["conversionHappenedAt", "conversionValue", "eventId", "email"] {
            assert!(payload.fields.get(field).is_some(), "{field} of {payload:?}");
        }
    }
}
