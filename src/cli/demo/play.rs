//! The story: events flow, the token is revoked half through, it is refreshed, the engine is killed and started again, and
//! everything arrives.

use std::time::Duration;

use serde_json::json;

use super::audit::{Audit, Tail};
use super::feed::Feed;
use super::ledger::{self, Ledger};
use super::moment::{Moment, REVOKED_AT, reached};
use super::place::Place;
use super::process::{self, Addresses, Process, pause};
use crate::cli::control::{Answer as _, Request};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::socket::Client;
use crate::clock;
use crate::exchange;
use crate::http::{Http, HttpOptions, WITHIN};
use crate::view::Counts;

/// A kill and what the store held when the engine was gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Kill {
    pub(super) at_ms: u64,
    pub(super) ready_ms: u64,
    pub(super) left: Ledger,
}

/// A story that is over: both accounts of it.
pub(super) struct Played {
    pub(super) audit: Audit,
    pub(super) ledger: Ledger,
    pub(super) kills: Vec<Kill>,
    pub(super) began_ms: u64,
    pub(super) ended_ms: u64,
    /// The most memory that an engine ever had, in bytes, where the system tells.
    pub(super) peak_memory: Option<u64>,
    pub(super) stopped_well: bool,
}

/// The stage. The processes come before what they write to, so that they end first.
pub(super) struct Stage<'a> {
    engine: Process,
    sandbox: Process,
    control: String,
    http: Http,
    place: &'a Place,
    feed: &'a Feed,
    valid: u64,
    tail: Tail,
    audit: Audit,
    kills: Vec<Kill>,
    progress: Progress,
    peak_memory: Option<u64>,
}

/// Between two looks at the audit log.
const LOOK: Duration = Duration::from_millis(3);

/// A story in which nothing has happened for so long is stuck. Nothing in it waits longer than half a minute.
const STUCK_MS: u64 = 120_000;

/// How far an engine that recovers may come before it is killed again.
const RECOVERING: Duration = Duration::from_millis(30);

/// Performs the whole story.
pub(super) async fn perform(
    place: &Place,
    feed: &Feed,
    moment: Moment,
    valid: u64,
    seed: u64,
) -> Result<Played, Failure> {
    place.write_sandbox(moment.weather(seed))?;
    let (sandbox, addresses) = process::sandbox(place)?;
    place.write_config(&addresses.api)?;
    process::authorise(place)?;
    let mut stage = Stage::set(place, feed, valid, sandbox, &addresses)?;
    let began_ms = clock::wall().as_millis();
    stage.engine.ready(place).await?;
    let store = place.store();
    let (offered, told) = tokio::join!(feed.run(&store), stage.tell(moment));
    told?;
    offered?;
    let ended_ms = clock::wall().as_millis();
    stage.close(began_ms, ended_ms).await
}

impl<'a> Stage<'a> {
    fn set(
        place: &'a Place,
        feed: &'a Feed,
        valid: u64,
        sandbox: Process,
        addresses: &Addresses,
    ) -> Result<Self, Failure> {
        Ok(Stage {
            engine: process::engine(place)?,
            sandbox,
            control: addresses.control.clone(),
            http: network()?,
            place,
            feed,
            valid,
            tail: Tail::open(&place.audit())?,
            audit: Audit::default(),
            kills: Vec::new(),
            progress: Progress::new("delivered", Some(valid)),
            peak_memory: None,
        })
    }

    async fn tell(&mut self, moment: Moment) -> Result<(), Failure> {
        if moment.is_before_revocation() {
            self.crash_at(moment).await?;
        }
        let valid = self.valid;
        self.until(|audit| reached(audit, REVOKED_AT, valid)).await?;
        revoke(&self.http, &self.control).await?;
        self.progress.note(&format!("half through, {} applied: the provider revokes the token", self.audit.applied()));
        if !moment.is_before_revocation() {
            self.crash_at(moment).await?;
        }
        self.until_none_is_live().await
    }

    /// Waits for the moment and kills the engine, once or twice.
    async fn crash_at(&mut self, moment: Moment) -> Result<(), Failure> {
        let valid = self.valid;
        self.until(|audit| moment.has_come(audit, valid) || audit.applied() >= valid).await?;
        if !moment.has_come(&self.audit, valid) {
            return Err(Failure::new(format!(
                "everything had arrived before the engine could be killed at `{moment}`"
            ))
            .help("ask for more --events"));
        }
        self.kill()?;
        self.engine = process::engine(self.place)?;
        match moment {
            Moment::Twice => self.engine.ready(self.place).await?,
            Moment::Recovering => pause(RECOVERING).await,
            _ => return self.restarted().await,
        }
        self.kill()?;
        self.engine = process::engine(self.place)?;
        self.restarted().await
    }

    fn kill(&mut self) -> Result<(), Failure> {
        self.measure();
        self.engine.kill()?;
        let kill = Kill { at_ms: clock::wall().as_millis(), ..Kill::default() };
        self.kills.push(kill);
        ledger::copy(&self.place.store(), &self.place.killed(self.kills.len()))?;
        let message = format!("the engine is killed with SIGKILL, {} applied", self.audit.applied());
        self.progress.note(&message);
        Ok(())
    }

    async fn restarted(&mut self) -> Result<(), Failure> {
        self.engine.ready(self.place).await?;
        let now = clock::wall().as_millis();
        for kill in self.kills.iter_mut().filter(|kill| kill.ready_ms == 0) {
            kill.ready_ms = now;
        }
        self.progress.note("the engine is ready again");
        Ok(())
    }

    /// Reads the log until it shows `what`.
    async fn until(&mut self, what: impl Fn(&Audit) -> bool) -> Result<(), Failure> {
        let mut quiet = Quiet::new();
        loop {
            self.look()?;
            if what(&self.audit) {
                return Ok(());
            }
            quiet.check(&self.audit, self.feed)?;
            pause(LOOK).await;
        }
    }

    /// Waits until the engine has nothing left to do, by its own count. What it did is counted by others.
    async fn until_none_is_live(&mut self) -> Result<(), Failure> {
        let mut quiet = Quiet::new();
        loop {
            self.look()?;
            if self.feed.is_done() && self.live().await? == Some(0) {
                return Ok(());
            }
            quiet.check(&self.audit, self.feed)?;
            pause(LOOK.saturating_mul(10)).await;
        }
    }

    async fn live(&self) -> Result<Option<u64>, Failure> {
        let Some((mut client, _)) = Client::connect(&self.place.store()).await? else { return Ok(None) };
        let Ok(Ok(response)) = client.ask(&Request::Counts).await else { return Ok(None) };
        Ok(Counts::from_response(response).map(|counts| counts.live()))
    }

    fn look(&mut self) -> Result<(), Failure> {
        self.tail.poll(&mut self.audit)?;
        self.progress.reach(self.audit.applied());
        self.sandbox.check()?;
        self.engine.check().map_err(|why| Failure::new(format!("{why}\n{}", self.place.log_end(process::ENGINE_LOG))))
    }

    fn measure(&mut self) {
        self.peak_memory = self.peak_memory.max(self.engine.peak_memory());
    }

    /// Stops the engine and reads both accounts.
    async fn close(mut self, began_ms: u64, ended_ms: u64) -> Result<Played, Failure> {
        self.measure();
        let stopped_well = self.engine.stop().await?;
        self.tail.poll(&mut self.audit)?;
        self.sandbox.stop().await?;
        let ledger = Ledger::read(&self.place.store())?;
        let mut kills = std::mem::take(&mut self.kills);
        for (kill, number) in kills.iter_mut().zip(1..) {
            let copy = self.place.killed(number);
            kill.left = Ledger::read(&copy)?;
            std::fs::remove_dir_all(&copy)?;
        }
        let (audit, peak_memory) = (std::mem::take(&mut self.audit), self.peak_memory);
        Ok(Played { audit, ledger, kills, began_ms, ended_ms, peak_memory, stopped_well })
    }
}

/// Whether anything has moved lately.
struct Quiet {
    seen: (u64, usize, u64),
    since_ms: u64,
}

impl Quiet {
    fn new() -> Self {
        Quiet { seen: (0, 0, 0), since_ms: clock::wall().as_millis() }
    }

    fn check(&mut self, audit: &Audit, feed: &Feed) -> Result<(), Failure> {
        let now = clock::wall().as_millis();
        let seen = (audit.requests, feed.acknowledged(), audit.refresh_calls);
        if seen != self.seen {
            *self = Quiet { seen, since_ms: now };
        }
        if now.saturating_sub(self.since_ms) < STUCK_MS {
            return Ok(());
        }
        let (requests, acknowledged, calls) = seen;
        let message = format!(
            "nothing has moved for {} s, after {acknowledged} events, {requests} requests and {calls} token calls",
            STUCK_MS / 1000
        );
        Err(Failure::new(message).help("run it with --keep DIR and read DIR/engine.log"))
    }
}

/// The network, which ends at this machine.
pub(in crate::cli) fn network() -> Result<Http, Failure> {
    let options = HttpOptions { allow_loopback: true, ..HttpOptions::default() };
    Http::new(options).map_err(|why| Failure::new(why.to_string()))
}

/// Has the sandbox revoke the newest access token. The grant lives on.
pub(in crate::cli) async fn revoke(http: &Http, control: &str) -> Result<(), Failure> {
    let failed = |why: &dyn std::fmt::Display| Failure::new(format!("the sandbox does not revoke the token: {why}"));
    let url = url::Url::parse(&format!("{control}/__ctl/token")).map_err(|why| failed(&why))?;
    let request = exchange::Request::new(exchange::Method::Post, url).json(&json!({"action": "revoke"}));
    let answer = http.send(&request, None, WITHIN, clock::wall).await.map_err(|why| failed(&why))?;
    if answer.is_success() { Ok(()) } else { Err(failed(&String::from_utf8_lossy(&answer.body))) }
}
