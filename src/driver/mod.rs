//! The driver: the one task that owns all machines of a store. It drains what happened, steps, commits, waits for the
//! barrier, and then does what the new states want. What happens during a barrier is the next turn: group commit falls out
//! of the loop.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use outlast_state::{DeliveryId, Epoch, Span, Time};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info};

use self::acts::{Act, Turn};
use self::grants::RenewalEnding;
use self::machines::Machines;
use self::turn::Report;
use crate::authorisation::Authorisation;
use crate::clock::Clock;
use crate::error::Error;
use crate::http::Http;
use crate::parcel::Parcel;
use crate::records::{self, OnceRecord};
use crate::store::{Durable, Store, StoreError, StoreErrorKind};
use crate::vault::Vault;
use crate::view::{Counts, CredentialView, Details, Filter, Outcome, Redrive, Scope, Summary};

pub(crate) mod acts;
mod answers;
pub(crate) mod attempt;
mod grants;
pub(crate) mod ids;
mod looks;
pub(crate) mod machines;
mod renewal;
mod shown;
pub(crate) mod turn;
mod why;

/// A call of the engine's user.
pub(crate) struct Call(pub(crate) Ask);

/// What a user asks, and where the answer goes.
pub(crate) enum Ask {
    Submit { parcel: Parcel, reply: oneshot::Sender<Result<DeliveryId, Error>> },
    SubmitAll { parcels: Vec<Parcel>, reply: oneshot::Sender<Vec<Result<DeliveryId, Error>>> },
    Cancel { id: DeliveryId, reply: oneshot::Sender<Result<Summary, Error>> },
    Redrive { id: DeliveryId, redrive: Redrive, reply: oneshot::Sender<Result<Summary, Error>> },
    Pause { scope: Scope, reply: oneshot::Sender<Result<u64, Error>> },
    Resume { scope: Scope, reply: oneshot::Sender<Result<bool, Error>> },
    Authorise { credential: String, grant: Authorisation, reply: oneshot::Sender<Result<CredentialView, Error>> },
    Stop { grace: Span, reply: oneshot::Sender<Result<(), Error>> },
    Look(Look),
}

/// What a user asks that changes nothing.
pub(crate) enum Look {
    Outcome { id: DeliveryId, reply: oneshot::Sender<Result<Outcome, Error>> },
    Watch { id: DeliveryId, reply: oneshot::Sender<Result<(Summary, broadcast::Receiver<Summary>), Error>> },
    List { filter: Filter, reply: oneshot::Sender<Result<Vec<Summary>, Error>> },
    Show { id: DeliveryId, reply: oneshot::Sender<Result<Details, Error>> },
    Why { id: DeliveryId, reply: oneshot::Sender<Result<Vec<String>, Error>> },
    Counts { reply: oneshot::Sender<Counts> },
    Credentials { reply: oneshot::Sender<Vec<CredentialView>> },
    Pauses { reply: oneshot::Sender<Vec<Scope>> },
}

/// What the tasks that the driver started report back. There are at most as many as there are requests in the air.
pub(crate) enum Heard {
    Report(Report),
    Renewal { credential: String, from: Epoch, ending: RenewalEnding },
}

/// What the driver shares with the tasks that it starts.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) http: Http,
    pub(crate) vault: Option<Vault>,
    pub(crate) clients: HashMap<String, crate::oauth::Client>,
    pub(crate) tasks: TaskTracker,
    /// Requests in the air are given up.
    pub(crate) abandon: CancellationToken,
    pub(crate) heard: mpsc::UnboundedSender<Heard>,
}

/// A turn takes in no more once it has about so many keys to write. With the largest submission, the largest batch and
/// what admission adds, a turn stays below what a store takes in one commit.
const LARGEST_GATHERING: usize = 2_000;

/// The driver never waits longer than this for something to happen, so that it notices when engine time leapt.
const LONGEST_WAIT: Span = Span::from_secs(30);

/// So many watchers are kept before anybody looks who is still there.
pub(crate) const FIRST_SWEEP: usize = 64;

pub(crate) struct Driver {
    pub(crate) machines: Machines,
    pub(crate) world: Arc<World>,
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) heard: mpsc::UnboundedReceiver<Heard>,
    pub(crate) stopping: CancellationToken,
    pub(crate) failure: Arc<OnceLock<Error>>,
    pub(crate) watchers: HashMap<DeliveryId, broadcast::Sender<Summary>>,
    /// With so many watchers it is time to look who is still there.
    pub(crate) sweep: usize,
    /// The last commit: what is asked about stored things stands on it.
    pub(crate) durable: Durable,
    pub(crate) stop: Option<Stop>,
}

/// A stop in progress.
pub(crate) struct Stop {
    until: Time,
    /// All who asked for it.
    replies: Vec<oneshot::Sender<Result<(), Error>>>,
}

/// Whatever ends the driver, a mistake of ours included: nothing leaves any more, and whoever asks learns why.
struct LastWords {
    failure: Arc<OnceLock<Error>>,
    abandon: CancellationToken,
    stopping: CancellationToken,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("the driver panicked; this is a bug of the engine, and what is stored is safe");
            let why =
                "the engine ended by a mistake of its own; what it accepted is stored: open it again, and report this";
            let _ = self.failure.set(Error::new(crate::ErrorKind::Storage, why));
        }
        self.abandon.cancel();
        self.stopping.cancel();
    }
}

/// What one turn has to take in.
#[derive(Default)]
struct Gathering {
    calls: Vec<Ask>,
    heard: Vec<Heard>,
    /// About how many keys it makes the turn write.
    weight: usize,
}

impl Gathering {
    fn call(&mut self, ask: Ask) {
        let weight = match &ask {
            Ask::Submit { parcel, .. } => answers::weight(parcel),
            Ask::SubmitAll { parcels, .. } => parcels.iter().map(answers::weight).sum(),
            _ => 1,
        };
        self.weight = self.weight.saturating_add(weight);
        self.calls.push(ask);
    }

    fn hear(&mut self, heard: Heard) {
        let weight = match &heard {
            Heard::Report(report) => report.items.len(),
            Heard::Renewal { .. } => 3,
        };
        self.weight = self.weight.saturating_add(weight);
        self.heard.push(heard);
    }
}

impl Driver {
    /// Runs until it is told to stop, its callers are gone, or its store fails.
    pub(crate) async fn run(mut self) {
        let mut wake = Time::ZERO;
        let _last = LastWords {
            failure: Arc::clone(&self.failure),
            abandon: self.world.abandon.clone(),
            stopping: self.stopping.clone(),
        };
        let ended = loop {
            let gathering = self.gather(wake).await;
            let turn = self.turn(gathering);
            wake = turn.wake;
            if let Err(failed) = self.settle(turn).await {
                break Err(failed);
            }
            if self.has_stopped() {
                break self.close().await;
            }
        };
        self.world.abandon.cancel();
        self.stopping.cancel();
        self.calls.close();
        for reply in self.stop.take().into_iter().flat_map(|stop| stop.replies) {
            let _ = reply.send(ended.clone());
        }
    }

    /// Waits for something to do, then takes what else there is.
    async fn gather(&mut self, wake: Time) -> Gathering {
        let mut gathering = Gathering::default();
        let wake = wake.min(self.world.clock.now().after(LONGEST_WAIT));
        // Once the requests in the air are given up, only their reports are waited for.
        let wake = match &self.stop {
            Some(_) if self.world.abandon.is_cancelled() => Time::NEVER,
            Some(stop) => wake.min(stop.until),
            None => wake,
        };
        let world = Arc::clone(&self.world);
        tokio::select! {
            biased;
            heard = self.heard.recv() => {
                if let Some(heard) = heard {
                    gathering.hear(heard);
                }
            }
            call = self.calls.recv(), if self.stop.is_none() || !self.calls.is_closed() => match call {
                Some(Call(ask)) => gathering.call(ask),
                None => self.begin_stop(Span::ZERO, None),
            },
            () = self.stopping.cancelled(), if self.stop.is_none() => self.begin_stop(Span::from_secs(10), None),
            () = world.clock.wait(wake) => {}
        }
        while gathering.weight < LARGEST_GATHERING
            && let Ok(heard) = self.heard.try_recv()
        {
            gathering.hear(heard);
        }
        while gathering.weight < LARGEST_GATHERING
            && let Ok(Call(ask)) = self.calls.try_recv()
        {
            gathering.call(ask);
        }
        gathering
    }

    /// What happened, in; what is to be written and done, out.
    fn turn(&mut self, gathering: Gathering) -> Turn {
        let mut turn = Turn::at(self.world.clock.now());
        for heard in gathering.heard {
            match heard {
                Heard::Report(report) => self.machines.reported(report, &mut turn),
                Heard::Renewal { credential, from, ending } => {
                    self.machines.renewal_ended(&credential, from, ending, &mut turn);
                }
            }
        }
        for ask in gathering.calls {
            self.answer(ask, &mut turn);
        }
        self.machines.expire(&mut turn);
        self.machines.admit(&mut turn);
        self.machines.renew(&mut turn);
        self.machines.close(turn, false)
    }

    /// Commits, then acts.
    async fn settle(&mut self, mut turn: Turn) -> Result<(), Error> {
        if !turn.writes.is_empty() {
            let writes = std::mem::take(&mut turn.writes);
            // The failure is known before the turn's callers are let go: they look there for the reason.
            self.durable = self.commit(writes).await.map_err(|failed| self.failed(failed))?;
        }
        self.tell_watchers(std::mem::take(&mut turn.told));
        for act in turn.acts {
            self.act(act, self.durable);
        }
        Ok(())
    }

    /// The end of the engine's authority.
    fn failed(&self, failed: StoreError) -> Error {
        error!(error = %failed, "the store failed; nothing is accepted, sent or refreshed any more");
        let failed = Error::from(failed);
        let _ = self.failure.set(failed.clone());
        self.world.abandon.cancel();
        failed
    }

    async fn commit(&self, writes: crate::store::Writes) -> Result<Durable, StoreError> {
        let (store, keys) = (Arc::clone(&self.world.store), writes.len());
        let span = tracing::debug_span!("commit", keys);
        let durable = beside(move || span.in_scope(|| store.commit(writes))).await?;
        debug!(keys, sequence = durable.sequence(), "committed");
        Ok(durable)
    }

    /// Does what a stored state wants. Only a commit allows it.
    fn act(&self, act: Act, durable: Durable) {
        let world = Arc::clone(&self.world);
        match act {
            Act::Answer(answer) => answer(durable),
            Act::Send(shipment) => {
                let destination = self.machines.settings.outlets.get(&shipment.destination);
                let Some(destination) = destination.map(|outlet| Arc::clone(&outlet.destination)) else { return };
                let profile =
                    shipment.credential.as_ref().and_then(|name| self.machines.settings.profiles.get(name)).cloned();
                self.world.tasks.spawn(attempt::carry(world, shipment, destination, profile));
            }
            Act::Renew(renewal) => {
                let Some(profile) = self.machines.settings.profiles.get(&renewal.credential).cloned() else { return };
                self.world.tasks.spawn(renewal::call(world, renewal, profile));
            }
            Act::Trust { credential, epoch, token } => {
                if let Some(vault) = &world.vault {
                    vault.remember(&credential, epoch, token);
                }
            }
        }
    }

    fn begin_stop(&mut self, grace: Span, reply: Option<oneshot::Sender<Result<(), Error>>>) {
        let until = self.world.clock.now().after(grace);
        info!(grace = %grace, in_the_air = self.machines.in_flight(), "stopping");
        self.machines.stopping = true;
        let stop = self.stop.get_or_insert_with(|| Stop { until, replies: Vec::new() });
        stop.until = stop.until.min(until);
        stop.replies.extend(reply);
    }

    /// Whether a stop has run its course: everything is answered, or was given up and has said so.
    fn has_stopped(&mut self) -> bool {
        let Some(stop) = &self.stop else { return false };
        if self.machines.in_flight() == 0 {
            return true;
        }
        if self.world.clock.now() >= stop.until {
            self.world.abandon.cancel();
        }
        false
    }

    /// The last commit of a clean stop.
    async fn close(&mut self) -> Result<(), Error> {
        let turn = self.machines.close(Turn::at(self.world.clock.now()), true);
        self.settle(turn).await?;
        let store = Arc::clone(&self.world.store);
        beside(move || store.close()).await.map_err(|failed| self.failed(failed))
    }

    fn tell_watchers(&mut self, told: Vec<(DeliveryId, Summary)>) {
        for (id, summary) in told {
            let ended = summary.ended_ms.is_some();
            let heard = self.watchers.get(&id).is_some_and(|watcher| watcher.send(summary).is_ok());
            if ended || !heard {
                self.watchers.remove(&id);
                self.machines.watched.remove(&id);
            }
        }
        // Those who went away are noticed when there is news for them, or when there are twice as many as last time.
        if self.watchers.len() >= self.sweep {
            self.watchers.retain(|_, watcher| watcher.receiver_count() > 0);
            self.machines.watched.retain(|id| self.watchers.contains_key(id));
            self.sweep = self.watchers.len().saturating_mul(2).max(FIRST_SWEEP);
        }
    }

    /// What an idempotency key stands for: in this turn, or in the store.
    fn known(&self, parcel: &Parcel, turn: &Turn) -> Result<Option<OnceRecord>, Error> {
        let Some(once) = &parcel.once else { return Ok(None) };
        let key = records::once_key(&parcel.destination, once);
        let found = match turn.writes.get(&key).flatten() {
            Some(bytes) => records::decode(&key, bytes).map(Some),
            None => records::get(self.world.store.as_ref(), &key)?,
        };
        found.map_err(|damage| {
            let message =
                format!("once: the record of the key {once:?} does not verify ({damage}); it is not acted on");
            Error::new(crate::ErrorKind::Corrupt, message)
        })
    }

    /// A delivery's record: the live one, the one that ended in this turn, or the stored one.
    fn record(&self, id: DeliveryId, turn: &Turn) -> Result<records::DeliveryRecord, Error> {
        let live = self.machines.live.get(&id).map(|live| &live.record);
        match live.or_else(|| turn.ended.get(&id)) {
            Some(record) => Ok(record.clone()),
            None => shown::stored(self.world.store.as_ref(), id),
        }
    }
}

/// Does what blocks beside the driver's thread.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|ended| {
        let why = if ended.is_panic() {
            "the store panicked, and what it wrote last is unknown; open it again, best in a new process"
        } else {
            // That is as good as a kill.
            "the host's runtime ended with the engine in it; open the store again to go on"
        };
        Err(StoreError::new(StoreErrorKind::Failed, why))
    })
}
