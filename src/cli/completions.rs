//! `outlast completions`

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::Cli;
use super::failure::Failure;

/// Write the completions for a shell to stdout
#[derive(clap::Args)]
#[command(after_help = "Example:
  outlast completions bash > ~/.local/share/bash-completion/completions/outlast")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    // Into memory first: the generator panics when its output breaks.
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "outlast", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}
