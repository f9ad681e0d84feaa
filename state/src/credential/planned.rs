//! Make before break: when a token is renewed while it still serves, and when its successor is tried.

use super::{Credential, CredentialState, Grant, Lack, Token, TokenProof};
use crate::time::{Span, Time, hash};

impl Credential {
    /// When its next planned refresh is due, if one is.
    ///
    /// A token that was used is renewed after the profile's part of its life, and up to a twentieth of its life earlier, so
    /// that credentials that were authorised together are not renewed together. One that nobody used is not: there is
    /// nothing to keep unbroken. A grant that dies when it is idle is renewed before that, used or not, also while a next
    /// token waits that nobody has tried. Nothing is planned where a new token would live no longer than this one: close to
    /// the end of the grant.
    #[must_use]
    pub fn planned(&self) -> Option<Time> {
        let CredentialState::Current { serving, next } = self.state else { return None };
        if self.grant != Grant::Alive {
            return None;
        }
        let settles = self.settles(&serving);
        let due = match next {
            None => [self.due_by_life(&serving), self.keep_alive(), self.due_by_scope(&serving)],
            Some(_) => [None, self.keep_alive(), None],
        };
        due.into_iter().flatten().min().map(|at| at.max(settles)).filter(|at| *at < Time::NEVER)
    }

    /// When its grant dies if it is not used before; `None` where it does not die of that, or has ended.
    #[must_use]
    pub fn idle_end(&self) -> Option<Time> {
        Some(self.used()?.after(self.terms.idle)).filter(|_| self.terms.idle < Span::MAX)
    }

    /// When its grant is renewed so that it does not die of being idle: after three quarters of the time that it may be.
    #[must_use]
    pub fn keep_alive(&self) -> Option<Time> {
        let at = self.used()?.after(self.terms.idle.part(4).times(3));
        Some(at).filter(|at| self.terms.idle < Span::MAX && at.after(self.terms.settle) < self.ends)
    }

    /// When its grant was last used.
    fn used(&self) -> Option<Time> {
        let newest = match self.state {
            CredentialState::Current { serving, next } => next.unwrap_or(serving),
            CredentialState::Refreshing { held, .. } => held.token(),
            CredentialState::Dead { .. } => return None,
        };
        Some(self.renewed.max(newest.issued)).filter(|_| self.grant == Grant::Alive)
    }

    fn due_by_life(&self, serving: &Token) -> Option<Time> {
        let used = matches!(serving.proof, TokenProof::Accepted { .. });
        let gains = serving.expires.after(self.terms.settle) < self.ends;
        if !used || self.terms.renew_at >= 100 || serving.expires == Time::NEVER || !gains {
            return None;
        }
        let life = serving.expires.since(serving.issued);
        let part = life.part(100).times(u64::from(self.terms.renew_at));
        let earlier = fraction(life.part(20), self.terms.seed, serving.epoch.number());
        let settled = self.settles(serving);
        Some(serving.issued.after(part.less(earlier)).max(settled)).filter(|at| *at < serving.expires)
    }

    fn due_by_scope(&self, serving: &Token) -> Option<Time> {
        match self.lack {
            Lack::Waits { epoch, until } if epoch == serving.epoch => Some(until),
            Lack::None | Lack::Waits { .. } | Lack::Minted { .. } => None,
        }
    }

    /// The token that the next canary carries while another one serves, and from when on. It waits for its settle window
    /// where what serves outlives that; if not, it is tried while it is young, from the age `young` on, so that it is known
    /// when it has to serve.
    #[must_use]
    pub fn trial(&self, young: Span) -> Option<(Token, Time)> {
        let CredentialState::Current { serving, next: Some(next) } = self.state else { return None };
        let settled = next.issued.after(self.terms.settle);
        let outlived = serving.expires > settled.after(young);
        let from = if outlived { settled } else { settled.min(next.issued.after(young)) };
        Some((next, from))
    }
}

/// A part of `span` between nothing and all of it, by a hash.
fn fraction(span: Span, seed: u64, salt: u32) -> Span {
    let rest = hash(seed, u64::from(salt)).checked_rem(span.as_millis().saturating_add(1));
    Span::from_millis(rest.unwrap_or(0))
}
