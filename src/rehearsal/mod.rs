//! Whether a profile works: the shipped engine delivers through the local provider, which behaves as the same profile says,
//! across dead tokens, answers that are lost, slow propagation and planned refreshes. In simulated time: a profile whose tokens
//! live 60 days takes as long as one whose tokens live half an hour.
//!
//! What this cannot tell is whether the real provider behaves as the profile says. It tells whether an engine that believes the
//! profile gets along with a provider that keeps it.

mod air;
mod pair;
mod scenes;
mod stage;
#[cfg(test)]
mod tests;

use std::fmt;

use outlast_state::Span;
use serde::Serialize;

use crate::oauth::Profile;

/// What a rehearsal came to that went well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The profile's name.
    pub profile: String,
    /// What was played, in its order.
    pub scenes: Vec<Scene>,
}

/// One thing that was played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scene {
    /// What.
    pub name: &'static str,
    /// How many events were delivered, all of those that there were.
    pub events: u64,
    /// How many requests were answered that the token is refused.
    pub refused: u64,
    /// How many tokens were asked for and minted.
    pub refreshes: u64,
    /// From the first event to the last delivery, in simulated milliseconds.
    pub took_ms: u64,
    /// What is to be known of it.
    pub note: Option<String>,
}

/// What does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The profile's name.
    pub profile: String,
    /// In which scene.
    pub scene: &'static str,
    /// What went wrong, and which key of the profile is the first to look at.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { profile, scene, why } = self;
        write!(f, "profile {profile}, {scene}: {why}")
    }
}

impl std::error::Error for Broken {}

/// Plays every scene that a profile has.
///
/// # Errors
/// The first that does not go as it must.
pub fn rehearse(profile: &Profile) -> Result<Report, Broken> {
    let mut scenes = Vec::new();
    for (name, play) in scenes::SCENES {
        let broken = |why: String| Broken { profile: profile.name.clone(), scene: name, why };
        if let Some(scene) = play(profile, name).map_err(broken)? {
            scenes.push(scene);
        }
    }
    Ok(Report { profile: profile.name.clone(), scenes })
}

/// How long a new token takes to be known everywhere, at most, in a rehearsal: within the settle window, and not longer than
/// half a minute where the window is no scene's subject.
fn propagation(profile: &Profile) -> Span {
    profile.settle.part(2).min(Span::from_secs(30))
}
