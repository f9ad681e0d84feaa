//! What a destination can do with an event.

use serde_json::{Map, Value};

use super::fields::{Field, Schema};

/// One thing that a destination can do, with the fields that it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    slug: String,
    title: String,
    description: String,
    fields: Schema,
    when: Option<String>,
    hooks: Vec<String>,
}

impl Action {
    /// An action by its name in configurations, and its title for people. It takes every event and no fields.
    #[must_use]
    pub fn new(slug: impl Into<String>, title: impl Into<String>) -> Self {
        Action {
            slug: slug.into(),
            title: title.into(),
            description: String::new(),
            fields: Schema::default(),
            when: None,
            hooks: Vec::new(),
        }
    }

    /// What it does: a sentence.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The fields that it takes; their defaults are its default mapping.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields = Schema::new(fields);
        self
    }

    /// Its default subscription.
    #[must_use]
    pub fn when(mut self, subscription: impl Into<String>) -> Self {
        self.when = Some(subscription.into());
        self
    }

    /// A member of a mapping that is no field: what was made for the route beside its events, such as a rule's id. It is
    /// passed on as it stands.
    #[must_use]
    pub fn saves(mut self, member: impl Into<String>) -> Self {
        self.hooks.push(member.into());
        self
    }

    /// Its name in configurations.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// Its title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it does.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The fields that it takes.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.fields
    }

    /// Its default subscription; without one it takes every event.
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        self.when.as_deref()
    }

    /// The members of a mapping that are passed on as they stand.
    #[must_use]
    pub fn saved(&self) -> &[String] {
        &self.hooks
    }

    /// Its default mapping.
    #[must_use]
    pub fn mapping(&self) -> Map<String, Value> {
        self.fields.defaults()
    }
}
