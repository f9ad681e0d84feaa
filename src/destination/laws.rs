//! What holds for every destination, and a kit that tries it on yours (feature `verify`).
//!
//! The kit plays conversations as the engine does: the bodies that you give it go through the destination's own routes, are
//! looked at by [`check`](Destination::check), grouped by batch key, and sent alone and together. The answers are those that
//! you recorded, those with parts bent, cut or taken away, and a set of hard ones. After each turn the [laws](Law) are looked
//! at. What is found is the smallest conversation that still breaks the law: read [`Broken`] as a page.
//!
//! ```
//! use outlast::destination::{laws, webhook};
//! use outlast::Secret;
//!
//! let hook = webhook::to("https://example.com/hooks/42").secret(Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"));
//! let played = laws::holds(&hook.build()?, &[br#"{"type":"track","event":"Signed Up"}"#], &[])?;
//! assert!(played.conversations > 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod broken;
mod cast;
mod play;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use outlast_state::Time;

use self::answers::{Draw, Script};
use self::cast::{Cast, Part};
use self::play::{Fault, Known, Stage};
use super::Destination;
use crate::exchange::Answer;
use crate::route::Route;

pub use self::broken::{Broken, Law};

/// As [`Kit::check`] with nothing but these bodies and recorded answers.
///
/// # Errors
/// A law that does not hold.
pub fn holds(destination: &dyn Destination, bodies: &[&[u8]], answers: &[Answer]) -> Result<Played, Box<Broken>> {
    let kit = bodies.iter().fold(Kit::new(destination), |kit, body| kit.body(*body));
    answers.iter().fold(kit, |kit, answer| kit.answer(answer.clone())).check()
}

/// A destination, and what it is tried with.
#[must_use = "a kit does nothing until it checks"]
pub struct Kit<'a> {
    destination: &'a dyn Destination,
    bodies: Vec<Vec<u8>>,
    recorded: Vec<Answer>,
    routes: Vec<Route>,
    began: Time,
    rounds: u32,
    seed: u64,
    without: Vec<Law>,
}

/// How much was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// How many items the bodies came to: one for each route that takes a body.
    pub items: u64,
    /// How many items were refused before a conversation.
    pub refused: u64,
    /// How many conversations were led.
    pub conversations: u64,
    /// How many requests they had.
    pub requests: u64,
    /// The most requests that one of them had.
    pub longest: u64,
}

/// When conversations begin, if nothing else is said: 2026-03-15T12:00:00Z.
const BEGAN: Time = Time::from_millis(1_773_576_000_000);

impl<'a> Kit<'a> {
    /// This destination, without anything to play.
    pub fn new(destination: &'a dyn Destination) -> Self {
        let (bodies, recorded, routes) = (Vec::new(), Vec::new(), Vec::new());
        Kit { destination, bodies, recorded, routes, began: BEGAN, rounds: 400, seed: 1, without: Vec::new() }
    }

    /// Adds a parcel's body. It is sent by the route of each action that takes it, and as it is.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.bodies.push(body.into());
        self
    }

    /// Adds an answer as the provider gives it.
    pub fn answer(mut self, answer: Answer) -> Self {
        self.recorded.push(answer);
        self
    }

    /// Adds an answer of this status and body, with the content type of JSON.
    pub fn json(self, status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let received = self.began.after(outlast_state::Span::from_secs(1));
        self.answer(Answer { status, headers, body: body.into(), received })
    }

    /// Adds a route beside the actions' own.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Conversations begin at this time, for destinations that look at an event's age. Say it before
    /// [`json`](Kit::json).
    pub fn began(mut self, began: Time) -> Self {
        self.began = began;
        self
    }

    /// Draws so many conversations of mixed answers beside those that are always played.
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// Draws them by this number. The same number draws the same.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Leaves a law out, for a destination that is meant to break it. Say why where you call it.
    pub fn without(mut self, law: Law) -> Self {
        self.without.push(law);
        self
    }

    /// Plays all of it.
    ///
    /// # Errors
    /// The first law that does not hold, with the smallest conversation that was found to break it. Where nothing came to a
    /// request, that is an error, too: then nothing was tried.
    pub fn check(self) -> Result<Played, Box<Broken>> {
        let cast = Cast::gather(self.destination, self.routes.clone(), &self.bodies, self.began)?;
        let mut played = Played { items: cast.items, refused: cast.refused, ..Played::default() };
        let mut stage = Stage::new(self.destination, self.began, &self.without);
        let groups = cast.groups();
        let scripts = answers::scripts(&self.recorded, self.began);
        for group in &groups {
            let mut heard = 0;
            for script in &scripts {
                // Of an answer that comes after the end, nobody hears.
                if script.before == 0 || script.before < heard {
                    let requests = self.perform(&mut stage, group, script, &mut played)?;
                    heard = if heard == 0 { requests } else { heard };
                }
            }
        }
        let mut draw = Draw::new(self.seed);
        let pool = answers::pool(&self.recorded, self.began);
        for _ in 0..self.rounds {
            if let (Some(group), Some(script)) = (draw.one(&groups), Script::drawn(&pool, &mut draw)) {
                self.perform(&mut stage, group, &script, &mut played)?;
            }
        }
        // Once more, behind everything else: what came between must have left no trace.
        stage.again().map_err(|found| {
            let (group, script, fault) = *found;
            self.smallest(&group, &script, fault)
        })?;
        if played.requests == 0 {
            return Err(Box::new(Broken::nothing_played(cast.first_refusal)));
        }
        Ok(played)
    }

    /// Plays one script with nothing in mind, and, where something is kept in mind, once more with that. The most requests
    /// that this came to.
    fn perform(
        &self,
        stage: &mut Stage<'_>,
        group: &[Part],
        script: &Script,
        played: &mut Played,
    ) -> Result<usize, Box<Broken>> {
        let mut known: Known = BTreeMap::new();
        let mut most = 0;
        for _ in 0..2 {
            let told = stage.play(group, script, &known).map_err(|fault| self.smallest(group, script, fault))?;
            let requests = u64::try_from(told.exchanges.len()).unwrap_or(u64::MAX);
            played.conversations = played.conversations.saturating_add(1);
            played.requests = played.requests.saturating_add(requests);
            played.longest = played.longest.max(requests);
            most = most.max(told.exchanges.len());
            if told.memos.is_empty() {
                break;
            }
            play::learn(&mut known, &told.memos, self.began);
        }
        Ok(most)
    }

    /// Leaves out items as long as the same law is broken without them.
    fn smallest(&self, group: &[Part], script: &Script, fault: Fault) -> Broken {
        let (mut group, mut fault) = (group.to_vec(), fault);
        let mut at = 0;
        while at < group.len() && group.len() > 1 {
            let mut fewer = group.clone();
            fewer.remove(at);
            let mut stage = Stage::new(self.destination, self.began, &self.without);
            match stage.play(&fewer, script, &fault.known).err().filter(|found| found.law == fault.law) {
                Some(found) => {
                    group = fewer;
                    fault = Fault { known: fault.known, ..found };
                }
                None => at = at.saturating_add(1),
            }
        }
        Broken::of(&group, fault)
    }
}
