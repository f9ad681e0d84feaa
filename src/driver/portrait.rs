//! A credential in full: how it stands, what was seen of it, and what that comes to.

use outlast_state::{Came, CredentialState, Epoch, Held, Standing, Time, diagnose};

use super::explained::explained;
use super::machines::{Keeper, Machines};
use crate::error::{Error, ErrorKind};
use crate::oauth;
use crate::view::{CredentialDetails, IssuerView, LearnedView, NodeView, RenewalView, ScopesView, TokenView};

impl Machines {
    /// One credential in full.
    pub(super) fn portrait(&self, name: &str, now: Time) -> Result<CredentialDetails, Error> {
        let known = self.credentials.get(name).zip(self.credential_view(name, now));
        let Some((keeper, credential)) = known else {
            let names: Vec<&str> = self.credentials.keys().map(String::as_str).collect();
            let message = format!("credential: there is none named {name:?}; configured: {}", names.join(", "));
            return Err(Error::new(ErrorKind::Unknown, message));
        };
        let clues = &keeper.record.clues;
        let machine = &keeper.record.credential;
        let millis = |at: Option<Time>| at.filter(|at| *at < Time::NEVER).map(Time::as_millis);
        let renewal =
            clues.renewal.map(|last| RenewalView { at_ms: last.at.as_millis(), came: came(last.came).into() });
        let issuer = clues.issuer.map(|word| IssuerView {
            at_ms: word.at.as_millis(),
            epoch: word.epoch.number(),
            standing: standing(word.standing).into(),
        });
        Ok(CredentialDetails {
            at_ms: now.as_millis(),
            finding: diagnose(machine, clues, now).finding,
            why: self.why_credential(name, now),
            alive_ms: millis(clues.alive),
            planned_ms: millis(machine.planned()),
            tokens: tokens(keeper),
            nodes: clues.nodes.iter().map(NodeView::of).collect(),
            scopes: self.scopes(name, keeper),
            renewal,
            issuer,
            learned: LearnedView::of(&credential.profile, self.learned.get(&credential.profile), self.young(name)),
            credential,
        })
    }

    /// How a credential stands, what speaks for what is wrong with it, who must act, and what would change it.
    pub(super) fn why_credential(&self, name: &str, now: Time) -> Vec<String> {
        let mut sentences = self.credential_stands(name, now);
        let Some(keeper) = self.credentials.get(name).filter(|keeper| !keeper.quarantined) else { return sentences };
        let missing = self.scopes(name, keeper).missing;
        sentences.extend(explained(&keeper.record.credential, &keeper.record.clues, &missing, now));
        sentences
    }

    fn scopes(&self, name: &str, keeper: &Keeper) -> ScopesView {
        let Some(profile) = self.settings.profiles.get(name) else { return ScopesView::default() };
        let granted = keeper.record.clues.scopes.as_deref();
        let listed = |text| oauth::listed(text, profile.scope_separator).map(str::to_owned).collect();
        ScopesView {
            granted: granted.map(listed),
            asked: profile.scopes.clone(),
            missing: granted.map(|granted| oauth::missing(profile, granted)).unwrap_or_default(),
        }
    }
}

fn tokens(keeper: &Keeper) -> Vec<TokenView> {
    let state = keeper.record.credential.state;
    let seen = keeper.record.clues.tokens.iter();
    let views = seen.map(|token| {
        let [accepted, refused] = [token.accepted, token.refused]
            .map(|times| times.map(|(first, last)| (first.as_millis(), last.as_millis())));
        TokenView {
            epoch: token.epoch.number(),
            role: role(&state, token.epoch).into(),
            issued_ms: token.issued.as_millis(),
            expires_ms: Some(token.expires).filter(|at| *at < Time::NEVER).map(Time::as_millis),
            first_accepted_ms: accepted.map(|(first, _)| first),
            last_accepted_ms: accepted.map(|(_, last)| last),
            first_refused_ms: refused.map(|(first, _)| first),
            last_refused_ms: refused.map(|(_, last)| last),
            refusals: token.refusals,
        }
    });
    views.collect()
}

fn role(state: &CredentialState, epoch: Epoch) -> &'static str {
    match state {
        CredentialState::Current { serving, .. } if serving.epoch == epoch => "serving",
        CredentialState::Current { next: Some(next), .. } if next.epoch == epoch => "next",
        CredentialState::Refreshing { held: Held::Serving(token), .. } if token.epoch == epoch => "serving",
        CredentialState::Refreshing { held: Held::Lost(token), .. } if token.epoch == epoch => "lost",
        _ => "before",
    }
}

pub(super) fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Expired => "expired",
        Standing::Revoked => "revoked",
        Standing::Unknown => "unknown",
    }
}

fn came(came: Came) -> &'static str {
    match came {
        Came::Renewed => "renewed",
        Came::Refused => "refused",
        Came::Misconfigured => "misconfigured",
        Came::Unknown => "unknown",
    }
}
