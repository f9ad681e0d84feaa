//! Which events go where, and as what.
//!
//! An [`Event`] is a JSON object as a source emits it. A [`Route`] says with a [subscription] which events it
//! takes, with a [mapping] what becomes of them, and to which [`Action`] of a destination that leads; the action's
//! [fields] say what it takes. All of it is pure.

mod action;
mod event;
pub mod fields;
pub mod mapping;
mod plan;
pub mod subscription;

pub use action::Action;
pub use event::{DEEPEST, Event, NotAnEvent};
pub use plan::{Draft, Misfit, Payload, Route, RouteFault};
pub(crate) use plan::{mapping_code, may_share};
