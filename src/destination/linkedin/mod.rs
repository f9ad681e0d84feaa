//! LinkedIn.
//!
//! A conversion goes through these files, each with one concern: [`Mapping`] takes the fields out of the event, `payload`
//! checks them and makes LinkedIn's JSON, [`Conversions`] puts one or many into a request, `answer` reads what comes back.

mod answer;
mod conversions;
mod fields;
mod identity;
mod kind;
mod mapping;
mod payload;
mod settings;
#[cfg(test)]
mod tests;

pub use conversions::Conversions;
pub(super) use kind::CONVERSIONS;
pub use mapping::Mapping;
pub use settings::{Builder, SettingError};

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
