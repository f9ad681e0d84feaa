//! The credential's table.

use alloc::vec::Vec;

use super::{CredentialRow, Rule, Sample, but, expand, is, when};
use crate::credential::{
    Cause, Credential, CredentialInput, CredentialState, Grant, Held, Inquiry, Lack, Need, Standing, Terms, Token,
    TokenProof,
};
use crate::id::Epoch;
use crate::time::{Span, Time};

/// The lines of the credential's table: its three states, `Current` and `Refreshing` in two each.
pub const CREDENTIAL_LINES: [&str; 5] = [CURRENT, NEXT, SERVING, LOST, DEAD];

const CURRENT: &str = "Current";
const NEXT: &str = "Current, with next";
const SERVING: &str = "Refreshing, serving";
const LOST: &str = "Refreshing, lost";
const DEAD: &str = "Dead";

/// The facts of the credential's table: its inputs, `Needed` by whether the token was refused, `Renewed` by whether the
/// new token is any good, `Introspected` by whether its issuer stands by the token.
pub const CREDENTIAL_FACTS: [&str; 17] = [
    REFUSAL,
    NEEDED,
    DUE,
    RENEWED,
    STILLBORN,
    ENDED,
    MISCONFIGURED,
    UNKNOWN,
    ACCEPTED,
    REFUSED,
    INTERRUPTED,
    AUTHORISED,
    CHANGED,
    REVOKED,
    SCOPE,
    STANDS,
    DISOWNED,
];

const REFUSAL: &str = "Needed, refused";
const NEEDED: &str = "Needed, otherwise";
const DUE: &str = "RefreshDue";
const RENEWED: &str = "Renewed";
const STILLBORN: &str = "Renewed, expired on arrival";
const ENDED: &str = "RefusedForGood";
const MISCONFIGURED: &str = "Misconfigured";
const UNKNOWN: &str = "Unknown";
const ACCEPTED: &str = "Accepted";
const REFUSED: &str = "TokenRefused";
const INTERRUPTED: &str = "Interrupted";
const AUTHORISED: &str = "Authorised";
const CHANGED: &str = "ConfigurationChanged";
const REVOKED: &str = "Revoked";
const SCOPE: &str = "ScopeMissing";
const STANDS: &str = "Introspected, active or unknown";
const DISOWNED: &str = "Introspected, not active";

const HAS_TOKEN: &[&str] = &[CURRENT, NEXT, SERVING, LOST];
const CALLING: &[&str] = &[SERVING, LOST];
const OUTCOMES: &[&str] = &[RENEWED, STILLBORN, ENDED, MISCONFIGURED, UNKNOWN];

type CredentialRule = Rule<Credential, CredentialInput>;

const RULES: &[CredentialRule] = &[
    but(&[CURRENT, NEXT, SERVING], &[REFUSAL, NEEDED], "it serves another token", other_epoch),
    but(&[CURRENT, NEXT], &[REFUSAL], "its issuer stands by the token, or is asked", asked),
    when(
        &[CURRENT],
        &[REFUSAL],
        "the second fruitless token in a row, and its issuer can be asked: it is",
        CURRENT,
        second_fruitless_with_issuer,
    ),
    but(&[CURRENT, NEXT], &[REFUSAL], "the token is younger than the settle window, and not expired", young),
    but(&[CURRENT, NEXT, SERVING], &[NEEDED], "the token is not expired", |_| ()),
    when(&[CURRENT, NEXT], &[REFUSAL], "the second fruitless token in a row", DEAD, second_fruitless),
    when(&[CURRENT, NEXT], &[REFUSAL, NEEDED], "the grant has ended, and there is no next one", DEAD, ended_for_all),
    when(&[NEXT], &[REFUSAL, NEEDED], "the next one is expired too", LOST, both_expired),
    is(&[NEXT], &[REFUSAL], "the token is beyond its settle window, or expired: the next one serves", CURRENT),
    when(&[NEXT], &[NEEDED], "the token is expired: the next one serves", CURRENT, expired),
    is(&[CURRENT, SERVING], &[REFUSAL], "the token is beyond its settle window, or expired", LOST),
    when(&[CURRENT, SERVING], &[NEEDED], "the token is expired", LOST, expired),
    but(&[CURRENT], &[DUE], "the token is younger than the settle window", young),
    but(&[CURRENT], &[DUE], "the grant has ended", grant_ended),
    when(&[CURRENT], &[DUE], "the token is expired", LOST, expired),
    is(&[CURRENT], &[DUE], "otherwise", SERVING),
    but(&[NEXT], &[DUE], "the next one is to be tried first, and the grant does not die of being idle", |_| ()),
    when(&[NEXT], &[DUE], "the grant would die of being idle, and both are expired", LOST, idle_and_expired),
    when(
        &[NEXT],
        &[DUE],
        "the grant would die of being idle, and the token is expired: the next one serves",
        CURRENT,
        idle_token,
    ),
    when(&[NEXT], &[DUE], "the grant would die of being idle: another one takes the place of the next", SERVING, idle),
    but(CALLING, OUTCOMES, "the call began before somebody else brought a new token", other_call),
    is(&[SERVING], &[RENEWED], "the new one does not serve before it is proven", NEXT),
    is(&[LOST], &[RENEWED], "", CURRENT),
    is(&[SERVING], &[STILLBORN], "the new one is dropped", CURRENT),
    when(&[LOST], &[STILLBORN], "the second fruitless token in a row", DEAD, one_fruitless),
    is(&[LOST], &[STILLBORN], "otherwise: it counts as fruitless, and another is asked for", LOST),
    when(&[SERVING], &[ENDED, MISCONFIGURED], "what it serves is expired", DEAD, expired),
    is(&[SERVING], &[ENDED, MISCONFIGURED], "otherwise: it serves its last token to the end", CURRENT),
    is(&[LOST], &[ENDED, MISCONFIGURED], "", DEAD),
    is(&[SERVING], &[UNKNOWN, INTERRUPTED], "one more try, with the same refresh token", SERVING),
    is(&[LOST], &[UNKNOWN, INTERRUPTED], "one more try, with the same refresh token", LOST),
    but(HAS_TOKEN, &[ACCEPTED, REFUSED], "the token is not held any more", other_epoch),
    but(HAS_TOKEN, &[ACCEPTED, REFUSED], "the request was sent before one that was accepted", outrun),
    when(&[NEXT], &[ACCEPTED], "the next one, beyond its settle window: it serves", CURRENT, next_settled),
    is(&[CURRENT], &[ACCEPTED], "the token is proven", CURRENT),
    is(&[NEXT], &[ACCEPTED], "the token is proven", NEXT),
    is(&[SERVING], &[ACCEPTED], "the token is proven", SERVING),
    is(&[LOST], &[ACCEPTED], "the token is proven", LOST),
    is(&[CURRENT], &[REFUSED], "one more refusal in a row", CURRENT),
    is(&[NEXT], &[REFUSED], "one more refusal in a row", NEXT),
    is(&[SERVING], &[REFUSED], "one more refusal in a row", SERVING),
    is(&[LOST], &[REFUSED], "one more refusal in a row", LOST),
    is(&CREDENTIAL_LINES, &[AUTHORISED], "with the next epoch", CURRENT),
    is(&[CURRENT], &[CHANGED], "the new terms; a grant that had ended for its configuration is alive", CURRENT),
    is(&[NEXT], &[CHANGED], "the new terms", NEXT),
    is(&[SERVING], &[CHANGED], "the new terms", SERVING),
    is(&[LOST], &[CHANGED], "the new terms", LOST),
    when(&[DEAD], &[CHANGED], "it died of its configuration: that is tried again", LOST, died_misconfigured),
    when(&[DEAD], &[CHANGED], "it needs no human to get a token", LOST, mints),
    is(&[DEAD], &[CHANGED], "otherwise: the new terms", DEAD),
    is(&CREDENTIAL_LINES, &[REVOKED], "", DEAD),
    but(HAS_TOKEN, &[SCOPE], "the token is not held any more", other_epoch),
    but(HAS_TOKEN, &[SCOPE], "it is known, or the token was minted for it", known_lack),
    but(HAS_TOKEN, &[SCOPE], "the token is no longer new", |_| ()),
    when(&[CURRENT], &[SCOPE], "a new token: another is minted after the profile's delay", CURRENT, new_token),
    when(&[NEXT], &[SCOPE], "a new token: another is minted after the profile's delay", NEXT, new_token),
    when(&[SERVING], &[SCOPE], "a new token: another is minted after the profile's delay", SERVING, new_token),
    when(&[LOST], &[SCOPE], "a new token: another is minted after the profile's delay", LOST, new_token),
    but(&[CURRENT, NEXT], &[STANDS, DISOWNED], "nobody asked about this token", |_| ()),
    when(&[CURRENT], &[STANDS], "its refusals mean nothing for another settle window", CURRENT, asked),
    when(&[NEXT], &[STANDS], "its refusals mean nothing for another settle window", NEXT, asked),
    when(&[CURRENT, NEXT], &[DISOWNED], "it never works", DEAD, asked),
];

/// Every row of the credential's table: at least one for each of [`CREDENTIAL_LINES`] × [`CREDENTIAL_FACTS`].
#[must_use]
pub fn credential() -> Vec<CredentialRow> {
    expand(&CREDENTIAL_LINES, &CREDENTIAL_FACTS, RULES, |line, fact| Sample {
        before: Credential {
            state: state(line),
            epoch: if line == NEXT { SECOND } else { FIRST },
            renewed: ISSUED,
            fruitless: 0,
            grant: Grant::Alive,
            ends: Time::NEVER,
            inquiry: Inquiry::None,
            lack: Lack::None,
            terms: Terms::of(SETTLE),
        },
        input: input(fact),
        now: NOW,
    })
}

/// The line of [`CREDENTIAL_LINES`] on which a state stands.
#[must_use]
pub const fn credential_line(state: &CredentialState) -> &'static str {
    match state {
        CredentialState::Current { next: None, .. } => CURRENT,
        CredentialState::Current { next: Some(_), .. } => NEXT,
        CredentialState::Refreshing { held: Held::Serving(_), .. } => SERVING,
        CredentialState::Refreshing { held: Held::Lost(_), .. } => LOST,
        CredentialState::Dead { .. } => DEAD,
    }
}

/// Which of [`CREDENTIAL_FACTS`] an input at `now` is.
#[must_use]
pub fn credential_fact(input: &CredentialInput, now: Time) -> &'static str {
    match input {
        CredentialInput::Needed { why: Need::Refused, .. } => REFUSAL,
        CredentialInput::Needed { why: Need::Expired | Need::Planned | Need::Reconfigured | Need::Scope, .. } => NEEDED,
        CredentialInput::RefreshDue => DUE,
        CredentialInput::Renewed { expires, .. } if *expires <= now => STILLBORN,
        CredentialInput::Renewed { .. } => RENEWED,
        CredentialInput::RefusedForGood { .. } => ENDED,
        CredentialInput::Misconfigured { .. } => MISCONFIGURED,
        CredentialInput::Unknown { .. } => UNKNOWN,
        CredentialInput::Accepted { .. } => ACCEPTED,
        CredentialInput::TokenRefused { .. } => REFUSED,
        CredentialInput::Interrupted => INTERRUPTED,
        CredentialInput::Authorised { .. } => AUTHORISED,
        CredentialInput::ConfigurationChanged { .. } => CHANGED,
        CredentialInput::Revoked => REVOKED,
        CredentialInput::ScopeMissing { .. } => SCOPE,
        CredentialInput::Introspected { standing: Standing::Active | Standing::Unknown, .. } => STANDS,
        CredentialInput::Introspected { standing: Standing::Expired | Standing::Revoked, .. } => DISOWNED,
    }
}

const SETTLE: Span = Span::from_secs(600);
const ISSUED: Time = Time::from_millis(1_000_000);
const NOW: Time = ISSUED.after(SETTLE);
const LATER: Time = NOW.after(SETTLE);
const FIRST: Epoch = Epoch::NONE.next();
const SECOND: Epoch = FIRST.next();

/// A token that is just beyond its settle window, and was neither proven nor refused.
const PLAIN: Token = Token::minted(FIRST, ISSUED, LATER);

fn state(line: &str) -> CredentialState {
    let refreshing = |held| CredentialState::Refreshing {
        held,
        tries: 0,
        not_before: ISSUED,
        why: Need::Planned,
        interrupted: false,
    };
    match line {
        CURRENT => CredentialState::Current { serving: PLAIN, next: None },
        NEXT => CredentialState::Current { serving: PLAIN, next: Some(Token::minted(SECOND, NOW, LATER)) },
        SERVING => refreshing(Held::Serving(PLAIN)),
        LOST => refreshing(Held::Lost(PLAIN)),
        _ => CredentialState::Dead { cause: Cause::NeverAuthorised, since: ISSUED },
    }
}

fn input(fact: &str) -> CredentialInput {
    match fact {
        REFUSAL => CredentialInput::Needed { past: FIRST, why: Need::Refused },
        NEEDED => CredentialInput::Needed { past: FIRST, why: Need::Expired },
        DUE => CredentialInput::RefreshDue,
        RENEWED => CredentialInput::Renewed { from: FIRST, issued: NOW, expires: LATER, ends: Time::NEVER },
        STILLBORN => CredentialInput::Renewed { from: FIRST, issued: NOW, expires: NOW, ends: Time::NEVER },
        ENDED => CredentialInput::RefusedForGood { from: FIRST, cause: Cause::Revoked },
        MISCONFIGURED => CredentialInput::Misconfigured { from: FIRST },
        UNKNOWN => CredentialInput::Unknown { from: FIRST, retry_at: LATER },
        ACCEPTED => CredentialInput::Accepted { epoch: FIRST, sent: NOW },
        REFUSED => CredentialInput::TokenRefused { epoch: FIRST, sent: NOW },
        INTERRUPTED => CredentialInput::Interrupted,
        AUTHORISED => CredentialInput::Authorised { issued: NOW, expires: LATER, ends: Time::NEVER },
        CHANGED => CredentialInput::ConfigurationChanged { terms: Terms::of(SETTLE.times(2)) },
        SCOPE => CredentialInput::ScopeMissing { epoch: FIRST },
        STANDS => CredentialInput::Introspected { epoch: FIRST, standing: Standing::Active },
        DISOWNED => CredentialInput::Introspected { epoch: FIRST, standing: Standing::Revoked },
        _ => CredentialInput::Revoked,
    }
}

/// Changes the token that serves, or that was lost.
fn token(sample: &mut Sample<Credential, CredentialInput>, change: impl Fn(&mut Token)) {
    match &mut sample.before.state {
        CredentialState::Current { serving: token, .. }
        | CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => change(token),
        CredentialState::Dead { .. } => (),
    }
}

fn other_epoch(sample: &mut Sample<Credential, CredentialInput>) {
    use CredentialInput::{Accepted, Needed, ScopeMissing, TokenRefused};
    if let Needed { past: epoch, .. } | Accepted { epoch, .. } | TokenRefused { epoch, .. } | ScopeMissing { epoch } =
        &mut sample.input
    {
        *epoch = Epoch::NONE;
    }
}

fn other_call(sample: &mut Sample<Credential, CredentialInput>) {
    sample.before.epoch = SECOND;
}

fn young(sample: &mut Sample<Credential, CredentialInput>) {
    token(sample, |token| token.issued = NOW);
}

fn expired(sample: &mut Sample<Credential, CredentialInput>) {
    token(sample, |token| token.expires = NOW);
}

fn both_expired(sample: &mut Sample<Credential, CredentialInput>) {
    expired(sample);
    if let CredentialState::Current { next: Some(next), .. } = &mut sample.before.state {
        next.expires = NOW;
    }
}

/// Three quarters of the time that it may be idle have passed.
fn idle(sample: &mut Sample<Credential, CredentialInput>) {
    sample.before.terms.idle = SETTLE;
    if let CredentialState::Current { next: Some(next), .. } = &mut sample.before.state {
        next.issued = ISSUED;
    }
}

fn idle_token(sample: &mut Sample<Credential, CredentialInput>) {
    idle(sample);
    expired(sample);
}

fn idle_and_expired(sample: &mut Sample<Credential, CredentialInput>) {
    idle(sample);
    both_expired(sample);
}

fn grant_ended(sample: &mut Sample<Credential, CredentialInput>) {
    sample.before.grant = Grant::Ended { cause: Cause::Revoked };
}

fn ended_for_all(sample: &mut Sample<Credential, CredentialInput>) {
    both_expired(sample);
    grant_ended(sample);
}

fn one_fruitless(sample: &mut Sample<Credential, CredentialInput>) {
    sample.before.fruitless = 1;
}

fn second_fruitless(sample: &mut Sample<Credential, CredentialInput>) {
    one_fruitless(sample);
    token(sample, |token| token.proof = TokenProof::Unproven { refusals: 1 });
}

fn outrun(sample: &mut Sample<Credential, CredentialInput>) {
    token(sample, |token| token.proof = TokenProof::Accepted { sent: LATER, refusals: 0 });
}

fn next_settled(sample: &mut Sample<Credential, CredentialInput>) {
    if let CredentialState::Current { next: Some(next), .. } = &mut sample.before.state {
        next.issued = ISSUED;
    }
    sample.input = CredentialInput::Accepted { epoch: SECOND, sent: NOW };
}

fn died_misconfigured(sample: &mut Sample<Credential, CredentialInput>) {
    sample.before.state = CredentialState::Dead { cause: Cause::Misconfigured, since: ISSUED };
}

fn mints(sample: &mut Sample<Credential, CredentialInput>) {
    let terms = Terms { mints: true, ..Terms::of(SETTLE) };
    sample.input = CredentialInput::ConfigurationChanged { terms };
}

fn asked(sample: &mut Sample<Credential, CredentialInput>) {
    sample.before.inquiry = Inquiry::Asked { epoch: FIRST };
}

fn second_fruitless_with_issuer(sample: &mut Sample<Credential, CredentialInput>) {
    second_fruitless(sample);
    sample.before.terms.introspects = true;
}

/// A token is new for as long as the profile's delay; twice the settle window, here.
fn new_token(sample: &mut Sample<Credential, CredentialInput>) {
    sample.before.terms.scope_delay = SETTLE.times(2);
}

fn known_lack(sample: &mut Sample<Credential, CredentialInput>) {
    new_token(sample);
    sample.before.lack = Lack::Minted { epoch: FIRST };
}
