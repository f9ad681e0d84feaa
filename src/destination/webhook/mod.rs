//! Events to any address, signed as the specification of Standard Webhooks says: the receiver verifies with any of its
//! libraries that a request is ours, whole and recent, and tells repeats by `webhook-id`.

mod kind;
mod settings;
mod signature;
#[cfg(test)]
mod tests;

use outlast_state::{Time, Verdict, Why};
use serde::de::IgnoredAny;
use url::Url;

use super::{Batching, Conclusion, Conversation, Destination, Item, Turn};
use crate::exchange::{Answer, Method, Request};
use crate::route::Action;
use crate::secret::Secret;
use crate::taxonomy::{self, PAYLOAD_VALIDATION_FAILED, Reading, Sent};
use signature::Key;

pub(super) use kind::WEBHOOK;
pub use settings::{Builder, to};

/// Posts each event in a request of its own, signed with each secret.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    /// Newest first. One, and more while they rotate.
    keys: Vec<Key>,
    headers: Vec<(String, String)>,
    secret_headers: Vec<(String, Secret)>,
    actions: [Action; 1],
}

impl Destination for Webhook {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        match (conversation.items, conversation.so_far.last()) {
            ([item], None) => Turn::Ask(self.request(item, conversation.began)),
            ([_], Some(exchange)) => Turn::Conclude(vec![conclusion(&exchange.answer)]),
            // It takes no batches. Halves end where each is alone.
            (items, _) => {
                let alone = Conclusion::new(Verdict::Split, "A webhook is sent alone.");
                Turn::Conclude(vec![alone.code(taxonomy::BATCH_SPLIT); items.len()])
            }
        }
    }

    fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn check(&self, item: &Item<'_>, _began: Time) -> Result<(), Conclusion> {
        if !item.payload.is_null() {
            return Ok(());
        }
        readable(item.body).map_err(|problem| {
            let detail = format!("{problem} Submit the event as JSON.");
            Conclusion::new(Verdict::Refused { why: Why::Invalid }, detail).code(PAYLOAD_VALIDATION_FAILED)
        })
    }

    fn batching(&self) -> Batching {
        Batching::ALONE
    }
}

impl Webhook {
    fn request(&self, item: &Item<'_>, began: Time) -> Request {
        // The bytes that were accepted, not what a parser makes of them: the signature is over bytes, and so may be the
        // receiver's own checks.
        let body = if item.payload.is_null() { item.body.to_vec() } else { item.payload.to_string().into_bytes() };
        let (id, timestamp) = (item.id.to_string(), (began.as_millis() / 1000).to_string());
        let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(&id, &timestamp, &body)).collect();
        let request = Request::new(Method::Post, self.url.clone())
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "));
        let plain = |request: Request, (name, value): &(String, String)| request.header(name.clone(), value.as_str());
        let secret = |request: Request, (name, value): &(String, Secret)| request.secret_header(name.clone(), value);
        let request = self.headers.iter().fold(request, plain);
        self.secret_headers.iter().fold(request, secret).content("application/json", body)
    }
}

/// What is wrong with a body as JSON.
fn readable(body: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        format!("The body is not UTF-8 from byte {at} on.")
    })?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(format!("The body is not JSON; it cannot be read at line {}, column {}.", error.line(), error.column()))
        }
    }
}

fn conclusion(answer: &Answer) -> Conclusion {
    let Reading { verdict, code, advice } = taxonomy::read(answer, Sent::ALONE);
    if matches!(verdict, Verdict::Accepted { .. }) {
        return Conclusion::new(verdict, "");
    }
    let advice = match answer.status {
        401 | 403 => "It may not know the newest secret: give it the one that stands first here, then redrive.",
        410 => "It wants no events any more; pause this destination or remove it.",
        _ => advice,
    };
    let detail = format!("The receiver answered {} ({code}). {advice}", answer.status);
    Conclusion::new(verdict, detail.trim_end()).code(code)
}
