//! What alerts say: what happened, since when, who must act, and what to do.

use outlast_state::{Cause, Span, Time};

use super::moment;

/// How a credential gets a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// A person consents.
    Consent,
    /// It asks for itself.
    Itself,
    /// Somebody writes a token down.
    Written,
}

impl Means {
    /// What somebody does for a credential of this name, as a sentence.
    fn remedy(self, name: &str) -> String {
        match self {
            Means::Consent => {
                format!("Authorise it again: `outlast auth login {name}`, or `outlast auth import {name}`.")
            }
            Means::Itself => format!("`outlast auth login {name}` asks for a token anew."),
            Means::Written => "Put another token into the configuration, and start with it.".to_owned(),
        }
    }
}

/// Why a credential is dead, as the end of a sentence that begins with its name.
///
/// `written`: its token is one that somebody wrote down, and nothing renews it.
pub(crate) const fn cause_in_words(cause: Cause, written: bool) -> &'static str {
    match cause {
        Cause::NeverAuthorised => "was never authorised",
        Cause::Revoked => "has a grant that is expired or revoked",
        Cause::NoRefreshToken if written => "has a configured token, which is refused",
        Cause::NoRefreshToken => "has no refresh token to get a new access token with",
        Cause::Misconfigured => "is refused by the provider for what the client says of itself; correct it",
        Cause::GrantLost => "lost its grant in a crash between the provider's answer and our storing it",
        Cause::NeverAccepted => "got token after token, and none was ever accepted",
    }
}

pub(super) fn dying(name: &str, means: Means, ends: Time, now: Time) -> String {
    let left = ends.since(now);
    format!(
        "The grant of credential {name} ends in {left}, at {}, whatever is refreshed until then, and nothing stops before. {}",
        moment(ends),
        means.remedy(name)
    )
}

pub(super) fn grant_ended(name: &str, means: Means, ends: Time, live: u64) -> String {
    format!(
        "The grant of credential {name} ended at {}. A token that it gave may serve on until it expires, and no other follows. {} {}",
        moment(ends),
        means.remedy(name),
        depending(live)
    )
}

pub(super) fn last_token(name: &str, means: Means, cause: Cause, expires: Time, live: u64) -> String {
    let until = if expires == Time::NEVER { "it is refused".to_owned() } else { moment(expires) };
    format!(
        "Credential {name} {}. The token that it has serves on until {until}, and is the last one. {} {}",
        cause_in_words(cause, means == Means::Written),
        means.remedy(name),
        depending(live)
    )
}

pub(super) fn fruitless(name: &str) -> String {
    format!(
        "Credential {name} got a new token that no node of the provider accepted, long after it must have spread. The older one serves on, and nothing stops yet. Look at the application's standing with the provider before the older one expires (`outlast auth list`)."
    )
}

pub(super) fn dead(name: &str, means: Means, cause: Cause, since: Time, live: u64) -> String {
    format!(
        "Credential {name} {}. It is dead since {}, and only a person can change that. {} {}",
        cause_in_words(cause, means == Means::Written),
        moment(since),
        means.remedy(name),
        waiting(live)
    )
}

pub(super) fn quarantined(name: &str, means: Means, live: u64) -> String {
    format!(
        "The record of credential {name} in the store does not verify, and it counts as dead. {} That writes a new one. {}",
        means.remedy(name),
        waiting(live)
    )
}

pub(super) fn alive(name: &str, dead: Span, live: u64) -> String {
    let then = match live {
        0 => "Nothing waited for it.".to_owned(),
        live => format!("What waited for it ({}) is sent now. Nobody must act.", deliveries(live)),
    };
    format!("Credential {name} is alive again, after {dead}. {then}")
}

pub(super) fn circuit_opened(name: &str, since: Time, live: u64) -> String {
    format!(
        "Destination {name} fails request after request (server errors, time-outs, no connection) since {}. It is tried now and then, at least once a minute, until it answers. {} If it does not come back by itself, look at its address and its operator's status page; `outlast list --to {name}` shows what waits.",
        moment(since),
        match live {
            0 => "Nothing waits for it.".to_owned(),
            live => format!("{} for it, and that spends no attempt.", waits(live)),
        }
    )
}

pub(super) fn circuit_closed(name: &str, failed: Span, live: u64) -> String {
    let then = match live {
        0 => "Nothing waits for it.".to_owned(),
        live => format!("What waited is sent ({} left). Nobody must act.", deliveries(live)),
    };
    format!("Destination {name} answers again, {failed} after it had begun to fail. {then}")
}

/// What is told of deliveries that were given up.
pub(super) struct GivenUp<'a> {
    pub(super) count: u64,
    /// Since when they are counted; nothing where they have just failed.
    pub(super) since: Option<Time>,
    /// How many for which reason.
    pub(super) codes: &'a [(String, u64)],
    /// The first of them, and why it failed.
    pub(super) first: &'a str,
    pub(super) why: &'a str,
}

pub(super) fn deliveries_failed(name: &str, told: &GivenUp<'_>) -> String {
    let (were, since) = (if told.count == 1 { "was" } else { "were" }, told.since.map(moment));
    let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
    let codes: Vec<String> = told.codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let first = if told.count == 1 { "It is" } else { "The first is" };
    format!(
        "{} to {name} {were} given up{since}: {}. {first} {}: {}. Look why, mend it, then redrive: `outlast list --state Failed --to {name}`.",
        deliveries(told.count),
        codes.join(", "),
        told.first,
        told.why.trim_end_matches('.'),
    )
}

pub(super) fn damaged(count: u64) -> String {
    let (records, are) = if count == 1 { ("record", "is") } else { ("records", "are") };
    let verify = if count == 1 { "does" } else { "do" };
    format!(
        "{count} {records} of the store {verify} not verify and {are} left alone. Run `outlast doctor`, with the engine stopped: it says what they hold up and what to do."
    )
}

/// The store failed, and so nothing of this can be stored.
pub(crate) fn store_failed(why: &str) -> String {
    format!(
        "The store failed, and the engine has ended: nothing is accepted, sent or refreshed any more. What was acknowledged is stored. Mend the cause (the disk, its space), then start it again. The store says: {why}"
    )
}

fn deliveries(count: u64) -> String {
    if count == 1 { "1 delivery".to_owned() } else { format!("{count} deliveries") }
}

fn waits(count: u64) -> String {
    if count == 1 { "1 delivery waits".to_owned() } else { format!("{count} deliveries wait") }
}

fn waiting(live: u64) -> String {
    match live {
        0 => "No delivery waits for it yet.".to_owned(),
        live => format!("{} for it, and will be sent then.", waits(live)),
    }
}

fn depending(live: u64) -> String {
    match live {
        0 => "No delivery needs it just now.".to_owned(),
        1 => "1 delivery depends on it.".to_owned(),
        live => format!("{live} deliveries depend on it."),
    }
}
