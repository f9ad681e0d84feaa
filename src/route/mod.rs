//! Which events go where, and as what: subscriptions, mappings, fields.
