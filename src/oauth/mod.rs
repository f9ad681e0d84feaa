//! How tokens are come by. Providers are data ([`Profile`]); the grant is one request and a table of its answers.

mod introspect;
mod profile;
mod refresh;
mod scopes;

pub use crate::exchange::Rule;
pub(crate) use introspect::{inspect_form, standing};
pub use profile::{AssertionIn, Carrier, ClientAuth, Evidence, GrantKind, Profile, Rotation, TokenShape};
pub(crate) use refresh::refresh_form;
pub use refresh::{Client, Minted, Outcome, read, refresh};
pub(crate) use scopes::{listed, missing};
