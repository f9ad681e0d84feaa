//! What was told, and what is to be told now: pure functions from how something stands and what was told of it. So an edge
//! is told once, also when the process died between the two sides of it: what was told is stored with the alert.

use outlast_state::{Cause, DeliveryId, Span, Time};
use serde::{Deserialize, Serialize};

use super::text::{self, GivenUp, Means};
use super::{AlertKind, Severity, warnings};

/// An end of a grant that moves by less than this is the same one: with each refresh a provider may tell it anew, a little
/// off.
const SAME_END: Span = Span::from_secs(3600);

/// A destination counts as well again when it has answered for so long without its circuit opening: one that flaps is told
/// failing once, and well once.
const CALM: Span = Span::from_secs(30);

/// Deliveries of one destination that are given up are told at once, then at most so often.
const SUMMARY: Span = Span::from_secs(60);

/// So many reasons stand in a summary; the others are counted together.
const REASONS: usize = 4;

/// The longest reason that is quoted, in characters.
const LONGEST_WHY: usize = 240;

/// The name of all reasons that are not named.
const OTHERS: &str = "others";

/// What is told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) kind: AlertKind,
    pub(crate) severity: Severity,
    pub(crate) text: String,
    pub(crate) ends: Option<Time>,
    pub(crate) count: u64,
}

impl News {
    fn new(kind: AlertKind, severity: Severity, text: String) -> Self {
        News { kind, severity, text, ends: None, count: 1 }
    }
}

/// What comes of a look at something: what was told from here on, what is told now, and when to look again though nothing
/// happened.
pub(crate) struct Look<T> {
    pub(crate) told: T,
    pub(crate) news: Vec<News>,
    pub(crate) again: Option<Time>,
}

/// What was told of a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CredentialTold {
    /// That it is dead, since then.
    pub(crate) dead: Option<Time>,
    /// The end of the grant that the next two are about; the epoch of Unix before anything was told of one.
    pub(crate) ends: Time,
    /// So many days before it was warned last.
    pub(crate) days: Option<u32>,
    /// That it has come.
    pub(crate) ended: bool,
    /// That the provider refuses to renew while a token serves on.
    pub(crate) refused: bool,
    /// That a new token is of no use.
    pub(crate) fruitless: bool,
}

/// How a credential stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CredentialStands {
    /// How it gets a grant.
    pub(crate) means: Means,
    /// Why it is dead, and since when. One that waits for its first grant is not.
    pub(crate) dead: Option<(Cause, Time)>,
    /// Its record does not verify.
    pub(crate) quarantined: bool,
    /// Whether it has a token to give.
    pub(crate) serves: bool,
    /// When its grant ends; [`Time::NEVER`] where nobody knows.
    pub(crate) ends: Time,
    /// Why no other token follows the one that serves, and when that one expires.
    pub(crate) last: Option<(Cause, Time)>,
    /// The newest token was refused for good, and an older one serves.
    pub(crate) fruitless: bool,
    /// How many live deliveries need it.
    pub(crate) live: u64,
}

/// What is to be told of a credential.
pub(crate) fn credential(
    name: &str,
    mut told: CredentialTold,
    stands: &CredentialStands,
    days: &[u32],
    now: Time,
) -> Look<CredentialTold> {
    let mut news = Vec::new();
    let since = stands.dead.map(|(_, since)| since).or(stands.quarantined.then_some(now));
    match (told.dead, since) {
        (None, Some(since)) => {
            let text = match stands.dead {
                Some((cause, _)) if !stands.quarantined => text::dead(name, stands.means, cause, since, stands.live),
                _ => text::quarantined(name, stands.means, stands.live),
            };
            news.push(News::new(AlertKind::CredentialDead, Severity::Critical, text));
            told.dead = Some(since);
        }
        // A request for a token is out, and nobody knows what comes of it: it is not alive before it has one.
        (Some(_), None) if !stands.serves => return Look { told, news, again: None },
        (Some(since), None) => {
            let text = text::alive(name, now.since(since), stands.live);
            news.push(News::new(AlertKind::CredentialAlive, Severity::Info, text));
            told.dead = None;
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
    if since.is_some() {
        // Of a dead one there is nothing else to say.
        (told.fruitless, told.refused) = (false, false);
        return Look { told, news, again: None };
    }
    if stands.fruitless && !told.fruitless {
        news.push(News::new(AlertKind::CredentialFruitless, Severity::Warning, text::fruitless(name)));
    }
    told.fruitless = stands.fruitless;
    match stands.last {
        Some((cause, expires)) if !told.refused && !told.ended => {
            let text = text::last_token(name, stands.means, cause, expires, stands.live);
            news.push(News::new(AlertKind::GrantEnded, Severity::Critical, text));
            told.refused = true;
        }
        Some(_) => told.refused = true,
        None => told.refused = false,
    }
    let again = end(name, &mut told, stands, days, now, &mut news);
    Look { told, news, again }
}

/// The calendar: what is to be told of the end of a grant, and when to look again.
fn end(
    name: &str,
    told: &mut CredentialTold,
    stands: &CredentialStands,
    days: &[u32],
    now: Time,
    news: &mut Vec<News>,
) -> Option<Time> {
    let ends = stands.ends;
    let warnings = warnings(ends, now, days);
    let reached = warnings.iter().filter(|warning| warning.past).map(|warning| warning.days).min();
    if ends == Time::NEVER {
        (told.ends, told.days, told.ended) = (Time::ZERO, None, false);
        return None;
    }
    if told.ends != Time::ZERO && ends > told.ends.after(SAME_END) {
        // Of another grant, or of one that was made longer, only what lies ahead is warned of: one that never has so many
        // days to live would be warned of at each refresh.
        (told.ends, told.days, told.ended) = (ends, reached, false);
    }
    let tell = |kind, severity, text| News { ends: Some(ends), ..News::new(kind, severity, text) };
    if now >= ends {
        // Where the provider has said so before, that was told.
        if !told.ended && !told.refused {
            let text = text::grant_ended(name, stands.means, ends, stands.live);
            news.push(tell(AlertKind::GrantEnded, Severity::Critical, text));
            (told.ends, told.days, told.ended) = (told.ends.max(ends), Some(0), true);
        }
        return None;
    }
    if let Some(reached) = reached.filter(|days| told.days.is_none_or(|told| *days < told)) {
        let severity = if reached <= 1 { Severity::Critical } else { Severity::Warning };
        news.push(tell(AlertKind::CredentialDying, severity, text::dying(name, stands.means, ends, now)));
        (told.ends, told.days) = (told.ends.max(ends), Some(reached));
    }
    warnings.iter().filter(|warning| !warning.past).map(|warning| warning.at).chain([ends]).min()
}

/// What was told of a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DestinationTold {
    /// That it fails, since then.
    pub(crate) open: Option<Time>,
    /// When it was last told that deliveries of it were given up.
    pub(crate) failed: Option<Time>,
    /// Those that were given up since, and are told of with the next summary.
    pub(crate) untold: Untold,
}

impl DestinationTold {
    /// Whether some that were given up are not told of yet.
    pub(crate) fn is_untold(&self) -> bool {
        self.untold.count > 0
    }
}

/// Deliveries that were given up and are not told of yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Untold {
    count: u64,
    codes: Vec<(String, u64)>,
    first: Option<(DeliveryId, String)>,
}

impl Untold {
    /// Another one was given up.
    pub(crate) fn add(&mut self, id: DeliveryId, code: &str, why: &str) {
        self.count = self.count.saturating_add(1);
        if self.first.is_none() {
            self.first = Some((id, why.chars().take(LONGEST_WHY).collect()));
        }
        let known = self.codes.iter().any(|(known, _)| known == code);
        let name = if known || self.codes.len() < REASONS { code } else { OTHERS };
        match self.codes.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.codes.push((name.to_owned(), 1)),
        }
    }
}

/// How a destination stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DestinationStands {
    /// Since when its circuit is open.
    pub(crate) open: Option<Time>,
    /// Since when it answers, as far as this process knows.
    pub(crate) works: Option<Time>,
    /// How many live deliveries it has.
    pub(crate) live: u64,
}

/// What is to be told of a destination.
pub(crate) fn destination(
    name: &str,
    mut told: DestinationTold,
    stands: &DestinationStands,
    now: Time,
) -> Look<DestinationTold> {
    let mut news = Vec::new();
    let mut again = None;
    match (told.open, stands.open, stands.works) {
        (None, Some(since), _) => {
            let text = text::circuit_opened(name, since, stands.live);
            news.push(News::new(AlertKind::CircuitOpened, Severity::Warning, text));
            told.open = Some(since);
        }
        (Some(since), None, Some(works)) if now >= works.after(CALM) => {
            let text = text::circuit_closed(name, works.since(since), stands.live);
            news.push(News::new(AlertKind::CircuitClosed, Severity::Info, text));
            told.open = None;
        }
        (Some(_), None, Some(works)) => again = Some(works.after(CALM)),
        _ => {}
    }
    if told.untold.count > 0 {
        let next = told.failed.map_or(Time::ZERO, |at| at.after(SUMMARY));
        if now >= next {
            news.push(given_up(name, &told, now));
            (told.failed, told.untold) = (Some(now), Untold::default());
        } else {
            again = Some(again.map_or(next, |again| again.min(next)));
        }
    }
    Look { told, news, again }
}

fn given_up(name: &str, told: &DestinationTold, now: Time) -> News {
    let Untold { count, codes, first } = &told.untold;
    // The first after a long silence have just failed; a summary is about the time since the one before.
    let since = told.failed.filter(|at| now.since(*at) < SUMMARY.times(2));
    let (first, why) = first.as_ref().map_or((String::new(), ""), |(id, why)| (id.to_string(), why.as_str()));
    let text = text::deliveries_failed(name, &GivenUp { count: *count, since, codes, first: &first, why });
    News { count: *count, ..News::new(AlertKind::DeliveriesFailed, Severity::Warning, text) }
}

/// What was told of the store: how many records do not verify.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreTold {
    pub(crate) damaged: u64,
}

/// What is to be told of the store. `whole`: whether all of it was read since it was opened.
pub(crate) fn store(told: StoreTold, damaged: u64, whole: bool) -> Look<StoreTold> {
    let mut news = Vec::new();
    let mut now_told = told;
    if damaged > told.damaged {
        let text = text::damaged(damaged);
        news.push(News { count: damaged, ..News::new(AlertKind::StoreDamaged, Severity::Critical, text) });
        now_told.damaged = damaged;
    } else if whole {
        now_told.damaged = damaged;
    }
    Look { told: now_told, news, again: None }
}
