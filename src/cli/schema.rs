//! `outlast schema`

use super::failure::Failure;
use super::print;
use crate::config;

/// Write the JSON schema of outlast.toml to stdout, for editors
#[derive(clap::Args)]
#[command(after_help = "Example:
  outlast schema > outlast.schema.json

Editors that know TOML find it by a comment in the first line of outlast.toml:
  #:schema ./outlast.schema.json")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<(), Failure> {
    print::json(&config::schema())
}
