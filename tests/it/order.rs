//! Store before you act: a store whose barriers the test holds back, and a provider that must not have heard of anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use outlast::store::memory::MemoryStore;
use outlast::store::{Durable, Key, Store, StoreError, Table, Writes};
use outlast::{Authorisation, Outcome};
use outlast_state::Time;

use crate::bench::Bench;

/// A store that commits when it is let.
struct Held {
    store: MemoryStore,
    /// How many commits may pass; `None` for all.
    passes: Mutex<Option<u64>>,
    changed: Condvar,
    waiting: AtomicU64,
}

impl Held {
    fn new(store: MemoryStore) -> Arc<Self> {
        Arc::new(Held { store, passes: Mutex::new(None), changed: Condvar::new(), waiting: AtomicU64::new(0) })
    }

    fn let_pass(&self, passes: Option<u64>) {
        *self.passes.lock().unwrap() = passes;
        self.changed.notify_all();
    }

    fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 1
    }
}

impl Store for Held {
    fn commit(&self, writes: Writes) -> Result<Durable, StoreError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut passes = self.changed.wait_while(self.passes.lock().unwrap(), |passes| *passes == Some(0)).unwrap();
        *passes = passes.map(|left| left - 1);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        drop(passes);
        self.store.commit(writes)
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }

    fn scan(&self, table: Table, from: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        self.store.scan(table, from, limit)
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.store.size()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.store.close()
    }
}

/// Lets everything pass in the end, also when the test fails: a runtime waits for its commits.
struct Release(Arc<Held>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.let_pass(None);
    }
}

/// Gives whatever might leave too early the time to arrive, and tells what the provider saw: requests, and renewals.
async fn seen(bench: &Bench) -> (u64, u64) {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
    let lines = bench.log();
    let to = |path: &str| lines.iter().filter(|line| line["path"].as_str().unwrap().starts_with(path)).count() as u64;
    (to("/rest/"), to("/oauth/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_sent_renewed_or_used_before_it_is_stored() {
    let bench = Bench::new().await;
    let held = Held::new(bench.store());
    let engine = bench.builder().store(Arc::clone(&held) as Arc<dyn Store>).open().await.unwrap();
    let expired = Authorisation {
        expires: Some(Time::from_millis(bench.clock.millis() - 1)),
        ..bench.grant("canary-access-1", "canary-refresh-1")
    };
    engine.authorise("acme", expired).await.unwrap();
    // Answered in a turn of its own: no commit is under way when the store is held.
    engine.counts().await.unwrap();

    let _release = Release(Arc::clone(&held));
    held.let_pass(Some(0));
    let submitted = tokio::spawn({
        let (engine, parcel) = (engine.clone(), bench.parcel("one"));
        async move { engine.submit(parcel).await }
    });
    // The acceptance, and that the expired token is to be replaced.
    bench.eventually(async || held.is_waiting()).await;
    assert_eq!(seen(&bench).await, (0, 0), "S7 No forgetting: a token request before its intent was stored");
    assert!(!submitted.is_finished(), "S1 No loss: acknowledged before it was stored");

    held.let_pass(Some(1));
    let id = submitted.await.unwrap().unwrap();
    // The new token, and the admission with it.
    bench.eventually(async || bench.saw("refreshes_ok") == 1 && held.is_waiting()).await;
    let early = "S6 Store, then act; S7 No forgetting: a request of a delivery, or with a token, that is not stored";
    assert_eq!(seen(&bench).await, (0, 1), "{early}");

    held.let_pass(Some(1));
    let told = tokio::spawn({
        let engine = engine.clone();
        async move { engine.outcome(id).await }
    });
    bench.eventually(async || bench.saw("applied") == 1 && held.is_waiting()).await;
    assert_eq!(seen(&bench).await, (1, 1));
    assert!(!told.is_finished(), "S1 No loss: told as done before that was stored");

    held.let_pass(None);
    assert!(matches!(told.await.unwrap().unwrap(), Outcome::Done(_)));
    engine.stop().await.unwrap();
}
