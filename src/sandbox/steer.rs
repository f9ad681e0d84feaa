//! Steering a provider while it runs: what the control interface offers, for callers in the same process.

use super::faults::Rule;
use super::faults::Rules;
use super::field::FieldError;
use super::options::{GrantSeed, Secret, Switches};
use super::provider::{Provider, Summary};
use super::tokens::{Code, ordinal, place, seconds};
use serde_json::{Value, json};
use std::sync::Arc;

/// The tokens of a grant that was set up by hand, or a token that something was done to.
#[derive(Clone)]
pub struct Issued {
    /// Ordinal of the grant.
    pub grant: u32,
    /// Ordinal of the access token.
    pub access: u32,
    /// The access token.
    pub access_token: Secret,
    /// The refresh token.
    pub refresh_token: Secret,
}

/// What an authorisation code is made for.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The application; it must have a grant already, which tells its secret.
    pub client_id: String,
    /// Where the consent page would send the member.
    pub redirect_uri: String,
    /// Who consents; drawn if absent.
    #[serde(default)]
    pub member: Option<String>,
    /// Scopes, separated by commas; all if absent.
    #[serde(default)]
    pub scope: Option<String>,
}

impl Provider {
    /// How it behaves.
    #[must_use]
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Changes how it behaves. Tokens keep the delays that they were issued with.
    ///
    /// # Errors
    /// Names the switch that does not fit.
    pub fn configure(&mut self, switches: Switches) -> Result<(), FieldError> {
        switches.check()?;
        self.switches = switches;
        Ok(())
    }

    /// Replaces the fault rules; their counts start at 0.
    ///
    /// # Errors
    /// Names the rule's member that does not fit.
    pub fn set_faults(&mut self, rules: &[Rule]) -> Result<(), FieldError> {
        self.rules = Rules::new(rules)?;
        Ok(())
    }

    /// Adds a grant.
    ///
    /// # Errors
    /// Names the member that does not fit.
    pub fn issue(&mut self, seed: &GrantSeed, now_ms: u64) -> Result<Issued, FieldError> {
        if let Some((member, problem)) = self.tokens.objection(seed) {
            return Err(FieldError::new(member, problem));
        }
        // The mint borrows the switches, and the tokens are borrowed beside it.
        let mint = super::tokens::Mint { seed: self.initial.seed, switches: &self.switches, now: now_ms };
        let (access, refresh) = self.tokens.grant(seed, mint);
        Ok(Issued {
            grant: ordinal(self.tokens.grants.len().saturating_sub(1)),
            access: ordinal(access),
            access_token: self.tokens.access_secret(access).into(),
            refresh_token: self.tokens.refresh_secret(refresh).into(),
        })
    }

    /// Makes an authorisation code, as if a member had consented.
    ///
    /// # Errors
    /// If the application is not known.
    pub fn consent(&mut self, consent: Consent, now_ms: u64) -> Result<Secret, FieldError> {
        if !self.tokens.knows_client(&consent.client_id) {
            return Err(FieldError::new("client_id", "is not known; issue a grant for it first"));
        }
        let code = Code {
            client_id: consent.client_id,
            redirect_uri: consent.redirect_uri,
            member: consent.member.unwrap_or_else(|| format!("member-{}", ordinal(self.tokens.grants.len()))),
            scope: consent.scope.unwrap_or_else(|| GrantSeed::default().scope),
            challenge: None,
            expires: now_ms.saturating_add(seconds(self.switches.code_life_s)),
        };
        let mint = super::tokens::Mint { seed: self.initial.seed, switches: &self.switches, now: now_ms };
        Ok(self.tokens.add_code(code, mint))
    }

    /// Revokes an access token, by default the newest that lives, and leaves its grant alone. The ordinal of the one revoked.
    ///
    /// # Errors
    /// If there is no such token.
    pub fn revoke_access(&mut self, access: Option<u32>, now_ms: u64) -> Result<u32, FieldError> {
        let found = self.find_access(access)?;
        self.tokens.revoke_access(found, now_ms);
        Ok(ordinal(found))
    }

    /// Ends an access token's life now. The ordinal of the one that ended.
    ///
    /// # Errors
    /// If there is no such token.
    pub fn expire_access(&mut self, access: Option<u32>, now_ms: u64) -> Result<u32, FieldError> {
        let found = self.find_access(access)?;
        if let Some(token) = self.tokens.access.get_mut(found) {
            token.expires = token.expires.min(now_ms);
        }
        Ok(ordinal(found))
    }

    /// Revokes a grant with all its tokens, as a member who removes the application does.
    ///
    /// # Errors
    /// If there is no such grant.
    pub fn revoke_grant(&mut self, grant: u32, now_ms: u64) -> Result<(), FieldError> {
        let found = place(grant).filter(|found| *found < self.tokens.grants.len());
        let found = found.ok_or_else(|| FieldError::new("grant", "there is no grant with this ordinal"))?;
        self.tokens.revoke_grant(found, now_ms);
        Ok(())
    }

    /// Changes what a grant permits. Tokens that were minted before keep what they have, as permissions are cached.
    ///
    /// # Errors
    /// If there is no such grant.
    pub fn permit(&mut self, grant: u32, scope: &str) -> Result<(), FieldError> {
        let found = place(grant).and_then(|found| self.tokens.grants.get_mut(found));
        let found = found.ok_or_else(|| FieldError::new("grant", "there is no grant with this ordinal"))?;
        scope.clone_into(&mut found.scope);
        Ok(())
    }

    /// Back to how it started. Numbers in the audit log go on, so that a file never has one twice.
    ///
    /// # Panics
    /// Never: the options that it starts from were checked when the provider was made.
    pub fn reset(&mut self, now_ms: u64) {
        self.begin_life(now_ms).expect("the initial options were checked at the start");
    }

    /// Counts.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.counts
    }

    /// The newest lines of the audit log, from this number on.
    pub fn log_from(&self, seq: u64) -> impl Iterator<Item = &Arc<str>> {
        self.recent.from(seq)
    }

    /// When connections are refused: the period that lasts or comes next.
    #[must_use]
    pub fn refused_period(&self, now_ms: u64) -> Option<(u64, u64)> {
        self.rules.refusal(self.start, now_ms)
    }

    /// The rules and how often each matched and fired.
    #[must_use]
    pub fn faults(&self) -> Value {
        json!({"rules": self.rules.list()})
    }

    /// Everything that counted, and the refresh counters.
    #[must_use]
    pub fn state(&self) -> Value {
        let refresh = self.tokens.refresh.iter().enumerate().map(|(found, token)| {
            json!({
                "refresh_token": ordinal(found), "connection": ordinal(token.grant), "dead": token.dead_at.is_some(),
                "counters": token.counters,
            })
        });
        json!({
            "conversions": self.stores.conversions.list(),
            "segments": self.stores.segments.list(),
            "conversion_rules": self.stores.rules.list(),
            "campaign_conversions": self.stores.associations.list(),
            "crm": self.stores.contacts.list(),
            "refresh": refresh.collect::<Vec<_>>(),
            "summary": self.counts,
        })
    }

    /// Every token by its ordinal, without secrets.
    #[must_use]
    pub fn token_list(&self) -> Value {
        let access = self.tokens.access.iter().enumerate().map(|(found, token)| {
            json!({
                "access_token": ordinal(found), "grant": ordinal(token.grant), "issued_ms": token.issued,
                "expires_ms": token.expires, "revoked_ms": token.revoked_at,
            })
        });
        let grants = self.tokens.grants.iter().enumerate().map(|(found, grant)| {
            json!({
                "grant": ordinal(found), "client_id": grant.client_id, "member": grant.member, "scope": grant.scope,
                "consented_ms": grant.consented, "ends_ms": grant.ends, "revoked": grant.revoked,
            })
        });
        json!({"access": access.collect::<Vec<_>>(), "grants": grants.collect::<Vec<_>>()})
    }

    fn find_access(&self, access: Option<u32>) -> Result<usize, FieldError> {
        let found = match access {
            Some(ordinal) => place(ordinal).filter(|found| *found < self.tokens.access.len()),
            None => self.tokens.newest_live(),
        };
        found.ok_or_else(|| FieldError::new("access", "there is no such access token"))
    }
}
