//! What is asked of a provider beside delivering: a list to choose from, a rule to make, whether a credential works. As pure
//! as a destination: requests out, answers in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::{Exchange, Request};

/// A conversation that ends with a value.
pub trait Operation: Send + Sync {
    /// The next request, given the answers so far; or how it ended. It asks for the same requests when it is given the same
    /// answers. Unlike a destination it also sees the answers that refuse the token.
    fn step(&self, so_far: &[Exchange]) -> Step;
}

/// What an operation wants next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send this and come back with the answer.
    Ask(Request),
    /// It is over.
    Done(Value),
    /// It is over, and did not come to what was asked for.
    Failed(Trouble),
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// A code that stays the same.
    pub code: String,
    /// What happened, and what to do about it. No secrets.
    pub message: String,
    /// What was reached all the same, such as a rule that was made before the step that failed; null for nothing.
    pub reached: Value,
}

impl Trouble {
    /// There is no operation of this name.
    pub(crate) fn no_operation(name: &str) -> Self {
        let message = format!("this destination has no operation {name}");
        Trouble { code: "NO_SUCH_OPERATION".to_owned(), message, reached: Value::Null }
    }
}
