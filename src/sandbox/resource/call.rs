//! A request that a node has let in, and what every resource asks of one.

use super::super::accounts::{AdAccount, account_id};
use super::super::faults::ElementStatus;
use super::super::options::Switches;
use super::super::wire::{Answer, Head};
use super::refusal::Refusal;
use serde_json::{Value, json};
use std::borrow::Cow;

/// A request that a node has let in.
pub(in super::super) struct Call<'a> {
    pub(in super::super) head: &'a Head,
    /// The body, if it is JSON.
    pub(in super::super) body: Option<&'a Value>,
    /// Who consented to the grant of the token.
    pub(in super::super) member: &'a str,
    pub(in super::super) now: u64,
    pub(in super::super) switches: &'a Switches,
    /// Statuses that a fault rule gives to elements.
    pub(in super::super) element_statuses: &'a [ElementStatus],
}

impl<'a> Call<'a> {
    pub(super) fn check_version(&self) -> Result<(), Refusal> {
        let version = self.head.header("linkedin-version").unwrap_or_default();
        if version.len() == 6 && self.switches.versions.contains(version) {
            return Ok(());
        }
        Err(Refusal::new(426, "NONEXISTENT_VERSION", format!("Requested version {version} is not active")))
    }

    pub(super) fn check_protocol(&self) -> Result<(), Refusal> {
        match self.head.header("x-restli-protocol-version") {
            Some("2.0.0") => Ok(()),
            _ => Err(Refusal::bad("X-Restli-Protocol-Version must be 2.0.0")),
        }
    }

    /// Checks `X-RestLi-Method`: one of these, where the empty one stands for none at all.
    pub(super) fn check_method(&self, allowed: &[&str]) -> Result<(), Refusal> {
        let method = self.restli_method();
        if allowed.iter().any(|known| known.eq_ignore_ascii_case(method)) {
            return Ok(());
        }
        let needed = allowed.iter().find(|known| !known.is_empty());
        Err(match needed {
            Some(needed) if !allowed.contains(&"") => Refusal::bad(format!("X-RestLi-Method must be {needed}")),
            _ => Refusal::bad("X-RestLi-Method is not supported on this resource"),
        })
    }

    pub(super) fn restli_method(&self) -> &'a str {
        self.head.header("x-restli-method").unwrap_or_default()
    }

    pub(super) fn json(&self) -> Result<&'a Value, Refusal> {
        self.body.ok_or_else(|| Refusal::bad("The body is not JSON"))
    }

    /// A parameter of the query, decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        let query = self.head.query.as_deref().unwrap_or_default();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A parameter as it was sent: in a list or a key, an encoded comma is not a comma.
    pub(super) fn raw_parameter(&self, name: &str) -> Option<&'a str> {
        let query = self.head.query.as_deref().unwrap_or_default();
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name).map(|(_, raw)| raw)
    }

    /// Checks the finder's name.
    pub(super) fn check_finder(&self, name: &str) -> Result<(), Refusal> {
        match self.parameter("q") {
            Some(asked) if asked == name => Ok(()),
            _ => Err(Refusal::bad(format!("q must be {name}"))),
        }
    }

    /// The account that the query names, where the member may work.
    pub(super) fn account_asked_for(&self) -> Result<&'a AdAccount, Refusal> {
        let urn = self.parameter("account").ok_or_else(|| Refusal::bad("The parameter account is missing"))?;
        self.workplace(&urn)
    }

    /// The account with this URN, where the member may work. One that does not exist is closed, too: LinkedIn does not tell which.
    pub(super) fn workplace(&self, urn: &str) -> Result<&'a AdAccount, Refusal> {
        let id = account_id(urn)
            .ok_or_else(|| Refusal::bad("account must be a URN of the form urn:li:sponsoredAccount:<id>"))?;
        self.account(id).filter(|account| account.lets_work()).ok_or_else(|| Refusal::denied(urn))
    }

    pub(super) fn account(&self, id: u64) -> Option<&'a AdAccount> {
        self.switches.ad_accounts.iter().find(|account| account.id == id)
    }

    /// The page of these elements that the query asks for.
    pub(super) fn page(&self, elements: impl Iterator<Item = Value>) -> Result<Answer, Refusal> {
        let number = |name: &str, usual: usize| match self.parameter(name) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_| Refusal::bad(format!("{name} must be a whole number"))),
        };
        let (start, count) = (number("start", 0)?, number("count", PAGE)?);
        if !(1..=LARGEST_PAGE).contains(&count) {
            return Err(Refusal::bad(format!("count must be between 1 and {LARGEST_PAGE}")));
        }
        let all: Vec<Value> = elements.collect();
        let paging = json!({"start": start, "count": count, "total": all.len(), "links": []});
        let elements: Vec<Value> = all.into_iter().skip(start).take(count).collect();
        Ok(Answer::json(200, json!({"paging": paging, "elements": elements})))
    }
}

/// As the API's framework has it where a finder does not say otherwise.
const PAGE: usize = 10;
const LARGEST_PAGE: usize = 1000;
