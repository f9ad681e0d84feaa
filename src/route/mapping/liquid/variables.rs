//! Which paths of the event a template reads.

use std::collections::BTreeSet;

use super::parse::Part;
use super::syntax::{Argument, Filtered, Item, Operand};

/// The paths whose keys are written out; a computed key ends the path. Names that the template itself sets do not count.
pub(super) fn read(parts: &[Part]) -> Vec<String> {
    let mut found = Found::default();
    found.parts(parts);
    let Found { paths, names } = found;
    let own = |path: &String| names.contains(path.split('.').next().unwrap_or_default());
    paths.into_iter().filter(|path| !own(path)).collect()
}

#[derive(Default)]
struct Found {
    paths: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Found {
    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Text(_) | Part::Stop => {}
                Part::Output(value) => self.filtered(value),
                Part::Assign(name, value) => {
                    self.names.insert(name.clone());
                    self.filtered(value);
                }
                Part::Capture(name, parts) => {
                    self.names.insert(name.clone());
                    self.parts(parts);
                }
                Part::Choice(branches, otherwise) => {
                    for branch in branches {
                        self.filtered(&branch.condition);
                        self.parts(&branch.parts);
                    }
                    self.parts(otherwise);
                }
                Part::Count(name, _) => {
                    self.names.insert(name.clone());
                }
                Part::Cycle(group, candidates) => group.iter().chain(candidates).for_each(|it| self.operand(it)),
                Part::Block(parts) | Part::Group(parts) => self.parts(parts),
            }
        }
    }

    fn filtered(&mut self, value: &Filtered) {
        for item in &value.postfix {
            if let Item::Operand(operand) = item {
                self.operand(operand);
            }
        }
        for argument in value.filters.iter().flat_map(|filter| &filter.arguments) {
            match argument {
                Argument::Plain(operand) | Argument::Named(_, Some(operand)) => self.operand(operand),
                Argument::Named(_, None) => {}
            }
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Text(_) | Operand::Number(_) | Operand::Literal(_) => {}
            Operand::Range(low, high) => {
                self.operand(low);
                self.operand(high);
            }
            Operand::Path(root, keys) => {
                let written = keys.iter().map_while(|key| match key {
                    Operand::Text(key) => Some(key.clone()),
                    Operand::Number(index) => Some(index.to_string()),
                    _ => None,
                });
                let path = written.collect::<Vec<_>>().join(".");
                for key in keys {
                    self.operand(key);
                }
                match root {
                    Some(root) => self.operand(root),
                    None if path.is_empty() => {}
                    None => {
                        self.paths.insert(path);
                    }
                }
            }
        }
    }
}
