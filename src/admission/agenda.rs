//! What is to come, in order: a set of a number (a time, an epoch) and a delivery, in 24 bytes each. Five million parked
//! deliveries stand in one, so it keeps nothing else: leaves of up to 512 entries, filled to the brim where entries come in
//! order, as those of deliveries do. A set of the standard library takes almost twice as much.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use outlast_state::DeliveryId;

/// How many entries a leaf holds at most: 12 KiB, which the processor moves in a fraction of a microsecond.
const LEAF: usize = 512;

/// A leaf that has become smaller than this is joined with one beside it, where both together are half a leaf.
const SPARSE: usize = LEAF / 8;

/// The number and the two halves of the delivery's name: 24 bytes, where a pair with a `u128` takes 32.
type Entry = [u64; 3];

const FIRST: Entry = [0; 3];

/// An ordered set of numbers with deliveries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    /// By a lower bound of what the leaf holds, beyond all of the leaf before. No leaf is empty.
    leaves: BTreeMap<Entry, VecDeque<Entry>>,
    len: usize,
}

impl Agenda {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts an entry in; says whether it is new.
    pub(crate) fn insert(&mut self, at: u64, id: DeliveryId) -> bool {
        let entry = entry(at, id);
        let last = self.leaves.last_key_value().map(|(bound, _)| *bound);
        // The first leaf's bound is below everything, so that there is a leaf for every entry but the very first.
        let Some((&bound, leaf)) = self.leaves.range_mut(..=entry).next_back() else {
            self.leaves.insert(FIRST, VecDeque::from([entry]));
            self.len = self.len.saturating_add(1);
            return true;
        };
        let Err(place) = leaf.binary_search(&entry) else { return false };
        self.len = self.len.saturating_add(1);
        if leaf.len() < LEAF {
            leaf.insert(place, entry);
            return true;
        }
        if place == LEAF && last == Some(bound) {
            self.leaves.insert(entry, VecDeque::from([entry]));
            return true;
        }
        let mut upper = leaf.split_off(LEAF / 2);
        leaf.shrink_to_fit();
        match place.checked_sub(LEAF / 2) {
            Some(place) if place > 0 => upper.insert(place, entry),
            _ => leaf.insert(place, entry),
        }
        if let Some(&bound) = upper.front() {
            self.leaves.insert(bound, upper);
        }
        true
    }

    /// Takes an entry out; says whether it was there.
    pub(crate) fn remove(&mut self, at: u64, id: DeliveryId) -> bool {
        let entry = entry(at, id);
        let Some((&bound, leaf)) = self.leaves.range_mut(..=entry).next_back() else { return false };
        let Ok(place) = leaf.binary_search(&entry) else { return false };
        leaf.remove(place);
        self.len = self.len.saturating_sub(1);
        if leaf.len() < SPARSE {
            self.join(bound);
        }
        true
    }

    /// Joins a sparse leaf with one beside it, where both together are half a leaf, or drops it where it is empty.
    fn join(&mut self, bound: Entry) {
        let here = self.leaves.get(&bound).map_or(0, VecDeque::len);
        let fits = |there: &VecDeque<Entry>| here.saturating_add(there.len()) <= LEAF / 2;
        let before = self.leaves.range(..bound).next_back().filter(|(_, leaf)| here == 0 || fits(leaf));
        let after = self.leaves.range((Bound::Excluded(bound), Bound::Unbounded)).next();
        let after = after.filter(|(_, leaf)| here == 0 || fits(leaf));
        // The upper one goes into the lower one, whose bound is below both.
        let (lower, upper) = match (before, after) {
            (Some((before, _)), _) => (*before, bound),
            (None, Some((after, _))) => (bound, *after),
            (None, None) if self.len == 0 => return self.leaves.clear(),
            (None, None) => return,
        };
        let upper = self.leaves.remove(&upper).unwrap_or_default();
        if let Some(leaf) = self.leaves.get_mut(&lower) {
            leaf.extend(upper);
        }
    }

    /// The first entry.
    pub(crate) fn first(&self) -> Option<(u64, DeliveryId)> {
        self.leaves.first_key_value().and_then(|(_, leaf)| leaf.front()).map(read)
    }

    /// The entries in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, DeliveryId)> {
        self.leaves.values().flatten().map(read)
    }

    /// The entries from the number `at` on, in order.
    pub(crate) fn from(&self, at: u64) -> impl Iterator<Item = (u64, DeliveryId)> {
        let from = [at, 0, 0];
        let first = self.leaves.range(..from).next_back().map(|(_, leaf)| leaf.range(below(leaf, from)..));
        let others = self.leaves.range(from..).flat_map(|(_, leaf)| leaf);
        first.into_iter().flatten().chain(others).map(read)
    }

    /// How many entries have a number below `at`. It looks at each leaf.
    pub(crate) fn below(&self, at: u64) -> usize {
        let from = [at, 0, 0];
        let mut leaves = self.leaves.range(..from).map(|(_, leaf)| leaf);
        let last = leaves.next_back().map_or(0, |leaf| below(leaf, from));
        leaves.map(VecDeque::len).fold(last, usize::saturating_add)
    }

    /// The smallest number beyond `at`.
    pub(crate) fn next_beyond(&self, at: u64) -> Option<u64> {
        let from = [at.checked_add(1)?, 0, 0];
        let within = self.leaves.range(..=from).next_back().and_then(|(_, leaf)| {
            let place = leaf.binary_search(&from).unwrap_or_else(|place| place);
            leaf.get(place)
        });
        let beyond = || self.leaves.range(from..).next().and_then(|(_, leaf)| leaf.front());
        within.or_else(beyond).map(|entry| read(entry).0)
    }
}

/// How many of a leaf's entries lie before one.
fn below(leaf: &VecDeque<Entry>, entry: Entry) -> usize {
    leaf.partition_point(|other| *other < entry)
}

fn entry(at: u64, id: DeliveryId) -> Entry {
    let bits = id.as_u128();
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    [at, half(bits >> 64), half(bits)]
}

fn read([at, high, low]: &Entry) -> (u64, DeliveryId) {
    (*at, DeliveryId::from_u128(u128::from(*high) << 64 | u128::from(*low)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn id(bits: u128) -> DeliveryId {
        DeliveryId::from_u128(bits)
    }

    #[derive(Clone, Debug)]
    enum Deed {
        Put(u64, u128),
        Take(u64, u128),
        TakeFirst(usize),
        Append(usize),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let number = || prop_oneof![0..4_u64, Just(u64::MAX), any::<u64>()];
        let name = || prop_oneof![0..300_u128, Just(u128::MAX), any::<u128>()];
        prop_oneof![
            4 => (number(), name()).prop_map(|(at, id)| Deed::Put(at, id)),
            2 => (number(), name()).prop_map(|(at, id)| Deed::Take(at, id)),
            1 => (0..700_usize).prop_map(Deed::TakeFirst),
            1 => (0..1_500_usize).prop_map(Deed::Append),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_an_ordered_set(deeds in proptest::collection::vec(deed(), 0..60)) {
            let (mut agenda, mut set) = (Agenda::default(), BTreeSet::new());
            let mut appended = 1_000_u128;
            for deed in deeds {
                match deed {
                    Deed::Put(at, bits) => prop_assert_eq!(agenda.insert(at, id(bits)), set.insert((at, id(bits)))),
                    Deed::Take(at, bits) => prop_assert_eq!(agenda.remove(at, id(bits)), set.remove(&(at, id(bits)))),
                    Deed::TakeFirst(many) => for _ in 0..many {
                        let first = set.pop_first();
                        prop_assert_eq!(agenda.first(), first);
                        let Some((at, id)) = first else { break };
                        prop_assert!(agenda.remove(at, id));
                    },
                    Deed::Append(many) => for _ in 0..many {
                        appended = appended.saturating_add(7);
                        agenda.insert(2, id(appended));
                        set.insert((2, id(appended)));
                    },
                }
                prop_assert_eq!(agenda.len(), set.len());
                prop_assert_eq!(agenda.is_empty(), set.is_empty());
                prop_assert_eq!(agenda.first(), set.first().copied());
                for at in [0, 1, 2, 3, u64::MAX] {
                    let next = set.iter().map(|(number, _)| *number).find(|number| *number > at);
                    prop_assert_eq!(agenda.next_beyond(at), next);
                    prop_assert_eq!(agenda.below(at), set.iter().filter(|(number, _)| *number < at).count());
                    prop_assert!(agenda.from(at).eq(set.iter().copied().filter(|(number, _)| *number >= at)));
                }
            }
            prop_assert!(agenda.iter().eq(set));
            prop_assert!(agenda.leaves.values().all(|leaf| !leaf.is_empty() && leaf.len() <= LEAF));
        }
    }

    #[test]
    fn what_comes_in_order_fills_its_leaves() {
        let mut agenda = Agenda::default();
        for number in 0..100_000_u128 {
            agenda.insert(9, id(number));
        }
        let room: usize = agenda.leaves.values().map(VecDeque::capacity).sum();
        assert!(room <= 100_000 + LEAF, "{room} places for 100000 entries");
    }

    #[test]
    fn what_goes_in_any_order_leaves_no_room_behind() {
        let mut agenda = Agenda::default();
        for number in 0..100_000_u128 {
            agenda.insert(9, id(number));
        }
        for number in (0..100_000_u128).filter(|number| number % 50 != 0) {
            agenda.remove(9, id(number));
        }
        assert_eq!(agenda.len(), 2_000);
        assert!(agenda.leaves.len() < 80, "{} leaves for 2000 entries", agenda.leaves.len());
    }
}
