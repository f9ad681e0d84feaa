//! The rules of Outlast.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod id;
mod time;
mod verdict;

pub use id::{Attempt, Batch, DeliveryId, Epoch, NotAnId};
pub use time::{Span, Time, hash, jittered};
pub use verdict::{Load, Receipt, Verdict, Why};
