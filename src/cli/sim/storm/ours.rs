//! The engine in simulated time: the loop around the shipped heart, act for act the driver's, over a store in memory.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::Arc;

use outlast_state::{DeliveryId, Time};

use super::agenda::Agenda;
use super::api::{Api, Flight};
use super::scene::{self, API_BASE, CREDENTIAL, HORIZON_MS, START, Scene, TOKEN_URL};
use super::tally::{Beside, Row};
use crate::cli::failure::Failure;
use crate::clock::LONGEST_SLEEP;
use crate::life::{Deed, Life, Renewing, Reply, Sending, Step, answered};
use crate::sandbox::{Incoming, Reply as Answer};
use crate::store::Durable;
use crate::store::memory::MemoryStore;
use crate::{Engine, Error};

/// How long a commit takes to be durable. What happens meanwhile shares the next one.
const BARRIER_MS: u64 = 1;

/// The engine is opened this long before the first delivery comes.
const BEFORE_MS: u64 = 1_000;

enum Event {
    /// A delivery comes.
    Comes(u64),
    /// The engine asked to be woken.
    Wake,
    /// What was written is durable.
    Synced,
    Arrives(u64),
    Answered(u64, Answer),
    TokenAsked(u64),
    TokenTold(u64, Answer),
}

/// The engine, its store, and what it has in the air.
struct World<'a> {
    scene: Scene,
    api: Api<'a>,
    agenda: Agenda<Event>,
    life: Life,
    store: MemoryStore,
    durable: Durable,
    syncing: Option<Step>,
    /// When it is woken next.
    wakes: u64,
    woken: bool,
    /// Requests in the air, by a number of their own.
    sends: BTreeMap<u64, (Box<Sending>, Flight)>,
    renews: BTreeMap<u64, (Box<Renewing>, Incoming, u64)>,
    numbered: u64,
    /// Deliveries that are to be acknowledged.
    asked: Vec<(u64, Reply<DeliveryId>)>,
    /// Which delivery has which name.
    names: HashMap<DeliveryId, u64>,
    accepted: u64,
}

pub(super) fn run(scene: Scene, log: Option<&mut dyn Write>) -> Result<(Row, Beside), Failure> {
    let mut world = World::open(scene, log)?;
    if !scene.is_planned() {
        world.api.kill_token(world.agenda.now())?;
    }
    for number in 0..scene.accepted() {
        world.agenda.at(START.saturating_add(scene.comes(number)), Event::Comes(number));
    }
    let end = START.saturating_add(HORIZON_MS);
    while world.accepted < scene.accepted() || world.life.live() > 0 || world.syncing.is_some() {
        let Some(event) = world.agenda.next(end) else { break };
        world.happen(event)?;
    }
    let (accepted, now) = (world.accepted, world.agenda.now());
    world.api.end(accepted, now)
}

impl<'a> World<'a> {
    /// An engine whose credential was authorised, and has nothing to deliver yet.
    fn open(scene: Scene, log: Option<&'a mut dyn Write>) -> Result<Self, Failure> {
        let begins = START.saturating_sub(BEFORE_MS);
        let store = MemoryStore::new();
        let builder = scene.engine(Life::describe(Engine::builder("unused")), TOKEN_URL, API_BASE)?;
        let life = Life::open(builder, Arc::new(store.clone()), scene.seed | 1, Time::from_millis(begins))?;
        let mut world = World {
            scene,
            api: Api::new(scene, log, begins)?,
            agenda: Agenda::new(begins),
            durable: life.opened(),
            life,
            store,
            syncing: None,
            wakes: u64::MAX,
            woken: true,
            sends: BTreeMap::new(),
            renews: BTreeMap::new(),
            numbered: 0,
            asked: Vec::new(),
            names: HashMap::new(),
            accepted: 0,
        };
        let mut authorised = world.life.authorise(CREDENTIAL.to_owned(), scene.grant(world.now()));
        world.pump()?;
        loop {
            if let Some(outcome) = authorised.take() {
                outcome?;
                return Ok(world);
            }
            let Some(event) = world.agenda.next(START) else {
                return Err(Failure::new("the engine does not take the grant"));
            };
            world.happen(event)?;
        }
    }

    /// Engine time. The machine's clocks are right, and it never sleeps.
    fn now(&self) -> Time {
        Time::from_millis(self.agenda.now())
    }

    fn happen(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Comes(number) => self.comes(number)?,
            Event::Wake => {
                if self.agenda.now() >= self.wakes {
                    (self.woken, self.wakes) = (true, u64::MAX);
                }
            }
            Event::Synced => {
                if let Some(step) = self.syncing.take() {
                    self.durable = self.store.barrier().map_err(Error::from)?;
                    self.act(step)?;
                }
            }
            Event::Arrives(key) => {
                if let Some((_, flight)) = self.sends.get(&key) {
                    let answer = self.api.answer(&flight.incoming, self.agenda.now());
                    self.agenda.after(answer.pace.before_ms, Event::Answered(key, answer));
                }
            }
            Event::Answered(key, answer) => self.answered(key, &answer)?,
            Event::TokenAsked(key) => {
                if let Some((_, incoming, _)) = self.renews.get(&key) {
                    let answer = self.api.answer(incoming, self.agenda.now());
                    self.agenda.after(answer.pace.before_ms, Event::TokenTold(key, answer));
                }
            }
            Event::TokenTold(key, answer) => self.told_token(key, &answer)?,
        }
        self.pump()
    }

    fn comes(&mut self, number: u64) -> Result<(), Failure> {
        let parcel = scene::parcel(number, self.agenda.now())?;
        self.asked.push((number, self.life.submit(parcel)));
        Ok(())
    }

    /// Turns, for as long as there is something to turn about and no barrier is waited for.
    fn pump(&mut self) -> Result<(), Failure> {
        while self.syncing.is_none() && (self.life.is_asked() || self.woken) {
            self.woken = false;
            let now = self.now();
            let mut step = self.life.turn(now);
            let wake = step.wake.since(now).min(LONGEST_SLEEP).as_millis();
            self.wakes = self.agenda.now().saturating_add(wake.max(1));
            self.agenda.at(self.wakes, Event::Wake);
            let writes = std::mem::take(&mut step.writes);
            if writes.is_empty() {
                self.act(step)?;
            } else {
                self.store.write(writes).map_err(Error::from)?;
                self.syncing = Some(step);
                self.agenda.after(BARRIER_MS, Event::Synced);
            }
        }
        Ok(())
    }

    /// Does what a durable step wants done.
    fn act(&mut self, mut step: Step) -> Result<(), Failure> {
        while let Some(deed) = self.life.next_deed(&mut step, self.durable) {
            match deed {
                Deed::Answered => self.hear_answers()?,
                Deed::Told | Deed::Trusted => {}
                Deed::Send(sending) => self.send(sending)?,
                Deed::Renew(renewing) => self.renew(renewing),
                Deed::Inspect(_) => {
                    return Err(Failure::new("the engine asks about a token, which the storm has no answer for"));
                }
            }
        }
        Ok(())
    }

    fn hear_answers(&mut self) -> Result<(), Failure> {
        for (number, mut reply) in std::mem::take(&mut self.asked) {
            match reply.take() {
                None => self.asked.push((number, reply)),
                Some(id) => {
                    self.names.insert(id?, number);
                    self.accepted = self.accepted.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, mut sending: Box<Sending>) -> Result<(), Failure> {
        let delivery = sending.ids().next().and_then(|id| self.names.get(&id)).copied();
        let delivery = delivery.ok_or_else(|| Failure::new("a request leaves for a delivery that nobody accepted"))?;
        if let Some(outgoing) = sending.request(&mut self.life) {
            let (leg, sent) = (self.api.leg(), self.agenda.now());
            let since = START.saturating_add(self.scene.comes(delivery));
            let flight = Flight { incoming: outgoing.incoming, delivery, since, sent };
            let key = self.key();
            self.sends.insert(key, (sending, flight));
            self.agenda.after(leg, Event::Arrives(key));
        }
        Ok(())
    }

    fn answered(&mut self, key: u64, answer: &Answer) -> Result<(), Failure> {
        let Some((mut sending, flight)) = self.sends.remove(&key) else { return Ok(()) };
        self.api.answered(&flight, answer, self.agenda.now())?;
        let now = self.now();
        sending.heard(&mut self.life, answered(answer, now));
        // A conversation of several requests goes on; the shipped destination's has one.
        if sending.request(&mut self.life).is_some() {
            return Err(Failure::new("the destination asks twice for one delivery"));
        }
        Ok(())
    }

    fn renew(&mut self, mut renewing: Box<Renewing>) {
        if let Some(outgoing) = renewing.request(&mut self.life) {
            let (leg, key) = (self.api.leg(), self.key());
            self.renews.insert(key, (renewing, outgoing.incoming, self.agenda.now()));
            self.agenda.after(leg, Event::TokenAsked(key));
        }
    }

    fn told_token(&mut self, key: u64, answer: &Answer) -> Result<(), Failure> {
        let Some((renewing, _, sent)) = self.renews.remove(&key) else { return Ok(()) };
        self.api.told_token(sent, answer, self.agenda.now())?;
        let now = self.now();
        renewing.heard(&mut self.life, answered(answer, now), now);
        Ok(())
    }

    fn key(&mut self) -> u64 {
        self.numbered = self.numbered.saturating_add(1);
        self.numbered
    }
}
