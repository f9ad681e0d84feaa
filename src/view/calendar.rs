//! What lies ahead of credentials, as plain data.

use serde::{Deserialize, Serialize};

/// What lies ahead of one credential, and what it was last seen to do. Never its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialCalendar {
    /// Its name.
    pub credential: String,
    /// Its profile's name.
    pub profile: String,
    /// The name of its state: one of [`CredentialState::NAMES`](outlast_state::CredentialState::NAMES).
    pub state: String,
    /// When it stops unless a human acts, where that is known: the end of its grant; of its last token where the grant has
    /// ended already; where it is dead, since when.
    pub stops_ms: Option<u64>,
    /// Whether it has stopped.
    pub dead: bool,
    /// What becomes of it, who must act, and by when; in sentences.
    pub outlook: String,
    /// When its grant ends, whatever is renewed; nothing where nobody says.
    pub grant_ends_ms: Option<u64>,
    /// When its grant dies if it is not used before; nothing where it does not die of that.
    pub idle_ends_ms: Option<u64>,
    /// When it is renewed so that it does not die of being idle, if nothing uses it before.
    pub keep_alive_ms: Option<u64>,
    /// When the token that it serves expires, where that is known.
    pub token_ends_ms: Option<u64>,
    /// When the next token is asked for, while this one serves or because none does.
    pub refresh_ms: Option<u64>,
    /// When its provider last took a token, or gave one.
    pub proven_ms: Option<u64>,
    /// How what it may do stands to what was asked for.
    pub scopes: ScopeDrift,
    /// The warnings before it stops, the earliest first.
    pub warnings: Vec<DayWarning>,
    /// How many live deliveries depend on it.
    pub live: u64,
    /// How many of those have their deadline beyond its end, and so may be waiting when it comes. Counted by the hour:
    /// those whose deadline is in the same hour as the end are among them.
    pub at_risk: u64,
}

/// How the scopes of the newest token stand to those of the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeDrift {
    /// What the provider said that the newest token may do; nothing where it did not say.
    pub granted: Option<Vec<String>>,
    /// What the profile asks for and the token lacks.
    pub missing: Vec<String>,
    /// What the token may do beyond what the profile asks for.
    pub beyond: Vec<String>,
}

/// A warning before an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayWarning {
    /// So many days before it.
    pub days: u32,
    /// When that is.
    pub at_ms: u64,
    /// Whether its time has come.
    pub past: bool,
}

/// Something that happens to a credential on a certain day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarDay {
    /// When.
    pub at_ms: u64,
    /// The credential.
    pub credential: String,
    /// What.
    pub occasion: Occasion,
    /// Of a warning: so many days before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// What becomes of it, and who must act.
    pub text: String,
    /// How many live deliveries depend on the credential.
    pub live: u64,
    /// How many of those have their deadline beyond its end.
    pub at_risk: u64,
}

/// What happens to a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// It died.
    Died,
    /// It stops: its grant ends, or its last token does.
    Stops,
    /// A warning before that.
    Warning,
    /// A new token is asked for.
    Refresh,
    /// A new token is asked for so that the grant does not die of being idle.
    KeepAlive,
    /// The grant would die of being idle.
    IdleEnd,
}

impl Occasion {
    /// Its name, as JSON has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Occasion::Died => "died",
            Occasion::Stops => "stops",
            Occasion::Warning => "warning",
            Occasion::Refresh => "refresh",
            Occasion::KeepAlive => "keep_alive",
            Occasion::IdleEnd => "idle_end",
        }
    }
}

impl CredentialCalendar {
    /// What happens to it day by day, the earliest first.
    #[must_use]
    pub fn days(&self) -> Vec<CalendarDay> {
        let day = |at_ms, occasion, days, text| CalendarDay {
            at_ms,
            credential: self.credential.clone(),
            occasion,
            days,
            text,
            live: self.live,
            at_risk: self.at_risk,
        };
        let mut all = Vec::new();
        let stop = if self.dead { Occasion::Died } else { Occasion::Stops };
        all.extend(self.stops_ms.map(|at| day(at, stop, None, self.outlook.clone())));
        all.extend(self.warnings.iter().map(|warning| {
            let left = if warning.days == 1 { "1 day is".to_owned() } else { format!("{} days are", warning.days) };
            day(warning.at_ms, Occasion::Warning, Some(warning.days), format!("{left} left. {}", self.outlook))
        }));
        if let Some(at) = self.refresh_ms {
            let kept = self.keep_alive_ms == Some(at);
            let occasion = if kept { Occasion::KeepAlive } else { Occasion::Refresh };
            let text = if kept {
                "A new token is asked for, so that the grant does not die of being idle. Nobody must act."
            } else {
                "A new token is asked for. Nobody must act."
            };
            all.push(day(at, occasion, None, text.to_owned()));
        }
        all.extend(self.idle_ends_ms.map(|at| {
            let text = match self.keep_alive_ms {
                Some(_) => "The grant would die of being idle. It is renewed before; nobody must act.",
                None => "The grant dies of being idle unless something uses it before.",
            };
            day(at, Occasion::IdleEnd, None, text.to_owned())
        }));
        all.sort_by_key(|day| (day.at_ms, day.occasion));
        all
    }
}
