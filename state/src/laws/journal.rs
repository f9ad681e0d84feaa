//! S15: a journal folds to the state that it tells of.

use super::Law;
use super::broken::hold;
use super::sequence::{fitted, fitted_credential};
use crate::credential::{Credential, CredentialInput};
use crate::delivery::{Delivery, Input};
use crate::journal::Journal;
use crate::time::{Span, Time};

/// S15: whatever happens to a delivery, its journal of the last `kept` inputs, waits merged, folds to what it became; and
/// holds no more than `kept`.
///
/// # Errors
/// When it folds to something else.
pub fn journal_folds(start: Delivery, happened: &[(Span, Input)], kept: usize) -> Law {
    let mut journal = Journal::new(start);
    let (mut delivery, mut now) = (start, Time::ZERO);
    for (gap, input) in happened {
        now = now.after(*gap);
        let input = fitted(*input, &delivery);
        let after = journal.apply(delivery, input, now, kept);
        hold(after == delivery.step(input, now), "S15 Replay", || {
            alloc::format!("{input:?} was journalled unlike it was")
        })?;
        delivery = after;
        let folded = journal.fold();
        hold(folded == delivery && journal.entries().count() <= kept, "S15 Replay", || {
            alloc::format!("{journal:?}\nfolds to {folded:?}\nand not to {delivery:?}")
        })?;
    }
    Ok(())
}

/// S15: whatever happens to a credential, its journal of the last `kept` inputs folds to what it became.
///
/// # Errors
/// When it folds to something else.
pub fn credential_journal_folds(start: Credential, happened: &[(Span, CredentialInput)], kept: usize) -> Law {
    let mut journal = Journal::new(start);
    let (mut credential, mut now) = (start, Time::ZERO);
    for (gap, input) in happened {
        now = now.after(*gap);
        let input = fitted_credential(*input, &credential);
        credential = journal.apply(credential, input, now, kept);
        let folded = journal.fold();
        hold(folded == credential && journal.entries().count() <= kept, "S15 Replay", || {
            alloc::format!("{journal:?}\nfolds to {folded:?}\nand not to {credential:?}")
        })?;
    }
    Ok(())
}
