//! What can be wrong with a mapping, and who must do what about it.

use std::fmt;

/// Why a mapping cannot be used, or cannot be resolved for an event. It never goes away by trying again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingError {
    class: Class,
    faults: Vec<Fault>,
    is_static: bool,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The mapping as a whole is a directive that is not valid.
    Validation,
    /// One or more parts of the mapping are not valid.
    Aggregate,
    /// A directive failed while it ran, the event is not an object, or the root directive is misused.
    Directive,
    /// A Liquid template failed.
    Liquid(Stage),
    /// The mapping is null, where the reference implementation fails by accident.
    Internal,
}

/// Where a Liquid template failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// While it was cut into pieces.
    Tokenization,
    /// While tags and filters were put together.
    Parse,
    /// While it was rendered for the event.
    Render,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where in the mapping, such as `email/@replace/pattern`; empty for the mapping as a whole.
    pub place: String,
    /// The directive that is concerned, such as `@replace`; empty when there is none.
    pub directive: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl MappingError {
    pub(super) fn new(class: Class, fault: Fault) -> Self {
        MappingError { class, faults: vec![fault], is_static: false }
    }

    pub(super) fn validation(fault: Fault) -> Self {
        MappingError::new(Class::Validation, fault).of_mapping()
    }

    pub(super) fn aggregate(faults: Vec<Fault>) -> Self {
        MappingError { class: Class::Aggregate, faults, is_static: true }
    }

    /// The same error, of the mapping alone: no event can make it go away.
    pub(super) fn of_mapping(self) -> Self {
        MappingError { is_static: true, ..self }
    }

    /// What kind of error it is.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// The name of the class in the reference implementation.
    #[must_use]
    pub fn class_name(&self) -> &'static str {
        match self.class {
            Class::Validation => "ValidationError",
            Class::Aggregate => "AggregateError",
            Class::Directive => "Error",
            Class::Liquid(Stage::Tokenization) => "TokenizationError",
            Class::Liquid(Stage::Parse) => "ParseError",
            Class::Liquid(Stage::Render) => "RenderError",
            Class::Internal => "TypeError",
        }
    }

    /// Whether the mapping is wrong by itself, whatever the event.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.is_static
    }

    /// All that is wrong; at least one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for MappingError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str("mapping")?,
            place => write!(f, "mapping at `{place}`")?,
        }
        // Most places end with the directive's name, or hold it.
        if !self.directive.is_empty() && !self.place.contains(&self.directive) {
            write!(f, " ({})", self.directive)?;
        }
        write!(f, ": {}; {}", self.message, self.remedy)
    }
}

/// What went wrong within a directive, which knows its own place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) class: Class,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Trouble {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Trouble { class: Class::Directive, message: message.into(), remedy: remedy.into() }
    }

    pub(super) fn liquid(stage: Stage, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Trouble { class: Class::Liquid(stage), message: message.into(), remedy: remedy.into() }
    }

    pub(super) fn at(self, place: &str, directive: &str) -> MappingError {
        let fault =
            Fault { place: place.into(), directive: directive.into(), message: self.message, remedy: self.remedy };
        MappingError::new(self.class, fault)
    }
}
