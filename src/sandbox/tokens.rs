//! Grants, their access and refresh tokens, and what a node knows of them.

use super::choices::{RotateRefresh, Supersede};
use super::draw::{draw, opaque, purpose};
use super::nodes;
use super::options::{GrantSeed, Secret, Switches};
use super::wire::Head;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Every token of the provider. Ordinals count from 1 in the order of issue; a token's place in its list is one less.
#[derive(Default)]
pub(super) struct Tokens {
    pub(super) grants: Vec<Grant>,
    pub(super) access: Vec<Access>,
    pub(super) refresh: Vec<Refresh>,
    pub(super) codes: HashMap<Secret, Code>,
    clients: BTreeMap<String, Secret>,
    by_access: HashMap<Secret, usize>,
    by_refresh: HashMap<Secret, usize>,
}

/// What one member allowed one application.
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) member: String,
    pub(super) scope: String,
    pub(super) consented: u64,
    pub(super) ends: u64,
    pub(super) revoked: bool,
    /// Access tokens that no rule has revoked, so that replacing them costs what there is to replace.
    live: Vec<usize>,
}

pub(super) struct Access {
    secret: Secret,
    pub(super) grant: usize,
    /// What its grant permitted when it was minted.
    pub(super) scope: String,
    pub(super) issued: u64,
    pub(super) expires: u64,
    pub(super) revoked_at: Option<u64>,
    /// By node; a node beyond the list has always known the token.
    visible_at: Vec<Option<u64>>,
}

pub(super) struct Refresh {
    secret: Secret,
    pub(super) grant: usize,
    /// From when on it does not mint.
    pub(super) dead_at: Option<u64>,
    /// When it last did, or came to be.
    used_at: u64,
    pub(super) counters: RefreshCounters,
}

/// What the token endpoint saw of one refresh token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RefreshCounters {
    /// Calls.
    pub calls: u64,
    /// Calls that minted a token, whether or not the answer arrived.
    pub successes: u64,
    /// Calls that did not.
    pub failures: u64,
    /// Calls whose answer is not out yet.
    pub in_flight: u64,
    /// The most that there ever were at once.
    pub max_in_flight: u64,
    /// When the calls came.
    pub at_ms: Vec<u64>,
}

/// An authorisation code, good once.
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) member: String,
    pub(super) scope: String,
    /// The hash of the verifier that must come with it.
    pub(super) challenge: Option<String>,
    pub(super) expires: u64,
}

/// What an API node makes of a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Missing,
    Unknown,
    Revoked,
    Expired,
    NotVisible,
    Good,
}

impl Standing {
    /// The audit log's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::NotVisible => "not_visible",
            Self::Good => "good",
        }
    }
}

/// What must be known to mint: the seed, the rules and the time.
#[derive(Clone, Copy)]
pub(super) struct Mint<'a> {
    pub(super) seed: u64,
    pub(super) switches: &'a Switches,
    pub(super) now: u64,
}

impl Tokens {
    /// The token in the Authorization header.
    pub(super) fn presented(&self, head: &Head) -> Result<usize, Standing> {
        let header = head.header("authorization").unwrap_or_default().trim();
        let secret = header.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
        match (header, secret.and_then(|_| header.get(7..))) {
            (empty, _) if empty.is_empty() || empty.eq_ignore_ascii_case("bearer") => Err(Standing::Missing),
            (_, Some(secret)) => self.by_access.get(secret.trim()).copied().ok_or(Standing::Unknown),
            (_, None) => Err(Standing::Unknown),
        }
    }

    /// Rows 3 to 5 of the table of token states, in its order.
    pub(super) fn standing(&self, access: usize, node: usize, mint: Mint<'_>) -> Standing {
        let Some(token) = self.access.get(access) else { return Standing::Unknown };
        let node_name = mint.switches.nodes.get(node);
        let delay = node_name.and_then(|name| mint.switches.revocation_delay_ms.get(name)).copied().unwrap_or(0);
        let visible_at = token.visible_at.get(node).copied().unwrap_or(Some(0));
        match (token.revoked_at, visible_at) {
            (Some(revoked), _) if revoked.saturating_add(delay) <= mint.now => Standing::Revoked,
            _ if mint.now >= token.expires => Standing::Expired,
            (_, None) => Standing::NotVisible,
            (_, Some(at)) if mint.now < at => Standing::NotVisible,
            _ => Standing::Good,
        }
    }

    pub(super) fn refresh_named(&self, secret: &str) -> Option<usize> {
        self.by_refresh.get(secret).copied()
    }

    pub(super) fn access_named(&self, secret: &str) -> Option<usize> {
        self.by_access.get(secret).copied()
    }

    /// Whether the application is known and this is its secret.
    pub(super) fn is_client(&self, id: &str, secret: &str) -> bool {
        self.clients.get(id).is_some_and(|known| known.expose() == secret)
    }

    /// Makes an application known before it has a grant.
    pub(super) fn register(&mut self, id: &str, secret: &Secret) {
        self.clients.insert(id.to_owned(), secret.clone());
    }

    pub(super) fn secret_of(&self, client: &str) -> Option<Secret> {
        self.clients.get(client).cloned()
    }

    /// What the application's newest grant permits.
    pub(super) fn scope_of(&self, client: &str) -> Option<&str> {
        self.grants.iter().rev().find(|grant| grant.client_id == client).map(|grant| grant.scope.as_str())
    }

    pub(super) fn knows_client(&self, id: &str) -> bool {
        self.clients.contains_key(id)
    }

    /// Why this seed cannot be set up: the member at fault and what is wrong with it.
    pub(super) fn objection(&self, seed: &GrantSeed) -> Option<(&'static str, &'static str)> {
        let taken = |secret: &Option<Secret>, known: &HashMap<Secret, usize>| {
            secret.as_ref().is_some_and(|secret| known.contains_key(secret))
        };
        let blank = |secret: &Option<Secret>| secret.as_ref().is_some_and(|secret| secret.expose().trim().is_empty());
        match seed {
            _ if self.clients.get(&seed.client_id).is_some_and(|known| *known != seed.client_secret) => {
                Some(("client_secret", "differs from the one that this client_id already has"))
            }
            _ if blank(&seed.access_token) => {
                Some(("access_token", "must not be blank; leave it out to have one drawn"))
            }
            _ if blank(&seed.refresh_token) => {
                Some(("refresh_token", "must not be blank; leave it out to have one drawn"))
            }
            _ if taken(&seed.access_token, &self.by_access) => Some(("access_token", "exists already")),
            _ if taken(&seed.refresh_token, &self.by_refresh) => Some(("refresh_token", "exists already")),
            _ => None,
        }
    }

    /// Sets up a grant with its two tokens; their places. Callers ask [`objection`](Self::objection) first.
    pub(super) fn grant(&mut self, seed: &GrantSeed, mint: Mint<'_>) -> (usize, usize) {
        self.clients.insert(seed.client_id.clone(), seed.client_secret.clone());
        let issued = mint.now.saturating_sub(seconds(seed.age_s));
        let ends = match seed.refresh_expires_in_s {
            Some(left) => mint.now.saturating_add(seconds(left)),
            None => issued.saturating_add(seconds(mint.switches.refresh_token_life_s)),
        };
        let expires = match seed.expires_in_s {
            Some(left) => mint.now.saturating_add(seconds(left)),
            None => issued.saturating_add(seconds(mint.switches.access_token_life_s)).min(ends),
        };
        let member = seed.member.clone().unwrap_or_else(|| format!("member-{}", ordinal(self.grants.len())));
        let grant = self.grants.len();
        self.grants.push(Grant {
            client_id: seed.client_id.clone(),
            member,
            scope: seed.scope.clone(),
            consented: issued,
            ends,
            revoked: false,
            live: Vec::new(),
        });
        let refresh = self.add_refresh(grant, seed.refresh_token.clone(), mint);
        let visible_at = if seed.propagates { self.spread(mint) } else { Vec::new() };
        let access = self.add_access(grant, seed.access_token.clone(), (issued, expires), visible_at, mint);
        (access, refresh)
    }

    /// A new access token and what the switches do to the tokens before it; its place and the refresh token to hand out.
    pub(super) fn renew(&mut self, used: usize, mint: Mint<'_>) -> Option<(usize, usize)> {
        let grant = self.refresh.get(used)?.grant;
        self.supersede(grant, mint);
        let expires =
            self.grants.get(grant)?.ends.min(mint.now.saturating_add(seconds(mint.switches.access_token_life_s)));
        let visible_at = self.spread(mint);
        let access = self.add_access(grant, None, (mint.now, expires), visible_at, mint);
        let dead_at = match mint.switches.rotate_refresh {
            RotateRefresh::Same | RotateRefresh::NewOldValid => None,
            RotateRefresh::NewOldDead => Some(mint.now),
            RotateRefresh::NewOldDeadAfter(ms) => Some(mint.now.saturating_add(ms)),
        };
        let token = self.refresh.get_mut(used)?;
        token.used_at = mint.now;
        token.dead_at = token.dead_at.or(dead_at);
        let refresh = match mint.switches.rotate_refresh {
            RotateRefresh::Same => used,
            _ => self.add_refresh(grant, None, mint),
        };
        Some((access, refresh))
    }

    /// Revokes one access token; the grant lives.
    pub(super) fn revoke_access(&mut self, access: usize, at: u64) {
        if let Some(token) = self.access.get_mut(access) {
            token.revoked_at = Some(token.revoked_at.map_or(at, |before| before.min(at)));
        }
    }

    /// Revokes a grant with all its tokens, as a member who removes the application does.
    pub(super) fn revoke_grant(&mut self, grant: usize, now: u64) {
        let Some(found) = self.grants.get_mut(grant) else { return };
        found.revoked = true;
        for access in std::mem::take(&mut found.live) {
            self.revoke_access(access, now);
        }
    }

    /// Whether this refresh token mints.
    pub(super) fn mints(&self, refresh: usize, client_id: &str, mint: Mint<'_>) -> bool {
        let now = mint.now;
        let idle = mint.switches.refresh_idle_life_s.map_or(u64::MAX, seconds);
        let alive =
            |token: &&Refresh| token.dead_at.is_none_or(|at| now < at) && now.saturating_sub(token.used_at) < idle;
        let token = self.refresh.get(refresh).filter(alive);
        let grant = token.and_then(|token| self.grants.get(token.grant));
        grant.is_some_and(|grant| !grant.revoked && now < grant.ends && grant.client_id == client_id)
    }

    pub(super) fn access_secret(&self, access: usize) -> &str {
        self.access.get(access).map_or("", |token| token.secret.expose())
    }

    pub(super) fn refresh_secret(&self, refresh: usize) -> &str {
        self.refresh.get(refresh).map_or("", |token| token.secret.expose())
    }

    /// The newest access token that is not revoked.
    pub(super) fn newest_live(&self) -> Option<usize> {
        self.access.iter().rposition(|token| token.revoked_at.is_none())
    }

    pub(super) fn add_code(&mut self, code: Code, mint: Mint<'_>) -> Secret {
        let number = u64::try_from(self.codes.len()).unwrap_or(u64::MAX);
        let salt = draw(mint.now, &[number, u64::from(ordinal(self.grants.len()))]);
        let secret = Secret::from(opaque("AQC", mint.seed, &[purpose::CODE, salt]));
        self.codes.insert(secret.clone(), code);
        secret
    }

    fn supersede(&mut self, grant: usize, mint: Mint<'_>) {
        let at = match mint.switches.supersede {
            Supersede::KeepOld => return,
            Supersede::RevokeOldNow => mint.now,
            Supersede::RevokeOldAfter(ms) => mint.now.saturating_add(ms),
        };
        let old = self.grants.get_mut(grant).map(|grant| std::mem::take(&mut grant.live)).unwrap_or_default();
        for access in &old {
            self.revoke_access(*access, at);
        }
        // Still alive until then: the end of the grant must find them.
        if let Some(grant) = self.grants.get_mut(grant).filter(|_| at > mint.now) {
            grant.live = old;
        }
    }

    fn spread(&self, mint: Mint<'_>) -> Vec<Option<u64>> {
        nodes::visible_at(mint.switches, mint.seed, ordinal(self.access.len()), mint.now)
    }

    fn add_access(
        &mut self,
        grant: usize,
        secret: Option<Secret>,
        (issued, expires): (u64, u64),
        visible_at: Vec<Option<u64>>,
        mint: Mint<'_>,
    ) -> usize {
        let place = self.access.len();
        let drawn = || opaque("AQX", mint.seed, &[purpose::ACCESS, u64::from(ordinal(place))]).into();
        let secret: Secret = secret.unwrap_or_else(drawn);
        self.by_access.insert(secret.clone(), place);
        let scope = self.grants.get(grant).map(|grant| grant.scope_at(issued, mint.switches)).unwrap_or_default();
        self.access.push(Access { secret, grant, scope, issued, expires, revoked_at: None, visible_at });
        if let Some(grant) = self.grants.get_mut(grant) {
            grant.live.push(place);
        }
        place
    }

    fn add_refresh(&mut self, grant: usize, secret: Option<Secret>, mint: Mint<'_>) -> usize {
        let place = self.refresh.len();
        let drawn = || opaque("AQW", mint.seed, &[purpose::REFRESH, u64::from(ordinal(place))]).into();
        let secret: Secret = secret.unwrap_or_else(drawn);
        self.by_refresh.insert(secret.clone(), place);
        let counters = RefreshCounters::default();
        self.refresh.push(Refresh { secret, grant, dead_at: None, used_at: mint.now, counters });
        place
    }
}

impl Grant {
    /// What a token permits that is minted then: all, but for scopes that come late.
    fn scope_at(&self, issued: u64, switches: &Switches) -> String {
        if switches.late_scopes.is_empty() {
            return self.scope.clone();
        }
        let age = issued.saturating_sub(self.consented);
        let has = |scope: &&str| switches.late_scopes.get(*scope).is_none_or(|delay| age >= *delay);
        self.scope.split([',', ' ']).filter(has).collect::<Vec<_>>().join(",")
    }
}

/// The ordinal of the thing at this place.
pub(super) fn ordinal(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1)
}

/// The place of the thing with this ordinal.
pub(super) fn place(ordinal: u32) -> Option<usize> {
    usize::try_from(ordinal.checked_sub(1)?).ok()
}

pub(super) fn seconds(s: u64) -> u64 {
    s.saturating_mul(1000)
}
