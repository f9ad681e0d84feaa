//! What becomes of a credential's grant: a refresh that ended, a human who brought one.

use outlast_state::{
    Came, Cause, Credential, CredentialInput, CredentialWant, Epoch, IssuerWord, Span, Standing, Time, jittered,
};
use tracing::{info, warn};

use super::acts::{Act, Turn};
use super::machines::Machines;
use crate::secret::Secret;
use crate::store::Key;
use crate::vault::Grant;

/// A token as it comes into the engine: sealed for the store, and open for use.
pub(crate) struct Brought {
    pub(crate) issued: Time,
    pub(crate) expires: Time,
    pub(crate) ends: Time,
    /// What it permits, if that was said.
    pub(crate) scopes: Option<String>,
    pub(crate) sealed_token: Vec<u8>,
    pub(crate) sealed_grant: Vec<u8>,
    pub(crate) token: Secret,
}

/// When a grant ends: with its refresh token, and where it has none, with its access token. One that mints needs neither.
pub(super) fn ends(grant: &Grant, expires: Time, mints: bool) -> Time {
    match grant.refresh {
        Some(_) => grant.refresh_expires,
        None if mints => Time::NEVER,
        None => expires,
    }
}

/// How a token request ended.
pub(crate) enum RenewalEnding {
    Renewed(Brought),
    RefusedForGood {
        cause: Cause,
        why: String,
    },
    Misconfigured {
        why: String,
    },
    Unknown {
        why: String,
        retry_after: Option<Span>,
    },
    /// The engine gave the request up because it stops.
    GivenUp,
}

/// A refresh whose outcome is unknown is tried again after 1, 2, 4 … s, at most this.
const LONGEST_RENEWAL_WAIT: Span = Span::from_secs(300);

impl Machines {
    /// A token request ended.
    pub(crate) fn renewal_ended(&mut self, name: &str, from: Epoch, ending: RenewalEnding, turn: &mut Turn) {
        let Some(keeper) = self.credentials.get_mut(name) else { return };
        keeper.calling = false;
        self.in_flight = self.in_flight.saturating_sub(1);
        let tries = match keeper.record.credential.wants() {
            CredentialWant::Renewal { tries, .. } => tries,
            _ => 0,
        };
        let before = keeper.record.credential.epoch;
        if let Some(came) = came(&ending) {
            self.request_came(name, from, came, turn);
        }
        match ending {
            RenewalEnding::Renewed(brought) => {
                let Brought { issued, expires, ends, .. } = brought;
                let after = self.credential(name, CredentialInput::Renewed { from, issued, expires, ends }, turn);
                if after.is_some_and(|after| after.epoch > before) {
                    info!(credential = name, epoch = before.next().number(), "refreshed");
                    self.bring(name, before.next(), brought, turn);
                }
            }
            RenewalEnding::RefusedForGood { cause, why } => {
                warn!(credential = name, ?cause, why, "the grant is refused for good");
                self.note_credential(name, &why, turn);
                self.credential(name, CredentialInput::RefusedForGood { from, cause }, turn);
            }
            RenewalEnding::Misconfigured { why } => {
                warn!(credential = name, why, "the provider refuses the client");
                self.note_credential(name, &why, turn);
                self.credential(name, CredentialInput::Misconfigured { from }, turn);
            }
            RenewalEnding::Unknown { why, retry_after } => {
                let backoff = Span::from_secs(1 << tries.min(9)).min(LONGEST_RENEWAL_WAIT);
                let wait =
                    jittered(backoff, u64::from(from.number()), u64::from(tries)).max(retry_after.unwrap_or_default());
                info!(credential = name, why, wait = %wait, "the refresh has no known outcome; it is tried again");
                self.note_credential(name, &why, turn);
                let retry_at = turn.now.after(wait);
                self.credential(name, CredentialInput::Unknown { from, retry_at }, turn);
            }
            RenewalEnding::GivenUp => {
                warn!(credential = name, "the engine stops before its token request was answered");
                self.credential(name, CredentialInput::Interrupted, turn);
            }
        }
        self.schedule_renewal(name);
    }

    /// An issuer said what it thinks of a token, or could not be asked.
    pub(crate) fn inspected(&mut self, name: &str, epoch: Epoch, standing: Standing, note: &str, turn: &mut Turn) {
        let Some(keeper) = self.credentials.get_mut(name) else { return };
        keeper.calling = false;
        self.in_flight = self.in_flight.saturating_sub(1);
        info!(credential = name, epoch = epoch.number(), ?standing, note, "the issuer was asked about the token");
        if !note.is_empty() {
            self.note_credential(name, note, turn);
        }
        let word = IssuerWord { at: turn.now, epoch, standing };
        self.touch(name, turn, |keeper| keeper.record.clues.issuer = Some(word));
        self.credential(name, CredentialInput::Introspected { epoch, standing }, turn);
        self.schedule_renewal(name);
    }

    fn note_credential(&mut self, name: &str, note: &str, turn: &mut Turn) {
        self.touch(name, turn, |keeper| keeper.record.note(note));
    }

    /// Writes a token that the credential has just taken as `epoch`, and has it used once that is durable (S7).
    fn bring(&mut self, name: &str, epoch: Epoch, brought: Brought, turn: &mut Turn) {
        turn.writes.put(Key::Token(name.to_owned(), epoch), brought.sealed_token);
        turn.writes.put(Key::Grant(name.to_owned()), brought.sealed_grant);
        self.touch(name, turn, |keeper| {
            keeper.record.note.clear();
        });
        turn.acts.push(Act::Trust { credential: name.to_owned(), epoch, token: brought.token });
        self.sight_grant(name, epoch, brought.scopes.as_deref(), turn);
    }

    /// A human brought a grant.
    pub(crate) fn authorise(&mut self, name: &str, brought: Brought, turn: &mut Turn) {
        let Brought { issued, expires, ends, .. } = brought;
        let after = self.credential(name, CredentialInput::Authorised { issued, expires, ends }, turn);
        if let Some(after) = after {
            info!(credential = name, epoch = after.epoch.number(), "authorised");
            self.touch(name, turn, |keeper| {
                keeper.quarantined = false;
                keeper.record.clues.authorised();
            });
            self.bring(name, after.epoch, brought, turn);
        }
    }
}

/// How a token request ended, for people. One that was given up is told as a crash is.
fn came(ending: &RenewalEnding) -> Option<Came> {
    match ending {
        RenewalEnding::Renewed(_) => Some(Came::Renewed),
        RenewalEnding::RefusedForGood { .. } => Some(Came::Refused),
        RenewalEnding::Misconfigured { .. } => Some(Came::Misconfigured),
        RenewalEnding::Unknown { .. } => Some(Came::Unknown),
        RenewalEnding::GivenUp => None,
    }
}

/// Deletes the tokens that a credential no longer holds.
pub(super) fn drop_tokens(name: &str, before: &Credential, after: &Credential, turn: &mut Turn) {
    let held = |epoch: &Epoch| after.token(*epoch).is_some();
    for epoch in before.epochs().filter(|epoch| !held(epoch)) {
        turn.writes.delete(Key::Token(name.to_owned(), epoch));
    }
}
