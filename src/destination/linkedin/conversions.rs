//! Conversions: one event in a request of its own, or many in one.

use outlast_state::{Verdict, Why};
use serde_json::{Map, Value, json};
use url::Url;

use super::answer;
use super::fields::{Empties, Invalid, kind};
use super::mapping::Mapping;
use super::payload::{self, Terms};
use crate::destination::{Batching, Conclusion, Conversation, Destination, Item, Turn};
use crate::exchange::{Method, Request};

/// Streams track events to LinkedIn's Conversions API.
#[derive(Clone, Debug)]
pub struct Conversions {
    pub(super) rule: String,
    pub(super) events: Url,
    pub(super) version: String,
    pub(super) batch_size: u32,
    pub(super) compat: bool,
    pub(super) mapping: Mapping,
}

/// How conversions travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One, as the whole body.
    Single,
    /// Any number, as the elements of a `BATCH_CREATE`.
    Batch,
}

impl Destination for Conversions {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let drafts: Vec<_> = conversation.items.iter().map(|item| self.draft(item, conversation)).collect();
        let sent = drafts.iter().filter(|draft| draft.is_ok()).count();
        let form = self.form(sent);
        match conversation.so_far.last() {
            None if sent > 0 => Turn::Ask(self.request(form, drafts.into_iter().filter_map(Result::ok).collect())),
            None => Turn::Conclude(self.conclusions(drafts, Vec::new())),
            Some(exchange) => {
                let read = answer::read(&exchange.answer, form, sent, self.compat);
                Turn::Conclude(self.conclusions(drafts, read))
            }
        }
    }

    fn batching(&self) -> Batching {
        Batching::up_to(self.batch_size)
    }
}

impl Conversions {
    fn form(&self, sent: usize) -> Form {
        // The reference's host uses the batch call for one event too, once batching is on.
        let batched = if self.compat { self.batch_size > 1 } else { sent > 1 };
        if batched { Form::Batch } else { Form::Single }
    }

    fn draft(&self, item: &Item<'_>, conversation: &Conversation<'_>) -> Result<Value, Invalid> {
        let event = event(item.body)?;
        // The action's subscription, `type = "track"`.
        if event.get("type").and_then(Value::as_str) != Some("track") {
            return Err(not_subscribed());
        }
        let id = item.id.to_string();
        let terms = Terms {
            rule: &self.rule,
            now: conversation.began,
            empties: self.empties(),
            compat: self.compat,
            // LinkedIn tells repeats by `eventId`. The delivery's name is the same for every attempt.
            fallback_id: (!self.compat).then_some(id.as_str()),
        };
        payload::conversion(&self.mapping.resolve(&event), &terms)
    }

    fn empties(&self) -> Empties {
        match (self.compat, self.batch_size) {
            (false, _) => Empties::Blank,
            (true, 1) => Empties::Top,
            (true, _) => Empties::Kept,
        }
    }

    fn request(&self, form: Form, mut elements: Vec<Value>) -> Request {
        let request = Request::new(Method::Post, self.events.clone())
            .bearer()
            .header("linkedin-version", self.version.as_str())
            .header("x-restli-protocol-version", "2.0.0");
        match form {
            Form::Single => request.json(&elements.pop().unwrap_or_default()),
            Form::Batch => request.header("x-restli-method", "BATCH_CREATE").json(&json!({ "elements": elements })),
        }
    }

    /// Puts what the answer says of the sent items between the verdicts on those that were not sent.
    fn conclusions(&self, drafts: Vec<Result<Value, Invalid>>, read: Vec<Conclusion>) -> Vec<Conclusion> {
        let mut read = read.into_iter();
        let unread = || Conclusion::new(Verdict::Unknown, "LinkedIn did not say what became of it.");
        let conclude = |draft| match draft {
            Ok(_) => read.next().unwrap_or_else(unread),
            Err(invalid) => self.refusal(invalid),
        };
        drafts.into_iter().map(conclude).collect()
    }

    fn refusal(&self, invalid: Invalid) -> Conclusion {
        let Invalid { message, advice } = invalid;
        let detail = if self.compat { message } else { format!("{message} {advice}") };
        Conclusion::new(Verdict::Refused { why: Why::Invalid }, detail)
    }
}

fn event(body: &[u8]) -> Result<Map<String, Value>, Invalid> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(event)) => Ok(event),
        Ok(other) => Err(Invalid {
            message: format!("The body is {}, not a JSON object.", kind(&other)),
            advice: "It stands at line 1, column 1; submit the event as one JSON object.".into(),
        }),
        Err(error) => Err(Invalid {
            message: "The body is not JSON.".into(),
            advice: format!(
                "It cannot be read at line {}, column {}; submit the event as one JSON object.",
                error.line(),
                error.column()
            ),
        }),
    }
}

fn not_subscribed() -> Invalid {
    Invalid {
        message: "Payload is either invalid or does not match the subscription".into(),
        advice: "`type = \"track\"`. Field `type`: only track events are conversions; send this event elsewhere."
            .into(),
    }
}
