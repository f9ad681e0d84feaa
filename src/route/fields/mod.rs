//! The fields of an action and the settings of a destination: typed, with defaults, conditions and forms; checked, and
//! described for people and for editors.
//!
//! A [`Schema`] is made once, in Rust, of [`Field`]s. What a mapping gave goes through [`Schema::clean`]: what is empty is
//! taken out, what can be made to fit is, the rest is told with its place and a remedy. What a configuration file says
//! goes through [`Schema::settings`], which is strict and puts secrets where nothing prints them.

mod check;
mod clean;
mod coerce;
mod condition;
mod empties;
mod fault;
mod field;
mod format;
mod json_schema;
mod place;
mod reference;
mod regular;
mod say;
mod settings;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use clean::Cleaned;
pub use condition::{Condition, When};
pub use empties::Empties;
pub use fault::{Fault, Faults};
pub use field::{Choice, Field, Kind};
pub use format::Format;
pub use settings::Settings;

use clean::{Manner, walk};

/// The fields of an action, or the settings of a destination.
///
/// ```
/// use outlast::route::fields::{Empties, Field, Schema};
/// use serde_json::{Value, json};
///
/// let schema = Schema::new([
///     Field::text("email").label("Email").required(),
///     Field::object("user").label("User").properties([Field::text("lastName").label("Last Name").required()]),
/// ]);
/// let Value::Object(payload) = json!({"email": 5, "user": {"first": "Ada"}}) else { return };
/// let faults = schema.clean(payload, Empties::Blank).unwrap_err();
/// assert_eq!(faults.to_string(), "User is missing the required field 'lastName'.");
/// assert_eq!(faults.advice(), "Field `user.lastName`: Map a value to it.");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    fields: Vec<Field>,
}

impl Schema {
    /// A schema of these fields.
    #[must_use]
    pub fn new(fields: impl IntoIterator<Item = Field>) -> Self {
        Schema { fields: fields.into_iter().collect() }
    }

    /// Its fields, in their order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field at `path`: `email`, `userInfo.lastName`.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<&Field> {
        let mut found: Option<&Field> = None;
        for key in path.split('.') {
            let fields = found.map_or(self.fields.as_slice(), Field::members);
            found = Some(fields.iter().find(|field| field.key == key)?);
        }
        found
    }

    /// The defaults of its fields: for an action, its default mapping.
    #[must_use]
    pub fn defaults(&self) -> Map<String, Value> {
        let with_default = |field: &Field| Some((field.key.clone(), field.default.clone()?));
        self.fields.iter().filter_map(with_default).collect()
    }

    /// Takes out of `payload` what is empty or not declared, makes the rest fit, and checks it.
    ///
    /// # Errors
    /// All that does not fit, with places and remedies.
    pub fn clean(&self, payload: Map<String, Value>, empties: Empties) -> Result<Cleaned, Faults> {
        walk(&self.fields, Manner::Payload(empties), payload)
    }

    /// Takes `given` as it is, fills in defaults, and checks it. Texts that are [`secret`](Field::secret) become
    /// [`Secret`](crate::Secret)s.
    ///
    /// # Errors
    /// All that is wrong: a setting that there is not, a value of another type, and what [`clean`](Self::clean) refuses.
    pub fn settings(&self, given: Map<String, Value>) -> Result<Settings, Faults> {
        let checked = walk(&self.fields, Manner::Settings, given)?;
        Ok(Settings::sealed(&self.fields, checked.payload))
    }

    /// The schema in JSON (draft 2020-12), for editors.
    #[must_use]
    pub fn json_schema(&self, title: &str) -> Value {
        json_schema::document(title, &self.fields)
    }

    /// The schema as a table in Markdown, for people.
    #[must_use]
    pub fn reference(&self) -> String {
        reference::table(&self.fields)
    }
}
