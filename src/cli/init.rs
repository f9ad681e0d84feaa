//! `outlast init`

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use super::failure::Failure;
use super::print;
use crate::vault::VaultKey;

/// Write a commented configuration and the key that tokens are sealed with
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast init
  outlast --config /etc/outlast/outlast.toml init

Nothing that exists is overwritten. The key file is the only key to the tokens in the store: back it up apart from it.")]
pub(crate) struct Args {}

/// What `init` writes.
pub(crate) const TEMPLATE: &str = include_str!("init/outlast.toml");

/// The name of the key's file in [`TEMPLATE`].
const KEY_FILE: &str = "outlast.key";

pub(crate) fn run(config: &Path, _: &Args) -> Result<(), Failure> {
    let key = config.with_file_name(KEY_FILE);
    write_new(config).map_err(|why| match why.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(format!("{} exists already and is left as it is", config.display()))
                .help("move it away first, or name another with --config FILE")
        }
        _ => Failure::new(format!("{} cannot be written: {why}", config.display())),
    })?;
    print::line(&format!("wrote {}", config.display()))?;
    if key.exists() {
        print::line(&format!("kept  {}", key.display()))?;
    } else {
        VaultKey::create(&key).map_err(|why| Failure::new(why.to_string()))?;
        print::line(&format!("wrote {} (only you can read it; back it up)", key.display()))?;
    }
    print::line(
        "\nnext:
  1. set the client: export LINKEDIN_CLIENT_ID=… LINKEDIN_CLIENT_SECRET=…
  2. set conversion_rule in [destination.conversions]
  3. outlast check
  4. outlast auth login acme (or, with tokens that exist: outlast auth import acme --file tokens.json)
  5. outlast serve, and in another terminal: outlast send events.jsonl --wait",
    )
}

fn write_new(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(TEMPLATE.as_bytes())?;
    file.sync_all()
}
