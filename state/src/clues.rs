//! What was seen of a credential's tokens, beside what the rules need: it explains, and decides nothing.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use crate::credential::{Credential, Standing, Token};
use crate::gate::Evidence;
use crate::id::Epoch;
use crate::learned::Lesson;
use crate::time::{Span, Time};

/// While a token works, one acceptance in so long is kept, and one of each node in [`NODE_FRESH`]: a busy credential is not
/// written for what everybody knows.
const FRESH: Span = Span::from_secs(10);

const NODE_FRESH: Span = Span::from_secs(60);

/// So many tokens are remembered, the newest.
const TOKENS: usize = 4;

/// So many nodes are remembered, those that answered last.
const NODES: usize = 8;

/// A node's name is cut after so many bytes, and scopes after so many: a record has a limit.
const LONGEST_NAME: usize = 40;
const LONGEST_SCOPES: usize = 900;

/// What was seen of a credential's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Clues {
    /// The scopes that the token endpoint said the newest token has, as it wrote them; nothing where it did not say.
    pub scopes: Option<String>,
    /// The newest tokens, oldest first.
    pub tokens: Vec<Sighting>,
    /// The nodes of the provider that answered, if they say who they are.
    pub nodes: Vec<Node>,
    /// When the provider last took a token of it, or gave a new one.
    pub alive: Option<Time>,
    /// What became of the last token request.
    pub renewal: Option<TokenRequest>,
    /// What the issuer last said of a token.
    pub issuer: Option<IssuerWord>,
    /// The last answer that said that a token lacks a scope.
    pub lacked: Option<Lacked>,
}

/// What was seen of one token. Times are those at which a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sighting {
    /// Its generation.
    pub epoch: Epoch,
    /// When it was minted.
    pub issued: Time,
    /// When it expires.
    pub expires: Time,
    /// The first and the last request with it that was past authentication.
    pub accepted: Option<(Time, Time)>,
    /// The first and the last one that was refused.
    pub refused: Option<(Time, Time)>,
    /// How many were refused.
    pub refusals: u32,
    /// The last one that was refused within the settle window and before another was accepted: so long it was spreading.
    pub spread: Option<Time>,
    /// Whether it has taught what there is to learn from it.
    pub taught: bool,
}

/// What one node of the provider last said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    /// As its answers name it.
    pub name: String,
    /// The last token that it took, and when that request was sent.
    pub accepted: Option<(Epoch, Time)>,
    /// The last token that it refused.
    pub refused: Option<(Epoch, Time)>,
}

/// What became of a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TokenRequest {
    /// When that was known.
    pub at: Time,
    /// The newest epoch when it was made.
    pub from: Epoch,
    /// What became of it.
    pub came: Came,
}

/// How a token request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Came {
    /// With a new token.
    Renewed,
    /// The provider refuses the grant for good.
    Refused,
    /// The provider refuses the client.
    Misconfigured,
    /// With no known outcome, or a passing one.
    Unknown,
}

/// What an issuer said of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IssuerWord {
    /// When.
    pub at: Time,
    /// Of which token.
    pub epoch: Epoch,
    /// What.
    pub standing: Standing,
}

/// A token that lacks a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lacked {
    /// When that was said.
    pub at: Time,
    /// Of which token.
    pub epoch: Epoch,
}

impl Clues {
    /// There is a new token.
    pub fn minted(&mut self, token: &Token) {
        self.alive = self.alive.max(Some(token.issued));
        self.know(token);
    }

    /// A token request has ended.
    pub fn asked(&mut self, from: Epoch, came: Came, now: Time) {
        self.renewal = Some(TokenRequest { at: now, from, came });
    }

    /// What the token endpoint said the newest token permits. Where it says nothing, that is what was asked for (RFC 6749,
    /// section 5.1), or what the one before permitted (section 6): nothing changes.
    pub fn granted(&mut self, scopes: Option<&str>) {
        if let Some(scopes) = scopes {
            self.scopes = Some(cut(scopes, LONGEST_SCOPES).to_owned());
        }
    }

    /// A human brought a grant: what was said of the one before counts no more.
    pub fn authorised(&mut self) {
        (self.scopes, self.renewal, self.lacked) = (None, None, None);
    }

    /// Somebody said that the token of `epoch` lacks a scope. Says whether there is anything new in that.
    pub fn lacks(&mut self, epoch: Epoch, at: Time) -> bool {
        let known = self.lacked.is_some_and(|known| known.epoch == epoch && at.since(known.at) < FRESH);
        if !known {
            self.lacked = Some(Lacked { at, epoch });
        }
        !known
    }

    /// A request with the token of `epoch` was answered. Says whether there is anything new in that.
    pub fn heard(
        &mut self,
        credential: &Credential,
        epoch: Epoch,
        sent: Time,
        evidence: Evidence,
        node: Option<&str>,
    ) -> bool {
        if let Some(token) = credential.token(epoch)
            && !self.tokens.iter().any(|known| known.epoch == epoch)
        {
            self.know(&token);
        }
        let settle = credential.terms.settle;
        let Some(token) = self.tokens.iter_mut().find(|known| known.epoch == epoch) else { return false };
        match evidence {
            Evidence::Nothing => false,
            Evidence::Accepted => {
                let newer = token.accept(sent, settle);
                self.alive = if newer { self.alive.max(Some(sent)) } else { self.alive };
                newer | self.node_said(node, |node| &mut node.accepted, NODE_FRESH, epoch, sent)
            }
            Evidence::Refused => {
                token.refuse(sent);
                self.node_said(node, |node| &mut node.refused, Span::ZERO, epoch, sent);
                true
            }
        }
    }

    /// What the oldest token that has not taught yet teaches: one that worked, and whose window is over or that another
    /// followed. Only what was tried from early on says when it spread: the first answer came at an age below `early`.
    pub fn lesson(&mut self, settle: Span, early: Span, now: Time) -> Option<Lesson> {
        let newest = self.tokens.last()?.epoch;
        let over = |token: &Sighting| token.epoch < newest || now >= token.issued.after(settle);
        let done = |token: &&mut Sighting| !token.taught && token.accepted.is_some() && over(token);
        let token = self.tokens.iter_mut().find(done)?;
        token.taught = true;
        let age = |at: Time| at.since(token.issued);
        let (accepted, _) = token.accepted?;
        let refused = token.refused.map(|(first, _)| age(first)).filter(|age| *age < settle);
        let first = refused.map_or(age(accepted), |refused| refused.min(age(accepted)));
        let last_refusal = token.spread.map_or(first, age);
        (first < early).then_some(Lesson { first_refusal: refused, last_refusal, first_acceptance: age(accepted) })
    }

    /// What was seen of a token.
    #[must_use]
    pub fn of(&self, epoch: Epoch) -> Option<&Sighting> {
        self.tokens.iter().find(|known| known.epoch == epoch)
    }

    /// The token before the newest, if anything was heard of it after the newest was minted: whether it still works.
    #[must_use]
    pub fn outlived(&self) -> Option<(Epoch, Time, bool)> {
        let (newest, older) = self.tokens.split_last()?;
        let before = older.last()?;
        let since = |times: Option<(Time, Time)>| times.map(|(_, last)| last).filter(|last| *last > newest.issued);
        match (since(before.accepted), since(before.refused)) {
            (None, None) => None,
            (Some(accepted), refused) if refused.is_none_or(|refused| refused < accepted) => {
                Some((before.epoch, accepted, true))
            }
            (_, refused) => refused.map(|refused| (before.epoch, refused, false)),
        }
    }

    /// The nodes whose last word on this token was that they take it, and those that refuse it.
    #[must_use]
    pub fn split(&self, epoch: Epoch) -> (u32, u32) {
        let on = |word: Option<(Epoch, Time)>| word.filter(|(of, _)| *of == epoch).map(|(_, at)| at);
        self.nodes.iter().fold((0, 0), |(take, refuse): (u32, u32), node| match (on(node.accepted), on(node.refused)) {
            (None, None) => (take, refuse),
            (accepted, refused) if accepted >= refused => (take.saturating_add(1), refuse),
            _ => (take, refuse.saturating_add(1)),
        })
    }

    /// Cuts what is longer than this version writes, in case another wrote it.
    pub fn bound(&mut self) {
        let surplus = self.tokens.len().saturating_sub(TOKENS);
        self.tokens.drain(..surplus);
        self.nodes.truncate(NODES);
        for node in &mut self.nodes {
            node.name.truncate(cut(&node.name, LONGEST_NAME).len());
        }
        if let Some(scopes) = &mut self.scopes {
            scopes.truncate(cut(scopes, LONGEST_SCOPES).len());
        }
    }

    fn know(&mut self, token: &Token) {
        let Token { epoch, issued, expires, .. } = *token;
        let sighting = Sighting {
            epoch,
            issued,
            expires,
            accepted: None,
            refused: None,
            refusals: 0,
            spread: None,
            taught: false,
        };
        let at = self.tokens.partition_point(|known| known.epoch < epoch);
        self.tokens.insert(at, sighting);
        if self.tokens.len() > TOKENS {
            self.tokens.remove(0);
        }
    }

    fn node_said(
        &mut self,
        name: Option<&str>,
        word: impl Fn(&mut Node) -> &mut Option<(Epoch, Time)>,
        fresh: Span,
        epoch: Epoch,
        sent: Time,
    ) -> bool {
        let Some(name) = name else { return false };
        let name = cut(name, LONGEST_NAME);
        if !self.nodes.iter().any(|node| node.name == name) {
            self.make_room();
            self.nodes.push(Node { name: name.to_owned(), accepted: None, refused: None });
        }
        let Some(node) = self.nodes.iter_mut().find(|node| node.name == name) else { return false };
        let word = word(node);
        let known = word.is_some_and(|(of, at)| of > epoch || (of == epoch && (sent <= at || sent.since(at) < fresh)));
        if !known {
            *word = Some((epoch, sent));
        }
        !known
    }

    /// Forgets the node that was silent for longest, where there is no room for another.
    fn make_room(&mut self) {
        if self.nodes.len() < NODES {
            return;
        }
        let last = |node: &Node| [node.accepted, node.refused].into_iter().flatten().map(|(_, at)| at).max();
        let oldest = self.nodes.iter().enumerate().min_by_key(|(_, node)| last(node)).map(|(at, _)| at);
        if let Some(oldest) = oldest {
            self.nodes.remove(oldest);
        }
    }
}

impl Sighting {
    fn accept(&mut self, sent: Time, settle: Span) -> bool {
        if let Some((_, refused)) = self.refused
            && refused < sent
            && refused.since(self.issued) < settle
        {
            self.spread = self.spread.max(Some(refused));
        }
        match &mut self.accepted {
            None => {
                self.accepted = Some((sent, sent));
                true
            }
            Some((first, _)) if sent < *first => {
                *first = sent;
                true
            }
            // What was refused meanwhile makes the next acceptance news.
            Some((_, last))
                if sent.since(*last) >= FRESH || self.refused.is_some_and(|(_, at)| at > *last && sent > at) =>
            {
                *last = sent;
                true
            }
            Some(_) => false,
        }
    }

    fn refuse(&mut self, sent: Time) {
        self.refusals = self.refusals.saturating_add(1);
        let (first, last) = self.refused.unwrap_or((sent, sent));
        self.refused = Some((first.min(sent), last.max(sent)));
    }
}

/// The beginning of a text, so many bytes of it at most.
fn cut(text: &str, longest: usize) -> &str {
    let end = text.char_indices().map(|(at, letter)| at.saturating_add(letter.len_utf8()));
    let end = end.take_while(|end| *end <= longest).last().unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
