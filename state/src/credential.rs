//! The credential: one OAuth grant and its token generations, as a state machine of three states.
//!
//! The core has no token type: a [`Token`] here is what is known *about* an access token, under its epoch's number.

use crate::id::Epoch;
use crate::ruling::{Proof, Seen, Serving};
use crate::time::{Span, Time};

/// What is known of one credential. A value; [`Credential::step`] gives the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Credential {
    /// Where it stands.
    pub state: CredentialState,
    /// The newest epoch that it ever had. Grows by one with each new token, also across death.
    pub epoch: Epoch,
    /// When the last renewal was stored; [`Time::ZERO`] before the first. Renewals keep their distance from it (L3).
    pub renewed: Time,
    /// Epochs in a row that were refused beyond their settle window and never accepted, or were expired on arrival.
    pub fruitless: u8,
    /// Whether the grant can still mint.
    pub grant: Grant,
    /// The numbers of its profile that the rules use.
    pub terms: Terms,
}

/// Where a credential stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CredentialState {
    /// It has a token.
    Current {
        /// The token that requests carry.
        serving: Token,
        /// A newer one that does not serve yet: it is proven by canaries first (make before break).
        next: Option<Token>,
    },
    /// A token request is due or in the air. Storing this state is the intent, and comes before the call (S7).
    Refreshing {
        /// What it has in the meantime.
        held: Held,
        /// How many calls had no known outcome.
        tries: u32,
        /// No call before this.
        not_before: Time,
        /// What asked for it.
        why: Need,
        /// Whether a call was interrupted by a crash: the provider may have replaced the refresh token unheard.
        interrupted: bool,
    },
    /// It has nothing, and only a human can change that. Also the state before the first token.
    Dead {
        /// Why.
        cause: Cause,
        /// Since when.
        since: Time,
    },
}

impl CredentialState {
    /// The names of the three states, in the order of their declaration.
    pub const NAMES: [&'static str; 3] = ["Current", "Refreshing", "Dead"];

    /// Its name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            CredentialState::Current { .. } => "Current",
            CredentialState::Refreshing { .. } => "Refreshing",
            CredentialState::Dead { .. } => "Dead",
        }
    }
}

/// What is known about one access token. Never the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Token {
    /// Its generation.
    pub epoch: Epoch,
    /// When it was minted.
    pub issued: Time,
    /// When it expires; [`Time::NEVER`] when the provider does not say.
    pub expires: Time,
    /// What its requests showed.
    pub proof: TokenProof,
}

/// What the requests with a token showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TokenProof {
    /// None was past authentication.
    Unproven {
        /// How many were refused.
        refusals: u32,
    },
    /// At least one was.
    Accepted {
        /// When the latest of those was sent.
        sent: Time,
        /// How many requests in a row were refused since.
        refusals: u32,
    },
}

/// What a refreshing credential has in the meantime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Held {
    /// A token that still serves: the refresh was planned.
    Serving(Token),
    /// A token that is refused or expired.
    Lost(Token),
}

impl Held {
    const fn token(self) -> Token {
        match self {
            Held::Serving(token) | Held::Lost(token) => token,
        }
    }
}

/// What asked for a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Need {
    /// The token was refused, and that meant something.
    Refused,
    /// Its lifetime is over.
    Expired,
    /// Its time had come, while it still served.
    Planned,
    /// The configuration that had failed was changed.
    Reconfigured,
}

/// Whether the grant can still mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Grant {
    /// As far as is known, yes.
    Alive,
    /// No. The token that still serves is the last one.
    Ended {
        /// Why.
        cause: Cause,
    },
}

/// Why a credential is dead. Each is mended by a human.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Cause {
    /// Nobody authorised it yet.
    NeverAuthorised,
    /// The provider says that the grant is expired or revoked, or an operator revoked it: authorise it again.
    Revoked,
    /// The token is gone and there is no refresh token to mint another: authorise it again.
    NoRefreshToken,
    /// The provider refuses the client: correct its id or secret.
    Misconfigured,
    /// A refresh was cut off by a crash, and its refresh token is no longer good: authorise it again.
    GrantLost,
    /// Token after token was minted and none was ever accepted: look at the application's standing with the provider.
    NeverAccepted,
}

/// The numbers of a profile that the rules use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Terms {
    /// The age below which a refusal of a token means nothing. Also the distance of two renewals.
    pub settle: Span,
}

/// Something that happened to a credential. `from` is [`Credential::epoch`] when the call was made: the answer to a call
/// that began before somebody else brought a new token is about a grant that has moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CredentialInput {
    /// Somebody needs a token beyond this epoch.
    Needed {
        /// The epoch that is no longer good.
        past: Epoch,
        /// Why not.
        why: Need,
    },
    /// The time for a planned refresh came.
    RefreshDue,
    /// The provider minted a token, and it is stored with this input.
    Renewed {
        /// Which call.
        from: Epoch,
        /// When it was minted.
        issued: Time,
        /// When it expires.
        expires: Time,
    },
    /// The provider says that the grant will never mint again.
    RefusedForGood {
        /// Which call.
        from: Epoch,
        /// What it died of.
        cause: Cause,
    },
    /// The provider refuses the client, not the grant.
    Misconfigured {
        /// Which call.
        from: Epoch,
    },
    /// The call had no known outcome, or a passing one.
    Unknown {
        /// Which call.
        from: Epoch,
        /// When to try again, with the same refresh token.
        retry_at: Time,
    },
    /// A request with this token was past authentication.
    Accepted {
        /// Its epoch.
        epoch: Epoch,
        /// When it was sent.
        sent: Time,
    },
    /// A request with this token was refused for the token.
    TokenRefused {
        /// Its epoch.
        epoch: Epoch,
        /// When it was sent.
        sent: Time,
    },
    /// The store was opened and a refresh was intended: its call may have been made.
    Interrupted,
    /// A human brought a grant and its token.
    Authorised {
        /// When the token was minted.
        issued: Time,
        /// When it expires.
        expires: Time,
    },
    /// Profile or client are not what they were.
    ConfigurationChanged {
        /// The numbers that hold from now on.
        terms: Terms,
    },
    /// An operator ended it.
    Revoked,
}

/// What a credential asks of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialWant {
    /// Nothing.
    Nothing,
    /// A token request, not before this time.
    Renewal {
        /// What the answer has to name.
        from: Epoch,
        /// From when.
        not_before: Time,
        /// How many calls had no known outcome, for the backoff.
        tries: u32,
    },
    /// A human.
    Authorisation,
}

/// What a credential can give to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offer {
    /// The token of this epoch.
    Token(Token),
    /// Nothing: what it serves is expired. It is to be told [`CredentialInput::Needed`].
    Expired {
        /// The epoch that is no longer good.
        past: Epoch,
    },
    /// Nothing until its refresh has an outcome.
    Refreshing,
    /// Nothing until a human acts.
    Dead,
}

/// After a known expiry renewals keep at least this distance; see [`Credential::spaced`].
const AFTER_EXPIRY: Span = Span::from_secs(30);

/// So many fruitless epochs in a row, and the credential is dead.
const FRUITLESS_LIMIT: u8 = 2;

impl Credential {
    /// A credential that nobody authorised yet.
    #[must_use]
    pub const fn unauthorised(terms: Terms, now: Time) -> Self {
        let state = CredentialState::Dead { cause: Cause::NeverAuthorised, since: now };
        Credential { state, epoch: Epoch::NONE, renewed: Time::ZERO, fruitless: 0, grant: Grant::Alive, terms }
    }

    /// The credential after `input` happened at `now`. Total and pure: a fact about another epoch leaves it as it was.
    #[must_use]
    pub fn step(self, input: CredentialInput, now: Time) -> Self {
        use CredentialInput::{
            Accepted, Authorised, ConfigurationChanged, Interrupted, Misconfigured, Needed, RefreshDue, RefusedForGood,
            Renewed, Revoked, TokenRefused, Unknown,
        };
        match input {
            Needed { past, why } => self.needed(past, why, now),
            RefreshDue => self.refresh_due(now),
            Renewed { from, issued, expires } if self.awaits(from) => self.renewed(issued, expires, now),
            RefusedForGood { from, cause } if self.awaits(from) => self.grant_ended(cause, now),
            Misconfigured { from } if self.awaits(from) => self.grant_ended(Cause::Misconfigured, now),
            Unknown { from, retry_at } if self.awaits(from) => self.again(retry_at, false),
            Interrupted => self.again(now, true),
            Accepted { epoch, sent } => self.accepted(epoch, sent, now),
            TokenRefused { epoch, sent } => self.map_token(epoch, |token| token.refused(sent)),
            Authorised { issued, expires } => {
                let serving = Token::minted(self.epoch.next(), issued, expires);
                let state = CredentialState::Current { serving, next: None };
                Credential { state, epoch: serving.epoch, fruitless: 0, grant: Grant::Alive, ..self }
            }
            ConfigurationChanged { terms } => Credential { terms, ..self }.reconfigured(now),
            Revoked => self.dead(Cause::Revoked, now),
            Renewed { .. } | RefusedForGood { .. } | Misconfigured { .. } | Unknown { .. } => self,
        }
    }

    /// What its state asks of the world.
    #[must_use]
    pub const fn wants(&self) -> CredentialWant {
        match self.state {
            CredentialState::Current { .. } => CredentialWant::Nothing,
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
                settles: token.issued.after(self.terms.settle),
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

    fn awaits(&self, from: Epoch) -> bool {
        matches!(self.state, CredentialState::Refreshing { .. }) && from == self.epoch
    }

    fn needed(self, past: Epoch, why: Need, now: Time) -> Self {
        match self.state {
            CredentialState::Current { serving, next } if serving.epoch == past => {
                // S4: no refresh while a refusal means nothing, unless the expiry is known to have passed.
                let expired = serving.is_expired(now);
                if !expired && (why == Need::Expired || now < serving.issued.after(self.terms.settle)) {
                    return self;
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
        Credential { state, ..self }
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

    fn refresh_due(self, now: Time) -> Self {
        match self.state {
            CredentialState::Current { serving, next: None }
                if self.grant == Grant::Alive
                    && !serving.is_expired(now)
                    && now >= serving.issued.after(self.terms.settle) =>
            {
                let not_before = self.spaced(serving, now);
                let (held, why) = (Held::Serving(serving), Need::Planned);
                let state = CredentialState::Refreshing { held, tries: 0, not_before, why, interrupted: false };
                Credential { state, ..self }
            }
            CredentialState::Current { .. } | CredentialState::Refreshing { .. } | CredentialState::Dead { .. } => self,
        }
    }

    fn renewed(self, issued: Time, expires: Time, now: Time) -> Self {
        let CredentialState::Refreshing { held, .. } = self.state else { return self };
        let token = Token::minted(self.epoch.next(), issued, expires);
        let minted = Credential { epoch: token.epoch, renewed: now, ..self };
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
        let proven = Credential { fruitless: 0, ..proven };
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
            CredentialState::Dead { cause: Cause::Misconfigured, .. } => {
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

    fn dead(self, cause: Cause, now: Time) -> Self {
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

impl Token {
    /// A token that no request carried yet.
    #[must_use]
    pub const fn minted(epoch: Epoch, issued: Time, expires: Time) -> Self {
        Token { epoch, issued, expires, proof: TokenProof::Unproven { refusals: 0 } }
    }

    /// Whether its lifetime is known to be over.
    #[must_use]
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires <= now
    }

    /// How old it is.
    #[must_use]
    pub fn age(&self, now: Time) -> Span {
        now.since(self.issued)
    }

    fn accepted(self, sent: Time) -> Self {
        let proof = match self.proof {
            TokenProof::Unproven { .. } => TokenProof::Accepted { sent, refusals: 0 },
            TokenProof::Accepted { sent: before, .. } if sent >= before => TokenProof::Accepted { sent, refusals: 0 },
            // Sent before the one that counts: it says nothing about the refusals since.
            known @ TokenProof::Accepted { .. } => known,
        };
        Token { proof, ..self }
    }

    fn refused(self, at: Time) -> Self {
        let proof = match self.proof {
            TokenProof::Unproven { refusals } => TokenProof::Unproven { refusals: refusals.saturating_add(1) },
            TokenProof::Accepted { sent, refusals } if at > sent => {
                TokenProof::Accepted { sent, refusals: refusals.saturating_add(1) }
            }
            known @ TokenProof::Accepted { .. } => known,
        };
        Token { proof, ..self }
    }

    fn seen_from(&self, refused: Time) -> Proof {
        match self.proof {
            TokenProof::Unproven { .. } => Proof::Never,
            TokenProof::Accepted { sent, refusals } => Proof::Accepted { later: sent >= refused, refusals },
        }
    }
}
