//! `outlast why`

use std::path::Path;

use serde::Serialize;

use super::control::Request;
use super::failure::Failure;
use super::print;
use super::select::delivery;
use super::session::{Purpose, Session};
use crate::view::DeliveryName;

/// Say what a delivery waits for, since when, and what would release it
#[derive(clap::Args)]
#[command(after_help = "Example:
  outlast why 01K8ZQ4C2R7N3D5F6G8H9JKMNP")]
pub(crate) struct Args {
    /// The delivery
    #[arg(value_parser = delivery)]
    id: DeliveryName,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Chain {
    id: DeliveryName,
    why: Vec<String>,
}

pub(crate) async fn run(config: &Path, args: &Args) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let asked = session.ask::<Vec<String>>(Request::Why { id: args.id }).await;
    session.close().await?;
    let why = asked?;
    if args.json { print::json(&Chain { id: args.id, why }) } else { print::line(&why.join("\n")) }
}
