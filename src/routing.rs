//! From an event to its deliveries: every route of every destination is asked, and each that takes the event makes one.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast_state::{DeliveryId, Time};
use serde::Serialize;
use serde_json::Value;

use crate::destination::{Conversation, Destination, Routes, Turn};
use crate::exchange::Request;
use crate::limits;
use crate::parcel::{self, Parcel};
use crate::route::{Event, Misfit, Route};

/// The destinations, and which events they take.
#[derive(Clone, Default)]
pub(crate) struct Routing {
    outlets: BTreeMap<Arc<str>, Outlet>,
}

/// A destination and its routes.
type Outlet = (Arc<dyn Destination>, Arc<Routes>);

/// What a route would do with an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The route.
    pub route: String,
    /// Its destination.
    pub destination: String,
    /// The action of the destination.
    pub action: String,
    /// What would happen.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What would happen to an event on one route.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// The route is switched off.
    Disabled,
    /// The subscription does not match.
    NotSubscribed {
        /// The terms that decided that, and what the event has there.
        because: String,
    },
    /// A delivery would be made, and fail without a request.
    Refused {
        /// The code in the table of errors.
        code: &'static str,
        /// What is wrong, where, and the remedy.
        detail: String,
    },
    /// A delivery would be made and sent.
    Sent {
        /// The action's fields.
        payload: Value,
        /// Members that the mapping gave and the action does not know: they are taken away.
        undeclared: Vec<String>,
        /// The lane, if it has one.
        lane: Option<String>,
        /// The batch key; without one it shares its request with no other.
        batch_key: Option<String>,
        /// The first request. What follows depends on its answer.
        request: Option<Box<Outgoing>>,
    },
}

/// A request as it would be sent, without the token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outgoing {
    /// How it asks.
    pub method: &'static str,
    /// Where it goes.
    pub url: String,
    /// Its headers; what is secret in them is masked.
    pub headers: Vec<(String, String)>,
    /// Its body: JSON where it is, else text.
    pub body: Value,
}

/// What stands where a secret would.
const MASK: &str = "••••";

impl Routing {
    pub(crate) fn add(&mut self, name: Arc<str>, destination: Arc<dyn Destination>, routes: Arc<Routes>) {
        self.outlets.insert(name, (destination, routes));
    }

    /// The routes of this destination.
    pub(crate) fn routes(&self, name: &str) -> Arc<Routes> {
        self.outlets.get(name).map(|(_, routes)| Arc::clone(routes)).unwrap_or_default()
    }

    /// The parcels that this event becomes.
    pub(crate) fn parcels(&self, event: &Event) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        for (name, (destination, routes)) in &self.outlets {
            for route in routes.named().iter().filter(|route| route.takes(event.value())) {
                parcels.push(parcel_of(name, destination.as_ref(), routes, route, event));
            }
        }
        parcels
    }

    /// Where a parcel belongs that is submitted to its destination as it is.
    pub(crate) fn sort(&self, mut parcel: Parcel) -> Parcel {
        let Some((destination, routes)) = self.outlets.get(parcel.destination.as_str()) else { return parcel };
        if let Some(sorted) = routes.sort_plain(destination.as_ref(), &parcel.body) {
            parcel.lane = sorted.lane.map(fit).or(parcel.lane);
            parcel.batch_key = sorted.batch_key.map(fit);
        }
        parcel
    }

    /// What each route would do with this event at `now`. Nothing is stored, and nothing is sent.
    pub(crate) fn try_event(&self, event: &Event, now: Time) -> Vec<Trial> {
        let mut trials = Vec::new();
        for (name, (destination, routes)) in &self.outlets {
            for route in routes.named() {
                trials.push(Trial {
                    route: route.name().to_owned(),
                    destination: name.to_string(),
                    action: route.action().slug().to_owned(),
                    fate: fate(destination.as_ref(), routes, route, event, now),
                });
            }
        }
        trials
    }
}

fn parcel_of(name: &str, destination: &dyn Destination, routes: &Routes, route: &Route, event: &Event) -> Parcel {
    let sorted = routes.sort(destination, route, event);
    let mut parcel = Parcel::to(name).bytes(event.body());
    parcel.once = event.key().map(str::to_owned);
    parcel.lane = sorted.lane.map(fit).or_else(|| event.own_lane().map(str::to_owned));
    parcel.batch_key = sorted.batch_key.map(fit);
    parcel.route = Some(route.name().to_owned());
    parcel
}

/// A destination's name for a lane or a batch key, as one that can be stored: the empty one stays.
fn fit(name: String) -> String {
    if name.is_empty() || limits::unfit_name(&name).is_none() { name } else { parcel::digest_name(&name) }
}

fn fate(destination: &dyn Destination, routes: &Routes, route: &Route, event: &Event, now: Time) -> Fate {
    if !route.is_enabled() {
        return Fate::Disabled;
    }
    if !route.wants(event.value()) {
        return Fate::NotSubscribed { because: route.explain(event.value()).to_string() };
    }
    let payload = match route.payload(event.value(), routes.empties()) {
        Ok(payload) => payload,
        Err(Misfit { code, message, advice }) => return Fate::Refused { code, detail: format!("{message} {advice}") },
    };
    let prepared = match routes.prepare(Some(route.name()), event.body()) {
        Ok(prepared) => prepared,
        Err(refused) => return Fate::Refused { code: refused.code, detail: refused.detail },
    };
    let item = prepared.item(DeliveryId::default(), event.body());
    if let Err(refused) = destination.check(&item, now) {
        return Fate::Refused { code: refused.code, detail: refused.detail };
    }
    let sorted = routes.sort(destination, route, event);
    let request = match destination.converse(&Conversation::begin(&[item], now)) {
        Turn::Ask(request) => Some(Box::new(outgoing(&request))),
        Turn::Conclude(_) => None,
    };
    let (lane, batch_key) = (sorted.lane.map(fit), sorted.batch_key.map(fit));
    Fate::Sent { payload: payload.fields, undeclared: payload.undeclared, lane, batch_key, request }
}

/// A request as it may be shown.
pub(crate) fn outgoing(request: &Request) -> Outgoing {
    let shown = request.shown().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut headers: Vec<(String, String)> = shown.collect();
    if request.wants_bearer() {
        headers.push(("authorization".to_owned(), format!("Bearer {MASK}")));
    }
    let body = match serde_json::from_slice(request.body()) {
        Ok(body) => body,
        Err(_) if request.body().is_empty() => Value::Null,
        Err(_) => Value::String(String::from_utf8_lossy(request.body()).into_owned()),
    };
    Outgoing { method: request.method().as_str(), url: request.url().to_string(), headers, body }
}
