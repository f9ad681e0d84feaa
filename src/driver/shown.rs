//! Deliveries as people see them.

use outlast_state::{Delivery, DeliveryId, Reason, State, Time, Want, Why};

use super::why::input_in_words;
use crate::error::{Error, ErrorKind};
use crate::records::{self, DeliveryRecord};
use crate::store::Store;
use crate::store::codec::Damage;
use crate::taxonomy;
use crate::view::{DeliveryName, Done, Failed, JournalLine, Outcome, Summary};

/// The stored record of a delivery.
pub(super) fn stored(store: &dyn Store, id: DeliveryId) -> Result<DeliveryRecord, Error> {
    let found = records::stored(store, id).map_err(Error::from)?;
    found.map_err(|damage| damaged(id, &damage))?.ok_or_else(|| unknown(id))
}

pub(super) fn unknown(id: DeliveryId) -> Error {
    Error::new(ErrorKind::Unknown, format!("id: there is no delivery {id} in this store"))
}

pub(super) fn damaged(id: DeliveryId, damage: &Damage) -> Error {
    Error::new(ErrorKind::Corrupt, format!("delivery {id}: its record does not verify ({damage}); it is not acted on"))
}

/// What keeps a destination's deliveries beside what they wait for themselves.
#[derive(Clone, Copy, Default)]
pub(super) struct Kept {
    /// Its credential is dead.
    pub(super) parked: bool,
    /// Its circuit is open.
    pub(super) cut_off: bool,
}

/// A delivery on one line.
pub(super) fn summary(record: &DeliveryRecord, kept: Kept) -> Summary {
    let delivery = &record.delivery;
    let (due, ended, in_doubt) = match delivery.state {
        State::Pending { due } | State::AwaitingPropagation { until: due, .. } => (Some(due), None, false),
        State::Done { at, .. } => (None, Some(at), false),
        State::Failed { at, in_doubt, .. } => (None, Some(at), in_doubt),
        State::Sending { .. } | State::Refreshing { .. } => (None, None, false),
    };
    Summary {
        id: DeliveryName(delivery.id),
        destination: record.destination.clone(),
        route: record.route.clone(),
        lane: record.lane.clone(),
        once: record.once.clone(),
        state: delivery.state.name().to_owned(),
        attempts: delivery.attempt.count(),
        spent: delivery.spent,
        accepted_ms: record.accepted.as_millis(),
        deadline_ms: delivery.deadline.as_millis(),
        due_ms: due.map(Time::as_millis),
        ended_ms: ended.map(Time::as_millis),
        code: code(record),
        detail: detail(record),
        in_doubt,
        parked: kept.parked && waits(delivery),
        cut_off: kept.cut_off && waits(delivery) && !matches!(delivery.state, State::Sending { .. }),
    }
}

fn waits(delivery: &Delivery) -> bool {
    delivery.wants() != Want::Nothing
}

/// The code of why it failed, or of what the last answer said: the closest that is known.
pub(super) fn code(record: &DeliveryRecord) -> Option<String> {
    let said = Some(record.code.clone()).filter(|code| !code.is_empty());
    match record.delivery.state {
        // The destination's own code tells why it refused; what it said before tells nothing about another end.
        State::Failed { reason, .. } => {
            let said = said.filter(|_| matches!(reason, Reason::Refused { .. }));
            Some(said.unwrap_or_else(|| taxonomy::code_of(&reason).to_owned()))
        }
        State::Done { .. } => None,
        _ => said,
    }
}

fn detail(record: &DeliveryRecord) -> Option<String> {
    match record.delivery.state {
        State::Failed { reason, .. } => Some(reason_in_words(reason, record)),
        _ => Some(record.note.clone()).filter(|note| !note.is_empty()),
    }
}

/// Why a delivery failed, and who acts next.
pub(super) fn reason_in_words(reason: Reason, record: &DeliveryRecord) -> String {
    let note = record.note.as_str();
    let said = if note.is_empty() { String::new() } else { format!("; the last answer: {note}") };
    match reason {
        Reason::Refused { why: Why::Invalid } if record.code == taxonomy::EVENT_TOO_OLD => {
            format!("older than its provider takes, so it was not sent: {note}")
        }
        Reason::Refused { why: Why::Invalid } => format!("invalid, so it was not sent: {note}"),
        Reason::Refused { why: Why::Rejected { status } } => format!("rejected with status {status}: {note}"),
        Reason::Exhausted => {
            format!("its budget of failed attempts is used up{said}; look at the destination, then redrive")
        }
        Reason::Expired => format!("its deadline passed{said}; redrive it if it is still worth sending"),
        Reason::Cancelled => "cancelled".to_owned(),
        Reason::CredentialDead => format!("its credential is dead{said}; authorise it, then redrive"),
        Reason::InDoubt => {
            format!("it may have arrived and is not repeated{said}; look at the destination, then redrive")
        }
    }
}

/// How a delivery ended.
pub(super) fn outcome(record: &DeliveryRecord) -> Result<Outcome, Error> {
    let attempts = record.delivery.attempt.count();
    match record.delivery.state {
        State::Done { at, receipt } => {
            Ok(Outcome::Done(Done { attempts, at_ms: at.as_millis(), status: receipt.status }))
        }
        State::Failed { at, reason, in_doubt } => Ok(Outcome::Failed(Failed {
            attempts,
            at_ms: at.as_millis(),
            code: code(record).unwrap_or_default(),
            reason: reason_in_words(reason, record),
            in_doubt,
        })),
        State::Pending { .. }
        | State::Sending { .. }
        | State::AwaitingPropagation { .. }
        | State::Refreshing { .. } => Err(Error::caller(format!("{}: it has not ended", record.delivery.id))),
    }
}

/// The journal in words, with the state after each input: the fold that S15 is about, shown.
pub(super) fn journal(record: &DeliveryRecord) -> Vec<JournalLine> {
    let mut delivery = record.journal.snapshot();
    let mut lines = Vec::new();
    for entry in record.journal.entries() {
        delivery = delivery.step(entry.input, entry.at);
        lines.push(JournalLine {
            at_ms: entry.at.as_millis(),
            what: input_in_words(&entry.input),
            state: delivery.state.name().to_owned(),
            repeats: entry.repeats,
        });
    }
    lines
}
