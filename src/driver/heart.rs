//! The driver's heart: what happened, in; what is to be written and done, out. It waits for nothing and reads no clock, so
//! that a simulator can be its loop as well as the driver is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use outlast_state::{DeliveryId, Span, Time, Want};
use tokio::sync::{broadcast, oneshot};
use tracing::info;

use super::acts::{News, Turn};
use super::machines::Machines;
use super::reading::{SLICE, read_on};
use super::retention::look_on;
use super::sealed::Pass;
use super::sleep::Known;
use super::{Ask, Heard, answers, shown};
use crate::error::Error;
use crate::parcel::Parcel;
use crate::records::{self, DeliveryRecord, OnceRecord};
use crate::store::{Key, Store, StoreError};
use crate::vault::Vault;

/// A turn takes in no more once it has about so many keys to write. With the largest submission, the largest batch and
/// what admission adds, a turn stays below what a store takes in one commit.
const LARGEST_GATHERING: usize = 2_000;

/// So many sleeping deliveries are woken at most for the deadlines of a turn, and as many for its admission: each is read from
/// the store, and others wait for the turn.
const WOKEN: usize = 256;

/// So many watchers are kept before anybody looks who is still there.
const FIRST_SWEEP: usize = 64;

/// All machines, and what is needed to look things up for them.
pub(crate) struct Heart {
    pub(crate) machines: Machines,
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: Option<Arc<Vault>>,
    pub(super) watchers: HashMap<DeliveryId, broadcast::Sender<News>>,
    /// With so many watchers it is time to look who is still there.
    sweep: usize,
    stop: Option<Stop>,
    /// Those who go through what is sealed: one at a time.
    pub(super) passes: VecDeque<Pass>,
    /// So many sealed records are looked at in a turn.
    pub(super) slice: usize,
}

/// A stop in progress.
struct Stop {
    until: Time,
    /// All who asked for it.
    replies: Vec<oneshot::Sender<Result<(), Error>>>,
}

/// What one turn has to take in.
#[derive(Default)]
pub(crate) struct Gathering {
    calls: Vec<Ask>,
    heard: Vec<Heard>,
    /// About how many keys it makes the turn write.
    weight: usize,
}

impl Gathering {
    pub(crate) fn call(&mut self, ask: Ask) {
        let weight = match &ask {
            Ask::Submit { parcel, .. } => answers::weight(parcel),
            Ask::SubmitAll { parcels, .. } => parcels.iter().map(answers::weight).sum(),
            _ => 1,
        };
        self.weight = self.weight.saturating_add(weight);
        self.calls.push(ask);
    }

    pub(crate) fn hear(&mut self, heard: Heard) {
        let weight = match &heard {
            Heard::Report(report) => report.items.len(),
            Heard::Renewal { .. } | Heard::Inspection { .. } => 3,
        };
        self.weight = self.weight.saturating_add(weight);
        self.heard.push(heard);
    }

    /// Whether the rest is for the next turn.
    pub(crate) fn is_full(&self) -> bool {
        self.weight >= LARGEST_GATHERING
    }
}

impl Heart {
    pub(crate) fn new(machines: Machines, store: Arc<dyn Store>, vault: Option<Arc<Vault>>) -> Self {
        let (watchers, passes) = (HashMap::new(), VecDeque::new());
        Heart { machines, store, vault, watchers, sweep: FIRST_SWEEP, stop: None, passes, slice: SLICE }
    }

    /// The same, which reads so many records at a time.
    pub(crate) fn in_slices(mut self, slice: usize) -> Self {
        self.slice = slice.max(1);
        self
    }

    /// The same, over a store that holds the same: from here on each goes its own way.
    #[cfg(feature = "verify")]
    pub(crate) fn fork(&self, store: Arc<dyn Store>) -> Self {
        Heart::new(self.machines.clone(), store, self.vault.clone()).in_slices(self.slice)
    }

    /// One turn. What it writes is to be durable before any of its acts is done.
    ///
    /// # Errors
    /// The store cannot be read, which ends the engine.
    pub(crate) fn turn(&mut self, gathering: Gathering, now: Time) -> Result<Turn, StoreError> {
        let mut turn = Turn::at(now);
        // First, because what is accepted in this turn is not in the store yet.
        read_on(self.store.as_ref(), &mut self.machines, &mut turn)?;
        for heard in gathering.heard {
            match heard {
                Heard::Report(report) => self.machines.reported(report, &mut turn),
                Heard::Renewal { credential, from, ending } => {
                    let ending = self.sealed_now(&credential, from, ending);
                    self.machines.renewal_ended(&credential, from, ending, &mut turn);
                }
                Heard::Inspection { credential, epoch, standing, note } => {
                    self.machines.inspected(&credential, epoch, standing, &note, &mut turn);
                }
            }
        }
        self.pass_on(&mut turn)?;
        for ask in gathering.calls {
            self.answer(ask, &mut turn);
        }
        for (id, known) in self.machines.overdue(now, WOKEN) {
            self.wake(id, &known)?;
        }
        self.machines.expire(&mut turn);
        for (name, id, place) in self.machines.summoned(now, WOKEN) {
            self.wake(id, &Known::Standing(name, place))?;
        }
        self.machines.admit(&mut turn);
        self.machines.renew(&mut turn);
        look_on(self.store.as_ref(), &mut self.machines, &mut turn)?;
        self.machines.alert(&mut turn);
        Ok(self.machines.close(turn, false))
    }

    /// Reads the record of a delivery that sleeps.
    fn wake(&mut self, id: DeliveryId, known: &Known) -> Result<(), StoreError> {
        match records::get::<DeliveryRecord>(self.store.as_ref(), &Key::Delivery(id))? {
            Ok(Some(record)) if record.delivery.wants() != Want::Nothing => self.machines.woken(record),
            Ok(_) => self.machines.not_woken(id, known, None),
            Err(damage) => self.machines.not_woken(id, known, Some(damage)),
        }
        Ok(())
    }

    /// The last turn of a clean stop.
    pub(crate) fn last_turn(&mut self, now: Time) -> Turn {
        self.machines.close(Turn::at(now), true)
    }

    /// From here on nothing new leaves; what is in the air has `grace`.
    pub(crate) fn begin_stop(&mut self, grace: Span, reply: Option<oneshot::Sender<Result<(), Error>>>, now: Time) {
        let until = now.after(grace);
        info!(grace = %grace, in_the_air = self.machines.in_flight, "stopping");
        self.machines.stopping = true;
        let stop = self.stop.get_or_insert_with(|| Stop { until, replies: Vec::new() });
        stop.until = stop.until.min(until);
        stop.replies.extend(reply);
    }

    /// When what is in the air is given up, once the engine stops.
    pub(crate) fn stops_at(&self) -> Option<Time> {
        self.stop.as_ref().map(|stop| stop.until)
    }

    /// Whether a stop has run its course: everything is answered, or was given up and has said so.
    pub(crate) fn has_stopped(&self) -> bool {
        self.stop.is_some() && self.machines.in_flight == 0
    }

    /// Those who wait for the stop.
    pub(crate) fn awaiting_stop(&mut self) -> Vec<oneshot::Sender<Result<(), Error>>> {
        self.stop.take().map(|stop| stop.replies).unwrap_or_default()
    }

    pub(crate) fn tell_watchers(&mut self, told: Vec<(DeliveryId, News)>) {
        for (id, news) in told {
            let ended = news.summary.ended_ms.is_some();
            let heard = self.watchers.get(&id).is_some_and(|watcher| watcher.send(news).is_ok());
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
    pub(super) fn known(&self, parcel: &Parcel, turn: &Turn) -> Result<Option<OnceRecord>, Error> {
        let Some(once) = &parcel.once else { return Ok(None) };
        let key = records::once_key(&parcel.destination, parcel.route.as_deref(), once);
        let found = match turn.writes.get(&key).flatten() {
            Some(bytes) => records::decode(&key, bytes).map(Some),
            None => records::get(self.store.as_ref(), &key)?,
        };
        found.map_err(|damage| {
            let message =
                format!("once: the record of the key {once:?} does not verify ({damage}); it is not acted on");
            Error::new(crate::ErrorKind::Corrupt, message)
        })
    }

    /// A delivery's record: the live one, the one that ended in this turn, or the stored one.
    pub(super) fn record(&self, id: DeliveryId, turn: &Turn) -> Result<DeliveryRecord, Error> {
        let live = self.machines.live.get(&id).map(|live| &live.record);
        match live.or_else(|| turn.ended.get(&id)) {
            Some(record) => Ok(record.clone()),
            None => shown::stored(self.store.as_ref(), id),
        }
    }
}
