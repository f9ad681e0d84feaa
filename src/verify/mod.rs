//! What the project checks itself with. Nothing here is needed to run an engine, and nothing in it is stable.
//!
//! [`Life`] is one life of an engine without the loop around it: whoever holds it decides when a turn is, when a commit
//! passes its barrier, which request is answered and how, and when it all ends without a word. [`Raw`] reads a store in
//! memory record by record, past any engine. `tests/sim` makes a world of the two. [`fuzz`] is everything that reads bytes
//! which someone else wrote.

#[cfg(feature = "cli")]
pub mod fuzz;
mod life;
mod raw;
mod tampering;
mod wire;

pub use crate::driver::marks::{Machine, Marks};
pub use life::{Deed, Inspecting, Life, Renewing, Reply, Sending, Step};
pub use raw::{Raw, RawDelivery};
pub use tampering::tamper;
pub use wire::{Outgoing, answered, steady_time, waking_time};
