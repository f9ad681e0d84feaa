//! `outlast send`

mod await_end;
pub(crate) mod events;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use outlast_state::DeliveryId;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::control::{Emitted, Fault, Kind, Made, Offer, Request};
use super::failure::Failure;
use super::print;
use super::progress::Progress;
use super::session::{Purpose, Session};
use super::signals::Signals;
use crate::clock;
use crate::config::Config;
use crate::view::DeliveryName;
use await_end::Ended;
use events::{Events, Field};

/// Accept events, one JSON object a line; once this says so, they are on disk
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast send events.jsonl
  outlast send events.jsonl --wait
  outlast try events.jsonl
  tail -f app.log | outlast send - --to conversions --lane userId

With routes in the configuration, each event goes to the routes that take it; with --to NAME, or without routes, all go to
one destination. `outlast try` shows what would become of an event.

Sending a file again is harmless: the same key (messageId, or what --once names) and the same bytes are the same delivery.
Lines that cannot be taken are told with their numbers, the others are accepted, and the exit code is 1.")]
pub(crate) struct Args {
    /// The events, - for stdin
    file: PathBuf,
    /// This destination, whatever the routes say [default: by the routes; without any, the only destination that there is]
    #[arg(long, value_name = "DESTINATION")]
    to: Option<String>,
    /// Where an event has the key that makes sending it again harmless, such as properties.orderId; or none
    /// [default: messageId, where an event has it]
    #[arg(long, value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    once: Option<String>,
    /// Where an event has its lane, in which deliveries keep their order
    #[arg(long, value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    lane: Option<String>,
    /// Wait until all have ended; without a running engine, deliver them here
    #[arg(long)]
    wait: bool,
    /// The counts and ids as a JSON object
    #[arg(long)]
    json: bool,
}

/// What became of the lines.
#[derive(Default, Serialize)]
struct Tally {
    accepted: u64,
    repeated: u64,
    refused: u64,
    /// Events that no route took.
    unrouted: u64,
    #[serde(flatten)]
    ended: Option<Ended>,
    ids: Vec<DeliveryName>,
}

/// So many events, or so many bytes, share a question and a barrier.
const GROUP: usize = 256;
const GROUP_BYTES: usize = 2 * 1024 * 1024;

/// How long is waited for a full engine: at first, at most between two tries, and in all without any event accepted.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn run(config: &Path, args: Args) -> Result<(), Failure> {
    let destination = destination(config, args.to.clone())?;
    let routed = destination.is_none();
    let name = args.file.display().to_string();
    let input = open(&args.file)?;
    let once = args.once.as_deref().map_or(Field::key(), Field::asked);
    let events = Events::new(
        input,
        destination.unwrap_or_default(),
        once,
        args.lane.as_deref().map_or(Field::Absent, Field::asked),
    );
    let mut session = Session::open(config, if args.wait { Purpose::Deliver } else { Purpose::Look }).await?;
    let running = session.is_running();
    let result = send(&mut session, events, &name, routed, args.wait).await;
    session.close().await?;
    let (tally, interrupted) = result?;
    tell(&tally, args.json)?;
    if !running && (!args.wait || interrupted) {
        print::note("no engine is running: `outlast serve` delivers them");
    }
    let failed = tally.ended.as_ref().is_some_and(|ended| ended.failed > 0);
    if tally.refused > 0 || failed || interrupted { Err(Failure::told()) } else { Ok(()) }
}

/// Accepts everything, then waits for it if asked to. Says whether a signal cut the waiting short.
async fn send(
    session: &mut Session,
    mut events: Events<Box<dyn Read>>,
    name: &str,
    routed: bool,
    wait: bool,
) -> Result<(Tally, bool), Failure> {
    let mut sender = Sender::new(session, name, routed);
    while let Some(event) = events.next() {
        let event = event.map_err(|why| Failure::new(format!("{name} cannot be read: {why}")))?;
        sender.take(event).await?;
        // Events that come one at a time are on disk before the next one is waited for.
        if events.pauses() {
            sender.flush().await?;
        }
    }
    sender.flush().await?;
    let mut tally = sender.finish();
    if !wait {
        return Ok((tally, false));
    }
    let mut signals = Signals::listen()?;
    let mut ended = Ended::default();
    print::note("waiting until all have ended; what has not when this is interrupted stays accepted");
    let interrupted = tokio::select! {
        done = ended.wait_for(session, &tally.ids) => done.map(|()| false)?,
        name = signals.next() => {
            print::note(&format!("{name}: stopping"));
            true
        }
    };
    tally.ended = Some(ended);
    Ok((tally, interrupted))
}

/// The destination that everything goes to; nothing where the routes decide.
fn destination(config: &Path, asked: Option<String>) -> Result<Option<String>, Failure> {
    let outline = Config::outline(config)?;
    match (asked, outline.destinations.as_slice()) {
        (None, _) if outline.has_routes => Ok(None),
        (Some(name), known) if known.contains(&name) => Ok(Some(name)),
        (None, [only]) => Ok(Some(only.clone())),
        (_, []) => {
            Err(Failure::usage(format!("{} has no destination", config.display())).help("add [destination.NAME]"))
        }
        (Some(name), known) => {
            Err(Failure::usage(format!("there is no destination {name}"))
                .help(format!("there are {}", known.join(", "))))
        }
        (None, known) => Err(Failure::usage("there is more than one destination")
            .help(format!("choose with --to: {}; or add [[route]]", known.join(", ")))),
    }
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|why| Failure::new(format!("{} cannot be opened: {why}", path.display())))?;
    Ok(Box::new(file))
}

/// Gathers events into groups and has them accepted.
struct Sender<'a> {
    session: &'a mut Session,
    name: &'a str,
    /// Whether the routes decide where events go.
    routed: bool,
    progress: Progress,
    /// An id from before this moment was accepted by an earlier command.
    began_ms: u64,
    group: Vec<(u64, Offer)>,
    bytes: usize,
    seen: HashSet<DeliveryId>,
    told_full: bool,
    tally: Tally,
}

impl<'a> Sender<'a> {
    fn new(session: &'a mut Session, name: &'a str, routed: bool) -> Self {
        Sender {
            session,
            name,
            routed,
            progress: Progress::new("accepted", None),
            began_ms: clock::wall().as_millis(),
            group: Vec::new(),
            bytes: 0,
            seen: HashSet::new(),
            told_full: false,
            tally: Tally::default(),
        }
    }

    async fn take(&mut self, event: events::Event) -> Result<(), Failure> {
        match event.offer {
            Ok(offer) => {
                self.bytes = self.bytes.saturating_add(offer.body.len());
                self.group.push((event.line, offer));
            }
            Err(why) => self.refuse(event.line, &why.to_string()),
        }
        if self.group.len() >= GROUP || self.bytes >= GROUP_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Has the group accepted. What a full engine does not take is offered again, in its order, until it does.
    async fn flush(&mut self) -> Result<(), Failure> {
        let mut wait = FIRST_WAIT;
        let mut waited = Duration::ZERO;
        self.bytes = 0;
        while !self.group.is_empty() {
            let before = self.group.len();
            self.offer().await?;
            if self.group.len() < before {
                (wait, waited) = (FIRST_WAIT, Duration::ZERO);
                continue;
            }
            if waited >= PATIENCE {
                let line = self.group.first().map_or(0, |(line, _)| *line);
                let message =
                    format!("{}:{line}: the engine is full, and took nothing for {} s", self.name, waited.as_secs());
                return Err(
                    Failure::new(message).help("send the same again later: what was accepted is not sent twice")
                );
            }
            if !self.told_full {
                self.told_full = true;
                self.progress.note("the engine is full; waiting until it takes more");
            }
            clock::wait(wait, &CancellationToken::new()).await;
            waited = waited.saturating_add(wait);
            wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        }
        Ok(())
    }

    /// Offers the group once and keeps of it what a full engine did not take.
    async fn offer(&mut self) -> Result<(), Failure> {
        let answers = match self.ask().await? {
            Ok(answers) => answers,
            Err(fault) if fault.kind == Kind::Busy => return Ok(()),
            Err(fault) => return Err(fault.into()),
        };
        let mut busy = Vec::new();
        for ((line, offer), answers) in std::mem::take(&mut self.group).into_iter().zip(answers) {
            let full = |answer: &Result<DeliveryName, Fault>| answer.as_ref().is_err_and(|why| why.kind == Kind::Busy);
            // With a key, offering all of it again is harmless; without one, only what was taken on no route is.
            if answers.iter().any(full) && (offer.once.is_some() || answers.iter().all(full)) {
                busy.push((line, offer));
                continue;
            }
            if answers.is_empty() {
                self.tally.unrouted = self.tally.unrouted.saturating_add(1);
            }
            for answer in answers {
                match answer {
                    Ok(id) => self.accept(id),
                    Err(fault) if fault.kind == Kind::Ended => return Err(fault.into()),
                    Err(fault) => {
                        let code = fault.code.map(|code| format!(" ({code})")).unwrap_or_default();
                        self.refuse(line, &format!(": {}{code}", fault.message));
                    }
                }
            }
        }
        self.group = busy;
        self.progress.reach(self.tally.accepted);
        Ok(())
    }

    /// What each event of the group became: one delivery, or one for each route that takes it.
    async fn ask(&mut self) -> Result<Result<Vec<Answers>, Fault>, Failure> {
        let offers = self.group.iter().map(|(_, offer)| offer.clone());
        if !self.routed {
            let asked = self.session.try_ask(Request::Submit { offers: offers.collect() }).await?;
            return Ok(asked.map(|answers: Answers| answers.into_iter().map(|answer| vec![answer]).collect()));
        }
        let emitted = |offer: Offer| Emitted { body: offer.body, once: offer.once, lane: offer.lane };
        let asked = self.session.try_ask(Request::Ingest { events: offers.map(emitted).collect() }).await?;
        let on_routes = |made: Result<Vec<Made>, Fault>| match made {
            Ok(made) => made.into_iter().map(|one| one.delivery.map_err(|why| on_route(&one.route, why))).collect(),
            Err(fault) => vec![Err(fault)],
        };
        Ok(asked.map(|events: Vec<_>| events.into_iter().map(on_routes).collect()))
    }

    fn accept(&mut self, id: DeliveryName) {
        let first = self.seen.insert(id.0);
        if first {
            self.tally.ids.push(id);
        }
        if first && accepted_ms(id.0) >= self.began_ms {
            self.tally.accepted = self.tally.accepted.saturating_add(1);
        } else {
            self.tally.repeated = self.tally.repeated.saturating_add(1);
        }
    }

    /// Tells that a line is not taken; `why` begins with a colon.
    fn refuse(&mut self, line: u64, why: &str) {
        self.tally.refused = self.tally.refused.saturating_add(1);
        self.progress.note(&format!("error: {}:{line}{why}", self.name));
    }

    fn finish(self) -> Tally {
        self.tally
    }
}

type Answers = Vec<Result<DeliveryName, Fault>>;

fn on_route(route: &str, mut fault: Fault) -> Fault {
    fault.message.insert_str(0, &format!("route {route}: "));
    fault
}

/// The upper 48 bits of an id are the time of its acceptance.
fn accepted_ms(id: DeliveryId) -> u64 {
    u64::try_from(id.as_u128() >> 80).unwrap_or(u64::MAX)
}

fn tell(tally: &Tally, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(tally);
    }
    let Tally { accepted, repeated, refused, unrouted, .. } = tally;
    print::line(&format!("accepted {accepted}, repeated {repeated} (same key and body), refused {refused}"))?;
    if *unrouted > 0 {
        print::line(&format!("{unrouted} events were taken by no route; `outlast try` says why"))?;
    }
    if tally.ids.len() <= 10 {
        tally.ids.iter().try_for_each(|id| print::line(&id.to_string()))?;
    }
    tally.ended.as_ref().map_or(Ok(()), Ended::tell)
}
