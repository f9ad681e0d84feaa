//! Values as JavaScript means them: the language in which subscriptions and mappings were first defined, and whose numbers,
//! texts and dates their authors see.

pub(crate) mod date;
pub(crate) mod moment;
pub(crate) mod number;
pub(crate) mod text;
mod token;
