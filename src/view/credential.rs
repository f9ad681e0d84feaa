//! One credential in full, and as people read it.

use std::fmt;

use outlast_state::{Epoch, Finding, Histogram, Learned, Span};
use serde::{Deserialize, Serialize};

use super::CredentialView;

/// One credential in full. Never its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialDetails {
    /// The line that listings show.
    #[serde(flatten)]
    pub credential: CredentialView,
    /// When this was so.
    pub at_ms: u64,
    /// What it suffers from, if anything.
    pub finding: Finding,
    /// How it stands, what speaks for the finding, who must act and what would change it: a sentence each.
    pub why: Vec<String>,
    /// When a request that it carried was last accepted, or a token minted.
    pub alive_ms: Option<u64>,
    /// When its next planned refresh is due.
    pub planned_ms: Option<u64>,
    /// Its tokens, as far as they are remembered, oldest first.
    pub tokens: Vec<TokenView>,
    /// The nodes of the provider that answered, if they say who they are.
    pub nodes: Vec<NodeView>,
    /// What its tokens permit.
    pub scopes: ScopesView,
    /// How its last token request ended.
    pub renewal: Option<RenewalView>,
    /// What its issuer last said of a token.
    pub issuer: Option<IssuerView>,
    /// What the tokens of its provider taught.
    pub learned: LearnedView,
}

/// What was seen of one token. Times are those at which requests were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its generation.
    pub epoch: u32,
    /// What it is for: `serving`, `next`, `lost`, or `before` if it is not held any more.
    pub role: String,
    /// When it was minted.
    pub issued_ms: u64,
    /// When it expires, where that is known.
    pub expires_ms: Option<u64>,
    /// When a request with it was first accepted.
    pub first_accepted_ms: Option<u64>,
    /// When one was last accepted.
    pub last_accepted_ms: Option<u64>,
    /// When one was first refused.
    pub first_refused_ms: Option<u64>,
    /// When one was last refused.
    pub last_refused_ms: Option<u64>,
    /// How many were refused.
    pub refusals: u32,
}

/// What one node of the provider last said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// As its answers name it.
    pub name: String,
    /// The token that it last took.
    pub accepted_epoch: Option<u32>,
    /// When that request was sent.
    pub accepted_ms: Option<u64>,
    /// The token that it last refused.
    pub refused_epoch: Option<u32>,
    /// When that request was sent.
    pub refused_ms: Option<u64>,
}

/// What tokens permit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopesView {
    /// What the token endpoint said that the newest token permits; none where it did not say.
    pub granted: Option<Vec<String>>,
    /// What the profile asks for.
    pub asked: Vec<String>,
    /// What of that is not granted.
    pub missing: Vec<String>,
}

/// How a token request ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalView {
    /// When.
    pub at_ms: u64,
    /// How: `renewed`, `refused`, `misconfigured` or `unknown`.
    pub came: String,
}

/// What an issuer said of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerView {
    /// When.
    pub at_ms: u64,
    /// Of which token.
    pub epoch: u32,
    /// What: `active`, `expired`, `revoked` or `unknown`.
    pub standing: String,
}

/// What the tokens of a provider taught about how long new ones spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedView {
    /// The profile whose tokens these are.
    pub profile: String,
    /// How many tokens taught it.
    pub tokens: u64,
    /// How many there must be before it is used.
    pub enough: u64,
    /// From minting to the first refusal, of those that were refused.
    pub first_refusal: Option<Percentiles>,
    /// From minting to the last refusal.
    pub last_refusal: Option<Percentiles>,
    /// From minting to the first acceptance.
    pub first_acceptance: Option<Percentiles>,
    /// So long a new token is tried by one request at a time.
    pub young_ms: u64,
}

/// Lengths of time that so many of a hundred do not exceed, rounded up by a quarter at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half of them.
    pub p50_ms: u64,
    /// 95 of 100.
    pub p95_ms: u64,
    /// All.
    pub most_ms: u64,
}

impl Percentiles {
    fn of(histogram: &Histogram) -> Option<Percentiles> {
        let at = |percent| histogram.percentile(percent).map(Span::as_millis);
        Some(Percentiles { p50_ms: at(50)?, p95_ms: at(95)?, most_ms: at(100)? })
    }
}

impl LearnedView {
    pub(crate) fn of(profile: &str, learned: Option<&Learned>, young: Span) -> Self {
        let of = |histogram: fn(&Learned) -> &Histogram| learned.and_then(|known| Percentiles::of(histogram(known)));
        LearnedView {
            profile: profile.to_owned(),
            tokens: learned.map_or(0, Learned::tokens),
            enough: outlast_state::ENOUGH,
            first_refusal: of(|known| &known.first_refusal),
            last_refusal: of(|known| &known.last_refusal),
            first_acceptance: of(|known| &known.first_acceptance),
            young_ms: young.as_millis(),
        }
    }
}

/// As `outlast auth show` prints it.
impl fmt::Display for CredentialDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CredentialView { name, profile, state, epoch, live, .. } = &self.credential;
        writeln!(f, "{name}: {}", self.finding.name())?;
        writeln!(f, "profile {profile}, {state}, epoch {epoch}, {live} live deliveries\n")?;
        for sentence in &self.why {
            writeln!(f, "{sentence}")?;
        }
        writeln!(f)?;
        self.dates(f)?;
        self.seen(f)?;
        let ScopesView { granted, asked, missing } = &self.scopes;
        if granted.is_some() || !asked.is_empty() {
            let granted = granted.as_ref().map_or_else(|| "not told".to_owned(), |scopes| listed(scopes));
            writeln!(
                f,
                "scopes        granted: {granted}; asked for: {}; missing: {}",
                listed(asked),
                listed(missing)
            )?;
        }
        self.taught(f)
    }
}

impl CredentialDetails {
    fn dates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CredentialView { issued_ms, expires_ms, grant_ends_ms, .. } = self.credential;
        for (what, at) in [
            ("minted", issued_ms),
            ("expires", expires_ms),
            ("renewed next", self.planned_ms),
            ("grant ends", grant_ends_ms),
            ("proof of life", self.alive_ms),
        ] {
            if let Some(at) = at {
                writeln!(f, "{what:<13} {}", self.moment(at))?;
            }
        }
        if let Some(RenewalView { at_ms, came }) = &self.renewal {
            writeln!(f, "token request {came}, {}", self.moment(*at_ms))?;
        }
        if let Some(IssuerView { at_ms, epoch, standing }) = &self.issuer {
            writeln!(f, "issuer        {standing} (epoch {epoch}), {}", self.moment(*at_ms))?;
        }
        Ok(())
    }

    fn seen(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.tokens {
            let of = |what: &str, first: Option<u64>, last: Option<u64>| match (first, last) {
                (Some(first), Some(last)) if first == last => format!("{what} {}", self.age(token, first)),
                (Some(first), Some(last)) => format!("{what} {} to {}", self.age(token, first), self.age(token, last)),
                _ => format!("not {what}"),
            };
            let accepted = of("accepted", token.first_accepted_ms, token.last_accepted_ms);
            let refused = of("refused", token.first_refused_ms, token.last_refused_ms);
            let times = if token.refusals > 1 { format!(" ({} times)", token.refusals) } else { String::new() };
            writeln!(f, "epoch {:<7} {}, {accepted}, {refused}{times}", token.epoch, token.role)?;
        }
        for node in &self.nodes {
            let word = |what: &str, epoch: Option<u32>, at: Option<u64>| {
                epoch.zip(at).map(|(epoch, at)| format!("{what} epoch {epoch} {} ago", self.ago(at)))
            };
            let words = [
                word("took", node.accepted_epoch, node.accepted_ms),
                word("refused", node.refused_epoch, node.refused_ms),
            ];
            let words: Vec<String> = words.into_iter().flatten().collect();
            writeln!(f, "node {:<8} {}", node.name, words.join(", "))?;
        }
        Ok(())
    }

    fn taught(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LearnedView { profile, tokens, enough, last_refusal, first_acceptance, young_ms, .. } = &self.learned;
        let young = Span::from_millis(*young_ms);
        if tokens >= enough {
            write!(f, "canary phase  {young}, learned from {tokens} tokens of {profile}")?;
        } else {
            write!(f, "canary phase  {young}, as the profile says; {profile} has taught {tokens} of {enough} tokens")?;
        }
        for (what, percentiles) in [("accepted first", first_acceptance), ("refused last", last_refusal)] {
            if let Some(Percentiles { p50_ms, p95_ms, .. }) = percentiles {
                let [half, most] = [p50_ms, p95_ms].map(|ms| Span::from_millis(*ms));
                write!(f, "\n              {what} within {half} (half of them), {most} (95 of 100)")?;
            }
        }
        Ok(())
    }

    /// How old a token was.
    fn age(&self, token: &TokenView, at: u64) -> String {
        format!("at the age of {}", Span::from_millis(at.saturating_sub(token.issued_ms)))
    }

    fn ago(&self, at: u64) -> Span {
        Span::from_millis(self.at_ms.saturating_sub(at))
    }

    fn moment(&self, at: u64) -> String {
        let seconds = i64::try_from(at / 1000).unwrap_or(i64::MAX);
        let text = jiff::Timestamp::from_second(seconds).map_or_else(|_| "never".to_owned(), |at| at.to_string());
        match at.checked_sub(self.at_ms) {
            Some(ahead) => format!("{text} (in {})", Span::from_millis(ahead)),
            None => format!("{text} ({} ago)", self.ago(at)),
        }
    }
}

fn listed(scopes: &[String]) -> String {
    if scopes.is_empty() { "none".to_owned() } else { scopes.join(" ") }
}

impl NodeView {
    pub(crate) fn of(node: &outlast_state::Node) -> Self {
        let epoch = |word: Option<(Epoch, outlast_state::Time)>| word.map(|(epoch, _)| epoch.number());
        let at = |word: Option<(Epoch, outlast_state::Time)>| word.map(|(_, at)| at.as_millis());
        NodeView {
            name: node.name.clone(),
            accepted_epoch: epoch(node.accepted),
            accepted_ms: at(node.accepted),
            refused_epoch: epoch(node.refused),
            refused_ms: at(node.refused),
        }
    }
}
