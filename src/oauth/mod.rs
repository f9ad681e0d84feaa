//! How tokens are come by. Providers are data ([`Profile`]); a grant is one request and a table of its answers.

mod assertion;
mod client;
#[cfg(feature = "login")]
mod consent;
mod mint;
mod profile;
mod refresh;
mod request;

pub use crate::exchange::{Carrier, Rule};
pub use assertion::{Assertion, AssertionError};
pub use client::Client;
#[cfg(feature = "login")]
pub use consent::{Code, Consent, NoCode, NoConsent};
pub use mint::mint;
pub use profile::{AssertionIn, ClientAuth, Evidence, GrantKind, Profile, Rotation, TokenShape};
pub use refresh::{Asked, Minted, Outcome, read, refresh};
pub(crate) use request::{mint_form, refresh_form, revoke_form};
