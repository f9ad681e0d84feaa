//! `outlast list`

use std::path::Path;

use super::control::Request;
use super::failure::Failure;
use super::print;
use super::select::Conditions;
use super::session::{Purpose, Session};
use crate::clock;
use crate::view::Summary;

/// List deliveries, oldest first
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast list --state Failed --older-than 1d
  outlast list --to conversions --limit 0 --json | jq length")]
pub(crate) struct Args {
    #[command(flatten)]
    conditions: Conditions,
    /// At most so many; 0 for all
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(config: &Path, args: Args) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    // One more than is shown tells whether there are more.
    let limit = (args.limit > 0).then(|| args.limit.saturating_add(1));
    let filter = args.conditions.filter(limit);
    let listed = session.ask::<Vec<Summary>>(Request::List { filter }).await;
    session.close().await?;
    let mut deliveries = listed?;
    if args.limit > 0 && deliveries.len() > args.limit {
        deliveries.truncate(args.limit);
        print::note(&format!("there are more than these {}: --limit N shows N, --limit 0 all", args.limit));
    }
    if args.json { print::json(&deliveries) } else { table(&deliveries) }
}

/// Deliveries, one a line.
pub(crate) fn table(deliveries: &[Summary]) -> Result<(), Failure> {
    let now = clock::wall().as_millis();
    let rows: Vec<[String; 6]> = deliveries.iter().map(|delivery| row(delivery, now)).collect();
    print::table(["ID", "STATE", "DESTINATION", "ATTEMPTS", "AGE", "DETAIL"], &rows)
}

fn row(delivery: &Summary, now: u64) -> [String; 6] {
    let flags = [(delivery.parked, "parked"), (delivery.cut_off, "circuit open"), (delivery.in_doubt, "in doubt")];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, name)| (*name).to_owned());
    let detail: Vec<String> = flags.chain(delivery.detail.clone()).collect();
    [
        delivery.id.to_string(),
        delivery.state.clone(),
        print::short(&delivery.destination, 32),
        delivery.attempts.to_string(),
        print::length(now.saturating_sub(delivery.accepted_ms)),
        print::short(&detail.join(": "), 100),
    ]
}
