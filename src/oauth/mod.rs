//! How tokens are come by. Providers are data ([`Profile`]); a grant is one request and a table of its answers.

mod assertion;
mod client;
#[cfg(feature = "login")]
mod consent;
mod introspect;
mod mint;
mod profile;
mod refresh;
mod request;
mod scopes;

pub use crate::exchange::{Carrier, Rule};
pub use crate::table::Fault;
pub use assertion::{Assertion, AssertionError};
pub use client::Client;
#[cfg(feature = "login")]
pub use consent::{Code, Consent, NoCode, NoConsent};
pub(crate) use introspect::standing;
pub use mint::mint;
pub use profile::{AssertionIn, ClientAuth, Evidence, GrantKind, Profile, ProfileError, Rotation, TokenShape};
pub use refresh::{Asked, Minted, Outcome, read, refresh};
pub(crate) use request::{inspect_form, mint_form, refresh_form, revoke_form};
pub(crate) use scopes::{listed, missing};
