//! An API that is declared: method, address, headers and body are templates, answers are read by a table. Nothing of it is
//! code, so a configuration can hold it.
//!
//! An item goes through these files: `draft` makes its part of a request, `request` puts one or many parts together, `answer`
//! reads what comes back. `build` checks a [`Description`] before any of that.

mod address;
mod answer;
mod build;
mod description;
mod draft;
mod kind;
mod pointer;
mod request;
mod template;
#[cfg(test)]
mod tests;

use outlast_state::{Time, Verdict};

use super::{Batching, Conclusion, Conversation, Destination, Item, Turn};
use crate::exchange::{Method, Rule};
use crate::route::Action;
use crate::secret::Secret;
use crate::taxonomy;
use address::Address;
use draft::{Draft, Fault};
use template::Template;

pub(super) use kind::HTTP;

pub use description::{Batch, Body, Dedupe, Description, Means, Place, Results, Row};
pub use template::{Compile, Resolve, Unresolved};

/// A destination made of a [`Description`].
#[derive(Clone)]
pub struct Declared {
    method: Method,
    address: Address,
    /// Names in lower case.
    headers: Vec<(String, Template)>,
    secret_headers: Vec<(String, Secret)>,
    body: Making,
    bearer: bool,
    dedupe: Option<Key>,
    batch: Option<Batch>,
    answers: Vec<Row>,
    retry_after: Option<String>,
    message: Option<String>,
    actions: [Action; 1],
}

/// How a body is made.
#[derive(Clone)]
enum Making {
    Nothing,
    Event,
    Mapped(Template),
}

/// How the provider tells repeats.
#[derive(Clone)]
struct Key {
    place: Place,
    /// Without one it is the delivery's name.
    value: Option<Template>,
}

impl Destination for Declared {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let drafts: Vec<_> = conversation.items.iter().map(|item| self.draft(item)).collect();
        let sent: Vec<&Draft> = drafts.iter().filter_map(|draft| draft.as_ref().ok()).collect();
        let said = match (conversation.so_far.last(), sent.first()) {
            (_, None) => Vec::new(),
            (None, Some(first)) if self.share(first, &sent) => return Turn::Ask(self.request(first, &sent)),
            (None, Some(_)) => vec![parted(); sent.len()],
            (Some(exchange), Some(_)) => self.read(&exchange.answer, sent.len()),
        };
        let mut said = said.into_iter();
        let conclude = |draft: Result<Draft, Fault>| match draft {
            Ok(_) => said.next().unwrap_or_else(answer::missing),
            Err(fault) => fault.conclusion(),
        };
        Turn::Conclude(drafts.into_iter().map(conclude).collect())
    }

    fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn check(&self, item: &Item<'_>, _began: Time) -> Result<(), Conclusion> {
        self.draft(item).map(drop).map_err(Fault::conclusion)
    }

    fn batching(&self) -> Batching {
        self.batch.as_ref().map_or(Batching::ALONE, |batch| Batching {
            items: batch.items,
            bytes: batch.bytes,
            linger: batch.linger,
        })
    }

    fn sorts(&self) -> bool {
        let fixed = self.address.is_fixed() && self.headers.iter().all(|(_, value)| value.is_fixed());
        self.batch.is_some() && !fixed
    }

    /// Items share a request where they share its address and its headers. One that fails is alone with that.
    fn batch_key(&self, item: &Item<'_>) -> Option<String> {
        if !self.sorts() {
            return Some(String::new());
        }
        self.draft(item).ok().map(|draft| draft.shared())
    }
}

impl Declared {
    /// Whether these can go in one request. Parcels that were submitted as they are come together without a batch key.
    fn share(&self, first: &Draft, sent: &[&Draft]) -> bool {
        let alike = |one: &&Draft| one.url == first.url && one.headers == first.headers;
        sent.len() < 2 || (self.batch.is_some() && sent.iter().all(alike))
    }
}

/// For those that cannot go in one request. Halves end where they can, at the latest where each is alone.
fn parted() -> Conclusion {
    Conclusion::new(Verdict::Split, "The items of the batch have different addresses or headers.")
        .code(taxonomy::BATCH_SPLIT)
}
