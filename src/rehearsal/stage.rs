//! What a scene is played on: an engine and a provider, and the time that both see.

use std::collections::BTreeMap;
use std::sync::Arc;

use outlast_state::{DeliveryId, Span, Time};
use serde_json::{Value, json};

use super::air::{Air, Event};
use super::pair::Pair;
use crate::destination::http::{Declared, Dedupe, Description, Means, Place, Row};
use crate::exchange::Method;
use crate::guard::Audience;
use crate::life::{Life, Reply};
use crate::oauth::{Assertion, Client, GrantKind, Profile};
use crate::sandbox::{
    Action, GrantSeed, Issued, Matcher, Options, Provider, Rule, Signer, Summary, Switches, Visibility,
};
use crate::store::memory::MemoryStore;
use crate::{Authorisation, Builder, Endpoint, Engine, OAuth, Parcel, Secret};

/// The credential and the destination.
const NAME: &str = "rehearsal";
/// Where the provider's API is. Nothing leaves this process.
const API: &str = "https://api.example/crm/v1/contacts";
const ORIGIN: &str = "https://api.example/";
/// What a request must be permitted.
pub(super) const SCOPE: &str = "crm.contacts";
const CLIENT: (&str, &str) = ("client-1", "secret-1");
/// How many requests are made at once.
pub(super) const CONCURRENCY: u32 = 8;
/// When a rehearsal begins, in milliseconds since 1970.
const BEGIN: u64 = 1_800_000_000_000;

pub(super) struct Stage {
    pub(super) air: Air,
    pub(super) life: Life,
    pub(super) provider: Provider,
    pub(super) store: Arc<MemoryStore>,
    pub(super) now: u64,
    /// When the engine wants its next turn.
    pub(super) wakes: u64,
    submitted: Vec<Reply<DeliveryId>>,
    ids: Vec<DeliveryId>,
    /// The time of the last delivery.
    delivered_at: u64,
    applied: u64,
    /// The grant that it began with.
    grant: u32,
    /// How many tokens were handed out without being asked for.
    handed: usize,
}

/// A grant that exists when a scene begins.
pub(super) struct Begun {
    /// How old its access token is.
    pub(super) age: Span,
    /// What it permits.
    pub(super) scope: String,
}

impl Stage {
    /// A provider that behaves as the profile says, and an engine that was given a grant of it.
    pub(super) fn set(profile: &Profile, begun: &Begun) -> Result<Stage, String> {
        let mut options = Options::playing(profile.clone());
        options.seed = 7;
        let signer = Pair::make()?;
        options.switches.signers =
            vec![Signer { issuer: CLIENT.0.to_owned(), public_key: signer.public, key_id: None }];
        let mut provider =
            Provider::new(options, BEGIN).map_err(|why| format!("the provider cannot be set up: {why}"))?;
        let profile = here(profile);
        let builder = builder(&profile, &signer.private)?;
        let store = Arc::new(MemoryStore::new());
        let life = Life::open(builder, store.clone(), 7, Time::from_millis(BEGIN)).map_err(|why| why.to_string())?;
        let seed = GrantSeed {
            client_id: CLIENT.0.to_owned(),
            client_secret: CLIENT.1.to_owned().into(),
            scope: begun.scope.clone(),
            age_s: begun.age.as_millis() / 1000,
            ..GrantSeed::default()
        };
        let issued = provider.issue(&seed, BEGIN).map_err(|why| why.to_string())?;
        let mut stage = Stage {
            air: Air::default(),
            life,
            provider,
            store,
            now: BEGIN,
            wakes: BEGIN,
            submitted: Vec::new(),
            ids: Vec::new(),
            delivered_at: BEGIN,
            applied: 0,
            grant: issued.grant,
            handed: 1,
        };
        let born = Time::from_millis(BEGIN.saturating_sub(begun.age.as_millis()));
        stage.authorise(&profile, &issued, born)?;
        Ok(stage)
    }

    /// Gives the engine a grant.
    fn authorise(&mut self, profile: &Profile, issued: &Issued, born: Time) -> Result<(), String> {
        let renewable = profile.grant == GrantKind::AuthorizationCode;
        let refresh = renewable.then(|| Secret::new(issued.refresh_token.expose()));
        let grant = Authorisation {
            access: Secret::new(issued.access_token.expose()),
            refresh,
            issued: Some(born),
            expires: Some(born.after(profile.access_life)),
            refresh_expires: profile.grant_life.map(|life| born.after(life)),
            scope: None,
        };
        let mut reply = self.life.authorise(NAME.to_owned(), grant);
        self.pump()?;
        match reply.take() {
            Some(Ok(_)) => Ok(()),
            Some(Err(why)) => Err(format!("the engine does not take the grant: {why}")),
            None => Err("the engine does not answer".to_owned()),
        }
    }

    /// A new grant, as after a human consented again.
    pub(super) fn authorise_again(&mut self, profile: &Profile) -> Result<(), String> {
        let seed = GrantSeed {
            client_id: CLIENT.0.to_owned(),
            client_secret: CLIENT.1.to_owned().into(),
            scope: format!("{SCOPE},{}", profile.scopes.join(",")),
            ..GrantSeed::default()
        };
        let issued = self.provider.issue(&seed, self.now).map_err(|why| why.to_string())?;
        self.handed = self.handed.saturating_add(1);
        self.authorise(&here(profile), &issued, Time::from_millis(self.now))
    }

    /// The grant that it began with.
    pub(super) fn grant(&self) -> u32 {
        self.grant
    }

    /// How many tokens were asked for and minted, whatever became of the answer.
    pub(super) fn minted(&self) -> u64 {
        let tokens = self.provider.token_list();
        let all = tokens.get("access").and_then(Value::as_array).map_or(0, Vec::len);
        u64::try_from(all.saturating_sub(self.handed)).unwrap_or(u64::MAX)
    }

    /// The next answer of the token endpoint does not arrive. A token was minted all the same.
    pub(super) fn lose_a_token_answer(&mut self) -> Result<(), String> {
        let when = Matcher { path: Some("/oauth/v2/accessToken".to_owned()), uses: Some(1), ..Matcher::default() };
        let rule = Rule { name: None, when, action: Action::ResetAfterApply };
        self.provider.set_faults(&[rule]).map_err(|why| why.to_string())
    }

    /// Hands so many events to the engine.
    pub(super) fn submit(&mut self, events: u64) -> Result<(), String> {
        for _ in 0..events {
            let number = self.submitted.len().saturating_add(self.ids.len());
            let body = json!({ "email": format!("person-{number}@example.org") }).to_string();
            let parcel = Parcel::to(NAME).bytes(body);
            self.submitted.push(self.life.submit(parcel));
        }
        self.pump()?;
        for mut reply in std::mem::take(&mut self.submitted) {
            match reply.take() {
                Some(Ok(id)) => self.ids.push(id),
                Some(Err(why)) => return Err(format!("the engine does not take an event: {why}")),
                None => return Err("the engine does not answer".to_owned()),
            }
        }
        Ok(())
    }

    /// Lets the time go on until everything was delivered or `limit` has passed.
    pub(super) fn play(&mut self, limit: Span) -> Result<(), String> {
        let until = self.now.saturating_add(limit.as_millis());
        while self.life.live() > 0 {
            if !self.advance(until)? {
                break;
            }
        }
        Ok(())
    }

    /// Lets `span` pass.
    pub(super) fn wait(&mut self, span: Span) -> Result<(), String> {
        let until = self.now.saturating_add(span.as_millis());
        while self.advance(until)? {}
        self.now = until;
        Ok(())
    }

    /// Whatever is next, if it is before `until`.
    fn advance(&mut self, until: u64) -> Result<bool, String> {
        let next = self.air.next().unwrap_or(u64::MAX).min(self.wakes);
        if next > until {
            return Ok(false);
        }
        self.now = self.now.max(next);
        if self.wakes <= self.now {
            self.wakes = u64::MAX;
        }
        while let Some(event) = self.air.due(self.now) {
            match event {
                Event::Arrives(flight) => self.arrives(*flight),
                Event::Lands(landing) => self.lands(*landing),
            }
        }
        self.pump()?;
        let applied = self.provider.summary().applied;
        if applied > self.applied {
            (self.applied, self.delivered_at) = (applied, self.now);
        }
        Ok(true)
    }

    /// What happens to new tokens from here on: a node learns of one within `span`, each in its own time.
    pub(super) fn propagate_within(&mut self, span: Span) -> Result<(), String> {
        let most = span.as_millis();
        let visibility = Visibility::Uniform(crate::sandbox::Span { min_ms: 0, max_ms: most });
        self.change(|switches| Switches { visibility, ..switches })
    }

    /// A new token is known after exactly this span.
    pub(super) fn propagate_after(&mut self, span: Span) -> Result<(), String> {
        let after = span.as_millis();
        let visibility = Visibility::Uniform(crate::sandbox::Span { min_ms: after, max_ms: after });
        self.change(|switches| Switches { visibility, ..switches })
    }

    fn change(&mut self, change: impl FnOnce(Switches) -> Switches) -> Result<(), String> {
        let switches = change(self.provider.switches().clone());
        self.provider.configure(switches).map_err(|why| why.to_string())
    }

    /// The provider's counts.
    pub(super) fn counted(&self) -> Summary {
        self.provider.summary()
    }

    /// The time of the last delivery.
    pub(super) fn delivered_at(&self) -> u64 {
        self.delivered_at
    }

    /// What the first event that is not delivered waits for, or was given up for, in the engine's words.
    pub(super) fn stuck(&mut self) -> String {
        let stories: BTreeMap<DeliveryId, Vec<String>> =
            self.ids.clone().into_iter().map(|id| (id, self.why(id))).collect();
        let undone = |story: &&Vec<String>| !story.iter().any(|line| line.contains("Done"));
        stories.values().find(undone).map_or_else(String::new, |story| story.join("; "))
    }

    fn why(&mut self, id: DeliveryId) -> Vec<String> {
        let mut reply = self.life.why(id);
        if self.pump().is_err() {
            return Vec::new();
        }
        reply.take().and_then(Result::ok).unwrap_or_default()
    }
}

/// The profile with the address that its token may be shown to here, and one where tokens are asked for.
fn here(profile: &Profile) -> Profile {
    let mut profile = profile.clone();
    if let Ok(origin) = ORIGIN.parse() {
        profile.audience = Audience::of([&origin]);
        if profile.lacks_token_url() {
            profile.token_url = origin.join("/oauth/v2/accessToken").unwrap_or(origin);
        }
    }
    profile
}

fn builder(profile: &Profile, key: &Secret) -> Result<Builder, String> {
    let mut description = Description::new(Method::Post, API);
    description.bearer = true;
    description.dedupe = Some(Dedupe { place: Place::Header("idempotency-key".to_owned()), value: None });
    let scope_missing = profile.lacks_scope.iter().map(|rule| Row { rule: rule.clone(), means: Means::NotYet });
    description.answers = scope_missing.collect();
    let destination = Declared::mapped(description).map_err(|why| format!("the destination cannot be made: {why}"))?;
    let client = if profile.grant == GrantKind::JwtBearer {
        let assertion = Assertion::new(CLIENT.0, key).map_err(|why| why.to_string())?;
        Client::signing(assertion.audience(format!("{ORIGIN}oauth/v2/accessToken")))
    } else {
        Client::new(CLIENT.0, Secret::new(CLIENT.1))
    };
    let oauth = OAuth::of(profile.clone(), client);
    let endpoint = Endpoint::new(destination).credential(NAME).concurrency(CONCURRENCY);
    let builder = Life::describe(Engine::builder("rehearsal"));
    Ok(builder.credential(NAME, oauth).destination(NAME, endpoint))
}
