//! Pointers into JSON (RFC 6901): reading one, and writing at one.

use serde_json::{Map, Value};

use crate::destination::SettingError;

/// A value may lie so deep. What is written at a pointer is as deep as it is long, and is taken down recursively.
const DEEPEST: usize = 32;

/// Refuses a pointer that is none, in the setting of this name.
pub(super) fn check(setting: &str, pointer: &str) -> Result<(), SettingError> {
    const REMEDY: &str = "Write a JSON pointer such as /error/code, or leave it out.";
    let fault = |problem: &str| Err(SettingError::new(setting, problem, REMEDY));
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return fault("A pointer begins with a slash.");
    }
    let escapes = pointer.split('~').skip(1);
    if escapes.into_iter().any(|after| !after.starts_with(['0', '1'])) {
        return fault("`~` in a pointer is written ~0, and a slash in a name ~1.");
    }
    if pointer.matches('/').count() > DEEPEST {
        return fault("It leads more than 32 deep.");
    }
    Ok(())
}

/// Writes `value` at `pointer`, making objects on the way where there is nothing.
///
/// # Errors
/// The way leads through something that is no object.
pub(super) fn put(root: &mut Value, pointer: &str, value: Value) -> Result<(), Blocked> {
    let mut place = root;
    for name in pointer.split('/').skip(1) {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else { return Err(Blocked) };
        let name = name.replace("~1", "/").replace("~0", "~");
        place = members.entry(name).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

/// The way to a place leads through something that is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocked;
