//! What must hold when everything has ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use outlast::state::State;
use outlast::verify::{Raw, RawDelivery};
use serde_json::Value;

use super::super::script::{AUDIENCES, Fate, Member, change, changes, number};
use super::{START, World};

impl World {
    pub(super) fn finish(&mut self) {
        self.figures.minutes = (self.now - START) / 60_000;
        self.figures.lives = self.lives;
        let deliveries = Raw(&self.store).deliveries();
        let (count, events) = (deliveries.len(), self.events.len());
        self.expect(count == events, |_| format!("S1 No loss: {count} deliveries of {events} events"));
        for one in deliveries {
            self.ends_as_named(&one);
        }
        let conflicts = self.provider.summary().conflicts;
        self.expect(conflicts == 0, |_| format!("{conflicts} conflicts"));
        self.compare();
    }

    fn ends_as_named(&mut self, one: &RawDelivery) {
        let n = number(one.once.as_deref()).expect("each has its event's key");
        let (fate, state) = (self.events[n].fate, &one.delivery.state);
        let right = match (fate, state) {
            (Fate::Good, State::Done { .. }) => true,
            (Fate::Refused, State::Failed { reason, .. }) => format!("{reason:?}").contains("Rejected"),
            (Fate::Unfit, State::Failed { reason, .. }) => format!("{reason:?}").contains("Invalid"),
            _ => false,
        };
        self.figures.failed += u64::from(matches!(state, State::Failed { .. }));
        self.figures.spent += u64::from(one.delivery.spent);
        self.expect(right, |_| format!("event {n}, which is {fate:?}, ended {state:?}"));
        self.expect(one.replays, |_| format!("S15 Replay: event {n}"));
    }

    /// Every segment once, every member changed as the events say and in their order, and in it or not as they say.
    fn compare(&mut self) {
        let state = self.provider.state();
        let segments = state["segments"].as_array().cloned().unwrap_or_default();
        let name = |kind: bool| if kind { "COMPANY" } else { "USER" };
        let is = |segment: &Value, (key, kind): (&str, bool)| {
            segment["sourceSegmentId"] == key && segment["type"] == name(kind)
        };
        let (mut ids, mut inside) = (HashMap::new(), BTreeSet::new());
        for segment in &segments {
            let at = AUDIENCES.iter().position(|audience| is(segment, *audience)).expect("it is one of ours");
            ids.insert(segment["id"].to_string(), at);
            inside.extend(segment["members"].as_object().into_iter().flatten().map(|(member, _)| (at, member.clone())));
        }
        let made = self.applied.iter().filter(|applied| applied["resource"] == "dmpSegments").count();
        let of = (segments.len(), ids.values().collect::<BTreeSet<_>>().len());
        self.expect(made == 4 && of == (4, 4), |_| format!("{made} segments were made, {of:?} are there"));
        let mut seen: BTreeMap<Member, Vec<_>> = BTreeMap::new();
        for applied in self.applied.iter().filter(|applied| applied["key"].as_str().unwrap_or("").contains('/')) {
            let (segment, member) = applied["key"].as_str().unwrap().split_once('/').unwrap();
            seen.entry((ids[segment], member.to_owned())).or_default().push(change(applied));
        }
        let wanted = changes(&self.events);
        let within: BTreeSet<&Member> =
            wanted.iter().filter(|(_, changes)| changes.last().unwrap().0).map(|(member, _)| member).collect();
        self.figures.members = within.len();
        self.figures.strayed = inside.iter().collect::<BTreeSet<_>>().symmetric_difference(&within).count();
        let strayed = self.figures.strayed;
        self.expect(strayed == 0, |_| format!("{strayed} members are not where the fold of the events has them"));
        for (member, changes) in &wanted {
            let seen = seen.get(member);
            self.expect(seen == Some(changes), |_| {
                format!("S10 Lanes: {member:?} was changed {seen:?} instead of {changes:?}")
            });
        }
        self.expect(seen.len() == wanted.len(), |_| "members were changed that no event names".into());
    }
}
