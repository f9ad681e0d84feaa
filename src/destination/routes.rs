//! What the bodies of a destination's parcels become.

use std::sync::Arc;

use outlast_state::{DeliveryId, Verdict, Why};
use serde_json::Value;

use super::{Conclusion, Destination, Item};
use crate::route::fields::Empties;
use crate::route::subscription::Subscription;
use crate::route::{Event, Misfit, Route, RouteFault, may_share};
use crate::taxonomy;

/// The routes of one destination: the one of parcels that are submitted to it, and those that events take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    /// Nothing for a destination whose actions take no fields: bodies go as they are.
    plain: Option<Arc<Route>>,
    named: Vec<Arc<Route>>,
    empties: Empties,
    /// Whether lanes or batch keys depend on what an item is.
    sorts: bool,
}

/// A body, as its destination sees it.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// What it came by; nothing for a destination without actions.
    route: Option<Arc<Route>>,
    payload: Value,
}

/// Where an item belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sorted {
    pub(crate) lane: Option<String>,
    pub(crate) batch_key: Option<String>,
}

impl Prepared {
    pub(crate) fn action(&self) -> &str {
        self.route.as_ref().map_or("", |route| route.action().slug())
    }

    pub(crate) fn payload(&self) -> &Value {
        &self.payload
    }

    pub(crate) fn saved(&self) -> &Value {
        static NOTHING: Value = Value::Null;
        self.route.as_ref().map_or(&NOTHING, |route| route.saved())
    }

    pub(crate) fn item<'a>(&'a self, id: DeliveryId, body: &'a [u8]) -> Item<'a> {
        Item { id, body, action: self.action(), payload: self.payload(), saved: self.saved() }
    }
}

impl Routes {
    /// The routes of this destination. Its first action's own route is that of what is submitted to it.
    ///
    /// # Errors
    /// The destination's author made an action that is not sound.
    pub(crate) fn of(destination: &dyn Destination, named: Vec<Route>) -> Result<Self, Vec<RouteFault>> {
        let typed = destination.actions().first().filter(|action| !action.schema().fields().is_empty());
        let plain = typed.map(Route::preset).transpose()?.map(Arc::new);
        let named = named.into_iter().map(Arc::new).collect();
        Ok(Routes { plain, named, empties: destination.empties(), sorts: destination.sorts() })
    }

    pub(crate) fn named(&self) -> &[Arc<Route>] {
        &self.named
    }

    pub(crate) fn empties(&self) -> Empties {
        self.empties
    }

    /// What `body` is to the destination.
    ///
    /// # Errors
    /// It is nothing that the destination could take, or its route is not known.
    pub(crate) fn prepare(&self, name: Option<&str>, body: &[u8]) -> Result<Prepared, Conclusion> {
        let route = match name {
            None => match &self.plain {
                None => return Ok(Prepared { route: None, payload: Value::Null }),
                Some(plain) => plain,
            },
            Some(name) => self.named.iter().find(|route| route.name() == name).ok_or_else(|| unknown(name))?,
        };
        let event =
            Event::parse(body).map_err(|why| self.refused(why.code, "The body is not an event.", &why.message))?;
        if name.is_none() && !route.wants(&event) {
            return Err(self.not_subscribed(route, &event));
        }
        let payload = route.payload(&event, self.empties);
        let payload = payload.map_err(|Misfit { code, message, advice }| self.refused(code, &message, &advice))?;
        Ok(Prepared { route: Some(Arc::clone(route)), payload: payload.fields })
    }

    /// Where what this event becomes by this route belongs. What cannot be told of an event that its action cannot take does
    /// not matter: it is never sent.
    pub(crate) fn sort(&self, destination: &dyn Destination, route: &Route, event: &Event) -> Sorted {
        let shares = route.batching();
        if !self.sorts && shares.is_some() {
            return Sorted { lane: None, batch_key: shares.filter(|shares| *shares).map(|_| String::new()) };
        }
        let Ok(payload) = route.payload(event.value(), self.empties) else {
            return Sorted { lane: None, batch_key: None };
        };
        let (id, body, action) = (DeliveryId::default(), event.body(), route.action().slug());
        let item = Item { id, body, action, payload: &payload.fields, saved: route.saved() };
        let shares = shares.unwrap_or_else(|| may_share(&payload.fields));
        Sorted { lane: destination.lane(&item), batch_key: destination.batch_key(&item).filter(|_| shares) }
    }

    /// The same of what is submitted to the destination; nothing where that does not matter, or it is no event.
    pub(crate) fn sort_plain(&self, destination: &dyn Destination, body: &[u8]) -> Option<Sorted> {
        let route = self.plain.as_ref().filter(|_| self.sorts)?;
        Some(self.sort(destination, route, &Event::read(body).ok()?))
    }

    fn refused(&self, code: &'static str, message: &str, advice: &str) -> Conclusion {
        // With the reference implementation's words alone where its behaviour is asked for.
        let detail = if self.empties == Empties::Blank { format!("{message} {advice}") } else { message.to_owned() };
        Conclusion::new(Verdict::Refused { why: Why::Invalid }, detail).code(code)
    }

    fn not_subscribed(&self, route: &Route, event: &Value) -> Conclusion {
        let (when, why) = (route.when().map_or("", Subscription::text), route.explain(event));
        let advice = format!("`{when}`: {why}; send this event elsewhere, or give it a route of its own.");
        self.refused(taxonomy::NOT_SUBSCRIBED, "Payload is either invalid or does not match the subscription", &advice)
    }
}

/// A route that was taken out of the configuration: its deliveries wait for the operator.
fn unknown(name: &str) -> Conclusion {
    /// Only an operator can change it; a minute after the route is back, its deliveries go on.
    const OPERATORS_TURN: outlast_state::Span = outlast_state::Span::from_secs(60);
    let detail = format!("its route {name} is not configured any more; configure it again, or cancel the delivery");
    Conclusion::new(Verdict::NotYet { after: OPERATORS_TURN }, detail).code(taxonomy::ROUTE_UNKNOWN)
}
