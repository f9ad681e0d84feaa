//! `outlast cancel`

use std::path::Path;

use super::control::{Fault, Request};
use super::failure::Failure;
use super::print;
use super::select::{Conditions, delivery};
use super::session::{Purpose, Session};
use crate::view::{DeliveryName, Summary};

/// Stop deliveries: what is in the air is done if the destination has taken it, all else fails
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast cancel 01K8ZQ4C2R7N3D5F6G8H9JKMNP
  outlast cancel --to conversions --older-than 3d --yes")]
pub(crate) struct Args {
    /// The deliveries
    #[arg(value_parser = delivery, value_name = "ID", required_unless_present_any = ["state", "to", "lane", "older_than"])]
    ids: Vec<DeliveryName>,
    #[command(flatten)]
    conditions: Conditions,
    /// Do it to more than one found by conditions
    #[arg(long)]
    yes: bool,
    /// What became of each as a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(config: &Path, args: Args) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let changed = cancel(&mut session, &args).await;
    session.close().await?;
    tell("cancelled", &changed?, args.json)
}

async fn cancel(session: &mut Session, args: &Args) -> Result<Vec<Result<Summary, Fault>>, Failure> {
    let mut ids = args.ids.clone();
    if args.conditions.any() {
        let found = session.ask::<Vec<Summary>>(Request::List { filter: args.conditions.clone().filter(None) }).await?;
        let live: Vec<Summary> = found.into_iter().filter(|delivery| delivery.ended_ms.is_none()).collect();
        confirm(live.len(), "cancelled", args.yes)?;
        ids.extend(live.iter().map(|delivery| delivery.id));
    }
    change(session, &ids, |ids| Request::Cancel { ids }).await
}

/// More than one delivery found by conditions needs a yes.
pub(crate) fn confirm(count: usize, what: &str, yes: bool) -> Result<(), Failure> {
    if count > 1 && !yes {
        return Err(
            Failure::usage(format!("{count} deliveries would be {what}")).help("add --yes if all of them are meant")
        );
    }
    Ok(())
}

/// Asks for a change of many deliveries, a group at a time.
pub(crate) async fn change(
    session: &mut Session,
    ids: &[DeliveryName],
    request: impl Fn(Vec<DeliveryName>) -> Request,
) -> Result<Vec<Result<Summary, Fault>>, Failure> {
    let mut changed = Vec::with_capacity(ids.len());
    for group in ids.chunks(256) {
        changed.extend(session.ask::<Vec<Result<Summary, Fault>>>(request(group.to_vec())).await?);
    }
    Ok(changed)
}

/// Tells what became of each; a failure if one could not be changed.
pub(crate) fn tell(what: &str, changed: &[Result<Summary, Fault>], json: bool) -> Result<(), Failure> {
    if json {
        print::json(&changed)?;
    }
    let refused = changed.iter().filter_map(|change| change.as_ref().err());
    let count = refused.clone().inspect(|fault| print::note(&format!("error: {}", fault.message))).count();
    let done = changed.len().saturating_sub(count);
    if !json {
        print::line(&format!("{what} {done}, refused {count}"))?;
    }
    if count == 0 { Ok(()) } else { Err(Failure::told()) }
}
