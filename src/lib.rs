//! Deliveries that outlast crashes, dead tokens and slow propagation.

pub mod backup;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
#[cfg(feature = "cli")]
pub mod config;
pub mod destination;
pub mod doctor;
pub mod exchange;
pub mod guard;
pub mod http;
#[cfg(any(feature = "cli", feature = "verify"))]
pub mod life;
pub mod oauth;
#[cfg(any(feature = "cli", feature = "verify"))]
pub mod rehearsal;
pub mod route;
#[cfg(feature = "cli")]
pub mod sample;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;
pub mod taxonomy;
pub mod vault;
#[cfg(feature = "verify")]
pub mod verify;

mod admission;
mod alert;
mod authorisation;
mod builder;
mod digest;
mod driver;
mod engine;
mod error;
mod js;
mod limits;
mod nearest;
mod parcel;
mod records;
mod recover;
mod routing;
mod secret;
mod span;
mod table;
mod unix;
mod view;

pub use alert::{Alert, AlertKind, AlertSubject, Alerts, Severity, Warning, warnings};
pub use authorisation::Authorisation;
pub use builder::{Builder, Endpoint, OAuth};
pub use engine::{Engine, Routed, Watch};
pub use error::{Error, ErrorKind};
pub use limits::{Limits, Retention};
pub use outlast_state as state;
pub use parcel::{LARGEST_BODY, Parcel};
pub use routing::{Fate, Outgoing, Trial};
pub use secret::Secret;
pub use view::{
    CalendarDay, Counts, CredentialCalendar, CredentialDetails, CredentialView, DayWarning, DeliveryName, Details,
    Done, Failed, Filter, JournalLine, Occasion, Outcome, Redrive, Rekeyed, Revocation, Scope, ScopeDrift, SealedView,
    Summary, VaultView,
};
pub use view::{IssuerView, LearnedView, NodeView, Percentiles, RenewalView, ScopesView, TokenView};

/// The programs in the README compile, since they are tested as documentation. Not the crate's front page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The guide to destinations likewise.
#[cfg(all(doctest, feature = "verify"))]
#[doc = include_str!("../docs/DESTINATIONS.md")]
struct Guide;
