//! Bodies become items, by the destination's routes, and items that may share a request become groups.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use outlast_state::{DeliveryId, Time};

use super::broken::{Broken, Law, cut};
use crate::destination::routes::Sorted;
use crate::destination::{Destination, Item, Prepared, Routes};
use crate::route::{Event, Route};

/// Items of one group, at most: what is wrong with batches shows in a few.
const MOST: usize = 8;
/// A group that can have so many gets them, as repeats of the same body: a list of one is too easy.
const LEAST: usize = 3;

/// An item to be.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) id: DeliveryId,
    pub(super) body: Vec<u8>,
    pub(super) prepared: Arc<Prepared>,
    sorted: Sorted,
    route: String,
}

impl Part {
    pub(super) fn item(&self) -> Item<'_> {
        self.prepared.item(self.id, &self.body)
    }

    /// For people.
    pub(super) fn told(&self) -> String {
        let route = if self.route.is_empty() { "as it is" } else { &self.route };
        format!("({route}) {}", cut(&self.body))
    }
}

/// All items that can be played.
pub(super) struct Cast {
    parts: Vec<Part>,
    most: usize,
    pub(super) items: u64,
    pub(super) refused: u64,
    pub(super) first_refusal: Option<String>,
}

impl Cast {
    /// The items that these bodies come to.
    pub(super) fn gather(
        destination: &dyn Destination,
        routes: Vec<Route>,
        bodies: &[Vec<u8>],
        began: Time,
    ) -> Result<Cast, Box<Broken>> {
        let routes = all_routes(destination, routes)?;
        let most = usize::try_from(destination.batching().items).unwrap_or(MOST).clamp(1, MOST);
        let mut cast = Cast { parts: Vec::new(), most, items: 0, refused: 0, first_refusal: None };
        for body in bodies {
            for name in ways(&routes, body) {
                cast.add(destination, &routes, name.as_deref(), body, began)?;
            }
        }
        Ok(cast)
    }

    fn add(
        &mut self,
        destination: &dyn Destination,
        routes: &Routes,
        name: Option<&str>,
        body: &[u8],
        began: Time,
    ) -> Result<(), Box<Broken>> {
        self.items = self.items.saturating_add(1);
        let route = name.unwrap_or_default().to_owned();
        let refusal = match routes.prepare(name, body) {
            Err(conclusion) => Some(conclusion.detail),
            Ok(prepared) => {
                let sorted = twice("lane or batch_key", &route, body, || sort(destination, routes, name, body))?;
                let number = u128::from(self.items).saturating_mul(1000);
                let (id, prepared, body) = (DeliveryId::from_u128(number), Arc::new(prepared), body.to_vec());
                let part = Part { id, body, prepared, sorted, route };
                let checked = twice("check", &part.route, &part.body, || destination.check(&part.item(), began))?;
                if checked.is_ok() {
                    self.parts.push(part);
                }
                checked.err().map(|conclusion| conclusion.detail)
            }
        };
        if let Some(refusal) = refusal {
            self.refused = self.refused.saturating_add(1);
            self.first_refusal.get_or_insert(refusal);
        }
        Ok(())
    }

    /// Each item alone, and those together that may share a request: of one batch key, and no two of one lane.
    pub(super) fn groups(&self) -> Vec<Vec<Part>> {
        let mut groups: Vec<Vec<Part>> = self.parts.iter().map(|part| vec![part.clone()]).collect();
        let mut by_key: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
        for part in &self.parts {
            if let Some(key) = &part.sorted.batch_key {
                by_key.entry(key).or_default().push(part);
            }
        }
        for parts in by_key.into_values().filter(|_| self.most > 1) {
            let mut lanes = BTreeSet::new();
            let fits = |part: &&Part| part.sorted.lane.as_ref().is_none_or(|lane| lanes.insert(lane.clone()));
            let mut group: Vec<Part> = parts.into_iter().filter(fits).take(self.most).cloned().collect();
            repeat(&mut group, LEAST.min(self.most));
            if group.len() > 1 {
                groups.push(group);
            }
        }
        groups
    }
}

/// Repeats what has no lane, under names of their own, until there are so many.
fn repeat(group: &mut Vec<Part>, least: usize) {
    let free: Vec<Part> = group.iter().filter(|part| part.sorted.lane.is_none()).cloned().collect();
    let missing = least.saturating_sub(group.len());
    for (number, part) in (1_u128..).zip(free.iter().cycle().take(missing)) {
        let id = DeliveryId::from_u128(part.id.as_u128().saturating_add(number));
        group.push(Part { id, ..part.clone() });
    }
}

/// The routes of its actions and those that were given.
fn all_routes(destination: &dyn Destination, given: Vec<Route>) -> Result<Routes, Box<Broken>> {
    let unsound = |slug: &str, faults: &dyn std::fmt::Debug| {
        Box::new(Broken::new(Law::Playable, format!("the action {slug} is not sound: {faults:?}")))
    };
    let mut routes = Vec::new();
    for action in destination.actions() {
        routes.push(Route::preset(action).map_err(|faults| unsound(action.slug(), &faults))?);
    }
    routes.extend(given);
    Routes::of(destination, routes).map_err(|faults| unsound("that comes first", &faults))
}

/// How this body can reach the destination: as it is, and by each route that takes it.
fn ways(routes: &Routes, body: &[u8]) -> Vec<Option<String>> {
    let event = Event::read(body).ok();
    let takes = |route: &&Arc<Route>| event.as_ref().is_some_and(|event| route.takes(event.value()));
    let named = routes.named().iter().filter(takes).map(|route| Some(route.name().to_owned()));
    std::iter::once(None).chain(named).collect()
}

fn sort(destination: &dyn Destination, routes: &Routes, name: Option<&str>, body: &[u8]) -> Sorted {
    let as_it_is = Sorted { lane: None, batch_key: Some(String::new()) };
    let Some(name) = name else { return routes.sort_plain(destination, body).unwrap_or(as_it_is) };
    let route = routes.named().iter().find(|route| route.name() == name);
    match route.zip(Event::read(body).ok()) {
        Some((route, event)) => routes.sort(destination, route, &event),
        None => as_it_is,
    }
}

/// Asks twice.
fn twice<T: PartialEq>(what: &str, route: &str, body: &[u8], ask: impl Fn() -> T) -> Result<T, Box<Broken>> {
    let broken = |law: Law, why: String| {
        let items = vec![format!("({route}) {}", cut(body))];
        Box::new(Broken { items, ..Broken::new(law, why) })
    };
    let caught = || catch_unwind(AssertUnwindSafe(&ask)).map_err(|_| broken(Law::Total, format!("{what} panicked")));
    let (first, second) = (caught()?, caught()?);
    if first == second {
        Ok(first)
    } else {
        Err(broken(Law::Pure, format!("{what} said two things about the same item")))
    }
}
