//! Which events go where, and as what: subscriptions, mappings, fields.

mod action;

pub use action::Action;
