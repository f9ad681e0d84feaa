//! What a field is, and how an author of a destination writes it down.

use serde_json::Value;

use super::condition::When;
use super::format::Format;

/// A field of an action, or a setting: its name, what may stand in it, and what people are told about it.
///
/// ```
/// use outlast::route::fields::{Condition, Field};
/// use serde_json::json;
///
/// let email = Field::text("email").label("Email").describe("Where to reach the person.")
///     .default(json!({"@path": "$.traits.email"}));
/// let source = Field::text("source").label("Source").required().choices(["LIST", "FORM"]);
/// let list = Field::text("list").label("List").required_when(Condition::is("source", "LIST"));
/// let person = Field::object("person").label("Person").properties([Field::text("name").label("Name").required()]);
/// # let _ = (email, source, list, person);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub(super) key: String,
    pub(super) label: Option<String>,
    pub(super) description: String,
    pub(super) kind: Kind,
    pub(super) look: Look,
    pub(super) required: Required,
    pub(super) default: Option<Value>,
    pub(super) allow_null: bool,
    pub(super) multiple: bool,
    pub(super) choices: Vec<Choice>,
    pub(super) properties: Option<Vec<Field>>,
    pub(super) open: bool,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) format: Option<Format>,
    pub(super) dynamic: Option<String>,
    pub(super) example: Option<Value>,
    pub(super) unit: Option<String>,
    pub(super) remedy: Option<String>,
}

/// What may stand in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A moment: a date as text, or a number. It is checked and passed on as it is.
    Datetime,
    /// An object.
    Object,
}

/// How a text is shown where people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Long,
    Secret,
}

/// When a field must be there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Required {
    Never,
    Always,
    When(When),
}

/// A value that a field may have, and its name for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub(super) value: Value,
    pub(super) label: Option<String>,
}

impl From<&str> for Choice {
    fn from(value: &str) -> Self {
        Choice { value: value.into(), label: None }
    }
}

impl From<i64> for Choice {
    fn from(value: i64) -> Self {
        Choice { value: value.into(), label: None }
    }
}

/// A value and its label.
impl<V: Into<Value>, L: Into<String>> From<(V, L)> for Choice {
    fn from((value, label): (V, L)) -> Self {
        Choice { value: value.into(), label: Some(label.into()) }
    }
}

impl Field {
    fn new(key: impl Into<String>, kind: Kind) -> Self {
        Field {
            key: key.into(),
            label: None,
            description: String::new(),
            kind,
            look: Look::Plain,
            required: Required::Never,
            default: None,
            allow_null: false,
            multiple: false,
            choices: Vec::new(),
            properties: None,
            open: false,
            minimum: None,
            maximum: None,
            format: None,
            dynamic: None,
            example: None,
            unit: None,
            remedy: None,
        }
    }

    /// A text.
    #[must_use]
    pub fn text(key: impl Into<String>) -> Self {
        Field::new(key, Kind::Text)
    }

    /// A number.
    #[must_use]
    pub fn number(key: impl Into<String>) -> Self {
        Field::new(key, Kind::Number)
    }

    /// A whole number.
    #[must_use]
    pub fn integer(key: impl Into<String>) -> Self {
        Field::new(key, Kind::Integer)
    }

    /// `true` or `false`.
    #[must_use]
    pub fn boolean(key: impl Into<String>) -> Self {
        Field::new(key, Kind::Boolean)
    }

    /// A moment: any text that reads as a date, or a number.
    #[must_use]
    pub fn datetime(key: impl Into<String>) -> Self {
        Field::new(key, Kind::Datetime)
    }

    /// An object. Without [`properties`](Self::properties) it may hold anything.
    #[must_use]
    pub fn object(key: impl Into<String>) -> Self {
        Field::new(key, Kind::Object)
    }

    /// Its name in messages and on pages. Without one, messages say where it stands.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What it is for.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// What it is when nothing is given: a mapping for a field of an action, a value for a setting.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// It must be there.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = Required::Always;
        self
    }

    /// It must be there when other fields are as `when` says.
    #[must_use]
    pub fn required_when(mut self, when: impl Into<When>) -> Self {
        self.required = Required::When(when.into());
        self
    }

    /// It may be `null`. (A list may not, and neither may its items.)
    #[must_use]
    pub fn allow_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    /// It is a list of such values.
    #[must_use]
    pub fn multiple(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// It must be one of these; of a list, each item.
    #[must_use]
    pub fn choices(mut self, choices: impl IntoIterator<Item = impl Into<Choice>>) -> Self {
        self.choices = choices.into_iter().map(Into::into).collect();
        self
    }

    /// The members of the object, or of each object of the list. Others are not allowed, unless it is
    /// [`open`](Self::open).
    #[must_use]
    pub fn properties(mut self, properties: impl IntoIterator<Item = Field>) -> Self {
        self.properties = Some(properties.into_iter().collect());
        self
    }

    /// The object may have other members than its [`properties`](Self::properties).
    #[must_use]
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// The least that a number may be, or the fewest characters of a text.
    #[must_use]
    pub fn minimum(mut self, limit: impl Into<f64>) -> Self {
        self.minimum = Some(limit.into());
        self
    }

    /// The most that a number may be, or the most characters of a text.
    #[must_use]
    pub fn maximum(mut self, limit: impl Into<f64>) -> Self {
        self.maximum = Some(limit.into());
        self
    }

    /// The form that a text must have.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// What it can be is asked of the destination; `query` is the name of the question.
    #[must_use]
    pub fn dynamic(mut self, query: impl Into<String>) -> Self {
        self.dynamic = Some(query.into());
        self
    }

    /// A value that someone might write.
    #[must_use]
    pub fn example(mut self, value: impl Into<Value>) -> Self {
        self.example = Some(value.into());
        self
    }

    /// What a number counts.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// It is never shown. A setting of this kind is a [`Secret`](crate::Secret).
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.look = Look::Secret;
        self
    }

    /// It can be many lines long.
    #[must_use]
    pub fn long(mut self) -> Self {
        self.look = Look::Long;
        self
    }

    /// What to do when it is missing or wrong, where the general advice is not good enough: a sentence.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Whether it is always required.
    #[must_use]
    pub fn is_required(&self) -> bool {
        matches!(self.required, Required::Always)
    }

    /// Its name in its object.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What may stand in it, or in each of its items.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.multiple
    }

    /// The name of the question that gives its choices.
    #[must_use]
    pub fn choices_query(&self) -> Option<&str> {
        self.dynamic.as_deref()
    }

    /// The members that it declares.
    #[must_use]
    pub fn members(&self) -> &[Field] {
        self.properties.as_deref().unwrap_or_default()
    }

    pub(super) fn is_secret(&self) -> bool {
        self.look == Look::Secret
    }

    /// Whether `null` itself may stand in it.
    pub(super) fn takes_null(&self) -> bool {
        self.allow_null && !self.multiple
    }

    /// Its members, if it is one object and says which it has.
    pub(super) fn object_members(&self) -> Option<&[Field]> {
        let one = self.kind == Kind::Object && !self.multiple;
        if one { self.properties.as_deref() } else { None }
    }
}
