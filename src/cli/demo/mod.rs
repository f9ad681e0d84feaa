//! `outlast demo`: the promise, shown on one machine with real processes, a real kill and a provider that lies as real ones do.
//!
//! The sandbox and the engine are processes of their own. What is told at the end comes from the sandbox's audit log and
//! from the store, and is held against what the events were known to be.

mod audit;
mod feed;
mod judge;
mod ledger;
mod moment;
mod naive;
mod picture;
pub(super) mod place;
pub(super) mod play;
pub(super) mod process;
mod report;
mod svg;
mod timeline;

use std::path::PathBuf;
use std::time::Duration;

use super::failure::Failure;
use super::print;
use super::rule::Rule;
use super::signals::Signals;
use crate::clock;
use crate::sample::{self, Sample, TRACK};
use feed::Feed;
use moment::Moment;
use place::Place;
use report::Report;

/// Watch deliveries outlast a revoked token and a killed engine, on this machine and without network
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast demo
  outlast demo --events 2000 --seed 7 --json
  outlast demo --keep /tmp/outlast-demo      then: outlast --config /tmp/outlast-demo/outlast.toml list
  outlast demo --kill-at refreshing          kill the engine at another moment
  outlast demo --naive retry-once            the same job under a rule that looks reasonable

A sandbox in a process of its own plays the provider: three nodes, each of which learns of a new token after 2 to 8 s.
Half through it revokes the access token, and the engine is killed with SIGKILL and started again. The exit code is 1
unless every valid event was applied, exactly the invalid ones failed, one refresh was enough and nothing was sent with
two bodies. A run under a naive rule ends with 0 whatever it loses: losing is what it shows.")]
pub(crate) struct Args {
    /// How many events, of which some are invalid and some repeat others
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    events: u32,
    /// Decides what the sandbox draws, and the events' message ids
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Leave store, audit log, configuration and logs in this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The counts as one JSON object
    #[arg(long)]
    json: bool,
    /// Run the job under another rule for refused tokens instead of by the engine
    #[arg(long, value_name = "RULE", value_enum, conflicts_with = "kill_at")]
    naive: Option<Rule>,
    /// Kill the engine at this moment: accepting, revoked, refused, refreshing, refreshed, propagating, flowing, twice,
    /// recovering, or when a share of the valid events has been applied, such as 0.25
    #[arg(long, value_name = "MOMENT", default_value = "flowing")]
    kill_at: Moment,
}

/// The names in the demonstration's configuration.
const CREDENTIAL: &str = "demo";
const DESTINATION: &str = "conversions";

/// A signal reaches the processes of the demonstration too, and what they do about it may be noticed first.
const SIGNAL_LAG: Duration = Duration::from_millis(250);

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let performed = tokio::select! {
        biased;
        name = signals.next() => return Err(interrupted(name)),
        performed = perform(&args) => performed,
    };
    let Err(failure) = performed else { return Ok(()) };
    tokio::select! {
        name = signals.next() => Err(interrupted(name)),
        () = process::pause(SIGNAL_LAG) => Err(failure),
    }
}

fn interrupted(name: &str) -> Failure {
    Failure::new(format!("{name}: the demonstration is over; its processes have ended"))
}

async fn perform(args: &Args) -> Result<(), Failure> {
    let place = Place::make(args.keep.as_deref())?;
    let count = usize::try_from(args.events).unwrap_or(usize::MAX);
    let sample = sample::events(TRACK, clock::wall(), count, args.seed).map_err(|why| Failure::new(why.to_string()))?;
    match args.naive {
        Some(rule) => naive::run(&place, &sample, rule, args.seed, args.json).await,
        None => outlast(args, &place, &sample).await,
    }
}

async fn outlast(args: &Args, place: &Place, sample: &Sample) -> Result<(), Failure> {
    let feed = Feed::new(&sample.events);
    let valid = judge::count(sample.valid.len());
    let played = play::perform(place, &feed, args.kill_at, valid, args.seed).await?;
    let violations = judge::violations(sample, &played);
    let report = Report { sample, played: &played, moment: args.kill_at, seed: args.seed, violations: &violations };
    report.tell(place, args.json)?;
    for violation in &violations {
        print::note(&format!("violated: {violation}"));
    }
    match (violations.is_empty(), place.is_kept()) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::told()),
        (false, false) => Err(Failure::told().help("--keep DIR leaves the store and the logs there to look at")),
    }
}
