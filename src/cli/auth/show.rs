//! `outlast auth show`

use std::path::Path;

use super::super::control::Request;
use super::super::failure::Failure;
use super::super::print;
use super::super::session::{Purpose, Session};
use crate::view::CredentialDetails;

/// Say how a credential stands, what speaks for it, who must act, and what was seen of its tokens
#[derive(clap::Args)]
#[command(after_help = "Example:
  outlast auth show acme")]
pub(super) struct Show {
    /// The credential's name in the configuration
    name: String,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Path, args: Show) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let asked = session.ask::<Box<CredentialDetails>>(Request::Credential { name: args.name }).await;
    session.close().await?;
    let credential = asked?;
    if args.json { print::json(&credential) } else { print::line(&credential.to_string()) }
}
