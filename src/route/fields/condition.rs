//! When a field is required because of others.

use serde_json::{Map, Value};

/// Conditions on other fields: all of them, or any.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    pub(super) any: bool,
    pub(super) conditions: Vec<Condition>,
}

impl When {
    /// All of them must hold.
    #[must_use]
    pub fn all(conditions: impl IntoIterator<Item = Condition>) -> Self {
        When { any: false, conditions: conditions.into_iter().collect() }
    }

    /// One of them is enough.
    #[must_use]
    pub fn any(conditions: impl IntoIterator<Item = Condition>) -> Self {
        When { any: true, conditions: conditions.into_iter().collect() }
    }

    /// Whether they hold in `scope`.
    pub(super) fn holds(&self, scope: &Map<String, Value>) -> bool {
        let mut conditions = self.conditions.iter();
        let holds = |condition: &Condition| condition.holds(scope);
        if self.any { conditions.any(holds) } else { conditions.all(holds) }
    }
}

impl From<Condition> for When {
    fn from(condition: Condition) -> Self {
        When::all([condition])
    }
}

/// A condition on another field. It is named from the action's top, its members as `parent.child`; within the objects of a
/// list, from the object.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub(super) field: String,
    pub(super) test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Is(Value),
    IsNot(Value),
    Absent,
    Present,
}

impl Condition {
    /// The field is there, and is `value`.
    #[must_use]
    pub fn is(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Condition { field: field.into(), test: Test::Is(value.into()) }
    }

    /// The field is there, and is something else.
    #[must_use]
    pub fn is_not(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Condition { field: field.into(), test: Test::IsNot(value.into()) }
    }

    /// The field is not there, or is `null`.
    #[must_use]
    pub fn absent(field: impl Into<String>) -> Self {
        Condition { field: field.into(), test: Test::Absent }
    }

    /// The field is there, and is not `null`.
    #[must_use]
    pub fn present(field: impl Into<String>) -> Self {
        Condition { field: field.into(), test: Test::Present }
    }

    fn holds(&self, scope: &Map<String, Value>) -> bool {
        let found = find(scope, &self.field);
        match &self.test {
            Test::Is(value) => found.is_some_and(|found| same(found, value)),
            Test::IsNot(value) => found.is_some_and(|found| !same(found, value)),
            Test::Absent => found.is_none_or(Value::is_null),
            Test::Present => found.is_some_and(|found| !found.is_null()),
        }
    }
}

/// What stands at `path`, member by member. A key with a dot in it is found before one within another.
pub(super) fn find<'a>(scope: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = scope.get(path) {
        return Some(found);
    }
    let mut keys = path.split('.');
    let first = scope.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.as_object()?.get(key))
}

/// Whether two values are the same; 1 and 1.0 are.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}
