//! What lies ahead of each credential: its ends, what is planned before them, and who must act by when; pure.

use outlast_state::{Cause, Credential, CredentialState, CredentialWant, Grant, Held, Time, Token, TokenProof};

use super::machines::Machines;
use crate::alert::{self, moment, warnings};
use crate::oauth::{self, GrantKind, Profile};
use crate::view::{CredentialCalendar, DayWarning, Scope, ScopeDrift};

impl Machines {
    /// What lies ahead of a credential.
    pub(super) fn calendar(&self, name: &str, now: Time) -> Option<CredentialCalendar> {
        let keeper = self.credentials.get(name)?;
        let credential = &keeper.record.credential;
        let profile = self.settings.profiles.get(name)?;
        let dead = keeper.quarantined || credential.wants() == CredentialWant::Authorisation;
        let stops = stops(credential);
        let scopes = drift(profile, keeper.record.clues.scopes.as_deref());
        let mut outlook =
            if dead { self.why_credential(name, now).join(" ") } else { outlook(name, profile, credential) };
        if !scopes.missing.is_empty() {
            let missing = scopes.missing.join(", ");
            outlook.push_str(&format!(" Its newest token lacks {missing}: authorise it again with all that it needs."));
        }
        let known = |at: Option<Time>| at.filter(|at| *at < Time::NEVER).map(Time::as_millis);
        let ahead = stops.filter(|_| !dead).unwrap_or(Time::NEVER);
        let beyond =
            |destination| self.queues.get(destination).map_or(0, |queue| queue.live_beyond(stops.unwrap_or(now)));
        let destinations = self.settings.needed_by.get(name).into_iter().flatten();
        Some(CredentialCalendar {
            credential: name.to_owned(),
            profile: profile.name.clone(),
            state: credential.state.name().to_owned(),
            stops_ms: known(stops),
            dead,
            outlook,
            grant_ends_ms: known(Some(credential.ends)),
            idle_ends_ms: known(credential.idle_end()),
            keep_alive_ms: known(credential.keep_alive()),
            token_ends_ms: known(tokens(credential).map(|(serving, _)| serving.expires)),
            refresh_ms: known(refresh(credential)),
            proven_ms: proven(credential).map(Time::as_millis),
            scopes,
            warnings: warnings(ahead, now, &self.settings.alerts.days).into_iter().map(shown).collect(),
            live: self.live_within(&Scope::Credential(name.to_owned())),
            at_risk: if stops.is_some() { destinations.map(beyond).sum() } else { 0 },
        })
    }
}

fn shown(warning: alert::Warning) -> DayWarning {
    DayWarning { days: warning.days, at_ms: warning.at.as_millis(), past: warning.past }
}

/// What serves, or was lost, and what comes next.
fn tokens(credential: &Credential) -> Option<(Token, Option<Token>)> {
    match credential.state {
        CredentialState::Current { serving, next } => Some((serving, next)),
        CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => Some((token, None)),
        CredentialState::Dead { .. } => None,
    }
}

/// When it stops unless a human acts, where that is known.
fn stops(credential: &Credential) -> Option<Time> {
    let at = match (credential.state, credential.grant, tokens(credential)) {
        (CredentialState::Dead { since, .. }, _, _) => since,
        (_, Grant::Ended { .. }, Some((serving, next))) => {
            next.map_or(serving.expires, |next| next.expires.max(serving.expires))
        }
        (_, Grant::Ended { .. } | Grant::Alive, _) => credential.ends,
    };
    Some(at).filter(|at| *at < Time::NEVER)
}

/// When the next token is asked for.
fn refresh(credential: &Credential) -> Option<Time> {
    match credential.wants() {
        CredentialWant::Planned { at } => Some(at),
        CredentialWant::Renewal { not_before, .. } => Some(not_before),
        CredentialWant::Nothing | CredentialWant::Introspection { .. } | CredentialWant::Authorisation => None,
    }
}

/// When its provider last took a token, or gave one.
fn proven(credential: &Credential) -> Option<Time> {
    let accepted = |token: Token| match token.proof {
        TokenProof::Accepted { sent, .. } => Some(sent),
        TokenProof::Unproven { .. } => None,
    };
    let (serving, next) = tokens(credential).unzip();
    let renewed = Some(credential.renewed).filter(|at| *at > Time::ZERO);
    [serving.and_then(accepted), next.flatten().and_then(accepted), renewed].into_iter().flatten().max()
}

/// How the scopes that a token has stand to those that are asked for. Providers answer with blanks, commas, or what they
/// themselves want between scopes.
fn drift(profile: &Profile, granted: Option<&str>) -> ScopeDrift {
    let Some(granted) = granted else { return ScopeDrift::default() };
    let missing = oauth::missing(profile, granted);
    let granted: Vec<String> = oauth::listed(granted, profile.scope_separator).map(str::to_owned).collect();
    let asked = &profile.scopes;
    let beyond = granted.iter().filter(|scope| !asked.is_empty() && !asked.contains(scope)).cloned().collect();
    ScopeDrift { granted: Some(granted), missing, beyond }
}

/// What becomes of one that is not dead.
fn outlook(name: &str, profile: &Profile, credential: &Credential) -> String {
    let ended = match credential.grant {
        Grant::Ended { cause } => Some(cause),
        Grant::Alive => None,
    };
    match (ended, stops(credential)) {
        (Some(Cause::Misconfigured), at) => format!(
            "Its provider refuses the client. Its last token {}; correct what the configuration says of the client before.",
            until(at)
        ),
        (Some(_), at) => format!(
            "Its grant has ended. Its last token {}; authorise it again before: `outlast auth login {name}`, or `outlast auth import {name}`.",
            until(at)
        ),
        (None, _) if profile.grant.mints() => {
            "It needs no human: a new token is asked for whenever one is needed.".to_owned()
        }
        (None, Some(at)) if profile.grant == GrantKind::Static => format!(
            "Its token ends at {}, and nothing renews it. Put another one into the configuration before, and start the engine with it.",
            moment(at)
        ),
        (None, Some(at)) => format!(
            "Its grant ends at {}, whatever is refreshed. Authorise it again before: `outlast auth login {name}`, or `outlast auth import {name}`.",
            moment(at)
        ),
        (None, None) => match credential.idle_end() {
            Some(at) => format!("No end of its grant is known. Unused, it would die at {}.", moment(at)),
            None => "No end of its grant is known.".to_owned(),
        },
    }
}

fn until(at: Option<Time>) -> String {
    at.map_or_else(|| "serves on, nobody knows for how long".to_owned(), |at| format!("serves until {}", moment(at)))
}

#[cfg(test)]
mod tests;
