//! Audiences: who enters or leaves one is told to LinkedIn, in the segment that stands for the audience there.
//!
//! An item goes through these files: [`member`] and [`company`] check its payload and make LinkedIn's element, [`plan`] puts
//! together what one request can hold, [`segment`] finds or makes the segment, [`talk`] is the conversation, and
//! [`reference`] the same conversation as the reference leads it.

use outlast_state::Time;
use serde_json::{Value, json};

use self::plan::{Plan, Step};
use super::api::Api;
use super::identity::hashed;
use super::invalid::Invalid;
use super::perform;
use crate::destination::{Batching, Conclusion, Conversation, Destination, Item, Memo, Operation, Trouble, Turn};
use crate::route::Action;
use crate::route::fields::Empties;
use crate::taxonomy::INVALID_SETTINGS;

mod company;
mod member;
mod plan;
mod reference;
mod schema;
mod segment;
mod settings;
mod talk;
#[cfg(test)]
mod tests;

pub use settings::Builder;

/// Adds people to LinkedIn's audiences, and removes them.
const USERS: &str = "updateAudience";
/// The same with companies.
const COMPANIES: &str = "updateCompanyAudience";

/// Keeps LinkedIn's audiences (DMP segments) as the events say: `updateAudience` for people, `updateCompanyAudience` for
/// companies.
#[derive(Clone, Debug)]
pub struct Audiences {
    api: Api,
    account: String,
    send_email: bool,
    send_advertising_id: bool,
    batching: Batching,
}

/// What an item wants to be in a request.
struct Draft {
    segment: segment::Segment,
    /// The member of the request; the reference sends nothing for some items, and calls them delivered.
    element: Option<Value>,
    /// Who it is about: events about the same one keep their order.
    identity: Option<String>,
}

impl Destination for Audiences {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let plan = Plan::new(self, conversation.items);
        let Some(segment) = plan.segment() else { return Turn::Conclude(plan.conclude(self.is_compat(), &[])) };
        let step = if self.is_compat() {
            reference::step(self, segment, plan.elements(), conversation)
        } else {
            talk::step(self, segment, plan.elements(), conversation)
        };
        match step {
            Step::Ask(request) => Turn::Ask(request),
            Step::All(conclusion) => Turn::Conclude(plan.conclude_alike(self.is_compat(), &conclusion)),
            Step::Each(conclusions) => Turn::Conclude(plan.conclude(self.is_compat(), &conclusions)),
        }
    }

    fn actions(&self) -> &[Action] {
        actions()
    }

    fn check(&self, item: &Item<'_>, _: Time) -> Result<(), Conclusion> {
        self.draft(item).map(|_| ()).map_err(|invalid| invalid.conclude(self.is_compat()))
    }

    fn operation(&self, name: &str, _inputs: &Value) -> Result<Box<dyn Operation>, Trouble> {
        perform::audiences(self, name)
    }

    fn is_dated(&self) -> bool {
        false
    }

    fn batching(&self) -> Batching {
        self.batching
    }

    fn empties(&self) -> Empties {
        match (self.is_compat(), self.batching.items) {
            (false, _) => Empties::Blank,
            (true, 1) => Empties::Single,
            (true, _) => Empties::Batch,
        }
    }

    fn sorts(&self) -> bool {
        true
    }

    /// One request holds one segment's elements. The reference lets the first person's segment decide for all of a batch
    /// (Q17).
    fn batch_key(&self, item: &Item<'_>) -> Option<String> {
        let draft = self.draft(item).ok();
        let segment = draft.as_ref().map(|draft| (draft.segment.kind.name(), draft.segment.key.as_str()));
        let segment = segment.filter(|_| !(self.is_compat() && item.action == USERS));
        let by = if item.action == COMPANIES { company::batch_keys(item.payload) } else { Vec::new() };
        Some(json!([item.action, segment, by]).to_string())
    }

    /// Adding and removing one member of one segment. The address does not stand in it, only hashes do.
    fn lane(&self, item: &Item<'_>) -> Option<String> {
        let Draft { segment, identity, .. } = self.draft(item).ok()?;
        let whole = json!([self.account, segment.kind.name(), segment.key, identity?]).to_string();
        Some(format!("{}/{}", item.action, hashed(&whole)))
    }

    fn remember(&self, conversation: &Conversation<'_>) -> Vec<Memo> {
        let plan = Plan::new(self, conversation.items);
        let Some(segment) = plan.segment() else { return Vec::new() };
        let remember = if self.is_compat() { reference::remember } else { talk::remember };
        remember(self, segment, conversation).into_iter().collect()
    }
}

impl Audiences {
    /// The API that it speaks to, for operations on the same account.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The number of the ad account that its segments belong to.
    #[must_use]
    pub fn ad_account_id(&self) -> &str {
        &self.account
    }

    fn is_compat(&self) -> bool {
        self.api.is_compat()
    }

    fn draft(&self, item: &Item<'_>) -> Result<Draft, Invalid> {
        match item.action {
            USERS => member::draft(self, item.payload),
            COMPANIES => company::draft(self, item.payload),
            other => Err(Invalid {
                message: format!("LinkedIn Audiences has no action `{other}`."),
                advice: format!("Give the route one of its actions: `{USERS}` or `{COMPANIES}`."),
                code: INVALID_SETTINGS,
            }),
        }
    }
}

/// What it can do.
pub(super) fn actions() -> &'static [Action] {
    schema::ACTIONS.as_slice()
}

/// The text under `key`, unless it is empty.
fn text<'a>(payload: &'a Value, key: &str) -> Option<&'a str> {
    payload.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}
