//! The same in real time: the engine with its own store on disk, its own client and its own clock, against a sandbox in a
//! process of its own. The row comes from the sandbox's audit log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::line::{End, Line, Request, Token};
use super::scene::{self, CREDENTIAL, Scene};
use super::tally::{Beside, Row, Tally};
use crate::Engine;
use crate::cli::demo::place::Place;
use crate::cli::demo::play::{network, revoke};
use crate::cli::demo::process::{self, Process, pause};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::clock;
use crate::vault::VaultKey;

/// Deliveries of so many milliseconds are submitted together.
const BEAT_MS: u64 = 10;

/// So long after the slowest node has learnt of the token everything must have arrived.
const PATIENCE_MS: u64 = 120_000;

/// Between two looks at what is left.
const LOOK: Duration = Duration::from_millis(20);

/// When each delivery was submitted, in ms since 1970.
type Accepted = BTreeMap<u64, u64>;

pub(super) async fn run(scene: Scene, log: Option<&mut dyn Write>) -> Result<(Row, Beside), Failure> {
    let place = Place::make(None)?;
    place.write_options(&scene.sandbox(Some(&place.audit())))?;
    let (mut sandbox, addresses) = process::sandbox(&place)?;
    let key = VaultKey::create(&place.path().join("outlast.key")).map_err(|why| Failure::new(why.to_string()))?;
    let builder = Engine::builder(place.store()).vault_key(key).allow_loopback(true);
    let token_url = format!("{}/oauth/v2/accessToken", addresses.api);
    let engine = scene.engine(builder, &token_url, &format!("{}/rest", addresses.api))?.open().await?;
    engine.authorise(CREDENTIAL, scene.grant(clock::wall())).await?;
    if !scene.is_planned() {
        revoke(&network()?, &addresses.control).await?;
    }
    let accepted = deliver(&engine, scene).await?;
    wait(&engine, scene, &mut sandbox).await?;
    let ended = clock::wall().as_millis();
    engine.stop().await?;
    sandbox.stop().await?;
    account(&scene, &place.audit(), &accepted, ended, log)
}

/// Submits each delivery when it comes.
async fn deliver(engine: &Engine, scene: Scene) -> Result<Accepted, Failure> {
    let mut accepted = Accepted::new();
    let mut order: Vec<u64> = (0..scene.accepted()).collect();
    order.sort_by_key(|number| scene.comes(*number));
    let began = clock::wall().as_millis();
    for group in order.chunk_by(|one, next| scene.comes(*one) / BEAT_MS == scene.comes(*next) / BEAT_MS) {
        let due = group.first().map_or(0, |number| scene.comes(*number)).saturating_add(began);
        pause(Duration::from_millis(due.saturating_sub(clock::wall().as_millis()))).await;
        let now = clock::wall().as_millis();
        let parcels = group.iter().map(|number| scene::parcel(*number, now)).collect::<Result<Vec<_>, _>>()?;
        for (number, outcome) in group.iter().zip(engine.submit_all(parcels).await?) {
            outcome?;
            accepted.insert(*number, now);
        }
    }
    Ok(accepted)
}

/// Until nothing is left to deliver, or the patience has ended: what is left then is lost.
async fn wait(engine: &Engine, scene: Scene, sandbox: &mut Process) -> Result<(), Failure> {
    let mut progress = Progress::new("delivered", Some(scene.accepted()));
    let patience = scene.propagation_ms.saturating_add(PATIENCE_MS);
    let end = clock::wall().as_millis().saturating_add(patience);
    loop {
        let counts = engine.counts().await?;
        progress.reach(counts.done);
        sandbox.check()?;
        if counts.live() == 0 || clock::wall().as_millis() > end {
            return Ok(());
        }
        pause(LOOK).await;
    }
}

/// A line of the sandbox's audit log.
#[derive(Deserialize)]
struct Seen {
    t_ms: u64,
    path: String,
    node: Option<String>,
    token_ordinal: Option<u32>,
    body: Value,
    answer_status: Option<u16>,
    delay_ms: u64,
    applied: Vec<Applied>,
}

#[derive(Deserialize)]
struct Applied {
    resource: String,
    key: String,
}

/// The sandbox's account in our words.
fn account(
    scene: &Scene,
    audit: &Path,
    accepted: &Accepted,
    ended: u64,
    mut log: Option<&mut dyn Write>,
) -> Result<(Row, Beside), Failure> {
    let zero = accepted.get(&0).copied().unwrap_or(ended);
    let mut lines = Vec::new();
    for text in BufReader::new(File::open(audit)?).lines() {
        let seen =
            serde_json::from_str(&text?).map_err(|why| Failure::new(format!("the sandbox's audit log: {why}")))?;
        lines.extend(line(&seen, accepted, zero));
    }
    lines.sort_by_key(|(answered, _)| *answered);
    let mut tally = Tally::new(scene.run());
    let end = End { at_ms: since(ended, zero), accepted: u64::try_from(accepted.len()).unwrap_or(u64::MAX) };
    let (first, last) = (Line::Run(scene.run()), Line::End(end));
    for line in std::iter::once(&first).chain(lines.iter().map(|(_, line)| line)).chain([&last]) {
        tally.take(line);
        if let Some(log) = &mut log {
            super::write(*log, line)?;
        }
    }
    Ok((tally.row(end), tally.beside()))
}

/// What a request was, and when its answer left. Nothing for what was no client's doing.
fn line(seen: &Seen, accepted: &Accepted, zero: u64) -> Option<(i64, Line)> {
    let out = seen.t_ms.saturating_add(seen.delay_ms);
    let (sent_ms, answered_ms) = (since(seen.t_ms, zero), since(out, zero));
    let line = match seen.path.as_str() {
        "/oauth/v2/accessToken" => {
            let minted = seen.applied.iter().find(|applied| applied.resource == "accessToken");
            let minted = minted.and_then(|applied| applied.key.parse().ok());
            Line::Token(Token { sent_ms, answered_ms, status: seen.answer_status, minted })
        }
        control if control.starts_with("/__ctl/") => return None,
        _ => {
            let delivery = seen.body.get("eventId").and_then(Value::as_str).and_then(scene::number_of)?;
            let since = accepted.get(&delivery).copied().unwrap_or(zero);
            Line::Request(Request {
                sent_ms,
                answered_ms,
                delivery,
                waited_ms: out.saturating_sub(since),
                token: seen.token_ordinal.unwrap_or(0),
                node: seen.node.clone().unwrap_or_default(),
                status: seen.answer_status,
            })
        }
    };
    Some((answered_ms, line))
}

fn since(at: u64, zero: u64) -> i64 {
    let signed = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
    signed(at).saturating_sub(signed(zero))
}
