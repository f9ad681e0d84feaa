//! Which events go where, and as what: subscriptions, mappings, fields.

mod action;
pub mod subscription;

pub use action::Action;
