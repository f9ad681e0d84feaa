//! `outlast redrive`

use std::path::Path;

use outlast_state::Span;
use serde::Serialize;

use super::cancel::{change, confirm, tell};
use super::control::Request;
use super::failure::Failure;
use super::print;
use super::select::{Conditions, delivery, span};
use super::session::{Purpose, Session};
use crate::clock;
use crate::view::{DeliveryName, Redrive, Summary};

/// Start failed deliveries again, with a new deadline and a new budget
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast redrive 01K8ZQ4C2R7N3D5F6G8H9JKMNP
  outlast redrive --to conversions --dry-run
  outlast redrive --to conversions --older-than 1h --time-to-live 6h --yes")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// The deliveries
    #[arg(value_parser = delivery, value_name = "ID", required_unless_present_any = ["state", "to", "lane", "older_than"])]
    ids: Vec<DeliveryName>,
    #[command(flatten)]
    conditions: Conditions,
    /// Give them up after so long, instead of after the engine's own time to live
    #[arg(long, value_name = "SPAN", value_parser = span)]
    time_to_live: Option<Span>,
    /// Also those that the destination may have, beyond the time in which it recognises a repeat
    #[arg(long)]
    may_duplicate: bool,
    /// Only say how many there are and how old
    #[arg(long)]
    dry_run: bool,
    /// Do it to more than one found by conditions
    #[arg(long)]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What a redrive would do.
#[derive(Serialize)]
struct Forecast {
    failed: usize,
    in_doubt: usize,
    oldest_ms: Option<u64>,
    newest_ms: Option<u64>,
}

pub(crate) async fn run(config: &Path, args: Args) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let result = redrive(&mut session, &args).await;
    let running = session.is_running();
    session.close().await?;
    if result? && !running {
        print::note("`outlast serve` delivers them");
    }
    Ok(())
}

/// Says whether there is something to deliver now.
async fn redrive(session: &mut Session, args: &Args) -> Result<bool, Failure> {
    let mut failed = Vec::new();
    if args.conditions.any() {
        let found = session.ask::<Vec<Summary>>(Request::List { filter: args.conditions.clone().filter(None) }).await?;
        failed.extend(found.into_iter().filter(|delivery| delivery.state == "Failed"));
    }
    if args.dry_run {
        for id in &args.ids {
            let details = session.ask::<Box<crate::view::Details>>(Request::Show { id: *id }).await?;
            failed.extend(Some(details.summary).filter(|delivery| delivery.state == "Failed"));
        }
        forecast(&failed, args.json)?;
        return Ok(false);
    }
    confirm(failed.len(), "redriven", args.yes)?;
    let ids: Vec<DeliveryName> = args.ids.iter().copied().chain(failed.iter().map(|delivery| delivery.id)).collect();
    let redrive = Redrive { time_to_live: args.time_to_live, may_duplicate: args.may_duplicate };
    let changed = change(session, &ids, |ids| Request::Redrive { ids, redrive }).await?;
    tell("redriven", &changed, args.json)?;
    Ok(!changed.is_empty())
}

fn forecast(failed: &[Summary], json: bool) -> Result<(), Failure> {
    let accepted = || failed.iter().map(|delivery| delivery.accepted_ms);
    let (oldest_ms, newest_ms) = (accepted().min(), accepted().max());
    let in_doubt = failed.iter().filter(|delivery| delivery.in_doubt).count();
    let count = failed.len();
    if json {
        return print::json(&Forecast { failed: count, in_doubt, oldest_ms, newest_ms });
    }
    let now = clock::wall().as_millis();
    let age = |millis: Option<u64>| print::length(now.saturating_sub(millis.unwrap_or(now)));
    match count {
        0 => print::line("none would be redriven: none of them has failed"),
        _ => print::line(&format!(
            "{count} would be redriven, accepted between {} and {} ago; the destination may have {in_doubt} of them already",
            age(oldest_ms),
            age(newest_ms)
        )),
    }
}
