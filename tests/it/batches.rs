//! Many deliveries in one request: members that are refused, that are told different things, that are sent in halves; a
//! token's death, and crashes between all of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use outlast::destination::linkedin;
use outlast::store::StoreErrorKind;
use outlast::store::memory::Fate;
use outlast::{Builder, Endpoint, Engine, ErrorKind, Filter, Outcome, Parcel};
use outlast_state::DeliveryId;
use serde_json::{Value, json};

use crate::bench::{Bench, Life, START};

fn builder(bench: &Bench) -> Builder {
    let built = linkedin::conversions().rule("789123").api(bench.base()).batch_size(50).build().unwrap();
    bench.bare().destination("conversions", Endpoint::new(built).credential("acme").concurrency(2))
}

/// What becomes of an event is written in its name.
fn parcels(bench: &Bench, names: &str, count: usize) -> Vec<Parcel> {
    let event = |number: usize| {
        let kind = match number % 23 {
            5 => "poison",
            11 => "invalid",
            _ => "good",
        };
        let mut event = bench.event(&format!("{names}-{kind}-{number}"));
        // What is submitted again has the same bytes.
        event["timestamp"] = json!(START - 60_000);
        match kind {
            // The provider's no: it knows no currency of four letters.
            "poison" => event["properties"]["currency"] = json!("EURO"),
            // Ours: there is nobody to count it for.
            "invalid" => event["traits"] = json!({}),
            _ => {}
        }
        Parcel::to("conversions").json(&event).unwrap().once(format!("{names}-{kind}-{number}"))
    };
    (0..count).map(event).collect()
}

async fn submit(bench: &Bench, engine: &Engine, names: &str, count: usize) -> Result<(), outlast::Error> {
    engine.submit_all(parcels(bench, names, count)).await?.into_iter().try_for_each(|one| one.map(drop))
}

/// The elements of each request, with the ordinal of its token and the status of its answer.
fn requests(bench: &Bench) -> Vec<(u64, u64, Vec<Value>)> {
    let lines = bench.log();
    let sent = lines.iter().filter(|line| line["path"] == "/rest/conversionEvents");
    let elements = |body: &Value| body["elements"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
    let one = |line: &Value| {
        (line["token_ordinal"].as_u64().unwrap(), line["answer_status"].as_u64().unwrap_or(0), elements(&line["body"]))
    };
    sent.map(one).collect()
}

/// Each delivery ended as its name says, with a reason that says why.
async fn ended_as_named(bench: &Bench, engine: &Engine) -> BTreeMap<&'static str, u64> {
    let all = engine.list(Filter::default()).await.unwrap();
    let ids: Vec<DeliveryId> = all.iter().map(|one| one.id.0).collect();
    let outcomes = bench.outcomes(engine, &ids).await;
    let mut ended = BTreeMap::from([("good", 0), ("poison", 0), ("invalid", 0)]);
    let mut in_doubt = 0;
    // What is too large alone cannot be halved.
    let alone: Vec<String> = requests(bench)
        .iter()
        .filter(|(_, status, elements)| *status == 413 && elements.len() == 1)
        .map(|(_, _, elements)| elements[0]["eventId"].as_str().unwrap().to_owned())
        .collect();
    for (one, outcome) in all.iter().zip(outcomes) {
        let name = one.once.clone().unwrap();
        match outcome {
            Outcome::Done(_) if name.contains("good") => *ended.get_mut("good").unwrap() += 1,
            Outcome::Failed(failed) if alone.contains(&name) => {
                in_doubt += u64::from(failed.in_doubt);
                // The one that is too large may be one that the provider would have refused in any case.
                let named = if name.contains("poison") { "poison" } else { "refused alone" };
                *ended.entry(named).or_default() += 1;
            }
            Outcome::Failed(failed) if name.contains("poison") => {
                let reason = &failed.reason;
                assert!(
                    reason.starts_with("rejected with status 4") && reason.contains("currency"),
                    "{name}: {reason}"
                );
                *ended.get_mut("poison").unwrap() += 1;
            }
            Outcome::Failed(failed) if name.contains("invalid") => {
                assert!(failed.reason.starts_with("invalid") && failed.reason.contains("email"), "{}", failed.reason);
                *ended.get_mut("invalid").unwrap() += 1;
            }
            other => panic!("{name}: {other:?}"),
        }
        let details = engine.show(one.id.0).await.unwrap();
        let told = details.journal.last().map(|line| line.state.as_str());
        assert_eq!(told, Some(details.summary.state.as_str()), "{name}: the journal folds to another state (S15)");
    }
    // One that failed may have been applied before; it then says that it is in doubt.
    let applied = ended["good"]..=ended["good"] + in_doubt;
    assert!(applied.contains(&bench.saw("applied")), "{applied:?} {}", bench.saw("applied"));
    assert_eq!(bench.saw("conflicts"), 0);
    ended
}

/// There was one token, and so one epoch in every attempt.
async fn sent_with_the_first_token(engine: &Engine) {
    for one in engine.list(Filter::default()).await.unwrap() {
        for line in engine.show(one.id.0).await.unwrap().journal {
            let sent = line.what.contains("begun");
            assert!(!sent || line.what.contains("epoch 1"), "S11 One batch, one epoch: {}", line.what);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_loses_none_for_the_members_that_are_refused() {
    for mode in ["all_or_nothing_422", "element_statuses"] {
        let bench = Bench::with(json!({"switches": {"batch_mode": mode}})).await;
        let engine = bench.authorised(builder(&bench)).await;
        submit(&bench, &engine, "many", 230).await.unwrap();
        let ended = ended_as_named(&bench, &engine).await;
        assert_eq!(ended, BTreeMap::from([("good", 210), ("poison", 10), ("invalid", 10)]));
        let requests = requests(&bench);
        assert!(requests[0].2.len() <= 10, "a canary batch holds {} items", requests[0].2.len());
        assert!(requests.iter().any(|(_, _, elements)| elements.len() > 10), "later ones are larger");
        assert_eq!(bench.saw("duplicates"), 0);
        sent_with_the_first_token(&engine).await;
        engine.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_refused_as_a_whole_is_sent_in_halves_and_later_ones_are_whole_again() {
    let bench = Bench::new().await;
    let engine = bench.authorised(builder(&bench)).await;
    submit(&bench, &engine, "first", 2).await.unwrap();
    ended_as_named(&bench, &engine).await;
    // Three refusals in a row, and not a word about who is at fault.
    bench.faults(json!([{"when": {"uses": 3}, "action": {"status": {"status": 400, "body": "no"}}}]));
    submit(&bench, &engine, "halved", 46).await.unwrap();
    ended_as_named(&bench, &engine).await;
    let sizes: Vec<usize> = requests(&bench).iter().map(|(_, _, elements)| elements.len()).collect();
    let refused: Vec<usize> = requests(&bench)
        .iter()
        .filter(|(_, status, _)| *status == 400)
        .map(|(_, _, elements)| elements.len())
        .collect();
    assert!(refused[0] > 20 && refused[1] <= 25 && refused[2] <= 25, "{sizes:?}");
    let budget = engine.list(Filter::default()).await.unwrap();
    assert!(budget.iter().all(|one| one.spent == 0), "a split spends nothing");
    submit(&bench, &engine, "whole", 46).await.unwrap();
    ended_as_named(&bench, &engine).await;
    let last = requests(&bench).last().unwrap().2.len();
    assert!(last > 25, "what came later is not halved: {last}");
    engine.stop().await.unwrap();
}

/// Batches whose members are told different things, a token that dies, a whole batch refused; with a crash at the `nth`
/// barrier. Says whether it came so far.
async fn crashed_at(nth: u64, fate: Fate, mode: &str) -> bool {
    let bench = Arc::new(
        Bench::with(json!({"switches": {
            "batch_mode": mode, "nodes": ["n1", "n2"], "visibility": {"uniform": {"min_ms": 1_000, "max_ms": 4_000}}
        }}))
        .await,
    );
    bench.faults(json!([
        {"when": {"path": "/rest/*", "nth": 2}, "action": {"element_status": [
            {"index": 0, "status": 429}, {"index": 1, "status": 500}, {"index": 2, "status": 401}, {"index": 3, "status": 503}
        ]}},
        {"when": {"path": "/rest/*", "nth": 4}, "action": {"status": {"status": 413}}},
        {"when": {"path": "/rest/*", "nth": 5}, "action": "reset_after_apply"}
    ]));
    let life = Life::new();
    let acknowledged = Arc::new(Mutex::new(0_usize));
    bench.store().fail_barrier(nth, StoreErrorKind::Failed);
    let first = life.runtime.spawn({
        let (bench, acknowledged) = (Arc::clone(&bench), Arc::clone(&acknowledged));
        async move {
            let engine = builder(&bench).open().await?;
            engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await?;
            for part in 0..2 {
                submit(&bench, &engine, &format!("part-{part}"), 46).await?;
                *acknowledged.lock().unwrap() += 46;
            }
            let ids = engine.list(Filter::default()).await?;
            for one in ids.iter().take(3) {
                bench.drive(&engine, engine.outcome(one.id.0)).await?;
            }
            bench.revoke_access();
            for one in &ids {
                bench.drive(&engine, engine.outcome(one.id.0)).await?;
            }
            engine.stop().await
        }
    });
    let survived = first.await.unwrap();
    if let Err(error) = &survived {
        assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    }
    life.kill();
    bench.crash(fate);
    let engine = bench.authorised(builder(&bench)).await;
    let kept = engine.list(Filter::default()).await.unwrap().len();
    let promised = *acknowledged.lock().unwrap();
    assert!(kept >= promised && kept.is_multiple_of(46), "{kept} of {promised} at barrier {nth}");
    // What the caller does not know of, it submits again; what was accepted is recognised.
    for part in 0..2 {
        submit(&bench, &engine, &format!("part-{part}"), 46).await.unwrap();
    }
    let ended = ended_as_named(&bench, &engine).await;
    let valid = ended["good"] + ended.get("refused alone").copied().unwrap_or_default();
    assert_eq!((valid, ended["poison"], ended["invalid"]), (84, 4, 4), "barrier {nth}, {fate:?}, {mode}");
    for (token, _, elements) in requests(&bench) {
        assert!(elements.len() <= 50 && token >= 1);
    }
    assert!(bench.saw("refreshes_ok") <= 2, "{} refreshes", bench.saw("refreshes_ok"));
    engine.stop().await.unwrap();
    survived.is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_commit_of_batches_loses_none_of_their_members() {
    // Every third barrier of each, which between them are two of three: the whole takes a minute.
    for (first, fate, mode) in [(1, Fate::LoseAll, "all_or_nothing_422"), (2, Fate::KeepAll, "element_statuses")] {
        let mut nth = first;
        while crashed_at(nth, fate, mode).await {
            nth += 3;
        }
        assert!(nth > 12, "the scenario has only {nth} barriers");
    }
}
