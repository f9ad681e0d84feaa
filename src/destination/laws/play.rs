//! One conversation, looked at after each turn.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use outlast_state::{Span, Time, Verdict};

use super::answers::{MARKER, Script};
use super::broken::Law;
use super::cast::Part;
use crate::destination::{Conclusion, Conversation, Destination, Item, LONGEST_CONVERSATION, Memo, Memory, Turn};
use crate::exchange::{Exchange, Request, is_header_value, unfit_header_name};
use crate::secret::Secret;
use crate::taxonomy::LONGEST_RETRY_AFTER;

/// What is kept in mind, each with the time until which it is.
pub(super) type Known = BTreeMap<String, (String, Time)>;

/// A key or a value may have so many bytes.
const MEMO_MOST: usize = 1024;
/// So many conversations are led again at the end.
const KEPT: usize = 200;

/// A law that does not hold in a conversation.
pub(super) struct Fault {
    pub(super) law: Law,
    pub(super) why: String,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) known: Known,
}

/// A conversation that was led to its end.
#[derive(Clone, PartialEq)]
pub(super) struct Told {
    pub(super) exchanges: Vec<Exchange>,
    pub(super) conclusions: Vec<Conclusion>,
    pub(super) memos: Vec<Memo>,
}

/// Where conversations are led.
pub(super) struct Stage<'a> {
    destination: &'a dyn Destination,
    began: Time,
    without: &'a [Law],
    kept: Vec<(Vec<Part>, Script, Known, Told)>,
    led: usize,
}

/// What breaks a law, before it is known in which conversation.
type Found = (Law, String);

impl<'a> Stage<'a> {
    pub(super) fn new(destination: &'a dyn Destination, began: Time, without: &'a [Law]) -> Self {
        Stage { destination, began, without, kept: Vec::new(), led: 0 }
    }

    /// Leads a conversation, and for several items one with the items in another order.
    pub(super) fn play(&mut self, group: &[Part], script: &Script, known: &Known) -> Result<Told, Fault> {
        let told = self.lead(group, script, known)?;
        if group.len() > 1 && script.is_about_all {
            let turned: Vec<Part> = group.iter().rev().cloned().collect();
            let other = self.lead(&turned, script, known)?;
            let verdicts = |told: &Told| told.conclusions.iter().map(|one| one.verdict).collect::<Vec<_>>();
            let (here, mut there) = (verdicts(&told), verdicts(&other));
            there.reverse();
            if here != there && !self.without.contains(&Law::Order) {
                let why = format!("with the items turned round, the verdicts are not: {here:?}, then {there:?}");
                return Err(Fault { law: Law::Order, why, exchanges: told.exchanges, known: known.clone() });
            }
        }
        // Early ones and late ones, without keeping all.
        self.led = self.led.saturating_add(1);
        if self.kept.len() < KEPT && (self.led < KEPT / 2 || self.led.is_multiple_of(17)) {
            self.kept.push((group.to_vec(), script.clone(), known.clone(), told.clone()));
        }
        Ok(told)
    }

    /// Leads what was kept once more, the last first.
    pub(super) fn again(&self) -> Result<(), Box<(Vec<Part>, Script, Fault)>> {
        for (group, script, known, told) in self.kept.iter().rev() {
            let again =
                self.lead(group, script, known).map_err(|fault| Box::new((group.clone(), script.clone(), fault)))?;
            if again != *told {
                let why = "the same conversation went another way after others had been led".to_owned();
                let fault = Fault { law: Law::Pure, why, exchanges: again.exchanges, known: known.clone() };
                return Err(Box::new((group.clone(), script.clone(), fault)));
            }
        }
        Ok(())
    }

    fn lead(&self, group: &[Part], script: &Script, known: &Known) -> Result<Told, Fault> {
        let items: Vec<Item<'_>> = group.iter().map(Part::item).collect();
        let memory = Memory::new(known, self.began);
        let mut so_far: Vec<Exchange> = Vec::new();
        let led = self.turns(&items, memory, script, &mut so_far);
        match led {
            Ok((conclusions, memos)) => Ok(Told { exchanges: so_far, conclusions, memos }),
            Err((law, why)) => Err(Fault { law, why, exchanges: so_far, known: known.clone() }),
        }
    }

    fn turns(
        &self,
        items: &[Item<'_>],
        memory: Memory<'_>,
        script: &Script,
        so_far: &mut Vec<Exchange>,
    ) -> Result<(Vec<Conclusion>, Vec<Memo>), Found> {
        loop {
            let conversation = Conversation { items, so_far, memory, began: self.began };
            match self.turn(&conversation)? {
                Turn::Ask(request) => {
                    self.heeded(looked_at(&request, script))?;
                    if so_far.len().saturating_add(1) >= LONGEST_CONVERSATION {
                        let why = format!("after {} answers it asks again: {request:?}", so_far.len());
                        return Err((Law::Ends, why));
                    }
                    let answer = script.answer(so_far.len());
                    so_far.push(Exchange { request, answer });
                }
                Turn::Conclude(conclusions) => {
                    concluded(&conversation, &conclusions, script, self.without)?;
                    let memos = self.memos(&conversation, script)?;
                    return Ok((conclusions, memos));
                }
            }
        }
    }

    /// What was found, unless it is meant.
    fn heeded(&self, found: Result<(), Found>) -> Result<(), Found> {
        found.or_else(|(law, why)| if self.without.contains(&law) { Ok(()) } else { Err((law, why)) })
    }

    /// One turn, asked for twice.
    fn turn(&self, conversation: &Conversation<'_>) -> Result<Turn, Found> {
        let ask = || {
            catch_unwind(AssertUnwindSafe(|| self.destination.converse(conversation)))
                .map_err(|_| (Law::Total, format!("converse panicked after {} answers", conversation.so_far.len())))
        };
        match (ask()?, ask()?) {
            (Turn::Ask(first), Turn::Ask(second)) if first == second => Ok(Turn::Ask(first)),
            (Turn::Conclude(first), Turn::Conclude(second)) if first == second => Ok(Turn::Conclude(first)),
            (first, second) => {
                Err((Law::Pure, format!("converse was given the same twice, and said {first:?}, then {second:?}")))
            }
        }
    }

    /// The engine asks for memos only where there was an answer.
    fn memos(&self, conversation: &Conversation<'_>, script: &Script) -> Result<Vec<Memo>, Found> {
        if conversation.so_far.is_empty() {
            return Ok(Vec::new());
        }
        let ask = || {
            catch_unwind(AssertUnwindSafe(|| self.destination.remember(conversation)))
                .map_err(|_| (Law::Total, "remember panicked".to_owned()))
        };
        let (memos, again) = (ask()?, ask()?);
        if memos != again {
            return Err((Law::Pure, format!("remember said {memos:?}, then {again:?}")));
        }
        for Memo { key, value, .. } in &memos {
            let value = value.as_deref().unwrap_or_default();
            if key.len().max(value.len()) > MEMO_MOST {
                return Err((Law::Memos, format!("the memo {key} has {} bytes", key.len().max(value.len()))));
            }
            if script.quotes_token && (quotes_token(key) || quotes_token(value)) {
                return Err((
                    Law::NoToken,
                    format!("a memo keeps what an answer quoted of the token: {key} = {value}"),
                ));
            }
        }
        Ok(memos)
    }
}

/// Keeps in mind what a conversation left.
pub(super) fn learn(known: &mut Known, memos: &[Memo], now: Time) {
    for Memo { key, value, keep } in memos {
        match value {
            Some(value) => drop(known.insert(key.clone(), (value.clone(), now.after(*keep)))),
            None => drop(known.remove(key)),
        }
    }
}

fn looked_at(request: &Request, script: &Script) -> Result<(), Found> {
    if !matches!(request.url().scheme(), "http" | "https") {
        return Err((Law::Sendable, format!("{request:?} goes to {}, which is no address of the web", request.url())));
    }
    for (name, value) in request.headers() {
        if request.wants_bearer() && name == "authorization" {
            return Err((Law::NoToken, format!("{request:?} asks for the token and has an authorization of its own")));
        }
        if let Some(why) = unfit_header_name(name) {
            return Err((Law::Sendable, format!("{request:?}: the header {name:?} {why}")));
        }
        if !is_header_value(value) {
            return Err((Law::Sendable, format!("{request:?}: HTTP does not take the value of the header {name}")));
        }
        if script.quotes_token && quotes_token(value) {
            return Err((Law::NoToken, format!("{request:?}: {name} repeats what an answer quoted of the token")));
        }
    }
    let repeats = || quotes_token(request.url().as_str()) || quotes_token(&String::from_utf8_lossy(request.body()));
    if script.quotes_token && repeats() {
        return Err((Law::NoToken, format!("{request:?} repeats what an answer quoted of the token")));
    }
    Ok(())
}

/// What breaks a law in these conclusions, but for the laws that are left out.
fn concluded(
    conversation: &Conversation<'_>,
    conclusions: &[Conclusion],
    script: &Script,
    without: &[Law],
) -> Result<(), Found> {
    let (items, said) = (conversation.items.len(), conclusions.len());
    if items != said {
        return Err((Law::OneVerdict, format!("it concludes {said} times on {items} items")));
    }
    let last = conversation.so_far.last();
    let sent_token = last.is_some_and(|exchange| exchange.request.wants_bearer());
    for Conclusion { verdict, detail, .. } in conclusions {
        let (waits, asked) = (wait_of(*verdict), last.and_then(asked_to_wait));
        let looks = [
            // The engine hides the token before anyone reads the detail.
            (Law::NoToken, script.quotes_token && quotes_token(&Secret::new(MARKER).hidden_in(detail))),
            (Law::TokenRefused, *verdict == Verdict::TokenRefused && !sent_token),
            (Law::Split, *verdict == Verdict::Split && items == 1),
            (Law::Wait, waits.zip(asked).is_some_and(|(waits, asked)| waits < asked)),
        ];
        let broken = looks.into_iter().find(|(law, broken)| *broken && !without.contains(law));
        if let Some((law, _)) = broken {
            let why = match law {
                Law::NoToken => format!("a detail changes the token, so that it is not hidden: {detail}"),
                Law::TokenRefused => "a token is refused that no request asked for".to_owned(),
                Law::Split => "a single item is split".to_owned(),
                _ => format!("{asked:?} is asked for, and {waits:?} is waited"),
            };
            return Err((law, why));
        }
    }
    Ok(())
}

fn wait_of(verdict: Verdict) -> Option<Span> {
    match verdict {
        Verdict::Busy { after, .. } | Verdict::NotYet { after } => Some(after),
        _ => None,
    }
}

/// What the provider asked for, where the answer means that it cannot now.
fn asked_to_wait(exchange: &Exchange) -> Option<Span> {
    let busy = matches!(exchange.answer.status, 408 | 423 | 429 | 500 | 502..=599);
    exchange.answer.retry_after(LONGEST_RETRY_AFTER).filter(|_| busy)
}

/// Whether a part of the token stands in it, also in other letters.
fn quotes_token(text: &str) -> bool {
    /// As many characters in a row as the engine takes for a part of a token.
    const PART: usize = 12;
    if text.len() < PART {
        return false;
    }
    let (text, marker) = (text.to_ascii_lowercase(), MARKER.to_ascii_lowercase());
    let letters = marker.as_bytes();
    letters.windows(PART).any(|part| std::str::from_utf8(part).is_ok_and(|part| text.contains(part)))
}
