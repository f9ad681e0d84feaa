//! The kinds of destinations that ship, as data: what an operator sets, what they do, and how one is made of its settings.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::{Batching, Destination, SettingError, http, linkedin, webhook};
use crate::route::Action;
use crate::route::fields::{Field, Schema, Settings};
use crate::secret::Secret;

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
    pub const ALL: [Kind; 4] = [linkedin::CONVERSIONS, linkedin::AUDIENCES, webhook::WEBHOOK, http::HTTP];

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

/// The headers that each request has: plain ones, and those whose values are never shown.
pub(super) fn header_fields() -> [Field; 2] {
    let headers = Field::object("headers").label("Headers").describe("Headers that each request has.").open();
    let secret = Field::object("secret_headers")
        .label("Secret Headers")
        .describe("Headers whose values are sent as they are and never shown, such as an API key.")
        .multiple()
        .properties([
            Field::text("name").label("Name").describe("The header's name.").example("x-api-key").required(),
            Field::text("value")
                .label("Value")
                .describe("Its value.")
                .secret()
                .remedy("Write value = \"${NAME}\" and set NAME in the environment.")
                .required(),
        ]);
    [headers, secret]
}

/// The headers of these settings.
pub(super) fn plain_headers(settings: &Settings) -> impl Iterator<Item = (&String, &Value)> {
    settings.value("headers").and_then(Value::as_object).into_iter().flatten()
}

/// The secret headers of these settings.
pub(super) fn secret_headers(settings: &Settings) -> impl Iterator<Item = (String, Secret)> {
    settings.list("secret_headers").iter().enumerate().filter_map(|(place, header)| {
        let value = settings.secret(&format!("secret_headers[{place}].value"))?.clone();
        Some((header.get("name")?.as_str()?.to_owned(), value))
    })
}

/// How many events share a request.
pub(super) fn batching_fields(most: u32) -> [Field; 3] {
    [
        Field::integer("batch_size")
            .label("Batch Size")
            .describe("The most events in one request.")
            .default(most)
            .minimum(1)
            .maximum(most),
        Field::integer("batch_bytes")
            .label("Batch Bytes")
            .describe("The most bytes of events in one request, as they were accepted. One event may be larger.")
            .unit("bytes")
            .default(4_000_000)
            .minimum(1),
        Field::text("linger")
            .label("Linger")
            .describe("How long an event waits for others to share its request, at most.")
            .default("0s")
            .example("500ms"),
    ]
}

/// How many events share a request, as set.
pub(super) fn batching(settings: &Settings) -> Result<Batching, Unfit> {
    let whole = |key: &str| settings.integer(key).and_then(|number| u64::try_from(number).ok());
    let items = whole("batch_size").and_then(|size| u32::try_from(size).ok()).unwrap_or(1);
    let linger = settings.text("linger").unwrap_or("0s");
    let linger =
        crate::span::span(linger).map_err(|why| Unfit { setting: "linger".to_owned(), message: why.to_string() })?;
    Ok(Batching { items, bytes: whole("batch_bytes").unwrap_or(u64::MAX), linger })
}

pub(super) fn unfit(why: &SettingError) -> Unfit {
    let setting = why.setting().split(['[', '.', ' ']).next().unwrap_or_default().to_owned();
    Unfit { setting, message: format!("{} {}", why.problem(), why.remedy()) }
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
        Field::integer("release_per_second")
            .label("Release per second")
            .describe("Of what waited while the credential was dead, how many deliveries leave in a second, at most.")
            .minimum(1)
            .maximum(100_000),
        Field::boolean("presets")
            .label("Presets")
            .describe("Whether each of its actions has a route of its own: the action's subscription and mapping.")
            .default(false),
    ])
}
