//! `outlast sim storm`: what becomes of deliveries behind a dead token while the nodes of the API learn of the next one, under
//! rules that look reasonable and under the engine. See [docs/STORM.md](../../../../docs/STORM.md).

mod agenda;
mod api;
mod line;
mod live;
mod naive;
mod ours;
mod policy;
mod scene;
mod tally;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use outlast_state::Span;

use crate::cli::failure::Failure;
use crate::cli::print;
use crate::cli::progress::Progress;
use line::Line;
use policy::Policy;
use scene::Scene;
use tally::{Beside, Row, Tally};

/// A row, and what else is known of its run.
type Told = (Row, Beside);

/// Deliveries behind a dead token, under rules that look reasonable and under the engine
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast sim storm
  outlast sim storm --deliveries 500 --propagation 10 --policy ours,refresh-and-retry
  outlast sim storm --seed 7 --json --audit storm.jsonl
  outlast sim storm --recompute storm.jsonl
  outlast sim storm --real-time --policy ours

The API has three nodes; each learns of a new token after a time of its own, up to the propagation. Refreshes, refused
requests, deliveries lost within 4 h, and when the last one arrived. docs/STORM.md says how it is measured.")]
pub(crate) struct Args {
    /// The rows as JSON
    #[arg(long)]
    json: bool,
    /// Decides every delay and every node
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write every request, every answer and every call of the token endpoint to this file, as lines of JSON
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// How many deliveries, all of which come within a second [default: 1,20,500,10000; in real time 10000]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=100_000))]
    deliveries: Vec<u64>,
    /// How long a node takes to learn of a new token, at most, in seconds [default: 0.5,10,300; in real time 10]
    #[arg(long, value_name = "SECONDS", value_delimiter = ',', value_parser = propagation)]
    propagation: Vec<f64>,
    /// Only under these [default: all; in real time those of the engine]
    #[arg(long, value_name = "POLICY", value_enum, value_delimiter = ',')]
    policy: Vec<Policy>,
    /// In real time instead: the engine with its store on disk, against a sandbox in a process of its own
    #[arg(long)]
    real_time: bool,
    /// Make the rows again from what --audit wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "audit", "deliveries", "propagation", "policy", "real_time"])]
    recompute: Option<PathBuf>,
}

/// No token has been seen to take longer than ten minutes; beyond a settle window it is another question.
const LONGEST_S: f64 = 600.0;

fn propagation(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    if (0.0..=LONGEST_S).contains(&seconds) { Ok(seconds) } else { Err(format!("it is not from 0 to {LONGEST_S}")) }
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let json = args.json;
    let rows = match (&args.recompute, args.real_time) {
        (Some(path), _) => recomputed(path)?,
        (None, true) => live(&args).await?,
        (None, false) => {
            let simulated = tokio::task::spawn_blocking(move || simulated(&args)).await;
            simulated.map_err(|why| Failure::new(why.to_string()))??
        }
    };
    tell(&rows, json)
}

fn simulated(args: &Args) -> Result<Vec<Told>, Failure> {
    let scenes = scenes(args, &[1, 20, 500, 10_000], &[0.5, 10.0, 300.0], &Policy::ALL);
    let mut log = args.audit.as_deref().map(create).transpose()?;
    let mut progress = Progress::new("runs", u64::try_from(scenes.len()).ok());
    let mut rows = Vec::new();
    for scene in scenes {
        let log = log.as_mut().map(|log| log as &mut dyn Write);
        rows.push(match scene.policy.rule() {
            Some(rule) => naive::run(scene, rule, log)?,
            None => ours::run(scene, log)?,
        });
        progress.reach(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    }
    flushed(log)?;
    Ok(rows)
}

async fn live(args: &Args) -> Result<Vec<Told>, Failure> {
    if args.policy.iter().any(|policy| policy.rule().is_some()) {
        return Err(Failure::usage("--real-time runs the engine only")
            .help("`outlast demo --naive RULE` has the other rules at work in real time"));
    }
    let scenes = scenes(args, &[10_000], &[10.0], &[Policy::Ours, Policy::MakeBeforeBreak]);
    let mut log = args.audit.as_deref().map(create).transpose()?;
    let mut rows = Vec::new();
    for scene in scenes {
        let log = log.as_mut().map(|log| log as &mut dyn Write);
        rows.push(live::run(scene, log).await?);
    }
    flushed(log)?;
    Ok(rows)
}

/// What was asked for, or else these.
fn scenes(args: &Args, deliveries: &[u64], propagation: &[f64], policies: &[Policy]) -> Vec<Scene> {
    let deliveries = if args.deliveries.is_empty() { deliveries } else { &args.deliveries };
    let propagation = if args.propagation.is_empty() { propagation } else { &args.propagation };
    let policies = if args.policy.is_empty() { policies } else { &args.policy };
    let mut scenes = Vec::new();
    for deliveries in deliveries {
        for seconds in propagation {
            for policy in policies {
                let propagation_ms = millis(*seconds);
                let (seed, real_time) = (args.seed, args.real_time);
                scenes.push(Scene { policy: *policy, deliveries: *deliveries, propagation_ms, seed, real_time });
            }
        }
    }
    scenes
}

/// Whole milliseconds of at most [`LONGEST_S`].
fn millis(seconds: f64) -> u64 {
    let span = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn create(path: &Path) -> Result<BufWriter<File>, Failure> {
    let file = File::create(path);
    file.map(BufWriter::new)
        .map_err(|why| Failure::usage(format!("--audit: {} cannot be written: {why}", path.display())))
}

fn flushed(log: Option<BufWriter<File>>) -> Result<(), Failure> {
    log.map_or(Ok(()), |mut log| log.flush().map_err(|why| unwritten(&why)))
}

fn write(log: &mut dyn Write, line: &Line) -> Result<(), Failure> {
    serde_json::to_writer(&mut *log, line).map_err(|why| unwritten(&why.into()))?;
    log.write_all(b"\n").map_err(|why| unwritten(&why))
}

fn unwritten(why: &std::io::Error) -> Failure {
    Failure::new(format!("--audit: the file cannot be written: {why}"))
}

fn recomputed(path: &Path) -> Result<Vec<Told>, Failure> {
    let wrong = |what: String| Failure::usage(format!("--recompute: {}: {what}", path.display()));
    let file = File::open(path).map_err(|why| wrong(why.to_string()))?;
    let (mut rows, mut open) = (Vec::new(), None::<Tally>);
    for (text, number) in BufReader::new(file).lines().zip(1_u64..) {
        let text = text.map_err(|why| wrong(why.to_string()))?;
        let line = serde_json::from_str(&text).map_err(|why| wrong(format!("line {number}: {why}")))?;
        match (line, &mut open) {
            (Line::Run(run), None) => open = Some(Tally::new(run)),
            (Line::End(end), Some(tally)) => {
                rows.push((tally.row(end), tally.beside()));
                open = None;
            }
            (line @ (Line::Request(_) | Line::Token(_)), Some(tally)) => tally.take(&line),
            _ => return Err(wrong(format!("line {number} is out of place"))),
        }
    }
    if open.is_some() { Err(wrong("the last run has no end".to_owned())) } else { Ok(rows) }
}

fn tell(rows: &[Told], json: bool) -> Result<(), Failure> {
    if json {
        return print::json(&rows.iter().map(|(row, _)| row).collect::<Vec<_>>());
    }
    let cells: Vec<[String; 9]> = rows.iter().map(cells).collect();
    let heads = ["DELIVERIES", "PROPAGATION", "POLICY", "REFRESHES", "REFUSED", "LOST", "LAST", "REQUESTS", "LONGEST"];
    print::table(heads, &cells)
}

fn cells((row, beside): &Told) -> [String; 9] {
    [
        row.deliveries.to_string(),
        format!("{} s", row.propagation_s),
        row.policy.to_owned(),
        row.refreshes.to_string(),
        row.refused.to_string(),
        row.lost.to_string(),
        row.last_s.map_or_else(|| "never".to_owned(), |last| format!("{last:.2} s")),
        beside.requests.to_string(),
        Span::from_millis(beside.longest_ms).to_string(),
    ]
}
