//! What is played: each scene sets a stage, lets something happen to the token, and judges what became of the events.

use outlast_state::Span;

use super::stage::{Begun, CONCURRENCY, SCOPE, Stage};
use super::{Scene, propagation};
use crate::oauth::{GrantKind, Profile, Rotation};
use crate::span::written;

/// Plays a scene: nothing where the profile has none.
type Play = fn(&Profile, &'static str) -> Result<Option<Scene>, String>;

/// All scenes, by their names.
pub(super) const SCENES: [(&str, Play); 7] = [
    ("the answer tables", tables),
    ("a dead token", dead_token),
    ("slow propagation", slow_propagation),
    ("a token answer that is lost", lost_answer),
    ("a planned refresh", planned_refresh),
    ("one refresh after the other", one_after_the_other),
    ("a scope that comes later", later_scope),
];

/// So many events at once.
const EVENTS: u64 = 20;
/// So many where each asks again and again while it waits.
const FEW: u64 = 5;
const MINUTE: Span = Span::from_secs(60);

fn tables(profile: &Profile, name: &'static str) -> Result<Option<Scene>, String> {
    if let Some((key, message)) = profile.conflict() {
        return Err(format!("{key}: {message}"));
    }
    let unreached = profile.unreached();
    if !unreached.is_empty() {
        return Err(unreached.join("; "));
    }
    let rows = profile.refuses.len().saturating_add(profile.lacks_scope.len()).saturating_add(profile.proves.len());
    let note = Some(format!("each of {rows} rows is read as what it stands for"));
    Ok(Some(Scene { name, events: 0, refused: 0, refreshes: 0, took_ms: 0, note }))
}

fn dead_token(profile: &Profile, name: &'static str) -> Result<Option<Scene>, String> {
    let mut stage = proven(profile)?;
    let watch = Watch::begin(&stage);
    stage.propagate_within(propagation(profile))?;
    stage.provider.revoke_access(None, stage.now).map_err(|why| why.to_string())?;
    stage.submit(EVENTS)?;
    stage.play(patience(profile))?;
    let mut note = None;
    if !renews(profile) {
        watch.kept(&mut stage)?;
        stage.authorise_again(profile)?;
        stage.play(patience(profile))?;
        note = Some("nothing renews it: the events waited for another token".to_owned());
    }
    let scene = watch.all_delivered(&mut stage, name, EVENTS, note)?;
    if renews(profile) && scene.refreshes != 1 {
        return Err(format!(
            "{} tokens were asked for where one was enough: settle is shorter than the propagation",
            scene.refreshes
        ));
    }
    bounded(profile, &scene)?;
    Ok(Some(scene))
}

/// The new token is known nowhere until nearly the end of the window.
fn slow_propagation(profile: &Profile, name: &'static str) -> Result<Option<Scene>, String> {
    if !renews(profile) {
        return Ok(None);
    }
    let mut stage = proven(profile)?;
    let watch = Watch::begin(&stage);
    let slow = profile.settle.part(10).times(9);
    stage.propagate_after(slow)?;
    stage.provider.revoke_access(None, stage.now).map_err(|why| why.to_string())?;
    stage.submit(EVENTS)?;
    stage.play(patience(profile))?;
    let scene = watch.all_delivered(&mut stage, name, EVENTS, None)?;
    if scene.refreshes != 1 {
        return Err(format!("{} tokens were asked for before the first was known: settle", scene.refreshes));
    }
    Ok(Some(scene))
}

fn lost_answer(profile: &Profile, name: &'static str) -> Result<Option<Scene>, String> {
    if !renews(profile) {
        return Ok(None);
    }
    let mut stage = proven(profile)?;
    let watch = Watch::begin(&stage);
    stage.lose_a_token_answer()?;
    stage.provider.revoke_access(None, stage.now).map_err(|why| why.to_string())?;
    stage.submit(EVENTS)?;
    stage.play(patience(profile))?;
    let mut note = None;
    if stage.life.live() > 0 && may_end_a_grant(profile) {
        watch.kept(&mut stage)?;
        stage.authorise_again(profile)?;
        stage.play(patience(profile))?;
        let told = "the grant ends with it: the old refresh token is dead before it can be used again, and no client can prevent that";
        note = Some(told.to_owned());
    }
    watch.all_delivered(&mut stage, name, EVENTS, note).map(Some)
}

/// The token is used all its life; the next one comes while it serves.
fn planned_refresh(profile: &Profile, name: &'static str) -> Result<Option<Scene>, String> {
    let (short, note) = shortened(profile);
    let (profile, life) = (&short, short.access_life);
    let outlived = profile.grant_life.is_none_or(|whole| sum([life, profile.settle]) < whole);
    if !renews(profile) || profile.renew_at >= 100 || !outlived {
        return Ok(None);
    }
    let mut stage = Stage::set(profile, &Begun { age: Span::ZERO, scope: scope(profile) })?;
    let watch = Watch::begin(&stage);
    stage.propagate_within(propagation(profile))?;
    let step = life.part(EVENTS_IN_A_LIFE);
    for _ in 0..EVENTS_IN_A_LIFE {
        stage.submit(1)?;
        stage.wait(step)?;
    }
    let before = watch.refreshes(&stage);
    stage.play(patience(profile))?;
    let scene = watch.all_delivered(&mut stage, name, EVENTS_IN_A_LIFE, note)?;
    if before == 0 {
        return Err(format!("renew_at: nothing was renewed after {} % of the token's life", profile.renew_at));
    }
    // Where the old token ends before the new one is known everywhere, requests may meet a node that does not know it.
    let has_time = life.part(100).times(u64::from(100_u8.saturating_sub(profile.renew_at))) >= profile.settle;
    if has_time && scene.refused > 0 {
        return Err(format!(
            "{} requests were refused though the old token still served: settle, renew_at",
            scene.refused
        ));
    }
    Ok(Some(scene))
}

/// Whatever a refresh does to the refresh token, the next refresh must work, too.
fn one_after_the_other(profile: &Profile, name: &'static str) -> Result<Option<Scene>, String> {
    if !renews(profile) {
        return Ok(None);
    }
    let mut stage = proven(profile)?;
    let watch = Watch::begin(&stage);
    stage.propagate_within(propagation(profile))?;
    let grace = if let Rotation::Rotates { grace } = profile.rotation { grace } else { Span::ZERO };
    for _ in 0..ROUNDS {
        stage.provider.revoke_access(None, stage.now).map_err(|why| why.to_string())?;
        stage.submit(FEW)?;
        stage.play(patience(profile))?;
        stage.wait(sum([profile.settle.times(2), grace, MINUTE]))?;
    }
    let scene = watch.all_delivered(&mut stage, name, FEW * ROUNDS, None)?;
    if scene.refreshes < ROUNDS {
        return Err(format!("{} tokens were minted, and {ROUNDS} had died", scene.refreshes));
    }
    Ok(Some(scene))
}

/// The grant permits what is asked, and the token that was minted before does not.
fn later_scope(profile: &Profile, name: &'static str) -> Result<Option<Scene>, String> {
    if !renews(profile) || profile.lacks_scope.is_empty() {
        return Ok(None);
    }
    let without = profile.scopes.join(",");
    let mut stage = Stage::set(profile, &Begun { age: Span::ZERO, scope: without })?;
    let watch = Watch::begin(&stage);
    stage.provider.permit(stage.grant(), &scope(profile)).map_err(|why| why.to_string())?;
    stage.submit(FEW)?;
    stage.play(patience(profile))?;
    let scene = watch.all_delivered(&mut stage, name, FEW, None)?;
    if scene.refreshes == 0 {
        return Err("lacks_scope: no other token was asked for".to_owned());
    }
    Ok(Some(scene))
}

/// A life of weeks is played as one of half a day: what matters is how it compares with the settle window.
fn shortened(profile: &Profile) -> (Profile, Option<String>) {
    let life = LONG_LIFE.max(profile.settle.times(20));
    if profile.access_life <= life {
        return (profile.clone(), None);
    }
    let note = format!("a life of {} is played as one of {}", written(profile.access_life), written(life));
    (Profile { access_life: life, ..profile.clone() }, Some(note))
}

/// A stage whose token is old enough to be renewed, and known to be good.
fn proven(profile: &Profile) -> Result<Stage, String> {
    let age = profile.settle.times(2).min(profile.access_life.part(2));
    let mut stage = Stage::set(profile, &Begun { age, scope: scope(profile) })?;
    let watch = Watch::begin(&stage);
    stage.submit(FEW)?;
    stage.play(MINUTE)?;
    watch.all_delivered(&mut stage, "before", FEW, None)?;
    // A token that was just accepted is not thrown away for a refusal that was on its way before.
    stage.wait(MINUTE)?;
    Ok(stage)
}

fn scope(profile: &Profile) -> String {
    let mut scopes = profile.scopes.clone();
    scopes.push(SCOPE.to_owned());
    scopes.join(",")
}

fn renews(profile: &Profile) -> bool {
    profile.grant != GrantKind::Static
}

/// How long a scene may take: some windows, and what comes between tries.
fn patience(profile: &Profile) -> Span {
    sum([profile.settle.times(4), profile.scope_delay.times(2), MINUTE.times(30)])
}

fn sum<const N: usize>(spans: [Span; N]) -> Span {
    Span::from_millis(spans.iter().fold(0, |sum, span| sum.saturating_add(span.as_millis())))
}

/// Whether the old refresh token may be dead before a lost answer is noticed: the client waits half a minute for it.
fn may_end_a_grant(profile: &Profile) -> bool {
    matches!(profile.rotation, Rotation::Rotates { grace } if grace < MINUTE)
}

/// What the engine promises of refused requests while a token is young.
fn bounded(profile: &Profile, scene: &Scene) -> Result<(), String> {
    let most = u64::from(CONCURRENCY).saturating_add(24);
    if propagation(profile) <= MINUTE && scene.refused > most {
        return Err(format!("{} requests were refused, and at most {most} must be", scene.refused));
    }
    Ok(())
}

const EVENTS_IN_A_LIFE: u64 = 40;
const LONG_LIFE: Span = Span::from_secs(12 * 3600);
const ROUNDS: u64 = 3;

/// What the provider had counted when a scene began.
struct Watch {
    applied: u64,
    refused: u64,
    minted: u64,
    began: u64,
}

impl Watch {
    fn begin(stage: &Stage) -> Watch {
        let counted = stage.counted();
        Watch { applied: counted.applied, refused: counted.refused, minted: stage.minted(), began: stage.now }
    }

    fn refreshes(&self, stage: &Stage) -> u64 {
        stage.minted().saturating_sub(self.minted)
    }

    /// The events wait, and none was given up.
    fn kept(&self, stage: &mut Stage) -> Result<(), String> {
        let delivered = stage.counted().applied.saturating_sub(self.applied);
        let waiting = u64::try_from(stage.life.live()).unwrap_or(u64::MAX);
        if waiting.saturating_add(delivered) < EVENTS {
            return Err(format!("an event was given up while there was no token: {}", stage.stuck()));
        }
        Ok(())
    }

    fn all_delivered(
        &self,
        stage: &mut Stage,
        name: &'static str,
        events: u64,
        note: Option<String>,
    ) -> Result<Scene, String> {
        let counted = stage.counted();
        let delivered = counted.applied.saturating_sub(self.applied);
        let (refused, refreshes) = (counted.refused.saturating_sub(self.refused), self.refreshes(stage));
        if delivered < events || stage.life.live() > 0 {
            let hint = match (refused, refreshes) {
                (1.., 0) => {
                    "; the provider refused the token, and nothing was renewed: look at refuses, grant and token_url"
                }
                _ => "",
            };
            let stuck = stage.stuck();
            return Err(format!("{delivered} of {events} events were delivered{hint}. The next one: {stuck}"));
        }
        if counted.duplicates.saturating_add(counted.conflicts) > events {
            return Err("events were sent again and again".to_owned());
        }
        let took_ms = stage.delivered_at().saturating_sub(self.began);
        Ok(Scene { name, events, refused, refreshes, took_ms, note })
    }
}
