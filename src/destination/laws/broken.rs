//! A law that does not hold, and what shows it.

use std::fmt;

use super::cast::Part;
use super::play::Fault;
use crate::exchange::Exchange;

/// What holds for every destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Law {
    /// It can be tried: its actions are sound, and a body that it was given comes to a request.
    Playable,
    /// The same arguments give the same result: the same request byte for byte, the same conclusions, the same lane, batch
    /// key and memos. Requests are made again after a crash.
    Pure,
    /// It does not panic, whatever it is given.
    Total,
    /// A conversation is over before its eighth request: of that one, the engine reads no answer.
    Ends,
    /// It concludes once on each item.
    OneVerdict,
    /// No request has an `authorization` of its own where it asks for the token, and what an answer quotes of the token
    /// stands in no request, no memo, and in no detail after the engine has hidden it.
    NoToken,
    /// Only a request that asked for the token can have it refused.
    TokenRefused,
    /// A single item is not split: that would be sent again for ever.
    Split,
    /// A request can be sent: HTTP takes its headers, and the address is one of the web.
    Sendable,
    /// A verdict belongs to its item: where the answer is about all of them, another order of items has the same verdicts in
    /// that order.
    Order,
    /// No wait is shorter than `Retry-After` asks for (S9), up to what is believed of it.
    Wait,
    /// What it keeps in mind can be stored: a key and a value have 1 KiB each at most.
    Memos,
}

impl Law {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Law::Playable => "playable",
            Law::Pure => "pure",
            Law::Total => "total",
            Law::Ends => "ends",
            Law::OneVerdict => "one verdict per parcel",
            Law::NoToken => "never sees a token",
            Law::TokenRefused => "only a token that was sent is refused",
            Law::Split => "one item is not split",
            Law::Sendable => "sendable",
            Law::Order => "order",
            Law::Wait => "a wait is not shortened",
            Law::Memos => "memos can be stored",
        }
    }
}

/// A law that does not hold. Its [`Display`](fmt::Display) is a page to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The law.
    pub law: Law,
    /// What was seen instead.
    pub why: String,
    /// The items, each with its route and its body.
    pub items: Vec<String>,
    /// The conversation up to there.
    pub exchanges: Vec<Exchange>,
}

impl Broken {
    pub(super) fn new(law: Law, why: impl Into<String>) -> Self {
        Broken { law, why: why.into(), items: Vec::new(), exchanges: Vec::new() }
    }

    pub(super) fn of(group: &[Part], fault: Fault) -> Self {
        let items = group.iter().map(Part::told).collect();
        Broken { law: fault.law, why: fault.why, items, exchanges: fault.exchanges }
    }

    pub(super) fn nothing_played(first_refusal: Option<String>) -> Self {
        let why = match first_refusal {
            Some(refusal) => format!("no body comes to a request; the first is refused: {refusal}"),
            None => "no body comes to a request; give the kit one that is an event of yours".to_owned(),
        };
        Broken::new(Law::Playable, why)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the law \"{}\" does not hold: {}", self.law.name(), self.why)?;
        for (number, item) in self.items.iter().enumerate() {
            write!(f, "\n  item {:<3} {item}", number.saturating_add(1))?;
        }
        for (number, Exchange { request, answer }) in self.exchanges.iter().enumerate() {
            let number = number.saturating_add(1);
            write!(f, "\n  asked {number:<2} {} {} {}", request.method().as_str(), request.url(), cut(request.body()))?;
            let headers = answer.headers.iter().map(|(name, value)| format!(" {name}: {};", cut(value.as_bytes())));
            let headers: String = headers.collect();
            write!(f, "\n  heard {number:<2} {}{headers} {}", answer.status, cut(&answer.body))?;
        }
        Ok(())
    }
}

impl std::error::Error for Broken {}

/// The most characters of a body that are shown.
const MOST: usize = 300;

/// Bytes for people, on one line.
pub(super) fn cut(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let shown: String = text.chars().take(MOST).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if shown.chars().count() < text.chars().count() { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}
