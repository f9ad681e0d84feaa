//! Every call that the engine makes to its store fails, or is the last one of its life: with a store around the one in
//! memory that counts. Over a short job (an old token that was revoked, a few deliveries, a refresh), for n = 1, 2, 3 …
//! until a life ends without having met it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use outlast::state::DeliveryId;
use outlast::store::memory::{Fate, MemoryStore};
use outlast::store::{Durable, Key, Store, StoreError, StoreErrorKind, Table, Writes};
use outlast::{Error, ErrorKind, Filter};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::bench::{Bench, Life};
use crate::report::{Outcome, is_over};

/// What happens at the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    /// The process ends before it.
    KillBefore,
    /// The process ends when it has had its effect, and nobody hears of that.
    KillAfter,
    /// The process ends between a commit's write and its barrier; of what has no barrier the rest is decided by this.
    KillBetween(Fate),
    /// The system refuses.
    Fails(StoreErrorKind),
}

const BLOWS: [Blow; 7] = [
    Blow::KillBefore,
    Blow::KillAfter,
    Blow::KillBetween(Fate::LoseAll),
    Blow::KillBetween(Fate::KeepAll),
    Blow::Fails(StoreErrorKind::Io),
    Blow::Fails(StoreErrorKind::Full),
    Blow::Fails(StoreErrorKind::Corrupt),
];

/// A store whose nth call meets its blow, and which does nothing from then on.
struct Struck {
    store: MemoryStore,
    blow: Blow,
    nth: u64,
    calls: AtomicU64,
    over: AtomicBool,
}

impl Struck {
    fn new(store: MemoryStore, blow: Blow, nth: u64) -> Self {
        Struck { store, blow, nth, calls: AtomicU64::new(0), over: AtomicBool::new(false) }
    }

    fn was_struck(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn call<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.was_struck() {
            return Err(error(StoreErrorKind::Failed));
        }
        if self.calls.fetch_add(1, Ordering::SeqCst) + 1 != self.nth {
            return work();
        }
        self.over.store(true, Ordering::SeqCst);
        match self.blow {
            Blow::Fails(kind) => return Err(error(kind)),
            Blow::KillBefore | Blow::KillBetween(_) => {}
            Blow::KillAfter => drop(work()),
        }
        self.store.crash(Fate::LoseAll);
        Err(error(StoreErrorKind::Failed))
    }
}

/// An error of this kind: the store in memory makes them.
fn error(kind: StoreErrorKind) -> StoreError {
    let store = MemoryStore::new();
    store.fail_write(1, kind);
    store.write(Writes::new()).unwrap_err()
}

impl Store for Struck {
    fn commit(&self, writes: Writes) -> Result<Durable, StoreError> {
        let next = self.calls.load(Ordering::SeqCst) + 1;
        if let (Blow::KillBetween(fate), true, false) = (self.blow, next == self.nth, self.was_struck()) {
            self.over.store(true, Ordering::SeqCst);
            self.store.write(writes)?;
            self.store.crash(fate);
            return Err(error(StoreErrorKind::Failed));
        }
        self.call(|| self.store.commit(writes))
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(|| self.store.get(key))
    }

    fn scan(&self, table: Table, from: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        self.call(|| self.store.scan(table, from, limit))
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.call(|| self.store.size())
    }

    fn close(&self) -> Result<(), StoreError> {
        self.call(|| self.store.close())
    }
}

/// What a sweep came to.
#[derive(Default)]
struct Tally {
    lives: u64,
    deliveries: u64,
    unheard: u64,
    longest: u64,
    wrong: Vec<String>,
}

pub(crate) fn a_store_call_that_fails_or_kills_loses_nothing() -> Outcome {
    let runtime = Runtime::new().unwrap();
    let mut tally = Tally::default();
    for blow in BLOWS {
        let mut nth = 1;
        while !is_over() && runtime.block_on(strike(blow, nth, &mut tally)) {
            nth += 1;
        }
        tally.longest = nth.max(tally.longest);
    }
    if tally.longest < 20 && !is_over() {
        tally.wrong.push(format!("blind: the job has only {} store calls", tally.longest));
    }
    let totals = format!(
        "{} lives, each of up to {} store calls x {} blows struck once, {} deliveries ended, {} lost or unended, {} calls without an answer",
        tally.lives,
        tally.longest,
        BLOWS.len(),
        tally.deliveries,
        tally.wrong.len(),
        tally.unheard,
    );
    Outcome { totals, wrong: tally.wrong, skipped: None }
}

/// What the callers of the first life were told.
#[derive(Default)]
struct Told {
    acknowledged: Vec<DeliveryId>,
    authorised: bool,
    strange: Vec<String>,
}

/// A life in which the nth call meets its blow, and one more that ends everything. Whether the first one met it.
async fn strike(blow: Blow, nth: u64, tally: &mut Tally) -> bool {
    let world = json!({"switches": {
        "nodes": ["n1", "n2"], "visibility": {"uniform": {"min_ms": 2_000, "max_ms": 9_000}}
    }});
    let bench = Arc::new(Bench::with(world).await);
    bench.revoke_access();
    let store = Arc::new(Struck::new(bench.store(), blow, nth));
    let life = Life::new();
    let told = Arc::new(Mutex::new(Told::default()));
    let first = life.runtime.spawn(live(Arc::clone(&bench), Arc::clone(&store), Arc::clone(&told)));
    let patience = std::time::Duration::from_secs(60);
    let mut complain = |what: String| tally.wrong.push(format!("{blow:?} at store call {nth}: {what}"));
    match tokio::time::timeout(patience, first).await {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => complain(format!("a caller panicked: {panic}")),
        Err(_) => {
            tally.unheard += 1;
            complain("a caller got no answer".to_owned());
        }
    }
    life.kill();
    tally.lives += 1;
    let struck = store.was_struck();
    // An error leaves what had its barrier and perhaps more; here it leaves just that.
    bench.crash(Fate::LoseAll);
    let told = std::mem::take(&mut *told.lock().unwrap());
    told.strange.into_iter().for_each(&mut complain);

    let engine = bench.open().await;
    let listed = engine.list(Filter::default()).await.unwrap();
    let mut all: Vec<DeliveryId> = listed.iter().map(|one| one.id.0).collect();
    let lost = told.acknowledged.iter().filter(|id| !all.contains(id)).count();
    if lost > 0 {
        complain(format!("{lost} acknowledged deliveries are lost (S1)"));
    }
    if told.authorised && engine.credentials().await.unwrap()[0].epoch == 0 {
        complain("the grant that was acknowledged is lost".to_owned());
    }
    all.push(bench.submit(&engine, "after").await);
    bench.all_done(&engine, &all).await;
    for (what, saw, most) in
        [("conflicts", bench.saw("conflicts"), 0), ("refreshes", bench.saw("refreshes_ok"), 1 + u64::from(struck))]
    {
        if saw > most {
            complain(format!("{saw} {what}, and at most {most} are allowed"));
        }
    }
    if bench.saw("applied") != all.len() as u64 {
        complain(format!("{} deliveries ended, and {} counted", all.len(), bench.saw("applied")));
    }
    engine.stop().await.unwrap();
    tally.deliveries += all.len() as u64;
    struck
}

/// The job. Each call is answered: well, or by the store's failure.
async fn live(bench: Arc<Bench>, store: Arc<Struck>, told: Arc<Mutex<Told>>) {
    let note = |what: &str, error: &Error| {
        let known = [ErrorKind::Storage, ErrorKind::Corrupt];
        if !known.contains(&error.kind()) || !store.was_struck() {
            told.lock().unwrap().strange.push(format!("{what} was told {:?}: {error}", error.kind()));
        }
    };
    let engine = match bench.builder().store(Arc::clone(&store) as Arc<dyn Store>).open().await {
        Ok(engine) => engine,
        Err(error) => return note("open", &error),
    };
    match engine.authorise("acme", bench.grant("canary-access-1", "canary-refresh-1")).await {
        Ok(_) => told.lock().unwrap().authorised = true,
        Err(error) => note("authorise", &error),
    }
    for number in 0..3 {
        match engine.submit(bench.parcel(&format!("struck-{number}"))).await {
            Ok(id) => told.lock().unwrap().acknowledged.push(id),
            Err(error) => note("submit", &error),
        }
    }
    let ids = told.lock().unwrap().acknowledged.clone();
    for id in ids {
        if let Err(error) = bench.drive(&engine, engine.outcome(id)).await {
            note("outcome", &error);
        }
        if let Err(error) = engine.show(id).await {
            note("show", &error);
        }
    }
    if let Err(error) = engine.stop().await {
        note("stop", &error);
    }
}
