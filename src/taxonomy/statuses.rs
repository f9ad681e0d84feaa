//! What a status means where nothing closer is known of an API.

use outlast_state::{Load, Receipt, Span, Verdict, Why};

use super::phrases::status_code;
use crate::exchange::Answer;

/// `Retry-After` is believed up to here, then the answer is asked for again.
pub const LONGEST_RETRY_AFTER: Span = Span::from_secs(15 * 60);

/// Some statuses, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// The first of them.
    pub from: u16,
    /// The last of them.
    pub to: u16,
    /// What they mean for a request with one item.
    pub one: Meaning,
    /// What they mean for a request with several.
    pub many: Meaning,
    /// What the operator should know or do; a sentence, or nothing.
    pub advice: &'static str,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The destination has it.
    Accepted,
    /// The token was refused. Where none was sent, this is a rejection.
    TokenRefused,
    /// It cannot now: sent again, and the attempt counts.
    Failing,
    /// It asks to be asked less: sent again, and no attempt counts.
    Throttled,
    /// Never.
    Rejected,
    /// One of several items is at fault, or their size: halves find out which.
    Split,
    /// No final answer, so the request may have arrived.
    Unclear,
}

impl Meaning {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Meaning::Accepted => "accepted",
            Meaning::TokenRefused => "token refused",
            Meaning::Failing => "again, spends an attempt",
            Meaning::Throttled => "again, spends nothing",
            Meaning::Rejected => "rejected",
            Meaning::Split => "again in halves",
            Meaning::Unclear => "unclear, so again",
        }
    }
}

const fn row(from: u16, to: u16, one: Meaning, advice: &'static str) -> StatusRow {
    StatusRow { from, to, one, many: one, advice }
}

/// Rejected where it came for one item, and again in halves where it came for several.
const fn halved(status: u16, advice: &'static str) -> StatusRow {
    StatusRow { from: status, to: status, one: Meaning::Rejected, many: Meaning::Split, advice }
}

/// Every status, in order. A client never shows one below 200 as an answer, and there are none above 599.
pub const STATUSES: &[StatusRow] = &[
    row(0, 199, Meaning::Unclear, ""),
    row(200, 299, Meaning::Accepted, ""),
    row(300, 399, Meaning::Rejected, "Redirects are not followed; set the address to where it leads."),
    halved(400, "The provider cannot read it; look at the mapping."),
    row(
        401,
        401,
        Meaning::TokenRefused,
        "The provider does not know who sends; check the secrets, or give the destination a credential.",
    ),
    row(402, 402, Meaning::Rejected, "Look at the account at the provider."),
    row(403, 403, Meaning::Rejected, "The account may not do this; grant it the permission, then redrive."),
    row(404, 404, Meaning::Rejected, "Nothing is at this address; check it."),
    row(405, 407, Meaning::Rejected, ""),
    row(408, 408, Meaning::Failing, ""),
    row(409, 409, Meaning::Rejected, ""),
    row(
        410,
        410,
        Meaning::Rejected,
        "There will never be anything at this address again; pause or remove the destination.",
    ),
    row(411, 412, Meaning::Rejected, ""),
    halved(413, "It is too large; send less, or smaller batches."),
    row(414, 421, Meaning::Rejected, ""),
    halved(422, "The provider does not take its fields; look at the mapping."),
    row(423, 423, Meaning::Failing, ""),
    row(424, 428, Meaning::Rejected, ""),
    row(429, 429, Meaning::Throttled, ""),
    row(430, 499, Meaning::Rejected, ""),
    row(500, 500, Meaning::Failing, ""),
    row(501, 501, Meaning::Rejected, "The provider does not know this method; check it."),
    row(502, 599, Meaning::Failing, ""),
    row(600, u16::MAX, Meaning::Unclear, ""),
];

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How many items.
    pub items: usize,
    /// Whether a token went with it.
    pub token: bool,
}

impl Sent {
    /// One item, without a token.
    pub const ALONE: Sent = Sent { items: 1, token: false };
}

/// An answer, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it means for every item.
    pub verdict: Verdict,
    /// The status's code; empty for an acceptance.
    pub code: &'static str,
    /// What the operator should know or do; a sentence, or nothing.
    pub advice: &'static str,
}

/// What an answer means by its status and its `Retry-After`.
#[must_use]
pub fn read(answer: &Answer, sent: Sent) -> Reading {
    let status = answer.status;
    let verdict = verdict(status, answer.retry_after(LONGEST_RETRY_AFTER), sent);
    let code = if matches!(verdict, Verdict::Accepted { .. }) { "" } else { status_code(status) };
    Reading { verdict, code, advice: advice(status) }
}

/// What a status means, with the wait that the provider asked for.
#[must_use]
pub fn verdict(status: u16, retry_after: Option<Span>, sent: Sent) -> Verdict {
    let row = find(status);
    let meaning = row.map_or(Meaning::Unclear, |row| if sent.items > 1 { row.many } else { row.one });
    let after = retry_after.unwrap_or(Span::ZERO).min(LONGEST_RETRY_AFTER);
    match meaning {
        Meaning::Accepted => Verdict::Accepted { receipt: Receipt { status } },
        Meaning::TokenRefused if sent.token => Verdict::TokenRefused,
        Meaning::Failing => Verdict::Busy { after, load: Load::Failing },
        Meaning::Throttled => Verdict::Busy { after, load: Load::Throttled },
        Meaning::Rejected | Meaning::TokenRefused => Verdict::Refused { why: Why::Rejected { status } },
        Meaning::Split => Verdict::Split,
        Meaning::Unclear => Verdict::Unknown,
    }
}

/// What the operator should know or do about a status; a sentence, or nothing.
#[must_use]
pub fn advice(status: u16) -> &'static str {
    find(status).map_or("", |row| row.advice)
}

fn find(status: u16) -> Option<&'static StatusRow> {
    STATUSES.iter().find(|row| (row.from..=row.to).contains(&status))
}
