//! Simulated time: what happens next, and when.

use std::collections::BTreeMap;

/// What is to happen, in order; what is to happen at the same time happens in the order in which it was planned.
pub(super) struct Agenda<E> {
    now: u64,
    planned: u64,
    events: BTreeMap<(u64, u64), E>,
}

impl<E> Agenda<E> {
    /// Nothing yet; it is `now`, in ms since 1970.
    pub(super) fn new(now: u64) -> Self {
        Agenda { now, planned: 0, events: BTreeMap::new() }
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// `event` happens then, or now if that has passed.
    pub(super) fn at(&mut self, time: u64, event: E) {
        self.planned = self.planned.saturating_add(1);
        self.events.insert((time.max(self.now), self.planned), event);
    }

    /// `event` happens after so many ms.
    pub(super) fn after(&mut self, span: u64, event: E) {
        self.at(self.now.saturating_add(span), event);
    }

    /// Lets time go on to the next event, if that is not beyond `end`.
    pub(super) fn next(&mut self, end: u64) -> Option<E> {
        let first = self.events.first_entry().filter(|entry| entry.key().0 <= end)?;
        let ((time, _), event) = first.remove_entry();
        self.now = time;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_from_event_to_event_and_never_back() {
        let mut agenda = Agenda::new(100);
        agenda.at(250, 'c');
        agenda.after(50, 'b');
        agenda.at(20, 'a');
        agenda.at(250, 'd');
        let seen = std::iter::from_fn(|| agenda.next(250).map(|event| (agenda.now(), event))).collect::<Vec<_>>();
        assert_eq!(seen, [(100, 'a'), (150, 'b'), (250, 'c'), (250, 'd')]);
        agenda.at(251, 'e');
        assert_eq!((agenda.next(250), agenda.now()), (None, 250), "what is beyond the end does not happen");
    }
}
