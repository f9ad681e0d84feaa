//! Where a value stands.

use std::fmt::Write as _;

/// A row of members and items. It becomes text only when there is something to say about it. It is as long as the schema
/// is deep, whatever the payload.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// `userInfo.lastName`, `externalIds[0]`; nothing for the root.
    pub(super) fn dotted(&self) -> String {
        match self {
            Place::Root => String::new(),
            Place::Member(Place::Root, key) => (*key).to_owned(),
            Place::Member(parent, key) => format!("{}.{key}", parent.dotted()),
            Place::Item(parent, index) => format!("{}[{index}]", parent.dotted()),
        }
    }

    /// The JSON pointer (RFC 6901), with which the reference implementation names what has no label.
    pub(super) fn pointer(&self) -> String {
        match self {
            Place::Root => String::new(),
            Place::Member(parent, key) => {
                format!("{}/{}", parent.pointer(), key.replace('~', "~0").replace('/', "~1"))
            }
            Place::Item(parent, index) => {
                let mut pointer = parent.pointer();
                // Writing to a text cannot fail.
                let _ = write!(pointer, "/{index}");
                pointer
            }
        }
    }

    /// The name in a message of what stands here: its label if it has one.
    pub(super) fn name(&self, label: Option<&str>) -> String {
        match (label, self) {
            (Some(label), _) if !label.is_empty() => label.to_owned(),
            (_, Place::Root) => "The root value".to_owned(),
            _ => format!("The value at {}", self.pointer()),
        }
    }
}
