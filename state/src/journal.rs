//! The journal: a snapshot and the inputs since. Folding it through `step` gives the stored state (S15).

use alloc::collections::VecDeque;

use crate::credential::{Credential, CredentialInput};
use crate::delivery::{Delivery, Input};
use crate::time::Time;
use crate::verdict::{Load, Verdict};

/// What a machine was, and what happened to it since.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Journal<S, I> {
    snapshot: S,
    entries: VecDeque<Entry<I>>,
}

/// One input, when it happened, and how many like it came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry<I> {
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub input: I,
    /// How many times the same had happened right before, and was left out.
    pub repeats: u32,
}

/// The journal of a delivery.
pub type DeliveryJournal = Journal<Delivery, Input>;

/// The journal of a credential.
pub type CredentialJournal = Journal<Credential, CredentialInput>;

/// How many inputs a journal keeps; older ones are folded into its snapshot.
pub const KEPT: usize = 64;

impl<S: Copy, I: Copy> Journal<S, I> {
    /// An empty journal that starts at `snapshot`.
    #[must_use]
    pub const fn new(snapshot: S) -> Self {
        Journal { snapshot, entries: VecDeque::new() }
    }

    /// The inputs that are kept, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<I>> {
        self.entries.iter()
    }

    /// What the machine was before the oldest input that is kept.
    #[must_use]
    pub const fn snapshot(&self) -> S {
        self.snapshot
    }

    fn fold_with(&self, step: impl Fn(S, I, Time) -> S) -> S {
        self.entries.iter().fold(self.snapshot, |state, entry| step(state, entry.input, entry.at))
    }

    fn push(&mut self, at: Time, input: I) {
        self.entries.push_back(Entry { at, input, repeats: 0 });
    }

    fn keep_with(&mut self, kept: usize, step: impl Fn(S, I, Time) -> S) {
        while self.entries.len() > kept {
            if let Some(oldest) = self.entries.pop_front() {
                self.snapshot = step(self.snapshot, oldest.input, oldest.at);
            }
        }
    }
}

impl DeliveryJournal {
    /// Steps `before` and keeps the input, if it changed anything: merged with the same wait before it, and with the last
    /// `kept` at most.
    #[must_use]
    pub fn apply(&mut self, before: Delivery, input: Input, at: Time, kept: usize) -> Delivery {
        let after = before.step(input, at);
        if after != before {
            self.push(at, input);
            self.merge_waits();
            self.keep_with(kept, Delivery::step);
        }
        after
    }

    /// Folds all but the last `kept` inputs into the snapshot.
    pub fn trim(&mut self, kept: usize) {
        self.keep_with(kept, Delivery::step);
    }

    /// The delivery that it tells of.
    #[must_use]
    pub fn fold(&self) -> Delivery {
        self.fold_with(Delivery::step)
    }

    /// When it ends in the same wait twice (admitted, told to wait, admitted, told to wait), leaves the first out.
    ///
    /// The fold stays the same. A wait changes nothing but the attempt and the state, and both are set anew by the pair
    /// that stays: its `Admitted` names its attempt, which is beyond the ones left out, and found the delivery admissible
    /// after the first wait, so also before it, when it had been admissible already.
    fn merge_waits(&mut self) {
        let Some(start) = self.entries.len().checked_sub(4) else { return };
        let tail = |offset: usize| self.entries.get(start.saturating_add(offset)).copied();
        let (Some(a), Some(b), Some(c), Some(mut d)) = (tail(0), tail(1), tail(2), tail(3)) else { return };
        if is_admission_with_same_token(a.input, c.input) && is_same_wait(b.input, d.input) {
            self.entries.truncate(start);
            d.repeats = b.repeats.saturating_add(d.repeats).saturating_add(1);
            self.entries.extend([c, d]);
        }
    }
}

impl CredentialJournal {
    /// Steps `before` and keeps the input, if it changed anything, with the last `kept` at most.
    #[must_use]
    pub fn apply(&mut self, before: Credential, input: CredentialInput, at: Time, kept: usize) -> Credential {
        let after = before.step(input, at);
        if after != before {
            self.push(at, input);
            self.keep_with(kept, Credential::step);
        }
        after
    }

    /// Folds all but the last `kept` inputs into the snapshot.
    pub fn trim(&mut self, kept: usize) {
        self.keep_with(kept, Credential::step);
    }

    /// The credential that it tells of.
    #[must_use]
    pub fn fold(&self) -> Credential {
        self.fold_with(Credential::step)
    }
}

fn is_admission_with_same_token(a: Input, b: Input) -> bool {
    matches!((a, b), (Input::Admitted { epoch: a, .. }, Input::Admitted { epoch: b, .. }) if a == b)
}

/// Both are waits that spend nothing, of one kind.
fn is_same_wait(a: Input, b: Input) -> bool {
    let (Input::Answered { verdict: a, .. }, Input::Answered { verdict: b, .. }) = (a, b) else { return false };
    matches!(
        (a, b),
        (Verdict::TokenRefused, Verdict::TokenRefused)
            | (Verdict::NotYet { .. }, Verdict::NotYet { .. })
            | (Verdict::Busy { load: Load::Throttled, .. }, Verdict::Busy { load: Load::Throttled, .. })
    )
}
