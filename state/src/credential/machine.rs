//! How a credential moves.

use super::{
    Cause, Credential, CredentialInput, CredentialState, CredentialWant, Grant, Held, Inquiry, Lack, Need, Offer,
    Terms, Token, TokenProof,
};
use crate::id::Epoch;
use crate::ruling::{Proof, Seen, Serving};
use crate::time::{Span, Time};

/// After a known expiry renewals keep at least this distance; see [`Credential::spaced`].
const AFTER_EXPIRY: Span = Span::from_secs(30);

/// So many fruitless epochs in a row, and the credential is dead.
pub(super) const FRUITLESS_LIMIT: u8 = 2;

impl Credential {
    /// A credential that nobody authorised yet.
    #[must_use]
    pub const fn unauthorised(terms: Terms, now: Time) -> Self {
        let state = CredentialState::Dead { cause: Cause::NeverAuthorised, since: now };
        Credential {
            state,
            epoch: Epoch::NONE,
            renewed: Time::ZERO,
            fruitless: 0,
            grant: Grant::Alive,
            ends: Time::NEVER,
            inquiry: Inquiry::None,
            lack: Lack::None,
            terms,
        }
    }

    /// The credential after `input` happened at `now`. Total and pure: a fact about another epoch leaves it as it was.
    #[must_use]
    pub fn step(self, input: CredentialInput, now: Time) -> Self {
        use CredentialInput::{
            Accepted, Authorised, ConfigurationChanged, Interrupted, Introspected, Misconfigured, Needed, RefreshDue,
            RefusedForGood, Renewed, Revoked, ScopeMissing, TokenRefused, Unknown,
        };
        match input {
            Needed { past, why } => self.needed(past, why, now),
            RefreshDue => self.refresh_due(now),
            Renewed { from, issued, expires, ends } if self.awaits(from) => {
                Credential { ends, ..self }.renewed(issued, expires, now)
            }
            RefusedForGood { from, cause } if self.awaits(from) => self.grant_ended(cause, now),
            Misconfigured { from } if self.awaits(from) => self.grant_ended(Cause::Misconfigured, now),
            Unknown { from, retry_at } if self.awaits(from) => self.again(retry_at, false),
            Interrupted => self.again(now, true),
            Accepted { epoch, sent } => self.accepted(epoch, sent, now),
            TokenRefused { epoch, sent } => self.map_token(epoch, |token| token.refused(sent)).questioned(epoch, now),
            Authorised { issued, expires, ends } => self.authorised(issued, expires, ends),
            ConfigurationChanged { terms } => Credential { terms, ..self }.reconfigured(now),
            Revoked => self.dead(Cause::Revoked, now),
            ScopeMissing { epoch } => self.scope_missing(epoch, now),
            Introspected { epoch, standing } => self.introspected(epoch, standing, now),
            Renewed { .. } | RefusedForGood { .. } | Misconfigured { .. } | Unknown { .. } => self,
        }
    }

    /// What its state asks of the world.
    #[must_use]
    pub fn wants(&self) -> CredentialWant {
        match self.state {
            CredentialState::Current { .. } => match (self.inquiry, self.planned()) {
                (Inquiry::Asked { epoch }, _) if self.is_questioned() => CredentialWant::Introspection { epoch },
                (_, Some(at)) => CredentialWant::Planned { at },
                (_, None) => CredentialWant::Nothing,
            },
            CredentialState::Refreshing { tries, not_before, .. } => {
                CredentialWant::Renewal { from: self.epoch, not_before, tries }
            }
            CredentialState::Dead { .. } => CredentialWant::Authorisation,
        }
    }

    /// What it can give to a request at `now` (S12: never a token that is known to be expired).
    #[must_use]
    pub fn offer(&self, now: Time) -> Offer {
        match self.state {
            CredentialState::Current { serving, .. } if serving.is_expired(now) => {
                Offer::Expired { past: serving.epoch }
            }
            CredentialState::Refreshing { held: Held::Serving(token), .. } if token.is_expired(now) => {
                Offer::Expired { past: token.epoch }
            }
            CredentialState::Current { serving, .. } => Offer::Token(serving),
            CredentialState::Refreshing { held: Held::Serving(token), .. } => Offer::Token(token),
            CredentialState::Refreshing { held: Held::Lost(_), .. } => Offer::Refreshing,
            CredentialState::Dead { .. } => Offer::Dead,
        }
    }

    /// How it is seen at `now` from the refusal of a request that was sent at `sent` with the token of `epoch`.
    #[must_use]
    pub fn seen(&self, epoch: Epoch, sent: Time, now: Time) -> Seen {
        let serving = match self.state {
            CredentialState::Current { serving, .. } => Serving::Epoch(serving.epoch),
            CredentialState::Refreshing { held: Held::Serving(token), .. } => Serving::Epoch(token.epoch),
            CredentialState::Refreshing { held: Held::Lost(_), .. } => Serving::Nothing,
            CredentialState::Dead { .. } => Serving::Dead,
        };
        match self.token(epoch) {
            Some(token) => Seen {
                serving,
                expired: token.is_expired(now),
                settles: self.settles(&token),
                proof: token.seen_from(sent),
            },
            None => Seen { serving, expired: false, settles: Time::ZERO, proof: Proof::Never },
        }
    }

    /// What is known about the token of `epoch`, while it is held.
    #[must_use]
    pub fn token(&self, epoch: Epoch) -> Option<Token> {
        let (first, second) = match self.state {
            CredentialState::Current { serving, next } => (Some(serving), next),
            CredentialState::Refreshing { held, .. } => (Some(held.token()), None),
            CredentialState::Dead { .. } => (None, None),
        };
        [first, second].into_iter().flatten().find(|token| token.epoch == epoch)
    }

    /// The epochs of the tokens that are held: what serves or was lost, and what is to serve next.
    pub fn epochs(&self) -> impl Iterator<Item = Epoch> + use<> {
        let (first, second) = match self.state {
            CredentialState::Current { serving, next } => (Some(serving), next),
            CredentialState::Refreshing { held, .. } => (Some(held.token()), None),
            CredentialState::Dead { .. } => (None, None),
        };
        [first, second].into_iter().flatten().map(|token| token.epoch)
    }

    fn awaits(&self, from: Epoch) -> bool {
        matches!(self.state, CredentialState::Refreshing { .. }) && from == self.epoch
    }

    fn needed(self, past: Epoch, why: Need, now: Time) -> Self {
        match self.state {
            CredentialState::Current { serving, next } if serving.epoch == past => {
                // S4: no refresh while a refusal means nothing, unless the expiry is known to have passed. And nothing
                // but its refusal or its expiry displaces a token that serves.
                let refused = why == Need::Refused && now >= self.settles(&serving);
                if !refused && !serving.is_expired(now) {
                    return self;
                }
                let asked = self.questioned(serving.epoch, now);
                if asked != self {
                    return asked;
                }
                self.counting_fruitless(serving, now).moved_past(serving, next, why, now)
            }
            CredentialState::Refreshing { held: Held::Serving(token), tries, not_before, interrupted, .. }
                if token.epoch == past && (token.is_expired(now) || why == Need::Refused) =>
            {
                let held = Held::Lost(token);
                Credential { state: CredentialState::Refreshing { held, tries, not_before, why, interrupted }, ..self }
            }
            CredentialState::Current { .. } | CredentialState::Refreshing { .. } | CredentialState::Dead { .. } => self,
        }
    }

    /// Away from `lost`: to the next token where there is one (the gate rules how it is tried), else to a refresh.
    fn moved_past(self, lost: Token, next: Option<Token>, why: Need, now: Time) -> Self {
        if let CredentialState::Dead { .. } = self.state {
            return self;
        }
        let state = match (next, self.grant) {
            (Some(serving), _) if !serving.is_expired(now) => CredentialState::Current { serving, next: None },
            (_, Grant::Ended { cause }) => CredentialState::Dead { cause, since: now },
            (_, Grant::Alive) => CredentialState::Refreshing {
                held: Held::Lost(lost),
                tries: 0,
                not_before: self.spaced(lost, now),
                why,
                interrupted: false,
            },
        };
        Credential { state, inquiry: Inquiry::None, ..self }
    }

    /// An epoch that was tried, refused beyond its window and never accepted says that minting does not help.
    fn counting_fruitless(self, lost: Token, now: Time) -> Self {
        match lost.proof {
            TokenProof::Unproven { refusals: 1.. } if !lost.is_expired(now) => self.fruitless_epoch(now),
            TokenProof::Unproven { .. } | TokenProof::Accepted { .. } => self,
        }
    }

    fn fruitless_epoch(self, now: Time) -> Self {
        let next = Credential { fruitless: self.fruitless.saturating_add(1), ..self };
        if next.fruitless >= FRUITLESS_LIMIT { next.dead(Cause::NeverAccepted, now) } else { next }
    }

    /// When the next token request may leave: one settle window after the last renewal; after a known expiry the longer of
    /// 30 s and half the token's lifetime. So a provider that mints dead tokens is asked at a bounded rate (L3).
    fn spaced(&self, lost: Token, now: Time) -> Time {
        if self.renewed == Time::ZERO {
            return now;
        }
        let lifetime = lost.expires.since(lost.issued);
        let distance = if lost.is_expired(now) { AFTER_EXPIRY.max(lifetime.part(2)) } else { self.terms.settle };
        // A long-lived token's half life is far behind it when it expires; the window bounds what a short one may ask.
        now.max(self.renewed.after(distance))
    }

    /// A planned refresh begins beside a token that serves. One that is expired is left, as if somebody had needed it: only
    /// a grant that dies when it is idle is renewed then, or one that an operator has renewed.
    ///
    /// A next token that waits for somebody to try it keeps no grant alive. It serves once the one before it is expired;
    /// until then a newer one takes its place.
    fn refresh_due(self, now: Time) -> Self {
        let CredentialState::Current { serving, next } = self.state else { return self };
        let waits = next.is_some() && self.keep_alive().is_none_or(|at| now < at);
        if self.grant != Grant::Alive || waits {
            return self;
        }
        let why = match self.lack {
            Lack::Waits { epoch, .. } if epoch == serving.epoch => Need::Scope,
            Lack::None | Lack::Waits { .. } | Lack::Minted { .. } => Need::Planned,
        };
        if serving.is_expired(now) {
            return self.moved_past(serving, next, why, now);
        }
        if now < self.settles(&serving) {
            return self;
        }
        let (held, not_before) = (Held::Serving(serving), self.spaced(serving, now));
        let state = CredentialState::Refreshing { held, tries: 0, not_before, why, interrupted: false };
        Credential { state, ..self }
    }

    fn authorised(self, issued: Time, expires: Time, ends: Time) -> Self {
        let serving = Token::minted(self.epoch.next(), issued, expires);
        let state = CredentialState::Current { serving, next: None };
        let fresh = Credential::unauthorised(self.terms, issued);
        Credential { state, epoch: serving.epoch, renewed: self.renewed, ends, ..fresh }
    }

    fn renewed(self, issued: Time, expires: Time, now: Time) -> Self {
        let CredentialState::Refreshing { held, why, .. } = self.state else { return self };
        let token = Token::minted(self.epoch.next(), issued, expires);
        let lack = if why == Need::Scope { Lack::Minted { epoch: token.epoch } } else { self.lack };
        let minted = Credential { epoch: token.epoch, renewed: now, lack, inquiry: Inquiry::None, ..self };
        match held {
            Held::Serving(serving) if !token.is_expired(now) => {
                Credential { state: CredentialState::Current { serving, next: Some(token) }, ..minted }
            }
            Held::Serving(serving) => Credential { state: CredentialState::Current { serving, next: None }, ..minted },
            Held::Lost(_) if !token.is_expired(now) => {
                Credential { state: CredentialState::Current { serving: token, next: None }, ..minted }
            }
            Held::Lost(_) => minted.fruitless_epoch(now).moved_past(token, None, Need::Expired, now),
        }
    }

    /// The grant will not mint again. A token that still serves goes on serving: its end is then the credential's.
    fn grant_ended(self, cause: Cause, now: Time) -> Self {
        let CredentialState::Refreshing { held, interrupted, .. } = self.state else { return self };
        let cause = if interrupted && cause == Cause::Revoked { Cause::GrantLost } else { cause };
        let grant = Grant::Ended { cause };
        match held {
            Held::Serving(serving) if !serving.is_expired(now) => {
                Credential { state: CredentialState::Current { serving, next: None }, grant, ..self }
            }
            Held::Serving(_) | Held::Lost(_) => Credential { grant, ..self }.dead(cause, now),
        }
    }

    fn again(self, retry_at: Time, crashed: bool) -> Self {
        match self.state {
            CredentialState::Refreshing { held, tries, not_before, why, interrupted } => {
                let tries = tries.saturating_add(1);
                let not_before = not_before.max(retry_at);
                let interrupted = interrupted || crashed;
                let state = CredentialState::Refreshing { held, tries, not_before, why, interrupted };
                Credential { state, ..self }
            }
            CredentialState::Current { .. } | CredentialState::Dead { .. } => self,
        }
    }

    fn accepted(self, epoch: Epoch, sent: Time, now: Time) -> Self {
        let proven = self.map_token(epoch, |token| token.accepted(sent));
        if self.token(epoch).is_none() {
            return self;
        }
        let proven = Credential { fruitless: 0, inquiry: Inquiry::None, ..proven };
        match proven.state {
            CredentialState::Current { next: Some(next), .. }
                if next.epoch == epoch && now >= next.issued.after(self.terms.settle) =>
            {
                Credential { state: CredentialState::Current { serving: next, next: None }, ..proven }
            }
            CredentialState::Current { .. } | CredentialState::Refreshing { .. } | CredentialState::Dead { .. } => {
                proven
            }
        }
    }

    fn reconfigured(self, now: Time) -> Self {
        match self.state {
            CredentialState::Dead { cause, .. } if cause == Cause::Misconfigured || self.mints_again(cause) => {
                let lost = Token::minted(self.epoch, Time::ZERO, Time::ZERO);
                let (held, why) = (Held::Lost(lost), Need::Reconfigured);
                let not_before = self.spaced(lost, now);
                let state = CredentialState::Refreshing { held, tries: 0, not_before, why, interrupted: false };
                Credential { state, grant: Grant::Alive, ..self }
            }
            CredentialState::Current { .. } if self.grant == (Grant::Ended { cause: Cause::Misconfigured }) => {
                Credential { grant: Grant::Alive, ..self }
            }
            CredentialState::Current { .. } | CredentialState::Refreshing { .. } | CredentialState::Dead { .. } => self,
        }
    }

    /// Whether it needs no human to get a token, and did not die of an operator's word.
    fn mints_again(&self, cause: Cause) -> bool {
        self.terms.mints && matches!(cause, Cause::NeverAuthorised | Cause::NoRefreshToken)
    }

    pub(super) fn dead(self, cause: Cause, now: Time) -> Self {
        let since = match self.state {
            CredentialState::Dead { since, .. } => since,
            CredentialState::Current { .. } | CredentialState::Refreshing { .. } => now,
        };
        Credential { state: CredentialState::Dead { cause, since }, ..self }
    }

    fn map_token(self, epoch: Epoch, change: impl Fn(Token) -> Token) -> Self {
        let map = |token: Token| if token.epoch == epoch { change(token) } else { token };
        let state = match self.state {
            CredentialState::Current { serving, next } => {
                CredentialState::Current { serving: map(serving), next: next.map(map) }
            }
            CredentialState::Refreshing { held, tries, not_before, why, interrupted } => {
                let held = match held {
                    Held::Serving(token) => Held::Serving(map(token)),
                    Held::Lost(token) => Held::Lost(map(token)),
                };
                CredentialState::Refreshing { held, tries, not_before, why, interrupted }
            }
            dead @ CredentialState::Dead { .. } => dead,
        };
        Credential { state, ..self }
    }
}
