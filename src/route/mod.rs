//! Which events go where, and as what: subscriptions, mappings, fields.

pub mod fields;
