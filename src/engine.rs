//! The engine, as its users hold it.

mod credentials;
mod details;
mod perform;
mod sealed;

use std::sync::Arc;

use outlast_state::{DeliveryId, Span};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alert::Alert;
use crate::builder::Builder;
use crate::driver::acts::News;
use crate::driver::answers::{LARGEST_SUBMISSION, weight as weight_of};
use crate::driver::{Ask, Call, Look, World};
use crate::error::{Error, ErrorKind};
use crate::parcel::Parcel;
use crate::route::Event;
use crate::routing::Routing;
use crate::store::StoreFigures;
use crate::view::{Counts, Details, Filter, Outcome, Redrive, Scope, Summary};

/// A durable delivery engine over one store. Cheap to clone; all clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) failure: Arc<std::sync::OnceLock<Error>>,
    pub(crate) routing: Arc<Routing>,
    /// It goes with the driver, and the store with it.
    pub(crate) world: std::sync::Weak<World>,
}

/// A delivery that an event became on one route.
#[derive(Clone, Debug)]
pub struct Routed {
    /// The route.
    pub route: String,
    /// Its destination.
    pub destination: String,
    /// The delivery, on disk; or why there is none.
    pub delivery: Result<DeliveryId, Error>,
}

/// A stream of the states that one delivery goes through.
pub struct Watch {
    current: Option<Summary>,
    changes: broadcast::Receiver<News>,
}

impl Engine {
    /// Starts to describe an engine whose store is the directory `path`.
    pub fn builder(path: impl Into<std::path::PathBuf>) -> Builder {
        Builder::new(path.into())
    }

    /// Accepts a parcel. When this returns, the parcel is on disk, behind a barrier.
    ///
    /// # Errors
    /// [`ErrorKind::Caller`] names what is wrong with the parcel; [`ErrorKind::Conflict`] when its key came before with another
    /// body; [`ErrorKind::Busy`] when the engine is full; [`ErrorKind::Storage`] when the store failed, and then nothing was
    /// accepted.
    pub async fn submit(&self, parcel: Parcel) -> Result<DeliveryId, Error> {
        let parcel = self.inner.routing.sort(parcel);
        self.offer(|reply| Ask::Submit { parcel, reply }).await?
    }

    /// Accepts many parcels behind one barrier: one answer for each, in their order.
    ///
    /// # Errors
    /// As [`Engine::submit`], for all of them at once, where the engine cannot take any.
    pub async fn submit_all(&self, parcels: Vec<Parcel>) -> Result<Vec<Result<DeliveryId, Error>>, Error> {
        let parcels = parcels.into_iter().map(|parcel| self.inner.routing.sort(parcel)).collect();
        self.offer(|reply| Ask::SubmitAll { parcels, reply }).await
    }

    /// Takes an event in: each route that takes it makes one delivery, with its own fate. When this returns, they are on disk,
    /// behind one barrier. An event that no route takes makes none.
    ///
    /// Taking it in again is harmless where it has an idempotency key, which is its `messageId` unless another is set: the same
    /// key and the same bytes are the same delivery on each route.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] when the engine is full, [`ErrorKind::Storage`] when the store failed; then nothing was accepted.
    /// What is wrong on one route stands there.
    pub async fn ingest(&self, event: Event) -> Result<Vec<Routed>, Error> {
        Ok(self.ingest_all(vec![event]).await?.pop().unwrap_or_default())
    }

    /// Takes many events in, behind as few barriers as hold them: for each the deliveries that it became.
    ///
    /// # Errors
    /// As [`Engine::ingest`], for those that were not taken in before.
    pub async fn ingest_all(&self, events: Vec<Event>) -> Result<Vec<Vec<Routed>>, Error> {
        let mut made: Vec<Vec<Routed>> = events.iter().map(|_| Vec::new()).collect();
        let (mut group, mut places, mut weight) = (Vec::new(), Vec::new(), 0_usize);
        for (place, event) in events.iter().enumerate() {
            for parcel in self.inner.routing.parcels(event) {
                let more = weight_of(&parcel);
                if weight.saturating_add(more) > LARGEST_SUBMISSION && !group.is_empty() {
                    self.ingest_group(std::mem::take(&mut group), std::mem::take(&mut places), &mut made).await?;
                    weight = 0;
                }
                weight = weight.saturating_add(more);
                group.push(parcel);
                places.push(place);
            }
        }
        if !group.is_empty() {
            self.ingest_group(group, places, &mut made).await?;
        }
        Ok(made)
    }

    async fn ingest_group(
        &self,
        parcels: Vec<Parcel>,
        places: Vec<usize>,
        made: &mut [Vec<Routed>],
    ) -> Result<(), Error> {
        let name_of = |parcel: &Parcel| (parcel.route.clone().unwrap_or_default(), parcel.destination.clone());
        let names: Vec<(String, String)> = parcels.iter().map(name_of).collect();
        let answers = self.offer(|reply| Ask::SubmitAll { parcels, reply }).await?;
        for ((place, (route, destination)), delivery) in places.into_iter().zip(names).zip(answers) {
            if let Some(made) = made.get_mut(place) {
                made.push(Routed { route, destination, delivery });
            }
        }
        Ok(())
    }

    /// Waits until a delivery has ended.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when there is no such delivery; [`ErrorKind::Stopped`] when the engine stops before it has ended.
    pub async fn outcome(&self, id: DeliveryId) -> Result<Outcome, Error> {
        let mut watch = self.watch(id).await?;
        loop {
            match watch.news().await {
                Some(News { outcome: Some(outcome), .. }) => return Ok(outcome),
                Some(news) if news.summary.ended_ms.is_some() => break,
                Some(_) => {}
                None => return Err(self.why_stopped()),
            }
        }
        self.ask(|reply| Ask::Look(Look::Outcome { id, reply })).await?
    }

    /// Watches a delivery: the state in which it is, then each one that it goes to.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when there is no such delivery.
    pub async fn watch(&self, id: DeliveryId) -> Result<Watch, Error> {
        let (current, changes) = self.ask(|reply| Ask::Look(Look::Watch { id, reply })).await??;
        Ok(Watch { current: Some(current), changes })
    }

    /// The deliveries that `filter` describes, oldest first.
    ///
    /// # Errors
    /// [`ErrorKind::Caller`] when the filter names a state that there is not.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Summary>, Error> {
        self.ask(|reply| Ask::Look(Look::List { filter, reply })).await?
    }

    /// One delivery in full.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when there is no such delivery.
    pub async fn show(&self, id: DeliveryId) -> Result<Details, Error> {
        self.ask(|reply| Ask::Look(Look::Show { id, reply })).await?
    }

    /// What a delivery waits for, since when, and what would release it: sentences from effect to cause.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when there is no such delivery.
    pub async fn why(&self, id: DeliveryId) -> Result<Vec<String>, Error> {
        self.ask(|reply| Ask::Look(Look::Why { id, reply })).await?
    }

    /// How many deliveries stand where.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`] when the engine has stopped.
    pub async fn counts(&self) -> Result<Counts, Error> {
        self.ask(|reply| Ask::Look(Look::Counts { reply })).await
    }

    /// What the store has done since the engine was opened.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`] when the engine has stopped.
    pub async fn store_figures(&self) -> Result<StoreFigures, Error> {
        self.ask(|reply| Ask::Look(Look::Figures { reply })).await
    }

    /// Stops a delivery. One that is in the air is `Done` if the destination has taken it, else `Failed`.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when there is no such delivery; [`ErrorKind::Caller`] when it has ended already.
    pub async fn cancel(&self, id: DeliveryId) -> Result<Summary, Error> {
        self.ask(|reply| Ask::Cancel { id, reply }).await?
    }

    /// Starts a failed delivery again, with a new deadline and a new budget. Its body and its key stay.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when there is no such delivery; [`ErrorKind::Caller`] when it has not failed, a later parcel of
    /// its lane was sent, or it may have arrived and `may_duplicate` is not set.
    pub async fn redrive(&self, id: DeliveryId, redrive: Redrive) -> Result<Summary, Error> {
        self.ask(|reply| Ask::Redrive { id, redrive, reply }).await?
    }

    /// Stops sending what `scope` describes until it is resumed. Returns how many live deliveries that holds back.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when there is no such destination or credential.
    pub async fn pause(&self, scope: Scope) -> Result<u64, Error> {
        self.ask(|reply| Ask::Pause { scope, reply }).await?
    }

    /// Sends again what was paused. Says whether it was.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when there is no such destination or credential.
    pub async fn resume(&self, scope: Scope) -> Result<bool, Error> {
        self.ask(|reply| Ask::Resume { scope, reply }).await?
    }

    /// What is paused.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`] when the engine has stopped.
    pub async fn pauses(&self) -> Result<Vec<Scope>, Error> {
        self.ask(|reply| Ask::Look(Look::Pauses { reply })).await
    }

    /// The last alerts, oldest first: the newest 256 are kept.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the store cannot be read; [`ErrorKind::Stopped`] when the engine has stopped.
    pub async fn alerts(&self) -> Result<Vec<Alert>, Error> {
        self.ask(|reply| Ask::Look(Look::Alerts { reply })).await?
    }

    /// Stops the engine: no new requests leave, those in the air have `grace` to be answered, and the store is closed.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the store had failed before or fails now.
    pub async fn stop_within(&self, grace: Span) -> Result<(), Error> {
        let stopped = self.ask(|reply| Ask::Stop { grace, reply }).await;
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        match stopped {
            Ok(result) => result,
            Err(error) if error.kind() == ErrorKind::Stopped => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// [`Engine::stop_within`] ten seconds.
    ///
    /// # Errors
    /// As [`Engine::stop_within`].
    pub async fn stop(&self) -> Result<(), Error> {
        self.stop_within(Span::from_secs(10)).await
    }

    /// Waits until the engine has ended by itself, which it does when its store fails, and says why.
    pub async fn ended(&self) -> Error {
        self.inner.calls.closed().await;
        self.why_stopped()
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.inner.calls.send(Call(ask(reply))).await.map_err(|_| self.why_stopped())?;
        answer.await.map_err(|_| self.why_stopped())
    }

    /// As `ask`, but answers `Busy` instead of waiting for a place in the queue.
    async fn offer<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.inner.calls.try_send(Call(ask(reply))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Error::new(ErrorKind::Busy, "the engine has as many calls waiting as it holds; try again later")
            }
            mpsc::error::TrySendError::Closed(_) => self.why_stopped(),
        })?;
        answer.await.map_err(|_| self.why_stopped())
    }

    fn why_stopped(&self) -> Error {
        self.inner.failure.get().cloned().unwrap_or_else(Error::stopped)
    }
}

impl Watch {
    /// The next state; `None` after the last one, or when the engine stopped. A watcher that is slower than the delivery by
    /// more than 64 changes misses the oldest of them.
    pub async fn next(&mut self) -> Option<Summary> {
        self.news().await.map(|news| news.summary)
    }

    async fn news(&mut self) -> Option<News> {
        if let Some(summary) = self.current.take() {
            return Some(News { summary, outcome: None });
        }
        loop {
            match self.changes.recv().await {
                Ok(change) => return Some(change),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
