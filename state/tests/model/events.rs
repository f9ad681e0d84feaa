//! What can happen, and when.

use outlast_state::{CredentialState, Epoch, Grant, Held, State, Token, TokenProof, Want};

use super::world::{NOW, World, ago};

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// A delivery is looked at, and sent if it may be.
    Admit(usize),
    /// It is sent as a canary of the next token.
    AdmitNext(usize),
    Answer(usize, Reply),
    /// The token request that a credential wants leaves.
    Call(usize),
    /// It ends.
    Renewal(usize, Outcome),
    RefreshDue(usize),
    Tick,
    /// Time passes, and the lifetime of what serves is over with it.
    Expire(usize),
    /// The provider ends the tokens up to this one, and says nothing.
    Kill(usize, Epoch),
    Crash,
    Human(Human),
}

/// What the destination answers, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Accepted,
    Rejected,
    Failing,
    Throttled,
    NotYet,
    TokenRefused,
    Split,
    Unknown,
}

pub(crate) const REPLIES: [Reply; 8] = [
    Reply::Accepted,
    Reply::Rejected,
    Reply::Failing,
    Reply::Throttled,
    Reply::NotYet,
    Reply::TokenRefused,
    Reply::Split,
    Reply::Unknown,
];

/// How a token request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Renewed,
    RenewedExpired,
    RefusedForGood,
    Misconfigured,
    Unknown,
}

pub(crate) const OUTCOMES: [Outcome; 5] =
    [Outcome::Renewed, Outcome::RenewedExpired, Outcome::RefusedForGood, Outcome::Misconfigured, Outcome::Unknown];

/// What an operator does, or the caller who set a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Human {
    Cancel(usize),
    Deadline(usize),
    Redrive(usize),
    Pause,
    Resume,
    Authorise(usize),
    Mend(usize),
    Revoke(usize),
}

/// Whether a token request waits until the one before has ended. In the shell it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    OneAtATime,
    Any,
}

/// What a configuration leaves out, to stay small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// Planned refreshes, and with them the next token.
    pub(crate) planned: bool,
    /// Throttling, and an operator's pause.
    pub(crate) held_back: bool,
    /// Every verdict, every outcome, and what operators do; else accepted, refused and unknown, and authorisation alone.
    pub(crate) all: bool,
    pub(crate) calls: Calls,
}

impl Event {
    /// Neither time, nor a human, nor a crash: what can follow one another without end only if a rule lets it.
    pub(crate) const fn is_quick(self) -> bool {
        !matches!(self, Event::Tick | Event::Expire(_) | Event::Crash | Event::Human(_) | Event::Kill(..))
    }
}

impl<const D: usize, const C: usize> World<D, C> {
    /// Everything that may happen here.
    pub(crate) fn events(&self, scope: Scope) -> Vec<Event> {
        let mut all = Vec::with_capacity(32);
        for index in 0..D {
            self.of_parcel(index, scope, &mut all);
        }
        for index in 0..C {
            self.of_keeper(index, scope, &mut all);
        }
        if self.may_pass() {
            all.push(Event::Tick);
        }
        all.push(Event::Crash);
        if scope.held_back {
            all.push(Event::Human(if self.paused { Human::Resume } else { Human::Pause }));
        }
        if !scope.all {
            all.retain(|event| match event {
                Event::Answer(_, reply) => matches!(reply, Reply::Accepted | Reply::TokenRefused | Reply::Unknown),
                Event::Renewal(_, outcome) => {
                    matches!(outcome, Outcome::Renewed | Outcome::RefusedForGood | Outcome::Unknown)
                }
                Event::Human(human) => matches!(human, Human::Authorise(_)),
                Event::Kill(..) => false,
                _ => true,
            });
        }
        all
    }

    /// No request is in the air for longer than a tick: its time is over before.
    pub(crate) fn may_pass(&self) -> bool {
        let waits = |state| matches!(state, State::Sending { .. });
        !self.parcels.iter().any(|parcel| waits(parcel.delivery.state) && parcel.sent < NOW)
    }

    fn of_parcel(&self, index: usize, scope: Scope, all: &mut Vec<Event>) {
        let delivery = self.parcels[index].delivery;
        match delivery.wants() {
            Want::Admission { from } if from > NOW => {}
            Want::Admission { .. } | Want::Token { .. } => {
                all.push(Event::Admit(index));
                if scope.planned {
                    all.push(Event::AdmitNext(index));
                }
            }
            Want::Answer { .. } => {
                let dead = self.is_dead_token(index);
                for reply in REPLIES {
                    let possible = !dead || matches!(reply, Reply::TokenRefused | Reply::Unknown);
                    if possible && (scope.held_back || reply != Reply::Throttled) {
                        all.push(Event::Answer(index, reply));
                    }
                }
            }
            Want::Nothing => {
                if let State::Failed { .. } = delivery.state {
                    all.push(Event::Human(Human::Redrive(index)));
                }
                all.push(Event::Human(Human::Cancel(index)));
                return;
            }
        }
        all.push(Event::Human(Human::Cancel(index)));
        all.push(Event::Human(Human::Deadline(index)));
    }

    /// Whether the request in the air carries a token that the provider ended.
    pub(crate) fn is_dead_token(&self, index: usize) -> bool {
        let killed = self.keepers[Self::via(index)].killed;
        matches!(self.parcels[index].delivery.state, State::Sending { epoch, .. } if epoch <= killed)
    }

    fn of_keeper(&self, index: usize, scope: Scope, all: &mut Vec<Event>) {
        let keeper = &self.keepers[index];
        if keeper.calling.is_some() {
            all.extend(OUTCOMES.map(|outcome| Event::Renewal(index, outcome)));
        }
        let mut tokens = [None, None];
        match keeper.credential.state {
            CredentialState::Current { serving, next } => {
                tokens = [Some(serving), next];
                if scope.planned && next.is_none() {
                    all.push(Event::RefreshDue(index));
                }
            }
            CredentialState::Refreshing { held, not_before, .. } => {
                if (keeper.calling.is_none() || scope.calls == Calls::Any) && not_before <= NOW {
                    all.push(Event::Call(index));
                }
                if let Held::Serving(token) = held {
                    tokens = [Some(token), None];
                }
            }
            CredentialState::Dead { .. } => all.push(Event::Human(Human::Authorise(index))),
        }
        if keeper.credential.state.name() != "Dead" {
            all.push(Event::Human(Human::Revoke(index)));
        }
        let misconfigured = outlast_state::Cause::Misconfigured;
        let died = matches!(keeper.credential.state, CredentialState::Dead { cause, .. } if cause == misconfigured);
        if died || keeper.credential.grant == (Grant::Ended { cause: misconfigured }) {
            all.push(Event::Human(Human::Mend(index)));
        }
        if let [Some(serving), _] = tokens
            && !serving.is_expired(NOW)
            && serving.issued <= ago(1)
            && self.may_pass()
        {
            all.push(Event::Expire(index));
        }
        for token in tokens.into_iter().flatten().filter(|token| token.epoch > keeper.killed) {
            all.push(Event::Kill(index, token.epoch));
        }
    }

    /// Whether a healed provider and a fair scheduler do this. Tokens that the provider ended, or that were replaced, are
    /// refused; all else is accepted; refreshes renew; what is paused is resumed.
    pub(crate) fn is_healed(&self, event: Event) -> bool {
        match event {
            // A delivery that the next token was refused for goes with the one that serves; so the fair scheduler does not
            // try the next one again before time tells.
            Event::AdmitNext(index) => {
                let state = self.keepers[Self::via(index)].credential.state;
                let refused = |token: Token| {
                    matches!(
                        token.proof,
                        TokenProof::Unproven { refusals: 1.. } | TokenProof::Accepted { refusals: 1.., .. }
                    )
                };
                !matches!(state, CredentialState::Current { next: Some(next), .. } if refused(next))
            }
            Event::Admit(_)
            | Event::Call(_)
            | Event::Renewal(_, Outcome::Renewed)
            | Event::Tick
            | Event::Human(Human::Resume) => true,
            Event::Answer(index, reply) => {
                let State::Sending { epoch, .. } = self.parcels[index].delivery.state else { return false };
                let keeper = &self.keepers[Self::via(index)];
                let refused = epoch <= keeper.killed || keeper.credential.token(epoch).is_none();
                reply == if refused { Reply::TokenRefused } else { Reply::Accepted }
            }
            _ => false,
        }
    }
}
