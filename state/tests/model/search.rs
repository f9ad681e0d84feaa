//! Every reachable state, breadth first; then the graph that they make.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use outlast_state::{CredentialWant, Span, State};

use super::events::{Event, Scope};
use super::invariants::{Broken, check};
use super::rules::Rules;
use super::turn::Turn;
use super::world::{Keeper, NOW, Parcel, World};

/// A configuration of the model.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    pub(crate) rules: Rules,
    pub(crate) settle: Span,
    pub(crate) scope: Scope,
    /// Looks at no more states than this: with known-bad rules there may be no end.
    pub(crate) most: usize,
}

/// What a search found.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) edges: u64,
    /// Each invariant that does not hold, and a shortest way to where it does not, as a table.
    pub(crate) broken: BTreeMap<&'static str, String>,
}

/// A multiplication and a fold: what is hashed is small numbers of our own.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// Values, each under a small number.
struct Names<T> {
    known: Map<T, u32>,
    all: Vec<T>,
}

impl<T: Copy + Eq + Hash> Names<T> {
    fn new() -> Self {
        Names { known: Map::default(), all: Vec::new() }
    }

    fn name(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap();
        let name = *self.known.entry(value).or_insert(next);
        if name == next {
            self.all.push(value);
        }
        name
    }
}

/// A state in a few bytes.
type Code<const D: usize, const C: usize> = ([u32; D], [u32; C], bool);

/// Deliveries of one credential are alike, and so are credentials with a delivery each: their order is forgotten.
fn coded<const D: usize, const C: usize>(mut parcels: [u32; D], mut keepers: [u32; C], paused: bool) -> Code<D, C> {
    if C == 1 {
        parcels.sort_unstable();
    } else if C == D {
        let mut order: [usize; D] = std::array::from_fn(|index| index);
        order.sort_unstable_by_key(|index| (keepers[*index], parcels[*index]));
        parcels = order.map(|index| parcels[index]);
        keepers = std::array::from_fn(|place| keepers[order[place]]);
    }
    (parcels, keepers, paused)
}

pub(crate) struct Search<const D: usize, const C: usize> {
    model: Model,
    parcels: Names<Parcel>,
    keepers: Names<Keeper>,
    known: Map<Code<D, C>, u32>,
    all: Vec<Code<D, C>>,
    came_from: Vec<u32>,
    edges: u64,
    healed: Vec<(u32, u32)>,
    quick: Vec<(u32, u32)>,
    broken: BTreeMap<&'static str, String>,
}

impl<const D: usize, const C: usize> Search<D, C> {
    pub(crate) fn of(model: Model) -> Found {
        let mut search = Search::<D, C> {
            model,
            parcels: Names::new(),
            keepers: Names::new(),
            known: Map::default(),
            all: Vec::new(),
            came_from: Vec::new(),
            edges: 0,
            healed: Vec::new(),
            quick: Vec::new(),
            broken: BTreeMap::new(),
        };
        search.reach(World::first(model.settle), 0);
        let mut next = 0;
        while next < search.all.len() && search.all.len() < model.most {
            search.expand(next);
            next += 1;
        }
        if next == search.all.len() {
            search.judge();
        }
        Found { states: search.all.len(), edges: search.edges, broken: search.broken }
    }

    fn reach(&mut self, world: World<D, C>, from: u32) -> u32 {
        let parcels = world.parcels.map(|parcel| self.parcels.name(parcel));
        let code = coded(parcels, world.keepers.map(|keeper| self.keepers.name(keeper)), world.paused);
        let next = u32::try_from(self.all.len()).unwrap();
        let name = *self.known.entry(code).or_insert(next);
        if name == next {
            self.all.push(code);
            self.came_from.push(from);
        }
        name
    }

    fn world(&self, name: usize) -> World<D, C> {
        let (parcels, keepers, paused) = self.all[name];
        World {
            parcels: parcels.map(|parcel| self.parcels.all[parcel as usize]),
            keepers: keepers.map(|keeper| self.keepers.all[keeper as usize]),
            paused,
        }
    }

    fn expand(&mut self, name: usize) {
        let before = self.world(name);
        let from = u32::try_from(name).unwrap();
        let mut broken: Vec<Broken> = Vec::new();
        for event in before.events(self.model.scope) {
            let after = Turn::of(before, event, &self.model.rules);
            check(&before, event, &after, &mut broken);
            for (invariant, why) in broken.drain(..) {
                if !self.broken.contains_key(invariant) {
                    let told = self.told(name, Some((event, after)), why);
                    self.broken.insert(invariant, told);
                }
            }
            let to = self.reach(after.canonical(), from);
            self.edges += 1;
            if event.is_quick()
                && !(to == from && matches!(event, Event::Admit(_) | Event::AdmitNext(_) | Event::RefreshDue(_)))
            {
                self.quick.push((from, to));
            }
            if to != from && before.is_healed(event) {
                self.healed.push((from, to));
            }
        }
    }

    /// The graph: nothing goes round without time passing; and healed, everything comes to its end.
    fn judge(&mut self) {
        let quick = std::mem::take(&mut self.quick);
        if let Some(state) = cycle(self.all.len(), &quick) {
            let told = self.told(state, None, "from here it goes round, and no time passes");
            self.broken.insert("L1 cycle", told);
        }
        drop(quick);
        let healed = std::mem::take(&mut self.healed);
        if let Some(state) = cycle(self.all.len(), &healed) {
            let told = self.told(state, None, "from here a healed provider is asked for ever");
            self.broken.insert("L1 livelock", told);
        }
        let mut goes_on = vec![false; self.all.len()];
        for (from, _) in &healed {
            goes_on[*from as usize] = true;
        }
        let stuck = (0..self.all.len()).find(|state| !goes_on[*state] && !self.world(*state).is_over());
        if let Some(state) = stuck {
            let told = self.told(state, None, "here nothing happens any more, with all well and work to do");
            self.broken.insert("L1 trapped", told);
        }
    }

    /// A shortest way to a state, as a table.
    fn told(&self, name: usize, last: Option<(Event, World<D, C>)>, why: &str) -> String {
        let mut path = vec![name];
        while let Some(&first) = path.last()
            && first != 0
        {
            path.push(self.came_from[first] as usize);
        }
        path.reverse();
        let mut lines = vec![why.to_owned(), row(None, &self.world(0))];
        for pair in path.windows(2) {
            let before = self.world(pair[0]);
            let events = before.events(self.model.scope);
            let leads =
                |event: &Event| self.find(Turn::of(before, *event, &self.model.rules).canonical()) == Some(pair[1]);
            lines.push(row(events.into_iter().find(leads), &self.world(pair[1])));
        }
        lines.extend(last.map(|(event, after)| row(Some(event), &after)));
        lines.join("\n")
    }

    fn find(&self, world: World<D, C>) -> Option<usize> {
        let parcel = |parcel: Parcel| self.parcels.known.get(&parcel).copied();
        let parcels = world.parcels.map(|one| parcel(one).unwrap_or(u32::MAX));
        let keepers = world.keepers.map(|keeper| self.keepers.known.get(&keeper).copied().unwrap_or(u32::MAX));
        self.known.get(&coded(parcels, keepers, world.paused)).map(|name| *name as usize)
    }
}

impl<const D: usize, const C: usize> World<D, C> {
    /// Every delivery has ended, or is parked: a human is to authorise its credential.
    pub(crate) fn is_over(&self) -> bool {
        self.parcels.iter().enumerate().all(|(index, parcel)| {
            let keeper = &self.keepers[Self::via(index)];
            let over = matches!(parcel.delivery.state, State::Done { .. } | State::Failed { .. });
            over || keeper.credential.wants() == CredentialWant::Authorisation
        })
    }
}

/// A state on a cycle, if there is one: what is left when states without a way on are taken away again and again.
fn cycle(states: usize, edges: &[(u32, u32)]) -> Option<usize> {
    let mut ways_on = vec![0_u32; states];
    let mut starts = vec![0_u32; states + 1];
    for (from, to) in edges {
        ways_on[*from as usize] += 1;
        starts[*to as usize + 1] += 1;
    }
    for state in 0..states {
        starts[state + 1] += starts[state];
    }
    let (mut fill, mut sources) = (starts.clone(), vec![0_u32; edges.len()]);
    for (from, to) in edges {
        sources[fill[*to as usize] as usize] = *from;
        fill[*to as usize] += 1;
    }
    let mut open: Vec<usize> = (0..states).filter(|state| ways_on[*state] == 0).collect();
    let mut taken = 0;
    while let Some(state) = open.pop() {
        taken += 1;
        for source in &sources[starts[state] as usize..starts[state + 1] as usize] {
            let source = *source as usize;
            ways_on[source] -= 1;
            if ways_on[source] == 0 {
                open.push(source);
            }
        }
    }
    if taken == states {
        return None;
    }
    // Along ways that are left one comes round: the first that is met twice is on a cycle.
    let onward = |state: usize| {
        edges.iter().find(|(from, to)| *from as usize == state && ways_on[*to as usize] > 0).map(|(_, to)| *to as usize)
    };
    let mut state = (0..states).find(|state| ways_on[*state] > 0)?;
    let mut met = vec![state];
    while let Some(next) = onward(state) {
        if met.contains(&next) {
            return Some(next);
        }
        met.push(next);
        state = next;
    }
    Some(state)
}

/// One line of a trace: what happened, and what became of each.
fn row<const D: usize, const C: usize>(event: Option<Event>, world: &World<D, C>) -> String {
    let event = event.map_or_else(|| "first".to_owned(), |event| format!("{event:?}"));
    let parcels = world.parcels.iter().map(|parcel| {
        let delivery = &parcel.delivery;
        let state = match delivery.state {
            State::Pending { due: at } | State::AwaitingPropagation { until: at, .. } => {
                format!("{} in {}", delivery.state.name(), at.since(NOW))
            }
            State::Sending { epoch, then, .. } => {
                format!("Sending {epoch} since {}, {then:?}", NOW.since(parcel.sent))
            }
            State::Refreshing { rejected } => format!("Refreshing past {rejected}"),
            State::Done { .. } => "Done".to_owned(),
            State::Failed { reason, .. } => format!("Failed {reason:?}"),
        };
        format!("{state}, {} spent", delivery.spent)
    });
    let keepers = world.keepers.iter().map(|keeper| {
        let gate = keeper.gate.map(|gate| format!("{:?}", gate.room(NOW)));
        format!(
            "{:?}, newest {}, fruitless {}, killed {}, calling {:?}, gate {gate:?}",
            keeper.credential.state,
            keeper.credential.epoch,
            keeper.credential.fruitless,
            keeper.killed,
            keeper.calling
        )
    });
    let cells: Vec<String> = parcels.chain(keepers).collect();
    format!("{event:<32} | {}{}", cells.join(" | "), if world.paused { " | paused" } else { "" })
}
