//! Asking a provider something beside delivering, with a destination's credential.

use outlast_state::Span;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Engine;
use crate::destination::{Operation, Step, Trouble};
use crate::driver::conversation::token_of;
use crate::driver::{Carried, Look};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::http::Bearer;
use crate::secret::Secret;

/// An operation that asks more than this goes round in circles.
const LONGEST: usize = 64;

/// Each of its requests is answered within this.
const REQUEST: Span = Span::from_secs(30);

impl Engine {
    /// Performs an operation of a destination: a list to choose from, a rule to make, a test of its credential. Its requests
    /// carry the token that deliveries carry now. Nothing is stored, and nothing is tried again.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown) when there is no such destination,
    /// [`ErrorKind::Busy`](crate::ErrorKind::Busy) when there is no token that works just now. What the operation itself came
    /// to stands within: its value, or why it has none.
    pub async fn perform(
        &self,
        destination: &str,
        name: &str,
        inputs: &Value,
    ) -> Result<Result<Value, Trouble>, Error> {
        let asked = |reply: oneshot::Sender<_>| {
            crate::driver::Ask::Look(Look::Carries { destination: destination.to_owned(), reply })
        };
        let carried = self.ask(asked).await??;
        match carried.spoken_to.destination.operation(name, inputs) {
            Ok(operation) => self.converse(operation.as_ref(), carried).await,
            Err(trouble) => Ok(Err(trouble)),
        }
    }

    async fn converse(&self, operation: &dyn Operation, carried: Carried) -> Result<Result<Value, Trouble>, Error> {
        let Some(world) = self.inner.world.upgrade() else { return Err(self.why_stopped()) };
        let (profile, token) = (carried.spoken_to.profile, carried.token);
        let token = token.map(|(name, epoch)| token_of(world.store.as_ref(), world.vault.as_deref(), &name, epoch));
        let token = token.transpose().map_err(Error::configuration)?;
        let bearer = || {
            let (token, profile) = token.as_ref().zip(profile.as_ref())?;
            Some(Bearer { token, audience: &profile.audience, carrier: &profile.carrier })
        };
        let mut so_far = Vec::new();
        loop {
            let request = match operation.step(&so_far) {
                Step::Done(value) => return Ok(Ok(silent_value(value, token.as_ref()))),
                Step::Failed(trouble) => return Ok(Err(silent(trouble, token.as_ref()))),
                Step::Ask(request) => request,
            };
            if so_far.len() >= LONGEST {
                return Ok(Err(trouble("TOO_MANY_REQUESTS", "it asks without end; this is a bug in the destination")));
            }
            match world.http.send(&request, bearer(), REQUEST, || world.clock.now()).await {
                Ok(answer) => so_far.push(Exchange { request, answer }),
                Err(missing) => return Ok(Err(trouble("NO_ANSWER", &missing.to_string()))),
            }
        }
    }
}

/// What an operation says may quote its answers, and a provider may repeat the token that it was sent (S16).
fn silent(trouble: Trouble, token: Option<&Secret>) -> Trouble {
    let Trouble { code, message, reached } = trouble;
    let message = token.map_or_else(|| message.clone(), |token| token.hidden_in(&message));
    Trouble { code, message, reached: silent_value(reached, token) }
}

/// The same for what it gives. As deep as the reader of JSON goes.
fn silent_value(value: Value, token: Option<&Secret>) -> Value {
    let Some(secret) = token else { return value };
    match value {
        Value::String(text) => Value::String(secret.hidden_in(&text)),
        Value::Array(items) => items.into_iter().map(|item| silent_value(item, token)).collect(),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(key, member)| (key, silent_value(member, token))).collect())
        }
        other => other,
    }
}

fn trouble(code: &str, message: &str) -> Trouble {
    Trouble { code: code.to_owned(), message: message.to_owned(), reached: Value::Null }
}
