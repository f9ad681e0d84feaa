//! The same job under three rules that look reasonable. They know the answers and no history; see the first table of the
//! design. What waits is kept in memory, so the engine's crash is left out: it would lose all of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outlast_state::{DeliveryId, Verdict};
use serde::Serialize;
use serde_json::Value;
use tokio_util::task::TaskTracker;
use url::Url;

use super::audit::{Audit, Tail};
use super::feed::{came, pace};
use super::judge::count;
use super::moment::{Moment, REVOKED_AT, reached};
use super::place::{ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, CONCURRENCY, Place, REFRESH_TOKEN, RULE};
use super::play::{network, revoke};
use super::process::{self, Process, pause};
use super::report::{self, Counted};
use super::timeline::{Timeline, grouped, number};
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::cli::progress::Progress;
use crate::cli::rule::{self, Next, Rule};
use crate::clock;
use crate::destination::linkedin::{self, Conversions};
use crate::destination::{Conversation, Destination as _, Routes, Turn};
use crate::exchange::{Answer, Carrier, Exchange, Form, Request};
use crate::guard::Audience;
use crate::http::{Bearer, Http, WITHIN};
use crate::sample::Sample;
use crate::secret::Secret;

fn story(rule: Rule) -> &'static str {
    match rule {
        Rule::RetryOnce => {
            "Each refused event asked for a token of its own and tried it at once, on a node that had not heard of it \
             yet. An answer of 401 was then the last word, and the event was dropped."
        }
        Rule::RetryLater => {
            "The token was dead, and nobody asked for another: each event comes back, is refused, and waits twice as long."
        }
        Rule::RefreshEach => {
            "Each refusal minted a token, and each new token had to spread over the nodes before it was any good, so that \
             the refusals made more refusals. Where the provider limits refreshes, this is where it starts to refuse them."
        }
    }
}

/// After so long the demonstration ends, whatever still waits. These rules may go on for hours.
const HORIZON: Duration = Duration::from_secs(90);

const LOOK: Duration = Duration::from_millis(5);

/// What one event came to.
enum End {
    Applied,
    Invalid,
    Dropped,
    Later,
}

/// What all events share.
struct Client {
    rule: Rule,
    http: Http,
    destination: Conversions,
    routes: Routes,
    audience: Audience,
    token_url: Url,
    token: Mutex<Secret>,
    events: Vec<Vec<u8>>,
    ended: Ended,
    waiting: Mutex<BinaryHeap<Reverse<Due>>>,
}

/// When an event is sent next: its time, its place among the events, and how often it was sent.
type Due = (u64, usize, u32);

#[derive(Default)]
struct Ended {
    applied: AtomicU64,
    invalid: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Serialize)]
struct Object {
    #[serde(flatten)]
    counted: Counted,
    lost: u64,
    unfinished: u64,
    events: u64,
    seed: u64,
    rule: &'static str,
    timeline: String,
}

pub(super) async fn run(place: &Place, sample: &Sample, rule: Rule, seed: u64, json: bool) -> Result<(), Failure> {
    place.write_sandbox(Moment::Flowing.weather(seed))?;
    let (mut sandbox, addresses) = process::sandbox(place)?;
    let client = Arc::new(Client::new(sample, rule, &addresses.api)?);
    let valid = count(sample.valid.len());
    let mut tail = Tail::open(&place.audit())?;
    let began_ms = clock::wall().as_millis();
    let mut audit = Audit::default();
    deliver(&client, &mut tail, &mut audit, &addresses.control, valid, &mut sandbox).await?;
    let ended_ms = clock::wall().as_millis();
    sandbox.stop().await?;
    tail.poll(&mut audit)?;
    tell(place, &client, &audit, (began_ms, ended_ms), seed, json)
}

/// Sends everything until it has ended or the time is up.
async fn deliver(
    client: &Arc<Client>,
    tail: &mut Tail,
    audit: &mut Audit,
    control: &str,
    valid: u64,
    sandbox: &mut Process,
) -> Result<(), Failure> {
    let room = Arc::new(tokio::sync::Semaphore::new(usize::try_from(CONCURRENCY).unwrap_or(1)));
    let tasks = TaskTracker::new();
    let start = clock::wall().as_millis();
    let horizon = u64::try_from(HORIZON.as_millis()).unwrap_or(u64::MAX);
    let per_second = pace(client.events.len());
    let mut progress = Progress::new("delivered", Some(valid));
    let mut arrived = 0;
    while clock::wall().as_millis().saturating_sub(start) < horizon && !client.is_done() {
        let here = came(start, per_second, client.events.len());
        (arrived..here).for_each(|index| client.put((0, index, 0)));
        arrived = here;
        while let Ok(place) = Arc::clone(&room).try_acquire_owned() {
            let Some(due) = client.due(clock::wall().as_millis()) else { break };
            let client = Arc::clone(client);
            tasks.spawn(async move {
                client.attempt(due).await;
                drop(place);
            });
        }
        tail.poll(audit)?;
        progress.reach(audit.applied());
        sandbox.check()?;
        if audit.revoked_ms.is_none() && reached(audit, REVOKED_AT, valid) {
            revoke(&client.http, control).await?;
            progress.note(&format!("half through, {} applied: the provider revokes the token", audit.applied()));
        }
        pause(LOOK).await;
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}

impl Client {
    fn new(sample: &Sample, rule: Rule, api: &str) -> Result<Self, Failure> {
        let wrong = |why: &dyn std::fmt::Display| Failure::new(why.to_string());
        let base = Url::parse(&format!("{api}/rest")).map_err(|why| wrong(&why))?;
        // Whoever does without keys that fold repeats sends each event that comes.
        let events = sample.events.iter().map(|event: &Value| event.to_string().into_bytes()).collect();
        let destination = linkedin::conversions().rule(RULE).api(base.as_str()).build().map_err(|why| wrong(&why))?;
        let routes = Routes::of(&destination, Vec::new()).map_err(|_| Failure::new("its own route is not sound"))?;
        Ok(Client {
            rule,
            http: network()?,
            destination,
            routes,
            audience: Audience::of([&base]),
            token_url: Url::parse(&format!("{api}/oauth/v2/accessToken")).map_err(|why| wrong(&why))?,
            token: Mutex::new(Secret::new(ACCESS_TOKEN)),
            events,
            ended: Ended::default(),
            waiting: Mutex::new(BinaryHeap::new()),
        })
    }

    fn put(&self, due: Due) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Reverse(due));
    }

    /// The next event whose time has come.
    fn due(&self, now: u64) -> Option<Due> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Reverse((at, ..)) = waiting.peek()?;
        if *at <= now { waiting.pop().map(|Reverse(due)| due) } else { None }
    }

    fn is_done(&self) -> bool {
        self.ended() >= count(self.events.len())
    }

    fn ended(&self) -> u64 {
        let Ended { applied, invalid, dropped } = &self.ended;
        [applied, invalid, dropped].iter().map(|counter| counter.load(Ordering::Relaxed)).fold(0, u64::saturating_add)
    }

    async fn attempt(&self, (_, index, tries): Due) {
        let counter = match self.send(index).await {
            End::Applied => &self.ended.applied,
            End::Invalid => &self.ended.invalid,
            End::Dropped => &self.ended.dropped,
            End::Later => {
                let wait = rule::wait(tries, count(index)).as_millis();
                return self.put((clock::wall().as_millis().saturating_add(wait), index, tries.saturating_add(1)));
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends an event and does what the rule says.
    async fn send(&self, index: usize) -> End {
        let body = self.events.get(index).map(Vec::as_slice).unwrap_or_default();
        let end = self.once(body).await;
        if !matches!(end, End::Later) {
            return end;
        }
        match self.rule.refused(false) {
            Next::Drop => End::Dropped,
            Next::Wait => End::Later,
            Next::RefreshAndWait => {
                self.refresh().await;
                End::Later
            }
            Next::RefreshAndSend => {
                self.refresh().await;
                match self.once(body).await {
                    End::Later if self.rule.refused(true) == Next::Drop => End::Dropped,
                    end => end,
                }
            }
        }
    }

    /// One request, with the token that everybody has.
    async fn once(&self, body: &[u8]) -> End {
        let Ok(prepared) = self.routes.prepare(None, body) else { return End::Invalid };
        let items = [prepared.item(DeliveryId::default(), body)];
        let began = clock::wall();
        let request = match self.destination.converse(&Conversation::begin(&items, began)) {
            Turn::Ask(request) => request,
            Turn::Conclude(_) => return End::Invalid,
        };
        let Some(answer) = self.ask(&request).await else { return End::Later };
        let so_far = [Exchange { request, answer }];
        match self.destination.converse(&Conversation { so_far: &so_far, ..Conversation::begin(&items, began) }) {
            Turn::Conclude(conclusions) => match conclusions.first().map(|conclusion| conclusion.verdict) {
                Some(Verdict::Accepted { .. }) => End::Applied,
                Some(Verdict::Refused { .. }) => End::Invalid,
                _ => End::Later,
            },
            Turn::Ask(_) => End::Later,
        }
    }

    async fn ask(&self, request: &Request) -> Option<Answer> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bearer = Bearer { token: &token, audience: &self.audience, carrier: &Carrier::Bearer };
        self.http.send(request, Some(bearer), WITHIN, clock::wall).await.ok()
    }

    /// Asks for a token and gives it to everybody.
    async fn refresh(&self) {
        let form = Form::grant("refresh_token")
            .field("refresh_token", &Secret::new(REFRESH_TOKEN))
            .field("client_id", &Secret::new(CLIENT_ID))
            .field("client_secret", &Secret::new(CLIENT_SECRET));
        let answer = self.http.post_form(&self.token_url, &form, WITHIN, clock::wall).await.ok();
        let token = answer.and_then(|answer| answer.json()?.get("access_token")?.as_str().map(Secret::new));
        if let Some(token) = token {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        }
    }
}

fn tell(
    place: &Place,
    client: &Client,
    audit: &Audit,
    (began_ms, ended_ms): (u64, u64),
    seed: u64,
    json: bool,
) -> Result<(), Failure> {
    let events = count(client.events.len());
    let lost = client.ended.dropped.load(Ordering::Relaxed);
    let unfinished = events.saturating_sub(client.ended());
    let counted = Counted {
        accepted: events,
        delivered: audit.applied(),
        failed: client.ended.invalid.load(Ordering::Relaxed),
        attempts: audit.requests,
        refused: audit.refused(),
        refreshes: audit.refreshes(),
        duplicates: audit.duplicates,
        conflicts: count(audit.conflicts.len()),
        crashes: 0,
        seconds: number(ended_ms.saturating_sub(began_ms)) / 1000.0,
    };
    let title = format!("The rule \"{}\": a token revoked half through", client.rule.words());
    let timeline = Timeline::new(title, audit, &[], began_ms, ended_ms);
    let subtitle = format!(
        "{} delivered, {} lost, {} unfinished; {} refused requests, {} refreshes.",
        grouped(counted.delivered),
        grouped(lost),
        grouped(unfinished),
        grouped(counted.refused),
        grouped(counted.refreshes)
    );
    let path = report::write(&timeline, &subtitle, place)?;
    if json {
        let rule = client.rule.words();
        return print::json(&Object { counted, lost, unfinished, events, seed, rule, timeline: path });
    }
    print::line(&format!("the rule: {}", client.rule.words()))?;
    report::table(&rows(&counted, lost, unfinished))?;
    print::line("")?;
    let kind = "The crash is left out: this rule keeps what waits in memory, and would lose it.";
    let end = if unfinished > 0 { " The demonstration ends after 90 s, whatever still waits." } else { "" };
    print::line(&report::wrapped(&format!("{}{end} {kind}", story(client.rule)), report::width()))?;
    print::line("")?;
    report::show(&timeline)?;
    print::line(&format!("\nthe same as a picture: {path}"))
}

fn rows(counted: &Counted, lost: u64, unfinished: u64) -> Vec<[String; 3]> {
    let row = |what: &str, value: String, note: &str| [what.to_owned(), value, note.to_owned()];
    vec![
        row("accepted", grouped(counted.accepted), "in memory; repeats are not folded"),
        row("delivered", grouped(counted.delivered), ""),
        row("failed", grouped(counted.failed), "invalid events"),
        row("lost", grouped(lost), "dropped by the rule"),
        row("unfinished", grouped(unfinished), "still waiting at the end"),
        row("attempts", grouped(counted.attempts), ""),
        row("refused requests", grouped(counted.refused), ""),
        row("refreshes", grouped(counted.refreshes), ""),
        row("duplicates seen", grouped(counted.duplicates), ""),
        row("conflicts", grouped(counted.conflicts), ""),
        row("crashes", grouped(counted.crashes), ""),
        row("wall time", format!("{:.1} s", counted.seconds), ""),
    ]
}
