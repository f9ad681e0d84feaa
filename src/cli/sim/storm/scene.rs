//! What is the same for whoever delivers: the provider, its grant, the deliveries and when they come.

use std::path::Path;

use outlast_state::{Span, Time, hash};
use serde_json::{Value, json};
use url::Url;

use super::line::Run;
use super::policy::Policy;
use crate::cli::failure::Failure;
use crate::destination::linkedin::{self, Conversions};
use crate::guard::Audience;
use crate::oauth::Profile;
use crate::sandbox::{Options, Span as Range};
use crate::{Authorisation, Builder, Endpoint, OAuth, Parcel, Secret};

/// One run: who delivers, how much, and how slow the provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) policy: Policy,
    pub(super) deliveries: u64,
    pub(super) propagation_ms: u64,
    pub(super) seed: u64,
    /// Whether a second takes a second.
    pub(super) real_time: bool,
}

/// The first token, and those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tokens {
    life_s: u64,
    /// How old the first one is when the first delivery comes.
    age_s: u64,
}

impl Tokens {
    /// A token's life at LinkedIn is 60 days. This one has had half of it.
    const OLD: Tokens = Tokens { life_s: 60 * 86_400, age_s: 30 * 86_400 };

    /// More than the 80 % of its life are over after which a token that is used is renewed, and what is left, 23 minutes, is
    /// longer than the settle window of ten.
    const ENDING: Tokens = Tokens { life_s: 7_200, age_s: 5_820 };

    /// The same for those who wait for it: 36 s are left, and the settle window is one of [`REAL_SETTLE`].
    const SOON: Tokens = Tokens { life_s: 200, age_s: 164 };

    fn left_s(self) -> u64 {
        self.life_s.saturating_sub(self.age_s)
    }
}

/// The settle window of a token whose end is near, in real time.
const REAL_SETTLE: Span = Span::from_secs(20);

/// While a token comes to its end, so many ms lie between two deliveries that keep it busy.
const LOAD_MS: u64 = 2_000;

/// They come until so long after that end.
const BEYOND_MS: u64 = 60_000;
const REAL_BEYOND_MS: u64 = 10_000;

/// When the first delivery comes, in ms since 1970. Any time does for which the sandbox knows the API's version.
pub(super) const START: u64 = 1_780_000_000_000;

/// All deliveries come within this.
const RUSH_MS: u64 = 1_000;

/// After so long a run ends, whatever still waits: the retry horizon of a host.
pub(super) const HORIZON_MS: u64 = 4 * 3_600_000;

/// Requests in the air at once.
pub(super) const CONCURRENCY: u32 = 256;

/// How long a request travels, one way.
const LEG_MS: (u64, u64) = (5, 15);

/// What the provider takes for an answer of the API, and of the token endpoint. The way back is in it.
const API_MS: Range = Range { min_ms: 10, max_ms: 30 };
const TOKEN_MS: Range = Range { min_ms: 30, max_ms: 90 };

pub(super) const ACCESS_TOKEN: &str = "storm-access-token";
pub(super) const REFRESH_TOKEN: &str = "storm-refresh-token";
pub(super) const CLIENT_ID: &str = "storm-client";
pub(super) const CLIENT_SECRET: &str = "storm-secret";
pub(super) const TOKEN_URL: &str = "https://api.example/oauth/v2/accessToken";
pub(super) const API_BASE: &str = "https://api.example/rest";
const RULE: &str = "789123";
pub(super) const CREDENTIAL: &str = "storm";
const DESTINATION: &str = "conversions";

impl Scene {
    pub(super) fn run(&self) -> Run {
        let propagation_s = super::tally::seconds(i64::try_from(self.propagation_ms).unwrap_or(i64::MAX));
        Run { policy: self.policy, deliveries: self.deliveries, propagation_s, seed: self.seed }
    }

    /// Three nodes, each of which learns of a new token after a time of its own, up to the propagation: the options of a
    /// sandbox that writes its own account to `audit`.
    pub(super) fn sandbox(&self, audit: Option<&Path>) -> Value {
        let tokens = self.tokens();
        json!({
            "seed": self.seed,
            "audit_log": audit,
            "grants": [{
                "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
                "access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN,
                "age_s": tokens.age_s, "expires_in_s": tokens.left_s(),
            }],
            "switches": {
                "nodes": ["n1", "n2", "n3"],
                "node_policy": "seeded_random",
                "visibility": {"uniform": {"min_ms": 0, "max_ms": self.propagation_ms}},
                "access_token_life_s": tokens.life_s,
                "api_latency_ms": API_MS,
                "token_latency_ms": TOKEN_MS,
                // What is asked of it is counted elsewhere.
                "audit_keep_lines": 0,
            },
        })
    }

    pub(super) fn options(&self) -> Result<Options, Failure> {
        Options::from_json(&self.sandbox(None)).map_err(|why| Failure::new(why.to_string()))
    }

    /// How long the request of this number travels to the provider.
    pub(super) fn leg(&self, number: u64) -> u64 {
        let width = LEG_MS.1.saturating_sub(LEG_MS.0).saturating_add(1);
        LEG_MS.0.saturating_add(hash(self.seed, number).checked_rem(width).unwrap_or(0))
    }

    /// When the delivery of this number comes, in ms after the first one.
    pub(super) fn comes(&self, number: u64) -> u64 {
        let rush = |number: u64| number.saturating_mul(RUSH_MS).checked_div(self.deliveries).unwrap_or(0);
        let Some(other) = number.checked_sub(self.deliveries) else { return rush(number) };
        match other.checked_sub(self.deliveries) {
            None => self.settle().as_millis().saturating_add(rush(other)),
            Some(load) => load.saturating_add(1).saturating_mul(LOAD_MS),
        }
    }

    /// How many deliveries there are in all: those that the row is about; while a token comes to its end as many again, in
    /// the second in which the next one is tried first; and those that keep the credential busy until that end has passed.
    pub(super) fn accepted(&self) -> u64 {
        if !self.is_planned() {
            return self.deliveries;
        }
        let beyond = if self.real_time { REAL_BEYOND_MS } else { BEYOND_MS };
        let lasts = self.tokens().left_s().saturating_mul(1_000).saturating_add(beyond);
        self.deliveries.saturating_mul(2).saturating_add(lasts / LOAD_MS)
    }

    /// Whether the token's end is known and near. Otherwise it is dead, and nobody was told.
    pub(super) fn is_planned(&self) -> bool {
        self.policy == Policy::MakeBeforeBreak
    }

    /// The settle window: that of the profile, unless somebody waits for it.
    fn settle(&self) -> Span {
        if self.is_planned() && self.real_time { REAL_SETTLE } else { Profile::linkedin().settle }
    }

    fn tokens(&self) -> Tokens {
        match (self.is_planned(), self.real_time) {
            (false, _) => Tokens::OLD,
            (true, false) => Tokens::ENDING,
            (true, true) => Tokens::SOON,
        }
    }

    /// The engine as it ships, but for the addresses of its provider.
    pub(super) fn engine(&self, builder: Builder, token_url: &str, api: &str) -> Result<Builder, Failure> {
        let address = |text: &str| Url::parse(text).map_err(|why| Failure::new(why.to_string()));
        let mut profile = Profile::linkedin();
        profile.token_url = address(token_url)?;
        profile.audience = Audience::of([&address(api)?]);
        profile.settle = self.settle();
        let oauth = OAuth::new(profile, CLIENT_ID, Secret::new(CLIENT_SECRET));
        let endpoint = Endpoint::new(destination(api)?).credential(CREDENTIAL).concurrency(CONCURRENCY);
        Ok(builder.credential(CREDENTIAL, oauth).destination(DESTINATION, endpoint))
    }

    /// What the engine is told of the grant at `now`.
    pub(super) fn grant(&self, now: Time) -> Authorisation {
        let tokens = self.tokens();
        let age = Span::from_secs(tokens.age_s);
        Authorisation {
            access: Secret::new(ACCESS_TOKEN),
            refresh: Some(Secret::new(REFRESH_TOKEN)),
            issued: Some(Time::from_millis(now.as_millis().saturating_sub(age.as_millis()))),
            expires: Some(now.after(Span::from_secs(tokens.left_s()))),
            refresh_expires: None,
            scope: None,
        }
    }
}

/// The event of this number, as it happened at `at`.
pub(super) fn event(number: u64, at: u64) -> Value {
    json!({
        "type": "track", "event": "Order Completed", "messageId": message_id(number), "timestamp": at,
        "traits": {"email": format!("{number}@example.org")}, "properties": {"currency": "EUR", "revenue": 12.5},
    })
}

fn message_id(number: u64) -> String {
    format!("storm-{number}")
}

/// The number of the event with this message id.
pub(super) fn number_of(message_id: &str) -> Option<u64> {
    message_id.strip_prefix("storm-")?.parse().ok()
}

/// The shipped destination. Each event is a request of its own, so that a request is a delivery.
pub(super) fn destination(api: &str) -> Result<Conversions, Failure> {
    linkedin::conversions()
        .rule(RULE)
        .api(api)
        .batch_size(1)
        .build()
        .map_err(|why| Failure::new(format!("the destination is not sound: {why}")))
}

/// The delivery of this number, as a source sends it `at` this time.
pub(super) fn parcel(number: u64, at: u64) -> Result<Parcel, Failure> {
    Ok(Parcel::to(DESTINATION).json(&event(number, at))?.once(message_id(number)))
}
