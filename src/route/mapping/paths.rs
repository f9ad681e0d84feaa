//! Which parts of an event a mapping reads: for people who look at it before it runs.

use std::collections::BTreeSet;

use super::path::Path;
use super::tree::{Act, Node, Source, Test};

/// The paths that a tree reads.
pub(super) fn read(node: &Node) -> Vec<String> {
    let mut found = BTreeSet::new();
    collect(node, "", &mut found);
    found.into_iter().collect()
}

/// Collects what `node` reads; `within` is where its payload is in the event.
fn collect(node: &Node, within: &str, found: &mut BTreeSet<String>) {
    let directive = match node {
        Node::Raw(_) => return,
        Node::Array(items) => return items.iter().for_each(|item| collect(item, within, found)),
        Node::Object(members) => return members.iter().for_each(|(_, member)| collect(member, within, found)),
        Node::Directive(directive) => directive,
    };
    let mut each = |nodes: &[Option<&Node>]| nodes.iter().flatten().for_each(|node| collect(node, within, found));
    match &directive.act {
        Act::Wrong(_) => {}
        Act::Path(Source::Computed(node)) | Act::Template(Source::Computed(node)) => each(&[Some(node)]),
        Act::Path(Source::Fixed(path)) => add(path, within, found),
        Act::Template(Source::Fixed(template)) => template.paths().iter().for_each(|path| add(path, within, found)),
        Act::Literal(node) | Act::ExcludeWhenNull(node) => each(&[Some(node)]),
        Act::Encode(node) | Act::Decode(node) | Act::NoMode(node) => each(&[Some(node)]),
        Act::If(condition) => {
            let (Test::Exists(test) | Test::Filled(test)) = &condition.test;
            each(&[Some(test), condition.then.as_ref(), condition.otherwise.as_ref()]);
        }
        Act::Case { value, .. } | Act::Replace { value, .. } | Act::Flatten { value, .. } => each(&[value.as_ref()]),
        Act::ArrayPath { root, shape } => {
            let items = match root {
                Source::Fixed(path) => {
                    add(path, within, found);
                    Some(joined(within, &path.written()))
                }
                Source::Computed(node) => {
                    collect(node, within, found);
                    place_of(node, within)
                }
            };
            // What a shape reads of items that are not of the event is not of the event either.
            if let (Some(shape), Some(items)) = (shape, items) {
                collect(shape, &format!("{items}[]"), found);
            }
        }
        Act::Merge { objects, .. } => objects.iter().for_each(|object| collect(object, within, found)),
        Act::Transform { apply, .. } => {
            if let Ok(apply) = apply.as_ref() {
                collect(apply, within, found);
            }
        }
        Act::Liquid(template) => template.paths().iter().for_each(|path| {
            found.insert(joined(within, path));
        }),
    }
}

/// Where in the event the value of a node is, when it is a plain path.
fn place_of(node: &Node, within: &str) -> Option<String> {
    match node {
        Node::Directive(directive) => match &directive.act {
            Act::Path(Source::Fixed(path)) => Some(joined(within, &path.written())),
            _ => None,
        },
        _ => None,
    }
}

fn add(path: &Path, within: &str, found: &mut BTreeSet<String>) {
    found.insert(joined(within, &path.written()));
}

/// A path below a place; the whole event is written `.`.
fn joined(within: &str, path: &str) -> String {
    match (within, path) {
        ("", "") => ".".to_owned(),
        ("", path) => path.to_owned(),
        (within, "") => within.to_owned(),
        (within, path) => format!("{within}.{path}"),
    }
}
