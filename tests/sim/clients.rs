//! Those who use the engine: clients who submit and remember what was acknowledged, and an operator. Their memory is the
//! oracle of "no loss".

use outlast::sandbox::GrantSeed;
use outlast::state::{Cause, CredentialState, DeliveryId, Span, Time};
use outlast::verify::{Raw, Reply};
use outlast::{Authorisation, CredentialView, Details, ErrorKind, Parcel, Redrive, Scope, Secret, Summary};
use serde_json::json;

use crate::draw::Dice;
use crate::plan::{Family, PARKED, Plan, RELEASED_AT, Scenario};
use crate::world::{CREDENTIALS, DESTINATIONS, Event, START, World};

/// Something that somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Submit(u64),
    /// The same key and body again.
    Again(u64),
    /// The same key with another body.
    Clash(u64),
    Cancel(u64),
    Redrive(u64),
    Pause(u64),
    Resume(u64),
    Look(u64),
    Stop,
}

/// What is wrong with an event, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Good,
    /// The destination cannot make a request of it.
    Unmappable,
    /// The provider refuses it.
    Refused,
}

/// An event, as its client remembers it.
pub(crate) struct Sent {
    pub(crate) destination: usize,
    pub(crate) lane: Option<u64>,
    pub(crate) kind: Kind,
    padding: usize,
    time_to_live: Option<u64>,
    /// What it was acknowledged as.
    pub(crate) id: Option<DeliveryId>,
}

enum Asked {
    Submit(u64, Reply<DeliveryId>),
    Again(u64, Reply<DeliveryId>),
    Clash(u64, Reply<DeliveryId>),
    Summary(Reply<Summary>),
    Redriven(DeliveryId, Reply<Summary>),
    Pause(Reply<u64>),
    Resume(u64, Reply<bool>),
    Authorise(Reply<CredentialView>),
    Show(Reply<Details>),
    Why(Reply<Vec<String>>),
    Stop(Reply<()>),
}

pub(crate) struct Clients {
    pub(crate) events: Vec<Sent>,
    asked: Vec<Asked>,
    dice: Dice,
    script: Vec<(u64, Op)>,
    paused: Vec<u64>,
    lanes: u64,
}

impl Clients {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut dice = plan.dice("clients");
        let (mut events, mut script) = (Vec::new(), Vec::new());
        if plan.scenario != Scenario::Drawn {
            let ordinary =
                || Sent { destination: 0, lane: None, kind: Kind::Good, padding: 0, time_to_live: None, id: None };
            events.resize_with(plan.deliveries as usize, ordinary);
            script.extend((0..plan.deliveries).map(|n| {
                // What comes after the release is there before a token that spreads for 3 s is accepted.
                let at = if n < PARKED { n * 50 } else { RELEASED_AT + (n - PARKED) * 10 };
                (START + 1_000 + at, Op::Submit(n))
            }));
            return Clients { events, asked: Vec::new(), dice, script, paused: Vec::new(), lanes: 0 };
        }
        let all_at_once = dice.chance(300);
        for n in 0..plan.deliveries {
            events.push(event(plan, &mut dice));
            let window = if all_at_once { 2_000 } else { plan.trouble };
            let at = START + 10 + dice.below(window);
            script.push((at, Op::Submit(n)));
            let later = at + dice.below(plan.trouble);
            match dice.below(100) {
                0 | 1 => script.push((later, Op::Again(n))),
                2 => script.push((later, Op::Clash(n))),
                3 => script.push((later, Op::Look(n))),
                4..=9 if plan.has(Family::Operator) => script.push((at + dice.below(600), Op::Cancel(n))),
                10 | 11 if plan.has(Family::Operator) => script.push((at + dice.below(60_000), Op::Cancel(n))),
                12..=20 if plan.has(Family::Operator) => script.push((later, Op::Redrive(n))),
                _ => {}
            }
        }
        if plan.has(Family::Operator) {
            for which in 0..4 {
                let at = START + dice.below(plan.trouble);
                script.push((at, Op::Pause(which)));
                script.push((at + dice.below(plan.trouble / 2), Op::Resume(which)));
            }
        }
        if plan.has(Family::Stops) {
            (0..3).for_each(|_| script.push((START + dice.below(plan.trouble), Op::Stop)));
        }
        Clients { events, asked: Vec::new(), dice, script, paused: Vec::new(), lanes: plan.lanes() }
    }

    pub(crate) fn script(&mut self) -> Vec<(u64, Op)> {
        std::mem::take(&mut self.script)
    }

    /// What the healed world's operator resumes.
    pub(crate) fn resume_all() -> Vec<Op> {
        (0..4).map(Op::Resume).collect()
    }

    /// Whether everybody has an answer.
    pub(crate) fn are_served(&self) -> bool {
        self.asked.is_empty() && self.events.iter().all(|event| event.id.is_some())
    }

    fn scope(&self, which: u64) -> Scope {
        match which {
            0 => Scope::Destination("conversions".into()),
            1 => Scope::Credential("beta".into()),
            2 => Scope::Lane { destination: "other".into(), lane: format!("lane-{}", 1 % self.lanes.max(1)) },
            _ => Scope::Destination("other".into()),
        }
    }

    fn parcel(&self, n: u64, clash: bool) -> Parcel {
        let event = &self.events[n as usize];
        let mut body = json!({
            "type": "track", "event": "Order Completed", "messageId": format!("e-{n}"), "timestamp": START - 60_000,
            "traits": {"email": format!("{n}@example.org")}, "properties": {"currency": "EUR", "revenue": 12.5},
            "padding": "x".repeat(event.padding)
        });
        match event.kind {
            Kind::Good => {}
            Kind::Unmappable => body["properties"] = json!({}),
            Kind::Refused => body["properties"]["currency"] = json!("EURO"),
        }
        if clash {
            body["properties"]["revenue"] = json!(99);
        }
        let (destination, _) = DESTINATIONS[event.destination];
        let mut parcel = Parcel::to(destination).json(&body).unwrap().once(once(n));
        if let Some(lane) = event.lane {
            parcel = parcel.lane(format!("lane-{lane}"));
        }
        if let Some(seconds) = event.time_to_live {
            parcel = parcel.time_to_live(Span::from_secs(seconds));
        }
        parcel
    }
}

/// The idempotency key of an event.
pub(crate) fn once(n: u64) -> String {
    format!("once-{n}")
}

fn event(plan: &Plan, dice: &mut Dice) -> Sent {
    let kind = match dice.below(100) {
        0..=2 if plan.has(Family::Bad) => Kind::Refused,
        3..=4 if plan.has(Family::Bad) => Kind::Unmappable,
        _ => Kind::Good,
    };
    let lane = (plan.lanes() > 0 && dice.chance(300)).then(|| dice.below(plan.lanes()));
    let padding = if dice.chance(5) { dice.pick(&[3_000, 9_000]) } else { 0 };
    let time_to_live = match dice.below(100) {
        0..=2 => Some(dice.between(1, 3)),
        3..=4 => Some(dice.between(4, 600)),
        _ => None,
    };
    Sent { destination: dice.below(3) as usize, lane, kind, padding, time_to_live, id: None }
}

impl World {
    pub(crate) fn does(&mut self, op: Op) {
        if self.healed && matches!(op, Op::Pause(_) | Op::Stop) {
            return;
        }
        let known = match op {
            Op::Cancel(n) | Op::Redrive(n) | Op::Look(n) => self.clients.events[n as usize].id,
            _ => None,
        };
        let needs_id = matches!(op, Op::Cancel(_) | Op::Redrive(_) | Op::Look(_));
        let Some(running) = self.running.as_mut() else {
            // Nobody is there: they come again.
            if !needs_id {
                let later = self.now + self.clients.dice.between(500, 20_000);
                self.at(later, Event::Does(op));
            }
            return;
        };
        let (life, clients) = (&mut running.life, &mut self.clients);
        let asked = match op {
            Op::Submit(n) if clients.events[n as usize].id.is_some() => return,
            Op::Submit(n) => Asked::Submit(n, life.submit(clients.parcel(n, false))),
            Op::Again(n) => Asked::Again(n, life.submit(clients.parcel(n, false))),
            Op::Clash(n) => Asked::Clash(n, life.submit(clients.parcel(n, true))),
            Op::Pause(which) => {
                clients.paused.push(which);
                Asked::Pause(life.pause(clients.scope(which)))
            }
            Op::Resume(which) => Asked::Resume(which, life.resume(clients.scope(which))),
            Op::Stop => Asked::Stop(life.stop(Span::from_secs(clients.dice.pick(&[0, 2, 10])))),
            Op::Cancel(_) | Op::Redrive(_) | Op::Look(_) => {
                let Some(id) = known else { return };
                match op {
                    Op::Cancel(_) => Asked::Summary(life.cancel(id)),
                    Op::Redrive(_) => {
                        self.checks.redriving(id);
                        let redrive = Redrive { time_to_live: None, may_duplicate: clients.dice.chance(500) };
                        Asked::Redriven(id, life.redrive(id, redrive))
                    }
                    _ if clients.dice.chance(500) => Asked::Why(life.why(id)),
                    _ => Asked::Show(life.show(id)),
                }
            }
        };
        self.clients.asked.push(asked);
        self.meet(name(op));
    }

    /// Hears the answers that have come.
    pub(crate) fn hear_answers(&mut self) {
        let asked = std::mem::take(&mut self.clients.asked);
        for one in asked {
            if let Some(still) = self.hear(one) {
                self.clients.asked.push(still);
            }
        }
    }

    /// Hears one answer; gives it back when it has not come.
    fn hear(&mut self, asked: Asked) -> Option<Asked> {
        macro_rules! take {
            ($reply:ident, $again:expr) => {
                match $reply.take() {
                    None => return Some($again),
                    Some(answer) => answer,
                }
            };
        }
        match asked {
            Asked::Submit(n, mut reply) => {
                let answer = take!(reply, Asked::Submit(n, reply));
                self.submitted(n, answer.map_err(|error| error.kind()));
            }
            Asked::Again(n, mut reply) => {
                let answer = take!(reply, Asked::Again(n, reply));
                if let Ok(id) = answer {
                    self.submitted(n, Ok(id));
                }
            }
            Asked::Clash(n, mut reply) => {
                let answer = take!(reply, Asked::Clash(n, reply));
                let known = self.clients.events[n as usize].id;
                match answer {
                    Ok(id) => self.checks.clashed(n, id, known),
                    Err(error) => drop(error),
                }
            }
            Asked::Summary(mut reply) => drop(take!(reply, Asked::Summary(reply))),
            Asked::Redriven(id, mut reply) => drop(take!(reply, Asked::Redriven(id, reply))),
            Asked::Pause(mut reply) => drop(take!(reply, Asked::Pause(reply))),
            Asked::Resume(which, mut reply) => {
                if take!(reply, Asked::Resume(which, reply)).is_err() {
                    self.at(self.now + 5_000, Event::Does(Op::Resume(which)));
                }
            }
            Asked::Authorise(mut reply) => drop(take!(reply, Asked::Authorise(reply))),
            Asked::Show(mut reply) => drop(take!(reply, Asked::Show(reply))),
            Asked::Why(mut reply) => drop(take!(reply, Asked::Why(reply))),
            Asked::Stop(mut reply) => drop(take!(reply, Asked::Stop(reply))),
        }
        None
    }

    fn submitted(&mut self, n: u64, answer: Result<DeliveryId, ErrorKind>) {
        match answer {
            Ok(id) => {
                let before = self.clients.events[n as usize].id.replace(id);
                self.checks.acknowledged(n, id, before, &Raw(&self.store));
            }
            // The key was used with the other body first: that is what this event is then.
            Err(ErrorKind::Conflict) => {
                let event = &self.clients.events[n as usize];
                let (destination, _) = DESTINATIONS[event.destination];
                let id = Raw(&self.store).once(destination, &once(n));
                self.clients.events[n as usize].id = id;
            }
            Err(_) => {
                let later = self.now + self.clients.dice.between(500, 30_000);
                self.at(later, Event::Does(Op::Submit(n)));
            }
        }
    }

    /// An operator looks at the credentials, and authorises those that are dead.
    pub(crate) fn visit(&mut self) {
        if self.plan.scenario == Scenario::Parked && (START + 2..START + RELEASED_AT).contains(&self.now) {
            // Nobody comes before the time.
            return;
        }
        let next = if self.healed { 60_000 } else { self.clients.dice.pick(&[60_000, 600_000, 3_600_000]) };
        self.at(self.now + next, Event::Visit);
        if self.running.is_none() {
            return;
        }
        for name in CREDENTIALS {
            let stored = Raw(&self.store).credential(name);
            let dead = stored.is_none_or(|stored| matches!(stored.state, CredentialState::Dead { .. }));
            match stored.map(|stored| stored.state) {
                Some(CredentialState::Dead { cause: Cause::GrantLost, .. }) => self.meet("a grant lost in a crash"),
                Some(CredentialState::Dead { cause: Cause::Revoked, .. }) => self.meet("a grant refused for good"),
                Some(CredentialState::Dead { cause: Cause::NeverAccepted, .. }) => self.meet("tokens never accepted"),
                _ => {}
            }
            if dead || (!self.healed && self.clients.dice.chance(30)) {
                self.authorise(name);
            }
        }
    }

    fn authorise(&mut self, name: &'static str) {
        let seed = GrantSeed {
            client_id: format!("client-{name}"),
            client_secret: "canary-client-secret".to_owned().into(),
            member: Some(name.to_owned()),
            age_s: if self.checks.was_authorised(name) { 0 } else { 86_400 },
            propagates: self.checks.was_authorised(name),
            ..GrantSeed::default()
        };
        let Ok(issued) = self.provider.issue(&seed, self.now) else { return };
        let engine_now = self.engine_now();
        let life = self.provider.switches().access_token_life_s.saturating_sub(seed.age_s);
        let access = issued.access_token.expose().to_owned();
        self.checks.consented(name, &access, self.now);
        let grant = Authorisation {
            access: Secret::new(access),
            refresh: Some(Secret::new(issued.refresh_token.expose())),
            issued: Some(Time::from_millis(engine_now.as_millis() - seed.age_s * 1000)),
            expires: Some(engine_now.after(Span::from_secs(life.max(1)))),
            refresh_expires: None,
            scope: None,
        };
        let running = self.running.as_mut().expect("an engine runs");
        let reply = running.life.authorise(name.to_owned(), grant);
        self.clients.asked.push(Asked::Authorise(reply));
        self.meet("authorise");
    }
}

fn name(op: Op) -> &'static str {
    match op {
        Op::Submit(_) => "submit",
        Op::Again(_) => "submit again",
        Op::Clash(_) => "submit another body",
        Op::Cancel(_) => "cancel",
        Op::Redrive(_) => "redrive",
        Op::Pause(_) => "pause",
        Op::Resume(_) => "resume",
        Op::Look(_) => "look",
        Op::Stop => "stop",
    }
}
