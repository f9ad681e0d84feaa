//! What operators are told: at the end of a turn, what moved in it or whose time has come is held against what was told of
//! it, and the alert is written with the state that it is about; pure.

use std::collections::{BTreeMap, BTreeSet};

use outlast_state::{Cause, CredentialState, Epoch, Grant, Offer, Reason, State, Time};

use super::acts::{Act, Turn};
use super::machines::{Machines, Name};
use super::shown::{code, reason_in_words};
use crate::alert::told::{self, CredentialStands, DestinationStands, News};
use crate::alert::{Alert, AlertSubject, Means};
use crate::digest::sha256;
use crate::oauth::GrantKind;
use crate::parcel::Parcel;
use crate::records::{self, AlertRecord, PastAlert, Told, told_key};
use crate::store::Key;
use crate::view::Scope;

/// So many alerts are kept for those who ask later.
pub(crate) const ALERTS_KEPT: u64 = 256;

/// So many things are looked at in one turn; what else moved is looked at in the next. A provider that revokes every grant at
/// once makes no commit that is too large.
const LOOKED_AT: usize = 256;

/// What was told, and what is to be looked at.
#[derive(Clone, Default)]
pub(crate) struct Alarms {
    told: BTreeMap<AlertSubject, Told>,
    /// What moved since it was last looked at.
    moved: BTreeSet<AlertSubject>,
    /// What changes by time alone, and when.
    due: BTreeMap<AlertSubject, Time>,
    by_time: BTreeSet<(Time, AlertSubject)>,
    /// The number of the last alert.
    last: u64,
    /// How many records were known not to verify when the store was last looked at.
    damaged: u64,
}

impl Alarms {
    /// What the store has under this key. An alert counts by its number also where its record does not verify.
    pub(crate) fn recall(&mut self, key: &Key, record: Option<AlertRecord>) {
        if let Key::Alert(number) = key {
            self.last = self.last.max(*number);
        }
        if let Some(AlertRecord::Told(told)) = record {
            let subject = told.subject();
            self.moved.insert(subject.clone());
            self.told.insert(subject, told);
        }
    }

    /// Something moved a destination's circuit.
    pub(super) fn destination_moved(&mut self, name: &str) {
        self.moved.insert(AlertSubject::Destination(name.to_owned()));
    }

    /// Has a thing looked at again at this time, and not before unless it moves.
    fn look_again(&mut self, subject: &AlertSubject, at: Option<Time>) {
        let before = match at {
            Some(at) => self.due.insert(subject.clone(), at),
            None => self.due.remove(subject),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, subject.clone()));
        }
        self.by_time.extend(at.map(|at| (at, subject.clone())));
    }

    fn rouse(&mut self, now: Time) {
        while let Some((at, _)) = self.by_time.first()
            && *at <= now
            && let Some((_, subject)) = self.by_time.pop_first()
        {
            self.due.remove(&subject);
            self.moved.insert(subject);
        }
    }
}

impl Machines {
    /// All credentials are looked at once after the opening: their calendars begin there.
    pub(crate) fn watch_all(&mut self) {
        let names = self.credentials.keys().cloned();
        self.alerts.moved.extend(names.map(AlertSubject::Credential));
    }

    /// Counts the deliveries that were given up in this turn. One that an operator cancelled is no news.
    pub(crate) fn count_given_up(&mut self, turn: &Turn) {
        if self.settings.hold || !self.settings.alerts.failed {
            return;
        }
        for record in turn.ended.values() {
            let State::Failed { reason, .. } = record.delivery.state else { continue };
            if reason == Reason::Cancelled {
                continue;
            }
            let subject = AlertSubject::Destination(record.destination.clone());
            let mut told = self.alerts.told.get(&subject).and_then(as_destination).unwrap_or_default();
            let code = code(record).unwrap_or_default();
            told.untold.add(record.delivery.id, &code, &reason_in_words(reason, record));
            self.alerts.told.insert(subject.clone(), Told::Destination(record.destination.clone(), told));
            self.alerts.moved.insert(subject);
        }
    }

    /// Tells what is to be told at the end of a turn.
    pub(super) fn alert(&mut self, turn: &mut Turn) {
        if self.settings.hold {
            return;
        }
        self.count_given_up(turn);
        self.alerts.moved.extend(turn.dirty_credentials.iter().cloned().map(AlertSubject::Credential));
        if self.alerts.damaged != self.counts.damaged {
            self.alerts.damaged = self.counts.damaged;
            self.alerts.moved.insert(AlertSubject::Store);
        }
        self.alerts.rouse(turn.now);
        for _ in 0..LOOKED_AT {
            let Some(subject) = self.alerts.moved.pop_first() else { break };
            self.look_at(&subject, turn);
        }
        if !self.alerts.moved.is_empty() {
            turn.wake_at(turn.now);
        }
        if let Some((at, _)) = self.alerts.by_time.first() {
            turn.wake_at(*at);
        }
    }

    /// Holds how something stands against what was told of it.
    fn look_at(&mut self, subject: &AlertSubject, turn: &mut Turn) {
        let known = self.alerts.told.get(subject);
        let (told, news, again) = match subject {
            AlertSubject::Credential(name) => {
                let Some(stands) = self.told_of_credential(name, turn.now) else {
                    return self.forget_told(subject, turn);
                };
                let before = known.and_then(as_credential).unwrap_or_default();
                let look = told::credential(name, before, &stands, &self.settings.alerts.days, turn.now);
                let told = (look.told != before).then(|| Told::Credential(name.clone(), look.told));
                (told, look.news, look.again)
            }
            AlertSubject::Destination(name) => {
                let Some(stands) = self.destination_stands(name) else { return self.forget_told(subject, turn) };
                let before = known.and_then(as_destination).unwrap_or_default();
                let waits = before.is_untold();
                let look = told::destination(name, before.clone(), &stands, turn.now);
                // Those that wait for a summary were counted in this turn, perhaps.
                let told = (look.told != before || waits).then(|| Told::Destination(name.clone(), look.told));
                (told, look.news, look.again)
            }
            AlertSubject::Store => {
                let before = known.and_then(as_store).unwrap_or_default();
                let look = told::store(before, self.counts.damaged, self.reading.is_none());
                ((look.told != before).then_some(Told::Store(look.told)), look.news, look.again)
            }
        };
        if let Some(told) = told {
            records::put(told_key(subject), &AlertRecord::Told(told.clone()), &mut turn.writes);
            self.alerts.told.insert(subject.clone(), told);
        }
        self.alerts.look_again(subject, again);
        for one in news {
            self.give(subject, one, turn);
        }
    }

    /// What is not configured any more.
    fn forget_told(&mut self, subject: &AlertSubject, turn: &mut Turn) {
        if self.alerts.told.remove(subject).is_some() {
            turn.writes.delete(told_key(subject));
        }
        self.alerts.look_again(subject, None);
    }

    fn told_of_credential(&self, name: &str, now: Time) -> Option<CredentialStands> {
        let keeper = self.credentials.get(name)?;
        let credential = keeper.record.credential;
        let dead = match credential.state {
            // One that nobody has authorised yet has not died.
            CredentialState::Dead { cause: Cause::NeverAuthorised, .. } if credential.epoch == Epoch::NONE => None,
            CredentialState::Dead { cause, since } => Some((cause, since)),
            CredentialState::Current { .. } | CredentialState::Refreshing { .. } => None,
        };
        let serves = matches!(credential.offer(now), Offer::Token(_));
        let means = match self.settings.profiles.get(name).map(|profile| profile.grant) {
            Some(GrantKind::ClientCredentials | GrantKind::JwtBearer) => Means::Itself,
            Some(GrantKind::Static) => Means::Written,
            Some(GrantKind::AuthorizationCode) | None => Means::Consent,
        };
        Some(CredentialStands {
            means,
            dead,
            quarantined: keeper.quarantined,
            serves,
            ends: if credential.epoch == Epoch::NONE { Time::NEVER } else { credential.ends },
            last: match (credential.grant, credential.offer(now)) {
                (Grant::Ended { cause }, Offer::Token(token)) => Some((cause, token.expires)),
                _ => None,
            },
            fruitless: credential.fruitless > 0 && serves,
            live: self.live_within(&Scope::Credential(name.to_owned())),
        })
    }

    fn destination_stands(&self, name: &str) -> Option<DestinationStands> {
        self.settings.outlets.get(name)?;
        let queue = self.queues.get(name);
        Some(DestinationStands {
            open: queue.and_then(|queue| queue.circuit.open_since()),
            works: queue.and_then(|queue| queue.circuit.works_since()),
            live: queue.map_or(0, |queue| queue.live),
        })
    }

    /// Gives an alert: it is stored, delivered to where alerts go, and told once it is durable.
    fn give(&mut self, subject: &AlertSubject, news: News, turn: &mut Turn) {
        let News { kind, severity, text, ends, count } = news;
        let number = self.alerts.last.saturating_add(1);
        self.alerts.last = number;
        let past = PastAlert { number, at: turn.now, kind, severity, subject: subject.clone(), text, ends, count };
        records::put(Key::Alert(number), &AlertRecord::Past(past.clone()), &mut turn.writes);
        if let Some(over) = number.checked_sub(ALERTS_KEPT) {
            turn.writes.delete(Key::Alert(over));
        }
        let alert = Alert::from(past);
        if let Some(to) = self.settings.alerts.to.clone()
            && *subject != AlertSubject::Destination(to.to_string())
        {
            self.deliver_alert(&to, &alert, turn);
        }
        turn.acts.push(Act::Alert(Box::new(alert)));
    }

    /// Makes a delivery of an alert, in the same commit. It is taken also where so many are live that nobody else's is: that
    /// may be what it tells.
    fn deliver_alert(&mut self, to: &Name, alert: &Alert, turn: &mut Turn) {
        let body = alert.body();
        let digest = sha256(&body);
        let id = self.accept(Parcel::to(to.to_string()).bytes(body), digest, turn);
        tracing::debug!(delivery = %id, destination = &**to, number = alert.number, "the alert is delivered");
    }
}

fn as_credential(told: &Told) -> Option<told::CredentialTold> {
    match told {
        Told::Credential(_, told) => Some(*told),
        Told::Destination(..) | Told::Store(_) => None,
    }
}

fn as_destination(told: &Told) -> Option<told::DestinationTold> {
    match told {
        Told::Destination(_, told) => Some(told.clone()),
        Told::Credential(..) | Told::Store(_) => None,
    }
}

fn as_store(told: &Told) -> Option<told::StoreTold> {
    match told {
        Told::Store(told) => Some(*told),
        Told::Credential(..) | Told::Destination(..) => None,
    }
}
