//! `outlast alerts`

use std::path::Path;

use super::control::Request;
use super::failure::Failure;
use super::print;
use super::session::{Purpose, Session};
use crate::alert::Alert;

/// List what operators were told, oldest first
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast alerts
  outlast alerts --limit 0 --json | jq '.[] | select(.severity == \"critical\")'

The newest 256 are kept. They are in the log, too, and go where [alerts] in the configuration says.")]
pub(crate) struct Args {
    /// At most so many, the newest; 0 for all that are kept
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(config: &Path, args: Args) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let told = session.ask::<Vec<Alert>>(Request::Alerts).await;
    session.close().await?;
    let mut alerts = told?;
    let over = if args.limit == 0 { 0 } else { alerts.len().saturating_sub(args.limit) };
    alerts.drain(..over);
    if over > 0 {
        print::note(&format!("there are {over} older ones: --limit N shows N, --limit 0 all"));
    }
    if args.json {
        return print::json(&alerts);
    }
    if alerts.is_empty() {
        return print::line("nobody was told anything yet");
    }
    let rows: Vec<[String; 5]> = alerts.iter().map(row).collect();
    print::table(["NUMBER", "AT", "SEVERITY", "KIND", "WHAT"], &rows)
}

fn row(alert: &Alert) -> [String; 5] {
    [
        alert.number.to_string(),
        print::moment(alert.at_ms),
        alert.severity.name().to_owned(),
        alert.kind.name().to_owned(),
        alert.text.split_whitespace().collect::<Vec<_>>().join(" "),
    ]
}
