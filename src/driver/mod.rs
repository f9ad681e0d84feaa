//! The driver: the one task that owns all machines of a store. It drains what happened, steps, commits, waits for the
//! barrier, and then does what the new states want. What happens during a barrier is the next turn: group commit falls out
//! of the loop.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use outlast_state::{DeliveryId, Epoch, Span, Standing, Time};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error};

use self::acts::{Act, News, Turn};
use self::bell::Bell;
use self::grants::RenewalEnding;
use self::heart::{Gathering, Heart};
use self::machines::Name;
use self::operator::Parting;
use self::settings::SpokenTo;
use self::turn::Report;
use crate::alert::{Alert, AlertKind, AlertSubject, Severity, store_failed};
use crate::authorisation::Authorisation;
use crate::clock::Clock;
use crate::error::Error;
use crate::http::Http;
use crate::parcel::Parcel;
use crate::store::{Durable, Store, StoreError, StoreErrorKind, StoreFigures};
use crate::vault::{Vault, VaultKey};
use crate::view::{
    Counts, CredentialCalendar, CredentialDetails, CredentialView, Details, Filter, Outcome, Redrive, Rekeyed, Scope,
    Summary, VaultView,
};

pub(crate) mod acts;
pub(crate) mod alerts;
pub(crate) mod answers;
pub(crate) mod attempt;
pub(crate) mod bell;
pub(crate) mod bonds;
mod calendar;
mod circuits;
pub(crate) mod conversation;
mod counts;
mod explained;
pub(crate) mod grants;
pub(crate) mod heart;
pub(crate) mod ids;
pub(crate) mod inspection;
mod learning;
mod looks;
pub(crate) mod machines;
#[cfg(feature = "verify")]
pub(crate) mod marks;
mod memory;
mod operator;
mod pauses;
mod portrait;
pub(crate) mod reading;
pub(crate) mod renewal;
pub(crate) mod retention;
pub(crate) mod sealed;
pub(crate) mod settings;
mod shown;
pub(crate) mod sleep;
mod trouble;
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
    Refresh { credential: String, reply: oneshot::Sender<Result<CredentialView, Error>> },
    Revoke { credential: String, reply: oneshot::Sender<Result<Parting, Error>> },
    Forget { credential: String, reply: oneshot::Sender<Result<(), Error>> },
    Rekey { key: VaultKey, reply: oneshot::Sender<Result<Rekeyed, Error>> },
    Stop { grace: Span, reply: oneshot::Sender<Result<(), Error>> },
    Look(Look),
}

/// What a user asks that changes nothing.
pub(crate) enum Look {
    Outcome {
        id: DeliveryId,
        reply: oneshot::Sender<Result<Outcome, Error>>,
    },
    Watch {
        id: DeliveryId,
        reply: oneshot::Sender<Result<(Summary, broadcast::Receiver<News>), Error>>,
    },
    List {
        filter: Filter,
        reply: oneshot::Sender<Result<Vec<Summary>, Error>>,
    },
    Show {
        id: DeliveryId,
        reply: oneshot::Sender<Result<Details, Error>>,
    },
    Why {
        id: DeliveryId,
        reply: oneshot::Sender<Result<Vec<String>, Error>>,
    },
    Counts {
        reply: oneshot::Sender<Counts>,
    },
    Figures {
        reply: oneshot::Sender<StoreFigures>,
    },
    Credentials {
        reply: oneshot::Sender<Vec<CredentialView>>,
    },
    Credential {
        name: String,
        reply: oneshot::Sender<Result<CredentialDetails, Error>>,
    },
    Calendar {
        reply: oneshot::Sender<Result<Vec<CredentialCalendar>, Error>>,
    },
    Pauses {
        reply: oneshot::Sender<Vec<Scope>>,
    },
    /// The last alerts, oldest first.
    Alerts {
        reply: oneshot::Sender<Result<Vec<Alert>, Error>>,
    },
    /// What is sealed, and with which keys.
    Vault {
        reply: oneshot::Sender<Result<VaultView, Error>>,
    },
    /// What a request to a destination carries now.
    Carries {
        destination: String,
        reply: oneshot::Sender<Result<Carried, Error>>,
    },
}

/// What a request to a destination carries.
pub(crate) struct Carried {
    pub(crate) spoken_to: SpokenTo,
    /// The credential and the epoch of its token; nothing for a destination without.
    pub(crate) token: Option<(Name, Epoch)>,
}

/// What the tasks that the driver started report back. There are at most as many as there are requests in the air.
pub(crate) enum Heard {
    Report(Report),
    Renewal { credential: String, from: Epoch, ending: RenewalEnding },
    Inspection { credential: String, epoch: Epoch, standing: Standing, note: String },
}

/// What the driver shares with the tasks that it starts.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) http: Http,
    pub(crate) vault: Option<Arc<Vault>>,
    pub(crate) clients: HashMap<String, crate::oauth::Client>,
    pub(crate) tasks: TaskTracker,
    /// Requests in the air are given up.
    pub(crate) abandon: CancellationToken,
    pub(crate) heard: mpsc::UnboundedSender<Heard>,
}

/// The driver never waits longer than this for something to happen, so that it notices when engine time leapt.
const LONGEST_WAIT: Span = Span::from_secs(30);

/// The tasks around the heart: it waits, commits, and does what the heart says.
pub(crate) struct Driver {
    pub(crate) heart: Heart,
    pub(crate) world: Arc<World>,
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) heard: mpsc::UnboundedReceiver<Heard>,
    pub(crate) stopping: CancellationToken,
    pub(crate) failure: Arc<OnceLock<Error>>,
    pub(crate) bell: Bell,
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

impl Driver {
    /// Runs until it is told to stop, its callers are gone, or its store fails. `durable` is the last commit: what is asked
    /// about stored things stands on it.
    pub(crate) async fn run(mut self, mut durable: Durable) {
        let mut wake = Time::ZERO;
        let _last = LastWords {
            failure: Arc::clone(&self.failure),
            abandon: self.world.abandon.clone(),
            stopping: self.stopping.clone(),
        };
        let ended = loop {
            let gathering = self.gather(wake).await;
            let turn = match self.heart.turn(gathering, self.world.clock.now()) {
                Ok(turn) => turn,
                Err(failed) => break Err(self.failed(failed)),
            };
            wake = turn.wake;
            durable = match self.settle(turn, durable).await {
                Ok(durable) => durable,
                Err(failed) => break Err(failed),
            };
            if self.has_stopped() {
                break self.close(durable).await;
            }
        };
        self.world.abandon.cancel();
        self.stopping.cancel();
        self.calls.close();
        for reply in self.heart.awaiting_stop() {
            let _ = reply.send(ended.clone());
        }
    }

    /// Waits for something to do, then takes what else there is.
    async fn gather(&mut self, wake: Time) -> Gathering {
        let mut gathering = Gathering::default();
        let now = self.world.clock.now();
        let stops = self.heart.stops_at();
        // Once the requests in the air are given up, only their reports are waited for.
        let wake = match stops {
            Some(_) if self.world.abandon.is_cancelled() => Time::NEVER,
            Some(until) => wake.min(now.after(LONGEST_WAIT)).min(until),
            None => wake.min(now.after(LONGEST_WAIT)),
        };
        let world = Arc::clone(&self.world);
        tokio::select! {
            biased;
            heard = self.heard.recv() => {
                if let Some(heard) = heard {
                    gathering.hear(heard);
                }
            }
            call = self.calls.recv(), if stops.is_none() || !self.calls.is_closed() => match call {
                Some(Call(ask)) => gathering.call(ask),
                None => self.heart.begin_stop(Span::ZERO, None, now),
            },
            () = self.stopping.cancelled(), if stops.is_none() => {
                self.heart.begin_stop(Span::from_secs(10), None, now);
            }
            () = world.clock.wait(wake) => {}
        }
        // Whatever is ready to run has its turn first: answers that have arrived, callers that were just told. On an idle engine
        // that is nothing and takes no time; under load the commit is the larger for it.
        tokio::task::yield_now().await;
        while !gathering.is_full()
            && let Ok(heard) = self.heard.try_recv()
        {
            gathering.hear(heard);
        }
        while !gathering.is_full()
            && let Ok(Call(ask)) = self.calls.try_recv()
        {
            gathering.call(ask);
        }
        gathering
    }

    /// Commits, then acts.
    async fn settle(&mut self, mut turn: Turn, mut durable: Durable) -> Result<Durable, Error> {
        if !turn.writes.is_empty() {
            let writes = std::mem::take(&mut turn.writes);
            // The failure is known before the turn's callers are let go: they look there for the reason.
            durable = self.commit(writes).await.map_err(|failed| self.failed(failed))?;
        }
        self.heart.tell_watchers(std::mem::take(&mut turn.told));
        for act in turn.acts {
            self.act(act, durable);
        }
        Ok(durable)
    }

    /// The end of the engine's authority.
    fn failed(&self, failed: StoreError) -> Error {
        error!(error = %failed, "the store failed; nothing is accepted, sent or refreshed any more");
        let failed = Error::from(failed);
        let _ = self.failure.set(failed.clone());
        self.world.abandon.cancel();
        self.bell.ring(Alert {
            number: 0,
            at_ms: self.world.clock.now().as_millis(),
            kind: AlertKind::StoreFailed,
            severity: Severity::Critical,
            subject: AlertSubject::Store,
            text: store_failed(&failed.to_string()),
            ends_ms: None,
            count: 1,
        });
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
        let (world, settings) = (Arc::clone(&self.world), &self.heart.machines.settings);
        match act {
            Act::Answer(answer) => answer(durable),
            Act::Beside(work) => drop(world.tasks.spawn_blocking(work)),
            Act::Alert(alert) => self.bell.ring(*alert),
            Act::Send(shipment) => {
                let Some(spoken_to) = settings.spoken_to(&shipment) else { return };
                self.world.tasks.spawn(attempt::carry(world, shipment, spoken_to));
            }
            Act::Renew(renewal) => {
                let Some(profile) = settings.profiles.get(&renewal.credential).cloned() else { return };
                self.world.tasks.spawn(renewal::call(world, renewal, profile));
            }
            Act::Inspect(inspection) => {
                let Some(profile) = settings.profiles.get(&inspection.credential).cloned() else { return };
                self.world.tasks.spawn(inspection::call(world, inspection, profile));
            }
            Act::Trust { credential, epoch, token } => {
                if let Some(vault) = &world.vault {
                    vault.remember(&credential, epoch, token);
                }
            }
        }
    }

    /// Whether a stop has run its course; when its grace is over, what is in the air is given up.
    fn has_stopped(&self) -> bool {
        if self.heart.has_stopped() {
            return true;
        }
        if self.heart.stops_at().is_some_and(|until| self.world.clock.now() >= until) {
            self.world.abandon.cancel();
        }
        false
    }

    /// The last commit of a clean stop.
    async fn close(&mut self, durable: Durable) -> Result<(), Error> {
        let turn = self.heart.last_turn(self.world.clock.now());
        self.settle(turn, durable).await?;
        let store = Arc::clone(&self.world.store);
        beside(move || store.close()).await.map_err(|failed| self.failed(failed))
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
