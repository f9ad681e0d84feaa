//! Conversions: one event in a request of its own, or many in one.

use std::borrow::Cow;

use outlast_state::{Time, Verdict};
use serde::Serialize;
use serde_json::Value;

use super::answer::{self, CONVERSION};
use super::api::Api;
use super::invalid::Invalid;
use super::payload::{self, Conversion, Terms};
use super::perform;
use super::schema::{ACTIONS, SAVED};
use crate::destination::{Batching, Conclusion, Conversation, Destination, Item, Operation, Trouble, Turn};
use crate::exchange::{Method, Request};
use crate::route::Action;
use crate::route::fields::Empties;
use crate::taxonomy::INVALID_SETTINGS;

/// Streams track events to LinkedIn's Conversions API.
#[derive(Clone, Debug)]
pub struct Conversions {
    /// The number of the rule of what brings none along.
    pub(super) rule: Option<String>,
    pub(super) api: Api,
    pub(super) batching: Batching,
}

/// How conversions travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One, as the whole body.
    Single,
    /// Any number, as the elements of a `BATCH_CREATE`.
    Batch,
}

impl Destination for Conversions {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let drafts: Vec<_> = conversation.items.iter().map(|item| self.draft(item, conversation.began)).collect();
        let sent = drafts.iter().filter(|draft| draft.is_ok()).count();
        let form = self.form(sent);
        match conversation.so_far.last() {
            None if sent > 0 => {
                let elements: Vec<_> = drafts.into_iter().filter_map(Result::ok).collect();
                Turn::Ask(self.request(form, &elements))
            }
            None => Turn::Conclude(self.conclusions(drafts, Vec::new())),
            Some(exchange) => {
                let read = match form {
                    // The reference's reading: the status of the whole holds for each element (Q15).
                    _ if self.api.is_compat() => answer::host(&exchange.answer, sent, &CONVERSION),
                    Form::Batch => answer::each(&exchange.answer, sent, &CONVERSION),
                    Form::Single => answer::alike(&exchange.answer, sent, &CONVERSION),
                };
                Turn::Conclude(self.conclusions(drafts, read))
            }
        }
    }

    fn actions(&self) -> &[Action] {
        ACTIONS.as_slice()
    }

    fn check(&self, item: &Item<'_>, began: Time) -> Result<(), Conclusion> {
        self.draft(item, began).map(|_| ()).map_err(|invalid| invalid.conclude(self.api.is_compat()))
    }

    fn operation(&self, name: &str, inputs: &Value) -> Result<Box<dyn Operation>, Trouble> {
        perform::conversions(self, name, inputs)
    }

    fn batching(&self) -> Batching {
        self.batching
    }

    fn empties(&self) -> Empties {
        match (self.api.is_compat(), self.batching.items) {
            (false, _) => Empties::Blank,
            (true, 1) => Empties::Single,
            (true, _) => Empties::Batch,
        }
    }
}

impl Conversions {
    /// The API that it speaks to, for operations on the same account.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    fn form(&self, sent: usize) -> Form {
        // The reference's host uses the batch call for one event too, once batching is on.
        let batched = if self.api.is_compat() { self.batching.items > 1 } else { sent > 1 };
        if batched { Form::Batch } else { Form::Single }
    }

    fn draft<'a>(&'a self, item: &Item<'a>, began: Time) -> Result<Conversion<'a>, Invalid> {
        let compat = self.api.is_compat();
        let (rule, late) = match self.rule(item) {
            Ok(rule) => (rule, None),
            // The reference looks at a batch's rule first, and at a single event's last.
            Err(invalid) if compat && self.batching.items > 1 => return Err(invalid),
            Err(invalid) => (Cow::Borrowed(""), Some(invalid)),
        };
        // LinkedIn tells repeats by `eventId`. The delivery's name is the same for every attempt.
        let terms = Terms { rule, now: began, compat, fallback_id: (!compat).then_some(item.id) };
        let conversion = payload::conversion(item.payload, terms)?;
        late.map_or(Ok(conversion), Err)
    }

    /// The number of the rule that was made for the route, else of the one that is set. It may be a text (Q21).
    fn rule<'a>(&'a self, item: &Item<'a>) -> Result<Cow<'a, str>, Invalid> {
        let saved = item.saved.get(SAVED).and_then(|saved| saved.pointer("/outputs/id"));
        let saved = match saved {
            Some(Value::String(text)) => Some(Cow::Borrowed(text.trim())),
            Some(Value::Number(number)) => Some(Cow::Owned(number.to_string())),
            _ => None,
        };
        match saved.filter(|id| !id.is_empty()).or(self.rule.as_deref().map(Cow::Borrowed)) {
            Some(id) if self.api.is_compat() || id.bytes().all(|byte| byte.is_ascii_digit()) => Ok(id),
            Some(_) => Err(no_rule("Conversion Rule ID is not a number.")),
            None => Err(no_rule("Conversion Rule ID is required.")),
        }
    }

    fn request(&self, form: Form, elements: &[Conversion<'_>]) -> Request {
        /// The body of a `BATCH_CREATE`.
        #[derive(Serialize)]
        struct Elements<'a> {
            elements: &'a [Conversion<'a>],
        }
        let request = self.api.restli(Method::Post, self.api.address(["conversionEvents"]));
        match form {
            Form::Single => request.json_of(&elements.first()),
            Form::Batch => request.header("x-restli-method", "BATCH_CREATE").json_of(&Elements { elements }),
        }
    }

    /// Puts what the answer says of the sent items between the verdicts on those that were not sent.
    fn conclusions(&self, drafts: Vec<Result<Conversion<'_>, Invalid>>, read: Vec<Conclusion>) -> Vec<Conclusion> {
        let mut read = read.into_iter();
        let unread = || Conclusion::new(Verdict::Unknown, "LinkedIn did not say what became of it.");
        let conclude = |draft: Result<Conversion<'_>, Invalid>| match draft {
            Ok(_) => read.next().unwrap_or_else(unread),
            Err(invalid) => invalid.conclude(self.api.is_compat()),
        };
        drafts.into_iter().map(conclude).collect()
    }
}

fn no_rule(message: &str) -> Invalid {
    let place = format!("{SAVED}.outputs.id");
    Invalid::at(message, &place, "set the destination's rule to its number, or make a rule for the route.")
        .code(INVALID_SETTINGS)
}
