//! `outlast show`

use std::path::Path;

use super::control::Request;
use super::failure::Failure;
use super::print;
use super::select::delivery;
use super::session::{Purpose, Session};
use crate::view::{DeliveryName, Details};

/// Show one delivery in full, with what happened to it
#[derive(clap::Args)]
#[command(after_help = "Example:
  outlast show 01K8ZQ4C2R7N3D5F6G8H9JKMNP --json")]
pub(crate) struct Args {
    /// The delivery
    #[arg(value_parser = delivery)]
    id: DeliveryName,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(config: &Path, args: &Args) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let shown = session.ask::<Box<Details>>(Request::Show { id: args.id }).await;
    session.close().await?;
    let details = shown?;
    if args.json { print::json(&details) } else { print::line(&page(&details)) }
}

fn page(details: &Details) -> String {
    let summary = &details.summary;
    let mut lines = vec![("id", summary.id.to_string()), ("state", summary.state.clone())];
    let mut add = |name, value: Option<String>| lines.extend(value.map(|value| (name, value)));
    add("code", summary.code.clone());
    add("detail", summary.detail.clone());
    add("parked", summary.parked.then(|| "its credential waits for a human".to_owned()));
    add("in doubt", summary.in_doubt.then(|| "the destination may have it all the same".to_owned()));
    add("destination", Some(summary.destination.clone()));
    add("route", summary.route.clone());
    add("lane", summary.lane.clone());
    add("once", summary.once.clone());
    add(
        "attempts",
        Some(format!(
            "{}, of which {} count against its budget of {}",
            summary.attempts, summary.spent, details.budget
        )),
    );
    add("accepted", Some(print::moment_and_distance(summary.accepted_ms)));
    add("due", summary.due_ms.map(print::moment_and_distance));
    add("ended", summary.ended_ms.map(print::moment_and_distance));
    add("deadline", summary.ended_ms.is_none().then(|| print::moment_and_distance(summary.deadline_ms)));
    add("body", Some(format!("{} bytes, SHA-256 {}", details.body_bytes, details.body_sha256)));
    let mut text: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<12} {value}")).collect();
    text.extend((!details.journal.is_empty()).then(|| "journal".to_owned()));
    for entry in &details.journal {
        let repeats = if entry.repeats > 0 { format!(", and {} times more", entry.repeats) } else { String::new() };
        text.push(format!("  {}  {:<20} {}{repeats}", print::moment(entry.at_ms), entry.state, entry.what));
    }
    text.join("\n")
}
