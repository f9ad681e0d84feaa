//! How one API is spoken to. Pure in both directions: a destination makes requests and reads answers, and its test is a
//! table of recorded answers.

use outlast_state::{DeliveryId, Time, Verdict};

use crate::exchange::{Exchange, Request};

pub mod linkedin;

/// One API: its requests, and what its answers mean.
pub trait Destination: Send + Sync + 'static {
    /// The next request, given the answers so far; or the verdict on each item.
    ///
    /// It is called again with one more exchange after each answer, except an answer that refuses the token: those are
    /// read from the credential's profile first. It must ask for the same requests when it is given the same arguments.
    fn converse(&self, conversation: &Conversation<'_>) -> Turn;

    /// The largest number of items that one request may carry.
    fn batch_size(&self) -> u32 {
        1
    }
}

/// What a destination knows when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'a> {
    /// What to deliver, in order. One item, unless the destination takes batches.
    pub items: &'a [Item<'a>],
    /// The requests of this conversation and their answers, oldest first.
    pub so_far: &'a [Exchange],
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
    /// What to tell a human: for a refusal the field and the remedy, for an acceptance nothing. No secrets, no bodies.
    pub detail: String,
}
