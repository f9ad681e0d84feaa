//! What the project checks itself with. Nothing here is needed to run an engine, and nothing in it is stable.
//!
//! [`Raw`] reads a store in memory record by record, past any engine. `tests/sim` makes a world of it and of
//! [`life::Life`](crate::life::Life). [`fuzz`] is everything that reads bytes which someone else wrote.

#[cfg(feature = "cli")]
pub mod fuzz;
mod raw;
mod tampering;

pub use crate::driver::marks::{Machine, Marks};
pub use crate::life::{
    Deed, Inspecting, Life, Outgoing, Renewing, Reply, Sending, Step, answered, steady_time, waking_time,
};
pub use raw::{Raw, RawDelivery};
pub use tampering::tamper;
