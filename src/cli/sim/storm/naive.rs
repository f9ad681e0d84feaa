//! A client under a rule that looks reasonable, in simulated time. It knows the answers and no history, and keeps what waits in
//! memory.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;

use outlast_state::{DeliveryId, Time};
use url::Url;

use super::agenda::Agenda;
use super::api::{Api, Flight};
use super::scene::{
    self, ACCESS_TOKEN, API_BASE, CLIENT_ID, CLIENT_SECRET, CONCURRENCY, HORIZON_MS, REFRESH_TOKEN, START, Scene,
    TOKEN_URL,
};
use super::tally::{Beside, Row};
use crate::cli::failure::Failure;
use crate::cli::rule::{self, Next, Rule};
use crate::destination::linkedin::Conversions;
use crate::destination::{Conversation, Destination as _, Routes, Turn};
use crate::life::Outgoing;
use crate::sandbox::{Incoming, Reply};

enum Event {
    /// A delivery comes, or its wait is over.
    Due(u64),
    Arrives(Box<Flight>, bool),
    Answered(Box<Flight>, bool, Reply),
    TokenAsked(Asking),
    TokenTold(Asking, Reply),
}

/// A request for a token, on behalf of a delivery.
struct Asking {
    delivery: u64,
    sent: u64,
    next: Next,
}

/// What all deliveries share.
struct Client<'a> {
    scene: Scene,
    rule: Rule,
    api: Api<'a>,
    agenda: Agenda<Event>,
    destination: Conversions,
    routes: Routes,
    /// The newest token that anybody was told.
    token: String,
    refresh: Incoming,
    /// What is due and waits for one of the connections.
    ready: VecDeque<u64>,
    free: u32,
    /// How often each delivery that has not ended was sent.
    tries: BTreeMap<u64, u32>,
}

pub(super) fn run(scene: Scene, rule: Rule, log: Option<&mut dyn Write>) -> Result<(Row, Beside), Failure> {
    let mut client = Client::new(scene, rule, log)?;
    client.api.kill_token(START)?;
    for number in 0..scene.deliveries {
        client.agenda.after(scene.comes(number), Event::Due(number));
    }
    let end = START.saturating_add(HORIZON_MS);
    while !client.tries.is_empty() {
        // Nobody sends any more once the horizon has come; what is in the air still arrives.
        let Some(event) = client.agenda.next(u64::MAX) else { break };
        if client.agenda.now() > end && matches!(event, Event::Due(_)) {
            continue;
        }
        client.happen(event)?;
    }
    let now = client.agenda.now();
    client.api.end(scene.deliveries, now)
}

impl<'a> Client<'a> {
    fn new(scene: Scene, rule: Rule, log: Option<&'a mut dyn Write>) -> Result<Self, Failure> {
        let destination = scene::destination(API_BASE)?;
        let routes = Routes::of(&destination, Vec::new()).map_err(|_| Failure::new("its own route is not sound"))?;
        Ok(Client {
            scene,
            rule,
            api: Api::new(scene, log, START)?,
            agenda: Agenda::new(START),
            destination,
            routes,
            token: ACCESS_TOKEN.to_owned(),
            refresh: refresh_request()?,
            ready: VecDeque::new(),
            free: CONCURRENCY,
            tries: (0..scene.deliveries).map(|number| (number, 0)).collect(),
        })
    }

    fn happen(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Due(number) => self.ready.push_back(number),
            Event::Arrives(flight, again) => {
                let reply = self.api.answer(&flight.incoming, self.agenda.now());
                self.agenda.after(reply.pace.before_ms, Event::Answered(flight, again, reply));
            }
            Event::Answered(flight, again, reply) => self.answered(&flight, again, &reply)?,
            Event::TokenAsked(asking) => {
                let reply = self.api.answer(&self.refresh, self.agenda.now());
                self.agenda.after(reply.pace.before_ms, Event::TokenTold(asking, reply));
            }
            Event::TokenTold(asking, reply) => self.told(&asking, &reply)?,
        }
        while self.free > 0
            && let Some(number) = self.ready.pop_front()
        {
            self.free = self.free.saturating_sub(1);
            self.send(number, false)?;
        }
        Ok(())
    }

    /// A request leaves, with the token that everybody has.
    fn send(&mut self, number: u64, again: bool) -> Result<(), Failure> {
        let mut incoming = self.request(number)?;
        incoming.head.headers.push(("authorization".to_owned(), format!("Bearer {}", self.token)));
        let (leg, sent) = (self.api.leg(), self.agenda.now());
        let flight = Flight { incoming, delivery: number, since: START.saturating_add(self.scene.comes(number)), sent };
        self.agenda.after(leg, Event::Arrives(Box::new(flight), again));
        Ok(())
    }

    /// What the shipped destination makes of the event.
    fn request(&self, number: u64) -> Result<Incoming, Failure> {
        let unfit = || Failure::new("the destination makes no request of the event");
        let body = scene::event(number, START).to_string();
        let prepared = self.routes.prepare(None, body.as_bytes()).map_err(|_| unfit())?;
        let items = [prepared.item(DeliveryId::default(), body.as_bytes())];
        match self.destination.converse(&Conversation::begin(&items, Time::from_millis(START))) {
            Turn::Ask(request) => Ok(Outgoing::bare(&request).incoming),
            Turn::Conclude(_) => Err(unfit()),
        }
    }

    fn answered(&mut self, flight: &Flight, again: bool, reply: &Reply) -> Result<(), Failure> {
        self.api.answered(flight, reply, self.agenda.now())?;
        let number = flight.delivery;
        if (200..300).contains(&reply.status) {
            self.ended(number);
            return Ok(());
        }
        let next = if reply.status == 401 { self.rule.refused(again) } else { Next::Wait };
        match next {
            Next::Drop => self.ended(number),
            Next::Wait => self.waits(number),
            Next::RefreshAndSend | Next::RefreshAndWait => {
                let (leg, sent) = (self.api.leg(), self.agenda.now());
                self.agenda.after(leg, Event::TokenAsked(Asking { delivery: number, sent, next }));
            }
        }
        Ok(())
    }

    fn told(&mut self, asking: &Asking, reply: &Reply) -> Result<(), Failure> {
        if let Some(token) = self.api.told_token(asking.sent, reply, self.agenda.now())? {
            self.token = token;
        }
        if asking.next == Next::RefreshAndSend {
            return self.send(asking.delivery, true);
        }
        self.waits(asking.delivery);
        Ok(())
    }

    /// It has arrived, or is dropped.
    fn ended(&mut self, number: u64) {
        self.tries.remove(&number);
        self.free = self.free.saturating_add(1);
    }

    fn waits(&mut self, number: u64) {
        self.free = self.free.saturating_add(1);
        let Some(tries) = self.tries.get_mut(&number) else { return };
        let at = self.agenda.now().saturating_add(rule::wait(*tries, number).as_millis());
        *tries = tries.saturating_add(1);
        self.agenda.at(at, Event::Due(number));
    }
}

fn refresh_request() -> Result<Incoming, Failure> {
    let url = Url::parse(TOKEN_URL).map_err(|why| Failure::new(why.to_string()))?;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", REFRESH_TOKEN),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let kind = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    Ok(Outgoing::new("POST", &url, [kind], body.as_bytes()).incoming)
}
