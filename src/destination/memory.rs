//! What one conversation leaves to the next.

use std::collections::BTreeMap;

use outlast_state::{Span, Time};

/// Something to keep in mind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memo {
    /// What it is about; the destination's own choice, at most 1 KiB.
    pub key: String,
    /// What is known of it, at most 1 KiB; nothing forgets what was known.
    pub value: Option<String>,
    /// For how long.
    pub keep: Span,
}

impl Memo {
    /// Keeps `value` under `key` for so long.
    #[must_use]
    pub fn keep(key: impl Into<String>, value: impl Into<String>, span: Span) -> Self {
        Memo { key: key.into(), value: Some(value.into()), keep: span }
    }

    /// Forgets what was known under `key`.
    #[must_use]
    pub fn forget(key: impl Into<String>) -> Self {
        Memo { key: key.into(), value: None, keep: Span::ZERO }
    }
}

/// What earlier conversations of a destination left, as it was when a conversation began.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a> {
    known: Option<&'a BTreeMap<String, (String, Time)>>,
    now: Time,
}

impl<'a> Memory<'a> {
    /// Nothing.
    pub const EMPTY: Memory<'static> = Memory { known: None, now: Time::ZERO };

    /// What is known, each with the time until which it is, and the time now.
    #[must_use]
    pub fn new(known: &'a BTreeMap<String, (String, Time)>, now: Time) -> Self {
        Memory { known: Some(known), now }
    }

    /// What is known under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let (value, until) = self.known?.get(key)?;
        (*until > self.now).then_some(value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_known_until_its_time_is_over() {
        let known = BTreeMap::from([("segment".to_owned(), ("7788".to_owned(), Time::from_millis(10)))]);
        assert_eq!(Memory::new(&known, Time::from_millis(9)).get("segment"), Some("7788"));
        assert_eq!(Memory::new(&known, Time::from_millis(10)).get("segment"), None);
        assert_eq!(Memory::EMPTY.get("segment"), None);
    }
}
