//! The rules of Outlast as pure functions: no clock, no I/O, no async, no randomness, no secrets.
//!
//! Three machines: the [delivery](Delivery) of one parcel, the [credential](Credential) that its requests carry, and the
//! [gate](Gate) that says how many requests a young or doubtful token may carry at once. Beside them, the
//! [circuit](Circuit) of a destination says whether it is worth asking. Each is a value with a total
//! `step`; what a state asks of the world is a function of the state ([`Want`], [`CredentialWant`]), so that a crash
//! cannot lose it. The law of their user is: *store before you act, and act only on what is stored*.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod circuit;
mod clues;
mod credential;
mod delivery;
mod diagnosis;
mod gate;
mod id;
mod journal;
#[cfg(feature = "laws")]
pub mod laws;
mod learned;
mod policy;
mod ruling;
pub mod table;
mod time;
mod verdict;

pub use circuit::{CIRCUIT_RUN, Circuit, Passage, Sign};
pub use clues::{Came, Clues, IssuerWord, Lacked, Node, Sighting, TokenRequest};
pub use credential::{
    Cause, Credential, CredentialInput, CredentialState, CredentialWant, Grant, Held, Inquiry, Lack, Need, Offer,
    Standing, Terms, Token, TokenProof,
};
pub use delivery::{Choice, Delivery, Input, Reason, State, Then, Want};
pub use diagnosis::{Diagnosis, Finding, Ground, diagnose};
pub use gate::{CANARY_ITEMS, Evidence, Gate, Room, STREAK, YOUNG};
pub use id::{Attempt, Batch, DeliveryId, Epoch, NotAnId};
pub use journal::{CredentialJournal, DeliveryJournal, Entry, Journal, KEPT};
pub use learned::{ENOUGH, Histogram, Learned, Lesson};
pub use policy::{Policy, Standard, Trouble};
pub use ruling::{Proof, Ruling, STRAY_REFUSALS, Seen, Serving, rule};
pub use time::{Span, Time, hash, jittered};
pub use verdict::{Load, Receipt, Verdict, Why};
