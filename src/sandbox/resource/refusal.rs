//! Why a call is not answered as it hoped: the API's error envelope before it is one.

use super::super::wire::Answer;
use serde_json::{Value, json};

/// A refusal of a whole call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The call is wrong in itself.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "ILLEGAL_ARGUMENT", message)
    }

    /// What it is about does not exist.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "RESOURCE_NOT_FOUND", message)
    }

    /// The member's role does not allow it.
    pub(super) fn denied(what: &str) -> Self {
        Self::new(403, DENIED, format!("Not enough permissions to access: {what}"))
    }

    /// The same about one entity of several.
    pub(super) fn of_entity(self) -> Value {
        json!({"status": self.status, "code": self.code, "message": self.message})
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message } = refusal;
        // Missing permissions are the one refusal that LinkedIn numbers.
        if code == DENIED {
            Self::service_error(status, 100, code, &message)
        } else {
            Self::error(status, code, message)
        }
    }
}

const DENIED: &str = "ACCESS_DENIED";
