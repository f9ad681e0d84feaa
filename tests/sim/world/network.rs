//! What lies between the engine and the provider: latency, loss, and what each side sees of a request.

use outlast::exchange::{Answer, NoAnswer};
use outlast::sandbox::{Begun, Supersede};
use outlast::state::Span;
use outlast::verify::{Inspecting, Raw, Renewing, Sending, answered};

use super::{Event, Flight, Landing, World};
use crate::checks::events;
use crate::clients::Op;
use crate::plan::Family;

impl World {
    pub(super) fn sends(&mut self, sending: Box<Sending>) {
        self.keys += 1;
        let (key, now) = (self.keys, self.engine_now());
        let waits = sending.by().after(Span::from_secs(1)).since(now).as_millis();
        self.checks.departs(&sending, &Raw(&self.store));
        if !self.healed && self.plan.has(Family::Operator) && self.dice.operator.chance(120) {
            // Somebody changes their mind while it is in the air.
            let event = sending.ids().next().and_then(|id| self.checks.event_of(id));
            if let Some(n) = event {
                self.at(self.now + 1, Event::Does(Op::Cancel(n)));
            }
        }
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        running.sends.insert(key, sending);
        self.asks(key);
        let nothing = NoAnswer::Lost { cause: "no answer in time".into() };
        self.give_up_at(self.now + waits, life, key, false, nothing);
    }

    fn give_up_at(&mut self, time: u64, life: u64, key: u64, is_call: bool, missing: NoAnswer) {
        let landing =
            Landing { life, key, reply: None, is_call, missing: Some(missing), authorization: None, items: Vec::new() };
        self.at(time, Event::Answered(Box::new(landing)));
    }

    /// The next request of a conversation leaves.
    fn asks(&mut self, key: u64) {
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        let Some(sending) = running.sends.get_mut(&key) else { return };
        match sending.request(&mut running.life) {
            None => drop(running.sends.remove(&key)),
            Some(outgoing) => self.leaves(Flight { life, key, outgoing, is_call: false, credential: None }),
        }
    }

    pub(super) fn renews(&mut self, mut renewing: Box<Renewing>) {
        self.keys += 1;
        let key = self.keys;
        self.checks.calls(key, renewing.credential(), &Raw(&self.store));
        if !self.healed && self.dice.operator.chance(200) {
            self.minds_change();
        }
        let credential = Some(renewing.credential().to_owned());
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        if let Some(outgoing) = renewing.request(&mut running.life) {
            running.renews.insert(key, renewing);
            self.leaves(Flight { life, key, outgoing, is_call: true, credential });
            let nothing = NoAnswer::Lost { cause: "no answer within 30 s".into() };
            self.give_up_at(self.now + 30_000, life, key, true, nothing);
        } else {
            self.checks.call_ended(key, false);
        }
    }

    /// The engine asks the issuer about a token.
    pub(super) fn inspects(&mut self, mut inspecting: Box<Inspecting>) {
        self.keys += 1;
        let key = self.keys;
        self.meet("a question to the issuer");
        let running = self.running.as_mut().expect("an engine runs");
        let life = running.number;
        if let Some(outgoing) = inspecting.request(&mut running.life) {
            running.inspects.insert(key, inspecting);
            self.leaves(Flight { life, key, outgoing, is_call: true, credential: None });
            let nothing = NoAnswer::Lost { cause: "no answer within 30 s".into() };
            self.give_up_at(self.now + 30_000, life, key, true, nothing);
        }
    }

    fn leaves(&mut self, flight: Flight) {
        if !flight.is_call {
            self.checks.leaves(self.now, &flight.outgoing.incoming);
        }
        let trouble = !self.healed && self.plan.has(Family::Network);
        if trouble && self.dice.network.chance(5) {
            self.meet("no connection");
            let missing = NoAnswer::NotSent { cause: "cannot connect".into() };
            return self.give_up_at(self.now + 20, flight.life, flight.key, flight.is_call, missing);
        }
        if trouble && self.dice.network.chance(5) {
            self.meet("a request that was lost");
            return;
        }
        let slow = trouble && self.dice.network.chance(5);
        let takes = if slow { self.dice.network.between(1_000, 40_000) } else { self.dice.network.between(1, 30) };
        self.at(self.now + takes, Event::Arrives(Box::new(flight)));
    }

    /// A request reaches the provider.
    pub(super) fn arrives(&mut self, flight: Flight) {
        let Flight { life, key, outgoing, is_call, credential } = flight;
        let authorization = outgoing.incoming.head.header("authorization").map(ToOwned::to_owned);
        let items = if is_call { Vec::new() } else { events(&outgoing.incoming.body) };
        let before = self.provider.summary().refreshes_ok;
        let begun: Begun = self.provider.begin(outgoing.incoming.head.clone(), self.now);
        let body = if begun.resets_unread() { &[] } else { outgoing.incoming.body.as_ref() };
        let reply = self.provider.finish(begun, body);
        if let Some(credential) = credential.filter(|_| self.provider.summary().refreshes_ok > before) {
            if self.provider.switches().supersede != Supersede::KeepOld {
                self.checks.supersedes();
            }
            self.checks.mints(self.now, key, &credential, &reply.body);
        }
        let back = self.dice.network.between(1, 30) + reply.pace.before_ms;
        let lost = !self.healed && self.plan.has(Family::Network) && self.dice.network.chance(3);
        let hangs = matches!(reply.ending, outlast::sandbox::Ending::Hang);
        if lost || hangs {
            self.meet("an answer that never came");
            self.provider.close(reply.ticket);
            return;
        }
        let landing = Landing { life, key, reply: Some(reply), is_call, missing: None, authorization, items };
        self.at(self.now + back, Event::Answered(Box::new(landing)));
    }

    /// What a request came to reaches the engine, if that still lives.
    pub(super) fn lands(&mut self, landing: Landing) {
        if let Some(reply) = &landing.reply {
            self.provider.close(reply.ticket);
        }
        let alive = self.running.as_ref().is_some_and(|running| running.number == landing.life);
        if !alive {
            return;
        }
        let now = self.engine_now();
        let answer: Result<Answer, NoAnswer> = match (&landing.reply, landing.missing) {
            (Some(reply), _) => answered(reply, now),
            (None, missing) => Err(missing.expect("there is a reply or a reason")),
        };
        let running = self.running.as_mut().expect("an engine runs");
        if let Some(inspecting) = running.inspects.remove(&landing.key) {
            inspecting.heard(&mut running.life, answer);
        } else if landing.is_call {
            let Some(renewing) = running.renews.remove(&landing.key) else { return };
            let heard = answer
                .as_ref()
                .is_ok_and(|answer| answer.json().is_some_and(|json| json.get("access_token").is_some()));
            self.checks.call_ended(landing.key, heard);
            renewing.heard(&mut running.life, answer, now);
        } else {
            let Some(sending) = running.sends.get_mut(&landing.key) else { return };
            let (authorization, items) = (landing.authorization.as_deref(), landing.items.as_slice());
            self.checks.heard(self.now, sending, authorization, items, &answer);
            sending.heard(&mut running.life, answer);
            self.asks(landing.key);
        }
        self.step();
    }
}
