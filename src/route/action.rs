//! What a destination can do with an event.

/// One thing that a destination can do, with the fields that it takes.
#[derive(Clone, Debug)]
pub struct Action {
    /// Its name in configurations.
    pub slug: &'static str,
}
