//! S15: a journal folds to the state that it tells of.

use super::Law;
use super::broken::hold;
use super::sequence::{fitted, fitted_credential};
use crate::credential::{Credential, CredentialInput};
use crate::delivery::{Delivery, Input};
use crate::journal::Journal;
use crate::time::{Span, Time};

/// S15: whatever happens to a delivery, its journal of the last `kept` inputs, waits merged, folds to what it became. It
/// holds `kept` at most, and no fewer than it may; trimmed to half of that it tells the same.
///
/// # Errors
/// When it folds to something else, or holds other than that.
pub fn journal_folds(start: Delivery, happened: &[(Span, Input)], kept: usize) -> Law {
    let mut journal = Journal::new(start);
    let (mut delivery, mut now) = (start, Time::ZERO);
    for (gap, input) in happened {
        now = now.after(*gap);
        let input = fitted(*input, &delivery);
        let held = journal.entries().count();
        let after = journal.apply(delivery, input, now, kept);
        hold(after == delivery.step(input, now), "S15 Replay", || {
            alloc::format!("{input:?} was journalled unlike it was")
        })?;
        // The two entries of a wait take the place of the two of the same wait before it.
        let merged = journal.entries().last().is_some_and(|last| last.repeats > 0) && held >= 3;
        let holds = journal.entries().count();
        let full = holds == expected(held, after != delivery, kept) || (merged && holds == held.saturating_sub(1));
        delivery = after;
        let folded = journal.fold();
        hold(folded == delivery && full, "S15 Replay", || {
            alloc::format!("{journal:?}\nfolds to {folded:?}\nand not to {delivery:?}; it held {held} before")
        })?;
    }
    let (held, half) = (journal.entries().count(), kept.div_euclid(2));
    journal.trim(half);
    hold(journal.fold() == delivery && journal.entries().count() == held.min(half), "S15 Replay", || {
        alloc::format!("trimmed to {half}, {journal:?}\ndoes not tell of {delivery:?}")
    })
}

/// How many inputs are held after one more: what changed nothing is not kept.
fn expected(held: usize, changed: bool, kept: usize) -> usize {
    if changed { held.saturating_add(1).min(kept) } else { held }
}

/// S15: whatever happens to a credential, its journal of the last `kept` inputs folds to what it became. It holds `kept` at
/// most, and no fewer than it may; trimmed to half of that it tells the same.
///
/// # Errors
/// When it folds to something else, or holds other than that.
pub fn credential_journal_folds(start: Credential, happened: &[(Span, CredentialInput)], kept: usize) -> Law {
    let mut journal = Journal::new(start);
    let (mut credential, mut now) = (start, Time::ZERO);
    for (gap, input) in happened {
        now = now.after(*gap);
        let input = fitted_credential(*input, &credential);
        let held = journal.entries().count();
        let after = journal.apply(credential, input, now, kept);
        let full = journal.entries().count() == expected(held, after != credential, kept);
        credential = after;
        let folded = journal.fold();
        hold(folded == credential && full, "S15 Replay", || {
            alloc::format!("{journal:?}\nfolds to {folded:?}\nand not to {credential:?}; it held {held} before")
        })?;
    }
    let (held, half) = (journal.entries().count(), kept.div_euclid(2));
    journal.trim(half);
    hold(journal.fold() == credential && journal.entries().count() == held.min(half), "S15 Replay", || {
        alloc::format!("trimmed to {half}, {journal:?}\ndoes not tell of {credential:?}")
    })
}
