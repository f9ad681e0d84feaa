//! What a credential suffers from, if anything, and what speaks for that: one total function of what is known. It explains,
//! and decides nothing: the rules do not ask it.

use alloc::vec::Vec;

use crate::clues::{Came, Clues, Sighting};
use crate::credential::{
    Cause, Credential, CredentialState, Grant, Held, Inquiry, Lack, Need, Standing, Token, TokenProof,
};
use crate::id::Epoch;
use crate::ruling::STRAY_REFUSALS;
use crate::time::{Span, Time};

/// What a credential suffers from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What it is.
    pub finding: Finding,
    /// What speaks for it, the weightiest first.
    pub grounds: Vec<Ground>,
}

/// What a credential can suffer from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Finding {
    /// Nothing: requests with its token are accepted.
    Working,
    /// Its token is new, and not all nodes of the provider know it yet.
    Propagating,
    /// Its token's life is over.
    Expired,
    /// Its token or its grant was revoked.
    Revoked,
    /// Its token works and lacks a scope.
    ScopeMissing,
    /// No request with its token was ever accepted, although it is old enough.
    NeverAccepted,
    /// What was seen does not tell, or nothing was seen yet.
    Unknown,
    /// Nobody authorised it yet.
    Unauthorised,
    /// The provider refuses the client.
    Misconfigured,
    /// A crash took its refresh token.
    GrantLost,
    /// Its token is refused, and there is nothing to get another with.
    Unrenewable,
}

impl Finding {
    /// All of them.
    pub const ALL: [Finding; 11] = [
        Finding::Working,
        Finding::Propagating,
        Finding::Expired,
        Finding::Revoked,
        Finding::ScopeMissing,
        Finding::NeverAccepted,
        Finding::Unknown,
        Finding::Unauthorised,
        Finding::Misconfigured,
        Finding::GrantLost,
        Finding::Unrenewable,
    ];

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Finding::Working => "working",
            Finding::Propagating => "propagating",
            Finding::Expired => "expired",
            Finding::Revoked => "revoked",
            Finding::ScopeMissing => "scope missing",
            Finding::NeverAccepted => "never accepted",
            Finding::Unknown => "unknown",
            Finding::Unauthorised => "unauthorised",
            Finding::Misconfigured => "misconfigured",
            Finding::GrantLost => "grant lost",
            Finding::Unrenewable => "not renewable",
        }
    }
}

/// Something that speaks for a finding, or explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ground {
    /// How old the token is, and how long its refusals still mean nothing.
    Age {
        /// Which token.
        epoch: Epoch,
        /// Since it was minted.
        age: Span,
        /// Until its settle window is over.
        settles_in: Span,
    },
    /// No request with the token was answered yet.
    Untried {
        /// Which token.
        epoch: Epoch,
    },
    /// A request with the token was accepted.
    Accepted {
        /// Which token.
        epoch: Epoch,
        /// Since the last one was sent.
        ago: Span,
    },
    /// Requests with the token were refused.
    Refused {
        /// Which token.
        epoch: Epoch,
        /// How many in a row.
        times: u32,
        /// Whether one was accepted before.
        worked: bool,
    },
    /// The nodes that answered do not agree, or do.
    Nodes {
        /// Which token.
        epoch: Epoch,
        /// How many of them take it.
        take: u32,
        /// How many of them refuse it.
        refuse: u32,
    },
    /// The token's life is over.
    Over {
        /// Which token.
        epoch: Epoch,
        /// For how long.
        ago: Span,
    },
    /// What the token before the newest was answered since the newest was minted.
    Before {
        /// Which token.
        epoch: Epoch,
        /// Since that request was sent.
        ago: Span,
        /// Whether it still works.
        works: bool,
    },
    /// A newer token waits to be proven.
    Next {
        /// Which token.
        epoch: Epoch,
        /// Since it was minted.
        age: Span,
        /// How many requests with it were refused.
        refusals: u32,
    },
    /// How the last token request ended.
    Renewal {
        /// Since then.
        ago: Span,
        /// How.
        came: Came,
    },
    /// A token request is due or out.
    Renewing {
        /// Until it may be made.
        wait: Span,
        /// How many had no known outcome.
        tries: u32,
    },
    /// A token request was cut off by a crash.
    CutOff,
    /// What the issuer said of the token.
    Issuer {
        /// Which token.
        epoch: Epoch,
        /// Since then.
        ago: Span,
        /// What.
        standing: Standing,
    },
    /// The issuer is asked about the token.
    AskingIssuer {
        /// Which token.
        epoch: Epoch,
    },
    /// An answer said that the token lacks a scope.
    Lacks {
        /// Which token.
        epoch: Epoch,
        /// Since then.
        ago: Span,
    },
    /// Another token is minted for the scope.
    MintsForScope {
        /// Until then.
        wait: Span,
    },
    /// Tokens in a row that were minted in vain.
    Fruitless {
        /// How many.
        tokens: u8,
    },
    /// The grant will not mint again.
    GrantEnded {
        /// Why.
        cause: Cause,
    },
    /// The grant's life is over.
    GrantOver {
        /// For how long.
        ago: Span,
    },
}

/// What a credential suffers from, and what speaks for it. Total and pure.
#[must_use]
pub fn diagnose(credential: &Credential, clues: &Clues, now: Time) -> Diagnosis {
    Diagnosis { finding: finding(credential, clues, now), grounds: grounds(credential, clues, now) }
}

/// The first line that fits counts; `table::diagnosis` is the same for people.
fn finding(credential: &Credential, clues: &Clues, now: Time) -> Finding {
    match credential.state {
        CredentialState::Dead { cause, since } => of_cause(cause, clues, since),
        CredentialState::Current { serving, .. } => of_serving(credential, clues, &serving, now),
        CredentialState::Refreshing { held: Held::Serving(token), why, .. } => {
            match of_serving(credential, clues, &token, now) {
                Finding::Working | Finding::Unknown if why == Need::Scope => Finding::ScopeMissing,
                found => found,
            }
        }
        CredentialState::Refreshing { held: Held::Lost(token), why, .. } => {
            of_lost(credential, clues, &token, why, now)
        }
    }
}

fn of_cause(cause: Cause, clues: &Clues, since: Time) -> Finding {
    match cause {
        Cause::NeverAuthorised => Finding::Unauthorised,
        Cause::Revoked => Finding::Revoked,
        Cause::NoRefreshToken => match clues.tokens.last() {
            Some(last) if last.expires <= since => Finding::Expired,
            _ => Finding::Unrenewable,
        },
        Cause::Misconfigured => Finding::Misconfigured,
        Cause::GrantLost => Finding::GrantLost,
        Cause::NeverAccepted => Finding::NeverAccepted,
    }
}

fn of_serving(credential: &Credential, clues: &Clues, token: &Token, now: Time) -> Finding {
    if token.is_expired(now) {
        return Finding::Expired;
    }
    if let Some(said) = said_dead(clues, token) {
        return said;
    }
    let settled = now >= token.issued.after(credential.terms.settle);
    match token.proof {
        TokenProof::Unproven { refusals: 0 } if lacks(credential, clues, token) => Finding::ScopeMissing,
        TokenProof::Unproven { refusals: 0 } => Finding::Unknown,
        TokenProof::Accepted { refusals: 0, .. } if lacks(credential, clues, token) => Finding::ScopeMissing,
        TokenProof::Accepted { refusals: 0, .. } => Finding::Working,
        TokenProof::Unproven { .. } | TokenProof::Accepted { .. } if !settled => Finding::Propagating,
        TokenProof::Unproven { .. } => Finding::NeverAccepted,
        TokenProof::Accepted { refusals, .. } if refusals < STRAY_REFUSALS => Finding::Unknown,
        TokenProof::Accepted { .. } => Finding::Revoked,
    }
}

fn of_lost(credential: &Credential, clues: &Clues, token: &Token, why: Need, now: Time) -> Finding {
    if why == Need::Reconfigured {
        return Finding::Unknown;
    }
    if why == Need::Expired || token.is_expired(now) {
        return Finding::Expired;
    }
    match of_serving(credential, clues, token, now) {
        Finding::Working | Finding::ScopeMissing => Finding::Unknown,
        found => found,
    }
}

/// What the issuer's word on this token comes to, if it was that the token is dead, and no request with it was accepted
/// since.
fn said_dead(clues: &Clues, token: &Token) -> Option<Finding> {
    let word = clues.issuer.filter(|word| word.epoch == token.epoch)?;
    let since = matches!(token.proof, TokenProof::Accepted { sent, .. } if sent > word.at);
    match word.standing {
        Standing::Expired if !since => Some(Finding::Expired),
        Standing::Revoked if !since => Some(Finding::Revoked),
        Standing::Active | Standing::Unknown | Standing::Expired | Standing::Revoked => None,
    }
}

/// Whether the token lacks a scope, as far as anybody has said.
fn lacks(credential: &Credential, clues: &Clues, token: &Token) -> bool {
    let waits = matches!(credential.lack, Lack::Waits { epoch, .. } if epoch >= token.epoch);
    // Also of its successor, which was minted for the scope and is tried beside it.
    let said = clues.lacked.filter(|lacked| lacked.epoch >= token.epoch);
    let in_vain = matches!(credential.lack, Lack::Minted { .. }) && said.is_some();
    let last = match token.proof {
        TokenProof::Accepted { sent, .. } => sent,
        TokenProof::Unproven { .. } => Time::ZERO,
    };
    waits || in_vain || said.is_some_and(|said| said.at >= last)
}

fn grounds(credential: &Credential, clues: &Clues, now: Time) -> Vec<Ground> {
    let mut grounds = Vec::new();
    match (credential.state, clues.tokens.last()) {
        (CredentialState::Current { serving, next }, _) => {
            of_token(credential, clues, &serving, now, &mut grounds);
            grounds.extend(next.map(|next| successor(&next, now)));
        }
        (CredentialState::Refreshing { held, tries, not_before, interrupted, why }, _) => {
            let (Held::Serving(token) | Held::Lost(token)) = held;
            // After a mended configuration there is no token to speak of.
            if why != Need::Reconfigured {
                of_token(credential, clues, &token, now, &mut grounds);
            }
            grounds.push(Ground::Renewing { wait: not_before.since(now), tries });
            grounds.extend(interrupted.then_some(Ground::CutOff));
        }
        (CredentialState::Dead { cause, .. }, Some(last)) => {
            of_sighting(clues, last, now, &mut grounds);
            grounds.extend((cause == Cause::GrantLost).then_some(Ground::CutOff));
        }
        (CredentialState::Dead { .. }, None) => {}
    }
    let before = clues.outlived().map(|(epoch, at, works)| Ground::Before { epoch, ago: now.since(at), works });
    grounds.extend(before);
    grounds.extend(clues.renewal.map(|last| Ground::Renewal { ago: now.since(last.at), came: last.came }));
    if credential.fruitless > 0 {
        grounds.push(Ground::Fruitless { tokens: credential.fruitless });
    }
    if let Grant::Ended { cause } = credential.grant {
        grounds.push(Ground::GrantEnded { cause });
    }
    if credential.ends <= now {
        grounds.push(Ground::GrantOver { ago: now.since(credential.ends) });
    }
    grounds
}

fn successor(next: &Token, now: Time) -> Ground {
    let (TokenProof::Unproven { refusals } | TokenProof::Accepted { refusals, .. }) = next.proof;
    Ground::Next { epoch: next.epoch, age: next.age(now), refusals }
}

/// What is known of the token that it has.
fn of_token(credential: &Credential, clues: &Clues, token: &Token, now: Time, grounds: &mut Vec<Ground>) {
    let epoch = token.epoch;
    let settles_in = token.issued.after(credential.terms.settle).since(now);
    grounds.push(Ground::Age { epoch, age: token.age(now), settles_in });
    if token.is_expired(now) {
        grounds.push(Ground::Over { epoch, ago: now.since(token.expires) });
    }
    match token.proof {
        TokenProof::Unproven { refusals: 0 } => grounds.push(Ground::Untried { epoch }),
        TokenProof::Unproven { refusals } => grounds.push(Ground::Refused { epoch, times: refusals, worked: false }),
        TokenProof::Accepted { sent, refusals } => {
            grounds.push(Ground::Accepted { epoch, ago: now.since(sent) });
            if refusals > 0 {
                grounds.push(Ground::Refused { epoch, times: refusals, worked: true });
            }
        }
    }
    of_nodes(clues, epoch, grounds);
    if credential.inquiry == (Inquiry::Asked { epoch }) {
        grounds.push(Ground::AskingIssuer { epoch });
    }
    of_words(clues, epoch, now, grounds);
    if let Lack::Waits { epoch: lacking, until } = credential.lack
        && lacking >= epoch
    {
        grounds.push(Ground::MintsForScope { wait: until.since(now) });
    }
}

/// What is known of the last token that a dead credential had.
fn of_sighting(clues: &Clues, last: &Sighting, now: Time, grounds: &mut Vec<Ground>) {
    let epoch = last.epoch;
    if last.expires <= now {
        grounds.push(Ground::Over { epoch, ago: now.since(last.expires) });
    }
    if let Some((_, at)) = last.accepted {
        grounds.push(Ground::Accepted { epoch, ago: now.since(at) });
    }
    if last.refusals > 0 {
        grounds.push(Ground::Refused { epoch, times: last.refusals, worked: last.accepted.is_some() });
    }
    of_nodes(clues, epoch, grounds);
    of_words(clues, epoch, now, grounds);
}

fn of_nodes(clues: &Clues, epoch: Epoch, grounds: &mut Vec<Ground>) {
    let (take, refuse) = clues.split(epoch);
    if refuse > 0 {
        grounds.push(Ground::Nodes { epoch, take, refuse });
    }
}

/// What the issuer said of a token, and what answers said of its scopes.
fn of_words(clues: &Clues, epoch: Epoch, now: Time, grounds: &mut Vec<Ground>) {
    let word = clues.issuer.filter(|word| word.epoch == epoch);
    grounds.extend(word.map(|word| Ground::Issuer { epoch, ago: now.since(word.at), standing: word.standing }));
    let lacked = clues.lacked.filter(|lacked| lacked.epoch >= epoch);
    grounds.extend(lacked.map(|lacked| Ground::Lacks { epoch: lacked.epoch, ago: now.since(lacked.at) }));
}
