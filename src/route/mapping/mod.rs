//! Mappings: JSON that turns an event into the input of an action. It mixes raw JSON, which is copied, with *directives*:
//! objects with one key that starts with `@`, which are replaced by what they resolve to.
//!
//! A mapping is read once and resolved for any number of events. Both are pure.

mod budget;
mod check;
mod error;
mod flatten;
mod json;
mod liquid;
mod path;
mod paths;
mod replace;
mod root;
mod run;
mod template;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use std::sync::Arc;

use serde_json::Value as Json;

use error::Trouble;
pub use error::{Class, Fault, MappingError, Stage};
use run::Run;
use tree::Node;
use value::{DEPTH, Piece, nests_deeper};

/// So deep may a mapping nest. Its tree nests at most twice as deep (a root directive adds two levels), and what resolves
/// it recurses with the tree.
const DEEPEST: usize = 96;

/// A mapping that passed the static check. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mapping {
    tree: Arc<Node>,
}

impl Mapping {
    /// Reads a mapping.
    ///
    /// # Errors
    /// The mapping is not valid; the error holds everything that is wrong, each with its place and a remedy. Directives
    /// inside arrays, and in objects below `@literal` and `@excludeWhenNull`, are looked at only when they run.
    pub fn new(mapping: &Json) -> Result<Mapping, MappingError> {
        if nests_deeper(mapping, DEEPEST) {
            return Err(too_deep(mapping));
        }
        Ok(Mapping { tree: Arc::new(root::compiled(mapping, "")?) })
    }

    /// Whether `event` is one that mappings can be resolved for.
    ///
    /// # Errors
    /// It is not an object, or it nests deeper than JSON text may.
    pub fn admits(event: &Json) -> Result<(), MappingError> {
        run::admitted(Piece::Json(event)).map_err(|trouble| trouble.at("", ""))?;
        if nests_deeper(event, DEPTH) {
            let message = format!("the event nests more than {DEPTH} levels deep");
            return Err(Trouble::new(message, "send a flatter event").at("", ""));
        }
        Ok(())
    }

    /// What the mapping makes of `event`; nothing when the mapping as a whole is a directive that finds nothing.
    ///
    /// # Errors
    /// A directive cannot be resolved for this event. Trying again does not help.
    pub fn resolve(&self, event: &Json) -> Result<Option<Json>, MappingError> {
        Mapping::admits(event)?;
        let run = Run::new();
        let value = run.transformed(&self.tree, Piece::Json(event), "")?;
        value.into_json(&run.budget).map_err(|trouble| trouble.at("", ""))
    }

    /// The paths of the event that the mapping reads, each once, in order. Within the items of a list they are written
    /// `list[].member`. What a `@transform` reads of its own intermediate result is not of the event.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        paths::read(&self.tree)
    }
}

/// The error for a mapping that nests too deep, with the place where it does.
fn too_deep(mapping: &Json) -> MappingError {
    let (mut at, mut place) = (mapping, String::new());
    for levels in (0..DEEPEST).rev() {
        let deeper = match at {
            Json::Object(members) => {
                members.iter().find(|(_, it)| nests_deeper(it, levels)).map(|(k, it)| (k.clone(), it))
            }
            Json::Array(items) => {
                let mut items = items.iter().enumerate();
                items.find(|(_, it)| nests_deeper(it, levels)).map(|(index, it)| (index.to_string(), it))
            }
            _ => None,
        };
        let Some((step, inner)) = deeper else { break };
        place = check::below(&place, &step);
        at = inner;
    }
    let message = format!("the mapping nests more than {DEEPEST} levels deep");
    let (directive, remedy) = (String::new(), "split it: let a @transform compute the inner parts first".to_owned());
    MappingError::validation(Fault { place, directive, message, remedy })
}
