//! Why an item cannot be sent at all.

use outlast_state::{Verdict, Why};

use crate::destination::Conclusion;
use crate::taxonomy::PAYLOAD_VALIDATION_FAILED;

/// Why an item cannot be sent: nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    /// The reference's message.
    pub(super) message: String,
    /// The field, and what to do.
    pub(super) advice: String,
    /// Its code in the table of errors.
    pub(super) code: &'static str,
}

impl Invalid {
    /// Something about the field at `place`.
    pub(super) fn at(message: impl Into<String>, place: &str, remedy: &str) -> Self {
        let advice = format!("Field `{place}`: {remedy}");
        Invalid { message: message.into(), advice, code: PAYLOAD_VALIDATION_FAILED }
    }

    /// The same under another code.
    pub(super) fn code(self, code: &'static str) -> Self {
        Invalid { code, ..self }
    }

    /// The refusal. In `compat` it is the reference's message alone.
    pub(super) fn conclude(self, compat: bool) -> Conclusion {
        let Invalid { message, advice, code } = self;
        let detail = if compat { message } else { format!("{message} {advice}") };
        Conclusion::new(Verdict::Refused { why: Why::Invalid }, detail).code(code)
    }
}
