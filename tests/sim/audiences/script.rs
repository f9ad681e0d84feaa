//! Who enters and leaves which audience, and what an audience must be when all of that has happened in its order.

use std::collections::BTreeMap;

use outlast::route::Event;
use ring::digest;
use serde_json::{Value, json};

use crate::draw::Dice;

/// The audiences: a key, and whether its members are companies. One key stands for two of them.
pub(crate) const AUDIENCES: [(&str, bool); 4] =
    [("buyers", false), ("accounts", false), ("accounts", true), ("partners", true)];

/// So many people, and so many companies.
const PEOPLE: u64 = 300;
const COMPANIES: u64 = 200;

/// What comes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Good,
    /// The provider refuses its element.
    Refused,
    /// No element can be made of it.
    Unfit,
}

/// Somebody enters or leaves an audience.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) audience: usize,
    pub(crate) joins: bool,
    pub(crate) fate: Fate,
    who: u64,
}

/// A member of an audience, as the provider names it.
pub(crate) type Member = (usize, String);

/// One change that the provider made: who joined, and under which title; or who left.
pub(crate) type Change = (bool, String);

/// So many pairs of events, each a member that enters and leaves, or leaves and enters; and now and then one that fails.
pub(crate) fn script(pairs: usize, dice: &mut Dice) -> Vec<Told> {
    let (mut events, mut later) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        if pair % 100 == 50 {
            let (audience, fate) = dice.pick(&[(0, Fate::Unfit), (2, Fate::Refused), (3, Fate::Refused)]);
            events.push(Told { audience, joins: true, fate, who: pair as u64 });
        }
        // One audience after the other comes to be.
        let audience = dice.below((1 + pair * 8 / pairs).min(AUDIENCES.len()) as u64) as usize;
        let who = dice.below(if AUDIENCES[audience].1 { COMPANIES } else { PEOPLE });
        let first = Told { audience, joins: dice.chance(500), fate: Fate::Good, who };
        let second = Told { joins: !first.joins, ..first.clone() };
        events.push(first);
        if dice.chance(600) {
            events.push(second);
        } else {
            later.push(second);
        }
        if later.len() > 40 {
            events.push(later.swap_remove(dice.below(40) as usize));
        }
    }
    events.extend(later);
    events
}

impl Told {
    /// The event, as its source writes it.
    pub(crate) fn event(&self, n: usize) -> Event {
        let (key, companies) = AUDIENCES[self.audience];
        let name = if self.joins { "Audience Entered" } else { "Audience Exited" };
        let (kind, traits) = match (companies, self.fate) {
            (true, Fate::Good) => ("company", json!({"company_domain": self.domain()})),
            (true, _) => ("company", json!({"company_domain": format!("without-a-dot-{}", self.who)})),
            (false, Fate::Good) => ("person", json!({"email": self.written(n), "title": title(n)})),
            (false, _) => ("person", json!({"title": title(n)})),
        };
        let value = json!({
            "type": "track", "event": name, "messageId": once(n), "userId": self.who, "traits": traits,
            "properties": {"kind": kind, "audience_key": key, "action": if self.joins { "ADD" } else { "REMOVE" }},
            "context": {"personas": {"computation_key": key}}
        });
        Event::json(value).unwrap()
    }

    fn address(&self) -> String {
        format!("member-{}@example.org", self.who)
    }

    /// An address is the same however it is written.
    fn written(&self, n: usize) -> String {
        match n % 3 {
            0 => format!(" {} ", self.address().to_uppercase()),
            _ => self.address(),
        }
    }

    fn domain(&self) -> String {
        format!("company-{}.example", self.who)
    }

    pub(crate) fn member(&self) -> Member {
        let name = if AUDIENCES[self.audience].1 {
            format!("domain:{}", self.domain())
        } else {
            let digest = digest::digest(&digest::SHA256, self.address().as_bytes());
            let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("SHA256_EMAIL:{}", pairs.concat())
        };
        (self.audience, name)
    }
}

/// A person's title says which event it came with. A company has none.
fn title(n: usize) -> String {
    format!("event {n}")
}

/// The idempotency key of an event, and back.
pub(crate) fn once(n: usize) -> String {
    format!("e-{n}")
}

pub(crate) fn number(once: Option<&str>) -> Option<usize> {
    once?.strip_prefix("e-")?.parse().ok()
}

/// What the provider must have changed for each member, in order: the fold of the events, where a repeat changes nothing.
pub(crate) fn changes(events: &[Told]) -> BTreeMap<Member, Vec<Change>> {
    let mut all: BTreeMap<Member, Vec<Change>> = BTreeMap::new();
    for (n, told) in events.iter().enumerate().filter(|(_, told)| told.fate == Fate::Good) {
        let changes = all.entry(told.member()).or_default();
        let title = if AUDIENCES[told.audience].1 { String::new() } else { title(n) };
        let inside = changes.last().is_some_and(|(joined, _)| *joined);
        let is_news = changes.last().is_none_or(|(_, before)| *before != title);
        if (told.joins && (!inside || is_news)) || (!told.joins && inside) {
            changes.push((told.joins, title));
        }
    }
    all.retain(|_, changes| !changes.is_empty());
    all
}

/// The same of a line of the provider's log.
pub(crate) fn change(applied: &Value) -> Change {
    let value = &applied["value"];
    (value["action"] == "ADD", value["title"].as_str().unwrap_or_default().to_owned())
}
