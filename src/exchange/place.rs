//! Writing at a pointer (RFC 6901), for answers that are made up.

use serde_json::{Map, Value};

/// No pointer makes a longer list than this.
const LONGEST_LIST: usize = 64;

/// Writes at a pointer, making what is missing: a number names a place in a list where there is nothing yet. Where something
/// else stands in the way, nothing is written.
pub(crate) fn put(root: &mut Value, pointer: &str, value: Value) {
    let mut place = root;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let index = name.parse::<usize>().ok().filter(|index| *index < LONGEST_LIST);
        if place.is_null() {
            *place = if index.is_some() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        }
        place = match (place, index) {
            (Value::Array(items), Some(index)) => {
                if items.len() <= index {
                    items.resize(index.saturating_add(1), Value::Null);
                }
                let Some(place) = items.get_mut(index) else { return };
                place
            }
            (Value::Object(members), _) => members.entry(name).or_insert(Value::Null),
            _ => return,
        };
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_made_and_what_stands_in_the_way_stays() {
        for (before, pointer, after) in [
            (Value::Null, "/code", json!({"code": 1})),
            (Value::Null, "/error/details/1/reason", json!({"error": {"details": [null, {"reason": 1}]}})),
            (json!({"0": "a"}), "/0", json!({"0": 1})),
            (json!({"a": "text"}), "/a/b", json!({"a": "text"})),
            (json!({"a~b/c": 0}), "/a~0b~1c", json!({"a~b/c": 1})),
            (Value::Null, "/99999999", json!({"99999999": 1})),
            (Value::Null, "", json!(1)),
        ] {
            let mut value = before;
            put(&mut value, pointer, json!(1));
            assert_eq!(value, after, "{pointer}");
        }
    }
}
