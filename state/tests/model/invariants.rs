//! What must hold at every edge, by the names of the design. None of it asks the rules.

use outlast_state::{
    Cause, CredentialState, Evidence, Grant, Held, Reason, Room, Span, State, Then, Time, Token, YOUNG,
};

use super::events::{Event, Human, Outcome, Reply};
use super::turn::{RETRY_AFTER, evidence, is_sending};
use super::world::{BUDGET, FAR, Keeper, NOW, Parcel, World};

/// An invariant that does not hold, and what was seen.
pub(crate) type Broken = (&'static str, &'static str);

type Checks<'a> = &'a mut Vec<Broken>;

/// What does not hold of the step from `before` to `after` by `event`. `after` is not yet in its one form.
pub(crate) fn check<const D: usize, const C: usize>(
    before: &World<D, C>,
    event: Event,
    after: &World<D, C>,
    broken: Checks<'_>,
) {
    for index in 0..D {
        let via = World::<D, C>::via(index);
        let pair = Pair { before: before.parcels[index], after: after.parcels[index] };
        let concerns = concerns(event, index);
        pair.final_is_final(event, concerns, broken);
        pair.counts(event, concerns, broken);
        pair.ends_by_rule(event, concerns, broken);
        if let (Event::Answer(_, reply), true) = (event, concerns) {
            pair.answered(reply, &before.keepers[via], &after.keepers[via], broken);
        }
        if is_sending(pair.after.delivery.state) && !is_sending(pair.before.delivery.state) {
            pair.sent(&before.keepers[via], before, event, broken);
        }
        if event == Event::Crash {
            pair.crashed(broken);
        }
        waits_for_a_token(&after.parcels[index], &after.keepers[via], broken);
    }
    for index in 0..C {
        credential(&before.keepers[index], event, index, &after.keepers[index], broken);
    }
}

/// What is before the rules of one token and after it.
struct Pair {
    before: Parcel,
    after: Parcel,
}

fn concerns(event: Event, index: usize) -> bool {
    match event {
        Event::Admit(which)
        | Event::AdmitNext(which)
        | Event::Answer(which, _)
        | Event::Human(Human::Cancel(which) | Human::Deadline(which) | Human::Redrive(which)) => which == index,
        _ => false,
    }
}

fn say(holds: bool, invariant: &'static str, why: &'static str, broken: Checks<'_>) {
    if !holds {
        broken.push((invariant, why));
    }
}

impl Pair {
    fn states(&self) -> (State, State) {
        (self.before.delivery.state, self.after.delivery.state)
    }

    fn final_is_final(&self, event: Event, concerns: bool, broken: Checks<'_>) {
        let (before, after) = self.states();
        let redriven = concerns && matches!(event, Event::Human(Human::Redrive(_)));
        let holds = match before {
            State::Done { .. } => after == before,
            State::Failed { .. } => redriven || after == before,
            _ => true,
        };
        say(holds, "S2", "what had ended moved", broken);
        let fresh = !redriven || (self.after.delivery.budget, self.after.delivery.deadline) == (BUDGET, FAR);
        let same = self.after.delivery.attempt == self.before.delivery.attempt;
        say(fresh && (!redriven || same), "S8", "a redrive forgot the attempts, or set no budget", broken);
    }

    /// S8: only admission makes an attempt, and only what failed, or nobody knows, spends one.
    fn counts(&self, event: Event, concerns: bool, broken: Checks<'_>) {
        let (before, after) = (self.before.delivery, self.after.delivery);
        let admitted = is_sending(after.state) && !is_sending(before.state);
        let attempt = if admitted { before.attempt.next() } else { before.attempt };
        say(after.attempt == attempt, "S8", "an attempt was made up or forgotten", broken);
        let goes_on = matches!(before.state, State::Sending { then: Then::Continue, .. });
        let spends = match event {
            Event::Answer(_, Reply::Failing | Reply::Split | Reply::Unknown) => concerns && goes_on,
            Event::Crash => goes_on,
            _ => false,
        };
        let spent = match event {
            Event::Human(Human::Redrive(_)) if concerns => 0,
            _ => before.spent + u32::from(spends),
        };
        say(after.spent == spent, "S8", "what was spent is not what failed", broken);
        let beyond = after.spent >= after.budget && !matches!(after.state, State::Failed { .. } | State::Done { .. });
        say(!beyond, "S8", "it goes on beyond its budget", broken);
    }

    /// S1: it fails for a reason that happened.
    fn ends_by_rule(&self, event: Event, concerns: bool, broken: Checks<'_>) {
        let (before, after) = self.states();
        if let (State::Done { .. }, false) = (after, before == after) {
            let accepted = concerns && matches!(event, Event::Answer(_, Reply::Accepted));
            say(accepted, "S1", "it is done, and nobody accepted it", broken);
        }
        let (State::Failed { reason, .. }, false) = (after, before == after) else { return };
        let stopped = match before {
            State::Sending { then: Then::Stop { reason }, .. } => Some(reason),
            _ => None,
        };
        let holds = match (reason, event) {
            (reason, Event::Answer(..) | Event::Crash) if stopped.is_some() => stopped == Some(reason),
            (Reason::Refused { .. }, Event::Answer(_, Reply::Rejected)) => concerns,
            (Reason::Exhausted, Event::Answer(_, Reply::Failing | Reply::Split | Reply::Unknown)) => concerns,
            (Reason::Exhausted, Event::Crash) => is_sending(before),
            (Reason::Cancelled, Event::Human(Human::Cancel(_))) => concerns,
            (Reason::Expired, Event::Human(Human::Deadline(_))) => concerns,
            _ => false,
        };
        let used = reason != Reason::Exhausted || self.after.delivery.spent >= self.after.delivery.budget;
        say(holds && used, "S1", "it was given up for no stated reason", broken);
    }

    fn answered(&self, reply: Reply, before: &Keeper, after: &Keeper, broken: Checks<'_>) {
        let State::Sending { epoch, then, .. } = self.before.delivery.state else { return };
        let (.., state) = self.states();
        if reply == Reply::Accepted {
            say(matches!(state, State::Done { .. }), "S1", "an acceptance was lost", broken);
        }
        let due = match state {
            State::Pending { due: at } | State::AwaitingPropagation { until: at, .. } => at,
            State::Refreshing { .. } | State::Done { .. } | State::Failed { .. } => Time::NEVER,
            State::Sending { .. } => {
                say(false, "S1", "it was answered and is still in the air", broken);
                return;
            }
        };
        let waits = matches!(state, State::Pending { .. } | State::AwaitingPropagation { .. });
        say(!waits || due <= FAR, "L1", "a wait has no end", broken);
        match reply {
            Reply::Throttled => say(due >= NOW.after(RETRY_AFTER), "S9", "Retry-After was not heard", broken),
            Reply::Failing | Reply::Unknown | Reply::NotYet | Reply::Split => {
                say(due > NOW, "S9", "it is sent again at once", broken);
            }
            Reply::TokenRefused if then == Then::Continue => {
                self.refused(epoch, before, after, broken);
            }
            Reply::Accepted | Reply::Rejected | Reply::TokenRefused => {}
        }
    }

    /// S5 and S4: what a refusal of the token of `epoch` did.
    fn refused(&self, epoch: outlast_state::Epoch, before: &Keeper, after: &Keeper, broken: Checks<'_>) {
        let (.., state) = self.states();
        let Some(token) = serving(before) else { return };
        if token.epoch != epoch {
            say(state == State::Pending { due: NOW }, "S5", "a stale refusal does not send again", broken);
            let moved = serving(after).map(|token| token.epoch) != Some(token.epoch)
                || after.credential.state.name() != before.credential.state.name();
            say(!moved, "S5", "a stale refusal moved the credential", broken);
            return;
        }
        let young = NOW.since(token.issued) < before.credential.terms.settle && !token.is_expired(NOW);
        say(!young || matches!(state, State::AwaitingPropagation { .. }), "S4", "a young token was given up", broken);
        if token.age(NOW) < YOUNG && !token.is_expired(NOW) {
            let open = after.gate.is_some_and(|gate| gate.epoch() == epoch && gate.room(NOW) != Room::Full)
                && after.gate.is_some_and(|gate| matches!(gate.room(NOW), Room::Open { .. }));
            say(!open, "S13", "after a refusal the next canary may leave at once", broken);
        }
    }

    /// S12, S9, S13: what left could leave.
    fn sent<const D: usize, const C: usize>(
        &self,
        keeper: &Keeper,
        before: &World<D, C>,
        event: Event,
        broken: Checks<'_>,
    ) {
        let State::Sending { epoch, .. } = self.after.delivery.state else { return };
        let token = keeper.credential.token(epoch);
        let good = token.is_some_and(|token| token.expires > NOW);
        say(good, "S12", "it was sent without a token, or with an expired one", broken);
        let serves = serving(keeper).map(|token| token.epoch);
        let next = matches!(event, Event::AdmitNext(_));
        say(next || serves == Some(epoch), "S12", "it was sent with a token that does not serve", broken);
        let due = match self.before.delivery.state {
            State::Pending { due: at } | State::AwaitingPropagation { until: at, .. } => at <= NOW,
            State::Refreshing { rejected } => epoch > rejected,
            State::Sending { .. } | State::Done { .. } | State::Failed { .. } => false,
        };
        let spaced = due && keeper.slow_until <= NOW && !before.paused;
        say(spaced, "S9", "it was sent before its time", broken);
        let gate = if next { keeper.next_gate } else { keeper.gate };
        let closed = gate.is_some_and(|gate| gate.epoch() == epoch && matches!(gate.room(NOW), Room::From(_)));
        say(!closed, "S9", "it was sent through a closed gate", broken);
        if token.is_some_and(|token| token.age(NOW) < YOUNG) && gate.is_some() {
            let canaries = before.parcels.iter().filter(|parcel| {
                parcel.sent == NOW
                    && matches!(parcel.delivery.state, State::Sending { epoch: other, .. } if other == epoch)
            });
            say(canaries.count() == 0, "S13", "two canaries of a young token fly", broken);
        }
    }

    /// S6: what was in the air when the store was closed is known to have been.
    fn crashed(&self, broken: Checks<'_>) {
        if is_sending(self.before.delivery.state) {
            let known = self.after.delivery.doubt
                && matches!(self.after.delivery.state, State::Pending { .. } | State::Failed { .. });
            say(known, "S6", "a request that may have left is forgotten", broken);
        } else {
            let same = self.after.delivery.state == self.before.delivery.state;
            say(same, "S1", "a crash moved what was not in the air", broken);
        }
    }
}

/// The token that its requests carry, were it good.
fn serving(keeper: &Keeper) -> Option<Token> {
    match keeper.credential.state {
        CredentialState::Current { serving, .. } => Some(serving),
        CredentialState::Refreshing { held: Held::Serving(token), .. } => Some(token),
        CredentialState::Refreshing { .. } | CredentialState::Dead { .. } => None,
    }
}

/// L1: what waits for a token waits for one that comes.
fn waits_for_a_token(parcel: &Parcel, keeper: &Keeper, broken: Checks<'_>) {
    let State::Refreshing { rejected } = parcel.delivery.state else { return };
    let comes = serving(keeper).is_none_or(|token| token.epoch > rejected);
    say(comes, "L1", "it waits for a token that nobody asks for", broken);
}

fn credential(before: &Keeper, event: Event, index: usize, after: &Keeper, broken: Checks<'_>) {
    let own = matches!(event, Event::Call(which) | Event::Renewal(which, _) if which == index);
    let human = matches!(
        event,
        Event::Human(Human::Authorise(which) | Human::Mend(which) | Human::Revoke(which)) if which == index
    );
    let (was, is) = (before.credential, after.credential);
    one_renewal(before, event, own, human, after, broken);
    if let (Event::Call(_), true) = (event, own) {
        let apart = NOW.since(was.renewed);
        let least = match was.state {
            CredentialState::Refreshing { held: Held::Serving(token), .. } if !token.is_expired(NOW) => {
                was.terms.settle
            }
            _ => was.terms.settle.min(Span::from_secs(30)),
        };
        say(apart >= least, "L3", "two renewals are too near to each other", broken);
    }
    let begins = !matches!(was.state, CredentialState::Refreshing { .. })
        && matches!(is.state, CredentialState::Refreshing { .. });
    if let (true, Some(token)) = (begins && !human && event != Event::Tick, serving(before)) {
        let settled = token.age(NOW) >= was.terms.settle || token.is_expired(NOW);
        say(settled, "S4", "a refresh begins while the token is young", broken);
    }
    let lost = serving(before).filter(|token| !token.is_expired(NOW));
    if let (Some(token), false) = (lost, human || matches!(event, Event::Expire(_) | Event::Tick)) {
        let left = serving(after).is_none_or(|now| now.epoch != token.epoch);
        let refused = matches!(event, Event::Answer(_, Reply::TokenRefused) | Event::Crash);
        let proven = matches!(event, Event::Answer(_, reply) if evidence(reply) == Evidence::Accepted)
            && matches!(was.state, CredentialState::Current { next: Some(next), .. }
                if NOW >= next.issued.after(was.terms.settle) && serving(after).is_some_and(|now| now.epoch == next.epoch));
        say(!left || refused || proven, "S12", "a token that works was displaced", broken);
        let thrice = match token.proof {
            outlast_state::TokenProof::Accepted { refusals, .. } => refusals + 1 >= 3,
            outlast_state::TokenProof::Unproven { .. } => true,
        };
        let stray = left && matches!(event, Event::Answer(..)) && refused && !thrice;
        say(!stray, "S4", "one stray refusal rotated the token", broken);
    }
    let died = !matches!(was.state, CredentialState::Dead { .. }) && matches!(is.state, CredentialState::Dead { .. });
    if died && !human {
        let said = own && matches!(event, Event::Renewal(_, Outcome::RefusedForGood | Outcome::Misconfigured));
        let ended = matches!(was.grant, Grant::Ended { .. });
        let tried = is.fruitless >= 2 && has_been_tried(before, event, own);
        say(said || ended || tried, "L2", "a credential died of nothing", broken);
    }
    if let CredentialState::Dead { cause: Cause::GrantLost, .. } = is.state
        && died
    {
        let cut = matches!(was.state, CredentialState::Refreshing { interrupted: true, .. });
        say(cut, "S7", "a grant is lost in a crash that did not happen", broken);
    }
    if event == Event::Crash
        && let CredentialState::Refreshing { .. } = was.state
    {
        let known = matches!(is.state, CredentialState::Refreshing { interrupted: true, .. });
        say(known, "S7", "a token request that may have left is forgotten", broken);
    }
}

/// A token that counts as fruitless was refused, by an answer before this one or by this one, or came expired.
fn has_been_tried(before: &Keeper, event: Event, own: bool) -> bool {
    if own {
        return matches!(event, Event::Renewal(_, Outcome::RenewedExpired));
    }
    let unproven = serving(before).map(|token| token.proof);
    matches!(event, Event::Answer(_, Reply::TokenRefused))
        || matches!(unproven, Some(outlast_state::TokenProof::Unproven { refusals: 1.. }))
}

/// S3: a token request leaves when none is out, and is stored as wanted; an epoch is made by one renewal of the one
/// before, or by a human.
fn one_renewal(before: &Keeper, event: Event, own: bool, human: bool, after: &Keeper, broken: Checks<'_>) {
    let (was, is) = (before.credential, after.credential);
    if let (Event::Call(_), true) = (event, own) {
        let wanted = matches!(was.state, CredentialState::Refreshing { .. }) && after.calling == Some(was.epoch);
        say(wanted && before.calling.is_none(), "S3", "a token request leaves that is not stored, or a second", broken);
    }
    if matches!(event, Event::Tick | Event::Expire(_)) {
        return;
    }
    let renewed = own
        && matches!(event, Event::Renewal(_, Outcome::Renewed | Outcome::RenewedExpired))
        && before.calling == Some(was.epoch)
        && matches!(was.state, CredentialState::Refreshing { .. });
    let epoch = if renewed || (human && matches!(event, Event::Human(Human::Authorise(_)))) {
        was.epoch.next()
    } else {
        was.epoch
    };
    say(is.epoch == epoch, "S3", "an epoch without a renewal, or a renewal without an epoch", broken);
}
