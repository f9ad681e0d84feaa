//! JSON from outside: when it does not fit, say which member.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A member that does not fit, by its path (`rules[2].when.nth`), and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}")]
pub struct FieldError {
    field: String,
    problem: String,
}

impl FieldError {
    /// An error about the member at this path.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// The member's path.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The same error about a member of `parent`.
    pub(super) fn under(self, parent: &str) -> Self {
        Self { field: join(parent, &self.field), problem: self.problem }
    }
}

/// Reads a value; an error names the member at fault.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, FieldError> {
    serde_json::from_value(value.clone()).map_err(|error| {
        let complaint = |tried: &Value| serde_json::from_value::<T>(tried.clone()).err().map(|e| e.to_string());
        let field = Some(blame(value, &complaint)).filter(|path| !path.is_empty()).unwrap_or_else(|| "body".into());
        FieldError { field, problem: error.to_string() }
    })
}

/// `current` with the members of the object `change` replaced.
pub(super) fn merged<T: Serialize + DeserializeOwned>(current: &T, change: &Value) -> Result<T, FieldError> {
    let Value::Object(change) = change else {
        return Err(FieldError::new("body", "must be a JSON object"));
    };
    let mut whole = serde_json::to_value(current).map_err(|error| FieldError::new("body", error.to_string()))?;
    for (name, value) in change {
        let Some(member) = whole.get_mut(name) else {
            return Err(FieldError::new(name, "there is no such member"));
        };
        *member = value.clone();
    }
    read(&whole)
}

// serde does not say where it was when a value did not fit. A member is at fault if leaving it out changes the complaint; the
// search then goes on inside it. A missing member is its parent's fault, and serde's own text names it.
fn blame(value: &Value, complaint: &dyn Fn(&Value) -> Option<String>) -> String {
    let original = complaint(value);
    let without: Vec<(String, Value, Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let mut rest = members.clone();
                rest.remove(name);
                (name.clone(), member.clone(), Value::Object(rest))
            })
            .collect(),
        Value::Array(items) => (0_usize..)
            .zip(items)
            .map(|(index, item)| {
                let rest = items.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, v)| v.clone()).collect();
                (format!("[{index}]"), item.clone(), Value::Array(rest))
            })
            .collect(),
        _ => return String::new(),
    };
    // Leaving out the tag of an enum changes the complaint too, so a member without which all is well goes first.
    let fits = |(_, _, rest): &&(String, Value, Value)| complaint(rest).is_none();
    let differs = |(_, _, rest): &&(String, Value, Value)| complaint(rest) != original;
    let found = without.iter().find(fits).or_else(|| without.iter().rev().find(differs));
    found.map_or_else(String::new, |(name, member, _)| {
        let inside = |tried: &Value| complaint(&placed(value, name, tried));
        join(name, &blame(member, &inside))
    })
}

fn placed(value: &Value, name: &str, member: &Value) -> Value {
    let mut whole = value.clone();
    let index = name.trim_matches(['[', ']']).parse::<usize>().ok();
    let place = match (&mut whole, index) {
        (Value::Array(items), Some(index)) => items.get_mut(index),
        (Value::Object(members), _) => members.get_mut(name),
        _ => None,
    };
    if let Some(place) = place {
        *place = member.clone();
    }
    whole
}

fn join(parent: &str, child: &str) -> String {
    match (parent, child) {
        ("", path) | (path, "") => path.to_owned(),
        (parent, child) if child.starts_with('[') => format!("{parent}{child}"),
        (parent, child) => format!("{parent}.{child}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::{Options, Switches};
    use super::*;
    use serde_json::json;

    fn fault(value: &Value) -> String {
        Options::from_json(value).err().expect("it does not fit").to_string()
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        assert!(fault(&json!({"seed": "x"})).starts_with("`seed`: invalid type"));
        assert!(
            fault(&json!({"switches": {"api_latency_ms": {"min_ms": 1, "max_ms": true}}}))
                .starts_with("`switches.api_latency_ms.max_ms`")
        );
        let rules = json!({"faults": [{"action": "hang"}, {"when": {"nth": -1}, "action": "hang"}]});
        assert!(fault(&rules).starts_with("`faults[1].when.nth`"), "{}", fault(&rules));
    }

    #[test]
    fn an_unknown_or_missing_member_is_named() {
        assert!(fault(&json!({"sed": 1})).contains("sed"));
        assert!(fault(&json!({"faults": [{"when": {}}]})).contains("missing field `action`"));
    }

    #[test]
    fn a_change_replaces_members_and_is_checked() {
        let start = Switches::default();
        let changed = start.changed(&json!({"nodes": ["a", "b"], "visibility": {"fixed": {"b": null}}})).expect("fits");
        assert_eq!(changed.nodes, ["a", "b"]);
        let field = |change: &Value| start.changed(change).expect_err("does not fit").field().to_owned();
        assert_eq!(field(&json!({"nods": []})), "nods");
        assert_eq!(field(&json!({"nodes": 4})), "nodes");
        assert_eq!(field(&json!({"nodes": []})), "nodes");
        assert_eq!(field(&json!({"never_visible_on": ["n9"]})), "never_visible_on");
        assert_eq!(field(&json!({"visibility": {"uniform": {"min_ms": 9, "max_ms": 1}}})), "visibility.uniform");
        assert_eq!(field(&json!({"not_visible_code": {"65601": 0}})), "not_visible_code");
        assert_eq!(field(&json!([])), "body");
    }
}
