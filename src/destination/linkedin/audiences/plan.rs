//! Which of the items one request can hold, and how what is said of its elements becomes what is said of the items.

use std::collections::HashMap;

use outlast_state::{Receipt, Span, Verdict};
use serde_json::Value;

use super::segment::{Kind, Segment};
use super::{Audiences, Draft, USERS, member};
use crate::destination::linkedin::invalid::Invalid;
use crate::destination::{Conclusion, Item};
use crate::exchange::Request;

/// What a conversation wants next.
pub(super) enum Step {
    Ask(Request),
    /// The same holds for all elements, and for those that the reference leaves out.
    All(Conclusion),
    /// One for each element.
    Each(Vec<Conclusion>),
}

/// What becomes of each item.
pub(super) struct Plan {
    fates: Vec<Fate>,
    segment: Option<Segment>,
    elements: Vec<Value>,
}

enum Fate {
    Refused(Invalid),
    /// It belongs to another segment than the first.
    Later,
    /// The reference does not send it, and calls it delivered.
    Silent,
    /// Its element in the request.
    Element(usize),
}

impl Plan {
    pub(super) fn new(audiences: &Audiences, items: &[Item<'_>]) -> Plan {
        let mut plan = Plan { fates: Vec::with_capacity(items.len()), segment: None, elements: Vec::new() };
        if let Some(invalid) = first_decides(audiences, items) {
            plan.fates = items.iter().map(|_| Fate::Refused(invalid.clone())).collect();
            return plan;
        }
        let mut known = HashMap::new();
        for item in items {
            let fate = match audiences.draft(item) {
                Err(invalid) => Fate::Refused(invalid),
                Ok(draft) => plan.place(draft, audiences.is_compat(), &mut known),
            };
            plan.fates.push(fate);
        }
        plan
    }

    fn place(&mut self, draft: Draft, compat: bool, known: &mut HashMap<String, usize>) -> Fate {
        let Draft { segment, element, .. } = draft;
        let kind = segment.kind;
        let first = self.segment.get_or_insert_with(|| segment.clone());
        // The reference streams all of a batch into the first one's segment.
        if !compat && (first.kind != kind || first.key != segment.key) {
            return Fate::Later;
        }
        let Some(element) = element else { return Fate::Silent };
        let next = self.elements.len();
        let position = match kind {
            Kind::Users => next,
            // Companies that are alike share an element, and its fate.
            Kind::Companies => *known.entry(element.to_string()).or_insert(next),
        };
        if position == next {
            self.elements.push(element);
        }
        Fate::Element(position)
    }

    /// The segment of what can be sent now; nothing when nothing can.
    pub(super) fn segment(&self) -> Option<&Segment> {
        self.segment.as_ref()
    }

    pub(super) fn elements(&self) -> &[Value] {
        &self.elements
    }

    /// One conclusion for each item, where `said` has one for each element.
    pub(super) fn conclude(self, compat: bool, said: &[Conclusion]) -> Vec<Conclusion> {
        let unsaid = || Conclusion::new(Verdict::Unknown, "LinkedIn did not say what became of it.");
        self.fates(compat, |position| position.and_then(|at| said.get(at)).cloned().unwrap_or_else(unsaid))
    }

    /// One conclusion for each item, where the same is said of all that the request is for.
    pub(super) fn conclude_alike(self, compat: bool, said: &Conclusion) -> Vec<Conclusion> {
        self.fates(compat, |_| said.clone())
    }

    fn fates(self, compat: bool, said: impl Fn(Option<usize>) -> Conclusion) -> Vec<Conclusion> {
        let conclude = |fate| match fate {
            Fate::Refused(invalid) => invalid.conclude(compat),
            Fate::Later => {
                let detail = "It belongs to another segment than others of its batch; sent on its own.";
                Conclusion::new(Verdict::NotYet { after: Span::ZERO }, detail)
            }
            Fate::Silent => said(None),
            Fate::Element(position) => said(Some(position)),
        };
        self.fates.into_iter().map(conclude).collect()
    }
}

/// The reference checks the first person of a batch, for all.
fn first_decides(audiences: &Audiences, items: &[Item<'_>]) -> Option<Invalid> {
    let first = items.first().filter(|first| audiences.is_compat() && first.action == USERS)?;
    member::same_keys(first.payload).err()
}

/// What the reference says of all once LinkedIn took the request.
pub(super) fn accepted(status: u16) -> Conclusion {
    Conclusion::new(Verdict::Accepted { receipt: Receipt { status } }, "")
}
