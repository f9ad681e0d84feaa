//! One life of an engine: the driver's heart, without the loop and the tasks around it. Nothing in it is stable.
//!
//! Whoever holds a [`Life`] decides when a turn is, when a commit passes its barrier, which request is answered and how, and
//! when it all ends without a word. `outlast sim` makes worlds of it, and so do the project's own tests.

mod ahead;
mod inspecting;
mod renewing;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use outlast_state::{DeliveryId, Epoch, Span, Time};
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::driver::acts::{Act, Shipment, Turn};
use crate::driver::conversation::{Ended, Next, Talk, report};
use crate::driver::heart::{Gathering, Heart};
#[cfg(feature = "verify")]
use crate::driver::marks::Marks;
use crate::driver::renewal::Asking;
use crate::driver::{Ask, Heard, Look};
use crate::exchange::{Answer, NoAnswer, Request};
use crate::oauth::Client;
use crate::recover::{self, Recovered};
use crate::route::Event;
use crate::routing::Routing;
use crate::store::{Durable, Store, StoreError, Writes};
use crate::vault::Vault;
use crate::view::{CredentialDetails, CredentialView, Details, Redrive, Scope, Summary};
use crate::{Alert, Authorisation, Builder, Error, Parcel, http};

pub use inspecting::Inspecting;
pub use renewing::Renewing;
pub use wire::{Outgoing, answered, steady_time, waking_time};

/// One life of an engine, from the opening of its store to whatever ends it.
pub struct Life {
    heart: Heart,
    clients: HashMap<String, Client>,
    vault: Option<Arc<Vault>>,
    routing: Arc<Routing>,
    store: Arc<dyn Store>,
    inbox: Gathering,
    waiting: bool,
    opened: Durable,
    alerts: Vec<Alert>,
}

/// An answer that a caller waits for.
pub struct Reply<T>(oneshot::Receiver<Result<T, Error>>);

impl<T> Reply<T> {
    /// The answer, if it has come.
    ///
    /// # Errors
    /// The engine's own, or that the engine ended without a word.
    pub fn take(&mut self) -> Option<Result<T, Error>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Closed) => Some(Err(Error::new(crate::ErrorKind::Stopped, "the engine is gone"))),
        }
    }
}

/// What a turn leaves: to be written first, then to be done.
pub struct Step {
    /// What is to be durable before anything is done.
    pub writes: Writes,
    /// When the next turn is at the latest.
    pub wake: Time,
    acts: std::vec::IntoIter<Act>,
}

/// Something to be done once its turn is durable.
pub enum Deed {
    /// A caller was answered.
    Answered,
    /// An operator was told something.
    Told,
    /// A token was taken into use.
    Trusted,
    /// A request, or a conversation of several, to be made. Boxed, because it is many times the size of the others.
    Send(Box<Sending>),
    /// A token request to be made.
    Renew(Box<Renewing>),
    /// A question about a token to be asked of its issuer.
    Inspect(Box<Inspecting>),
}

impl Life {
    /// The key that a simulated engine's tokens are sealed with.
    pub fn describe(builder: Builder) -> Builder {
        builder.vault_key(crate::vault::VaultKey::known([7; 32]))
    }

    /// The engine reads what is live in slices of this size.
    #[must_use = "it describes an engine"]
    pub fn reading(mut builder: Builder, slice: usize) -> Builder {
        builder.slice = slice.max(1);
        builder
    }

    /// Whether it has not yet read all that was live when it was opened.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.heart.machines.reading.is_some()
    }

    /// Opens a store, as [`Builder::open`] does, without starting anything.
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open(mut builder: Builder, store: Arc<dyn Store>, random: u64, now: Time) -> Result<Life, Error> {
        let Recovered { heart, clients, vault, routing, durable: opened } =
            recover::recovered(&mut builder, &store, random, now)?;
        Ok(Life {
            heart,
            clients,
            vault,
            routing,
            store,
            inbox: Gathering::default(),
            waiting: false,
            opened,
            alerts: Vec::new(),
        })
    }

    /// The same life over a store that holds the same: from here on each goes its own way. What waits for a turn stays here.
    #[cfg(feature = "verify")]
    #[must_use]
    pub fn fork(&self, store: Arc<dyn Store>) -> Life {
        let (heart, clients, vault) = (self.heart.fork(Arc::clone(&store)), self.clients.clone(), self.vault.clone());
        let routing = Arc::clone(&self.routing);
        let (inbox, opened, alerts) = (Gathering::default(), self.opened, Vec::new());
        Life { heart, clients, vault, routing, store, inbox, waiting: false, opened, alerts }
    }

    fn ask<T>(&mut self, make: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Ask) -> Reply<T> {
        let (reply, answer) = oneshot::channel();
        self.inbox.call(make(reply));
        self.waiting = true;
        Reply(answer)
    }

    /// As [`Engine::submit`](crate::Engine::submit).
    pub fn submit(&mut self, parcel: Parcel) -> Reply<DeliveryId> {
        self.ask(|reply| Ask::Submit { parcel, reply })
    }

    /// As [`Engine::ingest`](crate::Engine::ingest): an answer for each route that takes the event.
    pub fn ingest(&mut self, event: &Event) -> Vec<Reply<DeliveryId>> {
        let parcels = self.routing.parcels(event);
        parcels.into_iter().map(|parcel| self.ask(|reply| Ask::Submit { parcel, reply })).collect()
    }

    /// As [`Engine::cancel`](crate::Engine::cancel).
    pub fn cancel(&mut self, id: DeliveryId) -> Reply<Summary> {
        self.ask(|reply| Ask::Cancel { id, reply })
    }

    /// As [`Engine::redrive`](crate::Engine::redrive).
    pub fn redrive(&mut self, id: DeliveryId, redrive: Redrive) -> Reply<Summary> {
        self.ask(|reply| Ask::Redrive { id, redrive, reply })
    }

    /// As [`Engine::pause`](crate::Engine::pause).
    pub fn pause(&mut self, scope: Scope) -> Reply<u64> {
        self.ask(|reply| Ask::Pause { scope, reply })
    }

    /// As [`Engine::resume`](crate::Engine::resume).
    pub fn resume(&mut self, scope: Scope) -> Reply<bool> {
        self.ask(|reply| Ask::Resume { scope, reply })
    }

    /// As [`Engine::authorise`](crate::Engine::authorise).
    pub fn authorise(&mut self, credential: String, grant: Authorisation) -> Reply<CredentialView> {
        self.ask(|reply| Ask::Authorise { credential, grant, reply })
    }

    /// As [`Engine::show`](crate::Engine::show).
    pub fn show(&mut self, id: DeliveryId) -> Reply<Details> {
        self.ask(|reply| Ask::Look(Look::Show { id, reply }))
    }

    /// As [`Engine::why`](crate::Engine::why).
    pub fn why(&mut self, id: DeliveryId) -> Reply<Vec<String>> {
        self.ask(|reply| Ask::Look(Look::Why { id, reply }))
    }

    /// As [`Engine::credential`](crate::Engine::credential).
    pub fn credential(&mut self, name: &str) -> Reply<CredentialDetails> {
        let name = name.to_owned();
        self.ask(|reply| Ask::Look(Look::Credential { name, reply }))
    }

    /// Nothing new leaves from here on; what is in the air has `grace`.
    pub fn stop(&mut self, grace: Span) -> Reply<()> {
        self.ask(|reply| Ask::Stop { grace, reply })
    }

    /// The commit that its opening ended with.
    #[must_use]
    pub fn opened(&self) -> Durable {
        self.opened
    }

    /// When what is in the air is given up, once the engine stops.
    #[must_use]
    pub fn stops_at(&self) -> Option<Time> {
        self.heart.stops_at()
    }

    /// Whether a stop has run its course, so that [`Life::last_turn`] is all that is left.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.heart.has_stopped()
    }

    /// Whether something waits for a turn.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.waiting
    }

    /// How many deliveries have not ended.
    #[must_use]
    pub fn live(&self) -> usize {
        usize::try_from(self.heart.machines.live_in_all()).unwrap_or(usize::MAX)
    }

    /// What operators were told in this life.
    #[must_use]
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// Which rows of the tables it has walked.
    #[cfg(feature = "verify")]
    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.heart.machines.marks
    }

    /// One turn with all that has come in since the last.
    ///
    /// # Panics
    /// The store, which a turn reads, has failed.
    pub fn turn(&mut self, now: Time) -> Step {
        self.waiting = false;
        let gathering = std::mem::take(&mut self.inbox);
        Step::of(self.heart.turn(gathering, now).expect("a store in memory that goes on is read"))
    }

    /// The last turn of a clean stop.
    pub fn last_turn(&mut self, now: Time) -> Step {
        Step::of(self.heart.last_turn(now))
    }

    /// Tells those who waited for the stop how it went.
    pub fn told_stopped(&mut self, closed: Result<(), StoreError>) {
        let outcome = closed.map_err(Error::from);
        for reply in self.heart.awaiting_stop() {
            let _ = reply.send(outcome.clone());
        }
    }

    /// Does the next deed of a step whose writes are durable, as far as it does not need a network.
    pub fn next_deed(&mut self, step: &mut Step, durable: Durable) -> Option<Deed> {
        Some(match step.acts.next()? {
            Act::Answer(answer) => {
                answer(durable);
                Deed::Answered
            }
            Act::Beside(work) => {
                work();
                Deed::Answered
            }
            Act::Alert(alert) => {
                self.alerts.push(*alert);
                Deed::Told
            }
            Act::Trust { credential, epoch, token } => {
                if let Some(vault) = &self.vault {
                    vault.remember(&credential, epoch, token);
                }
                Deed::Trusted
            }
            Act::Send(mut shipment) => {
                let spoken_to = self.heart.machines.settings.spoken_to(&shipment)?;
                let talk = Talk::begin(self.store.as_ref(), self.vault.as_deref(), &mut shipment, spoken_to);
                Deed::Send(Box::new(Sending { shipment, talk: Some(talk), asked: None }))
            }
            Act::Inspect(inspection) => {
                let profile = Arc::clone(self.heart.machines.settings.profiles.get(&inspection.credential)?);
                Deed::Inspect(Box::new(Inspecting { inspection, profile }))
            }
            Act::Renew(renewal) => {
                let profile = Arc::clone(self.heart.machines.settings.profiles.get(&renewal.credential)?);
                let asking = {
                    let now = self.heart.machines.turned;
                    Asking::begin(self.store.as_ref(), self.vault.as_ref(), &self.clients, &profile, &renewal, now)
                };
                Deed::Renew(Box::new(Renewing { renewal, profile, asking: Some(asking) }))
            }
        })
    }

    /// A request, or its conversation, has ended.
    fn reported(&mut self, shipment: &Shipment, ended: Ended) {
        self.hear(Heard::Report(report(shipment, ended)));
    }

    fn hear(&mut self, heard: Heard) {
        self.inbox.hear(heard);
        self.waiting = true;
    }
}

impl Step {
    fn of(turn: Turn) -> Step {
        Step { writes: turn.writes, wake: turn.wake, acts: turn.acts.into_iter() }
    }
}

/// A conversation with a destination.
#[derive(Clone)]
pub struct Sending {
    shipment: Shipment,
    talk: Option<Result<Talk, Ended>>,
    asked: Option<Request>,
}

impl Sending {
    /// The next request; `None` when the conversation is over, which the engine was told.
    pub fn request(&mut self, life: &mut Life) -> Option<Outgoing> {
        match self.talk.take()? {
            Err(ended) => life.reported(&self.shipment, ended),
            Ok(mut talk) => match talk.next(&self.shipment) {
                Next::End(ended) => life.reported(&self.shipment, ended),
                Next::Ask(request) => match outgoing(&talk, &request) {
                    Ok(outgoing) => {
                        (self.talk, self.asked) = (Some(Ok(talk)), Some(request));
                        return Some(outgoing);
                    }
                    Err(missing) => {
                        if let Some(ended) = talk.heard(&self.shipment, request, Err(missing)) {
                            life.reported(&self.shipment, ended);
                        }
                    }
                },
            },
        }
        None
    }

    /// What became of the last request. Another may follow.
    pub fn heard(&mut self, life: &mut Life, answer: Result<Answer, NoAnswer>) {
        let Some((Ok(mut talk), request)) = self.talk.take().zip(self.asked.take()) else { return };
        match talk.heard(&self.shipment, request, answer) {
            Some(ended) => life.reported(&self.shipment, ended),
            None => self.talk = Some(Ok(talk)),
        }
    }

    /// The engine stops before the answer came.
    pub fn give_up(self, life: &mut Life) {
        life.reported(&self.shipment, Ended::GivenUp);
    }

    /// The names of its deliveries.
    pub fn ids(&self) -> impl Iterator<Item = DeliveryId> {
        self.shipment.items.iter().map(|(id, _)| *id)
    }

    /// The credential whose token its requests carry, where they need one, and that token's epoch.
    #[must_use]
    pub fn token(&self) -> (&str, Epoch) {
        (self.shipment.credential.as_deref().unwrap_or_default(), self.shipment.epoch)
    }

    /// Its destination's name.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.shipment.destination
    }

    /// After this, in engine time, an answer counts as lost.
    #[must_use]
    pub fn by(&self) -> Time {
        self.shipment.by
    }
}

fn outgoing(talk: &Talk, request: &Request) -> Result<Outgoing, NoAnswer> {
    let mut headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.clone().into_owned(), value.clone())).collect();
    if request.wants_bearer() {
        let (name, value) = http::authorization(request.url(), talk.bearer())?;
        headers.push((name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()));
    }
    Ok(Outgoing::new(request.method().as_str(), request.url(), headers, request.body()))
}
