//! What destinations keep in mind between conversations; pure.

use std::sync::Arc;

use outlast_state::{Span, Time};
use tracing::warn;

use super::acts::{Known, Turn};
use super::machines::{Machines, Name};
use crate::destination::Memo;
use crate::records::{self, MemoryRecord};

/// So many things one destination keeps in mind. Beyond that, what would be forgotten first goes.
const MOST: usize = 10_000;

/// The longest key, and the longest value, in bytes.
const LONGEST: usize = 1024;

/// Nothing is kept in mind for longer at a time.
const LONGEST_SPAN: Span = Span::from_secs(30 * 86_400);

impl Machines {
    /// Takes in what a conversation left.
    pub(crate) fn keep_in_mind(&mut self, destination: &Name, memos: Vec<Memo>, turn: &mut Turn) {
        for memo in memos {
            let value = memo.value.as_deref();
            if memo.key.len() > LONGEST || value.is_some_and(|value| value.len() > LONGEST) {
                warn!(%destination, "the destination keeps something in mind that is longer than {LONGEST} bytes; it is not kept");
                continue;
            }
            let known = Arc::make_mut(self.memory.entry(Name::clone(destination)).or_default());
            let key = records::memory_key(destination, &memo.key);
            match memo.value {
                None => {
                    if known.remove(&memo.key).is_some() {
                        turn.writes.delete(key);
                    }
                }
                Some(value) => {
                    let until = turn.now.after(memo.keep.min(LONGEST_SPAN));
                    known.insert(memo.key.clone(), (value.clone(), until));
                    let destination = destination.to_string();
                    records::put(key, &MemoryRecord { destination, key: memo.key, value, until }, &mut turn.writes);
                }
            }
            forget_beyond(known, destination, turn);
        }
    }

    /// Takes in what the store has.
    pub(crate) fn recall(&mut self, record: MemoryRecord) {
        let known = Arc::make_mut(self.memory.entry(Name::from(record.destination)).or_default());
        known.insert(record.key, (record.value, record.until));
    }

    /// Lets go of what its destination does not keep in mind any more.
    pub(crate) fn forget_what_is_over(&mut self, turn: &mut Turn) {
        for (destination, known) in &mut self.memory {
            if known.values().any(|(_, until)| *until <= turn.now) {
                forget_until(Arc::make_mut(known), destination, turn.now, turn);
            }
        }
    }
}

fn forget_beyond(known: &mut Known, destination: &Name, turn: &mut Turn) {
    if known.len() <= MOST {
        return;
    }
    forget_until(known, destination, turn.now, turn);
    while known.len() > MOST {
        let first = known.iter().min_by_key(|(_, (_, until))| *until).map(|(key, _)| key.clone());
        let Some(first) = first else { return };
        known.remove(&first);
        turn.writes.delete(records::memory_key(destination, &first));
    }
}

fn forget_until(known: &mut Known, destination: &Name, now: Time, turn: &mut Turn) {
    known.retain(|key, (_, until)| {
        let keeps = *until > now;
        if !keeps {
            turn.writes.delete(records::memory_key(destination, key));
        }
        keeps
    });
}
