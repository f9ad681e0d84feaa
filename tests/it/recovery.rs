//! Crashes, failing stores, damaged records: at every commit of a scenario.

use std::sync::Arc;

use outlast::state::{DeliveryId, Span};
use outlast::store::keys::Meta;
use outlast::store::memory::Fate;
use outlast::store::{Key, Store, StoreErrorKind, Table};
use outlast::{Engine, ErrorKind, Outcome, Scope};
use serde_json::json;

use crate::bench::{Bench, Life};

/// An old token that is revoked, a refresh, propagation: with a crash at the `nth` barrier. Says whether it came so far.
async fn crashed_at(nth: u64, fate: Fate) -> bool {
    let bench = Arc::new(
        Bench::with(json!({"switches": {
            "nodes": ["n1", "n2"], "visibility": {"uniform": {"min_ms": 2_000, "max_ms": 9_000}}
        }}))
        .await,
    );
    bench.revoke_access();
    let life = Life::new();
    let ids = Arc::new(std::sync::Mutex::new(Vec::<DeliveryId>::new()));
    bench.store().fail_barrier(nth, StoreErrorKind::Failed);
    let first = life.runtime.spawn({
        let (bench, ids) = (Arc::clone(&bench), Arc::clone(&ids));
        async move {
            let engine = bench.builder().open().await?;
            engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await?;
            for number in 0..3 {
                let id = engine.submit(bench.parcel(&format!("crash-{number}"))).await?;
                ids.lock().unwrap().push(id);
            }
            let kept = ids.lock().unwrap().clone();
            for id in kept {
                let ended = bench.drive_until(&engine, id).await;
                ended?;
            }
            engine.stop().await
        }
    });
    let survived = first.await.unwrap();
    let crashed = survived.is_err();
    if let Err(error) = &survived {
        assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    }
    life.kill();
    bench.crash(fate);
    let engine = bench.open().await;
    let mut all: Vec<DeliveryId> =
        engine.list(outlast::Filter::default()).await.unwrap().iter().map(|one| one.id.0).collect();
    let acknowledged = ids.lock().unwrap().clone();
    assert!(
        acknowledged.iter().all(|id| all.contains(id)),
        "S1 No loss: an acknowledged delivery is lost at barrier {nth}"
    );
    all.push(bench.submit(&engine, "after").await);
    bench.all_done(&engine, &all).await;
    for id in &all {
        let details = engine.show(*id).await.unwrap();
        let told = details.journal.last().map(|line| line.state.as_str());
        assert_eq!(told, Some(details.summary.state.as_str()), "the journal folds to another state (S15)");
    }
    let refreshes = bench.saw("refreshes_ok");
    assert!(
        refreshes <= 1 + u64::from(crashed),
        "S3 One renewal per epoch: {refreshes} after a crash at barrier {nth}, {fate:?}"
    );
    assert_eq!(bench.saw("conflicts"), 0);
    assert_eq!(bench.saw("applied"), u64::try_from(all.len()).unwrap());
    engine.stop().await.unwrap();
    crashed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_commit_loses_nothing() {
    for fate in [Fate::LoseAll, Fate::KeepAll] {
        let mut nth = 1;
        while crashed_at(nth, fate).await {
            nth += 1;
        }
        assert!(nth > 8, "the scenario has only {nth} barriers");
    }
}

/// Every caller is told that the store failed, and nothing leaves afterwards. Says whether anybody met the failure.
async fn failed_at(nth: u64, barrier: bool) -> bool {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    if barrier {
        bench.store().fail_barrier(nth, StoreErrorKind::Io);
    } else {
        bench.store().fail_write(nth, StoreErrorKind::Full);
    }
    let calls: Vec<_> = (0..6)
        .map(|number| {
            let (engine, parcel) = (engine.clone(), bench.parcel(&format!("f-{number}")));
            tokio::spawn(async move {
                let id = engine.submit(parcel).await?;
                engine.outcome(id).await.map(|_| ())
            })
        })
        .collect();
    let mut told = false;
    for call in calls {
        if let Err(error) = call.await.unwrap() {
            assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
            told = true;
        }
    }
    if told {
        assert_eq!(engine.submit(bench.parcel("extra")).await.unwrap_err().kind(), ErrorKind::Storage);
        assert_eq!(engine.counts().await.unwrap_err().kind(), ErrorKind::Storage);
        assert_eq!(engine.ended().await.kind(), ErrorKind::Storage);
        bench.eventually(async || bench.saw("in_flight") == 0).await;
        let requests = bench.saw("requests");
        bench.clock.advance(Span::from_secs(600));
        assert_eq!(engine.stop().await.unwrap_err().kind(), ErrorKind::Storage);
        assert_eq!(bench.saw("requests"), requests);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_at_any_write_or_barrier_ends_the_engines_authority() {
    for barrier in [false, true] {
        let mut nth = 1;
        while failed_at(nth, barrier).await {
            nth += 1;
        }
        assert!(nth > 3, "the scenario has only {nth} commits");
    }
}

/// A store whose commits panic from a point on.
struct Panics {
    store: outlast::store::memory::MemoryStore,
    left: std::sync::atomic::AtomicU64,
}

impl Store for Panics {
    fn commit(&self, writes: outlast::store::Writes) -> Result<outlast::store::Durable, outlast::store::StoreError> {
        let left = self.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        assert!(left > 0, "a bug in a store");
        self.store.commit(writes)
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, outlast::store::StoreError> {
        self.store.get(key)
    }

    fn scan(
        &self,
        table: Table,
        from: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, outlast::store::StoreError> {
        self.store.scan(table, from, limit)
    }

    fn size(&self) -> Result<u64, outlast::store::StoreError> {
        self.store.size()
    }

    fn close(&self) -> Result<(), outlast::store::StoreError> {
        self.store.close()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_panics_has_failed() {
    let bench = Bench::new().await;
    let store = Panics { store: bench.store(), left: 2.into() };
    let engine = bench.authorised(bench.builder().store(Arc::new(store))).await;
    assert_eq!(engine.submit(bench.parcel("one")).await.unwrap_err().kind(), ErrorKind::Storage);
    assert_eq!(engine.stop().await.unwrap_err().kind(), ErrorKind::Storage);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_reported_and_never_acted_on_and_others_go_on() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    engine.pause(Scope::Destination("conversions".into())).await.unwrap();
    let mut ids = bench.submit_some(&engine, "some", 4).await;
    for name in ["lane-0", "lane-1"] {
        ids.push(engine.submit(bench.parcel(name).lane("a")).await.unwrap());
    }
    engine.stop().await.unwrap();
    bench.reopen();
    for key in [Key::Delivery(ids[0]), Key::Parcel(ids[1]), Key::Delivery(ids[4])] {
        assert!(bench.store().tamper(&key, |record| *record.last_mut().unwrap() ^= 1));
    }
    let engine = bench.open().await;
    engine.resume(Scope::Destination("conversions".into())).await.unwrap();
    bench.all_done(&engine, &ids[2..4]).await;
    bench.pass(&engine, Span::from_secs(60)).await;
    assert_eq!(engine.counts().await.unwrap().damaged, 3, "S14 Doubt is not acted on");
    assert_eq!(engine.show(ids[0]).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(engine.cancel(ids[0]).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let shown = engine.show(ids[1]).await.expect_err("S14 Doubt is not acted on: a damaged parcel is shown");
    assert_eq!(shown.kind(), ErrorKind::Corrupt);
    assert_eq!(bench.summary(&engine, ids[5]).await.attempts, 0, "its lane stops before what is in doubt");
    assert_eq!(bench.saw("applied"), 2);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_whose_record_is_damaged_stays_in_force() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    engine.pause(Scope::Credential("acme".into())).await.unwrap();
    let id = bench.submit(&engine, "held").await;
    engine.stop().await.unwrap();
    bench.reopen();
    let (key, _) = bench.store().scan(Table::Pause, None, 10).unwrap().remove(0);
    assert!(bench.store().tamper(&key, |record| *record.last_mut().unwrap() ^= 1));
    let engine = bench.open().await;
    bench.pass(&engine, Span::from_secs(60)).await;
    assert_eq!(bench.saw("requests"), 0);
    engine.resume(Scope::Credential("acme".into())).await.unwrap();
    bench.all_done(&engine, &[id]).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_whose_record_is_damaged_is_dead_and_its_epochs_go_on() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let done = bench.submit_some(&engine, "done", 3).await;
    bench.all_done(&engine, &done).await;
    engine.stop().await.unwrap();
    let key = Key::Credential("acme".into());
    assert!(bench.store().tamper(&key, |record| *record.last_mut().unwrap() ^= 1));
    bench.reopen();
    let damaged = bench.store().get(&key).unwrap();
    // Also without the token whose key would tell its epoch: deliveries know it.
    for round in 0..2 {
        let engine = bench.builder().open().await.unwrap();
        let ids = bench.submit_some(&engine, &format!("parked-{round}"), 3).await;
        bench.pass(&engine, Span::from_secs(60)).await;
        let view = engine.credentials().await.unwrap().remove(0);
        assert_eq!((view.state.as_str(), view.epoch), ("Dead", 1));
        assert!(view.detail.contains("does not verify") && view.detail.contains("auth import acme"), "{}", view.detail);
        assert!(bench.summary(&engine, ids[0]).await.parked);
        let why = engine.why(ids[0]).await.unwrap().join(" ");
        assert!(why.contains("does not verify") && why.contains("auth import acme"), "{why}");
        assert_eq!((bench.saw("applied"), engine.counts().await.unwrap().damaged), (3, 1));
        assert_eq!(bench.store().get(&key).unwrap(), damaged, "it is kept until a human decides");
        engine.stop().await.unwrap();
        bench.reopen();
    }
    let engine = bench.builder().open().await.unwrap();
    engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
    assert_eq!(engine.credentials().await.unwrap()[0].epoch, 2);
    let all: Vec<DeliveryId> =
        engine.list(outlast::Filter::default()).await.unwrap().iter().map(|one| one.id.0).collect();
    bench.all_done(&engine, &all).await;
    let engine = bench.restart(engine).await;
    assert_eq!(engine.counts().await.unwrap().damaged, 0);
    assert_eq!(engine.credentials().await.unwrap()[0].epoch, 2);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_own_records_are_found_again_and_time_does_not_go_back() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let before = bench.submit(&engine, "before").await;
    bench.all_done(&engine, &[before]).await;
    let ended = bench.summary(&engine, before).await.ended_ms.unwrap();
    engine.stop().await.unwrap();
    for which in [Meta::Clock, Meta::Identity] {
        assert!(bench.store().tamper(&Key::Meta(which), |record| *record.last_mut().unwrap() ^= 1));
    }
    bench.reopen();
    let engine = bench.open().await;
    assert_eq!(engine.counts().await.unwrap().damaged, 2);
    let after = bench.submit(&engine, "after").await;
    assert!(after > before, "names go on");
    bench.all_done(&engine, &[after]).await;
    assert!(bench.summary(&engine, after).await.accepted_ms >= ended);
    let engine = bench.restart(engine).await;
    assert_eq!(engine.counts().await.unwrap().damaged, 0, "they were written anew");
    engine.stop().await.unwrap();
}

/// What no checksum of a record can see: the engine is not opened on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_gone_or_older_keeps_the_store_closed() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    engine.pause(Scope::Destination("conversions".into())).await.unwrap();
    let id = bench.submit(&engine, "one").await;
    let old = bench.store().get(&Key::Delivery(id)).unwrap();
    engine.resume(Scope::Destination("conversions".into())).await.unwrap();
    bench.all_done(&engine, &[id]).await;
    engine.stop().await.unwrap();
    for (key, put_back, table) in [(Key::Ended(id), None, "table ended"), (Key::Delivery(id), old, "table delivery")] {
        let was = bench.store().replace(&key, put_back);
        let refused = bench.store().reopen().err().unwrap();
        assert_eq!(refused.kind(), StoreErrorKind::Corrupt);
        assert!(refused.to_string().contains(table), "{refused}");
        bench.store().replace(&key, was);
    }
    bench.reopen();
    let engine = bench.open().await;
    bench.all_done(&engine, &[id]).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_and_then_reset_is_sent_again_under_the_same_name() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.faults(json!([{"when": {"uses": 1}, "action": "reset_after_apply"}]));
    let id = bench.submit(&engine, "once only").await;
    let outcome = bench.drive(&engine, engine.outcome(id)).await.unwrap();
    let Outcome::Done(done) = outcome else { panic!("{outcome:?}") };
    assert_eq!(done.attempts, 2);
    assert_eq!((bench.saw("applied"), bench.saw("duplicates"), bench.saw("conflicts")), (1, 1, 0));
    let journal = engine.show(id).await.unwrap().journal;
    assert_eq!(journal.last().unwrap().state, "Done", "the journal folds to the stored state");
    engine.stop().await.unwrap();
}

impl Bench {
    /// As `outcome`, letting time pass.
    async fn drive_until(&self, engine: &Engine, id: DeliveryId) -> Result<Outcome, outlast::Error> {
        self.drive(engine, engine.outcome(id)).await
    }
}
