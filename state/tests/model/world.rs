//! A state of the model, and its one form: what no rule can tell apart is made the same, so that the space is finite
//! without a bound on epochs, crashes, attempts that cost nothing, or what operators do.
//!
//! It is always [`NOW`]. When time passes, every time that is stored moves back by one [`TICK`], and no further than a rule
//! can tell. Epochs are numbered anew: 1 is any that no token held is of, 2 and 3 are those of the tokens held.

use outlast_state::laws::{Blur, blurred};
use outlast_state::{
    Attempt, Batch, Cause, Credential, CredentialState, Delivery, DeliveryId, Epoch, Gate, Grant, Held, Need, Reason,
    Receipt, Span, State, Terms, Then, Time, Token, TokenProof,
};

pub(crate) const NOW: Time = Time::from_millis(1_000_000_000);
/// One step of time: what a gate's youth lasts, and a request at most. Every shorter wait is over after it.
pub(crate) const TICK: Span = Span::from_secs(60);
/// When a deadline is that did not come, and when a token expires that lasts.
pub(crate) const FAR: Time = Time::from_millis(2_000_000_000);
/// How many attempts may be spent.
pub(crate) const BUDGET: u32 = 2;
const STALE: Epoch = Epoch::from_number(1);

/// The time `ticks` ago.
pub(crate) fn ago(ticks: u64) -> Time {
    Time::from_millis(NOW.as_millis() - TICK.times(ticks).as_millis())
}

/// A delivery, and when the request that is in the air for it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Parcel {
    pub(crate) delivery: Delivery,
    pub(crate) sent: Time,
}

/// A credential, what the shell keeps beside it, and what the provider knows of its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Keeper {
    pub(crate) credential: Credential,
    /// The gate of the token that serves. Not stored.
    pub(crate) gate: Option<Gate>,
    /// The gate of the next one. Not stored.
    pub(crate) next_gate: Option<Gate>,
    /// The token request in the air. Not stored.
    pub(crate) calling: Option<Epoch>,
    pub(crate) slow_until: Time,
    /// Tokens up to this epoch are refused by the provider for ever.
    pub(crate) killed: Epoch,
}

/// A state of the model: `D` deliveries and `C` credentials. What is stored is what is here: a turn ends with a commit. A
/// crash forgets what is marked as not stored, and all that is in the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World<const D: usize, const C: usize> {
    pub(crate) parcels: [Parcel; D],
    pub(crate) keepers: [Keeper; C],
    pub(crate) paused: bool,
}

impl<const D: usize, const C: usize> World<D, C> {
    /// The credential that a delivery's requests carry: one for all, or each its own.
    pub(crate) const fn via(parcel: usize) -> usize {
        if C == 1 { 0 } else { parcel % C }
    }

    /// Everything just accepted, and nobody authorised anything.
    pub(crate) fn first(settle: Span) -> Self {
        let delivery = Delivery::accepted(DeliveryId::default(), NOW, FAR, BUDGET);
        let credential = Credential::unauthorised(Terms::of(settle), NOW);
        let keeper =
            Keeper { credential, gate: None, next_gate: None, calling: None, slow_until: NOW, killed: Epoch::NONE };
        World { parcels: [Parcel { delivery, sent: NOW }; D], keepers: [keeper; C], paused: false }.canonical()
    }

    /// The same, one tick later.
    pub(crate) fn later(mut self) -> Self {
        for parcel in &mut self.parcels {
            parcel.sent = back(parcel.sent);
            match &mut parcel.delivery.state {
                State::Pending { due: at } | State::AwaitingPropagation { until: at, .. } => *at = back(*at),
                _ => {}
            }
        }
        for keeper in &mut self.keepers {
            keeper.slow_until = back(keeper.slow_until);
            keeper.credential = older(keeper.credential);
            for gate in [&mut keeper.gate, &mut keeper.next_gate] {
                *gate = gate.map(|gate| blurred(gate, gate.epoch(), TICK, BLUR));
            }
        }
        self.canonical()
    }

    /// In its one form.
    pub(crate) fn canonical(mut self) -> Self {
        for (index, keeper) in self.keepers.iter_mut().enumerate() {
            let held = held(&keeper.credential);
            let name = |epoch| renamed(epoch, held);
            for parcel in self.parcels.iter_mut().skip(index).step_by(C) {
                rename(&mut parcel.delivery, name);
            }
            keeper.killed = if held.contains(&Some(keeper.killed)) { name(keeper.killed) } else { Epoch::NONE };
            let call_is_on = matches!(keeper.credential.state, CredentialState::Refreshing { .. });
            let newest = newest(&keeper.credential, held);
            keeper.calling =
                keeper.calling.map(|from| if call_is_on && from == keeper.credential.epoch { newest } else { STALE });
            keeper.slow_until = keeper.slow_until.max(NOW);
            promote(keeper);
            for gate in [&mut keeper.gate, &mut keeper.next_gate] {
                *gate = gate.map(|gate| blurred(gate, name(gate.epoch()), Span::ZERO, BLUR));
            }
            keeper.credential = plain(keeper.credential, newest, name);
        }
        self.parcels.iter_mut().for_each(simplify);
        self
    }
}

const BLUR: Blur = Blur { now: NOW, oldest: TICK, limit: 4 };

fn back(time: Time) -> Time {
    if time > FAR { Time::NEVER } else { Time::from_millis(time.as_millis() - TICK.as_millis()) }
}

/// The epochs of the tokens that it holds, older first.
fn held(credential: &Credential) -> [Option<Epoch>; 2] {
    match credential.state {
        CredentialState::Current { serving, next } => [Some(serving.epoch), next.map(|next| next.epoch)],
        CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => [Some(token.epoch), None],
        CredentialState::Dead { .. } => [None, None],
    }
}

fn renamed(epoch: Epoch, held: [Option<Epoch>; 2]) -> Epoch {
    match held {
        [Some(older), _] if epoch == older => Epoch::from_number(2),
        [_, Some(newer)] if epoch == newer => Epoch::from_number(3),
        _ => STALE,
    }
}

/// What the newest epoch that it ever had is called: beyond the tokens held, where it is none of theirs.
fn newest(credential: &Credential, held: [Option<Epoch>; 2]) -> Epoch {
    if held.contains(&Some(credential.epoch)) {
        renamed(credential.epoch, held)
    } else if held == [None, None] {
        Epoch::from_number(2)
    } else {
        Epoch::from_number(4)
    }
}

fn rename(delivery: &mut Delivery, name: impl Fn(Epoch) -> Epoch) {
    match &mut delivery.state {
        State::Sending { epoch, .. } | State::Refreshing { rejected: epoch } => *epoch = name(*epoch),
        State::AwaitingPropagation { epoch, .. } => *epoch = STALE,
        State::Pending { .. } | State::Done { .. } | State::Failed { .. } => {}
    }
}

/// A gate goes with its token: where the next one serves now, so does its gate. That of any other token is forgotten.
fn promote(keeper: &mut Keeper) {
    let [serving, next] = match keeper.credential.state {
        CredentialState::Refreshing { held: Held::Lost(_), .. } => [None, None],
        _ => held(&keeper.credential),
    };
    let of = |gate: Option<Gate>, token: Option<Epoch>| gate.filter(|gate| Some(gate.epoch()) == token);
    keeper.gate = of(keeper.gate, serving).or(of(keeper.next_gate, serving));
    keeper.next_gate = of(keeper.next_gate, next);
}

/// Times no further back than a rule can tell, and of what comes only whether it does.
fn simplify(parcel: &mut Parcel) {
    let delivery = &mut parcel.delivery;
    let mut over = false;
    match &mut delivery.state {
        State::Pending { due: at } | State::AwaitingPropagation { until: at, .. } => {
            // Every wait but one of more than a tick is over after one.
            *at = if *at <= NOW {
                NOW
            } else if *at <= NOW.after(TICK) {
                NOW.after(TICK)
            } else if *at <= FAR {
                NOW.after(TICK.times(2))
            } else {
                Time::NEVER
            };
        }
        State::Sending { by, batch, index, of, then, .. } => {
            (*by, *batch, *index, *of) = (NOW, Batch::default(), 0, 1);
            if let Then::Stop { reason } = then {
                *reason = Reason::Cancelled;
            }
        }
        State::Refreshing { .. } => {}
        State::Done { at, receipt } => (*at, *receipt, over) = (NOW, Receipt { status: 201 }, true),
        State::Failed { at, reason, in_doubt } => {
            (*at, *reason, *in_doubt, over) = (NOW, Reason::Cancelled, false, true);
        }
    }
    let sending = matches!(delivery.state, State::Sending { .. });
    parcel.sent = if sending { parcel.sent.max(ago(1)) } else { NOW };
    (delivery.attempt, delivery.doubt, delivery.deadline) = (Attempt::NONE.next(), false, FAR);
    if over {
        (delivery.spent, delivery.budget) = (0, BUDGET);
    }
}

/// The same credential, one tick later.
fn older(credential: Credential) -> Credential {
    let token = |token: Token| Token {
        issued: back(token.issued),
        proof: match token.proof {
            TokenProof::Accepted { sent, refusals } => TokenProof::Accepted { sent: back(sent), refusals },
            unproven @ TokenProof::Unproven { .. } => unproven,
        },
        ..token
    };
    let state = match credential.state {
        CredentialState::Current { serving, next } => {
            CredentialState::Current { serving: token(serving), next: next.map(token) }
        }
        CredentialState::Refreshing { held, tries, not_before, why, interrupted } => {
            let held = match held {
                Held::Serving(serving) => Held::Serving(token(serving)),
                Held::Lost(lost) => Held::Lost(token(lost)),
            };
            CredentialState::Refreshing { held, tries, not_before: back(not_before), why, interrupted }
        }
        dead @ CredentialState::Dead { .. } => dead,
    };
    Credential { state, renewed: back(credential.renewed), ..credential }
}

/// A credential of which only that is left which its step looks at.
fn plain(credential: Credential, newest: Epoch, name: impl Fn(Epoch) -> Epoch) -> Credential {
    let settle = credential.terms.settle;
    let settled = Time::from_millis(NOW.as_millis() - settle.as_millis());
    let token = |token: Token| Token {
        epoch: name(token.epoch),
        issued: token.issued.max(settled.min(ago(1))),
        expires: if token.is_expired(NOW) { NOW } else { FAR },
        proof: match token.proof {
            TokenProof::Unproven { refusals } => TokenProof::Unproven { refusals: refusals.min(1) },
            TokenProof::Accepted { sent, refusals } => {
                TokenProof::Accepted { sent: sent.max(ago(2)), refusals: refusals.min(3) }
            }
        },
    };
    let cause = |cause| if cause == Cause::Misconfigured { cause } else { Cause::Revoked };
    let state = match credential.state {
        CredentialState::Current { serving, next } => {
            CredentialState::Current { serving: token(serving), next: next.map(token) }
        }
        CredentialState::Refreshing { held, not_before, interrupted, .. } => {
            let (held, why) = match held {
                Held::Serving(serving) => (Held::Serving(token(serving)), Need::Planned),
                // Of a token that is lost, only the number counts.
                Held::Lost(lost) => (Held::Lost(Token::minted(name(lost.epoch), ago(1), NOW)), Need::Refused),
            };
            CredentialState::Refreshing { held, tries: 0, not_before: not_before.max(NOW), why, interrupted }
        }
        CredentialState::Dead { cause: known, .. } => CredentialState::Dead { cause: cause(known), since: NOW },
    };
    let grant = match credential.grant {
        Grant::Ended { cause: known } if !matches!(state, CredentialState::Dead { .. }) => {
            Grant::Ended { cause: cause(known) }
        }
        Grant::Ended { .. } | Grant::Alive => Grant::Alive,
    };
    Credential { state, epoch: newest, renewed: credential.renewed.max(settled.min(ago(1))), grant, ..credential }
}
