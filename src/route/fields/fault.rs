//! What was wrong, for the reader of a log and for the one who must put it right.

use std::fmt;

/// A value that does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field: `email`, `userInfo.lastName`, `externalIds[0]`.
    pub place: String,
    /// What is wrong, in the words of the reference implementation.
    pub message: String,
    /// What to do about it: a sentence.
    pub remedy: String,
}

impl Fault {
    pub(super) fn new(place: String, message: &str, remedy: String) -> Self {
        Fault { place, message: capitalized(message), remedy }
    }

    /// The field and what to do: ``Field `email`: …``.
    #[must_use]
    pub fn advice(&self) -> String {
        format!("Field `{}`: {}", self.place, self.remedy)
    }
}

/// Messages begin with a capital, also where a label does not.
fn capitalized(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// All that was wrong. It prints as the messages, parted by blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    faults: Vec<Fault>,
    unsaid: usize,
}

/// So many faults are told of one payload. A hostile list has as many as it has items, and each delivery keeps its own.
pub(super) const MOST: usize = 100;

impl Faults {
    /// Keeps the first [`MOST`] and counts the others; nothing when there are none.
    pub(super) fn of(mut faults: Vec<Fault>, unsaid: usize) -> Option<Self> {
        let unsaid = faults.len().saturating_sub(MOST).saturating_add(unsaid);
        faults.truncate(MOST);
        if faults.is_empty() { None } else { Some(Faults { faults, unsaid }) }
    }

    /// One after another.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.faults.iter()
    }

    /// The fields and what to do, parted by blanks. What is to be done twice is said once.
    #[must_use]
    pub fn advice(&self) -> String {
        let mut said: Vec<String> = Vec::new();
        for advice in self.faults.iter().map(Fault::advice) {
            if !said.contains(&advice) {
                said.push(advice);
            }
        }
        said.join(" ")
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{}", fault.message)?;
        }
        if self.unsaid > 0 {
            write!(f, " There are {} more faults.", self.unsaid)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
