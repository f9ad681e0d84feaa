//! Everything that can be set: where to listen, who has which token, and the switches that decide how the provider behaves.

use super::accounts::{self, AdAccount};
use super::choices::{
    BatchMode, DeadRefreshError, IdHeader, NodePolicy, NotVisible, Pkce, RotateRefresh, Span, Supersede, Visibility,
};
use super::faults::Rule;
use super::field::{self, FieldError};
use super::own::Signer;
use crate::oauth::{Profile, Rotation};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// What a sandbox starts with. Every member has a default, so `Options::default()` is a provider without grants.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where the API and the token endpoint listen.
    pub api_listen: SocketAddr,
    /// Where the control interface listens: never the API's port, so that a stray client cannot reach it.
    pub control_listen: SocketAddr,
    /// Decides every draw: tokens, delays, nodes, probabilities.
    pub seed: u64,
    /// Real time, or time that the control interface moves.
    pub clock: ClockMode,
    /// The audit log's file. Lines are appended; the file is created if it is missing.
    pub audit_log: Option<PathBuf>,
    /// Whose provider it is. It is LinkedIn's if absent. [`Options::playing`] sets the switches that go with it.
    #[serde(skip)]
    pub profile: Option<Profile>,
    /// Applications that are known before they have a grant, with their secrets; an empty secret for one that has none.
    pub clients: BTreeMap<String, Secret>,
    /// Grants that exist at the start. Their tokens are visible everywhere.
    pub grants: Vec<GrantSeed>,
    /// How the provider behaves.
    pub switches: Switches,
    /// Fault rules, first match first.
    pub faults: Vec<Rule>,
}

/// Where time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockMode {
    /// The wall clock that the sandbox was started with.
    Real,
    /// Stands still until the control interface sets or advances it.
    #[serde(rename_all = "snake_case")]
    Manual {
        /// Milliseconds since 1970 at the start.
        start_ms: u64,
    },
}

/// A token or client secret. It has no `Debug`, `Display` or `Serialize`: the only way to its text is [`Secret::expose`].
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text. Callers answer for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

// Lets a map keyed by secrets be asked with the text of a header, without a copy.
impl std::borrow::Borrow<str> for Secret {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// One OAuth grant to set up. Ages are relative to the moment it is set up, so that no clock is needed to write one.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrantSeed {
    /// The application.
    pub client_id: String,
    /// Its secret. Two grants of one application must agree on it.
    pub client_secret: Secret,
    /// Who consented; drawn if absent.
    pub member: Option<String>,
    /// Scopes, separated by commas.
    pub scope: String,
    /// The access token; drawn if absent.
    pub access_token: Option<Secret>,
    /// The refresh token; drawn if absent.
    pub refresh_token: Option<Secret>,
    /// How long ago the access token was issued.
    pub age_s: u64,
    /// When the access token expires; the rest of `access_token_life_s` if absent.
    pub expires_in_s: Option<u64>,
    /// When the grant ends; the rest of `refresh_token_life_s` if absent.
    pub refresh_expires_in_s: Option<u64>,
    /// Whether the token must spread to the nodes first, like one from the token endpoint. Needs an age of 0 to make sense.
    pub propagates: bool,
}

/// How the provider behaves. All of it can be changed while it runs (`POST /__ctl/config`); tokens keep the delays they were issued with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Names of the API's nodes.
    pub nodes: Vec<String>,
    /// Which node serves a request.
    pub node_policy: NodePolicy,
    /// How long a node takes to learn a new access token.
    pub visibility: Visibility,
    /// Nodes that never learn a token issued while they are named here.
    pub never_visible_on: BTreeSet<String>,
    /// How long a node takes to learn that a token was revoked; 0 for a node that is not named.
    pub revocation_delay_ms: BTreeMap<String, u64>,
    /// What a node says about a token that it has not learnt, with weights.
    pub not_visible_code: BTreeMap<NotVisible, u32>,
    /// How long introspection takes to learn a token.
    pub introspection_delay_ms: u64,
    /// What a refresh does to the refresh token.
    pub rotate_refresh: RotateRefresh,
    /// What a refresh does to the access tokens before it.
    pub supersede: Supersede,
    /// What the token endpoint calls a dead refresh token.
    pub dead_refresh_error: DeadRefreshError,
    /// More calls than this with one refresh token within a minute are answered 429.
    pub max_refresh_per_minute: Option<u32>,
    /// Whether the answers of the token endpoint hold a refresh token.
    pub refresh_token_in_answer: bool,
    /// Scopes that a token has only when it is minted so many milliseconds after the consent: permissions are cached.
    pub late_scopes: BTreeMap<String, u64>,
    /// Life of an access token; capped by what is left of the grant.
    pub access_token_life_s: u64,
    /// Life of a grant from the consent; no refresh extends it.
    pub refresh_token_life_s: u64,
    /// A refresh token that nobody uses for so long is dead; none is if absent.
    pub refresh_idle_life_s: Option<u64>,
    /// Life of an authorisation code.
    pub code_life_s: u64,
    /// The addresses that the consent page sends people to, to the letter but for a port of 127.0.0.1; any if absent.
    pub redirect_uris: Option<BTreeSet<String>>,
    /// Whether people refuse on the consent page.
    pub consent_refused: bool,
    /// Scopes that no application may ask for.
    pub refused_scopes: BTreeSet<String>,
    /// What a client with a secret may say about PKCE.
    pub pkce: Pkce,
    /// Who may sign assertions.
    pub signers: Vec<Signer>,
    /// How long every API answer takes.
    pub api_latency_ms: Span,
    /// How long every answer of the token endpoint takes.
    pub token_latency_ms: Span,
    /// How a batch of conversions with bad elements is answered.
    pub batch_mode: BatchMode,
    /// Values of `LinkedIn-Version` that are alive.
    pub versions: BTreeSet<String>,
    /// Conversion rules that exist beside those that were created through the API; any well-formed URN if absent.
    pub known_conversions: Option<BTreeSet<String>>,
    /// How old a conversion may be; any age if absent.
    pub conversion_age_limit_ms: Option<u64>,
    /// Values of `idType` that conversions know.
    pub accepted_id_types: BTreeSet<String>,
    /// Values of `idType` that the users of a segment know.
    pub segment_id_types: BTreeSet<String>,
    /// How long the finder takes to learn of a new segment. Segments keep the delays that they were created with.
    pub finder_delay_ms: u64,
    /// How long a new segment takes no members: 404, as if it did not exist.
    pub segment_ready_delay_ms: u64,
    /// The headers that tell a new segment's id.
    pub segment_id_headers: BTreeSet<IdHeader>,
    /// The ad accounts that exist, with their campaigns.
    pub ad_accounts: Vec<AdAccount>,
    /// The largest batch.
    pub max_elements: usize,
    /// How many lines of the audit log stay readable through the control interface. The file keeps all.
    pub audit_keep_lines: usize,
}

impl Options {
    /// The provider of this profile: it speaks as the profile says, and its tokens live as long and rotate so.
    #[must_use]
    pub fn playing(profile: Profile) -> Self {
        let seconds = |span: outlast_state::Span| (span.as_millis() / 1000).max(1);
        let usual = Switches::default();
        let rotate_refresh = match profile.rotation {
            Rotation::Kept => RotateRefresh::Same,
            Rotation::MayChange => RotateRefresh::NewOldValid,
            Rotation::Rotates { grace } if grace == outlast_state::Span::ZERO => RotateRefresh::NewOldDead,
            Rotation::Rotates { grace } => RotateRefresh::NewOldDeadAfter(grace.as_millis()),
        };
        let switches = Switches {
            access_token_life_s: seconds(profile.access_life),
            refresh_token_life_s: profile.grant_life.map_or(ENDLESS_S, seconds),
            refresh_idle_life_s: profile.idle_life.map(seconds),
            rotate_refresh,
            pkce: if profile.pkce { Pkce::Required } else { Pkce::Refused },
            conversion_age_limit_ms: profile.event_age.map(outlast_state::Span::as_millis),
            ..usual
        };
        Self { profile: Some(profile), switches, ..Self::default() }
    }

    /// Reads options, as the program's `sandbox` command and tests in other languages write them.
    ///
    /// # Errors
    /// Names the member that is unknown or does not fit.
    pub fn from_json(json: &serde_json::Value) -> Result<Self, FieldError> {
        // A list would be read as members in their order, and an empty one as no member at all.
        if !json.is_object() {
            return Err(FieldError::new("options", "must be a JSON object"));
        }
        let options: Self = field::read(json)?;
        options.switches.check().map_err(|error| error.under("switches"))?;
        Ok(options)
    }
}

impl Switches {
    /// These switches with the members of `change` replaced, checked.
    ///
    /// # Errors
    /// Names the member that is unknown or does not fit.
    pub fn changed(&self, change: &serde_json::Value) -> Result<Self, FieldError> {
        let changed = field::merged(self, change)?;
        changed.check()?;
        Ok(changed)
    }

    /// Checks what types cannot.
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let known: BTreeSet<&String> = self.nodes.iter().collect();
        if known.is_empty() || known.len() != self.nodes.len() || known.iter().any(|name| name.is_empty()) {
            return Err(FieldError::new("nodes", "needs at least one name, each once and none empty"));
        }
        let all_known = |field: &str, named: Vec<&String>| match named.iter().find(|name| !known.contains(*name)) {
            Some(stranger) => Err(FieldError::new(field, format!("`{stranger}` is not one of `nodes`"))),
            None => Ok(()),
        };
        all_known("never_visible_on", self.never_visible_on.iter().collect())?;
        all_known("revocation_delay_ms", self.revocation_delay_ms.keys().collect())?;
        match &self.visibility {
            Visibility::Fixed(delays) => all_known("visibility.fixed", delays.keys().collect())?,
            Visibility::Uniform(span) => span.check("visibility.uniform")?,
            Visibility::Listed(lists) if lists.values().any(|list| list.len() > self.nodes.len()) => {
                return Err(FieldError::new("visibility.listed", "a token has more delays than there are nodes"));
            }
            Visibility::Listed(_) => {}
        }
        if self.not_visible_code.values().all(|weight| *weight == 0) {
            return Err(FieldError::new("not_visible_code", "needs a code with a weight above 0"));
        }
        if self.max_elements == 0 {
            return Err(FieldError::new("max_elements", "must be at least 1"));
        }
        if let Some(problem) = self.signers.iter().find_map(Signer::objection) {
            return Err(FieldError::new("signers", problem));
        }
        accounts::check(&self.ad_accounts).map_err(|error| error.under("ad_accounts"))?;
        self.api_latency_ms.check("api_latency_ms")?;
        self.token_latency_ms.check("token_latency_ms")
    }
}

impl Default for Options {
    fn default() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            api_listen: any_port,
            control_listen: any_port,
            seed: 0,
            clock: ClockMode::Real,
            audit_log: None,
            profile: None,
            clients: BTreeMap::new(),
            grants: Vec::new(),
            switches: Switches::default(),
            faults: Vec::new(),
        }
    }
}

impl Default for GrantSeed {
    fn default() -> Self {
        Self {
            client_id: "client-id-1".into(),
            client_secret: "client-secret-1".into(),
            member: None,
            scope: "r_ads,r_basicprofile,rw_conversions,rw_dmp_segments".into(),
            access_token: None,
            refresh_token: None,
            age_s: 0,
            expires_in_s: None,
            refresh_expires_in_s: None,
            propagates: false,
        }
    }
}

impl Default for Switches {
    fn default() -> Self {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
        Self {
            nodes: (1..=4).map(|n| format!("n{n}")).collect(),
            node_policy: NodePolicy::RoundRobin,
            visibility: Visibility::Fixed(BTreeMap::new()),
            never_visible_on: BTreeSet::new(),
            revocation_delay_ms: BTreeMap::new(),
            not_visible_code: BTreeMap::from([(NotVisible::Revoked, 1)]),
            introspection_delay_ms: 0,
            rotate_refresh: RotateRefresh::Same,
            supersede: Supersede::KeepOld,
            dead_refresh_error: DeadRefreshError::InvalidGrant,
            max_refresh_per_minute: None,
            refresh_token_in_answer: true,
            late_scopes: BTreeMap::new(),
            access_token_life_s: 60 * DAY_S,
            refresh_token_life_s: 365 * DAY_S,
            refresh_idle_life_s: None,
            code_life_s: 1800,
            redirect_uris: None,
            consent_refused: false,
            refused_scopes: BTreeSet::new(),
            pkce: Pkce::Refused,
            signers: Vec::new(),
            api_latency_ms: Span::default(),
            token_latency_ms: Span::default(),
            batch_mode: BatchMode::ElementStatuses,
            versions: (202_510..=202_512).chain(202_601..=202_612).map(|v: u32| v.to_string()).collect(),
            known_conversions: None,
            conversion_age_limit_ms: Some(90 * DAY_S * 1000),
            accepted_id_types: texts(&[
                "SHA256_EMAIL",
                "LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID",
                "ACXIOM_ID",
                "ORACLE_MOAT_ID",
            ]),
            segment_id_types: texts(&["SHA256_EMAIL", "SHA512_EMAIL", "GOOGLE_AID", "APPLE_IDFA"]),
            finder_delay_ms: 0,
            segment_ready_delay_ms: 0,
            segment_id_headers: BTreeSet::from([IdHeader::RestliId, IdHeader::LinkedinId]),
            ad_accounts: accounts::usual(),
            max_elements: 5000,
            audit_keep_lines: 100_000,
        }
    }
}

const DAY_S: u64 = 86_400;

/// A grant without an end, as far as a number can say it: ten years.
const ENDLESS_S: u64 = 3650 * DAY_S;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_an_object() {
        assert!(Options::from_json(&serde_json::json!({})).is_ok());
        let error = Options::from_json(&serde_json::json!([])).err().expect("a list is no options");
        assert_eq!(error.to_string(), "`options`: must be a JSON object");
    }
}
