//! The kinds of destinations that ship, as data: what an operator sets, what they do, and how one is made of its settings.

use std::sync::Arc;

use url::Url;

use super::{Destination, linkedin};
use crate::route::Action;
use crate::route::fields::{Field, Schema, Settings};

/// A kind of destination.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name in configurations.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is: a sentence.
    pub about: &'static str,
    /// Whether its requests carry a credential's token.
    pub credential: Needed,
    settings: fn() -> Schema,
    actions: fn() -> Vec<Action>,
    build: fn(&Settings) -> Result<Built, Unfit>,
}

/// Whether something must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// It must.
    Always,
    /// It may.
    Perhaps,
    /// There is no use for it.
    Never,
}

/// A destination that was made of settings.
pub struct Built {
    /// The destination.
    pub destination: Arc<dyn Destination>,
    /// The addresses that its requests go to, each with the setting that says so.
    pub addresses: Vec<(&'static str, Url)>,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The setting.
    pub setting: String,
    /// What is wrong with it, and the remedy.
    pub message: String,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 1] = [linkedin::CONVERSIONS];

    pub(super) const fn new(
        [name, title, about]: [&'static str; 3],
        credential: Needed,
        settings: fn() -> Schema,
        actions: fn() -> Vec<Action>,
        build: fn(&Settings) -> Result<Built, Unfit>,
    ) -> Self {
        Kind { name, title, about, credential, settings, actions, build }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name == name)
    }

    /// What an operator sets, beside what every destination has.
    #[must_use]
    pub fn settings(&self) -> Schema {
        (self.settings)()
    }

    /// What it can do.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        (self.actions)()
    }

    /// Makes one.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub fn build(&self, settings: &Settings) -> Result<Built, Unfit> {
        (self.build)(settings)
    }
}

/// What an operator sets of any destination.
#[must_use]
pub fn common() -> Schema {
    Schema::new([
        Field::text("kind")
            .label("Kind")
            .describe("What kind of destination it is.")
            .choices(Kind::ALL.map(|kind| kind.name))
            .required(),
        Field::text("credential").label("Credential").describe("The credential whose token its requests carry."),
        Field::integer("concurrency")
            .label("Concurrency")
            .describe("How many requests are in the air at once, at most.")
            .default(64)
            .minimum(1)
            .maximum(1024),
        Field::boolean("presets")
            .label("Presets")
            .describe("Whether each of its actions has a route of its own: the action's subscription and mapping.")
            .default(false),
    ])
}
