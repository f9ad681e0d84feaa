//! What a turn leaves: what is to be written, and what is to be done once that is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use outlast_state::{Batch, DeliveryId, Epoch, Time};

use super::ids::ById;
use super::machines::Name;
use crate::alert::Alert;
use crate::destination::Conclusion;
use crate::records::DeliveryRecord;
use crate::secret::Secret;
use crate::store::{Durable, Writes};
use crate::view::{Outcome, Summary};

/// So many records at most change in one turn before it counts as full.
const LARGEST_TURN: usize = 6_000;

/// What a turn leaves to be written and done.
pub(crate) struct Turn {
    pub(crate) now: Time,
    pub(crate) writes: Writes,
    /// Done in this order once the writes are durable.
    pub(crate) acts: Vec<Act>,
    /// Deliveries that changed.
    pub(crate) changed: BTreeSet<DeliveryId>,
    /// Each change of those that are watched.
    pub(crate) told: Vec<(DeliveryId, News)>,
    /// Records of deliveries that ended in this turn.
    pub(crate) ended: ById<DeliveryRecord>,
    pub(super) dirty_credentials: BTreeSet<String>,
    /// The earliest time at which there is something to do without any input.
    pub(crate) wake: Time,
}

/// What who watches a delivery is told: where it stands, and how it ended if it has. Its record may be gone by then.
#[derive(Clone)]
pub(crate) struct News {
    pub(crate) summary: Summary,
    pub(crate) outcome: Option<Outcome>,
}

/// Something that the world is told or asked, once what it stands on is stored.
pub(crate) enum Act {
    /// Answers a caller.
    Answer(Box<dyn FnOnce(Durable) + Send>),
    /// Reads at length beside the driver, and answers a caller.
    Beside(Box<dyn FnOnce() + Send>),
    /// Tells an operator.
    Alert(Box<Alert>),
    /// Makes a request.
    Send(Shipment),
    /// Asks a token endpoint.
    Renew(Renewal),
    /// Asks an issuer what it thinks of a token.
    Inspect(Inspection),
    /// Takes a token into use.
    Trust { credential: String, epoch: Epoch, token: Secret },
}

/// What a destination keeps in mind, each with the time until which it does.
pub(crate) type Known = BTreeMap<String, (String, Time)>;

/// One request to make: the deliveries that share it and the token that it carries.
#[derive(Clone)]
pub(crate) struct Shipment {
    pub(crate) batch: Batch,
    pub(crate) destination: Name,
    pub(crate) credential: Option<Name>,
    pub(crate) epoch: Epoch,
    pub(crate) items: Vec<(DeliveryId, outlast_state::Attempt)>,
    /// Their bodies, of those that were accepted a moment ago; the others are in the store.
    pub(crate) bodies: Vec<Option<Vec<u8>>>,
    /// The routes that they came by.
    pub(crate) routes: Vec<Option<String>>,
    /// When each was accepted.
    pub(crate) accepted: Vec<Time>,
    /// What was concluded of some of them before anything was asked.
    pub(crate) settled: Vec<Option<Conclusion>>,
    /// What its destination keeps in mind.
    pub(crate) memory: Option<Arc<Known>>,
    pub(crate) sent: Time,
    pub(crate) by: Time,
}

/// One token request to make.
pub(crate) struct Renewal {
    pub(crate) credential: String,
    pub(crate) from: Epoch,
    pub(crate) tries: u32,
}

/// One question about a token.
pub(crate) struct Inspection {
    pub(crate) credential: String,
    pub(crate) epoch: Epoch,
}

impl Turn {
    pub(crate) fn at(now: Time) -> Self {
        Turn {
            now,
            writes: Writes::new(),
            acts: Vec::new(),
            changed: BTreeSet::new(),
            told: Vec::new(),
            ended: ById::default(),
            dirty_credentials: BTreeSet::new(),
            wake: Time::NEVER,
        }
    }

    pub(crate) fn wake_at(&mut self, at: Time) {
        self.wake = self.wake.min(at);
    }

    /// Whether it changes as much as one commit should hold. The rest is for the next turn.
    pub(crate) fn is_full(&self) -> bool {
        // One that ended is written twice: where it was, and where it is kept.
        self.changed.len().saturating_add(self.ended.len()).saturating_add(self.dirty_credentials.len()) > LARGEST_TURN
    }

    /// The same in turns of at most `most` records; what is not a record stands in the last.
    pub(crate) fn parts(mut self, most: usize) -> Vec<Turn> {
        let mut parts = Vec::new();
        while self.changed.len().saturating_add(self.dirty_credentials.len()) > most {
            let mut part = Turn::at(self.now);
            while part.changed.len() < most
                && let Some(id) = self.changed.pop_first()
            {
                part.ended.extend(self.ended.remove(&id).map(|record| (id, record)));
                part.changed.insert(id);
            }
            while part.changed.len().saturating_add(part.dirty_credentials.len()) < most
                && let Some(name) = self.dirty_credentials.pop_first()
            {
                part.dirty_credentials.insert(name);
            }
            parts.push(part);
        }
        parts.push(self);
        parts
    }

    pub(crate) fn answer(&mut self, answer: impl FnOnce(Durable) + Send + 'static) {
        self.acts.push(Act::Answer(Box::new(answer)));
    }
}
