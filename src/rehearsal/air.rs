//! What is between the engine and the provider: requests and answers on their way, and the engine's turns.

use std::collections::BTreeMap;

use outlast_state::Time;

use super::stage::Stage;
use crate::exchange::{Answer, NoAnswer};
use crate::life::{Deed, Inspecting, Outgoing, Renewing, Sending, answered};
use crate::sandbox::{Ending, Reply};
use crate::store::{Durable, Store};

/// How long a request, and an answer, is on its way.
const WAY_MS: u64 = 20;
/// After this long without an answer, a request counts as lost. As in the engine's own client.
const PATIENCE_MS: u64 = 30_000;

/// There is a turn at least so often, as in the driver's own loop: a longer gap is a machine that slept.
const LONGEST_SLEEP_MS: u64 = 30_000;

/// Whoever waits for an answer.
pub(super) enum Asker {
    Sending(Box<Sending>),
    Renewing(Box<Renewing>),
    Inspecting(Box<Inspecting>),
}

pub(super) struct Flight {
    asker: Asker,
    outgoing: Outgoing,
}

pub(super) struct Landing {
    asker: Asker,
    reply: Option<Reply>,
}

pub(super) enum Event {
    Arrives(Box<Flight>),
    Lands(Box<Landing>),
}

/// What is on its way, by the time of its arrival.
#[derive(Default)]
pub(super) struct Air {
    agenda: BTreeMap<(u64, u64), Event>,
    number: u64,
}

impl Air {
    pub(super) fn next(&self) -> Option<u64> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn due(&mut self, now: u64) -> Option<Event> {
        self.next().filter(|at| *at <= now)?;
        self.agenda.pop_first().map(|(_, event)| event)
    }

    fn at(&mut self, time: u64, event: Event) {
        self.number = self.number.saturating_add(1);
        self.agenda.insert((time, self.number), event);
    }
}

impl Stage {
    /// Turns, for as long as there is something to turn about.
    pub(super) fn pump(&mut self) -> Result<(), String> {
        let mut durable = self.life.opened();
        loop {
            let now = Time::from_millis(self.now);
            let mut step = self.life.turn(now);
            let next = step.wake.as_millis().max(self.now.saturating_add(1));
            self.wakes = self.wakes.min(next).min(self.now.saturating_add(LONGEST_SLEEP_MS));
            let writes = std::mem::take(&mut step.writes);
            if !writes.is_empty() {
                durable = self.store.commit(writes).map_err(|why| why.to_string())?;
            }
            self.act(&mut step, durable);
            if !self.life.is_asked() {
                return Ok(());
            }
        }
    }

    fn act(&mut self, step: &mut crate::life::Step, durable: Durable) {
        while let Some(deed) = self.life.next_deed(step, durable) {
            let asker = match deed {
                Deed::Answered | Deed::Told | Deed::Trusted => continue,
                Deed::Send(sending) => Asker::Sending(sending),
                Deed::Renew(renewing) => Asker::Renewing(renewing),
                Deed::Inspect(inspecting) => Asker::Inspecting(inspecting),
            };
            self.leaves(asker);
        }
    }

    /// The asker's next request leaves, if it has one.
    fn leaves(&mut self, mut asker: Asker) {
        let outgoing = match &mut asker {
            Asker::Sending(sending) => sending.request(&mut self.life),
            Asker::Renewing(renewing) => renewing.request(&mut self.life),
            Asker::Inspecting(inspecting) => inspecting.request(&mut self.life),
        };
        if let Some(outgoing) = outgoing {
            let arrives = self.now.saturating_add(WAY_MS);
            self.air.at(arrives, Event::Arrives(Box::new(Flight { asker, outgoing })));
        }
    }

    pub(super) fn arrives(&mut self, flight: Flight) {
        let Flight { asker, outgoing } = flight;
        let reply = self.provider.respond(&outgoing.incoming, self.now);
        let hangs = matches!(reply.ending, Ending::Hang);
        let takes = if hangs { PATIENCE_MS } else { reply.pace.before_ms.saturating_add(WAY_MS) };
        self.air.at(self.now.saturating_add(takes), Event::Lands(Box::new(Landing { asker, reply: Some(reply) })));
    }

    pub(super) fn lands(&mut self, landing: Landing) {
        let Landing { asker, reply } = landing;
        let now = Time::from_millis(self.now);
        let answer: Result<Answer, NoAnswer> = match &reply {
            Some(reply) => {
                self.provider.close(reply.ticket);
                answered(reply, now)
            }
            None => Err(NoAnswer::Lost { cause: "no answer in time".to_owned() }),
        };
        match asker {
            Asker::Sending(mut sending) => {
                sending.heard(&mut self.life, answer);
                self.leaves(Asker::Sending(sending));
            }
            Asker::Renewing(renewing) => renewing.heard(&mut self.life, answer, now),
            Asker::Inspecting(inspecting) => inspecting.heard(&mut self.life, answer),
        }
    }
}
