//! The calendar of credentials, as a user meets it.

use outlast::state::{Span, Time};
use outlast::{Authorisation, Redrive, Scope};

use crate::bench::{Bench, DAY};

/// A grant that ends in so many hours.
fn grant(bench: &Bench, hours: u64) -> Authorisation {
    let ends = Time::from_millis(bench.clock.millis()).after(Span::from_secs(hours * 3_600));
    Authorisation { refresh_expires: Some(ends), ..bench.grant("canary-access-1", "canary-refresh-1") }
}

async fn at_risk(engine: &outlast::Engine) -> (u64, u64) {
    let calendar = engine.calendar().await.unwrap().remove(0);
    (calendar.live, calendar.at_risk)
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_at_risk_whose_deadline_lies_beyond_the_end() {
    let bench = Bench::new().await;
    let engine = bench.builder().open().await.unwrap();
    engine.authorise("acme", grant(&bench, 10 * 24)).await.unwrap();
    engine.pause(Scope::Credential("acme".into())).await.unwrap();
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for n in 0..3 {
        let day = Span::from_secs(DAY);
        short.push(engine.submit(bench.parcel(&format!("s-{n}")).time_to_live(day)).await.unwrap());
        long.push(engine.submit(bench.parcel(&format!("l-{n}")).time_to_live(day.times(20))).await.unwrap());
    }
    assert_eq!(at_risk(&engine).await, (6, 3));
    engine.cancel(long[0]).await.unwrap();
    engine.cancel(short[0]).await.unwrap();
    assert_eq!(at_risk(&engine).await, (4, 2));
    // Started again, with deadlines on the other side of the end.
    let for_days = |days| Redrive { time_to_live: Some(Span::from_secs(days * DAY)), ..Redrive::default() };
    engine.redrive(long[0], for_days(2)).await.unwrap();
    engine.redrive(short[0], for_days(11)).await.unwrap();
    assert_eq!(at_risk(&engine).await, (6, 3));
    let before = engine.calendar().await.unwrap();
    let engine = bench.restart(engine).await;
    assert_eq!(engine.calendar().await.unwrap(), before, "a restart changes nothing");
    // With a longer grant nothing is at risk any more.
    engine.authorise("acme", grant(&bench, 100 * 24)).await.unwrap();
    assert_eq!(at_risk(&engine).await, (6, 0));
    engine.resume(Scope::Credential("acme".into())).await.unwrap();
    let ids: Vec<_> = short.into_iter().chain(long).collect();
    bench.all_done(&engine, &ids).await;
    assert_eq!(at_risk(&engine).await, (0, 0));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_without_a_refresh_token_ends_with_its_access_token() {
    let bench = Bench::new().await;
    let engine = bench.builder().open().await.unwrap();
    let grant = Authorisation { refresh: None, ..grant(&bench, 100 * 24) };
    let expires = grant.expires;
    engine.authorise("acme", grant).await.unwrap();
    let id = bench.submit(&engine, "one").await;
    bench.all_done(&engine, &[id]).await;
    let calendar = engine.calendar().await.unwrap().remove(0);
    assert_eq!(calendar.stops_ms, expires.map(Time::as_millis));
    assert_eq!(calendar.refresh_ms, None, "there is nothing to ask with");
    assert!(calendar.proven_ms.is_some());
    let past: Vec<u32> = calendar.warnings.iter().filter(|warning| warning.past).map(|warning| warning.days).collect();
    assert_eq!(past, [30], "it ends in 30 days");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_credential_puts_all_that_waits_at_risk() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.revoke_grant();
    let ids = bench.submit_some(&engine, "parked", 5).await;
    bench.eventually(async || bench.summary(&engine, ids[0]).await.parked).await;
    let calendar = engine.calendar().await.unwrap().remove(0);
    assert!(calendar.dead && calendar.stops_ms.is_some() && calendar.warnings.is_empty(), "{calendar:?}");
    assert_eq!((calendar.live, calendar.at_risk, calendar.refresh_ms), (5, 5, None));
    assert!(calendar.outlook.contains("auth import acme"), "{}", calendar.outlook);
    engine.stop().await.unwrap();
}

#[cfg(feature = "cli")]
mod program {
    use serde_json::{Value, json};

    use crate::cli::{Place, events};

    fn occasions(rows: &Value) -> Vec<(String, Value)> {
        let of = |row: &Value| (row["occasion"].as_str().unwrap().to_owned(), row["days"].clone());
        rows.as_array().unwrap().iter().map(of).collect()
    }

    #[test]
    fn the_program_tells_what_lies_ahead_on_a_store_and_on_a_running_engine() {
        let place = Place::new();
        let never = place.json(&["auth", "calendar"]);
        assert_eq!(occasions(&never), [("died".to_owned(), Value::Null)]);
        assert!(never[0]["text"].as_str().unwrap().contains("was never authorised"));
        let grant = json!({"access_token": "a", "refresh_token": "r", "issued": "-30d", "expires": "+30d",
            "refresh_expires": "+2d"});
        assert_eq!(place.run_with(&["auth", "import", "acme"], &grant.to_string()).code(), 0);
        assert_eq!(place.run(&["pause", "credential", "acme"]).code(), 0);
        assert_eq!(place.run_with(&["send", "-"], &events(3)).code(), 0);
        let rows = place.json(&["auth", "calendar"]);
        let expected = [("warning".to_owned(), json!(1)), ("stops".to_owned(), Value::Null)];
        assert_eq!(occasions(&rows), expected, "30, 14 and 7 days are past");
        assert_eq!((&rows[1]["live"], &rows[1]["at_risk"]), (&json!(3), &json!(3)), "they live for 72 h");
        assert_eq!(occasions(&place.json(&["auth", "calendar", "--days", "1"]))[..], expected[..1]);
        assert_eq!(occasions(&place.json(&["auth", "calendar", "--days", "0"])), []);

        let shown = place.run(&["auth", "calendar"]);
        assert_eq!(shown.code(), 0, "{}", shown.err());
        assert!(shown.out().starts_with("WHEN"), "{}", shown.out());
        for part in ["warning, 1d", "stops", "1d 23h", "Deliveries at risk: 3 of 3.", "outlast auth import acme"] {
            assert!(shown.out().contains(part), "{part} is missing:\n{}", shown.out());
        }
        let list = place.run(&["auth", "list"]).out();
        assert!(list.contains("AT RISK") && list.contains("Its grant ends at"), "{list}");
        assert_eq!(place.json(&["auth", "list"])[0]["calendar"]["at_risk"], 3);

        let file = place.run(&["auth", "calendar", "--ical"]).out();
        let read: icalendar::Calendar = file.parse().unwrap();
        assert_eq!(read.components.len(), 2, "{file}");
        assert!(file.contains("SUMMARY:Credential acme stops in 1 day\r\n"), "{file}");
        assert_eq!(place.run(&["auth", "calendar", "--ical", "--json"]).code(), 2, "one or the other");

        let engine = place.serve();
        assert_eq!(place.json(&["auth", "calendar"]), rows, "it is the same on a running engine");
        drop(engine);
    }
}
