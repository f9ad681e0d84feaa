//! `outlast bench`: what a durable delivery costs on this machine, each figure beside what it is held against.
//!
//! It uses the library as any program does. The API is a process of its own, and so is whatever is killed or whose memory
//! is counted. [docs/PERFORMANCE.md](../../../docs/PERFORMANCE.md) says what each row means.

mod accept;
mod cpu;
mod credentials;
mod curves;
mod deliver;
mod disk;
mod event;
mod figures;
mod flow;
mod grant;
mod ground;
mod load;
mod machine;
mod parked;
mod post;
mod process;
mod release;
mod restart;
mod route;
mod scale;
mod sink;
mod spread;
mod steady;
mod svg;
mod target;
mod task;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::ValueEnum as _;

use super::failure::Failure;
use super::print;
use super::progress::Progress;
use super::signals::Signals;
use figures::Figures;
use ground::{Ground, Kind};
use machine::Machine;
use scale::{FULL, QUICK, TINY};
use target::Row;
use task::Task;

/// Measure what a durable delivery costs on this machine, beside the same HTTP client without durability
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast bench --quick                      in under a minute, with smaller sizes
  outlast bench --json > figures.json        the full sizes: ten minutes or more, some 10 GB of disk
  outlast bench --only deliver,latency       these rows only
  outlast bench --curves --quick             how it grows
  outlast bench --dir /mnt/disk              on another disk

Each row is a figure of docs/PERFORMANCE.md with what it must be and what is aimed at. A target that is missed is told
and is no failure: the exit code is 0 when everything was measured.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// Fewer runs and smaller sizes, in under a minute
    #[arg(long)]
    quick: bool,
    /// Which store is measured
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::Sled)]
    store: Kind,
    /// Everything as one JSON object
    #[arg(long)]
    json: bool,
    /// Draw throughput and latency over the time of a run of `deliver` to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Where the bench makes its directory, which is removed at the end [default: the system's for such things]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only these rows
    #[arg(long, value_name = "ROW", value_enum, value_delimiter = ',')]
    only: Vec<Row>,
    /// Only how it grows: with concurrency, the size of an event, what is live, and credentials
    #[arg(long, conflicts_with = "only")]
    curves: bool,
    /// Hardly anything of everything, to see that it runs
    #[arg(long, hide = true, conflicts_with = "quick")]
    tiny: bool,
    /// What a process of the bench does
    #[arg(long, hide = true, value_name = "JSON")]
    task: Option<Task>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    if let Some(task) = args.task {
        return task::run(task).await;
    }
    let mut signals = Signals::listen()?;
    tokio::select! {
        biased;
        name = signals.next() => Err(Failure::new(format!("{name}: the measurement is over, and what it wrote is gone"))),
        measured = measure(&args) => measured,
    }
}

async fn measure(args: &Args) -> Result<(), Failure> {
    let scale = match (args.quick, args.tiny) {
        (true, _) => QUICK,
        (_, true) => TINY,
        _ => FULL,
    };
    let ground = Ground::make(args.dir.as_deref(), args.store, scale)?;
    let machine = Machine::here(ground.path())?;
    if machine.syncs_are_free() {
        print::note(&format!(
            "{} is in memory ({}): its syncs cost nothing",
            ground.path().display(),
            machine.file_system
        ));
    }
    let mut figures = Figures::default();
    if args.curves {
        curves::run(&ground, &mut figures).await?;
    } else {
        measure_rows(args, &ground, &mut figures).await?;
    }
    if args.json {
        return print::json(&figures.json(args, &ground.scale, &machine));
    }
    figures.tell(args, &ground.scale, &machine)
}

async fn measure_rows(args: &Args, ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    if args.svg.is_some() && !args.only.is_empty() && !args.only.contains(&Row::Deliver) {
        return Err(Failure::usage("--svg: the picture is of the row deliver; measure that row, too"));
    }
    let all: Vec<Row> = Row::value_variants().to_vec();
    let rows: Vec<Row> = all.into_iter().filter(|row| args.only.is_empty() || args.only.contains(row)).collect();
    let mut progress =
        std::io::stderr().is_terminal().then(|| Progress::new("rows measured", u64::try_from(rows.len()).ok()));
    for (done, row) in (1..).zip(rows) {
        measure_row(row, args, ground, figures).await?;
        if let Some(progress) = &mut progress {
            progress.reach(done);
        }
    }
    Ok(())
}

async fn measure_row(row: Row, args: &Args, ground: &Ground, figures: &mut Figures) -> Result<(), Failure> {
    match row {
        Row::Deliver => deliver::throughput(ground, figures, args.svg.as_deref()).await,
        Row::Latency => deliver::latency(ground, figures).await,
        Row::Accept => accept::only(ground, figures).await,
        Row::Submit => accept::steady(ground, figures).await,
        Row::Steady => steady::run(ground, figures).await,
        Row::Parked => parked::run(ground, figures).await,
        Row::Restart => restart::run(ground, figures).await,
        Row::Release => release::run(ground, figures).await,
        Row::Disk => disk::run(ground, figures).await,
        Row::Credentials => credentials::run(ground, figures).await,
        Row::Flow => flow::run(ground, figures).await,
        Row::Route => route::run(ground, figures).await,
    }
}
