//! What lies between the engine and the provider.

use outlast::exchange::NoAnswer;
use outlast::sandbox::{Ending, Incoming, Reply as Answering};
use outlast::state::Time;
use outlast::verify::{Outgoing, Renewing, Sending, answered};
use serde_json::Value;

use super::{Event, Flight, Landing, SLOWEST, World};

impl World {
    pub(super) fn sends(&mut self, sending: Box<Sending>) {
        self.departs(&sending);
        self.keys += 1;
        let (key, by) = (self.keys, sending.by().as_millis() + 1_000);
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        running.sends.insert(key, sending);
        self.asks(key);
        self.at(by, Event::Answered(Box::new(Landing { life, key, is_call: false, reply: None })));
    }

    /// S10 and S11, at each request.
    fn departs(&mut self, sending: &Sending) {
        let sent: Vec<usize> = sending.ids().map(|id| self.number(id)).collect();
        self.figures.batches += 1;
        self.figures.largest = self.figures.largest.max(sent.len());
        for n in &sent {
            let early = self.before[*n].filter(|before| !self.has_ended(*before));
            self.expect(early.is_none(), |_| format!("S10 Lanes: event {n} is sent before {early:?} has ended"));
        }
    }

    fn asks(&mut self, key: u64) {
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        let Some(sending) = running.sends.get_mut(&key) else { return };
        match sending.request(&mut running.life) {
            None => drop(running.sends.remove(&key)),
            Some(outgoing) => self.leaves(life, key, outgoing, false),
        }
    }

    pub(super) fn renews(&mut self, mut renewing: Box<Renewing>) {
        self.keys += 1;
        let key = self.keys;
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        if let Some(outgoing) = renewing.request(&mut running.life) {
            running.renews.insert(key, renewing);
            self.leaves(life, key, outgoing, true);
            self.at(self.now + 30_000, Event::Answered(Box::new(Landing { life, key, is_call: true, reply: None })));
        }
    }

    fn leaves(&mut self, life: u64, key: u64, outgoing: Outgoing, is_call: bool) {
        let slow = !self.healed && self.network.chance(20);
        let takes = if slow { self.network.between(1_000, SLOWEST) } else { self.network.between(5, 200) };
        let flight = Flight { life, key, incoming: outgoing.incoming, is_call };
        self.at(self.now + takes, Event::Arrives(Box::new(flight)));
    }

    /// A request reaches the provider, whether or not its engine still lives.
    pub(super) fn arrives(&mut self, flight: Flight) {
        let Flight { life, key, incoming, is_call } = flight;
        if !self.raced && incoming.head.method == "POST" && incoming.head.path == "/rest/dmpSegments" {
            // Another engine is a moment faster with the same segment.
            self.raced = true;
            self.serve(&incoming);
        }
        let reply = self.serve(&incoming);
        if matches!(reply.ending, Ending::Hang) {
            return;
        }
        let back = self.now + self.network.between(5, 200) + reply.pace.before_ms;
        self.at(back, Event::Answered(Box::new(Landing { life, key, is_call, reply: Some(reply) })));
    }

    fn serve(&mut self, incoming: &Incoming) -> Answering {
        let reply = self.provider.respond(incoming, self.now);
        self.provider.close(reply.ticket);
        let mut line: Value = serde_json::from_str(&reply.line).unwrap();
        self.figures.faults += u64::from(!line["fault_rule"].is_null());
        let is_stream = incoming.head.path.starts_with("/rest/dmpSegments/");
        match line["answer_status"].as_u64() {
            Some(404) if is_stream => self.figures.not_ready += 1,
            Some(409) => self.figures.races += 1,
            Some(401) => self.figures.refused += 1,
            _ => {}
        }
        if let Value::Array(applied) = line["applied"].take() {
            self.applied.extend(applied);
        }
        reply
    }

    pub(super) fn lands(&mut self, landing: &Landing) {
        let now = Time::from_millis(self.now);
        let Some(running) = self.running.as_mut().filter(|running| running.number == landing.life) else { return };
        let answer = match &landing.reply {
            Some(reply) => answered(reply, now),
            None => Err(NoAnswer::Lost { cause: "no answer in time".into() }),
        };
        if landing.is_call {
            if let Some(renewing) = running.renews.remove(&landing.key) {
                renewing.heard(&mut running.life, answer, now);
            }
        } else if let Some(sending) = running.sends.get_mut(&landing.key) {
            sending.heard(&mut running.life, answer);
            self.asks(landing.key);
        }
    }
}
