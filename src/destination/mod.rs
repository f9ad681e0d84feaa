//! How one API is spoken to. Pure in both directions: a destination makes requests and reads answers, and its test is a
//! table of recorded answers.

use outlast_state::{DeliveryId, Load, Span, Time, Verdict};
use serde_json::Value;

use crate::exchange::{Exchange, Request};
use crate::route::Action;
use crate::route::fields::Empties;

pub mod http;
mod kinds;
#[cfg(feature = "verify")]
pub mod laws;
pub mod linkedin;
mod memory;
mod operation;
#[cfg(all(test, feature = "cli"))]
mod pages;
mod routes;
mod setting;
pub mod webhook;

pub(crate) use routes::{Prepared, Routes};

pub use kinds::{Built, Kind, Needed, Unfit, common};
pub use memory::{Memo, Memory};
pub use operation::{Operation, Step, Trouble};
pub use setting::SettingError;

/// A destination that asks this often in one conversation goes round in circles: the answer to the last is not read.
pub(crate) const LONGEST_CONVERSATION: usize = 8;

/// One API: its requests, and what its answers mean.
///
/// Only [`converse`](Destination::converse) must be written. All of it is pure: the same arguments give the same result, at
/// any time and in any process, since a request that was lost is made again from what is stored.
pub trait Destination: Send + Sync + 'static {
    /// The next request, given the answers so far; or the verdict on each item.
    ///
    /// It is called again with one more exchange after each answer, except an answer that refuses the token: those are
    /// read from the credential's profile first. It must ask for the same requests when it is given the same arguments.
    fn converse(&self, conversation: &Conversation<'_>) -> Turn;

    /// What it can do, with the fields that each action takes. A destination without actions takes bodies as they are.
    fn actions(&self) -> &[Action] {
        &[]
    }

    /// What must be said of an item before anything is asked about it: one that can never be delivered is concluded upon
    /// here, and is no part of the conversation.
    ///
    /// # Errors
    /// The conclusion.
    fn check(&self, item: &Item<'_>, began: Time) -> Result<(), Conclusion> {
        let _ = (item, began);
        Ok(())
    }

    /// Whether its items are events that its API no longer takes when they are older than the profile of its credential says
    /// ([`Profile::event_age`](crate::oauth::Profile::event_age)). Then one that waited for longer fails with that reason, and
    /// nothing is asked. It says no where a time means nothing: somebody joins an audience whenever that is told.
    fn is_dated(&self) -> bool {
        true
    }

    /// How many items share a request, and how long one waits for others.
    fn batching(&self) -> Batching {
        Batching::ALONE
    }

    /// What counts as empty in a field. [`Empties::Blank`] but for who wants another implementation's manner.
    fn empties(&self) -> Empties {
        Empties::Blank
    }

    /// Whether its lanes or its batch keys depend on what an item is. Where they do not, events are taken in without looking
    /// at their fields.
    fn sorts(&self) -> bool {
        false
    }

    /// Its batch key: only items with the same one share a request. `None` keeps an item alone. Asked when an event is taken
    /// in, if the destination [sorts](Destination::sorts), and stored.
    fn batch_key(&self, item: &Item<'_>) -> Option<String> {
        let _ = item;
        Some(String::new())
    }

    /// Its lane: of those with the same one, each is first sent when the one before it has ended. Asked when an event is
    /// taken in, if the destination [sorts](Destination::sorts), and stored.
    fn lane(&self, item: &Item<'_>) -> Option<String> {
        let _ = item;
        None
    }

    /// What may be asked of the provider beside delivering: the operation `name` with these inputs.
    ///
    /// # Errors
    /// There is none of this name, or the inputs do not fit.
    fn operation(&self, name: &str, inputs: &Value) -> Result<Box<dyn Operation>, Trouble> {
        let _ = inputs;
        Err(Trouble::no_operation(name))
    }

    /// What to keep in mind of a conversation that is over, however it ended: a name that the provider gave to something,
    /// for a day.
    fn remember(&self, conversation: &Conversation<'_>) -> Vec<Memo> {
        let _ = conversation;
        Vec::new()
    }
}

/// What a destination knows when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'a> {
    /// What to deliver, in order. One item, unless the destination takes batches.
    pub items: &'a [Item<'a>],
    /// The requests of this conversation and their answers, oldest first.
    pub so_far: &'a [Exchange],
    /// What earlier conversations left. It stays the same through the conversation.
    pub memory: Memory<'a>,
    /// When the conversation began, in engine time. It stays the same through the conversation, so that an item that was
    /// judged by its age when the request was made is judged alike when the answer is read.
    pub began: Time,
}

/// One parcel as its destination sees it.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The delivery's name; the same for every attempt.
    pub id: DeliveryId,
    /// The parcel's body, as it was accepted.
    pub body: &'a [u8],
    /// What is done with it: one of the destination's actions; empty for a destination without.
    pub action: &'a str,
    /// The action's fields, as the route's mapping took them from the event: checked, of the right types, without what is
    /// empty. Null for a destination without actions.
    pub payload: &'a Value,
    /// What the route brings along beside the fields, such as the name of a rule that was made for it. Null for nothing.
    pub saved: &'a Value,
}

static NOTHING: Value = Value::Null;

impl<'a> Item<'a> {
    /// A parcel of a destination without actions.
    #[must_use]
    pub fn plain(id: DeliveryId, body: &'a [u8]) -> Self {
        Item { id, body, action: "", payload: &NOTHING, saved: &NOTHING }
    }
}

impl<'a> Conversation<'a> {
    /// One that begins now, with nothing in mind.
    #[must_use]
    pub fn begin(items: &'a [Item<'a>], began: Time) -> Self {
        Conversation { items, so_far: &[], memory: Memory::EMPTY, began }
    }
}

/// How many items share a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// So many at most.
    pub items: u32,
    /// So many bytes of bodies at most, as they were accepted. One item may be larger.
    pub bytes: u64,
    /// The first waits so long for others, at most.
    pub linger: Span,
}

impl Batching {
    /// Each item has a request of its own.
    pub const ALONE: Batching = Batching { items: 1, bytes: u64::MAX, linger: Span::ZERO };

    /// Up to so many items, without waiting for any.
    #[must_use]
    pub const fn up_to(items: u32) -> Self {
        Batching { items, ..Batching::ALONE }
    }
}

/// What a destination wants next.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Send this and come back with the answer.
    Ask(Request),
    /// The conversation is over: one conclusion for each item, in their order.
    Conclude(Vec<Conclusion>),
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// What it means for the delivery.
    pub verdict: Verdict,
    /// Its code in the table of errors, or one of the destination's own; empty where the verdict says it all.
    pub code: &'static str,
    /// What to tell a human: for a refusal the field and the remedy, for an acceptance nothing. No secrets, no bodies.
    pub detail: String,
}

impl Conclusion {
    /// This verdict, with these words.
    #[must_use]
    pub fn new(verdict: Verdict, detail: impl Into<String>) -> Self {
        Conclusion { verdict, code: "", detail: detail.into() }
    }

    /// The same under this code.
    #[must_use]
    pub fn code(self, code: &'static str) -> Self {
        Conclusion { code, ..self }
    }

    /// The provider failed: again, after its backoff.
    #[must_use]
    pub fn failing(detail: impl Into<String>) -> Self {
        Conclusion::new(Verdict::Busy { after: Span::ZERO, load: Load::Failing }, detail)
    }
}
