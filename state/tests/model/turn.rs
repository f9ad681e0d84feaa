//! What the shell does with what happens, in its order: `src/driver/turn.rs` and `src/driver/machines.rs` for what is
//! reported, `src/admission.rs` for what is sent. Every decision is one of the rules'.

use outlast_state::{
    Batch, Cause, Choice, CredentialInput, CredentialState, CredentialWant, Epoch, Evidence, Gate, Input, Load, Need,
    Offer, Proof, Receipt, Room, Ruling, Seen, Span, State, Terms, Time, Token, Trouble, Verdict, Want, Why, rule,
};

use super::events::{Event, Human, Outcome, Reply};
use super::rules::Rules;
use super::world::{BUDGET, FAR, NOW, TICK, World};

/// How long a provider that throttles asks to be left alone: longer than any wait that the policy chooses.
pub(crate) const RETRY_AFTER: Span = TICK.times(2);

/// What a reply means for the delivery.
pub(crate) const fn verdict(reply: Reply) -> Verdict {
    match reply {
        Reply::Accepted => Verdict::Accepted { receipt: Receipt { status: 201 } },
        Reply::Rejected => Verdict::Refused { why: Why::Rejected { status: 400 } },
        Reply::Failing => Verdict::Busy { after: Span::ZERO, load: Load::Failing },
        Reply::Throttled => Verdict::Busy { after: RETRY_AFTER, load: Load::Throttled },
        Reply::NotYet => Verdict::NotYet { after: Span::ZERO },
        Reply::TokenRefused => Verdict::TokenRefused,
        Reply::Split => Verdict::Split,
        Reply::Unknown => Verdict::Unknown,
    }
}

/// What it shows of the token.
pub(crate) const fn evidence(reply: Reply) -> Evidence {
    match reply {
        Reply::Accepted | Reply::Rejected | Reply::NotYet => Evidence::Accepted,
        Reply::TokenRefused => Evidence::Refused,
        Reply::Failing | Reply::Throttled | Reply::Split | Reply::Unknown => Evidence::Nothing,
    }
}

/// A world in which something happens.
pub(crate) struct Turn<'a, const D: usize, const C: usize> {
    pub(crate) world: World<D, C>,
    pub(crate) rules: &'a Rules,
}

impl<const D: usize, const C: usize> Turn<'_, D, C> {
    /// The world after `event`, not yet in its one form.
    pub(crate) fn of(world: World<D, C>, event: Event, rules: &Rules) -> World<D, C> {
        let mut turn = Turn { world, rules };
        turn.happen(event);
        turn.world
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Admit(index) => self.admit(index),
            Event::AdmitNext(index) => self.admit_next(index),
            Event::Answer(index, reply) => self.reported(index, reply),
            Event::Call(index) => self.renew(index),
            Event::Renewal(index, outcome) => self.renewal_ended(index, outcome),
            Event::RefreshDue(index) => self.credential(index, CredentialInput::RefreshDue),
            Event::Tick => self.world = self.world.later(),
            Event::Expire(index) => {
                expire(&mut self.world.keepers[index].credential.state);
                self.world = self.world.later();
            }
            Event::Kill(index, epoch) => self.world.keepers[index].killed = epoch,
            Event::Crash => self.crash(),
            Event::Human(human) => self.human(human),
        }
    }

    fn deliver(&mut self, index: usize, input: Input) {
        let before = self.world.parcels[index].delivery;
        let after = (self.rules.delivery)(before, input, NOW);
        if after == before {
            return;
        }
        self.world.parcels[index].delivery = after;
        if let Want::Token { past } = after.wants() {
            self.credential(World::<D, C>::via(index), CredentialInput::Needed { past, why: Need::Refused });
        }
    }

    fn credential(&mut self, index: usize, input: CredentialInput) {
        let keeper = &mut self.world.keepers[index];
        keeper.credential = (self.rules.credential)(keeper.credential, input, NOW);
    }

    /// The policy's choice. A tick is the shortest wait there is.
    fn chosen(&self, index: usize, trouble: Trouble) -> Choice {
        match (self.rules.choose)(&self.world.parcels[index].delivery, trouble, NOW) {
            Choice::Again { at } if at > NOW => Choice::Again { at: at.max(NOW.after(TICK)) },
            choice => choice,
        }
    }

    fn admit(&mut self, index: usize) {
        let via = World::<D, C>::via(index);
        if self.world.paused {
            return;
        }
        let Some(token) = self.token_of(via) else { return };
        let keeper = &mut self.world.keepers[via];
        if keeper.slow_until > NOW {
            return;
        }
        let gate = keeper.gate.filter(|gate| gate.epoch() == token.epoch).unwrap_or_else(|| Gate::of(&token));
        keeper.gate = Some(gate);
        let open = match gate.room(NOW) {
            Room::Open { .. } => true,
            Room::From(_) => false,
            // What hangs elsewhere may fill the gate; a queue with nothing in the air may still send one (L4).
            Room::Full => !self.world.parcels.iter().any(|parcel| is_sending(parcel.delivery.state)),
        };
        if open && self.world.parcels[index].delivery.may_be_admitted(token.epoch, NOW) {
            self.ship(index, token.epoch);
            let keeper = &mut self.world.keepers[via];
            keeper.gate = keeper.gate.map(|gate| gate.sent(token.epoch, NOW));
        }
    }

    /// Make before break, as the design has it: the next token is tried once its settle window has passed, and by one
    /// canary at a time.
    fn admit_next(&mut self, index: usize) {
        let via = World::<D, C>::via(index);
        let keeper = &mut self.world.keepers[via];
        let CredentialState::Current { next: Some(token), serving } = keeper.credential.state else { return };
        let settled = token.issued.after(keeper.credential.terms.settle) <= NOW;
        if self.world.paused || keeper.slow_until > NOW || !settled || token.is_expired(NOW) || serving.is_expired(NOW)
        {
            return;
        }
        let gate = keeper.next_gate.filter(|gate| gate.epoch() == token.epoch).unwrap_or_else(|| Gate::of(&token));
        keeper.next_gate = Some(gate);
        let open = matches!(gate.room(NOW), Room::Open { .. });
        if open && self.world.parcels[index].delivery.may_be_admitted(token.epoch, NOW) {
            self.ship(index, token.epoch);
            let keeper = &mut self.world.keepers[via];
            keeper.next_gate = keeper.next_gate.map(|gate| gate.sent(token.epoch, NOW));
        }
    }

    fn ship(&mut self, index: usize, epoch: Epoch) {
        let attempt = self.world.parcels[index].delivery.attempt.next();
        self.world.parcels[index].sent = NOW;
        self.deliver(
            index,
            Input::Admitted { attempt, epoch, by: NOW.after(TICK), batch: Batch::default(), index: 0, of: 1 },
        );
    }

    fn token_of(&mut self, via: usize) -> Option<Token> {
        match (self.rules.offer)(&self.world.keepers[via].credential, NOW) {
            Offer::Token(token) => Some(token),
            Offer::Expired { past } => {
                self.credential(via, CredentialInput::Needed { past, why: Need::Expired });
                None
            }
            Offer::Refreshing | Offer::Dead => None,
        }
    }

    fn reported(&mut self, index: usize, reply: Reply) {
        let via = World::<D, C>::via(index);
        let parcel = self.world.parcels[index];
        let State::Sending { epoch, .. } = parcel.delivery.state else { return };
        let (sent, attempt, evidence) = (parcel.sent, parcel.delivery.attempt, evidence(reply));
        let keeper = &mut self.world.keepers[via];
        for gate in [&mut keeper.gate, &mut keeper.next_gate] {
            *gate = gate.map(|gate| gate.answered(epoch, sent, evidence, NOW));
        }
        match evidence {
            Evidence::Accepted => self.credential(via, CredentialInput::Accepted { epoch, sent }),
            Evidence::Refused => self.credential(via, CredentialInput::TokenRefused { epoch, sent }),
            Evidence::Nothing => {}
        }
        let verdict = verdict(reply);
        let keeper = &mut self.world.keepers[via];
        if let Verdict::Busy { after, load: Load::Throttled } = verdict {
            keeper.slow_until = keeper.slow_until.max(NOW.after(after));
        }
        let known = keeper.credential;
        let seen = known.seen(epoch, sent, NOW);
        let age = known.token(epoch).map_or(Span::ZERO, |token| token.age(NOW));
        let choice = self.chosen(index, trouble(verdict, epoch, seen, age));
        self.deliver(index, Input::Answered { attempt, verdict, seen, choice });
        if self.world.parcels[index].delivery.deadline <= NOW {
            self.deliver(index, Input::DeadlinePassed);
        }
    }

    fn renew(&mut self, index: usize) {
        let keeper = &mut self.world.keepers[index];
        if let CredentialWant::Renewal { from, not_before, .. } = keeper.credential.wants()
            && not_before <= NOW
        {
            keeper.calling = Some(from);
        }
    }

    fn renewal_ended(&mut self, index: usize, outcome: Outcome) {
        let Some(from) = self.world.keepers[index].calling.take() else { return };
        let input = match outcome {
            Outcome::Renewed => CredentialInput::Renewed { from, issued: NOW, expires: FAR, ends: Time::NEVER },
            Outcome::RenewedExpired => CredentialInput::Renewed { from, issued: NOW, expires: NOW, ends: Time::NEVER },
            Outcome::RefusedForGood => CredentialInput::RefusedForGood { from, cause: Cause::Revoked },
            Outcome::Misconfigured => CredentialInput::Misconfigured { from },
            Outcome::Unknown => CredentialInput::Unknown { from, retry_at: NOW.after(TICK) },
        };
        self.credential(index, input);
    }

    /// What is not stored is gone, nothing in the air is answered any more, and the store is opened again.
    fn crash(&mut self) {
        for keeper in &mut self.world.keepers {
            (keeper.gate, keeper.next_gate, keeper.calling) = (None, None, None);
        }
        for index in 0..D {
            if let Want::Answer { attempt, .. } = self.world.parcels[index].delivery.wants() {
                let choice = self.chosen(index, Trouble::Unknown);
                self.deliver(index, Input::Interrupted { attempt, clean: false, choice });
            }
        }
        for index in 0..C {
            if let CredentialWant::Renewal { .. } = self.world.keepers[index].credential.wants() {
                self.credential(index, CredentialInput::Interrupted);
            }
        }
        for index in 0..D {
            if let Want::Token { past } = self.world.parcels[index].delivery.wants() {
                self.credential(World::<D, C>::via(index), CredentialInput::Needed { past, why: Need::Refused });
            }
        }
    }

    fn human(&mut self, human: Human) {
        match human {
            Human::Cancel(index) => self.deliver(index, Input::Cancelled),
            Human::Deadline(index) => {
                self.world.parcels[index].delivery.deadline = NOW;
                self.deliver(index, Input::DeadlinePassed);
            }
            Human::Redrive(index) => self.deliver(index, Input::Redriven { deadline: FAR, budget: BUDGET }),
            Human::Pause => self.world.paused = true,
            Human::Resume => self.world.paused = false,
            Human::Authorise(index) => {
                self.credential(index, CredentialInput::Authorised { issued: NOW, expires: FAR, ends: Time::NEVER });
            }
            Human::Mend(index) => {
                let settle = self.world.keepers[index].credential.terms.settle;
                self.credential(index, CredentialInput::ConfigurationChanged { terms: Terms::of(settle) });
            }
            Human::Revoke(index) => self.credential(index, CredentialInput::Revoked),
        }
    }
}

pub(crate) const fn is_sending(state: State) -> bool {
    matches!(state, State::Sending { .. })
}

/// The lifetime of what serves is over at the next tick.
fn expire(state: &mut CredentialState) {
    let over: Time = NOW;
    match state {
        CredentialState::Current { serving: token, .. }
        | CredentialState::Refreshing { held: outlast_state::Held::Serving(token), .. } => token.expires = over,
        CredentialState::Refreshing { .. } | CredentialState::Dead { .. } => {}
    }
}

/// What the policy is asked about.
fn trouble(verdict: Verdict, epoch: Epoch, seen: Seen, age: Span) -> Trouble {
    match verdict {
        Verdict::TokenRefused if rule(epoch, seen, NOW) == Ruling::Dead => Trouble::CredentialDead,
        Verdict::TokenRefused => {
            let refusals = match seen.proof {
                Proof::Never => 0,
                Proof::Accepted { refusals, .. } => refusals.max(1),
            };
            Trouble::TokenRefused { age, refusals }
        }
        Verdict::NotYet { .. } => Trouble::NotYet,
        Verdict::Unknown => Trouble::Unknown,
        Verdict::Busy { .. } | Verdict::Accepted { .. } | Verdict::Refused { .. } | Verdict::Split => Trouble::Busy,
    }
}
