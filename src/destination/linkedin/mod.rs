//! LinkedIn.
//!
//! A conversion goes through these files, each with one concern: `schema` says which fields there are, `payload` checks them and
//! makes LinkedIn's JSON, [`Conversions`] puts one or many into a request, `answer` reads what comes back. What goes into an
//! audience has its own, in `audiences`.

mod answer;
mod api;
mod audiences;
mod conversions;
mod identity;
mod invalid;
mod kind;
pub mod operations;
mod payload;
mod perform;
mod schema;
mod settings;
#[cfg(test)]
mod tests;

pub use crate::destination::SettingError;
pub use api::Api;
pub use audiences::{Audiences, Builder as AudiencesBuilder};
pub use conversions::Conversions;
pub(super) use kind::{AUDIENCES, CONVERSIONS};
pub use settings::Builder;

/// The LinkedIn Conversions destination, to be given its settings.
///
/// ```
/// use outlast::destination::linkedin;
///
/// let destination = linkedin::conversions().rule("789123").build()?;
/// # Ok::<(), linkedin::SettingError>(())
/// ```
pub fn conversions() -> Builder {
    Builder::new()
}

/// The LinkedIn Audiences destination, to be given its settings.
///
/// ```
/// use outlast::destination::linkedin;
///
/// let destination = linkedin::audiences().ad_account_id("501").send_google_advertising_id(false).build()?;
/// # Ok::<(), linkedin::SettingError>(())
/// ```
pub fn audiences() -> AudiencesBuilder {
    AudiencesBuilder::new()
}
