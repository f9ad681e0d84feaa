//! Damage to a store on disk: what of it is met, and what is left.

mod costs;
