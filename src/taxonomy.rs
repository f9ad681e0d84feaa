//! Why something was not delivered: every reason with a code that stays the same, what it means, who must act, and whether
//! it is sent again. Data, and the page `docs/ERRORS.md` made of it.

mod codes;
mod phrases;
mod render;
mod statuses;
#[cfg(test)]
mod tests;

use outlast_state::{Reason, Why};

pub use codes::{
    BATCH_SPLIT, BUDGET_EXHAUSTED, CODES, CREDENTIAL_DEAD, DELIVERY_CANCELLED, DELIVERY_EXPIRED, DESTINATION_BUG,
    DESTINATION_FAILING, DESTINATION_THROTTLED, DESTINATION_UNKNOWN, ENGINE_BUG, ENGINE_BUSY, EVENT_NOT_AN_OBJECT,
    EVENT_NOT_JSON, EVENT_NOT_UTF8, EVENT_TOO_DEEP, EVENT_TOO_LARGE, EVENT_TOO_OLD, IDENTIFIER_MISSING, IN_DOUBT,
    INVALID_AUDIENCE_MEMBERSHIP, INVALID_SETTINGS, KEY_CONFLICT, LIQUID_FAILED, MAPPING_FAILED, MAPPING_INVALID,
    NOT_SUBSCRIBED, OAUTH_REFRESH_FAILED, OUTCOME_UNKNOWN, PARCEL_INVALID, PAYLOAD_VALIDATION_FAILED, RECORD_DAMAGED,
    REJECTED, REQUEST_FORBIDDEN, REQUEST_NOT_SENT, RESOURCE_NOT_READY, RESULT_MISSING, ROUTE_UNKNOWN, TOKEN_REFUSED,
    TOKEN_SEALED, UNKNOWN_ERROR,
};
pub use phrases::{PHRASES, rejection_code, status_code};
pub use render::render;
pub use statuses::{LONGEST_RETRY_AFTER, Meaning, Reading, STATUSES, Sent, StatusRow, advice, read, verdict};

/// A reason why something was not delivered, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name, which stays the same.
    pub name: &'static str,
    /// What happened.
    pub meaning: &'static str,
    /// Who must act.
    pub who: Who,
    /// What becomes of the delivery.
    pub fate: Fate,
    /// What they do.
    pub remedy: &'static str,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Who sends events.
    Caller,
    /// Who configures and watches the engine.
    Operator,
    /// Whose API it is. Nobody on this side has to do anything, unless it lasts.
    Provider,
    /// Who wrote the engine, or the destination.
    Outlast,
}

/// What becomes of a delivery for a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// There is none: it was refused at the door, and nothing is stored.
    Refused,
    /// It has failed and stays so; it can be redriven when the cause is mended.
    Failed,
    /// It is sent again after its backoff, and the attempt counts against the budget.
    Spends,
    /// It waits and is sent again, and the budget is not touched.
    Waits,
    /// The batch that it was in is sent again in halves, and the budget is not touched.
    Halved,
}

/// The code with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.name == name)
}

/// The code of a delivery that was given up for this reason. A destination that refuses may have said a closer one, which then
/// stands in the delivery's record.
#[must_use]
pub fn code_of(reason: &Reason) -> &'static str {
    match reason {
        Reason::Refused { why: Why::Invalid } => PAYLOAD_VALIDATION_FAILED,
        Reason::Refused { why: Why::Rejected { status } } => rejection_code(*status),
        Reason::Exhausted => BUDGET_EXHAUSTED,
        Reason::Expired => DELIVERY_EXPIRED,
        Reason::Cancelled => DELIVERY_CANCELLED,
        Reason::CredentialDead => CREDENTIAL_DEAD,
        Reason::InDoubt => IN_DOUBT,
    }
}
